"""Memory that firmware keeps mapped for a device, whichever driver it has."""

from pytest_vfio.check import BLOCKER, Verdict, check, fails, passes, skips
from pytest_vfio.cures import firmware as cures
from pytest_vfio.evidence import Missing, Quote
from pytest_vfio.facts.pci.functions import PciFunction
from pytest_vfio.facts.tristate import ask, known
from pytest_vfio.hypervisor.hypervisor import Hypervisor
from pytest_vfio.hypervisor.intent import IntendedDevice

_DISPLAY, _USB = 0x03, 0x0C03
_REFUSED = (
    r"Device is ineligible for IOMMU domain attach due to platform RMRR requirement"
    r"|Firmware has requested this device have a 1:1 IOMMU mapping"
)


@check("FW007", severity=BLOCKER, needs=["IOM001", "DEV001"], refs=["F15", "S25"])
def test_no_reserved_memory_blocks_the_device(
    hypervisor: Hypervisor, device: IntendedDevice
) -> Verdict:
    """No firmware-reserved memory (RMRR) blocks the device

    Checks:
        That no `direct` region is reserved for the device's group. `direct-relaxable` (USB and
        display, 5.3 and newer), `msi` and `reserved` are fine; before 5.3 those of USB and display
        devices read `direct` too and do not block.
    Why it matters:
        Otherwise the kernel refuses to assign the device to a guest: the firmware goes on writing
        to that memory by the device. HPE ProLiant servers do so for every slot by default.
    Evidence:
        reserved_regions of the group; where it was not read, DMAR's RMRR scopes and the log can
        prove the reservation, but not its absence.
    Fix:
        The vendor's option for the slot (HPE: RBSU, conrep, or system utilities), another slot.
    Fix safety:
        The firmware loses its health data of the card. Never the relax_rmrr patch.
    References:
        F15, S25; ABI sysfs-kernel-iommu_groups; drivers/iommu/intel/iommu.c.
    """
    function = device.function
    address = function.address
    for line in hypervisor.klog.seen(_REFUSED):
        if address in line.text:
            return _reserved(hypervisor, address, "the kernel refused it for that", line.quote)
    group = hypervisor.groups.of(function)
    if group is None:
        return skips(f"{address} has no IOMMU group")
    reserved, lacking = ask(lambda: group.reserved_regions)
    if reserved is None:
        rmrr = hypervisor.iommu.rmrr_of(function)
        if rmrr is None:
            raise Missing(*lacking)
        return _reserved(hypervisor, address, rmrr, hypervisor.acpi.quote("DMAR", rmrr))
    regions = [region for region in reserved if region.kind == "direct"]
    quote = hypervisor.groups.tree.quote(f"{group.number}/reserved_regions")
    if not regions:
        return passes(f"group {group.number} has no direct region", evidence=quote)
    exempt = all(_exempt(member) for member in group.functions)
    if exempt and hypervisor.kernel.version < (5, 3, 0):
        words = "regions of USB and display devices do not block before 5.3"
        return passes(words, evidence=quote)
    words = ", ".join(f"{region.start:#x}-{region.end:#x}" for region in regions[:4])
    return _reserved(hypervisor, address, f"direct region {words}", quote)


def _exempt(function: PciFunction) -> bool:
    """Linux calls the regions of display and USB devices relaxable."""
    return function.base_class == _DISPLAY or function.class_code >> 8 == _USB


def _reserved(hypervisor: Hypervisor, address: str, words: str, quote: Quote) -> Verdict:
    vendor = known(hypervisor.platform.dmi, "sys_vendor") or ""
    return fails(
        f"firmware reserves memory for {address}: {words}, expected none",
        actual=words,
        expected="no direct region",
        evidence=quote,
        acts="firmware",
        cure=cures.free_slot(address, vendor),
    )
