"""Lines that a mail program or a terminal broke, put together again.

A mail breaks at blanks, somewhere before its width; a terminal breaks anywhere, always at the same
width. Neither says so: a line that is long enough to have been broken, and is followed by one that
begins like no line of a log, may go on there.
"""

from __future__ import annotations

import re
from bisect import bisect_right
from collections.abc import Iterator, Sequence
from itertools import accumulate
from typing import NamedTuple

_NARROWEST = 60  # the least width at which lines are broken
_WIDEST = 250  # characters beyond which nobody breaks a line
_MOST = 8  # pieces into which one line is broken

_QUOTED = re.compile(r"[\s>|]*")
#: What begins a line of its own: nothing, a stamp, a priority, a prompt.
_BEGINS = re.compile(
    r"$|\[ {0,9}\d{1,10}\.\d|\[[A-Z]\w\w |<\d{1,3}>|[$#] |[^\s@]{1,40}@[^\s@]{1,80}[$#] "
    r"|\w{3} {1,2}\d{1,2} \d\d:|\d{4}-\d\d-\d\d[T ]"
)
_PADDED = "[ "  # as the kernel's log stamps a line: the quickest look at most of them
_WORD = re.compile(r"\S*")


class Paragraph(NamedTuple):
    """Lines that may have been one: the text, and the place of the first among all lines.

    `starts` is where each line begins in the text, `cut` what was taken from its front.
    """

    text: str
    starts: tuple[int, ...]
    cut: tuple[int, ...]
    first: int

    def line_at(self, place: int) -> int:
        """The line, counted from the paragraph's first, in which a place of the text is."""
        return bisect_right(self.starts, place) - 1


def paragraphs(lines: Sequence[str]) -> Iterator[Paragraph]:
    """Each run of lines that may have been one line, as a mail and as a terminal would break it."""
    at = 0
    while at < len(lines) - 1:
        parts = _run(lines, at) if lines[at + 1][:2] != _PADDED else [lines[at]]
        if len(parts) > 1:
            whole = lines[at : at + len(parts)]
            yield _joined(parts, " ", whole, at)
            if len({len(line) for line in whole[:-1]}) == 1:
                yield _joined(whole, "", whole, at)
        at += len(parts)


def _run(lines: Sequence[str], at: int) -> list[str]:
    parts = [lines[at]]
    while len(parts) < _MOST and at + 1 < len(lines) and len(lines[at]) <= _WIDEST:
        rest = _behind(_QUOTED, lines[at + 1])
        word = rest[: len(rest) - len(_behind(_WORD, rest))]
        if len(lines[at]) + len(word) < _NARROWEST or _BEGINS.match(rest):
            break
        parts.append(rest)
        at += 1
    return parts


def _behind(pattern: re.Pattern[str], line: str) -> str:
    """What of a line stands behind a pattern that may be empty."""
    found = pattern.match(line)
    return line[found.end() :] if found else line


def _joined(parts: Sequence[str], by: str, whole: Sequence[str], first: int) -> Paragraph:
    starts = accumulate((len(part) + len(by) for part in parts[:-1]), initial=0)
    cut = (len(line) - len(part) for line, part in zip(whole, parts, strict=True))
    return Paragraph(by.join(parts), tuple(starts), tuple(cut), first)
