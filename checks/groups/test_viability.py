"""An IOMMU group is assigned to a guest as a whole, or not at all."""

from pytest_vfio.check import (
    ADVICE,
    BLOCKER,
    SECURITY,
    Verdict,
    check,
    fails,
    passes,
    skips,
    unknown,
)
from pytest_vfio.cures import by_hand as by_hand_cures
from pytest_vfio.cures import libvirt as libvirt_cures
from pytest_vfio.cures import override as override_cures
from pytest_vfio.evidence import Lack
from pytest_vfio.facts.pci.functions import PciFunction, is_vfio_driver
from pytest_vfio.facts.tristate import require, search
from pytest_vfio.hypervisor import handover, isolation
from pytest_vfio.hypervisor.groups import NOIOMMU, Group
from pytest_vfio.hypervisor.hypervisor import Hypervisor

_DISPLAY = 0x03
#: Base classes of PCI: storage, network, display.
_LIVED_ON = (0x01, 0x02, _DISPLAY)


@check("GRP001", severity=BLOCKER, needs=["IOM001", "SAF002"], refs=["F92", "F93", "F138"])
def test_no_member_makes_the_group_not_viable(hypervisor: Hypervisor, group: Group) -> Verdict:
    """No member that stays with the host makes the IOMMU group not viable

    Checks:
        By the rule of the running kernel, that no member of the group is on a driver that keeps
        VFIO out. No driver, vfio-pci, pci-stub, and pcieport on a bridge are fine. Members that are
        to be passed through themselves are judged by DEV003, and libvirt detaches managed hostdevs.
    Why it matters:
        Otherwise the guest does not start: `group is not viable`, or EPERM from iommufd.
    Evidence:
        The members of the group and their drivers; the kernel's version for a bridge on a driver
        of its own; the hostdevs of the guests.
    Fix:
        Give the rest of the group to the same guest, or leave it without a driver.
    Fix safety:
        Unsafe: the members leave the host. Never where the host depends on one (SAF002).
    References:
        F92, F93, F101, S20; drivers/vfio/vfio.c, drivers/iommu/iommu.c.
    """
    if not any(_leaves(hypervisor, member) for member in group.members):
        require(hypervisor.intent, hypervisor.guests)
        return skips(f"no member of group {group.number} goes to a guest")
    found = group.judged
    staying = [one for one in found.known if not _leaves(hypervisor, one.address)]
    if staying:
        shown = ", ".join(f"{one.address} on {one.driver}" for one in staying)
        bridge = hypervisor.pci.known[staying[0].address].header_type != 0
        virtual = any(_is_virtual(one) for one in group.functions)
        free = override_cures.take(
            hypervisor, [hypervisor.pci.known[one.address] for one in staying]
        )
        return fails(
            f"group {group.number} is not viable: {shown}",
            actual=shown,
            expected="vfio-pci, pci-stub or no driver",
            evidence=[one.quote for one in staying],
            refs=["F93"] if bridge else ["F92", "F138"] if virtual else ["F92"],
            cure=override_cures.unbind_bridge(staying[0].address, staying[0].driver)
            if bridge
            else free,
        )
    require(found)
    waiting = ", ".join(one.address for one in found.known)
    return passes(
        f"group {group.number} is viable"
        + (f" once {waiting} leaves its driver" if waiting else "")
    )


def _leaves(hypervisor: Hypervisor, address: str) -> bool:
    """A device to be passed through, or one that libvirt detaches for a guest."""
    device = hypervisor.intent.get(address)
    if device is not None and not device.keeps_host_driver:
        return True
    return handover.released(hypervisor, address)


def _is_virtual(function: PciFunction) -> bool:
    return function.knows("physfn") and function.physfn is not None


@check("GRP002", severity=ADVICE, needs=["IOM001"], refs=["F94", "F95", "F96", "F13"])
def test_group_has_at_most_one_endpoint_or_one_guest(
    hypervisor: Hypervisor, group: Group
) -> Verdict:
    """IOMMU group has at most one endpoint, or all are for one guest

    Checks:
        That all endpoints of the group are for the same guest; where they are not, why they share
        the group: functions of one card without ACS, a port without ACS, a conventional bridge.
    Why it matters:
        Members of one group can reach each other past the IOMMU. They are assigned together.
    Evidence:
        The members, the guests; port types and ACS in the configuration bytes explain it.
    Fix:
        All to one guest, or a slot that isolates.
    Fix safety:
        Manual; an override of ACS would only hide it.
    References:
        F94, F95, F96, F13, S33; drivers/iommu/iommu.c, pci_device_group.
    """
    found = isolation.endpoints(group)
    ends = found.known
    owners = {address: _owner(hypervisor, address) for address in ends}
    together = None not in owners.values() and len(set(owners.values())) == 1
    if len(ends) > 1 and not together:
        if None in owners.values() and all(hypervisor.intent.get(one) for one in ends):
            require(hypervisor.guests)  # one unread guest may have all of them
        reason = isolation.explain(group)
        return fails(
            f"group {group.number} has {', '.join(ends)}, which go together: {reason.words}",
            actual=f"{len(ends)} endpoints in one group",
            expected="one endpoint, or all for the same guest",
            evidence=reason.quotes or [group.functions[0].seen],
            refs=[reason.ref],
            severity=BLOCKER if _takes_from_host(hypervisor, group) else None,
            cure=by_hand_cures.separate(),
        )
    require(found, group)  # only a whole group shows that there is no other member
    if len(ends) < 2:
        return passes(f"group {group.number} has one endpoint at most: {', '.join(ends) or 'none'}")
    return passes(f"all {len(ends)} endpoints of group {group.number} are for {owners[ends[0]]}")


def _takes_from_host(hypervisor: Hypervisor, group: Group) -> bool:
    """Whether the text shows a member which the host may need, beside those to be passed through.

    Where its driver is known, GRP001 and the checks of safety judge it by that. The functions
    of a graphics card are one thing.
    """
    if not hypervisor.messages.are_all_there_is:
        return False
    wanted = [one for one in group.functions if hypervisor.intent.get(one.address)]
    cards = {one.address.rpartition(".")[0] for one in wanted if _class(one) == _DISPLAY}
    return bool(wanted) and any(
        _class(one) in _LIVED_ON and not one.knows("driver")
        for one in group.functions
        if one not in wanted and one.address.rpartition(".")[0] not in cards
    )


def _class(function: PciFunction) -> int | None:
    return function.base_class if function.knows("class_code") else None


def _owner(hypervisor: Hypervisor, address: str) -> str | None:
    device = hypervisor.intent.get(address)
    return device.guest if device is not None else None


@check("GRP004", severity=BLOCKER, needs=["IOM001"], refs=["F102"])
def test_device_node_of_the_group_exists(hypervisor: Hypervisor, group: Group) -> Verdict:
    """Device node of the IOMMU group exists

    Checks:
        That /dev/vfio/N exists for the group once one of its members is bound to a VFIO driver.
    Why it matters:
        QEMU opens the group through this node: `failed to open /dev/vfio/N`.
    Evidence:
        The listing of /dev/vfio, the drivers of the members.
    Fix:
        Let udev create the node.
    Fix safety:
        Safe.
    References:
        F102, F166; drivers/vfio/group.c.
    """
    item = hypervisor.evidence.item("dev/vfio/")
    names = item.text.split()
    if str(group.number) in names:
        return passes(f"/dev/vfio/{group.number} exists", evidence=item.quote(str(group.number)))
    found = search(group.functions, lambda function: is_vfio_driver(function.driver))
    bound = found.known
    require(item)
    if bound and "devices" in names:
        why = "shows only nodes of single devices, which older QEMU cannot use"
        missing = [Lack(item.name, item.status, why)]
        return unknown(f"/dev/vfio/{group.number} does not exist", missing=missing)
    if bound:
        return fails(
            f"/dev/vfio/{group.number} does not exist, but {bound[0].address} is on"
            f" {bound[0].driver}",
            actual="no node",
            expected=f"/dev/vfio/{group.number}",
            evidence=[item.quote(" ".join(names) or "(empty)"), bound[0].quote("driver")],
            cure=libvirt_cures.vfio_node(group.number),
        )
    require(found, *group.unseen)
    return skips(f"no member of group {group.number} is on a VFIO driver: the node comes with it")


@check("GRP005", severity=SECURITY, needs=["IOM001"], refs=["F62"])
def test_group_belongs_to_a_real_iommu(hypervisor: Hypervisor, group: Group) -> Verdict:
    """IOMMU group belongs to a real IOMMU

    Checks:
        That the group is a real one and not created by VFIO for a device without an IOMMU.
    Why it matters:
        Otherwise nothing translates the device's DMA: it reaches all memory of the host, and QEMU
        cannot use the group for a guest anyway.
    Evidence:
        name in /sys/kernel/iommu_groups.
    Fix:
        A real IOMMU.
    Fix safety:
        Manual: firmware and boot files.
    References:
        F62, S14; drivers/vfio/group.c.
    """
    quote = hypervisor.groups.tree.quote(f"{group.number}/name")
    if group.name == NOIOMMU:
        return fails(
            f"group {group.number} is a no-IOMMU group",
            actual=NOIOMMU,
            expected="a group of a real IOMMU",
            evidence=quote,
            cure=by_hand_cures.real_iommu(),
        )
    return passes(f"group {group.number} belongs to a real IOMMU", evidence=quote)
