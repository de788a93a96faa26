"""Known messages in lines of any origin: a log, a journal, an event, a post in a forum.

What stands before a message does not matter: indentation, `> `, stamps, host names, caller ids,
`kernel:`, `qemu-system-x86_64:`. A message inside JSON or YAML is found behind its backslashes.
"""

from __future__ import annotations

import html
import re
from bisect import bisect_left, bisect_right
from collections.abc import Collection, Iterable, Iterator, Mapping
from functools import cache
from itertools import accumulate
from typing import NamedTuple

import msgspec

from pytest_vfio.parse.messages.row import HARMLESS, PASSED, Form, Row, Speaker
from pytest_vfio.parse.messages.table import ROWS
from pytest_vfio.parse.messages.wrapped import Paragraph, paragraphs
from pytest_vfio.parse.pciaddress import PATTERN, address

_LONGEST = 20_000  # characters of a line that are looked at
_NEAR = 12  # lines within which a frame's reason stands
_OF_GUESTS = frozenset(
    {
        *(Speaker.QEMU, Speaker.LIBVIRT, Speaker.VIRT_MANAGER),
        *(Speaker.PROXMOX, Speaker.CONTAINER, Speaker.KUBERNETES),
    }
)
_SUBJECTS = frozenset({"device", "group", "guest", "bar"})
_TYPED = str.maketrans(
    {"\xa0": " ", "\u202f": " ", "\u201c": '"', "\u201d": '"', "\u2018": "'", "\u2019": "'"}
)
_ESCAPE = re.compile(r"\\{1,4}(?:u([0-9a-fA-F]{4})|([\"'/nrt]))")
_MEANT = {"n": "\n", "r": "\n", "t": "\t"}
_BEFORE = re.compile(rf"({PATTERN})(?![0-9a-fA-F])")

#: The guest whose QEMU says it, as libvirt and QEMU's command line name it.
_GUEST = re.compile(r"\(vm='([^']{1,200})'\)|-name guest=(?P<name>[^,\s]{1,200})")
_PREFIX = re.compile(
    r"(?:[\s>|]+"
    r"|<\d{1,3}>"
    r"|\[ {0,9}\d{1,10}\.\d{1,9}\]|\[ {0,9}[TC]\d{1,10}\]"
    r"|\[[A-Z]\w{2} [A-Z]\w{2} [ \d]\d \d\d:\d\d:\d\d \d{4}\]"
    r"|\w{3} {1,2}\d{1,2} \d\d:\d\d:\d\d(?:\.\d{1,9})? [^\s:]{1,253}(?= )"
    r"|\d{4}-\d\d-\d\d[T ]\d\d:\d\d:\d\d(?:[.,]\d{1,9})?(?:[+-]\d\d:?\d\d|Z)?:?"
    r"|(?:[^\s:]{1,253} )?kernel(?:\[\d{1,10}\])?:"
    r"|[\w./-]{0,80}(?:qemu-system-\w{1,20}|qemu-kvm|libvirtd|virtqemud|QEMU)(?:\[\d{1,10}\])?:"
    r"|(?:error|\d{1,10}): |kvm: (?=-|vfio|VFIO|\.\./)"
    r"|error : [\w:]{1,80} :)"
)


_About = frozenset[tuple[str, str]]


class Message(msgspec.Struct, frozen=True):
    """A known message that somebody said.

    `names` is what it names, by the words of the row's forms; a device is in its one form. `line`
    is the line as it was given and `index` its place among the lines.
    """

    row: Row
    names: Mapping[str, str]
    line: str
    index: int

    @property
    def device(self) -> str | None:
        """The PCI function that it is about (`0000:01:00.0`), None where it names none."""
        return self.names.get("device")

    @property
    def group(self) -> int | None:
        """The IOMMU group that it is about, None where it names none."""
        text = self.names.get("group")
        return int(text) if text else None

    @property
    def guest(self) -> str | None:
        """The guest that it is about, None where it names none."""
        return self.names.get("guest")

    @property
    def text(self) -> str:
        """The line without what stands before the message."""
        return bare(self.line)

    @property
    def commands(self) -> tuple[str, ...]:
        """What would decide between its causes, as one types it."""
        return self.row.commands(self.names)


def recognise(lines: Iterable[str], says: Collection[Speaker] | None = None) -> tuple[Message, ...]:
    """Every known message in the lines, in their order; `says` leaves other speakers out.

    Where wordings overlap in one line, the one that takes most of it counts. A message that a mail
    or a terminal broke over several lines is that of the line in which it begins.
    """
    given = tuple(lines)
    pieces = [(index, piece) for index, line in enumerate(given) for piece in _pieces(line)]
    said = [piece for _, piece in pieces]
    hits = {number: _once(found) for number, found in _found(said, says)}
    broken = list(paragraphs(said))
    for place, found in _found([paragraph.text for paragraph in broken], says):
        hits |= _with_broken(broken[place], found, hits)
    return tuple(
        _message(hit, given[pieces[number][0]], pieces[number][0])
        for number in sorted(hits)
        for hit in hits[number]
    )


def _with_broken(
    paragraph: Paragraph, found: Iterable[Hit], hits: Mapping[int, list[Hit]]
) -> dict[int, list[Hit]]:
    """The hits of a paragraph's lines, with those that were found across their ends."""
    across = [
        hit for hit in found if paragraph.line_at(hit.start) != paragraph.line_at(hit.end - 1)
    ]
    if not across:
        return {}
    offsets = [start - cut for start, cut in zip(paragraph.starts, paragraph.cut, strict=True)]
    inside = [
        hit.moved(offset)
        for number, offset in enumerate(offsets, paragraph.first)
        for hit in hits.get(number, ())
    ]
    lines: dict[int, list[Hit]] = {paragraph.first + line: [] for line in range(len(offsets))}
    for hit in _apart([*across, *inside]):
        line = paragraph.line_at(hit.start)
        lines[paragraph.first + line].append(hit.moved(-offsets[line]))
    return lines


class Hit(NamedTuple):
    """A wording in a line, and where it stands in it."""

    row: Row
    match: re.Match[str]
    start: int
    end: int

    def moved(self, by: int) -> Hit:
        """The same in a text in which it stands elsewhere."""
        return self._replace(start=self.start + by, end=self.end + by)


def _found(lines: list[str], says: Collection[Speaker] | None) -> Iterable[tuple[int, list[Hit]]]:
    """The lines in which wordings are, by number, each with all that are in it."""
    text = "\n".join(lines)
    words = frozenset(text.split())
    ends = list(accumulate(len(line) + 1 for line in lines))
    hits: dict[int, list[Hit]] = {}
    for needed, literal, row, form in _wordings():
        if needed <= words and (says is None or row.says in says):
            for at in _lines_with(literal, text):
                number = bisect_right(ends, at)
                for match in form.pattern.finditer(lines[number]):
                    hits.setdefault(number, []).append(Hit(row, match, *match.span()))
    return hits.items()


def standing(messages: Iterable[Message]) -> tuple[Message, ...]:
    """The messages that hold, each once: no later line takes them back.

    A later line takes one back if its row is named in `over` and it is about the same device,
    group, guest or BAR, as far as both name it. What is said again, or says no more than another
    of its row, is left out, and so is a frame whose reason stands near it: what the frame names is
    the reason's then, such as the guest that failed to start.
    """
    later: dict[str, set[_About]] = {}
    kept: list[Message] = []
    for message in reversed(tuple(messages)):
        about = _about(message)
        takers = (taker for id in message.row.over for taker in later.get(id, ()))
        if message.row.weight is not PASSED and not any(_same(about, taker) for taker in takers):
            kept.append(message)
        later.setdefault(message.row.id, set()).add(about)
    kept.reverse()
    return tuple(_distinct(_told(kept)))


def _told(messages: list[Message]) -> list[Message]:
    """Reasons in place of the frames near them, and what only the frame names with the reason."""
    reasons = {at: message for at, message in enumerate(messages) if _is_reason(message)}
    order = list(reasons)
    places = [messages[at].index for at in order]
    dropped = set()
    for at, message in enumerate(messages):
        if message.row.frame and (near := _nearest(message.index, places)) is not None:
            dropped.add(at)
            reasons[order[near]] = _with_names(reasons[order[near]], message)
    return [reasons.get(at, one) for at, one in enumerate(messages) if at not in dropped]


def bare(line: str) -> str:
    """A line without indentation, quoting, stamps and the name of who logged it.

    >>> bare("> [  892.1] [T12] vfio-pci 0000:07:00.0: not ready 1023ms after FLR; waiting")
    'vfio-pci 0000:07:00.0: not ready 1023ms after FLR; waiting'
    """
    at = 0
    while found := _PREFIX.match(line, at):
        at = found.end()
    return line[at:].rstrip()


@cache
def _wordings() -> tuple[tuple[frozenset[str], str, Row, Form], ...]:
    """Every wording with what it needs."""
    return tuple((*form.need, row, form) for row in ROWS for form in row.forms)


def _is_reason(message: Message) -> bool:
    return not message.row.frame and message.row.weight is not HARMLESS


def _with_names(reason: Message, frame: Message) -> Message:
    """A reason with what only its frame names, where it is about a guest as the frame is."""
    if reason.row.says not in _OF_GUESTS:
        return reason
    names = {name: frame.names[name] for name in _SUBJECTS & frame.names.keys()}
    return msgspec.structs.replace(reason, names=names | dict(reason.names))


def _nearest(index: int, places: list[int]) -> int | None:
    """Which of the places, in their order, is next after an index, or just before it."""
    at = bisect_left(places, index)
    if at < len(places) and places[at] <= index + _NEAR:
        return at
    return at - 1 if at and places[at - 1] >= index - _NEAR else None


def _distinct(messages: list[Message]) -> Iterator[Message]:
    """Each message whose row and names are not within those of another."""
    named: dict[str, set[_About]] = {}
    for message in messages:
        named.setdefault(message.row.id, set()).add(_about(message))
    said: set[tuple[str, _About]] = set()
    for message in messages:
        key = (message.row.id, _about(message))
        if key not in said and not any(key[1] < other for other in named[message.row.id]):
            said.add(key)
            yield message


def _about(message: Message) -> _About:
    return frozenset((name, message.names[name]) for name in _SUBJECTS if name in message.names)


def _same(one: _About, other: _About) -> bool:
    """What both name is the same."""
    names = dict(other)
    return all(names.get(name, value) == value for name, value in one)


def _pieces(line: str) -> Iterable[str]:
    """A line as it was said: without escapes, and one piece for each line inside it."""
    line = line[:_LONGEST]
    if "\\" in line and _ESCAPE.search(line):
        line = _ESCAPE.sub(lambda m: chr(int(m[1], 16)) if m[1] else _MEANT.get(m[2], m[2]), line)
    if "&" in line and ";" in line:
        line = html.unescape(line)
    if not line.isascii():
        line = line.translate(_TYPED)
    return line.split("\n") if "\n" in line else (line.rstrip("\r"),)


def _lines_with(literal: str, text: str) -> Iterator[int]:
    """A place in each line that has a literal."""
    at = text.find(literal)
    while at >= 0:
        yield at
        end = text.find("\n", at)
        at = text.find(literal, end) if end >= 0 else -1


def _apart(hits: Iterable[Hit]) -> list[Hit]:
    """Of wordings that overlap, those that take most, in their order."""
    kept: list[Hit] = []
    for hit in sorted(hits, key=lambda hit: hit.start - hit.end):
        if all(hit.end <= held.start or hit.start >= held.end for held in kept):
            kept.append(hit)
    return sorted(kept, key=lambda hit: hit.start)


def _once(hits: Iterable[Hit]) -> list[Hit]:
    """The first of each row: one line says a thing once, in however many of its wordings."""
    return list({hit.row.id: hit for hit in reversed(_apart(hits))}.values())[::-1]


def _message(hit: Hit, line: str, index: int) -> Message:
    """The message, with what its line names beside it: a device before it, the guest anywhere."""
    match = hit.match
    names = {name: address(value) or value for name, value in match.groupdict().items() if value}
    if "device" not in names:
        before = _BEFORE.findall(match.string, 0, match.start())
        if before and (found := address(before[-1])):
            names["device"] = found
    if "guest" not in names and (guest := _GUEST.search(line)):
        names["guest"] = guest[1] or guest["name"]
    return Message(hit.row, names, line, index)
