"""Cures that change a guest's definition. All of them are for a person: a guest is somebody's.

A change of the stored definition acts at the next cold start; a reboot from inside is none.
"""

from __future__ import annotations

from collections.abc import Iterable

from pytest_vfio.cures import MANUAL, SAFE, UNSAFE, told
from pytest_vfio.parse.claims import Claim, Kind
from pytest_vfio.steps import Cure

COLD = "shut the guest down and start it: a reboot from inside keeps the old devices"


def source(address: str) -> str:
    """The `<address>` of a source, in libvirt's own form."""
    domain, bus, rest = address.split(":")
    slot, _, function = rest.partition(".")
    place = f"domain='0x{domain}' bus='0x{bus}' slot='0x{slot}' function='0x{function}'"
    return f"<address {place}/>"


def add_hostdev(guest: str, address: str, *, running: bool | None) -> Cure:
    """The hostdev, written out."""
    return told(
        SAFE if running is False else UNSAFE,
        f"add {address} to {guest}",
        (
            f"virsh edit {guest}, below <devices>:",
            "<hostdev mode='subsystem' type='pci' managed='yes'>",
            f"<source>{source(address)}</source></hostdev>",
            COLD,
        ),
        undo=True,
    )


def define(guest: str) -> Cure:
    """Somebody has to bring the guest."""
    return told(MANUAL, f"define {guest}, or correct its name in the inventory")


def cold_start(guest: str) -> Cure:
    """The running guest has the definition of its start."""
    return told(UNSAFE, f"stop and start {guest}", (COLD,))


def store(guest: str, address: str) -> Cure:
    """What was attached live only is gone after the next start."""
    return told(
        SAFE,
        f"store {address} in {guest} too",
        (f"virsh attach-device {guest} FILE --config, with the hostdev of its live XML",),
        undo=True,
    )


def correct_address(guest: str, address: str | None) -> Cure:
    """Hexadecimal needs its 0x."""
    meant = (f"as meant: {source(address)}",) if address is not None else ()
    steps = (f"virsh edit {guest}", "write numbers with 0x: bus='12' is bus 0x0c", *meant)
    return told(SAFE, f"correct the source address in {guest}", steps, undo=True)


def drop_duplicate(guest: str, address: str) -> Cure:
    """Once is enough."""
    steps = (f"virsh edit {guest}", "remove all but one of the elements")
    return told(SAFE, f"name {address} once in {guest}", steps, undo=True)


def manage(guest: str, address: str) -> Cure:
    """libvirt detaches at start and hands back at stop."""
    return told(
        SAFE,
        f"set managed='yes' for {address} in {guest}",
        (
            f"virsh edit {guest}",
            f"or detach it each time: virsh nodedev-detach pci_{address.translate(_UNDERSCORES)}",
        ),
        undo=True,
    )


def one_owner(address: str, guests: Iterable[str]) -> Cure:
    """Which guest is to have it, only its owner knows."""
    names = ", ".join(guests)
    return told(
        MANUAL,
        f"let one of {names} have {address}",
        ("take the hostdev out of the others, or their autostart: virsh autostart --disable NAME",),
    )


def one_guest_per_group(number: int, guests: Iterable[str]) -> Cure:
    """A group is one unit of isolation."""
    return told(
        MANUAL,
        f"give all of group {number} to one guest",
        (
            f"it is split over {', '.join(guests)}",
            "or move a card to a slot that has a group of its own",
        ),
    )


def use_hostdev(guest: str, address: str | None) -> Cure:
    """libvirt prepares only what it knows of."""
    element = source(address) if address else "the source address"
    return told(
        UNSAFE,
        f"replace the raw vfio-pci argument of {guest} by a hostdev",
        (
            f"virsh edit {guest}: <hostdev> with {element}",
            "properties beyond it go into <qemu:override>",
            COLD,
        ),
        undo=True,
    )


def drop_hard_limit(guest: str) -> Cure:
    """Without it libvirt sets what is needed. Raising it is never automatic."""
    return told(
        UNSAFE,
        f"take <hard_limit> out of {guest}",
        (f"virsh edit {guest}, below <memtune>", COLD),
        undo=True,
    )


def root_port(guest: str) -> Cure:
    """libvirt adds the port by itself if no address is written."""
    return told(
        UNSAFE,
        f"place the device of {guest} behind a pcie-root-port",
        (
            f"virsh edit {guest}: take the guest-side <address> of the hostdev out",
            "libvirt chooses a free root port and adds one",
            COLD,
        ),
        undo=True,
    )


def spare_ports(guest: str) -> Cure:
    """Ports can be added to a guest that is off only."""
    return told(
        UNSAFE,
        f"add spare root ports to {guest}",
        (
            f"virsh edit {guest}: <controller type='pci' model='pcie-root-port'/>, one each",
            COLD,
        ),
        undo=True,
    )


def q35(guest: str) -> Cure:
    """A change of machine is a change of hardware to the guest."""
    return told(
        MANUAL,
        f"move {guest} to a q35 machine",
        ("best for a guest that is installed anew: an installed one sees other hardware",),
    )


def multifunction(guest: str, slot: str) -> Cure:
    """Function 0 announces the others."""
    return told(
        UNSAFE,
        f"lay out guest slot {slot} of {guest} with a function 0",
        (
            f"virsh edit {guest}: function='0x0' multifunction='on' for the first device",
            "the others in the same slot with functions 1 to 7",
            COLD,
        ),
        undo=True,
    )


def viommu(guest: str, setting: str) -> Cure:
    """The settings under which a guest's IOMMU and assigned devices go together."""
    return told(
        UNSAFE,
        f"set {setting} for the IOMMU of {guest}",
        (
            f"virsh edit {guest}: <iommu model='intel'><driver intremap='on' caching_mode='on'/>",
            "<features><ioapic driver='qemu'/></features>",
            COLD,
        ),
        undo=True,
    )


def shut_down_instead(source: str) -> Cure:
    """Devices cannot be saved."""
    return told(
        SAFE,
        "shut guests down when the host goes down",
        (f"ON_SHUTDOWN=shutdown in {source}",),
        undo=True,
    )


def resume(guest: str) -> Cure:
    """What stopped the guest decides."""
    return told(
        MANUAL,
        f"find out why {guest} is paused",
        (
            f"virsh domstate {guest} --reason, and the end of its QEMU log",
            "after an unrecoverable device error destroy the guest and reset the device",
        ),
    )


def reserve_hugepages(size: int, count: int) -> Cure:
    """At boot, before memory is in pieces."""
    pool = f"/sys/kernel/mm/hugepages/hugepages-{size}kB"
    return told(
        UNSAFE,
        f"reserve {count} hugepages of {size} KiB",
        (
            f"where memory allows: echo {count} > {pool}/nr_hugepages",
            f"at boot: hugepagesz={size}K hugepages={count} on the kernel's command line",
        ),
        reboot=size >= 1 << 20,
        undo=True,
    )


def one_boot_order(guest: str) -> Cure:
    """libvirt takes one form or the other."""
    return told(
        SAFE,
        f"use one form of boot order in {guest}",
        (f"virsh edit {guest}: remove <boot dev=...> from <os>, or <boot order=...> from devices",),
        undo=True,
    )


def room_for_bars(guest: str) -> Cure:
    """UEFI firmware, and the host's own address width."""
    return told(
        MANUAL,
        f"give {guest} UEFI firmware with a window for large BARs",
        (
            "<os firmware='efi'> (a guest installed under BIOS has to be installed anew)",
            "<cpu mode='host-passthrough'><maxphysaddr mode='passthrough'/></cpu>",
            "older firmware: -fw_cfg name=opt/ovmf/X-PciMmio64Mb,string=262144",
        ),
    )


def kvm(guest: str) -> Cure:
    """Emulation is for hosts without KVM."""
    return told(
        UNSAFE,
        f"let {guest} use KVM",
        (f"virsh edit {guest}: <domain type='kvm'>", COLD),
        undo=True,
    )


def vfio_driver(guest: str) -> Cure:
    """Legacy assignment left the kernel with 4.12."""
    return told(
        SAFE,
        f"take <driver name='kvm'/> out of {guest}",
        (f"virsh edit {guest}",),
        undo=True,
    )


def group_interface(guest: str) -> Cure:
    """The classic interface needs no /dev/iommu."""
    return told(
        UNSAFE,
        f"take iommufd='yes' out of {guest}, or use a kernel with CONFIG_IOMMUFD",
        (f"virsh edit {guest}", COLD),
        undo=True,
    )


def meet(guest: str, claim: Claim) -> Cure:
    """Something that a guest names and the host lacks."""
    name = claim.value
    steps = {
        Kind.NETWORK: (f"virsh net-start {name}", f"virsh net-autostart {name}"),
        Kind.POOL: (f"virsh pool-start {name}", f"virsh pool-autostart {name}"),
        Kind.ACCELERATOR: ("modprobe kvm_intel or kvm_amd, by the processor's vendor",),
    }.get(claim.kind, (f"virsh edit {guest}: correct {name}, or bring it to the host",))
    return told(MANUAL, f"give {guest} its {claim.kind.value} {name}", steps)


def look_inside(guest: str) -> Cure:
    """The guest's own log says why."""
    return told(
        MANUAL,
        f"find out why {guest} does not show the device",
        ("in the guest: dmesg | grep -i pci; lspci -nnk", COLD),
    )


def fit_memory(guest: str) -> Cure:
    """All of it is pinned, whatever the balloon says."""
    return told(
        UNSAFE,
        f"make <currentMemory> of {guest} equal to <memory>",
        (f"virsh edit {guest}: size <memory> for what may be pinned on this host", COLD),
        undo=True,
    )


_UNDERSCORES = str.maketrans(":.", "__")


def make_vfs_early(pf: str) -> Cure:
    """udev acts when the PF's driver has bound; libvirt starts much later."""
    rule = f'ACTION=="add", SUBSYSTEM=="net", KERNELS=="{pf}", ATTR{{device/sriov_numvfs}}="N"'
    return told(
        SAFE,
        f"make the VFs of {pf} by a udev rule",
        (
            f"/etc/udev/rules.d/99-vfs.rules: {rule}",
            "or order the unit that makes them: Before=virtqemud.service libvirtd.service",
        ),
        undo=True,
    )
