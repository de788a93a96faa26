"""The lab's hosts: which disk, which hardware, set up how.

A host is data.  Adding one is one entry in ``HOSTS``.
"""

from dataclasses import dataclass
from pathlib import Path

from tests.lab import kernel, nested
from tests.lab.board import BOARDS
from tests.lab.image import Image
from tests.lab.parts import VIRSH
from tests.lab.recipe import differing, digest

TRIXIE = Image("trixie", "trixie")
BOOT = Image("trixie-boot", "trixie", loader="systemd-boot")
BOOKWORM = Image("bookworm", "bookworm")
BULLSEYE = Image("bullseye", "bullseye")
CLASSIC = Image("classic", "trixie", kernel=None)
"""Like the walk-through's host: default-off IOMMU, vfio-pci built in, no-IOMMU mode available."""

DAEMON = f"""
echo 'LIBVIRTD_ARGS=""' >/etc/default/libvirtd
systemctl enable --now libvirtd 2>&1
{VIRSH} domcapabilities >/dev/null
"""
"""Libvirt that stays up, as on a server; the other hosts start it when somebody asks."""

VIRTIO = "iommu_platform=on,disable-legacy=on"
VTD = ("-device", "intel-iommu,intremap=on,caching-mode=on")
MANAGEMENT = (
    *("-netdev", "user,id=mgmt,restrict=on,hostfwd=tcp:127.0.0.1:{port}-:22"),
    *("-device", f"virtio-net-pci,netdev=mgmt,mac=52:54:00:0a:00:01,addr=2,{VIRTIO}"),
)
ROOT_DISK = (
    *("-drive", "file={disk},if=none,id=root,format=qcow2,cache=unsafe,discard=unmap"),
    *("-device", f"virtio-blk-pci,drive=root,addr=3,bootindex=1,{VIRTIO}"),
)
PLAIN = MANAGEMENT + ROOT_DISK
"""As much as a system needs to install itself."""


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


@dataclass(frozen=True)
class Host:
    """A hypervisor of the lab."""

    name: str
    image: Image
    hardware: tuple[str, ...] = VTD + PLAIN + CARDS
    setup: str = ""
    guests: bool = False
    """Whether it gets the small kernel and initramfs of nested guests."""
    memory: int = 2048
    snapshots: bool = True
    """Whether QEMU can save this hardware's running state."""

    @property
    def recipe(self) -> str:
        """A name for everything that decides what its snapshot holds."""
        guest = (kernel.recipe(), nested.INIT) if self.guests else ()
        return digest(differing(self), self.command(Path("disk")), self.image.recipe, guest)

    def command(self, disk: Path, *extra: str) -> list[str]:
        """QEMU's words for a boot from the given disk."""
        board = BOARDS[self.image.arch]
        return [
            board.emulator,
            *("-machine", board.machine, "-accel", "tcg,thread=multi"),
            *("-cpu", board.cpu, "-m", str(self.memory), "-smp", "2"),
            *("-nodefaults", "-rtc", "clock=host"),
            *(self._firmware(disk) if self.image.uefi else ()),
            *(word.replace("{disk}", str(disk)) for word in self.hardware),
            *extra,
        ]

    def _firmware(self, disk: Path) -> tuple[str, ...]:
        code = f"if=pflash,unit=0,format=raw,readonly=on,file={BOARDS[self.image.arch].firmware}"
        return ("-drive", code, "-drive", f"if=pflash,unit=1,format=qcow2,file={variables(disk)}")


def variables(disk: Path) -> Path:
    """Where the UEFI variables of the machine with this disk are kept."""
    return disk.with_suffix(".vars")


HOSTS = {
    host.name: host
    for host in (
        Host("trixie-intel", TRIXIE),
        Host("trixie-server", TRIXIE, setup=DAEMON, guests=True),
        Host("trixie-bare", TRIXIE, hardware=PLAIN + CARDS),
        Host("trixie-boot", BOOT),
        Host("bookworm", BOOKWORM),
        Host("bullseye", BULLSEYE),
        Host("classic", CLASSIC),
    )
}
