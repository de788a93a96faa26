"""Edits that people make to a guest's devices: disks, NICs, screens, and above all the cards given to it.

Each offers good and bad values: which is which, only the host knows.
"""

import xml.etree.ElementTree as ET
from random import Random

from tests.lab.oracle import tree
from tests.lab.oracle.bytewise import change_number
from tests.lab.oracle.ground import LAB, POOL, VFS
from tests.lab.oracle.nodewise import TreeEdit
from tests.lab.parts import DISPLAY, DUAL0, MANAGEMENT, NIC, PORT, ROOT_DISK, TWIN0

MISSING = f"{LAB}/missing"
ADDRESSES = (*VFS, NIC, DISPLAY, TWIN0, DUAL0, PORT, "0000:07:00.0", "0000:01:12.0", "0000:00:1f.2")
OWN = (MANAGEMENT, ROOT_DISK)
"""What the host lives on: traps."""


def disk(random: Random, root: ET.Element) -> None:
    """A disk in a file, a device or nowhere."""
    path = random.choice(
        [f"{LAB}/disk.img", MISSING, "/dev/vdz", "/srv", tree.near(random, LAB), "/dev/loop0"]
    )
    kind, key = ("block", "dev") if path.startswith("/dev") else ("file", "file")
    format_ = random.choice(["raw", "raw", "qcow2"])
    policy = random.choice(["", "", " startupPolicy='optional'"])
    tree.put(
        tree.devices(root),
        f"<disk type='{kind}' device='disk'><driver name='qemu' type='{format_}'/>"
        f"<source {key}='{path}'{policy}/><target dev='vdc' bus='virtio'/></disk>",
    )


def volume(random: Random, root: ET.Element) -> None:
    """A volume of a pool."""
    pool = random.choice(["lab", "lab", "default", "labs"])
    name = random.choice(["volume.img", "volume.qcow2", "Volume.img"])
    tree.put(
        tree.devices(root),
        "<disk type='volume' device='disk'><driver name='qemu' type='raw'/>"
        f"<source pool='{pool}' volume='{name}'/><target dev='vdd' bus='virtio'/></disk>",
    )


def disc(random: Random, root: ET.Element) -> None:
    """A CD in the drive."""
    path = random.choice([f"{LAB}/disc.iso", f"{POOL}/debian.iso", f"{LAB}/Disc.iso"])
    policy = random.choice(["", " startupPolicy='optional'", " startupPolicy='mandatory'"])
    tree.put(
        tree.devices(root),
        f"<disk type='file' device='cdrom'><source file='{path}'{policy}/>"
        "<target dev='sdb' bus='sata'/><readonly/></disk>",
    )


def network(random: Random, root: ET.Element) -> None:
    """A NIC of the guest in a network, bridge or on an interface of the host."""
    kind, key, names = random.choice(
        [
            ("network", "network", ["lab", "default", "labs"]),
            ("bridge", "bridge", ["labbr0", "br0", "virbr0"]),
            ("direct", "dev", ["eth0", "enp9s0"]),
        ]
    )
    model = random.choice(["virtio", "e1000e", "rtl8139", "e1000x"])
    source = f"<source {key}='{random.choice(names)}'/>"
    tree.put(
        tree.devices(root), f"<interface type='{kind}'>{source}<model type='{model}'/></interface>"
    )


def rom(random: Random, root: ET.Element) -> None:
    """A ROM for the card."""
    node = tree.hostdev(random, root)
    for old in node.findall("rom"):
        node.remove(old)
    file = random.choice([f"{LAB}/card.rom", f"{LAB}/card.bin", LAB, "/usr/share/vgabios/card.rom"])
    tree.put(
        node,
        random.choice(
            [f"<rom bar='on' file='{file}'/>", f"<rom file='{file}'/>", "<rom bar='off'/>"]
        ),
    )


def source(random: Random, root: ET.Element) -> None:
    """Another device of the host."""
    address = random.choice(ADDRESSES if random.random() < 0.9 else OWN)
    domain, bus, rest = address.split(":")
    slot, function = rest.split(".")
    node = tree.under(tree.hostdev(random, root), "source/address")
    values = {"domain": domain, "bus": bus, "slot": slot, "function": function}
    for key, value in values.items():
        node.set(key, f"0x{value}")


def source_slip(random: Random, root: ET.Element) -> None:
    """The device's address, one part of it mistyped."""
    node = tree.under(tree.hostdev(random, root), "source/address")
    key = random.choice(sorted(node.attrib) or ["bus"])
    node.set(key, change_number(random, node.get(key, "0x00")))


def managed(random: Random, root: ET.Element) -> None:
    """Who binds the card."""
    node = tree.hostdev(random, root)
    value = random.choice(["yes", "no", "no", ""])
    if value:
        node.set("managed", value)
    else:
        node.attrib.pop("managed", None)


def no_hostdev(random: Random, root: ET.Element) -> None:
    """The card is taken out."""
    tree.devices(root).remove(tree.hostdev(random, root))


def driver(random: Random, root: ET.Element) -> None:
    """A driver of the card's back end."""
    words = [
        "name='vfio'",
        "name='kvm'",
        "name='xen'",
        "model='vfio-pci'",
        "model='igbvf'",
        "model='mlx5_vfio_pci'",
    ]
    node = tree.hostdev(random, root)
    for old in node.findall("driver"):
        node.remove(old)
    tree.put(node, f"<driver {random.choice(words)}/>")


def place(random: Random, root: ET.Element) -> None:
    """Where the card sits in the guest."""
    node = tree.hostdev(random, root)
    for old in node.findall("address"):
        node.remove(old)
    bus = random.choice(["0x00", "0x01", "0x05", "0x20"])
    slot = random.choice(["0x00", "0x01", "0x10", "0x1f", "0x20"])
    function = random.choice(["0x0", "0x0", "0x1", "0x7"])
    where = f"domain='0x0000' bus='{bus}' slot='{slot}' function='{function}'"
    tree.put(node, f"<address type='pci' {where}/>")


def boot_order(random: Random, root: ET.Element) -> None:
    """From what the guest boots first."""
    for node in random.sample(root.findall("devices/*"), 2):
        tree.put(node, f"<boot order='{random.choice([1, 1, 2])}'/>")


def twice(random: Random, root: ET.Element) -> None:
    """The card once more."""
    tree.devices(root).append(tree.hostdev(random, root))


def random_source(random: Random, root: ET.Element) -> None:
    """Where randomness comes from."""
    model, text = random.choice(
        [
            ("random", "/dev/urandom"),
            ("random", "/dev/random"),
            ("random", "/dev/hwrng"),
            ("random", "/dev/hw_random"),
            ("builtin", ""),
        ]
    )
    for old in tree.devices(root).findall("rng"):
        tree.devices(root).remove(old)
    tree.put(
        tree.devices(root), f"<rng model='virtio'><backend model='{model}'>{text}</backend></rng>"
    )


def share(random: Random, root: ET.Element) -> None:
    """A folder of the host in the guest."""
    folder = random.choice(["/srv/share", "/srv/shares", f"{LAB}/vmlinuz", "/home"])
    kind = random.choice(["", "", "<driver type='virtiofs'/>"])
    tree.put(
        tree.devices(root),
        f"<filesystem type='mount' accessmode='passthrough'>{kind}<source dir='{folder}'/>"
        "<target dir='other'/></filesystem>",
    )


def console(random: Random, root: ET.Element) -> None:
    """Where a serial port ends."""
    words = [
        "<serial type='file'><source path='/var/log/libvirt/missing/console'/></serial>",
        "<serial type='file'><source path='/var/log/libvirt/qemu/other.console'/></serial>",
        "<serial type='pty'/>",
        "<serial type='dev'><source path='/dev/ttyS7'/></serial>",
        "<serial type='unix'><source mode='bind' path='/run/lab.sock'/></serial>",
        "<serial type='unix'><source mode='connect' path='/run/nobody.sock'/></serial>",
        "<serial type='tcp'><source mode='bind' host='127.0.0.1' service='22'/></serial>",
    ]
    for old in tree.devices(root).findall("serial"):
        tree.devices(root).remove(old)
    tree.put(tree.devices(root), random.choice(words))


def screen(random: Random, root: ET.Element) -> None:
    """A screen, and where it listens."""
    listen = random.choice(["127.0.0.1", "0.0.0.0", "192.0.2.7", "localhost"])
    port = random.choice(["port='-1' autoport='yes'", "port='22' autoport='no'", "port='5999'"])
    kind = random.choice(["vnc", "vnc", "spice"])
    for old in tree.devices(root).findall("graphics"):
        tree.devices(root).remove(old)
    tree.put(tree.devices(root), f"<graphics type='{kind}' {port} listen='{listen}'/>")


def other_hostdev(random: Random, root: ET.Element) -> None:
    """Another thing of the host beside the card."""
    words = [
        "<hostdev mode='subsystem' type='usb'><source><vendor id='0x1234'/><product id='0x5678'/></source></hostdev>",
        (
            "<hostdev mode='subsystem' type='usb'><source startupPolicy='optional'><vendor id='0x1234'/>"
            "<product id='0x5678'/></source></hostdev>"
        ),
        (
            "<hostdev mode='subsystem' type='scsi'><source><adapter name='scsi_host9'/>"
            "<address bus='0' target='0' unit='0'/></source></hostdev>"
        ),
        (
            "<hostdev mode='subsystem' type='mdev' model='vfio-pci'><source>"
            "<address uuid='c2177883-f1bb-47f0-914d-32a22e3a8804'/></source></hostdev>"
        ),
        "<tpm model='tpm-tis'><backend type='passthrough'><device path='/dev/tpm0'/></backend></tpm>",
        "<tpm model='tpm-crb'><backend type='emulator' version='2.0'/></tpm>",
        "<input type='evdev'><source dev='/dev/input/event0'/></input>",
        "<input type='evdev'><source dev='/dev/input/by-id/keyboard-event-kbd'/></input>",
        "<shmem name='lab'><model type='ivshmem-plain'/><size unit='M'>4</size></shmem>",
        "<vsock model='virtio'><cid auto='yes'/></vsock>",
        "<sound model='ich9'/>",
        "<panic model='isa'/>",
        "<iommu model='intel'/>",
        "<memballoon model='virtio'/>",
        "<crypto model='virtio'><backend model='builtin' queues='1'/></crypto>",
    ]
    xml = random.choice(words)
    if xml.startswith("<memballoon"):
        for old in tree.devices(root).findall("memballoon"):
            tree.devices(root).remove(old)
    tree.put(tree.devices(root), xml)


DEVICE_EDITS: dict[str, TreeEdit] = {
    "disk": disk,
    "pool and volume": volume,
    "cdrom": disc,
    "network": network,
    "ROM": rom,
    "hostdev address": source,
    "hostdev address mistyped": source_slip,
    "managed": managed,
    "hostdev removed": no_hostdev,
    "hostdev driver": driver,
    "hostdev's place": place,
    "boot order": boot_order,
    "hostdev twice": twice,
    "rng": random_source,
    "filesystem": share,
    "serial port": console,
    "graphics": screen,
    "other devices": other_hostdev,
}
