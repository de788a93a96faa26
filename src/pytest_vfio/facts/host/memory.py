"""Memory, hugepages and NUMA nodes of the host.

Sources: `proc/meminfo` (Documentation/filesystems/proc.rst) and the tree
`sys/devices/system/node` (Documentation/ABI/stable/sysfs-devices-node). Sizes are KiB.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from functools import cached_property

import msgspec

from pytest_vfio.evidence import Evidence, Lack, Missing, Quote, Status, Tree
from pytest_vfio.facts.tristate import require

_POOL = re.compile(r"node([0-9]{1,4})/hugepages/hugepages-([0-9]{1,9})kB/nr_hugepages")
_COUNT = re.compile(r"[0-9]{1,12}")
_MAX_CPU = 65535


class Node(msgspec.Struct, frozen=True):
    """One NUMA node: its CPUs, its memory in KiB, and hugepages as {page size in KiB: count}."""

    number: int
    cpus: frozenset[int]
    total: int | None
    hugepages: Mapping[int, int]


class Memory:
    """Memory and NUMA nodes of one host."""

    def __init__(self, evidence: Evidence) -> None:
        self._evidence = evidence

    @cached_property
    def total(self) -> int:
        """MemTotal in KiB."""
        found = re.search(r"^MemTotal:\s+([0-9]{1,15}) kB", self._meminfo, re.MULTILINE)
        if found is None:
            raise Missing(_failed("proc/meminfo", "no MemTotal line"))
        return int(found[1])

    @cached_property
    def total_quote(self) -> Quote:
        """The line of MemTotal."""
        return Quote("proc/meminfo", f"MemTotal: {self.total} kB")

    @cached_property
    def hugepages(self) -> Mapping[int, int]:
        """{default page size in KiB: pages in the pool} over all nodes."""
        size = re.search(r"^Hugepagesize:\s+([0-9]{1,9}) kB", self._meminfo, re.MULTILINE)
        count = re.search(r"^HugePages_Total:\s+([0-9]{1,12})$", self._meminfo, re.MULTILINE)
        if size is None or count is None:
            return {}  # a kernel without CONFIG_HUGETLBFS prints neither
        return {int(size[1]): int(count[1])}

    @cached_property
    def nodes(self) -> Mapping[int, Node]:
        """The NUMA nodes that are online. An absent folder is a kernel without NUMA: one node."""
        tree = self._tree
        if tree.item.status is Status.ABSENT:
            return {0: Node(0, frozenset(), None, {})}
        require(*tree.item.unread)
        online = tree.get("online")
        if not online or not cpulist(online):
            raise Missing(_failed("sys/devices/system/node", "no list of nodes"))
        return {number: self._node(number) for number in sorted(cpulist(online))}

    @property
    def online(self) -> Quote:
        """The line that lists the nodes."""
        return self._tree.quote("online")

    @cached_property
    def _tree(self) -> Tree:
        return Tree.of(self._evidence.item("sys/devices/system/node"))

    @cached_property
    def _meminfo(self) -> str:
        return self._evidence.text("proc/meminfo")

    def _node(self, number: int) -> Node:
        tree = self._tree
        folder = f"node{number}/"
        found = re.search(r"MemTotal:\s+([0-9]{1,15}) kB", tree.get(f"{folder}meminfo") or "")
        for path in tree.unread:
            if path.startswith(folder) and _POOL.fullmatch(path):
                tree.get(path)  # raises: nobody knows what the pool holds
        pools = [(_POOL.fullmatch(path), count) for path, count in tree.values.items()]
        return Node(
            number,
            cpulist(tree.get(f"{folder}cpulist") or ""),
            int(found[1]) if found else None,
            {
                int(match[2]): int(count)
                for match, count in pools
                if match and int(match[1]) == number and _COUNT.fullmatch(count.strip())
            },
        )


def cpulist(text: str) -> frozenset[int]:
    """The numbers of a kernel list such as `0-3,8` (lib/bitmap.c); other parts are left out.

    >>> sorted(cpulist("0-2,8"))
    [0, 1, 2, 8]
    """
    spans: list[tuple[int, int]] = []
    for part in dict.fromkeys(text.strip().split(",")):
        match = re.fullmatch(r"\s*([0-9]{1,5})(?:-([0-9]{1,5}))?\s*", part)
        if match:
            spans.append((int(match[1]), min(int(match[2] or match[1]), _MAX_CPU)))
    found: list[int] = []
    for first, last in sorted(spans):  # in order, so that overlapping parts cost nothing
        found.extend(range(max(first, found[-1] + 1 if found else 0), last + 1))
    return frozenset(found)


def _failed(name: str, detail: str) -> Lack:
    return Lack(name, Status.FAILED, detail=detail)


def cpuset(text: str) -> frozenset[int]:
    """The numbers of a libvirt set, which has exclusions: `0-7,^3` (virBitmapParse).

    >>> sorted(cpuset("0-3,^2"))
    [0, 1, 3]
    """
    parts = [part.strip() for part in text.split(",")]
    kept = ",".join(part for part in parts if not part.startswith("^"))
    out = ",".join(part[1:] for part in parts if part.startswith("^"))
    return cpulist(kept) - cpulist(out)
