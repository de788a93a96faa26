"""The IVRS table: AMD's IOMMU units and what firmware reserves.

Follows AMD's I/O Virtualization Technology specification (48882), section 5.2. `parse` never
raises; a broken table carries its flaws in words.
"""

from __future__ import annotations

import msgspec

from pytest_vfio.parse.acpi.table import Header, blocks, flaws, number, words

IVHD_TYPES = (0x10, 0x11, 0x40)
IVMD_TYPES = (0x20, 0x21, 0x22)
IOAPIC = 1

_IVHD_SIZE = {0x10: 24, 0x11: 40, 0x40: 40}
_MOST_ENTRIES = 4096


def device_id(value: int, segment: int = 0) -> str:
    """A 16-bit requester id as a PCI address."""
    return f"{segment:04x}:{value >> 8 & 0xFF:02x}:{value >> 3 & 0x1F:02x}.{value & 7:x}"


class Entry(msgspec.Struct, frozen=True):
    """A device entry of a unit. `source` is the alias's requester id, where there is one."""

    type: int
    device: int
    settings: int
    source: int | None = None
    name: str = ""


class Special(msgspec.Struct, frozen=True):
    """An IOAPIC (variety 1) or HPET (variety 2), with its own number and its requester id."""

    variety: int
    handle: int
    device: int


class Ivhd(msgspec.Struct, frozen=True):
    """One IOMMU unit, as one type of block describes it."""

    type: int
    flags: int
    device: str
    capability_offset: int
    base: int
    segment: int
    info: int
    features: int
    efr: int | None
    entries: tuple[Entry, ...]
    specials: tuple[Special, ...]


class Ivmd(msgspec.Struct, frozen=True):
    """Memory that firmware wants for devices. `last` is the end of a range of requester ids.

    `flags`: bit 0 unity mapping, bit 1 readable, bit 2 writable, bit 3 exclusion range.
    """

    type: int
    flags: int
    device: int
    last: int
    segment: int
    start: int
    length: int

    def covers(self, address: str) -> bool:
        """Whether the block is for a PCI function (`0000:12:00.0`)."""
        try:
            segment, bus, rest = address.split(":")
            device, function = rest.split(".")
            rid = int(bus, 16) << 8 | int(device, 16) << 3 | int(function, 16)
            if int(segment, 16) != self.segment:
                return False
        except ValueError:
            return False
        if self.type == 0x20:
            return True
        return self.device <= rid <= (self.last if self.type == 0x22 else self.device)


class Ivrs(msgspec.Struct, frozen=True):
    """The table."""

    header: Header
    info: int
    blocks: tuple[Ivhd, ...]
    memory: tuple[Ivmd, ...]
    other: tuple[int, ...]
    flaws: tuple[str, ...]

    @property
    def units(self) -> tuple[Ivhd, ...]:
        """The blocks that the kernel uses: those of the highest type that the first unit has.

        As Linux does (get_highest_supported_ivhd_type).
        """
        if not self.blocks:
            return ()
        first = self.blocks[0].device
        best = max(block.type for block in self.blocks if block.device == first)
        return tuple(block for block in self.blocks if block.type == best)

    @property
    def ioapics(self) -> tuple[Special, ...]:
        """The IOAPICs that have a requester id."""
        return tuple(s for unit in self.units for s in unit.specials if s.variety == IOAPIC)

    @property
    def address_width(self) -> int:
        """The size of a physical address, in bits (IVinfo 14:8)."""
        return self.info >> 8 & 0x7F


def parse(data: bytes) -> Ivrs:
    """Take a table apart. Never raises."""
    flaw = list(flaws(data, "IVRS", 48))
    units: list[Ivhd] = []
    memory: list[Ivmd] = []
    other: set[int] = set()
    for block in blocks(data, 48, 1, 2, flaw, "block"):
        if block.type in IVHD_TYPES:
            units.append(_ivhd(block.at, block.data, flaw))
        elif block.type in IVMD_TYPES:
            memory.append(_ivmd(block.at, block.data, flaw))
        else:
            other.add(block.type)
    if not units:
        flaw.append("no IVHD block")
    flaw.extend(f"IVHD of {unit.device} has base 0" for unit in units if not unit.base)
    return Ivrs(
        header=Header.of(data),
        info=number(data, 36, 4),
        blocks=tuple(units),
        memory=tuple(memory),
        other=tuple(sorted(other)),
        flaws=tuple(flaw),
    )


def _ivhd(at: int, body: bytes, flaw: list[str]) -> Ivhd:
    kind = body[0]
    start = _IVHD_SIZE[kind]
    if len(body) < start:
        flaw.append(f"IVHD at byte {at} has length {len(body)}")
    segment = number(body, 16, 2)
    entries, specials = _entries(at, body, start, flaw)
    return Ivhd(
        type=kind,
        flags=number(body, 1, 1),
        device=device_id(number(body, 4, 2), segment),
        capability_offset=number(body, 6, 2),
        base=number(body, 8, 8),
        segment=segment,
        info=number(body, 18, 2),
        features=number(body, 20, 4),
        efr=number(body, 24, 8) if kind != 0x10 else None,
        entries=entries,
        specials=specials,
    )


def _entries(
    start: int, body: bytes, at: int, flaw: list[str]
) -> tuple[tuple[Entry, ...], tuple[Special, ...]]:
    entries: list[Entry] = []
    specials: list[Special] = []
    while at < len(body) and len(entries) + len(specials) < _MOST_ENTRIES:
        size = _entry_size(body, at)
        if size == 0 or at + size > len(body):
            flaw.append(f"device entry {body[at]:#04x} at byte {start + at} passes its block")
            break
        entry = body[at : at + size]
        kind = entry[0]
        if kind == 72:
            specials.append(Special(entry[7], entry[4], number(entry, 5, 2)))
        elif kind == 240:
            uid = entry[22 : 22 + entry[21]]
            name = f"{words(entry[4:12])}:{uid.hex() if entry[20] == 1 else words(uid)}"
            entries.append(Entry(kind, number(entry, 1, 2), entry[3], name=name))
        elif kind not in {0, 64}:  # padding
            source = number(entry, 5, 2) if kind in {66, 67} else None
            entries.append(Entry(kind, number(entry, 1, 2), entry[3], source))
        at += size
    return tuple(entries), tuple(specials)


def _entry_size(body: bytes, at: int) -> int:
    """The top two bits of the type tell the size; the name-space entry has its own."""
    kind = body[at]
    if kind == 240:
        return 22 + body[at + 21] if at + 21 < len(body) else 0
    return 4 << (kind >> 6)


def _ivmd(at: int, body: bytes, flaw: list[str]) -> Ivmd:
    if len(body) < 32:
        flaw.append(f"IVMD at byte {at} has length {len(body)}")
    return Ivmd(
        type=body[0],
        flags=number(body, 1, 1),
        device=number(body, 4, 2),
        last=number(body, 6, 2),
        segment=number(body, 8, 2),
        start=number(body, 16, 8),
        length=number(body, 24, 8),
    )
