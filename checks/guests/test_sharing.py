"""One device, or one group, belongs to one guest at a time."""

from pytest_vfio.check import BLOCKER, DEGRADED, Verdict, check, fails, passes, skips
from pytest_vfio.cures import domain as cures
from pytest_vfio.facts.libvirt import layout
from pytest_vfio.facts.tristate import require
from pytest_vfio.hypervisor.groups import Group
from pytest_vfio.hypervisor.hypervisor import Hypervisor
from pytest_vfio.hypervisor.intent import IntendedDevice


@check("GST007", severity=BLOCKER, refs=["F143", "F159"])
def test_at_most_one_guest_at_a_time_has_the_device(
    hypervisor: Hypervisor, device: IntendedDevice
) -> Verdict:
    """At most one guest at a time has the device

    Checks:
        That of the guests which name the device at most one runs, and at most one has autostart.
        Guests that are stored and use a device by turns are normal.
    Why it matters:
        Otherwise the guest that comes second does not start: "PCI device is in use by driver QEMU,
        domain ...". At the host's boot it is chance which one that is.
    Evidence:
        The XML, state and autostart of all guests.
    Fix:
        Let one guest have the device, or switch autostart off for the others.
    Fix safety:
        Manual: only their owner knows which guest is to have it.
    References:
        F143, F159; libvirt src/hypervisor/virhostdev.c.
    """
    if device.address is None:
        return skips("the device is not on this host")
    holding = hypervisor.guests.holding(device.address)
    domains = [domain for domain, _ in holding]
    names = ", ".join(domain.name for domain in domains)
    clash = layout.together(domains)
    if clash is not None:
        both, how = clash
        return fails(
            f"{device.address} is named by {names}, of which {len(both)} {how}",
            actual=f"{', '.join(domain.name for domain in both)} {how}",
            expected="one guest at a time",
            evidence=[hostdev.quote for domain, hostdev in holding if domain in both],
            acts="libvirt",
            cure=cures.one_owner(device.address, [domain.name for domain in both]),
        )
    require(hypervisor.guests)
    for domain in domains if len(domains) > 1 else ():
        require(*domain.lacks("running", "autostart"))
    if not domains:
        return skips(f"no guest names {device.address}")
    shared = "use it by turns" if len(domains) > 1 else "has it alone"
    return passes(f"{names} {shared}", evidence=[hostdev.quote for _, hostdev in holding])


@check("GST008", severity=BLOCKER, needs=["IOM001"], refs=["F97"])
def test_group_is_not_split_over_guests(hypervisor: Hypervisor, group: Group) -> Verdict:
    """IOMMU group is not split over guests that run at the same time

    Checks:
        That the guests which name members of the group do not run, or have autostart, at the same
        time.
    Why it matters:
        The kernel isolates groups, not devices. The second guest fails: "group used in multiple
        address spaces", or "Device or resource busy" on /dev/vfio/N.
    Evidence:
        The members of the group; the XML, state and autostart of all guests.
    Fix:
        Give all of the group to one guest, or move a card to another slot.
    Fix safety:
        Manual.
    References:
        F97; QEMU hw/vfio/container.c; libvirt src/hypervisor/virhostdev.c.
    """
    holding = [pair for member in group.members for pair in hypervisor.guests.holding(member)]
    domains = list({domain.name: domain for domain, _ in holding}.values())
    clash = layout.together(domains)
    if clash is not None:
        both, how = clash
        named = [(domain, hostdev) for domain, hostdev in holding if domain in both]
        if len({hostdev.address for _, hostdev in named}) > 1:
            names = [domain.name for domain in both]
            return fails(
                f"group {group.number} is split over {', '.join(names)}, which {how}",
                actual=", ".join(
                    f"{hostdev.address} in {domain.name}" for domain, hostdev in named
                ),
                expected="the whole group in one guest",
                evidence=[hostdev.quote for _, hostdev in named],
                acts="libvirt",
                cure=cures.one_guest_per_group(group.number, names),
            )
    require(hypervisor.guests)
    if len(group.all_members) > 1 and len(domains) > 1:
        for domain in domains:
            require(*domain.lacks("running", "autostart"))
    shown = ", ".join(domain.name for domain in domains) or "no guest"
    return passes(
        f"{shown} has members of group {group.number}", evidence=[h.quote for _, h in holding]
    )


@check("GST023", severity=DEGRADED, needs=["DEV001"], refs=["F143"])
def test_pf_and_its_vfs_are_not_both_assigned(
    hypervisor: Hypervisor, device: IntendedDevice
) -> Verdict:
    """PF and its VFs are not both assigned to guests

    Checks:
        That a PF which a guest names has no VF that a guest names too, running or not.
    Why it matters:
        A PF on VFIO has lost its host driver, and with it the VFs of other guests.
    Evidence:
        The guests' XML; the VFs of the function.
    Fix:
        Keep the PF on its host driver and give VFs to guests, or the PF alone.
    Fix safety:
        Manual.
    References:
        F143; kernel drivers/pci/iov.c.
    """
    if device.address is None:
        return skips("the device is not on this host")
    holding = hypervisor.guests.holding(device.address)
    vfs = device.function.virtfns
    taken = [pair for vf in vfs for pair in hypervisor.guests.holding(vf)]
    if holding and taken:
        domain, hostdev = taken[0]
        return fails(
            f"{device.address} is named by {holding[0][0].name}, and its VF {hostdev.address} by"
            f" {domain.name}",
            actual="both PF and VF assigned",
            expected="the PF, or VFs of it",
            evidence=[holding[0][1].quote, hostdev.quote],
            acts="libvirt",
            cure=cures.one_owner(device.address, [holding[0][0].name, domain.name]),
        )
    require(hypervisor.guests)
    if not holding:
        return skips(f"no guest names {device.address}")
    have = f"{len(vfs)} VFs, none named" if vfs else "no VFs"
    return passes(f"{device.address} has {have}", evidence=holding[0][1].quote)
