"""Devices that the host itself needs must not be given to a guest."""

from pytest_vfio.check import ADVICE, BLOCKER, DEGRADED, Verdict, check, fails, passes, skips
from pytest_vfio.cures import by_hand as cures
from pytest_vfio.facts.tristate import require, search
from pytest_vfio.hypervisor.groups import Group
from pytest_vfio.hypervisor.holding import held
from pytest_vfio.hypervisor.hypervisor import Hypervisor
from pytest_vfio.hypervisor.intent import IntendedDevice
from pytest_vfio.hypervisor.protected import out_of_use

ISA_BRIDGE, SMBUS = 0x0601, 0x0C05
#: The entry of the catalogue for each kind of what the host needs.
REFS = {
    "network": "F190",
    "storage": "F191",
    "screen": "F192",
    "keyboard": "F193",
    "inventory": "F190",
}


@check("SAF001", severity=BLOCKER, needs=["DEV001"], refs=["F190", "F191", "F192", "F193"])
def test_host_does_not_depend_on_the_device(
    hypervisor: Hypervisor, device: IntendedDevice
) -> Verdict:
    """Host does not depend on the device

    Checks:
        That neither the way to the host (default routes of all tables, live SSH sessions) nor its
        storage (mounts, swap, fstab, through LVM, LUKS, RAID, multipath, iSCSI and NFS), nor its
        only screen or keyboard, depends on the device, nor the inventory protects it.
    Why it matters:
        Otherwise a guest that starts with the device takes it from the host without asking: the
        session ends, the root file system fails, and only the machine's own console helps.
    Evidence:
        The inventory, /sys/class/net, addresses and routes as `ip` prints them, the sockets of
        sshd, /proc/self/mountinfo, /proc/swaps, /etc/fstab, /sys/class/block, lsblk; for displays
        and USB controllers boot_vga and /proc/bus/input/devices. A device on a VFIO driver, or a
        device other than a display without a driver, carries nothing of the host.
    Fix:
        Choose another device, or move what the host has on it to one that stays.
    Fix safety:
        Manual. Nothing unbinds a device that the host depends on.
    References:
        F190, F191, F192, F193; Documentation/ABI/testing/sysfs-class-net, sysfs-block.
    """
    path = hypervisor.protected.known.get(device.name)
    if path is not None and device.keeps_host_driver:
        return skips(f"{device.name} stays with the host, only its VFs are assigned")
    if path is not None:
        return fails(
            f"{device.name} is to be passed through, and the host depends on it: {path}",
            actual=path,
            expected="a device that carries nothing of the host",
            evidence=hypervisor.protected.quotes(device.name),
            refs=dict.fromkeys(REFS[use.kind] for use in hypervisor.protected.uses[device.name]),
            cure=cures.another_device(device.name),
        )
    function = device.function
    hypervisor.protected.path(device.name)  # raises where it is not known
    if out_of_use(function):
        driver = function.driver or "no driver"
        return passes(
            f"{device.name} is bound to {driver}: the host does not use it",
            evidence=function.quote("driver"),
        )
    return passes(f"the host does not depend on {device.name}")


@check("SAF002", severity=BLOCKER, needs=["IOM001"], refs=["F194"])
def test_host_depends_on_no_other_member_of_the_group(
    hypervisor: Hypervisor, group: Group
) -> Verdict:
    """Host depends on no other member of the IOMMU group

    Checks:
        That no other member of the group, unless it is to be passed through itself, carries the
        network, the storage or the console of the host.
    Why it matters:
        A group is assigned as a whole. Detaching the other member to make the group viable cuts off
        the host: such a device is not assignable where it is now.
    Evidence:
        The members of the group and what SAF001 reads.
    Fix:
        Move the card to a slot with a group of its own, or choose another device.
    Fix safety:
        Manual.
    References:
        F194; Documentation/driver-api/vfio.rst, "Groups, Devices, and IOMMUs".
    """
    mates = [f for f in group.functions if hypervisor.intent.get(f.address) is None]
    held = {f.address: hypervisor.protected.known.get(f.address) for f in mates}
    taken = {address: path for address, path in held.items() if path is not None}
    if taken:
        paths = ", ".join(taken.values())
        return fails(
            f"group {group.number} holds what the host depends on: {paths}",
            actual=paths,
            expected="a group that the host does not depend on",
            evidence=[quote for one in taken for quote in hypervisor.protected.quotes(one)],
            cure=cures.another_slot(taken),
        )
    if len(group.all_members) == 1:
        return passes(f"group {group.number} has no other member than {group.members[0]}")
    require(*group.unseen)
    for mate in mates:
        if not mate.is_bridge:
            hypervisor.protected.path(mate.address)  # raises where it is not known
    return passes(f"the host depends on no other member of group {group.number}")


@check("SAF003", severity=DEGRADED, needs=["IOM001"], refs=["F100"])
def test_group_holds_no_isa_bridge_and_no_smbus_controller(
    hypervisor: Hypervisor, group: Group
) -> Verdict:
    """IOMMU group holds no ISA bridge and no SMBus controller

    Checks:
        That the group has no ISA/LPC bridge (class 0601) and no SMBus controller (class 0c05)
        beside the device to be passed through.
    Why it matters:
        These drive fans, sensors, firmware flash and legacy devices. Detaching them so that the
        group is viable can take the host down, and a guest that owns the group reaches them by DMA.
    Evidence:
        The members of the group and their classes.
    Fix:
        Use a card in a slot with a group of its own instead of a device of the chipset.
    Fix safety:
        Manual.
    References:
        F100; PCI Code and ID Assignment Specification.
    """
    found = search(group.functions, lambda one: one.class_code >> 8 in (ISA_BRIDGE, SMBUS))
    chipset = found.known
    if chipset:
        names = ", ".join(f"{f.address} (class {f.class_code >> 8:04x})" for f in chipset)
        return fails(
            f"group {group.number} holds functions of the chipset: {names}",
            actual=names,
            expected="a group without an ISA bridge or SMBus controller",
            evidence=[f.quote("class_code") for f in chipset],
            cure=cures.another_slot([f.address for f in chipset]),
        )
    if len(group.all_members) > 1:
        require(found, *group.unseen)
    return passes(f"group {group.number} holds no function of the chipset")


@check("SAF008", severity=ADVICE, needs=["DEV001"], refs=["F204"])
def test_host_does_not_depend_on_the_adapter_of_the_vfs(
    hypervisor: Hypervisor, device: IntendedDevice
) -> Verdict:
    """Host does not depend on the adapter of the VFs

    Checks:
        That the physical function of a VF to be passed through, or the one that the inventory wants
        VFs of, carries neither the host's network nor its storage.
    Why it matters:
        Assigning VFs is harmless. Changing their number is not: many adapters reset the port or
        renumber, and the session that does it ends in the middle.
    Evidence:
        physfn of the VF, and what SAF001 reads.
    Fix:
        Create the VFs once, early at boot, and change their number from the console only.
    Fix safety:
        Manual.
    References:
        F204; Documentation/PCI/pci-iov-howto.rst.
    """
    function = device.function
    wanted = device.keeps_host_driver
    parent = device.name if wanted else function.physfn
    if parent is None:
        return skips(f"{device.name} is no VF and none are wanted of it")
    uses = hypervisor.protected.uses.get(parent, ())
    own = [use for use in uses if not use.purpose.startswith("VF ")]
    if own:
        return fails(
            f"VFs are created on {parent}, which carries {own[0].purpose} of the host",
            actual=own[0].path,
            expected="VFs on an adapter that the host does not depend on",
            evidence=own[0].quote,
            cure=cures.fixed_vfs(parent),
        )
    hypervisor.protected.path(parent)  # raises where it is not known
    return passes(f"the host does not depend on {parent}, the adapter of the VFs")


@check("SAF016", severity=DEGRADED, needs=["DEV001", "SAF001"], refs=["F190", "F191"])
def test_host_has_no_address_and_no_volume_on_the_device(
    hypervisor: Hypervisor, device: IntendedDevice
) -> Verdict:
    """Host has no address and no volume on the device

    Checks:
        That no interface of the device has an address or belongs to a bridge, bond or VLAN of the
        host, and that no block device on it is held by LVM, RAID or device mapper.
    Why it matters:
        Otherwise the host runs without the device, but loses what it has there, and with a held
        disk the unbind hangs.
    Evidence:
        /sys/class/net, addresses as `ip` prints them, /sys/class/block. A device on a VFIO driver
        has neither.
    Fix:
        Remove the device from the host's network and storage settings.
    Fix safety:
        Manual.
    References:
        F190, F191.
    """
    if device.keeps_host_driver:
        return skips(f"{device.name} stays with the host, only its VFs are assigned")
    function = device.function
    if out_of_use(function):
        return passes(
            f"{device.name} is bound to {function.driver or 'no driver'}",
            evidence=function.quote("driver"),
        )
    found = held(hypervisor, device.name)
    if not found:
        return passes(f"the host has no address and no volume on {device.name}")
    what = ", ".join(dict.fromkeys(one.what for one in found))
    return fails(
        f"{device.name} is in use by the host: {what}",
        actual=what,
        expected="nothing of the host on it",
        evidence=[one.quote for one in found],
        refs=dict.fromkeys(REFS[one.kind] for one in found),
        cure=cures.free_device(device.name, what),
    )
