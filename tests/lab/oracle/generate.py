"""Seed and number -> what is played.  Pure: the same of both is the same play, always.

Kinds take turns, so that each is played as often as any other; every second play is blind to
meaning; every fourth makes two edits at once, every eighth three.
"""

import contextlib
import xml.etree.ElementTree as ET
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache
from random import Random

from tests.lab.oracle import naming
from tests.lab.oracle.bootwise import BOOT_EDITS
from tests.lab.oracle.bytewise import TEXT_EDITS
from tests.lab.oracle.edit import Edit, Place
from tests.lab.oracle.filewise import FILE_EDITS, FileEdit, file_edit
from tests.lab.oracle.ground import CARDS, TWINS, VFS
from tests.lab.oracle.guest import Guest, guest
from tests.lab.oracle.guestwise import GUEST_EDITS
from tests.lab.oracle.hostwise import HOST_EDITS
from tests.lab.oracle.nodewise import TREE_EDITS
from tests.lab.parts import DISPLAY

BLIND: tuple[str, ...] = (
    *(f"guest: {kind}" for kind in (*TEXT_EDITS, *TREE_EDITS)),
    *(f"host: {kind}" for kind in FILE_EDITS),
    *(f"boot: {kind}" for kind in FILE_EDITS),
)
TYPED: tuple[str, ...] = (
    *(f"guest: {kind}" for kind in GUEST_EDITS),
    *(f"host: {kind}" for kind in HOST_EDITS),
    *(f"boot: {kind}" for kind in BOOT_EDITS),
)
KINDS = {True: BLIND, False: TYPED}


@dataclass(frozen=True)
class GuestPlay:
    """A guest, and its XML after one to three edits."""

    number: int
    guest: Guest
    xml: str
    edits: tuple[Edit, ...]


@dataclass(frozen=True)
class Typed:
    """What somebody types on a host, and the words of a right cause."""

    kind: str
    script: str
    names: tuple[str, ...]


@dataclass(frozen=True)
class Blind:
    """A file that is edited without regard to its meaning."""

    kind: str
    edit: FileEdit


@dataclass(frozen=True)
class HostPlay:
    """Guests that start on the unedited host, and one to three edits of the host."""

    number: int
    boots: bool
    """Whether the host is started anew after the edits."""
    guests: tuple[Guest, ...]
    steps: tuple[Typed | Blind, ...]


def place(kind: str) -> Place:
    """Where edits of a kind act."""
    where = kind.partition(":")[0]
    return "guest" if where == "guest" else "boot" if where == "boot" else "host"


def kinds(seed: int, number: int) -> tuple[str, ...]:
    """What kinds of edit a play makes, all in the same place."""
    own = _order(seed, number % 2 == 0)
    first = own[number // 2 % len(own)]
    random = Random(f"{seed}/{number}")
    beside = {blind: [k for k in KINDS[blind] if place(k) == place(first)] for blind in KINDS}
    more = (number % 4 == 3) + (number % 8 == 7)
    return (first, *(random.choice(beside[random.random() < 0.5]) for _ in range(more)))


def plays(seed: int, count: int) -> list[GuestPlay | HostPlay]:
    """The first plays of a seed."""
    made: list[GuestPlay | HostPlay] = []
    guests = 0
    for number in range(count):
        if place(kinds(seed, number)[0]) == "guest":
            made.append(guest_play(seed, number, CARDS[guests % len(CARDS)]))
            guests += 1
        else:
            made.append(host_play(seed, number))
    return made


def guest_play(seed: int, number: int, cards: tuple[str, ...]) -> GuestPlay:
    """A guest with its edits and its functions."""
    random = Random(f"{seed}/{number}/guest")
    whole = guest(random, f"g{CARDS.index(cards) + 1}", cards)
    xml, edits = whole.xml, []
    for kind in kinds(seed, number):
        before = xml
        while xml == before:
            xml = edited(random, kind, before)
        what = "; ".join(_differing(before, xml))
        blind = kind in BLIND
        edits.append(Edit(kind, blind, whole.name, what, naming.of_xml(before, xml)))
    return GuestPlay(number, whole, xml, tuple(edits))


def host_play(seed: int, number: int) -> HostPlay:
    """Two guests, one with a virtual function, and what is done to their host."""
    random = Random(f"{seed}/{number}/host")
    given = ((VFS[0],), random.choice([(DISPLAY,), TWINS]))
    guests = tuple(guest(random, f"g{n}", cards, 0.85) for n, cards in enumerate(given, start=1))
    every = kinds(seed, number)
    return HostPlay(
        number, place(every[0]) == "boot", guests, tuple(_step(random, kind) for kind in every)
    )


def edited(random: Random, kind: str, xml: str) -> str:
    """A guest's XML after an edit of one kind; tree edits of what is no XML go to its text."""
    _, _, name = kind.partition(": ")
    edit = {**TREE_EDITS, **GUEST_EDITS}.get(name)
    if edit is None:
        return TEXT_EDITS[name](random, xml)
    try:
        root = ET.fromstring(xml)
        edit(random, root)
    except (ET.ParseError, IndexError, ValueError):  # an edit before it left nothing to edit
        return TEXT_EDITS["byte deleted"](random, xml)
    ET.indent(root)
    return ET.tostring(root, encoding="unicode") + "\n"


@cache
def _order(seed: int, blind: bool) -> Sequence[str]:
    return Random(f"{seed}/{blind}").sample(KINDS[blind], len(KINDS[blind]))


def _step(random: Random, kind: str) -> Typed | Blind:
    where, _, name = kind.partition(": ")
    if kind in BLIND:
        return Blind(kind, file_edit(random, name, boot=where == "boot"))
    script, names = {**HOST_EDITS, **BOOT_EDITS}[name](random)
    return Typed(kind, script, names)


def _differing(before: str, after: str) -> list[str]:
    """The lines that an edit took and gave, without indentation."""
    with contextlib.suppress(ET.ParseError):
        before, after = _indented(before), _indented(after)
    old, new = before.splitlines(), after.splitlines()
    told = [f"- {line.strip()}" for line in old if line not in new]
    told += [f"+ {line.strip()}" for line in new if line not in old]
    return told or ["another order"]


def _indented(xml: str) -> str:
    root = ET.fromstring(xml)
    ET.indent(root)
    return ET.tostring(root, encoding="unicode")
