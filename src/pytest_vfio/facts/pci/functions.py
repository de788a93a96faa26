"""Every PCI function that is known, merged from all sources.

Sources in the order in which they are believed, field by field: sysfs, configuration bytes,
libvirt's node devices, lspci, pasted group listings. The list of functions is whole where sysfs or
libvirt's list or lspci's text was read to its end; what one of the others shows is known anyway.

A group's number in a listing is believed for the function, `groups` has the rest.
"""

from __future__ import annotations

from collections.abc import Mapping
from functools import cached_property
from types import MappingProxyType

from pytest_vfio.evidence import Evidence, Lack, Quote
from pytest_vfio.facts.pci import listings
from pytest_vfio.facts.pci.function import DISPLAY_CLASS, PciFunction, is_vfio_driver
from pytest_vfio.facts.pci.views import LSPCI, SYSFS, Sources, View, views
from pytest_vfio.facts.tristate import require
from pytest_vfio.parse import nodedevs
from pytest_vfio.parse.pciaddress import address, split

__all__ = ["DISPLAY_CLASS", "Pci", "PciFunction", "address", "is_vfio_driver"]

#: The items that list every function, where they were read to their end.
_LISTS = (SYSFS, nodedevs.ITEM, LSPCI)


class Pci:
    """All PCI functions of a host."""

    def __init__(self, evidence: Evidence) -> None:
        self.evidence = evidence
        self._sources = Sources(evidence)

    @cached_property
    def known(self) -> Mapping[str, PciFunction]:
        """The functions that were seen anywhere, by address, whether or not these are all."""
        found: dict[str, list[View]] = {}
        for where, view in views(self._sources):
            found.setdefault(where, []).append(view)
        for where, view in listings.views(self.evidence.item(listings.ITEM)):
            found.setdefault(where, []).append(view)
        return MappingProxyType(
            {
                where: PciFunction(where, tuple(found[where]), self._sources)
                for where in sorted(found, key=split)
            }
        )

    @cached_property
    def whole(self) -> bool:
        """Some source listed all functions, those among them that any other shows."""
        return any(self._lists_all(name) for name in _LISTS)

    @property
    def functions(self) -> Mapping[str, PciFunction]:
        """All functions, by address. Raises Missing unless the list is whole."""
        require(self)
        return self.known

    @property
    def lacking(self) -> tuple[Lack, ...]:
        """What would have to be read to know every function of the host."""
        return () if self.whole else (self.evidence.item(SYSFS).lack,)

    def get(self, where: str) -> PciFunction | None:
        """The function at an address; None where it is known that there is none.

        Raises Missing where the function was not seen and the list is not whole.
        """
        found = self.known.get(where)
        if found is None:
            require(self)
        return found

    def absence(self, where: str) -> Quote:
        """The proof that there is no such function: the list that does not have it."""
        name = next(filter(self._lists_all, _LISTS))
        return Quote(name, f"(no {where})", self.evidence.item(name).status.value)

    def siblings(self, function: PciFunction) -> tuple[PciFunction, ...]:
        """The other known functions of the same slot."""
        return self._others(function, 3)

    def bus_mates(self, function: PciFunction) -> tuple[PciFunction, ...]:
        """The other known functions of the same bus."""
        return self._others(function, 2)

    def _others(self, function: PciFunction, parts: int) -> tuple[PciFunction, ...]:
        place = self._places.get(split(function.address)[:parts], ())
        return tuple(one for one in place if one.address != function.address)

    @cached_property
    def _places(self) -> Mapping[tuple[int, ...], list[PciFunction]]:
        """The functions of each bus (domain, bus) and of each slot (domain, bus, slot)."""
        places: dict[tuple[int, ...], list[PciFunction]] = {}
        for where, function in self.known.items():
            numbers = split(where)
            for parts in (2, 3):
                places.setdefault(numbers[:parts], []).append(function)
        return places

    def likeness(self, function: PciFunction) -> object:
        """What two VFs of one PF must share to be judged as one; equal where they are alike.

        Raises Missing where something of it was not read, so that such VFs are judged one by one.
        """
        number = function.group
        return (
            function.id,
            function.driver,
            function.driver_override,
            function.numa_node,
            number is None or self._crowds.get(number, ()),
            function.resettable,
            function.power_state,
            function.knows("config") and function.config.dead,
        )

    @cached_property
    def _crowds(self) -> Mapping[int, tuple[str, ...]]:
        """The members of each group that has several."""
        members: dict[int, list[str]] = {}
        for where, function in self.known.items():
            if function.knows("group") and function.group is not None:
                members.setdefault(function.group, []).append(where)
        return {group: tuple(ours) for group, ours in members.items() if len(ours) > 1}

    def _lists_all(self, name: str) -> bool:
        item = self.evidence.item(name)
        if not (item.whole and item.data):
            return False
        # libvirt may have missed a hot-plug, and a text may be of another day (F165)
        return name == SYSFS or set(self.known) <= self._sources.listed(name)
