"""Cures that change a guest's stored definition. It acts at the guest's next cold start.

What libvirt has a command for is a step; the rest is its editor and the words to write there.
"""

from __future__ import annotations

from collections.abc import Iterable

from pytest_vfio.facts.libvirt.guests import Domain
from pytest_vfio.parse.claims import Claim, Kind
from pytest_vfio.parse.pciaddress import address as canonical
from pytest_vfio.steps import ByHand, Cure, Step, by_hand
from pytest_vfio.steps.files import AddLine
from pytest_vfio.steps.guests import (
    VIRSH,
    AttachDevice,
    ColdStart,
    DetachDevice,
    SetAutostart,
    SetGuest,
    SetManaged,
    edit,
    hostdev_xml,
    source_xml,
)
from pytest_vfio.steps.words import ReplaceWord

COLD = "then shut the guest down and start it: a reboot from inside keeps the old devices"


def add_hostdev(guest: str, address: str, *, running: bool | None) -> Cure:
    """The hostdev in the stored definition; a running guest gets it when it starts again."""
    steps: tuple[Step, ...] = (AttachDevice(guest, address),)
    return Cure(
        f"add {address} to {guest}", steps if running is False else (*steps, ColdStart(guest))
    )


def define(guest: str) -> Cure:
    """Somebody has to bring the guest."""
    return by_hand(f"define {guest} (virsh define FILE), or correct its name in the inventory")


def cold_start(guest: str) -> Cure:
    """The running guest has the definition of its start."""
    return Cure(f"stop and start {guest}", (ColdStart(guest),))


def store(guest: str, address: str) -> Cure:
    """What was attached live only is gone after the next start."""
    title = f"store {address} in {guest} too"
    if canonical(address) is None:
        return Cure(title, (edit(guest, f"add the hostdev of its live XML: {address}"),))
    return Cure(title, (AttachDevice(guest, address),))


def correct_address(guest: str, address: str | None) -> Cure:
    """Hexadecimal needs its 0x."""
    meant = f"; as meant: {source_xml(address)}" if address is not None else ""
    words = f"write the source address with 0x: bus='12' is bus 0x0c{meant}"
    return Cure(f"correct the source address in {guest}", (edit(guest, words),))


def drop_duplicate(guest: str, address: str) -> Cure:
    """Once is enough."""
    words = f"remove all but one of the elements that name {address}"
    return Cure(f"name {address} once in {guest}", (edit(guest, words),))


def manage(guest: str, address: str) -> Cure:
    """libvirt detaches at start and hands back at stop."""
    return Cure(
        f"set managed='yes' for {address} in {guest}", (SetManaged(guest, address, on=True),)
    )


def detach_from_guest(guest: str, address: str, path: str) -> Cure:
    """A stored guest that names a device of the host is a mistake waiting for its start."""
    title = f"remove {address} from the stored definition of {guest}"
    words = f"decide whether {guest} is to have {address}, which the host uses: {path}"
    return Cure(title, (ByHand(words), DetachDevice(guest, address)))


def no_autostart(guest: str) -> Cure:
    """Held until somebody has decided about the device."""
    return Cure(f"switch off the automatic start of {guest}", (SetAutostart(guest, on=False),))


def one_owner(address: str, guests: Iterable[str]) -> Cure:
    """Which guest is to have it, only its owner knows."""
    names = tuple(guests)
    steps = tuple(
        ByHand(
            f"if {name} is not to have {address}: virsh edit, and remove its hostdev",
            argv=(*VIRSH, "edit", f"--domain={name}"),
        )
        for name in names
    )
    return Cure(f"let one of {', '.join(names)} have {address}", steps)


def one_guest_per_group(number: int, guests: Iterable[str]) -> Cure:
    """A group is one unit of isolation."""
    return by_hand(
        f"give all of group {number} to one guest",
        f"the group is split over {', '.join(guests)}: move its hostdevs into one definition, or move "
        "a card to a slot that has a group of its own",
    )


def whole_card(addresses: str) -> Cure:
    """The functions of one card go together."""
    return by_hand(
        f"give all functions of the card to the same guest: {addresses}",
        f"add a <hostdev managed='yes'> for each of {addresses} to the guest that has the card",
    )


def use_hostdev(guest: str, address: str | None) -> Cure:
    """libvirt prepares only what it knows of."""
    element = hostdev_xml(address) if address else "a <hostdev> with the device's address"
    words = (
        f"put {element} below <devices> and take the vfio-pci argument out of <qemu:commandline>; "
        f"properties beyond it go into <qemu:override>; {COLD}"
    )
    return Cure(f"replace the raw vfio-pci argument of {guest} by a hostdev", (edit(guest, words),))


def drop_hard_limit(guest: Domain, limit: int) -> Cure:
    """Without it libvirt sets what is needed. Raising it is never automatic."""
    step = SetGuest(
        guest.name,
        "take the hard limit of memory out of the stored definition",
        "memtune",
        ("--hard-limit=-1",),
        (f"--hard-limit={limit}",),
    )
    return Cure(f"take <hard_limit> out of {guest.name}", (step, *_again(guest)))


def fit_memory(guest: Domain, most: int, now: int) -> Cure:
    """All of it is pinned, whatever the balloon says."""
    step = SetGuest(
        guest.name,
        f"set the memory in the stored definition to {most} KiB, all of which is pinned,",
        "setmem",
        (f"--size={most}",),
        (f"--size={now}",),
    )
    return Cure(f"make <currentMemory> of {guest.name} equal to <memory>", (step, *_again(guest)))


def root_port(guest: str) -> Cure:
    """libvirt adds the port by itself if no address is written."""
    words = (
        "take the guest-side <address type='pci'> out of the hostdev (not the one in <source>): "
        f"libvirt chooses a free pcie-root-port and adds one; {COLD}"
    )
    return Cure(f"place the device of {guest} behind a pcie-root-port", (edit(guest, words),))


def spare_ports(guest: str) -> Cure:
    """Ports can be added to a guest that is off only."""
    words = f"add <controller type='pci' model='pcie-root-port'/> once for each port; {COLD}"
    return Cure(f"add spare root ports to {guest}", (edit(guest, words),))


def q35(guest: str) -> Cure:
    """A change of machine is a change of hardware to the guest."""
    words = (
        "write <type machine='q35'> below <os>, and take the <address> elements and the pci "
        "controllers of i440fx out; best for a guest that is installed anew: an installed one sees "
        "other hardware"
    )
    return Cure(f"move {guest} to a q35 machine", (edit(guest, words),))


def multifunction(guest: str, slot: str) -> Cure:
    """Function 0 announces the others."""
    words = (
        f"in guest slot {slot}: function='0x0' multifunction='on' for the first device, functions "
        f"0x1 to 0x7 of the same slot for the others; {COLD}"
    )
    return Cure(f"lay out guest slot {slot} of {guest} with a function 0", (edit(guest, words),))


def viommu(guest: str, setting: str) -> Cure:
    """The settings under which a guest's IOMMU and assigned devices go together."""
    words = (
        f"set {setting}: <iommu model='intel'><driver intremap='on' caching_mode='on'/></iommu> below "
        f"<devices>, <ioapic driver='qemu'/> below <features>; {COLD}"
    )
    return Cure(f"set {setting} for the IOMMU of {guest}", (edit(guest, words),))


def resume(guest: str) -> Cure:
    """What stopped the guest decides."""
    look = ByHand(
        f"find out why {guest} is paused; the end of its QEMU log has more",
        argv=(*VIRSH, "domstate", f"--domain={guest}", "--reason"),
    )
    then = ByHand("after an unrecoverable device error destroy the guest and reset the device")
    return Cure(f"find out why {guest} is paused", (look, then))


def one_boot_order(guest: str) -> Cure:
    """libvirt takes one form or the other."""
    words = "remove <boot dev=...> from <os>, or <boot order=...> from the devices"
    return Cure(f"use one form of boot order in {guest}", (edit(guest, words),))


def room_for_bars(guest: str) -> Cure:
    """UEFI firmware, and the host's own address width."""
    words = (
        "<os firmware='efi'> (a guest installed under BIOS has to be installed anew), "
        "<cpu mode='host-passthrough'><maxphysaddr mode='passthrough'/></cpu>; older OVMF: -fw_cfg "
        f"name=opt/ovmf/X-PciMmio64Mb,string=262144 in <qemu:commandline>; {COLD}"
    )
    return Cure(f"give {guest} UEFI firmware with a window for large BARs", (edit(guest, words),))


def kvm(guest: str) -> Cure:
    """Emulation is for hosts without KVM."""
    words = f"write <domain type='kvm'>; {COLD}"
    return Cure(f"let {guest} use KVM", (edit(guest, words),))


def vfio_driver(guest: str) -> Cure:
    """Legacy assignment left the kernel with 4.12."""
    words = "remove <driver name='kvm'/> from the hostdev"
    return Cure(f"take <driver name='kvm'/> out of {guest}", (edit(guest, words),))


def group_interface(guest: str) -> Cure:
    """The classic interface needs no /dev/iommu."""
    words = f"remove iommufd='yes' from the hostdev's <driver>, or boot a kernel with CONFIG_IOMMUFD; {COLD}"
    return Cure(
        f"take iommufd='yes' out of {guest}, or use a kernel with it", (edit(guest, words),)
    )


def limit_addresses(bits: int) -> Cure:
    """The IOMMU maps fewer bits than guests may use."""
    return by_hand(
        f"limit the guests' addresses to {bits} bits",
        f"in each guest with a device: <cpu ...><maxphysaddr mode='emulate' bits='{bits}'/></cpu>, {COLD}",
    )


def newer_machine(guest: str) -> Cure:
    """A machine type that places memory where the IOMMU maps nothing."""
    words = f"write <type machine='pc-q35-7.1'> or newer below <os>; {COLD}"
    return Cure(f"give {guest} a machine type of QEMU 7.1 or newer", (edit(guest, words),))


def look_inside(guest: str) -> Cure:
    """The guest's own log says why."""
    return by_hand(
        f"find out why {guest} does not show the device",
        f"inside {guest}: dmesg | grep -i pci; lspci -nnk",
        f"on the host: shut {guest} down and start it; a reboot from inside keeps the old devices",
    )


def pin_guest(guest: str, node: int) -> Cure:
    """Takes effect at the guest's next start. The CPUs are a matter of what else runs there."""
    memory = SetGuest(
        guest, f"take the memory from NUMA node {node}", "numatune", (f"--nodeset={node}",)
    )
    cpus = ByHand(
        f"pin its virtual CPUs to CPUs of node {node}: virsh vcpupin {guest} VCPU CPULIST --config"
    )
    return Cure(f"keep {guest} on NUMA node {node}", (memory, cpus))


def hugepages(guest: str) -> Cure:
    """Pages of 1 GiB have to be reserved at boot."""
    reserve = ByHand(
        "reserve the pages on the device's node: /sys/devices/system/node/nodeN/hugepages, or "
        "hugepagesz=1G hugepages=N on the kernel command line",
        reboot=True,
    )
    words = f"<memoryBacking><hugepages/></memoryBacking>; {COLD}"
    return Cure(f"back the memory of {guest} with hugepages", (reserve, edit(guest, words)))


def smaller_guests() -> Cure:
    """Memory of a guest with assigned devices cannot be reclaimed."""
    return by_hand(
        "give the guests with assigned devices less memory, or the host more",
        "virsh setmaxmem GUEST SIZE --config and virsh setmem GUEST SIZE --config, or run fewer of "
        "these guests at once",
    )


def shut_down_instead(file: str, line: str) -> Cure:
    """Devices cannot be saved, so guests go down with the host. A comment is the default."""
    step: Step = ReplaceWord(f"/{file}", "suspend", "shutdown", "ON_SHUTDOWN")
    if line.startswith("#"):
        step = AddLine(f"/{file}", "ON_SHUTDOWN=shutdown")
    return Cure("shut guests down when the host goes down", (step,))


def _again(guest: Domain) -> tuple[Step, ...]:
    """What a running guest needs besides."""
    return () if guest.running is False else (ColdStart(guest.name),)


def meet(guest: str, claim: Claim) -> Cure:
    """Something that a guest names and the host lacks."""
    name = claim.value
    words = {
        Kind.NETWORK: (f"virsh net-start {name}", f"virsh net-autostart {name}"),
        Kind.POOL: (f"virsh pool-start {name}", f"virsh pool-autostart {name}"),
        Kind.ACCELERATOR: ("modprobe kvm_intel or kvm_amd, by the processor's vendor",),
    }.get(claim.kind, (f"virsh edit {guest}: correct {name}, or bring it to the host",))
    return by_hand(f"give {guest} its {claim.kind.value} {name}", *words)


def correct_file(guest: str, file: str) -> Cure:
    """A definition that libvirt did not take when it started."""
    return by_hand(
        f"let libvirt accept {file}",
        f"virt-xml-validate {file} domain shows what is wrong; libvirt's journal has the reason",
        f"correct it, then virsh define {file}, which brings {guest} back",
    )
