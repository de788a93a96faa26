"""Configuration space for tests: a header, capabilities and extended capabilities."""

from __future__ import annotations

import struct
from collections.abc import Sequence

Cap = tuple[int, bytes]

PM_SOFT = (0x01, struct.pack("<HHBB", 3, 0x0008, 0, 0))  # D3hot to D0 resets nothing
PM_RESET = (0x01, struct.pack("<HHBB", 3, 0, 0, 0))
MSI = (0x05, bytes(12))
MSIX = (0x11, bytes(10))
AF_FLR = (0x13, bytes([6, 3, 0, 0]))


def express(kind: int = 0, *, flr: bool = True, version: int = 2) -> Cap:
    """The PCI Express capability of a device or port type."""
    flags = version | kind << 4
    return 0x10, struct.pack("<HIHH", flags, (flr << 28) | 0x8000, 0, 0) + bytes(0x32)


def acs(able: int = 0x1F, control: int = 0x1D) -> Cap:
    """Access control services."""
    return 0x0D, struct.pack("<HH", able, control)


def ats(*, enabled: bool = True) -> Cap:
    """Address translation services."""
    return 0x0F, struct.pack("<HH", 0, 0x8000 if enabled else 0)


def sriov(total: int = 64, offset: int = 16, stride: int = 1, device: int = 0x154C) -> Cap:
    """Single root I/O virtualisation, without VFs."""
    body = struct.pack("<IHHHHHBBHHHH", 0, 0, 0, total, total, 0, 0, 0, offset, stride, 0, device)
    return 0x10, body + bytes(0x40 - 4 - len(body))


def space(
    vendor: int = 0x8086,
    device: int = 0x1572,
    *,
    cls: int = 0x020000,
    header: int = 0,
    bars: Sequence[int] = (),
    pin: int = 1,
    caps: Sequence[Cap] = (),
    ext: Sequence[Cap] = (),
    size: int = 4096,
) -> bytes:
    """The bytes of one function."""
    data = bytearray(4096)
    struct.pack_into("<HH", data, 0, vendor, device)
    struct.pack_into("<H", data, 6, 0x10 if caps else 0)
    struct.pack_into("<I", data, 8, cls << 8 | 2)
    data[0x0E] = header
    for index, bar in enumerate(bars):
        struct.pack_into("<I", data, 0x10 + 4 * index, bar)
    if header == 0:
        struct.pack_into("<HH", data, 0x2C, 0x103C, 0x22FC)
    data[0x3D] = pin
    at, link = 0x40, 0x34
    for cap, body in caps:
        data[link], data[at], link = at, cap, at + 1
        data[at + 2 : at + 2 + len(body)] = body
        at += (2 + len(body) + 3) // 4 * 4
    where = 0x100
    for number, (cap, body) in enumerate(ext):
        after = where + (4 + len(body) + 3) // 4 * 4
        last = number == len(ext) - 1
        struct.pack_into("<I", data, where, cap | 1 << 16 | (0 if last else after << 20))
        data[where + 4 : where + 4 + len(body)] = body
        where = after
    return bytes(data[:size])
