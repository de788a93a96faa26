"""What of the host rests on a PCI function, in words that name the way down to it.

Shared by the network and the storage graph. Knows how a sysfs device path names PCI functions
(kernel: drivers/base, `Documentation/admin-guide/sysfs-rules.rst`) and nothing of what uses them.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Mapping

import msgspec

from pytest_vfio.evidence import Quote

#: One component of a sysfs path that is a PCI function. Intel VMD numbers its domains from 10000.
_FUNCTION = re.compile(r"[0-9a-f]{4,8}:[0-9a-f]{2}:[0-1][0-9a-f]\.[0-7]")
_HOST_BRIDGE = re.compile(r"pci[0-9a-f]{4,8}:[0-9a-f]{2}")


class Use(msgspec.Struct, frozen=True):
    """Something of the host that stands on a PCI function.

    `kind` is network, storage, screen, keyboard, or inventory, where only that says so. `purpose`
    is what would be lost (`/`, `swap`, `default route`, `SSH session from 10.0.0.2`),
    `steps` the way to it from the lowest device upwards (`sda3`, `LUKS`, `LVM`), `quote` the line
    that proves the purpose.
    """

    kind: str
    function: str
    purpose: str
    steps: tuple[str, ...]
    quote: Quote

    @property
    def path(self) -> str:
        """`sda3 -> LUKS -> LVM -> / -> 0000:03:00.0`."""
        return " -> ".join((*self.steps, self.purpose, self.function))


def functions_in(path: str) -> tuple[str, ...]:
    """The PCI functions that a device with this sysfs path stands on, bridges left out.

    That is the last function of the path, and each controller that carries a PCI domain of its
    own below it (Intel VMD shows `0000:00:0e.0/pci10000:e0/...`).

    >>> functions_in("../../devices/pci0000:00/0000:00:1c.0/0000:02:00.0/net/eth0")
    ('0000:02:00.0',)
    """
    parts = path.split("/")
    found: list[str] = []
    last = ""
    for part in parts:
        if _FUNCTION.fullmatch(part):
            last = part
        elif last and _HOST_BRIDGE.fullmatch(part):
            found.append(last)
            last = ""
    return (*found, last) if last else tuple(found)


def descend(
    start: Iterable[str], below: Callable[[str], Iterable[str]]
) -> Mapping[str, tuple[str, ...]]:
    """Every node at or below `start`, each with one way to it: itself first, `start` last.

    Each node is visited once, so that loops in hostile data end.
    """
    ways: dict[str, tuple[str, ...]] = {name: (name,) for name in start}
    queue = list(ways)
    for name in queue:
        for lower in below(name):
            if lower not in ways:
                ways[lower] = (lower, *ways[name])
                queue.append(lower)
    return ways
