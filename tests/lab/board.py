"""The machine that QEMU emulates for an architecture, and its firmware."""

from dataclasses import dataclass
from pathlib import Path
from typing import Literal

Arch = Literal["amd64", "arm64"]


@dataclass(frozen=True)
class Board:
    """What differs between architectures before any device is added."""

    emulator: str
    machine: str
    cpu: str
    console: str
    """The serial port as Linux names it."""
    words: tuple[str, ...]
    """Kernel words without which it does not always boot under emulation."""
    firmware: Path
    """UEFI's code; its variables beside it are the template of a new machine's."""
    variables: Path

    @property
    def cmdline(self) -> str:
        """What every kernel on it is told."""
        return " ".join((f"console={self.console},115200", *self.words))


BOARDS: dict[Arch, Board] = {
    "amd64": Board(
        "qemu-system-x86_64",
        "q35,kernel-irqchip=split",
        "max,la57=off",
        "ttyS0",
        ("no_timer_check",),  # it counts ticks, which a busy machine delivers late
        Path("/usr/share/OVMF/OVMF_CODE_4M.fd"),
        Path("/usr/share/OVMF/OVMF_VARS_4M.fd"),
    ),
    "arm64": Board(
        "qemu-system-aarch64",
        "virt,iommu=smmuv3,gic-version=3,virtualization=on",
        "cortex-a72",
        "ttyAMA0",
        (),
        Path("/usr/share/AAVMF/AAVMF_CODE.fd"),
        Path("/usr/share/AAVMF/AAVMF_VARS.fd"),
    ),
}
