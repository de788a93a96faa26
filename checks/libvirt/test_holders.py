"""A device that some other program holds cannot be assigned to a guest."""

from pytest_vfio.check import BLOCKER, DEGRADED, Verdict, check, fails, passes, skips
from pytest_vfio.cures import libvirt as cures
from pytest_vfio.facts.host import openers
from pytest_vfio.facts.tristate import require
from pytest_vfio.hypervisor.hypervisor import Hypervisor
from pytest_vfio.hypervisor.intent import IntendedDevice


@check("LIB009", severity=DEGRADED, needs=["DEV001", "DEV004"], refs=["F163"])
def test_no_program_other_than_a_guest_holds_the_device(
    hypervisor: Hypervisor, device: IntendedDevice
) -> Verdict:
    """No program other than a libvirt guest holds the device

    Checks:
        That no program has /dev/vfio/N of the device's group open, unless a running guest has a
        device of the group.
    Why it matters:
        Otherwise a guest cannot have it: "Device or resource busy". Detaching it waits in the
        kernel, and cannot be killed, until the holder lets go: "Relaying device request to user".
    Evidence:
        The open files of all processes; the guests' live XML.
    Fix:
        Stop the holder: DPDK, SPDK, a container, a QEMU started by hand.
    Fix safety:
        Manual: the program stops.
    References:
        F163; kernel drivers/vfio/vfio_main.c.
    """
    if device.address is None:
        return skips(f"{device.name} is not on this host")
    number = device.function.group
    group = hypervisor.groups.of(device.function)
    if number is None or group is None:
        return skips(f"{device.address} has no IOMMU group")
    holders = openers.known(hypervisor.evidence, f"/dev/vfio/{number}")
    held = [pair for member in group.members for pair in hypervisor.guests.holding(member)]
    guests = [domain.name for domain, hostdev in held if domain.running and hostdev.live]
    strangers = [one for one in holders if not one.is_qemu]
    if holders and not guests and not strangers:
        require(hypervisor.guests)
        strangers = list(holders)
    if strangers:
        first = strangers[0]
        return fails(
            f"{device.address} is in use by {first.command} (PID {first.pid}), which is not a"
            " libvirt guest",
            actual=f"/dev/vfio/{number} open in {len(strangers)} processes",
            expected="open in a libvirt guest, or not open",
            evidence=[one.quote for one in strangers],
            severity=BLOCKER,
            cure=cures.stop_holder(first.command, first.pid),
        )
    require(*openers.lacking(hypervisor.evidence))
    if holders:
        return passes(f"{guests[0]} holds {device.address}", evidence=holders[0].quote)
    return passes(f"no program holds {device.address}")
