"""The command line of the running kernel.

Source: `proc/cmdline`; where it was not kept, the kernel log's `Command line:` (x86, what the
loader passed) and `Kernel command line:` lines. A log that was grepped still holds the whole line,
so such a line tells of absence too; where nobody says how a log was cut, it does so only if both
lines are there and agree. Built-in words (CONFIG_CMDLINE) and those of a bootconfig stand in
`proc/cmdline` as well; bootconfig words come too late for early parameters.
"""

from __future__ import annotations

import re
from functools import cached_property

import msgspec

from pytest_vfio.evidence import Evidence, Extent, Item, Lack, Missing, Quote, Status
from pytest_vfio.facts.kernel.log import last_boot
from pytest_vfio.facts.kernel.release import Kernel
from pytest_vfio.facts.tristate import known, require
from pytest_vfio.parse import switches
from pytest_vfio.parse.words import Word, fold, named, parse

#: x86 and arm64 keep 2048 bytes with the closing NUL (COMMAND_LINE_SIZE).
SIZE = 2048
#: A log record holds 976 bytes (LOG_LINE_MAX): a longer line was cut there, or goes on in the
#: next record behind a backslash.
LOG_LINE = 950
#: Parsed before a bootconfig is (early_param): a bootconfig cannot set them.
EARLY = frozenset({"iommu", "iommu.passthrough", "iommu.strict", "iommu.forcedac", "intremap",
                   "nointremap", "pci", "noapic", "nolapic", "acpi"})  # fmt: skip

_LOGGED = re.compile(r"(?:^|[\]:\s])(Kernel command|Command) line: (.*)$")
_ELLIPSIS = re.compile(r"(^|\s)(\.\.\.|\[\.\.\.\]|…)(\s|$)")


class Line(msgspec.Struct, frozen=True):
    """One candidate: the line, its proof, and whether nothing of it is missing.

    `tidy`: nobody says that it is whole, and nothing shows that it is not.
    """

    raw: bytes
    quote: Quote
    whole: bool
    tidy: bool = True


class Cmdline:
    """What the kernel was told at boot."""

    def __init__(self, evidence: Evidence, kernel: Kernel) -> None:
        self.evidence = evidence
        self.kernel = kernel

    @cached_property
    def line(self) -> Line:
        """The line itself. Raises Missing where no part of it is known."""
        lines = self._candidates
        whole = next((line for line in lines if line.whole), None)
        if whole is not None:
            return whole
        for line in lines:
            if sum(other.raw.strip() == line.raw.strip() for other in lines) > 1:
                return Line(line.raw, line.quote, whole=True)
        if lines:
            return max(lines, key=lambda line: len(line.raw))
        raise Missing(self.item)

    @cached_property
    def _candidates(self) -> list[Line]:
        lines: list[Line] = []
        item = self.evidence.item("proc/cmdline")
        text = item.data.replace(b"\0", b" ").strip(b"\n")
        if text.strip():
            # one line is all that the file has, so a line chosen out of it is all of it
            chosen = b"\n" not in text
            whole = item.status is Status.PRESENT and chosen and not _elided(item.text)
            if item.status is Status.TRUNCATED:
                text = text.rpartition(b" ")[0]  # the last word may be cut
            tidy = item.status is Status.PRESENT and b"\n" not in text and not _elided(item.text)
            quote = item.quote(text.decode("utf-8", "backslashreplace"))
            lines.append(Line(text, quote, whole=whole, tidy=tidy))
            if whole:
                return lines
        for log in self.evidence.seen("dmesg", "journal/kernel"):
            lines.extend(_logged(log))
        return lines

    @property
    def item(self) -> Item:
        """The item to name where the line is not known: the best one that was looked for."""
        return self.evidence.item("proc/cmdline")

    @property
    def quote(self) -> Quote:
        """The line, as proof."""
        return self.line.quote

    @property
    def whole(self) -> bool:
        """Every word is known, so that what is not there is absent."""
        return bool(self._candidates) and self.line.whole and not self._bootconfig_unread

    @property
    def lacking(self) -> tuple[Lack, ...]:
        """What would have to be read to know every word; empty where all are known."""
        if self.whole:
            return ()
        line = self._candidates and self.line.whole
        return ((self._bootconfig_item if line else self.item).lack,)

    @property
    def torn(self) -> tuple[Lack, ...]:
        """The line, where something of it is known to be missing.

        That nothing is suffices to say that of two words that were seen the later one counts; it
        never suffices to say that a word is absent.
        """
        return () if self.line.tidy else (self.item.lack,)

    @cached_property
    def all(self) -> tuple[Word, ...]:
        """All words that are known, those behind a bare `--` included."""
        return parse(self.line.raw, self.line.quote)

    @cached_property
    def words(self) -> tuple[Word, ...]:
        """The kernel's own words: those before a bare `--` that came in time."""
        late = self._bootconfig
        return tuple(
            word
            for word in self.all
            if not word.after_dashes
            # a bootconfig's words stand first in the line
            and not (word.name in EARLY and word.position < len(late) and word.name in late)
        )

    @cached_property
    def _bootconfig(self) -> tuple[str, ...]:
        """The names of the kernel parameters that a bootconfig adds, as /proc/bootconfig has them.

        A line of it: `kernel.iommu.passthrough = "1"`.
        """
        names = (line.partition("=")[0].strip() for line in self._bootconfig_item.lines)
        return tuple(fold(name.removeprefix("kernel.")) for name in names
                     if name.startswith("kernel."))  # fmt: skip

    @property
    def _bootconfig_item(self) -> Item:
        return self.evidence.item("proc/bootconfig")

    @property
    def _bootconfig_unread(self) -> bool:
        """The line asks for a bootconfig, and nobody read what that says."""
        asked = any(word.name == "bootconfig" for word in self.all if not word.after_dashes)
        return asked and not self._bootconfig_item.whole

    @cached_property
    def after_dashes(self) -> tuple[Word, ...]:
        """The words behind a bare `--`; kmod still reads module options there (F39)."""
        return tuple(word for word in self.all if word.after_dashes)

    def seen(self, name: str) -> tuple[Word, ...]:
        """The occurrences of a parameter that are known, in order: proof of presence only."""
        return named(known(lambda: self.words) or (), name)

    def param(self, name: str) -> tuple[Word, ...]:
        """The occurrences of a parameter before `--`, in order; empty where it is absent.

        Raises Missing where none is known and the line is not whole. For what depends on the last
        occurrence require the whole line too.
        """
        found = self.seen(name)
        if not found:
            require(self)
        return found

    @property
    def cut(self) -> bool:
        """The line fills the kernel's buffer, so that its end was lost."""
        return len(self.line.raw.strip()) >= SIZE - 1

    @property
    def raw(self) -> bytes:
        """The bytes of the line."""
        return self.line.raw

    # -- what the IOMMU's words come to -----------------------------------------------------

    @cached_property
    def intel(self) -> switches.Intel:
        """All known `intel_iommu=` words together."""
        return switches.intel(self.words)

    @cached_property
    def amd(self) -> switches.Amd:
        """All known `amd_iommu=` words together, by the kernel's version."""
        values = [word.value or "" for word in named(self.words, "amd_iommu")]
        # only a stray `off` makes the version matter
        stray = any("off" in value for value in values)
        return switches.amd(self.words, self.kernel.version if stray else switches.AMD_COMMA_LIST)

    @cached_property
    def x86_iommu(self) -> switches.X86:
        """All known `iommu=` words together; nothing of it counts unless the machine is x86."""
        return switches.x86(self.words)

    @property
    def intel_off(self) -> switches.Switch | None:
        """What switches an Intel machine's IOMMU off."""
        if self._no_iommu is not None:
            return self._no_iommu
        if named(self.words, "intel_iommu"):
            require(*self.torn)
        return self.intel.decided if self.intel.on is False else None

    @property
    def amd_off(self) -> switches.Switch | None:
        """What switches an AMD machine's IOMMU off."""
        return self._no_iommu or self.amd.off

    @property
    def _no_iommu(self) -> switches.Switch | None:
        off = self.x86_iommu.off
        return off if off is not None and self.kernel.x86 else None

    @property
    def host_passthrough(self) -> tuple[bool, Word] | None:
        """Whether host devices are left untranslated, and the word that says so; else None."""
        require(self)
        if named(self.words, "iommu"):
            return switches.passthrough(self.words, x86=self.kernel.x86)
        return switches.passthrough(self.words, x86=True)


def _logged(log: Item) -> list[Line]:
    """The command lines in a log. Those of an earlier boot do not stand in the same item."""
    lines: list[Line] = []
    for line in last_boot(log.text).split("\n"):
        found = _LOGGED.search(line)
        if not found:
            continue
        raw = found[2].rstrip("\r").encode("utf-8", "surrogateescape")
        kept = log.extent in (Extent.WHOLE, Extent.GREPPED)
        cut = len(raw) >= LOG_LINE or raw.endswith(b"\\")
        tidy = not cut and not _elided(found[2])
        lines.append(Line(raw, log.quote(line), whole=kept and tidy, tidy=tidy))
    # the later line also has what is built in
    return sorted(lines, key=lambda line: b"Kernel command" not in line.quote.line.encode())


def _elided(text: str) -> bool:
    return _ELLIPSIS.search(text) is not None
