"""The configuration of modprobe: what /etc/modprobe.d and its kin say, as kmod reads it.

Follows kmod's libkmod-config.c: the directories come in order of precedence, a file name found in
an earlier one hides the same name in a later one, all files that are left are read sorted by name,
`-` and `_` are the same in module names, a backslash at the end joins lines. Options of a module
add up in the order in which they are read; those of the kernel command line come last.
"""

from __future__ import annotations

from collections.abc import Iterator
from functools import cached_property

import msgspec

from pytest_vfio.evidence import Evidence, Item, Lack, Quote, Status
from pytest_vfio.parse.words import fold

#: In order of precedence (kmod 34: default_config_paths).
DIRECTORIES = (
    "etc/modprobe.d/",
    "run/modprobe.d/",
    "usr/local/lib/modprobe.d/",
    "usr/lib/modprobe.d/",
    "lib/modprobe.d/",
)


class Statement(msgspec.Struct, frozen=True):
    """One line of a modprobe.d file.

    `verb` is options, blacklist, softdep, install, remove, alias or weakdep; `module` is folded,
    except for an alias, whose first word is a pattern; `rest` is what follows.
    """

    verb: str
    module: str
    rest: str
    quote: Quote


class Softdep(msgspec.Struct, frozen=True):
    """`softdep MODULE pre: a b post: c`: what modprobe loads before and after a module."""

    module: str
    pre: tuple[str, ...]
    post: tuple[str, ...]
    quote: Quote


class Modprobe:
    """All files of modprobe's configuration."""

    def __init__(self, evidence: Evidence) -> None:
        self.evidence = evidence

    @cached_property
    def _read(self) -> tuple[dict[str, Item], tuple[Lack, ...]]:
        """The files in force by name, and the items that stand between us and knowing all."""
        files: dict[str, Item] = {}
        missing: list[Lack] = []
        for directory in DIRECTORIES:
            listing = self.evidence.item(directory)
            names = set(filter(None, listing.lines))
            names |= {
                name.removeprefix(directory)
                for name in self.evidence.items
                if name.startswith(directory) and name != directory
            }
            missing.extend(listing.lacking)
            for name in sorted(names):
                if name.endswith(".conf") and "/" not in name:
                    item = self.evidence.item(directory + name)
                    if item.status is not Status.ABSENT:
                        files.setdefault(name, item)
        missing.extend(lack for _, item in sorted(files.items()) for lack in item.lacking)
        return files, tuple(missing)

    @property
    def lacking(self) -> tuple[Lack, ...]:
        """What was not read, or not to its end; empty where all is known."""
        return self._read[1]

    @cached_property
    def known(self) -> tuple[Statement, ...]:
        """Every statement that was read, in kmod's order, whether or not there are more."""
        files = self._read[0]
        return tuple(
            statement for _, item in sorted(files.items()) for statement in _statements(item)
        )

    def of(self, verb: str, module: str | None = None) -> tuple[Statement, ...]:
        """The known statements of a verb, of one module if one is named."""
        wanted = None if module is None else fold(module)
        return tuple(
            statement
            for statement in self.known
            if statement.verb == verb and wanted in (None, statement.module)
        )

    @cached_property
    def softdeps(self) -> tuple[Softdep, ...]:
        """The known soft dependencies."""
        return tuple(softdep(statement) for statement in self.of("softdep"))


def softdep(statement: Statement) -> Softdep:
    """The parts of a softdep line; words before `pre:` or `post:` mean nothing to kmod."""
    pre: list[str] = []
    post: list[str] = []
    into: list[str] | None = None
    for word in statement.rest.split():
        if word in ("pre:", "post:"):
            into = pre if word == "pre:" else post
        elif into is not None:
            into.append(fold(word))
    return Softdep(statement.module, tuple(pre), tuple(post), statement.quote)


def _statements(item: Item) -> Iterator[Statement]:
    joined = ""
    for line in item.lines:
        joined += line.rstrip("\r")
        if joined.endswith("\\"):
            joined = joined[:-1]
            continue
        text, joined = joined, ""
        words = text.split(None, 2)
        if len(words) < 2 or words[0].startswith("#"):
            continue
        verb, module = words[0], words[1]
        name = module if verb == "alias" else fold(module)
        yield Statement(verb, name, words[2] if len(words) > 2 else "", item.quote(text.strip()))
