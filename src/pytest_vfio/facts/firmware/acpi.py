"""The firmware's tables that describe the IOMMU: DMAR (Intel), IVRS (AMD), IORT (ARM).

The files below /sys/firmware/acpi/tables are closed to all but root: *denied* is not *absent*.
A table that is there does not say that the IOMMU is on.
"""

from __future__ import annotations

from functools import cached_property

from msgspec.structs import replace

from pytest_vfio.evidence import Evidence, Extent, Item, Lack, Missing, Quote, Status
from pytest_vfio.facts.host.cpu import Cpu
from pytest_vfio.facts.tristate import first, known, search
from pytest_vfio.parse.acpi import dmar, iort, ivrs
from pytest_vfio.parse.acpi.table import HEADER, Header

__all__ = ["Acpi"]

FOLDER = "sys/firmware/acpi/tables/"


class Acpi:
    """The tables, parsed; each is None where it is known not to exist."""

    def __init__(self, evidence: Evidence) -> None:
        self._evidence = evidence
        self._cpu = Cpu(evidence)

    @cached_property
    def _listed(self) -> frozenset[str] | None:
        """The names of all tables; None where nobody listed them."""
        item = self._evidence.item(FOLDER)
        if item.status is not Status.PRESENT or item.extent is not Extent.WHOLE:
            return None
        return frozenset(filter(None, item.text.split("\n")))

    @property
    def visible(self) -> bool | None:
        """Whether any table is to be seen at all; None where nobody listed them.

        A container hides all of them, and so does `acpi=off`.
        """
        if self._listed is not None:
            return bool(self._listed)
        return False if self._evidence.item(FOLDER).status is Status.ABSENT else None

    def exists(self, signature: str) -> bool:
        """Whether the firmware gave a table. Raises Missing where nobody knows."""
        item = self.item(signature)
        if item.data:
            return True
        if self._listed is not None:  # an ordinary user may list what only root may read
            return signature in self._listed
        if item.status is Status.ABSENT:
            return False
        raise Missing(item)

    def item(self, signature: str) -> Item:
        """The evidence of a table."""
        return self._evidence.item(FOLDER + signature)

    def quote(self, signature: str, line: str = "") -> Quote:
        """A table's evidence, as proof."""
        item = self.item(signature)
        return item.quote(line or f"({item.status.value})")

    @property
    def describes_iommu(self) -> Quote | None:
        """What describes an IOMMU: DMAR, IVRS, an SMMU in IORT or in the device tree.

        None where it is known that nothing does. Raises Missing where something was not read.
        """
        ways = (self._by_table, self._by_iort, self._by_device_tree)
        found = first(ways, lambda way: way() is not None)
        return None if found is None else found()

    def _by_table(self) -> Quote | None:
        found = first(("DMAR", "IVRS", "VIOT", "RIMT"), self._gives)
        return None if found is None else self.quote(found, f"{found} is there")

    def _gives(self, signature: str) -> bool | None:
        if signature in ("DMAR", "IVRS"):
            return self.exists(signature)
        return known(self.exists, signature)  # nobody collects the others by themselves

    def _by_iort(self) -> Quote | None:
        table = self.iort
        if table is None or not table.smmus:
            return None
        return self.quote("IORT", f"{len(table.smmus)} SMMUs")

    def _by_device_tree(self) -> Quote | None:
        """A PC, or a machine with ACPI tables, has no device tree that counts."""
        if self._cpu.is_x86:
            if self.visible is False:
                item = self._evidence.item(FOLDER)
                raise Missing(Item(FOLDER, item.status, detail="a container, or acpi=off"))
            return None
        if self.visible:
            return None
        text = self._evidence.read("devicetree/iommu")
        line = (text or "").strip().split("\n")[0]
        return self._evidence.item("devicetree/iommu").quote(line[:200]) if line else None

    @property
    def first_flaw(self) -> tuple[Quote, str] | None:
        """The first flaw of the tables that were read, with the table and its own words."""
        for signature, parse in (("DMAR", dmar.parse), ("IVRS", ivrs.parse), ("IORT", iort.parse)):
            item = self.item(signature)
            if not (item.whole and item.data):
                continue
            flaws = parse(item.data).flaws
            if flaws:
                return self.quote(signature, flaws[0]), f"{signature}: {flaws[0]}"
        return None

    @property
    def lacking(self) -> tuple[Lack, ...]:
        """The tables that were not read to their end, and are not known not to exist."""
        return search(("DMAR", "IVRS", "IORT"), self._read).lacking

    @cached_property
    def dmar(self) -> dmar.Dmar | None:
        """Intel's table."""
        data = self._read("DMAR")
        return None if data is None else dmar.parse(data)

    @cached_property
    def ivrs(self) -> ivrs.Ivrs | None:
        """AMD's table."""
        data = self._read("IVRS")
        return None if data is None else ivrs.parse(data)

    @cached_property
    def iort(self) -> iort.Iort | None:
        """ARM's table."""
        data = self._read("IORT")
        return None if data is None else iort.parse(data)

    def _read(self, signature: str) -> bytes | None:
        """The bytes of a table, None where it is known not to exist."""
        item = self.item(signature)
        if item.whole and item.status is Status.PRESENT:
            # The kernel shows as many bytes as the table says that it has: fewer were cut later.
            length = Header.of(item.data).length
            if len(item.data) < max(length, HEADER):
                raise Missing(replace(item, status=Status.TRUNCATED, detail=f"of {length} bytes"))
            return item.data
        if not self.exists(signature):
            return None
        raise Missing(item)
