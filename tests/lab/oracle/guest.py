"""Guests that name much of what a host has: their XML, made of parts chosen by chance."""

from dataclasses import dataclass
from random import Random

from tests.lab.oracle.ground import BOUND, LAB
from tests.lab.parts import hostdev

PARTS = {
    "numatune": "<numatune><memory mode='strict' nodeset='0'/></numatune>",
    "hugepages": (
        "<memoryBacking><hugepages><page size='2048' unit='KiB'/></hugepages></memoryBacking>"
    ),
    "limit": "<memtune><hard_limit unit='MiB'>4096</hard_limit></memtune>",
    "pinning": "<cputune><vcpupin vcpu='0' cpuset='1'/></cputune>",
    "cpu": "<cpu mode='host-passthrough'/>",
    "clock": "<clock offset='utc'><timer name='rtc' tickpolicy='catchup'/></clock>",
    "title": "<title>a guest of the lab</title><description>nothing hangs on it</description>",
}
"""Elements beside ``<devices>``."""
DEVICES = {
    "disk": (
        f"<disk type='file' device='disk'><driver name='qemu' type='raw'/>"
        f"<source file='{LAB}/disk.img'/><target dev='vda' bus='virtio'/><shareable/></disk>"
    ),
    "volume": (
        "<disk type='volume' device='disk'><driver name='qemu' type='raw'/>"
        "<source pool='lab' volume='volume.img'/><target dev='vdb' bus='virtio'/></disk>"
    ),
    "disc": (
        f"<disk type='file' device='cdrom'><source file='{LAB}/disc.iso'/>"
        "<target dev='sda' bus='sata'/><readonly/></disk>"
    ),
    "network": "<interface type='network'><source network='lab'/><model type='virtio'/></interface>",
    "bridge": "<interface type='bridge'><source bridge='labbr0'/><model type='e1000'/></interface>",
    "random": "<rng model='virtio'><backend model='random'>/dev/urandom</backend></rng>",
    "share": (
        "<filesystem type='mount' accessmode='mapped'><source dir='/srv/share'/>"
        "<target dir='share'/></filesystem>"
    ),
    "screen": (
        "<graphics type='vnc' port='-1' autoport='yes' listen='127.0.0.1'/>"
        "<video><model type='virtio'/></video>"
    ),
    "channel": (
        "<channel type='unix'><target type='virtio' name='org.qemu.guest_agent.0'/></channel>"
    ),
    "watchdog": "<watchdog model='i6300esb' action='reset'/>",
    "input": "<input type='tablet' bus='virtio'/>",
}
"""Elements of ``<devices>`` beside the card."""


@dataclass(frozen=True)
class Guest:
    """A guest as it should be: its name, the functions that it should have, its XML."""

    name: str
    cards: tuple[str, ...]
    xml: str


def guest(random: Random, name: str, cards: tuple[str, ...], often: float = 0.35) -> Guest:
    """A guest that starts on the unedited host, with the functions given.

    ``often`` is how often it has each part: one that has many depends on much of its host.
    """
    parts = [text for text in PARTS.values() if random.random() < often]
    devices = [text for text in DEVICES.values() if random.random() < often]
    rom = f"<rom file='{LAB}/card.rom'/>" if random.random() < often else ""
    firmware = random.random() < often
    managed = "no" if set(cards) <= BOUND and random.random() < 0.5 else "yes"
    hostdevs = [hostdev(card, managed).replace("</hostdev>", f"{rom}</hostdev>") for card in cards]
    boot = (
        f"<loader readonly='yes' type='pflash'>{LAB}/code.fd</loader>"
        f"<nvram template='{LAB}/vars.fd'>/var/lib/libvirt/qemu/nvram/{name}.fd</nvram>"
    )
    vcpu = "<vcpu placement='static' cpuset='0-1'>1</vcpu>"
    lines = [
        "<domain type='kvm'>",
        f"  <name>{name}</name>",
        "  <memory unit='MiB'>128</memory>",
        f"  {vcpu if random.random() < 0.4 else '<vcpu>1</vcpu>'}",
        *(f"  {part}" for part in parts if part),
        "  <os>",
        "    <type arch='x86_64' machine='q35'>hvm</type>",
        *([f"    {boot}"] if firmware else []),
        f"    <kernel>{LAB}/vmlinuz</kernel>",
        f"    <initrd>{LAB}/initrd</initrd>",
        "    <cmdline>console=ttyS0</cmdline>",
        "  </os>",
        "  <features><acpi/></features>",
        "  <on_crash>destroy</on_crash>",
        "  <devices>",
        "    <emulator>/usr/bin/qemu-system-x86_64</emulator>",
        f"    <serial type='file'><source path='/var/log/libvirt/qemu/{name}.console'/></serial>",
        "    <memballoon model='none'/>",
        *(f"    {text}" for text in (*devices, *hostdevs)),
        "  </devices>",
        "</domain>",
    ]
    return Guest(name, cards, "\n".join(lines) + "\n")
