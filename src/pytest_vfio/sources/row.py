"""What one row of the table of evidence items says, and the words in which `items` says it."""

from __future__ import annotations

import enum
from functools import partial

import msgspec

ANYBODY, ROOT = "anybody", "root"
#: No item is of use that is longer, in bytes; the probe keeps as much (`max` in its writer).
MOST = 8 << 20
#: The release whose recordings do not say yet what their probe knew.
FIRST = "0.1"


class How(enum.Enum):
    """The way in which the probe reads an item."""

    FILE = "file"
    FOLDER = "folder"  # the names of its files, and the files
    LISTING = "listing"  # the names of its files alone
    KERNEL = "kernel"  # a file whose place depends on the kernel that runs
    TREE = "tree"  # small files and links, see `Part`
    COMMAND = "command"
    OWN = "own"  # by a function of the probe that knows how
    NEVER = "never"  # not on a host: others hand it over


class Part(msgspec.Struct, frozen=True):
    """What is read below a tree's folder: patterns of paths, each with the same mode.

    `names` are the paths that exist, `values` the contents of files, `links` where links lead.
    `flat` are values where no path has a slash. What is answered from a PCI device's own registers
    is `awake`, read only where reading wakes nothing; what waits for the device's lock is `locked`.
    A part that came later than its tree says `since` which release.
    """

    mode: str
    paths: tuple[str, ...]
    since: str = ""


class Row(msgspec.Struct, frozen=True):
    """One item, or a folder's listing with the items of its files.

    `right` is what it usually takes to read it: anybody or root. `limit` is in seconds. `source` is
    the file or the command, as a person would type it, where the name does not tell. `pattern`
    chooses the files of a folder. `ok` are exit codes of a command beyond 0 that mean success, and
    `only` is who has to run for it to be asked. `function` is the probe's own that reads it.
    `waits` names what it may wait for inside the kernel, deaf to signals: items in a row that wait
    for the same are read by a process that can be left behind.

    `loose` is the name under which people send it. `sos` is where a sosreport has it, by kind:
    further places of a file; what the manifest says was asked for where a folder is whole; the
    places of a tree; those of a command's output, the fullest first; or the outputs that are a
    document each (`..._*`) and the table that names them all. `secrets` is False where no password
    can stand, but bytes of hardware or names of files: a match there would be an accident. Of what
    is longer than `most` bytes no more is kept.
    `since` is the release whose probe was the first to know it; a part that came later has its own.
    """

    name: str
    how: How
    limit: int = 20
    right: str = ANYBODY
    source: str = ""
    pattern: str = ""
    parts: tuple[Part, ...] = ()
    ok: str = ""
    only: str = ""
    function: str = ""
    waits: str = ""
    loose: str = ""
    sos: tuple[str, ...] = ()
    secrets: bool = True
    most: int = MOST
    since: str = FIRST

    @property
    def live(self) -> bool:
        """The probe reads it."""
        return self.how is not How.NEVER

    @property
    def inside(self) -> str:
        """The pattern of the items of a folder's files; empty where they are not read."""
        return f"{self.name}{self.pattern}" if self.pattern else ""

    @property
    def typed(self) -> str:
        """The file or the command, as a person would type it."""
        if self.how is How.LISTING:
            return f"ls /{self.name}"
        return self.source or f"/{self.inside or self.name}"


def part(mode: str, paths: str, *, since: str = "") -> Part:
    """A part of a tree; `paths` are patterns with blanks between."""
    return Part(mode, tuple(paths.split()), since)


#: Rows by their kind.
file = partial(Row, how=How.FILE)
folder = partial(Row, how=How.FOLDER, pattern="*")
listing = partial(Row, how=How.LISTING)
kernel = partial(Row, how=How.KERNEL, function="kernel_files", secrets=False)
tree = partial(Row, how=How.TREE, limit=5)
command = partial(Row, how=How.COMMAND, limit=10)
own = partial(Row, how=How.OWN)
handed_over = partial(Row, how=How.NEVER)
