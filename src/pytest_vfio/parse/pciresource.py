"""The lines of `/sys/bus/pci/devices/ADDRESS/resource`: where a function's BARs are.

Each line is start, end and flags of one resource (`drivers/pci/pci-sysfs.c`, `resource_show`):
0 to 5 the BARs, 6 the expansion ROM, 7 to 12 the VF BARs where the kernel knows SR-IOV, the rest
the windows of a bridge. Flags as in `include/linux/ioport.h`.
"""

from __future__ import annotations

import re

import msgspec

_IO, _MEMORY, _UNSET = 0x100, 0x200, 0x2000_0000
_LINE = re.compile(r"0x([0-9a-f]{1,16}) 0x([0-9a-f]{1,16}) 0x([0-9a-f]{1,16})")

ROM = 6
VF_BARS = range(7, 13)


class Region(msgspec.Struct, frozen=True):
    """One resource of a function. Sizes in bytes; an unused line has flags 0."""

    index: int
    start: int
    end: int
    flags: int

    @property
    def used(self) -> bool:
        """The line stands for something."""
        return self.flags != 0 or self.end != 0

    @property
    def memory(self) -> bool:
        """It is memory space, not I/O ports."""
        return bool(self.flags & _MEMORY)

    @property
    def unassigned(self) -> bool:
        """It has a size and no place."""
        return bool(self.flags & _UNSET) or (self.memory and self.start == 0 and self.end != 0)

    @property
    def size(self) -> int:
        """Bytes; 0 for an unused line."""
        return self.end - self.start + 1 if self.used and self.end > self.start else 0


def parse(text: str) -> tuple[Region, ...]:
    """All lines; what is no such line counts as unused, so that numbers stay right.

    >>> parse("0x00000000c6000000 0x00000000c6ffffff 0x000000000014220c")[0].size
    16777216
    """
    found = []
    for index, line in enumerate(text.split("\n")[:32]):
        match = _LINE.fullmatch(line.strip())
        start, end, flags = (int(part, 16) for part in match.groups()) if match else (0, 0, 0)
        found.append(Region(index, start, end, flags))
    return tuple(found)
