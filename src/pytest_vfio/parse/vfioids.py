"""The ids that vfio-pci is told to claim: `vfio-pci.ids=8086:1572,10de:1b80:1043:8590`.

Follows vfio_pci_fill_ids (drivers/vfio/pci/vfio_pci.c) and pci_match_one_device: entries are cut
at commas, empty ones are passed over, an entry is read like sscanf("%x:%x:%x:%x:%x:%x") reads it
and counts if at least vendor and device came out of it; ffffffff is any.
"""

from __future__ import annotations

import re
from typing import Protocol

import msgspec

from pytest_vfio.evidence import Quote

NOWHERE = Quote("", "")
ANY = 0xFFFFFFFF
#: A longer list is refused whole (module_param_string with 1024 bytes).
LONGEST = 1023

_FIELD = re.compile(r"\s*(?:0[xX](?=[0-9a-fA-F]))?([0-9a-fA-F]+)")


class Function(Protocol):
    """What of a PCI function an id can be compared with: `facts.pci.PciFunction`."""

    @property
    def vendor(self) -> int | str:
        """The vendor id."""
        ...

    @property
    def device(self) -> int | str:
        """The device id."""
        ...

    @property
    def subsystem(self) -> str | None:
        """`vendor:device` of the subsystem."""
        ...

    @property
    def class_code(self) -> int:
        """24 bits of class."""
        ...


class IdPattern(msgspec.Struct, frozen=True):
    """One id. `origin` is cmdline or modprobe. A field that is ANY matches everything."""

    vendor: int
    device: int
    subvendor: int
    subdevice: int
    cls: int
    mask: int
    origin: str
    quote: Quote
    text: str

    @property
    def key(self) -> tuple[int, ...]:
        """What the driver compares: the same for another spelling of the same id."""
        return (self.vendor, self.device, self.subvendor, self.subdevice, self.cls, self.mask)

    @property
    def rest(self) -> str:
        """What the driver leaves unread at the end of the entry."""
        return self.text[_read(self.text)[1] :]

    @property
    def narrow(self) -> bool:
        """Names more than vendor and device."""
        return self.subvendor != ANY or self.subdevice != ANY or self.mask != 0

    def names(self, function: Function) -> bool:
        """Vendor and device are the function's. Raises Missing where they are unknown."""
        return _same(self.vendor, function.vendor) and _same(self.device, function.device)

    def catches(self, function: Function) -> bool:
        """The id matches the function. Raises Missing where what it depends on is unknown."""
        if not self.names(function):
            return False
        if self.subvendor != ANY or self.subdevice != ANY:
            vendor, _, device = (function.subsystem or "0:0").partition(":")
            if not (_same(self.subvendor, vendor) and _same(self.subdevice, device)):
                return False
        return self.mask == 0 or (self.cls ^ function.class_code) & self.mask == 0


def _same(wanted: int, actual: int | str) -> bool:
    if wanted == ANY:
        return True
    if isinstance(actual, str):
        try:
            actual = int(actual, 16)
        except ValueError:
            return False
    return wanted == actual


def parse(value: str, origin: str, quote: Quote) -> tuple[tuple[IdPattern, ...], tuple[str, ...]]:
    """The ids of a list, and the entries that the driver refuses.

    >>> [p.text for p in parse("8086:1572,10de,,1002:0x67df", "cmdline", Quote("", ""))[0]]
    ['8086:1572', '1002:0x67df']
    >>> parse("10de.1b80,8086:1572", "cmdline", Quote("", ""))[1]
    ('10de.1b80',)
    """
    good: list[IdPattern] = []
    bad: list[str] = []
    for entry in value.split(","):
        if not entry:
            continue
        fields, _ = _read(entry)
        if len(fields) < 2:
            bad.append(entry)
            continue
        default = (0, 0, ANY, ANY, 0, 0)
        vendor, device, subvendor, subdevice, cls, mask = (*fields, *default[len(fields) :])
        good.append(
            IdPattern(vendor, device, subvendor, subdevice, cls, mask, origin, quote, entry)
        )
    return tuple(good), tuple(bad)


def _read(entry: str) -> tuple[list[int], int]:
    """The numbers that sscanf reads, and where it stops: it skips blanks before each number."""
    fields: list[int] = []
    at = 0
    while len(fields) < 6:
        # a colon counts as read only with a number behind it
        found = _FIELD.match(entry, at + bool(fields)) if at == 0 or entry[at] == ":" else None
        if not found:
            break
        fields.append(int(found[1], 16) & ANY)
        at = found.end()
        if at == len(entry):
            break
    return fields, at
