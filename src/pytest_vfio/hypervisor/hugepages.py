"""What a guest wants of the host's hugepages, and what the pools hold.

A pool per page size: `nr_hugepages` of every node, or, for the default size, /proc/meminfo
(Documentation/admin-guide/mm/hugetlbpage.rst).
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import msgspec

from pytest_vfio.evidence import Lack, Missing, Quote, Status

if TYPE_CHECKING:
    from pytest_vfio.hypervisor.hypervisor import Hypervisor
    from pytest_vfio.parse.domainxml import DomainXml


class Need(msgspec.Struct, frozen=True):
    """Pages of `size` KiB: how many a guest wants, how many the host's pool has in all."""

    size: int
    wanted: int
    there: int
    quote: Quote


def of(hypervisor: Hypervisor, document: DomainXml) -> Need:
    """The first page size that a guest asks for; where it mixes sizes, it may need fewer of it.

    Raises Missing where the pools were not read.
    """
    memory = hypervisor.memory
    default = next(iter(memory.hugepages), None) if document.hugepages[0].size is None else None
    size = document.hugepages[0].size or default or 0
    mixed = len({page.size for page in document.hugepages}) > 1
    wanted = 0 if mixed else -(-(document.memory or 0) // max(size, 1))
    if size and size in memory.hugepages:
        return Need(size, wanted, memory.hugepages[size], Quote("proc/meminfo", "HugePages_Total"))
    if not size:
        raise Missing(Lack("proc/meminfo", Status.FAILED, detail="no default hugepage size"))
    there = sum(node.hugepages.get(size, 0) for node in memory.nodes.values())
    return Need(size, wanted, there, memory.online)
