"""The host is asked: does the guest start, does it have its devices, does the host live."""

import re
import shlex
import subprocess
from collections.abc import Sequence
from dataclasses import dataclass

from tests.lab.machine import Machine
from tests.lab.oracle.ground import VIRSH
from tests.lab.parts import MANAGEMENT, ROOT_DISK, device

PATIENCE = 300
"""Seconds that a start may take; one that boots nothing takes sixteen, more on a busy machine."""
MARK = "=== "
LIVES = (
    f"for d in {MANAGEMENT} {ROOT_DISK}; do basename $(readlink {device('$d')}/driver); done\n"
    "timeout 20 dd if=/dev/vda of=/dev/null bs=4096 count=1 iflag=direct 2>&1 | tail -1\n"
)
"""The drivers of what the host lives on, and whether its disk still answers."""


@dataclass(frozen=True)
class Truth:
    """What became of one guest."""

    starts: bool
    has: bool
    """Whether every function that it should have is on its PCI bus, and no other one is there."""
    lives: bool
    """Whether the host answered all the time and kept what it lives on."""
    said: str
    """Libvirt's refusal."""
    seconds: float = 0.0

    @property
    def works(self) -> bool:
        """What *ready* promises."""
        return self.starts and self.has and self.lives


def ask(machine: Machine, guest: str, cards: Sequence[str]) -> Truth:
    """Start a guest halted, look at its bus, destroy it."""
    name = shlex.quote(guest)
    look = f"qemu-monitor-command --hmp {name} 'info qtree'\\ndestroy {name}\\n"
    script = (
        f"t=$(date +%s); timeout {PATIENCE} {VIRSH} start --paused {name} 2>&1\n"
        f"echo '{MARK}start' $?; {LIVES}echo '{MARK}lives'\n"
        f"printf \"{look}\" | timeout 90 {VIRSH} 2>&1 | grep -A40 'dev: vfio-pci' | grep 'host = '\n"
        f"echo '{MARK}tree'; {LIVES}echo '{MARK}end' $(($(date +%s) - t))\n"
    )
    try:
        answer = machine.shell.run(script, timeout=PATIENCE + 150).stdout
    except subprocess.TimeoutExpired:
        answer = ""
    return read(answer, cards)


def read(answer: str, cards: Sequence[str]) -> Truth:
    """What the host's answer means; one without its end is that of a host that died."""
    parts = re.split(rf"^{MARK}(\w+) ?(\d*)$\n?", answer, flags=re.M)
    told = {
        word: (text, number)
        for text, word, number in zip(parts[::3], parts[1::3], parts[2::3], strict=False)
    }
    said, code = told.get("start", ("", ""))
    tree, lives, end = (told.get(word, ("", "")) for word in ("tree", "lives", "end"))
    functions = re.findall(r'host = "([0-9a-f:.]+)"', tree[0])
    return Truth(
        starts=code == "0",
        has=sorted(functions) == sorted(cards),
        lives=lively(lives[0]) and lively(end[0]),
        said=" ".join(said.split())[:600],
        seconds=float(end[1] or 0),
    )


def lively(lives: str) -> bool:
    """Whether the host's own NIC and disk are on their driver, and the disk answers."""
    return lives.split()[:2] == ["virtio-pci", "virtio-pci"] and "copied" in lives
