"""The DMAR table: Intel's IOMMU units and what firmware reserves (VT-d specification, chapter 8).

`parse` never raises; a broken table carries its flaws in words.
"""

from __future__ import annotations

from collections.abc import Sequence

import msgspec

from pytest_vfio.parse.acpi.table import Header, blocks, flaws, number, words

SCOPE_TYPES = {1: "endpoint", 2: "bridge", 3: "ioapic", 4: "hpet", 5: "namespace"}


class Scope(msgspec.Struct, frozen=True):
    """A device scope: a path of (device, function) hops that starts on a root bus."""

    type: int
    enumeration_id: int
    start_bus: int
    path: tuple[tuple[int, int], ...]

    @property
    def kind(self) -> str:
        """endpoint, bridge, ioapic, hpet, namespace, or the number."""
        return SCOPE_TYPES.get(self.type, f"type {self.type}")

    def address(self, segment: int) -> str | None:
        """The PCI address, for a path of one hop; longer paths need the bridges' bus numbers."""
        if len(self.path) != 1:
            return None
        device, function = self.path[0]
        return f"{segment:04x}:{self.start_bus:02x}:{device:02x}.{function:x}"

    def leads_to(self, chain: Sequence[str], segment: int) -> bool:
        """Whether the path is that of a function, given its address chain from the root bus down.

        `chain` holds full addresses, the root port first and the function last.
        """
        if len(chain) != len(self.path) or not chain:
            return False
        if not chain[0].startswith(f"{segment:04x}:{self.start_bus:02x}:"):
            return False
        return all(
            hop.rpartition(":")[2] == f"{device:02x}.{function:x}"
            for hop, (device, function) in zip(chain, self.path, strict=True)
        )


class Drhd(msgspec.Struct, frozen=True):
    """One remapping unit. `size_exponent`: the register set takes 2^N pages (VT-d 4.0)."""

    base: int
    segment: int
    include_all: bool
    size_exponent: int
    scopes: tuple[Scope, ...]


class Rmrr(msgspec.Struct, frozen=True):
    """Memory that firmware wants mapped one to one for devices, whoever uses them."""

    base: int
    limit: int
    segment: int
    scopes: tuple[Scope, ...]


class Atsr(msgspec.Struct, frozen=True):
    """Root ports below which ATS works."""

    segment: int
    all_ports: bool
    scopes: tuple[Scope, ...]


class Rhsa(msgspec.Struct, frozen=True):
    """The NUMA proximity domain of a unit."""

    base: int
    proximity: int


class Andd(msgspec.Struct, frozen=True):
    """An ACPI name-space device that a scope may name by its number."""

    number: int
    name: str


class Satc(msgspec.Struct, frozen=True):
    """SoC-integrated devices that need or have their own address translation cache."""

    segment: int
    required: bool
    scopes: tuple[Scope, ...]


class Dmar(msgspec.Struct, frozen=True):
    """The table. `host_address_width` is in bits."""

    header: Header
    host_address_width: int
    flags: int
    units: tuple[Drhd, ...]
    reserved: tuple[Rmrr, ...]
    atsr: tuple[Atsr, ...]
    rhsa: tuple[Rhsa, ...]
    andd: tuple[Andd, ...]
    satc: tuple[Satc, ...]
    other: tuple[int, ...]
    flaws: tuple[str, ...]

    @property
    def interrupt_remapping(self) -> bool:
        """Firmware says that the platform supports interrupt remapping (INTR_REMAP)."""
        return bool(self.flags & 1)

    @property
    def x2apic_opt_out(self) -> bool:
        """Firmware asks the system not to use x2APIC."""
        return bool(self.flags & 2)


def parse(data: bytes) -> Dmar:
    """Take a table apart. Never raises."""
    flaw = list(flaws(data, "DMAR", 48))
    found: dict[int, list[tuple[int, bytes]]] = {}
    for block in blocks(data, 48, 2, 2, flaw, "remapping structure"):
        found.setdefault(block.type, []).append((block.at, block.data))
    units = tuple(_drhd(at, body, flaw) for at, body in found.get(0, ()))
    if not units:
        flaw.append("no DRHD structure")
    flaw.extend(f"DRHD has the impossible base {u.base:#x}" for u in units if not _possible(u.base))
    reserved = tuple(_rmrr(at, body, flaw) for at, body in found.get(1, ()))
    flaw.extend(
        f"RMRR [{region.base:#x}-{region.limit:#x}] ends before it starts"
        for region in reserved
        if region.limit < region.base
    )
    return Dmar(
        header=Header.of(data),
        host_address_width=number(data, 36, 1) + 1,
        flags=number(data, 37, 1),
        units=units,
        reserved=reserved,
        atsr=tuple(
            Atsr(number(body, 6, 2), bool(body[4:5] and body[4] & 1), _scopes(at, body, 8, flaw))
            for at, body in found.get(2, ())
        ),
        rhsa=tuple(Rhsa(number(body, 8, 8), number(body, 16, 4)) for _, body in found.get(3, ())),
        andd=tuple(Andd(number(body, 7, 1), words(body[8:])) for _, body in found.get(4, ())),
        satc=tuple(
            Satc(number(body, 6, 2), bool(body[4:5] and body[4] & 1), _scopes(at, body, 8, flaw))
            for at, body in found.get(5, ())
        ),
        other=tuple(sorted(kind for kind in found if kind > 5)),
        flaws=tuple(flaw),
    )


def _possible(base: int) -> bool:
    """The kernel refuses a unit at 0 or whose registers read as all ones."""
    return base not in {0, 0xFFFF_FFFF_FFFF_FFFF}


def _drhd(at: int, body: bytes, flaw: list[str]) -> Drhd:
    return Drhd(
        base=number(body, 8, 8),
        segment=number(body, 6, 2),
        include_all=bool(number(body, 4, 1) & 1),
        size_exponent=number(body, 5, 1) & 0xF,
        scopes=_scopes(at, body, 16, flaw),
    )


def _rmrr(at: int, body: bytes, flaw: list[str]) -> Rmrr:
    return Rmrr(
        base=number(body, 8, 8),
        limit=number(body, 16, 8),
        segment=number(body, 6, 2),
        scopes=_scopes(at, body, 24, flaw),
    )


def _scopes(start: int, body: bytes, at: int, flaw: list[str]) -> tuple[Scope, ...]:
    scopes: list[Scope] = []
    while at < len(body):
        length = number(body, at + 1, 1)
        if length < 6 or at + length > len(body):
            flaw.append(f"device scope at byte {start + at} has length {length}")
            break
        entry = body[at : at + length]
        path = tuple((entry[i], entry[i + 1]) for i in range(6, length - 1, 2))
        scopes.append(Scope(entry[0], entry[4], entry[5], path))
        at += length
    return tuple(scopes)
