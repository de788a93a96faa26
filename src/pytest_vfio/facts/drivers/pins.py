"""Addresses that the host pins to a driver at every boot: driverctl and udev rules.

driverctl keeps a file named for the address in `/etc/driverctl.d`, its content the driver's name
(driverctl(8)); people write udev rules that set `driver_override` (udev(7)). Both name a place,
not a device: after a card was moved they hit another one (F202).
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from functools import cached_property

import msgspec

from pytest_vfio.evidence import Evidence, Item, Lack, Quote, Status
from pytest_vfio.facts.tristate import ask, require
from pytest_vfio.parse.pciaddress import PATTERN, address

_DRIVERCTL = "etc/driverctl.d/"
_RULES = "etc/udev/rules.d/"
_OVERRIDE = re.compile(r'ATTR\{driver_override\}\s*=\s*"([^"\s]{1,64})"|driver_override')
_KERNEL = re.compile(rf'KERNELS?\s*==\s*"({PATTERN})"')


class Pin(msgspec.Struct, frozen=True):
    """One address that gets a driver at boot, and the line that says so."""

    address: str
    driver: str
    quote: Quote


class Pins:
    """The per-address settings of one host."""

    def __init__(self, evidence: Evidence) -> None:
        self._evidence = evidence

    @property
    def all(self) -> tuple[Pin, ...]:
        """All pins. Raises Missing where some are unknown."""
        require(self)
        return self.known

    @cached_property
    def known(self) -> tuple[Pin, ...]:
        """The pins that were read."""
        return (*self._driverctl(), *(one for one in self._rules if isinstance(one, Pin)))

    @cached_property
    def lacking(self) -> tuple[Lack, ...]:
        """What was not read, and rules whose device nobody can tell."""
        return (
            *self._unread(_DRIVERCTL),
            *self._unread(_RULES),
            *(one for one in self._rules if isinstance(one, Lack)),
        )

    def of(self, where: str) -> Pin | None:
        """The pin of an address, if one was read."""
        return self._by_address.get(where)

    @cached_property
    def _by_address(self) -> Mapping[str, Pin]:
        return {pin.address: pin for pin in reversed(self.known)}

    def _driverctl(self) -> Iterator[Pin]:
        for item in self._files(_DRIVERCTL):
            where = address(item.name.removeprefix(_DRIVERCTL))
            driver = item.text.strip()
            if where and driver:
                yield Pin(where, driver[:64], item.quote(driver))

    @cached_property
    def _rules(self) -> tuple[Pin | Lack, ...]:
        return tuple(
            found
            for item in self._files(_RULES)
            for line in item.text.replace("\\\n", " ").split("\n")
            if (found := _rule(item, line)) is not None
        )

    def _files(self, directory: str) -> Iterator[Item]:
        """The files that were read at all, listed or not."""
        names = [name for name in self._evidence.items if name.startswith(directory)]
        yield from self._evidence.seen(*sorted(name for name in names if name != directory))

    def _unread(self, directory: str) -> tuple[Lack, ...]:
        files, lacking = ask(self._evidence.under, directory)
        return (*lacking, *(lack for file in files or () for lack in file.lacking))


def _rule(item: Item, line: str) -> Pin | Lack | None:
    """What a line of a rule pins; what is lacking where its device cannot be told."""
    found = _OVERRIDE.search(line) if not line.lstrip().startswith("#") else None
    if found is None:
        return None
    kernel = _KERNEL.search(line)
    where = address(kernel[1]) if kernel else None
    if where and found[1]:
        return Pin(where, found[1], item.quote(line.strip()))
    return Lack(item.name, Status.FAILED, detail=f"a rule of no known form: {line[:80]!r}")
