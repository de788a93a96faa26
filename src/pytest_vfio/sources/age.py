"""What a recording could not ask for, because its probe is older than the table of items.

A probe says what it knows as `0.1 NAME...`: all items of the first release, and each that is
younger. One that says nothing is of the first release.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from types import MappingProxyType

from msgspec.structs import replace

from pytest_vfio.evidence import Evidence
from pytest_vfio.sources.items import ROWS
from pytest_vfio.sources.row import FIRST, Row


def known(rows: Iterable[Row], *, but: frozenset[str] = frozenset()) -> str:
    """How a probe of these rows says what it knows."""
    return " ".join((FIRST, *(name for name in _younger(rows) if name not in but)))


def unasked(said: str) -> frozenset[str]:
    """The names that a probe did not know which says this of itself."""
    return frozenset(_younger(ROWS)).difference(said.split())


def older(evidence: Evidence, names: frozenset[str]) -> Evidence:
    """The same evidence, from a probe that did not know these names."""
    items = dict(evidence.items)
    for row in ROWS:
        parts = tuple(path for path in _parts(row) if f"{row.name}/{path}" in names)
        if parts and row.name in items:
            items[row.name] = replace(items[row.name], unasked=parts)
    return replace(evidence, items=MappingProxyType(items), unasked=names)


def _younger(rows: Iterable[Row]) -> Iterator[str]:
    """The names of all that came after the first release."""
    for row in rows:
        if row.live and row.since != FIRST:
            yield row.name
        yield from (f"{row.name}/{path}" for path in _parts(row))


def _parts(row: Row) -> Iterator[str]:
    """The patterns of a tree that came later than itself."""
    for part in row.parts:
        if part.since not in {"", row.since}:
            yield from (path.removeprefix("./") for path in part.paths)
