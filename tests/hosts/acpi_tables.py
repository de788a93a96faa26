"""Small ACPI tables with right lengths and checksums."""

from __future__ import annotations

import struct
from collections.abc import Sequence


def seal(signature: bytes, body: bytes, revision: int = 1) -> bytes:
    """A whole table: header, body, checksum."""
    table = bytearray(
        struct.pack(
            "<4sIBB6s8sI4sI", signature, 36 + len(body), revision, 0, b"TEST  ", b"TESTTABL", 1,
            b"TST ", 1
        )
        + body
    )  # fmt: skip
    table[9] = -sum(table) % 256
    return bytes(table)


def scope(kind: int, bus: int, path: Sequence[tuple[int, int]], enumeration: int = 0) -> bytes:
    """A DMAR device scope."""
    hops = b"".join(bytes(hop) for hop in path)
    return bytes([kind, 6 + len(hops), 0, 0, enumeration, bus]) + hops


def dmar(
    flags: int = 1,
    width: int = 46,
    rmrr: Sequence[tuple[int, Sequence[tuple[int, int]]]] = (),
    base: int = 0xFED90000,
) -> bytes:
    """A DMAR with one unit for all devices, and an RMRR for each (start bus, path) given."""
    body = bytes([width - 1, flags]) + bytes(10)
    body += struct.pack("<HHBBHQ", 0, 16, 1, 0, 0, base)
    for bus, path in rmrr:
        ours = scope(1, bus, path)
        body += struct.pack("<HHHHQQ", 1, 24 + len(ours), 0, 0, 0x791DF000, 0x791DFFFF) + ours
    return seal(b"DMAR", body)


def ivrs(ioapics: Sequence[int] = (32,)) -> bytes:
    """An IVRS with one unit of type 0x10 for all devices, and its IOAPICs."""
    entries = bytes([3, 8, 0, 0]) + bytes([4, 0xFF, 0xFF, 0])
    for handle in ioapics:
        entries += bytes([72, 0, 0, 0, handle, 0xA0, 0, 1])
    unit = struct.pack(
        "<BBHHHQHHI", 0x10, 0xB0, 24 + len(entries), 2, 0x40, 0xFEB80000, 0, 0, 0
    ) + entries  # fmt: skip
    return seal(b"IVRS", struct.pack("<I8x", 0x203041) + unit, revision=2)


def iort(smmu: bool = True) -> bytes:
    """An IORT with an ITS group, an SMMUv3 if wanted, and a root complex."""
    its = struct.pack("<BHBIII", 0, 24, 1, 0, 0, 0) + struct.pack("<II", 1, 0)
    nodes = [its]
    at = 48 + len(its)
    target = 48
    if smmu:
        mapping = struct.pack("<IIIII", 0, 0xFFFF, 0, 48, 0)
        body = struct.pack("<QIIQIIIIIII", 0x9050000, 1, 0, 0, 0, 74, 75, 76, 77, 0, 0)
        body = body[:52]
        length = 16 + len(body) + len(mapping)
        nodes.append(struct.pack("<BHBIII", 4, length, 4, 1, 1, 16 + len(body)) + body + mapping)
        target = at
    mapping = struct.pack("<IIIII", 0, 0xFFFF, 0, target, 0)
    body = struct.pack("<IBHBIIB3x", 1, 0, 0, 3, 0, 0, 64)
    length = 16 + len(body) + len(mapping)
    nodes.append(struct.pack("<BHBIII", 2, length, 3, 2, 1, 16 + len(body)) + body + mapping)
    return seal(b"IORT", struct.pack("<III", len(nodes), 48, 0) + b"".join(nodes), revision=3)
