"""What the host sets for VFs: the PF's link, MAC addresses, trust; and their IOMMU groups."""

from pytest_vfio.check import ADVICE, DEGRADED, SECURITY, Verdict, check, fails, passes, skips
from pytest_vfio.cures import by_hand as by_hand_cures
from pytest_vfio.cures import sriov as sriov_cures
from pytest_vfio.evidence import Missing, Tree
from pytest_vfio.facts.pci import vfinfo
from pytest_vfio.facts.pci.functions import PciFunction
from pytest_vfio.facts.pci.vfinfo import VfPolicy
from pytest_vfio.facts.tristate import require, search
from pytest_vfio.hypervisor.groups import Group
from pytest_vfio.hypervisor.hypervisor import Hypervisor
from pytest_vfio.hypervisor.intent import IntendedDevice

_UP = 0x1


def _physical(hypervisor: Hypervisor, device: IntendedDevice) -> PciFunction | None:
    """The PF that a device is, or belongs to; None where neither."""
    function = device.function
    if function.physfn is not None:
        found = hypervisor.pci.get(function.physfn)
        if found is None:
            raise function.missing("physfn")
        return found
    return function if device.keeps_host_driver else None


@check("SRV010", severity=DEGRADED, needs=["DEV001"], refs=["F133"])
def test_interface_of_the_pf_is_up(hypervisor: Hypervisor, device: IntendedDevice) -> Verdict:
    """Network interface of the PF is up

    Checks:
        That the interface of the PF is up where a VF of it is to be passed through.
    Why it matters:
        Otherwise libvirt refuses to configure the VF, and the guest has no link.
    Evidence:
        flags in /sys/class/net.
    Fix:
        Bring the PF up, also at boot.
    Fix safety:
        Unsafe: the host's network configuration. Can be undone.
    References:
        F133; libvirt src/util/virnetdev.c.
    """
    function = device.function
    physical = _physical(hypervisor, device)
    if physical is None:
        return skips(f"{function.address} is no VF")
    if not physical.netdevs:
        return skips(f"the PF {physical.address} has no network interface")
    name = physical.netdevs[0]
    tree = Tree.of(hypervisor.evidence.item("sys/class/net"))
    flags = tree.get(f"{name}/flags") or ""
    try:
        up = int(flags, 0) & _UP
    except ValueError:
        raise Missing(hypervisor.evidence.item("sys/class/net")) from None
    quote = tree.quote(f"{name}/flags")
    if up:
        return passes(f"{name}, the PF of {function.address}, is up", evidence=quote)
    return fails(
        f"{name}, the PF of {function.address}, is down",
        actual=f"flags {flags}",
        expected="up",
        evidence=quote,
        cure=sriov_cures.bring_up(name, physical.address),
    )


def _policy(hypervisor: Hypervisor, device: IntendedDevice) -> VfPolicy | None:
    """What the host set for a VF; None where the device is no VF of a network adapter."""
    function = device.function
    if function.physfn is None:
        return None
    physical = _physical(hypervisor, device)
    if physical is None or not physical.netdevs:
        return None
    where, ours = function.address, physical.virtfns
    number = ours.index(where) if where in ours else -1
    found = vfinfo.policies(hypervisor.evidence, physical.netdevs[0]).get(number)
    if found is None:
        raise Missing(hypervisor.evidence.item(vfinfo.ITEM))
    return found


@check("SRV011", severity=SECURITY, needs=["DEV001"], refs=["F134"])
def test_vf_is_neither_trusted_nor_allowed_to_spoof(
    hypervisor: Hypervisor, device: IntendedDevice
) -> Verdict:
    """VF is neither trusted nor allowed to spoof addresses

    Checks:
        That trust is off and spoofchk on for a VF to be passed through.
    Why it matters:
        A trusted VF may go promiscuous and change its MAC; without spoof checking it may send with
        any. For a guest that is not trusted itself, the network is open.
    Evidence:
        ip -d link.
    Fix:
        trust off, spoofchk on; or accept it for a guest that routes or bonds.
    Fix safety:
        Unsafe: the guest's traffic may stop. Can be undone.
    References:
        F134; ip-link(8).
    """
    function = device.function
    policy = _policy(hypervisor, device)
    if policy is None:
        return skips(f"{function.address} is no VF of a network adapter")
    if policy.trust or policy.spoofchk is False:
        word = "trust off" if policy.trust else "spoofchk on"
        shown = "trust on" if policy.trust else "spoofchk off"
        return fails(
            f"VF {policy.number} of {policy.interface} ({function.address}) has {shown}",
            actual=shown,
            expected=word,
            evidence=policy.quote,
            cure=sriov_cures.set_policy(policy.interface, policy.number, word, shown),
        )
    return passes(f"{function.address} is neither trusted nor free to spoof", evidence=policy.quote)


@check("SRV012", severity=ADVICE, needs=["DEV001"], refs=["F135", "F134"])
def test_vf_has_a_fixed_mac_address_where_a_guest_needs_one(
    hypervisor: Hypervisor, device: IntendedDevice
) -> Verdict:
    """VF has a fixed MAC address where a guest needs one

    Checks:
        That a VF to be passed through has an administrative MAC, or that libvirt sets one:
        `<interface type='hostdev'>` does, a plain `<hostdev>` does not.
    Why it matters:
        Otherwise the guest gets another MAC at every start: leases, bonds and licences break.
    Evidence:
        ip -d link, the hostdevs of the guests.
    Fix:
        Set the MAC on the PF, or use an interface of type hostdev.
    Fix safety:
        Unsafe: a running guest keeps its old one until it restarts. Can be undone.
    References:
        F135, F134; libvirt src/hypervisor/virhostdev.c.
    """
    function = device.function
    policy = _policy(hypervisor, device)
    if policy is None:
        return skips(f"{function.address} is no VF of a network adapter")
    if not policy.random_mac:
        return passes(f"{function.address} has MAC {policy.mac}", evidence=policy.quote)
    takers = [hostdev for _, hostdev in hypervisor.guests.holding(function.address)]
    plain = [hostdev for hostdev in takers if hostdev.kind in ("hostdev", "commandline")]
    if not plain:
        require(hypervisor.guests)  # an unread guest may take it plainly
        return passes(
            f"no guest takes {function.address} as a plain hostdev", evidence=policy.quote
        )
    return fails(
        f"VF {policy.number} of {policy.interface} ({function.address}) has no MAC, and"
        f" {plain[0].guest} takes it as a plain hostdev",
        actual=policy.mac or "no MAC",
        expected="an administrative MAC",
        evidence=[policy.quote, plain[0].quote],
        cure=sriov_cures.set_mac(policy.interface, policy.number, plain[0].guest),
    )


@check("SRV008", severity=DEGRADED, needs=["IOM001"], refs=["F138"])
def test_vf_is_alone_in_its_group(hypervisor: Hypervisor, group: Group) -> Verdict:
    """VF is alone in its IOMMU group

    Checks:
        That a VF is alone in its group.
    Why it matters:
        VFs are for different guests; a shared group is assigned to one guest as a whole, and not at
        all with the PF in it.
    Evidence:
        The members of the group, physfn in /sys/bus/pci/devices.
    Fix:
        ACS in the firmware, another slot.
    Fix safety:
        Manual.
    References:
        F138; drivers/iommu/iommu.c, pci_device_group.
    """
    found = search(group.functions, lambda function: function.physfn is not None)
    virtual = found.known
    if virtual and len(group.members) > 1:
        others = ", ".join(one for one in group.members if one != virtual[0].address)
        return fails(
            f"VF {virtual[0].address} shares group {group.number} with {others}",
            actual=f"{len(group.members)} members",
            expected="a group of its own",
            evidence=virtual[0].quote("group"),
            cure=by_hand_cures.separate(),
        )
    require(found, *group.unseen)
    if not virtual:
        return skips(f"group {group.number} has no VF")
    return passes(f"VF {virtual[0].address} is alone in group {group.number}")
