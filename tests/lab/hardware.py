"""What QEMU is told to plug into a host: its words, by what they are for.

``{disk}`` and ``{folder}`` are the machine's, ``{port}`` is where its SSH answers.
"""

from tests.lab import trunk

VIRTIO = "iommu_platform=on,disable-legacy=on"
VTD = ("-device", "intel-iommu,intremap=on,caching-mode=on")
CONSOLE = ("-serial", "file:{folder}/console.log")
NETWORK = ("-netdev", "user,id=network,restrict=on,hostfwd=tcp:127.0.0.1:{port}-:22")


def _management(netdev: str) -> tuple[str, ...]:
    return ("-device", f"virtio-net-pci,netdev={netdev},mac=52:54:00:0a:00:01,addr=2,{VIRTIO}")


MANAGEMENT = NETWORK + _management("network")
BEHIND_TRUNK = (
    "-S",
    *NETWORK,
    *("-netdev", f"stream,id=far,server=on,addr.type=unix,addr.path={{folder}}/{trunk.NETWORK}"),
    *("-netdev", "hubport,id=hub1,hubid=0,netdev=network"),
    *("-netdev", "hubport,id=hub2,hubid=0,netdev=far"),
    *("-netdev", f"stream,id=near,server=on,addr.type=unix,addr.path={{folder}}/{trunk.NIC}"),
    *_management("near"),
)
"""The management NIC at a switch port that speaks VLAN, see ``trunk``."""
DISK = ("-drive", "file={disk},if=none,id=root,format=qcow2,cache=unsafe,discard=unmap")
ROOT_DISK = (
    *DISK,
    *("-device", f"virtio-blk-pci,drive=root,addr=3,bootindex=1,{VIRTIO}"),
)
NVME_ROOT = (
    *DISK,
    *("-device", "nvme,drive=root,serial=root,addr=3,bootindex=1"),
)
PLAIN = CONSOLE + MANAGEMENT + ROOT_DISK
"""As much as a system needs to install itself."""

AMD = ("-device", "amd-iommu,intremap=on,pt=off", *MANAGEMENT, *ROOT_DISK)
"""No serial port: QEMU 10.0 loses the interrupts of the IOAPIC behind AMD-Vi, and whatever waits
for the port's waits half a minute.  With ``pt=on``, the default, it translates no DMA."""


def _port(number: int) -> tuple[str, ...]:
    """A root port in slot 0x10 and up, named rp1, rp2, ..."""
    place = f"addr={0x10 + number - 1:x}.0"
    return ("-device", f"pcie-root-port,id=rp{number},chassis={number},slot={number},{place}")


def _mac(number: int) -> str:
    return f"mac=52:54:00:0b:00:{number:02x}"


CARDS = (
    *_port(1),
    *("-device", f"igb,bus=rp1,{_mac(1)}"),
    *_port(2),
    *("-device", "pcie-pci-bridge,id=pci,bus=rp2"),
    *("-device", f"e1000e,bus=pci,addr=1,{_mac(2)}"),
    *("-device", f"e1000e,bus=pci,addr=2,{_mac(3)}"),
    *_port(3),
    *("-device", f"e1000e,bus=rp3,addr=0.0,multifunction=on,{_mac(4)}"),
    *("-device", f"e1000e,bus=rp3,addr=0.1,{_mac(5)}"),
    *_port(4),
    *("-device", "bochs-display,bus=rp4"),
    *_port(5),
)
"""SR-IOV NIC alone; two NICs behind a bridge; one two-function NIC; a display; an empty slot."""
WORKSTATION = (
    *("-device", "VGA,addr=4"),
    *("-drive", "driver=null-co,size=1G,read-zeroes=on,if=none,id=data"),
    *("-device", "nvme,drive=data,serial=data,bus=rp5"),
)
"""A screen that the firmware uses, and in the empty slot of ``CARDS`` an NVMe to give away."""
