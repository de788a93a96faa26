"""systemd-boot, whose entries kernel-install makes with the line of /etc/kernel/cmdline."""

from __future__ import annotations

import re
from collections.abc import Iterable

from pytest_vfio.boot.stack import dashes, plain, releases, write_by_hand
from pytest_vfio.evidence import Missing
from pytest_vfio.facts.boot.chain import Boot
from pytest_vfio.steps import ByHand, Step
from pytest_vfio.steps.host import Regenerate
from pytest_vfio.steps.words import AddWords, RemoveWords, ReplaceWord

FILE = "/etc/kernel/cmdline"


class SystemdBoot:
    """Entries made from /etc/kernel/cmdline."""

    def __init__(self, boot: Boot) -> None:
        self.boot = boot

    def add(self, words: Iterable[str]) -> tuple[Step, ...]:
        """At the end of the line, or at its front where a bare `--` would swallow them."""
        found = tuple(words)
        line = self._line
        if line is None:
            return self._write_file(found)
        if not plain(found) or "\n" in line:
            return write_by_hand("add", found, f"to the line in {FILE}")
        return (AddWords(FILE, found, first=dashes(line)),)

    def drop(self, words: Iterable[str]) -> tuple[Step, ...]:
        """Out of the line; without the file, out of what kernel-install copies."""
        line = self._line
        present = tuple(word for word in words if line is None or word in line.split())
        if not present:
            return ()
        if line is None:
            where = (
                f"out of {FILE}, which has to be written: kernel-install copies the running line"
            )
            return write_by_hand("leave", present, where)
        if not plain(present):
            return write_by_hand("take", present, f"out of the line in {FILE}")
        return (RemoveWords(FILE, present),)

    def replace(self, old: str, new: str) -> tuple[Step, ...]:
        """Where the old one stands; out, where the line has the new one already."""
        words = (self._line or "").split()
        if new in words:
            return self.drop((old,))
        if old not in words or not plain((old, new)):
            return (*self.drop((old,)), *self.add((new,)))
        return (ReplaceWord(FILE, old, new),)

    def generate(self) -> tuple[Step, ...]:
        """The entry of every kernel, by the image that the distribution installs."""
        try:
            return tuple(self._install(release) for release in releases(self.boot))
        except Missing:
            return (
                ByHand(f"run kernel-install add RELEASE IMAGE for each kernel: it reads {FILE}"),
            )

    def _install(self, release: str) -> Step:
        text = self.boot.evidence.item("etc/os-release").text
        debian = re.search(r"^ID(_LIKE)?=.*\b(debian|ubuntu)\b", text, re.MULTILINE)
        image = f"/boot/vmlinuz-{release}" if debian else f"/usr/lib/modules/{release}/vmlinuz"
        more = (f"/boot/initrd.img-{release}",) if debian else ()
        argv = ("kernel-install", "add", release, image, *more)
        return Regenerate(f"the boot entry of {release}", argv)

    def _write_file(self, words: tuple[str, ...]) -> tuple[Step, ...]:
        return (
            ByHand(
                f"write {FILE}: the words of /proc/cmdline without BOOT_IMAGE= and initrd=, and "
                f"behind them {' '.join(words)}"
            ),
        )

    @property
    def _line(self) -> str | None:
        """What the file says, its comments left out; None where there is no such file."""
        item = self.boot.evidence.item(FILE.lstrip("/"))
        if not item.data:
            return None
        lines = [line.strip() for line in item.lines]
        return "\n".join(line for line in lines if line and not line.startswith("#"))
