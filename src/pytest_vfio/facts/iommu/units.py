"""IOMMU units as the kernel registered them in /sys/class/iommu, with their capabilities decoded.

Sources: Documentation/ABI/testing/sysfs-class-iommu-{intel-iommu,amd-iommu}; the registers CAP_REG
and ECAP_REG of the VT-d specification (section 11.4.2, 11.4.3), the extended feature register of
AMD's (48882, MMIO offset 30h).
"""

from __future__ import annotations

import re

import msgspec

from pytest_vfio.evidence import Quote, Tree

_KINDS = (
    ("dmar", "intel"),
    ("ivhd", "amd"),
    ("smmu", "smmu"),
    ("virtio", "virtio"),
    ("riscv-iommu", "riscv"),
    ("s390-iommu", "s390"),
    ("iommu-phb", "ppc"),
)


class Unit(msgspec.Struct, frozen=True):
    """One unit. `cap` and `ecap` are Intel's registers, `features` is AMD's; None where not seen.

    `functions` are the PCI addresses that it translates for, as far as they were listed.
    """

    name: str
    kind: str
    cap: int | None
    ecap: int | None
    features: int | None
    address: str | None
    version: str | None
    functions: tuple[str, ...]
    quote: Quote
    quote_cap: Quote
    quote_ecap: Quote

    @property
    def address_width(self) -> int | None:
        """The widest guest address that can be mapped, in bits (MGAW, CAP_REG 21:16, plus one)."""
        return None if self.cap is None else (self.cap >> 16 & 0x3F) + 1

    @property
    def caching_mode(self) -> bool | None:
        """CAP_REG 7: set by emulated units, where not-present entries have to be flushed too."""
        return None if self.cap is None else bool(self.cap >> 7 & 1)

    @property
    def posts_interrupts(self) -> bool | None:
        """CAP_REG 59: interrupts can be posted to a running guest."""
        return None if self.cap is None else bool(self.cap >> 59 & 1)

    @property
    def large_pages(self) -> tuple[str, ...]:
        """Page sizes beyond 4 KiB of second-stage tables (SLLPS, CAP_REG 37:34)."""
        bits = (self.cap or 0) >> 34 & 0xF
        return tuple(size for bit, size in ((0, "2M"), (1, "1G")) if bits >> bit & 1)

    @property
    def remaps_interrupts(self) -> bool | None:
        """ECAP_REG 3. Intel only: one unit without it switches remapping off for all."""
        return None if self.ecap is None else bool(self.ecap >> 3 & 1)

    @property
    def extended_interrupts(self) -> bool | None:
        """ECAP_REG 4 (EIM): 32-bit APIC ids, that is x2APIC. AMD: XTSup, feature bit 2."""
        if self.ecap is not None:
            return bool(self.ecap >> 4 & 1)
        return None if self.features is None else bool(self.features >> 2 & 1)


def read_units(tree: Tree) -> tuple[Unit, ...]:
    """All units that the tree shows, sorted by name."""
    members: dict[str, list[str]] = {}
    for path in (*tree.values, *tree.links, *tree.unread):
        name, _, rest = path.partition("/")
        if not name:
            continue
        found = members.setdefault(name, [])
        if rest.startswith("devices/") and rest.count("/") == 1:
            found.append(rest.removeprefix("devices/"))
    return tuple(_unit(tree, name, tuple(sorted(members[name]))) for name in sorted(members))


def _unit(tree: Tree, name: str, functions: tuple[str, ...]) -> Unit:
    kind = next((kind for prefix, kind in _KINDS if name.startswith(prefix)), name)
    folder = {"intel": f"{name}/intel-iommu", "amd": f"{name}/amd-iommu"}.get(kind, name)
    cap, ecap = f"{folder}/cap", f"{folder}/ecap"
    intel = kind == "intel"
    return Unit(
        name=name,
        kind=kind,
        cap=_hex(tree, cap) if intel else None,
        ecap=_hex(tree, ecap) if intel else None,
        features=_hex(tree, f"{folder}/features"),
        address=_text(tree, f"{folder}/address"),
        version=_text(tree, f"{folder}/version"),
        functions=functions,
        quote=Quote(f"{tree.item.name}/{name}", name, tree.item.status.value),
        quote_cap=tree.quote(cap),
        quote_ecap=tree.quote(ecap),
    )


def _text(tree: Tree, path: str) -> str | None:
    value = tree.values.get(path)
    return None if value is None else value.strip()[:80]


def _hex(tree: Tree, path: str) -> int | None:
    """A register as sysfs prints it: hex without `0x`.

    AMD's features are two registers, EFR2:EFR from 5.19 to 6.6 and EFR:EFR2 from 6.7 on. EFR has
    more bits in use, so it is the larger.
    """
    words = (_text(tree, path) or "").split(":")
    found = [int(word, 16) for word in words if re.fullmatch(r"(?:0x)?[0-9a-fA-F]{1,16}", word)]
    return max(found, default=None)
