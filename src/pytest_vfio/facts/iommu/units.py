"""IOMMU units as the kernel registered them in /sys/class/iommu, with their capabilities decoded.

Sources: Documentation/ABI/testing/sysfs-class-iommu-{intel-iommu,amd-iommu}; the registers CAP_REG
and ECAP_REG of the VT-d specification (section 11.4.2, 11.4.3), the extended feature register of
AMD's (48882, MMIO offset 30h).
"""

from __future__ import annotations

import re

import msgspec

from pytest_vfio.evidence import Lack, Missing, Quote, Status, Tree

_KINDS = (
    ("dmar", "intel"),
    ("ivhd", "amd"),
    ("smmu", "smmu"),
    ("virtio", "virtio"),
    ("riscv-iommu", "riscv"),
    ("s390-iommu", "s390"),
    ("iommu-phb", "ppc"),
)
_HEX = re.compile(r"(?:0x)?[0-9a-fA-F]{1,16}")


class Unit(msgspec.Struct, frozen=True, eq=False):
    """One unit. Registers raise Missing where they were not read.

    What only one vendor's units tell is None for those of another.
    """

    name: str
    kind: str
    quote: Quote
    tree: Tree

    @property
    def cap(self) -> int:
        """CAP_REG of an Intel unit."""
        return self._register("intel-iommu/cap")

    @property
    def ecap(self) -> int:
        """ECAP_REG of an Intel unit."""
        return self._register("intel-iommu/ecap")

    @property
    def features(self) -> int:
        """The extended features (EFR) of an AMD unit."""
        return self._register("amd-iommu/features")

    @property
    def quote_cap(self) -> Quote:
        """The line of CAP_REG, as proof."""
        return self.tree.quote(f"{self.name}/intel-iommu/cap")

    @property
    def quote_ecap(self) -> Quote:
        """The line of ECAP_REG, as proof."""
        return self.tree.quote(f"{self.name}/intel-iommu/ecap")

    @property
    def address_width(self) -> int | None:
        """The widest guest address that can be mapped, in bits (MGAW, CAP_REG 21:16, plus one)."""
        return (self.cap >> 16 & 0x3F) + 1 if self.kind == "intel" else None

    @property
    def posts_interrupts(self) -> bool | None:
        """CAP_REG 59: interrupts can be posted to a running guest."""
        return bool(self.cap >> 59 & 1) if self.kind == "intel" else None

    @property
    def large_pages(self) -> tuple[str, ...] | None:
        """Page sizes beyond 4 KiB of second-stage tables (SLLPS, CAP_REG 37:34)."""
        if self.kind != "intel":
            return None
        bits = self.cap >> 34 & 0xF
        return tuple(size for bit, size in ((0, "2M"), (1, "1G")) if bits >> bit & 1)

    @property
    def remaps_interrupts(self) -> bool | None:
        """ECAP_REG 3. One unit without it switches remapping off for all."""
        return bool(self.ecap >> 3 & 1) if self.kind == "intel" else None

    @property
    def extended_interrupts(self) -> bool | None:
        """ECAP_REG 4 (EIM): 32-bit APIC ids, that is x2APIC. AMD: XTSup, feature bit 2."""
        if self.kind == "amd":
            return bool(self.features >> 2 & 1)
        return bool(self.ecap >> 4 & 1) if self.kind == "intel" else None

    def _register(self, file: str) -> int:
        """A register as sysfs prints it: hex without `0x`.

        AMD's features are two registers, EFR2:EFR from 5.19 to 6.6 and EFR:EFR2 from 6.7 on. EFR
        has more bits in use, so it is the larger.
        """
        path = f"{self.name}/{file}"
        words = (self.tree.get(path) or "").strip()[:80].split(":")
        found = [int(word, 16) for word in words if _HEX.fullmatch(word)]
        if not found:
            raise Missing(Lack(f"{self.tree.item.name}/{path}", Status.FAILED, "no register in it"))
        return max(found)


def read_units(tree: Tree) -> tuple[Unit, ...]:
    """All units that the tree shows, sorted by name."""
    paths = (*tree.values, *tree.links, *tree.unread)
    names = {path.partition("/")[0] for path in paths} - {""}
    return tuple(Unit(name, _kind(name), _quote(tree, name), tree) for name in sorted(names))


def _kind(name: str) -> str:
    return next((kind for prefix, kind in _KINDS if name.startswith(prefix)), name)


def _quote(tree: Tree, name: str) -> Quote:
    return Quote(f"{tree.item.name}/{name}", name, tree.item.status.value)
