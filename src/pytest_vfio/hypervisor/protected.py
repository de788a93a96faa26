"""The PCI functions that the host itself lives on, each with the path that says why.

Built from what the network and the storage graph carry, and from the inventory's `protected`.
Nothing is ever free for want of evidence: `functions` and `path` raise Missing unless everything
that could stand on a function was read and resolved.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from functools import cached_property

from pytest_vfio.evidence import Lack, Quote
from pytest_vfio.facts.host.carrier import Use
from pytest_vfio.facts.host.network import Network
from pytest_vfio.facts.host.storage import Storage
from pytest_vfio.facts.pci.functions import DISPLAY_CLASS, Pci, PciFunction, is_vfio_driver
from pytest_vfio.facts.tristate import ask, known, require
from pytest_vfio.hypervisor.seat import Console


class Protected:
    """What must not be taken away from one host."""

    def __init__(
        self,
        declared: Iterable[str],
        pci: Pci,
        network: Network,
        storage: Storage,
        console: Console,
    ) -> None:
        self._named, self._pci = declared, pci
        self._network, self._storage = network, storage
        self.console = console  # the host's own screen and keyboard

    @property
    def functions(self) -> Mapping[str, str]:
        """All functions that the host lives on: address -> path. Raises Missing."""
        require(self, *self.console.all_lacking)
        return self.known

    @cached_property
    def known(self) -> Mapping[str, str]:
        """The functions that are known to carry something of the host: address -> path."""
        return {function: uses[0].path for function, uses in self.uses.items()}

    @cached_property
    def uses(self) -> Mapping[str, tuple[Use, ...]]:
        """Everything that is known to stand on each function, the inventory's word first."""
        found: dict[str, list[Use]] = {}
        for use in (*self._declared(), *self._seen()):
            found.setdefault(use.function, []).append(use)
        return {function: tuple(uses) for function, uses in found.items()}

    @cached_property
    def lacking(self) -> tuple[Lack, ...]:
        """What was not read or resolved of network and storage; empty where that is everything."""
        topics = (self._storage.lacking, self._network.lacking, self._physicals[1])
        return tuple(dict.fromkeys(item for items in topics for item in items))

    def path(self, address: str) -> str | None:
        """Why a function must not be taken away; None where it may. Raises Missing.

        State beats everything: nothing of the host runs on a function that a VFIO driver has, nor
        on one without a driver, save on a display, which the firmware's frame buffer shows.
        """
        found = self.known.get(address)
        if found is not None:
            return found
        function = self._pci.get(address)
        if function is None or out_of_use(function):
            return None
        require(*self._lacking_for(address), *self.console.lacking(function))
        return None

    def _lacking_for(self, address: str) -> tuple[Lack, ...]:
        """What could show that the host lives on a function.

        A tunnel or a pool that nobody resolved is no riddle for a function that has no active
        interface or no block device: whatever carries it, that one does not.
        """
        network, storage = self._network, self._storage
        found = [*network.unread, *storage.unread, *self._physicals[1]]
        if address in self._active:
            found += [*network.unresolved, *storage.remote]
        if storage.blocks.on(address):
            found += storage.unresolved
        return tuple(found)

    @cached_property
    def _active(self) -> frozenset[str]:
        """The functions by which packets leave, and those that carry these as VFs.

        Where nobody can tell which these are, all are.
        """
        active = self._network.active
        above = known(lambda: {self._physical(function) for function in active})
        if above is None:
            return frozenset(self._pci.known)
        return active | frozenset(address for address in above if address)

    def quotes(self, address: str) -> tuple[Quote, ...]:
        """The lines that prove that the host lives on a function."""
        quotes = [use.quote for use in self.uses.get(address, ())]
        return tuple(dict.fromkeys(quotes))[:4]

    def _declared(self) -> tuple[Use, ...]:
        quote = Quote("inventory", "protected")
        return tuple(
            Use("inventory", address, "protected by the inventory", (), quote)
            for address in self._named
        )

    def _seen(self) -> tuple[Use, ...]:
        return (*self._direct, *self._physicals[0], *self.console.uses)

    @cached_property
    def _direct(self) -> tuple[Use, ...]:
        return (*self._storage.uses, *self._network.uses)

    @cached_property
    def _physicals(self) -> tuple[tuple[Use, ...], tuple[Lack, ...]]:
        """A virtual function lives on its physical one; and what lacks for knowing which."""
        found: list[Use] = []
        lost: list[Lack] = []
        for use in self._direct:
            physical, lacking = ask(self._physical, use.function)
            lost.extend(lacking)
            if physical is not None:
                steps = (*use.steps, use.purpose)
                found.append(Use(use.kind, physical, f"VF {use.function}", steps, use.quote))
        return tuple(found), tuple(lost)

    def _physical(self, address: str) -> str | None:
        function = self._pci.get(address)
        return None if function is None else function.physfn


def out_of_use(function: PciFunction) -> bool:
    """No driver of the host is bound to a function; False also where nobody knows."""
    if not function.knows("driver"):
        return False
    if function.driver is not None:
        return is_vfio_driver(function.driver)
    return function.knows("class_code") and function.base_class != DISPLAY_CLASS
