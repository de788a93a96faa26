"""Pools of VFs: what a libvirt network of forward mode hostdev has, and who takes from it.

Follows `networkAllocatePort()` of libvirt's `src/network/bridge_driver.c`: the VFs are those of the
PF that `<pf dev=>` names, or the addresses that the network lists; each interface takes one.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import msgspec

from pytest_vfio.evidence import Item, Missing
from pytest_vfio.facts.pci.views import SYSFS

if TYPE_CHECKING:
    from pytest_vfio.facts.libvirt.daemon import Network
    from pytest_vfio.hypervisor.hypervisor import Hypervisor


class Pool(msgspec.Struct, frozen=True):
    """A network with its VFs (None: not known, `lacking` says why) and its takers.

    `takers` has a guest's name once for each interface that it takes: guests that are known to run
    or to start by themselves.
    """

    network: Network
    vfs: tuple[str, ...] | None
    takers: tuple[str, ...]
    lacking: tuple[Item, ...]


def of(hypervisor: Hypervisor, network: Network) -> Pool:
    """The pool behind a network."""
    lacking: tuple[Item, ...] = ()
    vfs: tuple[str, ...] | None = None
    try:
        vfs = network.addresses or _virtual(hypervisor, network.pf)
    except Missing as missing:
        lacking = missing.items
    return Pool(network, vfs, _takers(hypervisor, network.name), lacking)


def _takers(hypervisor: Hypervisor, network: str) -> tuple[str, ...]:
    """The stored definition names the network; the live one already has the VF instead."""
    takers: list[str] = []
    for domain in hypervisor.guests.known:
        if domain.running or domain.autostart:
            counts = [
                sum(name == network for name, _ in document.networks)
                for document in domain.documents
            ]
            takers.extend([domain.name] * max(counts, default=0))
    return tuple(takers)


def _virtual(hypervisor: Hypervisor, netdev: str | None) -> tuple[str, ...]:
    """The VFs of the PF with that interface. Raises Missing where no known function has it."""
    unread: dict[str, Item] = {}
    for function in hypervisor.pci.known.values():
        try:
            if netdev in function.netdevs:
                return function.virtfns
        except Missing as missing:
            unread.update((item.name, item) for item in missing.items)
    if unread:
        raise Missing(*unread.values())
    if not hypervisor.pci.whole:
        raise Missing(hypervisor.evidence.item(SYSFS))
    return ()
