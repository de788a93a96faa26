"""Pasted listings of IOMMU groups, of any of the shapes that people's scripts print.

    IOMMU Group 1 00:01.0 PCI bridge [0604]: Intel Corporation ... [8086:1901] (rev 07)

    IOMMU Group 2:
            00:02.0 VGA compatible controller [0300]: ...

    /sys/kernel/iommu_groups/1/devices/0000:00:01.0

    Group:  1   [8086:1901]     00:01.0  PCI bridge        Xeon E3 ...

    /sys/kernel/iommu_groups/7/devices:
    lrwxrwxrwx 1 root root 0 Jan  1 00:00 0000:00:1c.0 -> ../../../../devices/pci0000:00/...

A header names the group, every address behind it, in its own line or in the lines below, is a
member, until a line that has neither. Kernel log lines are no listings.
"""

from __future__ import annotations

import re
from collections.abc import Iterator

import msgspec

from pytest_vfio.evidence import Item
from pytest_vfio.facts.pci.views import Known, LspciView, View
from pytest_vfio.parse import lspci
from pytest_vfio.parse.pciaddress import PATTERN, address

ITEM = "listing/iommu_groups"

_PATH = re.compile(rf"iommu_groups/([0-9]{{1,9}})/devices(?:/({PATTERN})(?![0-9a-f.:])|:?\s*$)")
_HEADER = re.compile(
    r"[\s#>*│├└─|+-]*(?:IOMMU[ _-]?)?Group[ \t:#=]*([0-9]{1,9})\b(.*)", re.IGNORECASE
)
_MEMBER = re.compile(rf"(?:^|[\s\[(])({PATTERN})(?=[\s\])]|$)")
_LOG = re.compile(r"^\s*\[ *[0-9]+\.[0-9]+\]|\bkernel:|Adding to iommu group|Adding device")


class Listed(msgspec.Struct):
    """One member of one group: the line that says so, and lspci's own text of it."""

    group: int
    address: str
    line: str
    text: list[str]


def parse(text: str) -> tuple[Listed, ...]:
    """All members of all groups of a text, in its order.

    >>> [(m.group, m.address) for m in parse("IOMMU Group 1 00:01.0 PCI bridge [0604]: Intel")]
    [(1, '0000:00:01.0')]
    """
    return tuple(_members(text))


def _members(text: str) -> Iterator[Listed]:
    group: int | None = None
    last: Listed | None = None
    for line in text.splitlines():
        if _LOG.search(line):
            continue
        named, rest = _named(line)
        group = group if named is None else named
        found = _MEMBER.search(rest.partition("->")[0])
        where = address(found.group(1)) if found else None
        if found is not None and where is not None and group is not None:
            if last is not None:
                yield last
            last = Listed(group, where, line.strip(), [rest[found.start(1) :]])
        elif named is None and _belongs(line):
            if last is not None:
                last.text.append(line)
        elif named is None and line.strip():
            group = None
    if last is not None:
        yield last


def _named(line: str) -> tuple[int | None, str]:
    """The group that a line names, if any, and where a member may stand."""
    path = _PATH.search(line)
    if path is not None:
        return int(path.group(1)), path.group(2) or ""
    header = _HEADER.match(line)
    return (None, line) if header is None else (int(header.group(1)), header.group(2))


def _belongs(line: str) -> bool:
    """A line that may stand between members: what lspci prints below one, and `total 0`."""
    return lspci.continues(line) or line.startswith("total ")


def views(item: Item) -> Iterator[tuple[str, View]]:
    """What a listing says of each function: its group, and what lspci printed beside it."""
    for listed in parse(item.text):
        yield listed.address, _ListingView(item, listed)
        blocks = lspci.parse("\n".join(listed.text))
        if blocks:
            yield listed.address, LspciView(item, blocks, shows_drivers=False)


class _ListingView(msgspec.Struct, frozen=True):
    item: Item
    listed: Listed

    def look(self, field: str) -> Known | None:
        if field != "group":
            return None
        return Known(self.listed.group, self.item.quote(self.listed.line))
