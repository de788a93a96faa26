"""What QEMU is told to plug into a host: its words, by what they are for."""

VIRTIO = "iommu_platform=on,disable-legacy=on"
VTD = ("-device", "intel-iommu,intremap=on,caching-mode=on")
MANAGEMENT = (
    *("-netdev", "user,id=mgmt,restrict=on,hostfwd=tcp:127.0.0.1:{port}-:22"),
    *("-device", f"virtio-net-pci,netdev=mgmt,mac=52:54:00:0a:00:01,addr=2,{VIRTIO}"),
)
DISK = ("-drive", "file={disk},if=none,id=root,format=qcow2,cache=unsafe,discard=unmap")
ROOT_DISK = (
    *DISK,
    *("-device", f"virtio-blk-pci,drive=root,addr=3,bootindex=1,{VIRTIO}"),
)
NVME_ROOT = (
    *DISK,
    *("-device", "nvme,drive=root,serial=root,addr=3,bootindex=1"),
)
PLAIN = MANAGEMENT + ROOT_DISK
"""As much as a system needs to install itself."""

AMD = (
    *("-device", "amd-iommu,intremap=on"),
    *(word.replace(f",{VIRTIO}", "") for word in PLAIN),
)
"""Disk and NIC without translation: with it, requests to the disk were seen to hang."""


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
