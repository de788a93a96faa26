"""Guest memory at addresses that an AMD IOMMU keeps for itself."""

import re

from pytest_vfio.check import BLOCKER, Verdict, check, fails, passes, skips
from pytest_vfio.cures import domain as cures
from pytest_vfio.evidence import Lack, Missing, Status
from pytest_vfio.facts.libvirt.guests import Domain
from pytest_vfio.facts.tristate import require
from pytest_vfio.hypervisor.hypervisor import Hypervisor

#: Above this the memory of an older machine type reaches into the hole at 1012 to 1024 GiB.
_BELOW_HOLE = 1010 << 20  # KiB
_MACHINE = re.compile(r"pc-(?:q35|i440fx)-([0-9]{1,3})\.([0-9]{1,3})")


@check("IOM015", severity=BLOCKER, needs=["IOM001"], refs=["F60"])
def test_guest_memory_avoids_the_addresses_an_amd_iommu_reserves(
    hypervisor: Hypervisor, guest: Domain
) -> Verdict:
    """Guest's memory avoids the addresses that an AMD IOMMU reserves

    Checks:
        That a guest of more than 1010 GiB with host devices, on a host with an AMD IOMMU, has a
        machine type of QEMU 7.1 or newer.
    Why it matters:
        AMD's IOMMU keeps the addresses 0xfd00000000 to 0xffffffffff for itself. Older machine
        types place memory there; mapping it fails with Invalid argument and the guest does not
        start. Newer ones move it above 1 TiB.
    Evidence:
        The guest's XML; the kind of the IOMMU.
    Fix:
        A machine type of 7.1 or newer, or less memory.
    Fix safety:
        A new machine type changes virtual hardware: the guest may see other device names.
    References:
        F60; QEMU hw/i386/pc.c (enforce_amd_1tb_hole).
    """
    huge = [d for d in guest.documents if d.hostdevs and (d.memory or 0) > _BELOW_HOLE]
    old = [(d, m) for d in huge if (m := _MACHINE.match(d.machine)) and _version(m) < (7, 1)]
    if not old:
        require(guest)
        if not huge:
            return skips(f"{guest.name} has no host device, or less than 1010 GiB")
    if hypervisor.iommu.kind != "amd":
        return skips("no AMD IOMMU on this host")
    if old:
        document = old[0][0]
        return fails(
            f"{guest.name} has {(document.memory or 0) >> 20} GiB and machine {document.machine}",
            actual=document.machine,
            expected="a machine type of 7.1 or newer",
            evidence=[document.quote("machine"), document.quote("memory")],
            acts="libvirt",
            cure=cures.newer_machine(guest.name),
        )
    for document in huge:
        if _MACHINE.match(document.machine) is None:  # an alias, or a distribution's own name
            raise Missing(Lack(f"version of machine {document.machine[:60]}", Status.NOT_COLLECTED))
    return passes(f"{guest.name} has a machine type that goes around the hole")


def _version(match: re.Match[str]) -> tuple[int, int]:
    return int(match[1]), int(match[2])
