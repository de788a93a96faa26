"""What the host has on a PCI function without living on it: addresses, bridge ports, volumes.

The host would outlive the function, but these go with it, and a held disk makes the unbind hang.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

import msgspec

from pytest_vfio.evidence import Quote
from pytest_vfio.facts.tristate import require

if TYPE_CHECKING:
    from pytest_vfio.hypervisor.hypervisor import Hypervisor


class Held(msgspec.Struct, frozen=True):
    """One thing of the host on a function: network or storage, in words, and what proves it."""

    kind: str
    what: str
    quote: Quote


def held(hypervisor: Hypervisor, function: str) -> tuple[Held, ...]:
    """What the host has on a function.

    What is certain is returned although something else was not read; raises Missing only where
    nothing was found and something may be hidden.
    """
    found = (*_interfaces(hypervisor, function), *_volumes(hypervisor, function))
    if not found:
        _must_be_read(hypervisor)
    return found


def _interfaces(hypervisor: Hypervisor, function: str) -> Iterator[Held]:
    network = hypervisor.network
    addresses = hypervisor.evidence.item("ip/addr")
    tree = hypervisor.evidence.item("sys/class/net")
    for link in network.on(function):
        for address in link.routable:
            yield Held(
                "network", f"{link.name} has {address}", addresses.quote(f"{link.name} {address}")
            )
        for upper in network.uppers(link.name):
            yield Held(
                "network",
                f"{link.name} belongs to {upper}",
                tree.quote(f"{upper}/lower_{link.name}"),
            )


def _volumes(hypervisor: Hypervisor, function: str) -> Iterator[Held]:
    blocks = hypervisor.storage.blocks
    item = hypervisor.evidence.item("sys/class/block")
    for name in blocks.on(function):
        for holder in blocks.holders(name):
            words = f"{name} is held by {blocks.title(holder)}"
            yield Held("storage", words, item.quote(f"{holder}/slaves/{name}"))


def _must_be_read(hypervisor: Hypervisor) -> None:
    net, addresses = (hypervisor.evidence.item(name) for name in ("sys/class/net", "ip/addr"))
    require(*net.unread, *addresses.unread, hypervisor.storage.blocks)
