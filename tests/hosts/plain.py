"""Small builders for evidence in tests."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType

from pytest_vfio.declared import Declared
from pytest_vfio.evidence import Evidence, Extent, Item, Source, Status
from pytest_vfio.hypervisor.hypervisor import Hypervisor


def item(name: str, what: str | bytes | Status | Item | None) -> Item:
    """Text or bytes are present and whole, None is absent, a Status is itself."""
    if isinstance(what, Item):
        return what
    if what is None:
        return Item(name, Status.ABSENT)
    if isinstance(what, Status):
        return Item(name, what)
    data = what.encode("utf-8", "surrogateescape") if isinstance(what, str) else what
    return Item(name, Status.PRESENT, data)


def grepped(name: str, text: str) -> Item:
    """Lines that somebody chose out of an item."""
    return Item(name, Status.PRESENT, text.encode(), extent=Extent.GREPPED)


def evidence(
    items: Mapping[str, str | bytes | Status | Item | None], host: str = "testhost"
) -> Evidence:
    """Evidence of a host from `{name: content}`; see `item` for what a content may be."""
    return Evidence(
        host,
        Source.RECORDING,
        MappingProxyType({name: item(name, what) for name, what in items.items()}),
    )


def hypervisor(
    items: Mapping[str, str | bytes | Status | Item | None],
    declared: Declared | None = None,
    host: str = "testhost",
) -> Hypervisor:
    """A hypervisor of which exactly these items were read."""
    return Hypervisor(evidence(items, host), declared)
