"""What an assigned device needs from the guest's firmware and definition."""

from pytest_vfio.check import (
    ADVICE,
    BLOCKER,
    Verdict,
    check,
    fails,
    passes,
    skips,
)
from pytest_vfio.cures import domain as cures
from pytest_vfio.facts.tristate import require
from pytest_vfio.hypervisor.hypervisor import Hypervisor
from pytest_vfio.parse.hostdevs import Hostdev

_GIB = 1 << 30
#: Up to here both firmwares find a place below 4 GiB or in their default window.
_SMALL = 1 * _GIB
#: OVMF's window of older builds (opt/ovmf/X-PciMmio64Mb).
_WINDOW = 32 * _GIB


@check("GST024", severity=ADVICE, needs=["GST002"], refs=["F172"])
def test_guest_firmware_has_room_for_the_bars(hypervisor: Hypervisor, hostdev: Hostdev) -> Verdict:
    """Guest's firmware has room for the BARs of the device

    Checks:
        That a device with 1 GiB of memory regions or more is in a guest with UEFI firmware, and
        one with 32 GiB or more in one with the host's own CPU too.
    Why it matters:
        Otherwise the guest sees the device and cannot place its BARs: "can't assign; no space",
        Code 12.
    Evidence:
        The regions in /sys/bus/pci/devices/*/resource; the guest's XML.
    Fix:
        UEFI firmware and cpu mode host-passthrough with the host's address width.
    Fix safety:
        Manual: a guest installed under BIOS has to be installed anew.
    References:
        F172; OVMF OvmfPkg/Library/PlatformInitLib.
    """
    domain = hypervisor.guests.owner(hostdev)
    function = hypervisor.pci.get(hostdev.address) if hostdev.address else None
    if function is None:
        return skips(f"{hostdev.address or hostdev.raw} does not exist")
    size = sum(region.size for region in function.resources[:6] if region.memory)
    if size < _SMALL:
        return passes(f"{hostdev.address} has {size >> 20} MiB of memory regions")
    for document in domain.documents:
        wide = document.cpu_mode in ("host-passthrough", "maximum")
        if not document.efi or (size >= _WINDOW and not wide):
            firmware = "UEFI" if document.efi else "BIOS"
            return fails(
                f"{hostdev.address} has {size // _GIB} GiB of memory regions, and {hostdev.guest}"
                f" has {firmware} and cpu mode {document.cpu_mode or 'default'}",
                actual=f"{firmware}, cpu mode {document.cpu_mode or 'default'}",
                expected="UEFI and cpu mode host-passthrough",
                evidence=[hostdev.quote, document.quote("cpu")],
                acts="guest",
                severity=None if document.efi or size < _WINDOW else BLOCKER,
                cure=cures.room_for_bars(hostdev.guest),
            )
    require(domain)
    return passes(f"{hostdev.guest} has room for {size // _GIB} GiB of memory regions")
