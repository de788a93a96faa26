"""The 36 bytes that every ACPI table starts with (ACPI 6.5 section 5.2.6), and a careful reader.

Nothing here raises on a broken table: what is wrong with it is a fact, in words.
"""

from __future__ import annotations

from collections.abc import Iterator

import msgspec

HEADER = 36

#: More structures than any real table has; keeps a hostile one from taking time.
_MOST = 4096


def number(data: bytes, at: int, size: int) -> int:
    """A little-endian number; bytes beyond the end read as zero."""
    return int.from_bytes(data[at : at + size], "little")


def words(data: bytes) -> str:
    """Characters that firmware wrote, with what is not printable made visible."""
    text = data.decode("ascii", "backslashreplace").rstrip("\0 ")
    return "".join(char if char.isprintable() else f"\\x{ord(char):02x}" for char in text)


class Header(msgspec.Struct, frozen=True):
    """What every table says of itself."""

    signature: str
    length: int
    revision: int
    oem_id: str
    oem_table_id: str
    oem_revision: int
    creator_id: str
    creator_revision: int

    @classmethod
    def of(cls, data: bytes) -> Header:
        """Read the header; fields beyond the end read as zero."""
        return cls(
            signature=words(data[0:4]),
            length=number(data, 4, 4),
            revision=number(data, 8, 1),
            oem_id=words(data[10:16]),
            oem_table_id=words(data[16:24]),
            oem_revision=number(data, 24, 4),
            creator_id=words(data[28:32]),
            creator_revision=number(data, 32, 4),
        )


class Block(msgspec.Struct, frozen=True):
    """One sub-structure: its type, where it starts in the table, and its bytes."""

    type: int
    at: int
    data: bytes


def flaws(data: bytes, signature: str, smallest: int) -> tuple[str, ...]:
    """What is wrong with a table as a whole: signature, length, checksum."""
    found: list[str] = []
    header = Header.of(data)
    if len(data) < smallest:
        found.append(f"{len(data)} bytes, shorter than the {smallest} of its header")
    if header.signature != signature:
        found.append(f"signature {header.signature!r}, expected {signature!r}")
    if header.length != len(data):
        found.append(f"length field says {header.length}, the table has {len(data)} bytes")
    elif sum(data) % 256:
        found.append(f"checksum is wrong by {sum(data) % 256}")
    return tuple(found)


def blocks(
    data: bytes, at: int, wide: int, length_at: int, flaw: list[str], name: str
) -> Iterator[Block]:
    """Walk structures that carry a type of `wide` bytes at 0 and a 16-bit length at `length_at`.

    Stops at the first that cannot be, and says so in `flaw`.
    """
    end = min(len(data), number(data, 4, 4) or len(data))
    for _ in range(_MOST):
        if at >= end:
            return
        length = number(data, at + length_at, 2)
        if length < length_at + 2:
            flaw.append(f"{name} at byte {at} has length {length}")
            return
        if at + length > end:
            flaw.append(f"{name} at byte {at} passes the table's end")
            return
        yield Block(number(data, at, wide), at, data[at : at + length])
        at += length
    flaw.append(f"more than {_MOST} structures")
