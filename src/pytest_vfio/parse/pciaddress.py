"""Addresses of PCI functions, as people and tools write them.

One form inside: `dddd:bb:dd.f`, lower case. The domain has four digits or more (Intel VMD makes
domains from 10000 on). An address names a place, not a device.
"""

from __future__ import annotations

import re

#: An address inside a longer text, on no boundary in particular.
PATTERN = r"(?:[0-9a-fA-F]{4,8}:)?[0-9a-fA-F]{2}:[01][0-9a-fA-F]\.[0-7]"

_COLONS = re.compile(r"(?:([0-9a-f]{1,8}):)?([0-9a-f]{1,2}):([01]?[0-9a-f])\.([0-7])")
_NODEDEV = re.compile(r"pci_([0-9a-f]{4,8})_([0-9a-f]{2})_([01][0-9a-f])_([0-7])")


def address(text: str) -> str | None:
    """The address in its one form, or None where the text is none.

    >>> address("12:00.0"), address("pci_0000_AF_00_1"), address("10000:01:00.0")
    ('0000:12:00.0', '0000:af:00.1', '10000:01:00.0')
    """
    lowered = text.strip().lower().removeprefix("pci-")  # as driverctl names its files
    found = _COLONS.fullmatch(lowered) or _NODEDEV.fullmatch(lowered)
    if found is None:
        return None
    domain, bus, slot, function = found.groups()
    return compose(int(domain or "0", 16), int(bus, 16), int(slot, 16), int(function))


def compose(domain: int, bus: int, slot: int, function: int) -> str:
    """The address of numbers that are within their ranges.

    >>> compose(0, 18, 0, 1)
    '0000:12:00.1'
    """
    return f"{domain:04x}:{bus:02x}:{slot:02x}.{function:x}"


def split(where: str) -> tuple[int, int, int, int]:
    """Domain, bus, slot and function of an address in its one form.

    >>> split("0000:af:00.1")
    (0, 175, 0, 1)
    """
    domain, bus, rest = where.split(":")
    slot, _, function = rest.partition(".")
    return int(domain, 16), int(bus, 16), int(slot, 16), int(function, 16)


def on_path(path: str) -> tuple[str, ...]:
    """The addresses in a sysfs device path, root first.

    >>> on_path("../../../devices/pci0000:11/0000:11:00.0/0000:12:00.0/net/eth0")
    ('0000:11:00.0', '0000:12:00.0')
    """
    return tuple(found for part in path.split("/") if ":" in part and (found := address(part)))
