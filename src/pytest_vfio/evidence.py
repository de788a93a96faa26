"""The named raw items that were read from a host, and how the reading went.

Knows nothing of where they came from (`sources`) and nothing of what they mean (`facts`).
An item is a file's bytes or a command's output. Its name is the path without the leading slash
(`proc/cmdline`), a path with a trailing slash for a directory's listing (`etc/modprobe.d/`), or
the command's short name (`dmesg`, `virsh/dumpxml`).
"""

from __future__ import annotations

import enum
import re
from collections.abc import Iterable, Iterator, Mapping
from fnmatch import fnmatchcase
from types import MappingProxyType

import msgspec


class Status(enum.StrEnum):
    """How the reading of one item went."""

    PRESENT = "present"
    ABSENT = "absent"  # looked for and not there: this is knowledge
    DENIED = "denied"
    FAILED = "failed"
    TIMED_OUT = "timed out"
    TRUNCATED = "truncated"
    NOT_COLLECTED = "not collected"
    NOT_ASKED = "not asked for"  # by a recording's probe, which is older than the item


class Source(enum.StrEnum):
    """Where the evidence of a host comes from."""

    SSH = "ssh"
    LOCAL = "local"
    RECORDING = "recording"
    LOOSE = "loose"
    PASTE = "paste"
    SOSREPORT = "sosreport"
    LIBVIRT = "libvirt"
    TESTINFRA = "testinfra"


class Extent(enum.StrEnum):
    """How much of a present item was kept."""

    WHOLE = "whole"
    GREPPED = "grepped"  # whole lines, chosen by somebody
    ELIDED = "elided"  # parts left out, or nobody says that none were


class Quote(msgspec.Struct, frozen=True):
    """The very line that proves something, and the item that it stands in."""

    source: str
    line: str
    status: str = Status.PRESENT.value


class Lack(msgspec.Struct, frozen=True):
    """Evidence that cannot be relied on: its name, how its reading went, why, and how much is kept.

    As a string `dmesg: denied (run as root)`.
    """

    name: str
    status: Status
    detail: str = ""
    extent: Extent = Extent.WHOLE

    @property
    def lacking(self) -> tuple[Lack, ...]:
        """Itself."""
        return (self,)

    @property
    def why(self) -> str:
        """In words, why it cannot be relied on: `denied (run as root)`."""
        word = self.status.value
        if self.status is Status.PRESENT and self.extent is not Extent.WHOLE:
            word = f"only {self.extent.value}"
        elif self.status is Status.PRESENT and not self.detail:
            word = "does not tell"
        return f"{word} ({self.detail})" if self.detail else word

    def __str__(self) -> str:
        return f"{place(self.name)}: {self.why}"


#: Names of items that are paths; the others are names of commands.
_PATH = re.compile(r"(?:boot|dev|efi|etc|lib|proc|run|sys|usr|var)/")


def place(name: str) -> str:
    """An item's name as a person reads it: a path with its slash, a command as it is."""
    return f"/{name}" if _PATH.match(name) else name


class Item(msgspec.Struct, frozen=True):
    """One named raw item.

    `data` holds what was read, also where the reading ended badly: what came before a hang or a
    cut is judged, and `whole` tells that there may have been more. `unasked` are the patterns of
    paths in a tree (`*/speed`) that the reading did not ask for: it is whole without them.
    """

    name: str
    status: Status
    data: bytes = b""
    detail: str = ""
    extent: Extent = Extent.WHOLE
    unasked: tuple[str, ...] = ()

    @property
    def text(self) -> str:
        """The bytes as text, of a cut item without the line that the cut went through.

        That line proves nothing: `3` may have been `38`. What is not UTF-8 is shown as `\\xNN`.
        """
        whole = self.status is Status.PRESENT
        data = self.data if whole else self.data[: self.data.rfind(b"\n") + 1]
        return data.decode("utf-8", "backslashreplace")

    @property
    def lines(self) -> list[str]:
        """The lines that were read to their end."""
        lines = self.text.split("\n")
        return lines if self.status is Status.PRESENT else lines[:-1]

    @property
    def whole(self) -> bool:
        """Nothing is missing: the item was read to its end, or is known not to exist."""
        if self.status is Status.ABSENT:
            return True
        return self.status is Status.PRESENT and self.extent is Extent.WHOLE

    @property
    def lack(self) -> Lack:
        """The item as evidence that does not suffice, also where it is whole and does not tell."""
        return Lack(self.name, self.status, self.detail, self.extent)

    @property
    def lacking(self) -> tuple[Lack, ...]:
        """Itself, unless it is whole or known not to exist."""
        return () if self.whole else (self.lack,)

    @property
    def unread(self) -> tuple[Lack, ...]:
        """Itself, unless it is there and whole: for what every host has, or what a tool prints."""
        return () if self.whole and self.status is Status.PRESENT else (self.lack,)

    def quote(self, line: str = "") -> Quote:
        """A line of this item, as proof."""
        return Quote(self.name, line, self.status.value)


class Missing(Exception):
    """Evidence that a fact needs was not read, or not to its end.

    Raised by facts, turned into an *unknown* by the engine. Carries what is lacking, each once.
    """

    def __init__(self, *lacking: Lack | Item) -> None:
        lacks = (one.lack if isinstance(one, Item) else one for one in lacking)
        self.lacking: tuple[Lack, ...] = tuple(dict.fromkeys(lacks))
        super().__init__(*self.lacking)

    def __str__(self) -> str:
        return "; ".join(map(str, self.lacking))


def asked(lacking: Iterable[Lack]) -> tuple[Lack, ...]:
    """What the reading asked for, of what is lacking.

    What a recording is too old to have says nothing of the host, and makes nothing unknown:

    - a fact lacks what was asked for (denied, cut, not collected ...): *unknown*;
    - it lacks only what was not asked for: the check is left out, as *skip*, and never a pass;
    - it lacks both: *unknown*, for what was asked for, as it was before the younger item was there.
    """
    return tuple(lack for lack in lacking if lack.status is not Status.NOT_ASKED)


class Evidence(msgspec.Struct, frozen=True):
    """All items of one host.

    `collected` is the UTC time of the reading as `YYYY-MM-DDTHH:MM:SSZ`, or None where nobody
    knows. `live` is True when the host was read by this run. `unasked` are the names of the items
    and folders that whoever read the host could not ask for: their probe is older.
    """

    host: str
    source: Source
    items: Mapping[str, Item] = msgspec.field(default_factory=lambda: MappingProxyType({}))
    collected: str | None = None
    live: bool = False
    unasked: frozenset[str] = frozenset()

    def item(self, name: str) -> Item:
        """The item of that name; *not collected* or *not asked for* if nobody looked for it."""
        found = self.items.get(name)
        if found is not None:
            return found
        if self.unasked and not self.unasked.isdisjoint({name, name[: name.rfind("/") + 1]}):
            return Item(name, Status.NOT_ASKED, detail="the recording is older")
        below = f"{name}/"
        parts = (one.removeprefix(below) for one in self.unasked if one.startswith(below))
        return Item(name, Status.NOT_COLLECTED, unasked=tuple(sorted(parts)))

    def read(self, name: str) -> str | None:
        """The whole text of an item, None where it is known not to exist.

        Raises Missing unless the item is whole.
        """
        item = self.item(name)
        if not item.whole:
            raise Missing(item)
        return None if item.status is Status.ABSENT else item.text

    def text(self, name: str) -> str:
        """The whole text of an item that has to exist. Raises Missing, also when it is absent."""
        text = self.read(name)
        if text is None:
            raise Missing(self.item(name))
        return text

    def seen(self, *names: str) -> Iterator[Item]:
        """Those of the named items that have any content, whole or not."""
        for name in names:
            item = self.item(name)
            if item.data:
                yield item

    def under(self, directory: str) -> tuple[Item, ...]:
        """The items of a directory's files, sorted by name; `directory` ends with a slash.

        Raises Missing unless the directory's listing is whole. A listed file that was not read
        comes back with its own status. An absent directory has no files.
        """
        listing = self.read(directory)
        if listing is None:
            return ()
        return tuple(
            self.item(directory + name) for name in sorted(filter(None, listing.split("\n")))
        )

    def without(self, names: Iterable[str]) -> Evidence:
        """The same evidence as if these items had never been looked for."""
        gone = set(names)
        kept = {name: item for name, item in self.items.items() if name not in gone}
        return msgspec.structs.replace(self, items=MappingProxyType(kept))


#: `a/b=c` is cut at the first mark in the line that is not its first character.
_MARKED = re.compile(r"^([^\n]+?)(=|->|!)(.*)$", re.MULTILINE)


class Tree(msgspec.Struct, frozen=True):
    """A folder of small files and links that was read in one go (`sys/bus/pci/devices`).

    The item's text has one line for each thing found, `PATH=VALUE` for a line of a file (a file
    of several lines repeats its path), `PATH->TARGET` for a link, `PATH!STATUS` for a file that
    could not be read. What has no line does not exist, provided the item is whole. Of a cut item
    the last path may have had more lines, so it counts as not read.
    """

    item: Item
    values: Mapping[str, str]
    links: Mapping[str, str]
    unread: Mapping[str, str]

    @classmethod
    def of(cls, item: Item) -> Tree:
        """Parse an item's text. Lines of no known form are left out."""
        values: dict[str, str] = {}
        links: dict[str, str] = {}
        unread: dict[str, str] = {}
        long: dict[str, list[str]] = {}  # files of several lines, joined once
        found = _MARKED.findall("\n".join(item.lines))
        for path, mark, rest in found:
            if mark == "->":
                links[path] = rest
            elif mark == "!":
                unread[path] = rest
            elif path in values:
                long.setdefault(path, [values[path]]).append(rest)
            else:
                values[path] = rest
        values.update((path, "\n".join(rests)) for path, rests in long.items())
        if (
            found
            and item.status is not Status.PRESENT
            and values.pop(found[-1][0], None) is not None
        ):
            unread[found[-1][0]] = item.status.value
        return cls(item, values, links, unread)

    def get(self, path: str) -> str | None:
        """A file's text; None where it does not exist. Raises Missing where nobody knows."""
        if path in self.values:
            return self.values[path]
        self._must_be_absent(path)
        return None

    def link(self, path: str) -> str | None:
        """A link's target; None where it does not exist. Raises Missing where nobody knows."""
        if path in self.links:
            return self.links[path]
        self._must_be_absent(path)
        return None

    def quote(self, path: str) -> Quote:
        """The line of a path, as proof."""
        if path in self.values:
            line = self.values[path]
        elif path in self.links:
            line = f"-> {self.links[path]}"
        else:
            line = f"({self.unread.get(path, 'absent')})"
        return Quote(f"{self.item.name}/{path}", line, self.item.status.value)

    def lacks(self, path: str) -> Lack | None:
        """What was not read and might tell of a path; None where its absence would be known."""
        name = f"{self.item.name}/{path}"
        if path in self.unread:
            return Lack(name, _status(self.unread[path]))
        if any(_fits(pattern, path) for pattern in self.item.unasked):
            return Lack(name, Status.NOT_ASKED, "the recording is older")
        return None if self.item.whole else self.item.lack

    def _must_be_absent(self, path: str) -> None:
        lacking = self.lacks(path)
        if lacking is not None:
            raise Missing(lacking)


def _fits(pattern: str, path: str) -> bool:
    """As in the shell: a `*` stands for no slash."""
    wanted, parts = pattern.split("/"), path.split("/")
    return len(wanted) == len(parts) and all(map(fnmatchcase, parts, wanted))


def _status(word: str) -> Status:
    try:
        return Status(word)
    except ValueError:
        return Status.FAILED
