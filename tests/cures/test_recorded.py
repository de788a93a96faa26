"""The cures of every recorded host: steps that can be followed, and nothing that is never done."""

from __future__ import annotations

import re
import subprocess
from collections.abc import Iterator

import pytest

from pytest_vfio.steps import Cure, Step
from tests.hosts.recorded import bundles, judge, lab_bundles

NAMES = (*bundles(), *lab_bundles())
#: What a host has: coreutils, and the tools of what the steps are about.
PROGRAMS = {
    "awk", "cat", "chmod", "dracut", "echo", "grub-mkconfig", "grub2-mkconfig", "grubby",
    "grub-editenv", "grub2-editenv", "grub-set-default", "grub2-set-default", "ip", "journalctl",
    "kdump-config", "kernel-install", "ls", "lspci", "mkdir", "mkinitcpio", "modprobe", "printf",
    "proxmox-boot-tool", "ps", "restorecon", "rm", "rmdir", "rpm-ostree", "sed", "systemctl", "udevadm",
    "until", "update-grub", "update-initramfs", "virsh", "bootctl",
}  # fmt: skip
#: None of these is ever written.
NEVER = re.compile(
    r"pcie_acs_override|allow_unsafe_interrupts[= ]*[1yY]|new_id|amd_iommu=on|noiommu_mode[= ]*[1yY]"
    r"|\bblacklist \w+' >|hard-limit=[1-9]|grub\.cfg$|disable_denylist=1"
)


def cures(name: str) -> Iterator[Cure]:
    for finding in judge(name):
        if finding.cure is not None:
            yield finding.cure


def steps(name: str) -> Iterator[Step]:
    for cure in cures(name):
        yield from cure.steps
        yield from cure.undo_steps or ()


def script(step: Step) -> str:
    """The step's commands without the lines of files that it writes."""
    return re.sub(r"(?s)(<<'EOF'\n).*?\nEOF", r"\1", "\n".join(step.commands))


@pytest.mark.parametrize("name", NAMES)
def test_every_cure_can_be_followed(name):
    """Every step has commands of programs that hosts have, or words."""
    for step in steps(name):
        for line in filter(None, script(step).splitlines()):
            assert line.split()[0] in PROGRAMS, line
        assert step.commands or step.by_hand


@pytest.mark.parametrize("name", NAMES)
def test_no_cure_does_what_is_never_done(name):
    """No override of isolation, no unsafe interrupts, no generated file edited."""
    for cure in cures(name):
        for step in cure.steps:
            for line in script(step).splitlines():
                written = re.search(r"(echo|printf|AddWords|s/.*/).*", line)
                removed = step.kind in ("remove_words", "replace_word", "comment_out", "regenerate")
                assert removed or not (written and NEVER.search(line)), line


def test_all_commands_of_all_recordings_are_a_shells():
    """`sh -n` takes every command and every test of every step."""
    lines = dict.fromkeys(
        line
        for name in NAMES
        for step in steps(name)
        for line in ("\n".join(step.commands), *step.before, *step.after)
    )
    done = subprocess.run(
        ["sh", "-n"], input="\n".join(lines).encode(), capture_output=True, check=False
    )

    assert (0, b"") == (done.returncode, done.stderr)


@pytest.mark.parametrize("name", NAMES)
def test_an_undo_takes_back_the_cure(name):
    """Taken back twice, it is the cure again, save what is made anew."""
    for cure in cures(name):
        back = cure.undo_steps
        if back:
            there = Cure(cure.title, back).undo_steps
            edits = [step for step in cure.steps if not step.derived]
            assert edits == [step for step in there or () if not step.derived]
