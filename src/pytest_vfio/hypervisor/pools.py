"""Pools of VFs: what a libvirt network of forward mode hostdev has, and who takes from it.

Follows `networkAllocatePort()` of libvirt's `src/network/bridge_driver.c`: the VFs are those of the
PF that `<pf dev=>` names, or the addresses that the network lists; each interface takes one.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import msgspec

from pytest_vfio.evidence import Lack
from pytest_vfio.facts.tristate import ask, first

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
    lacking: tuple[Lack, ...]


def of(hypervisor: Hypervisor, network: Network) -> Pool:
    """The pool behind a network."""
    vfs, lacking = ask(lambda: network.addresses or _virtual(hypervisor, network.pf))
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
    pci = hypervisor.pci
    function = first(pci.known.values(), lambda one: netdev in one.netdevs, pci)
    return () if function is None else function.virtfns
