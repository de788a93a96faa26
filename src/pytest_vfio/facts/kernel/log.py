"""The kernel log of this boot, from any of its keepers and in any style of time stamp.

A log line is evidence of what it says. That a line is *not* there proves something only where the
whole log is: the ring buffer overwrites its earliest lines first, and those are the IOMMU's.
The log is whole where it was read to its end and begins with `Linux version`.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from functools import cached_property, lru_cache

import msgspec

from pytest_vfio.evidence import Evidence, Extent, Item, Lack, Quote, Status
from pytest_vfio.facts.tristate import require

SOURCES = ("dmesg", "journal/kernel", "var/log/dmesg")

#: What may stand before `Linux version`: arm64 names the CPU, older x86 kernels the microcode, and
#: journalctl its own header.
_HEAD_LINES = 12

_LEFT_OUT = re.compile(r"^\s*(?:\.\.\.|\[\.\.\.\]|-{3,}|…)\s*$", re.MULTILINE)
#: No kernel of a PC comes to its first program with fewer lines.
_BOOT_LINES = 150

_CAP = 400  # characters of a line that are kept as proof

_SECONDS = re.compile(r"\[ {0,9}(\d{1,10}\.\d{1,9})\] ?")
_CALLER = re.compile(r"\[ {0,9}[TC]\d{1,10}\] ?")
_PRIORITY = re.compile(r"<\d{1,3}>|[a-z0-9]{2,8} *:[a-z]{2,8} *: ?")
_CLOCK = re.compile(
    r"\[[A-Z][a-z]{2} [A-Z][a-z]{2} [ \d]\d \d\d:\d\d:\d\d \d{4}\] ?"  # dmesg -T
    r"|\[[A-Z][a-z]{2}[ \d]\d \d\d:\d\d\] ?|\[ *[+<] *\d{1,10}\.\d{1,9}>?\] ?"  # dmesg -H
)
_WRITER = re.compile(
    r"(?:[A-Z][a-z]{2} [ \d]\d \d\d:\d\d:\d\d(?:\.\d{1,9})?"  # journal short, short-precise
    r"|\d{4}-\d\d-\d\d[T ]\d\d:\d\d:\d\d(?:[.,]\d{1,9})?(?:[+-]\d\d:?\d\d|Z)?)"  # iso
    r" (?:[^\s:]{1,253} kernel(?:\[\d{1,10}\])?: ?)?"
)
_HOST = re.compile(r"[^\s:]{1,253} kernel(?:\[\d{1,10}\])?: ?")


class LogLine(msgspec.Struct, frozen=True):
    """One line: seconds since boot where the stamp says, and the message without any stamp."""

    text: str
    seconds: float | None
    quote: Quote


def stripped(line: str) -> tuple[float | None, str]:
    """Take the stamp off a line: (seconds since boot or None, message).

    >>> stripped("[    0.004000] DMAR: IOMMU enabled")
    (0.004, 'DMAR: IOMMU enabled')
    >>> stripped("Nov 22 10:00:00 bmt kernel: [    1.5] DMAR: IOMMU enabled")
    (1.5, 'DMAR: IOMMU enabled')
    """
    at = 0
    seconds: float | None = None
    for pattern in (_PRIORITY, _CLOCK, _WRITER, _SECONDS, _HOST, _PRIORITY, _SECONDS, _CALLER):
        found = pattern.match(line, at)
        if found is None:
            continue
        at = found.end()
        if pattern is _SECONDS and seconds is None:
            seconds = float(found[1])
    return seconds, line[at:].rstrip("\r")


class KernelLog:
    """The lines of the kernel log, merged from `dmesg`, the journal and /var/log/dmesg."""

    def __init__(self, evidence: Evidence) -> None:
        self._evidence = evidence

    @cached_property
    def _items(self) -> tuple[Item, ...]:
        return tuple(self._evidence.item(name) for name in SOURCES)

    @cached_property
    def _texts(self) -> tuple[tuple[Item, str], ...]:
        """The sources that have content.

        /var/log/dmesg may be of an earlier boot, so it counts only where it shares a stamped line
        with another source.
        """
        ring, journal, saved = ((item, last_boot(item.text)) for item in self._items)
        if ring[0].whole and _begins(ring[1]):
            return (ring,)  # the others have nothing to add
        texts = [(item, text) for item, text in (ring, journal) if text]
        if saved[1] and _share_a_line(saved[1], [text for _, text in texts]):
            texts.append(saved)
        return tuple(texts)

    @cached_property
    def whole(self) -> bool:
        """All that the kernel has logged in this boot is there, from its first line on.

        Without the ring buffer nobody knows what was logged last, so the journal alone serves only
        where the ring is overwritten or cannot be read.
        """
        if self._items[0].status in {Status.NOT_COLLECTED, Status.TRUNCATED, Status.TIMED_OUT}:
            return False
        return any(
            item.whole and _begins(text) and "kernel messages" not in _missed(text)
            for item, text in self._texts
        )

    @cached_property
    def covers_boot(self) -> bool:
        """All that the kernel logged from its start to its first program is there.

        Seen by the log itself, whoever handed it over: it begins where the kernel starts, has the
        PCI functions as they are found and the start of init, and nothing shows that lines were
        left out. Lines that were chosen never look so.
        """
        return any(
            item.extent is not Extent.GREPPED and _begins(text) and _reaches_init(text)
            for item, text in self._texts
        )

    @property
    def lines(self) -> tuple[LogLine, ...]:
        """Every line that was kept, whole log or not."""
        return tuple(self._search(re.compile(r"^.+$", re.MULTILINE)))

    def seen(self, pattern: str | re.Pattern[str]) -> tuple[LogLine, ...]:
        """The kept lines in which a pattern is found; none means nothing at all.

        The pattern is searched line by line in the raw text, stamps included: do not anchor it at
        the left, and do not use `\\s`.
        """
        return tuple(self._search(_compiled(pattern)))

    def first(self, pattern: str | re.Pattern[str]) -> LogLine | None:
        """The first kept line in which a pattern is found; None means nothing at all."""
        return next(self._search(_compiled(pattern)), None)

    def find(self, pattern: str | re.Pattern[str]) -> LogLine | None:
        """The first line in which a pattern is found, or None where it was never logged.

        Raises Missing where it is not seen and the log is not whole.
        """
        found = self.first(pattern)
        if found is None:
            require(self)
        return found

    @property
    def lacking(self) -> tuple[Lack, ...]:
        """The ring buffer, and why it is not whole; empty where silence proves something."""
        ring = self._items[0]
        if self.whole:
            return ()
        if ring.unread:
            return (ring.lack,)
        detail = "its earliest lines are lost" if not _begins(ring.text) else ring.detail
        return (Lack(ring.name, Status.TRUNCATED, detail),)

    @cached_property
    def _words(self) -> frozenset[str]:
        """All words of all texts: most patterns can be told to be nowhere by a word they need."""
        return frozenset().union(*(text.split() for _, text in self._texts))

    def _search(self, pattern: re.Pattern[str]) -> Iterator[LogLine]:
        possible = [need for need in needs(pattern.pattern) if need.words <= self._words]
        if not possible:
            return
        said: set[tuple[float | None, str]] = set()
        earlier: set[tuple[float | None, str]] = set()
        for item, text in self._texts:
            for line in _lines_with(pattern, possible, text):
                seconds, message = stripped(line)
                key = (_round(seconds), message)
                if key in earlier or (None, message) in earlier:
                    continue
                said |= {key, (None, message)}
                yield LogLine(message, seconds, item.quote(message[:_CAP]))
            earlier |= said


def _lines_with(pattern: re.Pattern[str], possible: list[Need], text: str) -> Iterator[str]:
    """Each line in which the pattern is found, once, in their order.

    Only lines that have some alternative's longest plain stretch are tried: finding one is much
    faster than a search by the pattern.
    """
    nexts = {need.literal: text.find(need.literal) for need in possible}
    at = 0
    while any(place >= 0 for place in nexts.values()):
        first = min(place for place in nexts.values() if place >= 0)
        start = text.rfind("\n", 0, first) + 1
        end = text.find("\n", first)
        end = len(text) if end < 0 else end
        line = text[start:end]
        if line and pattern.search(line):
            yield line
        at = end + 1
        for literal, place in nexts.items():
            if 0 <= place < at:
                nexts[literal] = text.find(literal, at) if at <= len(text) else -1


def _begins(text: str) -> bool:
    """The log starts where the kernel started."""
    head = text[:8192].split("\n", _HEAD_LINES)[:_HEAD_LINES]
    return any("Linux version " in line for line in head)


def last_boot(text: str) -> str:
    """The text from the start of the last boot in it: an earlier one is another state."""
    starts = [found.start() for found in re.finditer(r"Linux version \d", text)]
    if len(starts) < 2:
        return text
    return text[text.rfind("\n", 0, starts[-1]) + 1 :]


def _reaches_init(text: str) -> bool:
    """From the first function that is found to the first program, with hundreds of lines between."""
    found = re.search(r"\bpci 0000:00:00\.0: \[[0-9a-f]{4}:[0-9a-f]{4}\]", text)
    init = re.search(r"Run /\S{1,80} as init process|systemd\[1\]: |Freeing unused kernel", text)
    if found is None or init is None or found.start() > init.start():
        return False
    early = text[: init.start()]
    return early.count("\n") >= _BOOT_LINES and _LEFT_OUT.search(early) is None


def _missed(text: str) -> str:
    """journald's own admission that it lost lines, empty where there is none."""
    found = re.search(r"Missed \d{1,10} kernel messages", text)
    return found[0] if found else ""


def _share_a_line(text: str, others: list[str]) -> bool:
    """A line with the same seconds and words stands in one of the other texts."""
    mine = {key for key in map(stripped, text.split("\n")[-400:]) if key[0]}
    return any(stripped(line) in mine for other in others for line in other.split("\n") if line)


def _round(seconds: float | None) -> float | None:
    return None if seconds is None else round(seconds, 6)


def _compiled(pattern: str | re.Pattern[str]) -> re.Pattern[str]:
    return re.compile(pattern, re.MULTILINE) if isinstance(pattern, str) else pattern


class Need(msgspec.Struct, frozen=True):
    """What an alternative of a pattern cannot match without.

    `words` stand between two blanks in it, `literal` is its longest plain stretch.
    """

    words: frozenset[str]
    literal: str


@lru_cache(maxsize=512)
def needs(pattern: str) -> tuple[Need, ...]:
    """What each alternative of a pattern needs; nothing where the pattern is not plain enough.

    >>> [(sorted(need.words), need.literal) for need in needs(r"kvm: off by bios|SVM (\\d+) not")]
    [(['by', 'off'], 'kvm: off by bios'), ([], 'SVM ')]
    """
    if "(?i" in pattern or "(?x" in pattern:
        return (Need(frozenset(), ""),)
    return tuple(
        Need(
            frozenset(word for run in runs for word in run.split(" ")[1:-1] if word),
            max(runs, key=len),
        )
        for runs in _alternatives(pattern)
    )


def _alternatives(pattern: str) -> list[list[str]]:
    """The literal runs of each top-level alternative, groups and classes left out."""
    found: list[list[str]] = [[""]]
    depth = at = 0
    while at < len(pattern):
        char = pattern[at]
        at += 1
        if char == "[":
            at += 1 + (pattern[at : at + 1] == "^")  # a closing bracket in front is a member
            while at < len(pattern) and pattern[at] != "]":
                at += 1 + (pattern[at] == "\\")
            at += 1
            found[-1].append("")
        elif char in "()":
            depth += 1 if char == "(" else -1
            found[-1].append("")
        elif char == "|" and depth == 0:
            found.append([""])
        elif char in "?*{":  # what stands before may be missing
            found[-1][-1] = found[-1][-1][:-1]
            at = at if char != "{" else pattern.find("}", at) + 1 or len(pattern)
            found[-1].append("")
        elif char in "+.^$|":
            found[-1].append("")
        else:
            if char == "\\":
                char, at = pattern[at : at + 1], at + 1
                if char.isalnum():
                    found[-1].append("")
                    continue
            if depth == 0:
                found[-1][-1] += char
    return found
