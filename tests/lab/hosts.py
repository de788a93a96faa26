"""The lab's hosts: which disk, which hardware, set up how.

A host is data.  Adding one is one entry in ``HOSTS``.
"""

from dataclasses import dataclass
from pathlib import Path

from tests.lab import kernel, nested
from tests.lab.board import BOARDS
from tests.lab.hardware import (
    AMD,
    BEHIND_TRUNK,
    CARDS,
    CONSOLE,
    MANAGEMENT,
    NVME_ROOT,
    PLAIN,
    ROOT_DISK,
    VTD,
    WORKSTATION,
)
from tests.lab.image import INITRAMFS, Image
from tests.lab.oracle import ground
from tests.lab.parts import VIRSH
from tests.lab.recipe import differing, digest
from tests.lab.topology import CRYPT, CRYPT_NEEDS, NETSTACK

TRIXIE = Image("trixie", "trixie")
BOOT = Image("trixie-boot", "trixie", loader="systemd-boot")
BOOKWORM = Image("bookworm", "bookworm")
BULLSEYE = Image("bullseye", "bullseye", files={INITRAMFS: "COMPRESS=gzip\n"})
"""Its initramfs-tools know no level, and zstd's highest takes minutes."""
SID = Image("sid", "sid")
CRYPTED = Image("trixie-crypt", "trixie", packages=CRYPT_NEEDS)
ARM = Image("trixie-arm", "trixie", loader="grub-efi", arch="arm64")
CLASSIC = Image("classic", "trixie", kernel=None)
"""Like the walk-through's host: default-off IOMMU, vfio-pci built in, no-IOMMU mode available."""

DAEMON = f"""
echo kvm_amd >/etc/modules-load.d/kvm.conf
echo 'LIBVIRTD_ARGS=""' >/etc/default/libvirtd
systemctl enable --now libvirtd 2>&1
{VIRSH} domcapabilities >/dev/null
"""
"""Libvirt that stays up, as on a server; the other hosts start it when somebody asks.

A daemon that starts before KVM is there believes for all its life that there is none.
"""

NO_HPET = ",hpet=off"
"""With an HPET, UEFI under VT-d was seen to stop at the check of the timer."""
DESK = VTD + CONSOLE + MANAGEMENT + NVME_ROOT + CARDS + WORKSTATION
NETWORKED = VTD + CONSOLE + BEHIND_TRUNK + ROOT_DISK + CARDS


@dataclass(frozen=True)
class Host:
    """A hypervisor of the lab."""

    name: str
    image: Image
    hardware: tuple[str, ...] = VTD + PLAIN + CARDS
    machine: str = ""
    """More about the board than its architecture says."""
    setup: str = ""
    reboot: bool = False
    """Whether the set-up is complete only after a boot."""
    guests: bool = False
    """Whether it gets the small kernel and initramfs of nested guests."""
    memory: int = 2048
    snapshots: bool = True
    """Whether QEMU can save this hardware's running state."""

    @property
    def recipe(self) -> str:
        """A name for everything that decides what its snapshot holds."""
        guest = (kernel.recipe(), nested.INIT, nested.SHELL) if self.guests else ()
        return digest(differing(self), self.command(Path("disk")), self.image.recipe, guest)

    def command(self, disk: Path, *extra: str) -> list[str]:
        """QEMU's words for a boot from the given disk."""
        board = BOARDS[self.image.arch]
        return [
            board.emulator,
            *("-machine", board.machine + self.machine, "-accel", "tcg,thread=multi"),
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
        Host("trixie-server", TRIXIE, setup=DAEMON),
        Host("trixie-guests", TRIXIE, setup=DAEMON, guests=True),
        Host(ground.NAME, TRIXIE, setup=ground.SETUP, reboot=True, memory=3072),
        Host("trixie-bare", TRIXIE, hardware=PLAIN + CARDS),
        Host("trixie-boot", BOOT, machine=NO_HPET),
        Host("bookworm", BOOKWORM),
        Host("bullseye", BULLSEYE),
        Host("sid", SID),
        Host("classic", CLASSIC),
        Host("trixie-netstack", TRIXIE, hardware=NETWORKED, setup=NETSTACK, reboot=True),
        Host("trixie-crypt", CRYPTED, setup=CRYPT, reboot=True),
        Host("trixie-nvme", TRIXIE, hardware=DESK, snapshots=False),
        Host("trixie-amd", TRIXIE, hardware=AMD + CARDS, snapshots=False),
        Host("trixie-arm", ARM, hardware=PLAIN + CARDS),
    )
}
