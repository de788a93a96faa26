"""What there is of the paths that guests, hooks and VFIO's nodes name, and who may read them.

Source: `paths`, a line each, `-rw-r--r-- 0 64055 1767323045 var/lib/x` (the time when it was
written may be left out) or `absent var/lib/x`, with all folders above; `users/qemu`, what id(1)
says of the user QEMU runs as (libvirt's qemu.conf: `user`).
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from functools import cached_property

import msgspec

from pytest_vfio.evidence import Evidence, Missing, Quote

ITEM, USERS = "paths", "users/qemu"
_LINE = re.compile(r"([-a-zA-Z?.+]{10,11}) (\d{1,10}) (\d{1,10}) (?:(\d{1,12}) )?(.+)")
_USER = re.compile(r"uid=(\d{1,10})\(([^)\n]{1,64})\) gid=(\d{1,10})")
_GROUPS = re.compile(r"[=,](\d{1,10})\(")
#: Which letters of the mode are whose.
_OWNER, _GROUP, _OTHER = 1, 4, 7


class Node(msgspec.Struct, frozen=True):
    """One path: type and permissions as ls prints them, owner and group by number.

    `written` is when, in seconds since 1970; None where it was not told.
    """

    path: str
    mode: str
    owner: int
    group: int
    written: int | None
    quote: Quote

    @property
    def is_folder(self) -> bool:
        """A directory."""
        return self.mode[0] == "d"

    def lets(self, user: User, letter: str) -> bool:
        """The permission bits give a user `r` or `x`; root needs no `r`."""
        if user.uid == 0:
            return letter == "r" or self.is_folder or "x" in self.mode
        place = _OTHER
        if user.uid == self.owner:
            place = _OWNER
        elif self.group in user.groups:
            place = _GROUP
        return letter in self.mode[place : place + 3].lower().replace("s", "x").replace("t", "x")


class User(msgspec.Struct, frozen=True):
    """A user as id(1) tells."""

    name: str
    uid: int
    groups: frozenset[int]
    quote: Quote


class Paths:
    """The paths of one host that were asked for."""

    def __init__(self, evidence: Evidence) -> None:
        self._item = evidence.item(ITEM)
        self._users = evidence.item(USERS)

    @cached_property
    def _known(self) -> Mapping[str, Node | None]:
        found: dict[str, Node | None] = {}
        for line in self._item.lines:
            match = _LINE.fullmatch(line)
            if line.startswith("absent "):
                found[line.removeprefix("absent ")] = None
            elif match:
                quote = self._item.quote(line[:400])
                written = int(match[4]) if match[4] else None
                owner, group = int(match[2]), int(match[3])
                found[match[5]] = Node(match[5], match[1], owner, group, written, quote)
        return found

    def node(self, path: str) -> Node | None:
        """What stands at an absolute path; None where it does not exist. Raises Missing."""
        name = re.sub(r"/+", "/", path).strip("/")
        if name not in self._known:
            raise Missing(self._item)
        return self._known[name]

    def absence(self, path: str) -> Quote:
        """The line that says that a path does not exist."""
        return self._item.quote(f"absent {path.strip('/')}"[:400])

    def closed(self, path: str, user: User) -> Node | None:
        """The first folder on the way to a path that a user may not pass. Raises Missing."""
        parts = path.strip("/").split("/")[:-1]
        for end in range(1, len(parts) + 1):
            node = self.node("/".join(parts[:end]))
            if node is not None and not node.lets(user, "x"):
                return node
        return None

    @cached_property
    def users(self) -> Mapping[str, User]:
        """The users that exist of those that were asked for. Raises Missing."""
        if not self._users.whole:
            raise Missing(self._users)
        found: dict[str, User] = {}
        for line in self._users.lines:
            match = _USER.match(line)
            if match:
                groups = {int(match[3]), *map(int, _GROUPS.findall(line.partition(" gid=")[2]))}
                quote = self._users.quote(line[:400])
                found[match[2]] = User(match[2], int(match[1]), frozenset(groups), quote)
                found.setdefault(match[1], found[match[2]])
        return found

    @property
    def users_quote(self) -> Quote:
        """What id(1) printed."""
        return self._users.quote(self._users.text.strip()[:400] or "(nobody)")
