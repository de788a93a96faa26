"""Cures that are a person's decision: another device, another slot, another kernel, a look.

None of them takes a device that the host uses: the answer to that is another device.
"""

from __future__ import annotations

from collections.abc import Iterable

from pytest_vfio.steps import ByHand, Cure, by_hand

_KERNEL_LOG = ("journalctl", "--no-pager", "-k", "-b")
_SYS = "/sys/bus/pci/devices"
_UNSAFE_INSTEAD = (
    "do not allow unsafe interrupts instead: a guest could forge the host's interrupts"
)


def find_again(name: str) -> Cure:
    """A device that is not where it should be."""
    look = ByHand(
        f"look for the vendor:device, subsystem and serial number of {name} at another address; if "
        "the card is missing: slot power, bifurcation and option ROM settings of its slot",
        argv=("lspci", "-Dnn"),
    )
    then = ByHand("write the address that you found into the inventory and the guests' <hostdev>")
    title = f"find out where {name} went and write its address where the old one stands"
    return Cure(title, (look, then))


def compare_identity(address: str) -> Cure:
    """The address names another device than it did."""
    look = ByHand(
        f"compare what stands at {address} with what was meant", argv=("lspci", "-Dnnvs", address)
    )
    then = ByHand("change the address in the inventory or in the guests' <hostdev>")
    return Cure(f"confirm what stands at {address} before anything is done to it", (look, then))


def give_or_release(address: str) -> Cure:
    """A device on vfio-pci that nobody uses serves neither host nor guest."""
    return by_hand(
        f"give {address} to a guest, or leave it to the host",
        f"name {address} in the inventory's guests, or add it to a guest as <hostdev>",
        "or take the id out of vfio-pci's list and bind the intended functions by address",
    )


def no_group(address: str, why: str) -> Cure:
    """Without a group there is no isolation and no VFIO."""
    return by_hand(
        f"let the IOMMU translate for {address}",
        why,
        "a firmware or kernel update that puts the device into an IOMMU's scope",
        reboot=True,
    )


def deny_list(address: str) -> Cure:
    """Never by switching the list off."""
    return by_hand(
        f"use another device than {address}: the kernel refuses to hand this model out",
        "a later generation of the accelerator, or its VFs where the list does not name them",
    )


def revive(address: str) -> Cure:
    """Only a power cycle is sure to help."""
    return by_hand(
        f"power the host off and on to bring {address} back",
        f"stop the guest that has {address}",
        f"where nothing else hangs off its bridge: echo 1 > {_SYS}/{address}/remove, then "
        "echo 1 > /sys/bus/pci/rescan; otherwise power off, wait, power on",
        "if it comes back only sometimes: vfio-pci.disable_idle_d3=1 on the kernel command line",
        reboot=True,
    )


def whole_bus(address: str) -> Cure:
    """A bus reset needs everything on the bus in one hand."""
    return by_hand(
        f"give everything on the bus of {address} to one guest, or move the card to its own slot",
        "without a reset the guest's next start finds the device as the last one left it",
    )


def device_specific_reset(address: str) -> Cure:
    """vendor-reset, an out-of-tree module."""
    return by_hand(
        f"install vendor-reset and let {address} use its device specific reset",
        "install the vendor-reset module (signed, where Secure Boot is on) and load it at boot",
        f"echo device_specific > {_SYS}/{address}/reset_method",
        "shut the guest down cleanly; do not let amdgpu touch the card first",
    )


def other_reset(address: str) -> Cure:
    """A method that the function survives."""
    look = ByHand(f"see the methods of {address}", argv=("cat", f"{_SYS}/{address}/reset_method"))
    then = ByHand(f"choose another, such as: echo bus > {_SYS}/{address}/reset_method")
    update = ByHand("look for a firmware or kernel update")
    title = f"choose another reset for {address}, or do not restart its guest without the host"
    return Cure(title, (look, then, update))


def room_in_guest(address: str, size: str) -> Cure:
    """Firmware that places large BARs."""
    return by_hand(
        f"give the guest of {address} OVMF and a 64-bit window for {size}, or shrink the BAR",
        "guest: OVMF, <cpu mode='host-passthrough'/> with the host's address width",
        f"or, with the device unbound: echo 8 > {_SYS}/{address}/resource1_resize (256 MiB)",
        'or firmware setup: "Re-Size BAR Support" disabled',
    )


def rom(address: str) -> Cure:
    """A ROM that cannot be read is replaced or left out."""
    return by_hand(
        f"give {address} a ROM file in the guest's XML, or none",
        "network adapter or HBA: <rom bar='off'/> in its hostdev",
        "graphics card: <rom file='...'/> with a dump of this very card's ROM",
    )


def share_no_line(address: str) -> Cure:
    """INTx that cannot be masked must be alone on its line."""
    return by_hand(
        f"put {address} into a slot with an interrupt line of its own",
        "or take the driver that shares the line from its device; take vfio-pci.nointxmask=1 back if set",
    )


def message_interrupts(subject: str) -> Cure:
    """MSI instead of a line."""
    return by_hand(
        f"let the guest use MSI for {subject}",
        "guest kernel without pci=nomsi; Windows: MSISupported=1 in the device's registry key",
        "or another slot, if the device has no MSI",
        reboot=True,
    )


def ats(address: str) -> Cure:
    """Broken address translation services."""
    return by_hand(
        f"switch ATS off for {address} with pci=noats, or use a kernel that does it by itself",
        "pci=noats on the kernel command line (for every device of the host)",
        reboot=True,
    )


def endpoint(address: str) -> Cure:
    """Bridges stay with the host."""
    look = ByHand(f"see what is below {address}", argv=("lspci", "-Dtv"))
    then = ByHand(
        f"take {address} out of the inventory and of <hostdev>, and name the functions below"
    )
    return Cure(f"assign the functions below {address} instead of it", (look, then))


def live_with(what: str) -> Cure:
    """A limit to know of."""
    return by_hand(what)


def separate() -> Cure:
    """Isolation comes from hardware."""
    return by_hand(
        "give all members to one guest, or move the card to a slot that isolates",
        "firmware setup: ACS and ARI enabled (AMD: AER as well)",
        "or a slot at the CPU instead of the chipset, or a kernel that knows the part's own isolation; "
        "never pcie_acs_override: it only hides that there is none",
        reboot=True,
    )


def another_device(address: str) -> Cure:
    """Nothing makes a device free that the host uses."""
    return by_hand(
        f"choose another device than {address}, or move what the host has on it elsewhere",
        "move addresses, routes, mounts or swap to a device that stays with the host",
        "check again; only then take the device away from the host",
    )


def another_slot(addresses: Iterable[str]) -> Cure:
    """A group is given away as a whole."""
    return by_hand(
        "move the card to a slot whose group holds nothing of the host",
        "power off, move the card, boot, and look at the groups again",
        f"never detach {', '.join(addresses)} to make the group viable",
        reboot=True,
    )


def free_device(address: str, what: str) -> Cure:
    """The host lets go of what it does not need."""
    return by_hand(
        f"free {address} before a guest gets it: {what}",
        "remove the address, bridge port, volume group or RAID member from the host's settings",
    )


def fixed_vfs(address: str) -> Cure:
    """A change of the number of VFs resets the port of many adapters."""
    return by_hand(
        f"settle the number of VFs of {address} before the host depends on it",
        "have the VFs made at boot, before the network is up (SR-IOVVirtualFunctions= in a .link file)",
        "change the number only from the console",
    )


def read_the_log() -> Cure:
    """The IOMMU is off although everything asks for it."""
    look = ByHand(
        "find in the kernel log why the IOMMU's driver gave up",
        argv=(*_KERNEL_LOG, "--grep=DMAR|AMD-Vi|smmu|iommu"),
    )
    then = ByHand("then a firmware update or a newer kernel", reboot=True)
    return Cure("find in the kernel log why the IOMMU's driver gave up", (look, then))


def force_amd() -> Cure:
    """Linux refuses the IOMMU of a platform."""
    return by_hand(
        "use another machine: Linux refuses the IOMMU of this platform",
        "amd_iommu=force_enable overrides the refusal at your own risk",
        reboot=True,
    )


def restore_interrupt_remapping() -> Cure:
    """Interrupts are not remapped, and no cause was found."""
    look = ByHand(
        "find in the kernel log why interrupts are not remapped",
        argv=(*_KERNEL_LOG, "--grep=DMAR-IR|nterrupt remapping|x2apic"),
    )
    return Cure("get interrupt remapping to work", (look, ByHand(_UNSAFE_INSTEAD, reboot=True)))


def quiet_device(address: str) -> Cure:
    """A device uses addresses that nobody gave it."""
    return by_hand(
        f"find out why {address} accesses unmapped memory (driver, firmware, RMRR)",
        "update its firmware and its driver, in the guest too; reset it before it changes hands",
        "if the addresses belong to the firmware, update the machine's firmware",
    )


def reset_stalled_device() -> Cure:
    """The IOMMU waits for a device that does not answer."""
    return by_hand(
        "shut the guest down and power-cycle the machine; replace or update the device", reboot=True
    )


def update_kernel_or_firmware() -> Cure:
    """Units or groups of unlike features; nothing is lost but speed."""
    return by_hand("update the firmware, or leave it so: VFIO works", reboot=True)


def real_iommu() -> Cure:
    """No-IOMMU mode is of no use to guests."""
    return by_hand(
        "switch no-IOMMU mode off and enable a real IOMMU",
        "remove enable_unsafe_noiommu_mode from /etc/modprobe.d and the kernel command line",
        "enable VT-d, AMD-Vi or the SMMU in the firmware and the kernel",
        reboot=True,
    )


def work_under_lockdown() -> Cure:
    """Some cures cannot work."""
    return by_hand(
        "use ways that lockdown allows: sysfs, libvirt and the boot files; not setpci or /dev/mem"
    )


def reboot_after_crash() -> Cure:
    """The kernel reported a crash of its own."""
    return by_hand("read the first crash in the kernel log, then reboot", reboot=True)


def install_drivers(release: str) -> Cure:
    """The running kernel's flavour was built or installed without the drivers."""
    return by_hand(
        "install the distribution's generic kernel with its modules and boot it",
        f"the running kernel {release} has no vfio-pci: cloud and minimal flavours leave it out "
        "(Debian: linux-image-amd64; Ubuntu: linux-generic; Fedora, RHEL: kernel-modules)",
        reboot=True,
    )


def install_iommu_driver(release: str, option: str) -> Cure:
    """The running kernel's flavour was built without the driver of the IOMMU."""
    return by_hand(
        "install the distribution's generic kernel and boot it",
        f"the running kernel {release} was built without CONFIG_{option}",
        reboot=True,
    )


def mappable_bars(address: str) -> Cure:
    """What shares a page with another device is trapped by the hypervisor."""
    return by_hand(
        f"give the BARs of {address} pages of their own",
        f"pci=resource_alignment=12@{address} on the kernel command line, or update the card's firmware",
        reboot=True,
    )


def of_message(cure: str, commands: Iterable[str]) -> Cure:
    """What ends a known message; where its causes differ, first the commands that tell them apart."""
    look = [ByHand(f"to tell its causes apart, look at what {one} prints") for one in commands]
    if not cure:
        return Cure("find out which cause the message has", tuple(look))
    return Cure(cure.rstrip("."), (ByHand(cure), *look))


def correct_line(file: str, line: str, expected: str) -> Cure:
    """A setting with a letter that is wrong."""
    return by_hand(
        f"correct {line!r} in /{file}", f"write {expected} there", "then what is made from the file"
    )
