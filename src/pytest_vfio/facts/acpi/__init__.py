"""The firmware's tables that describe the IOMMU: DMAR (Intel), IVRS (AMD), IORT (ARM).

The files below /sys/firmware/acpi/tables are closed to all but root: *denied* is not *absent*.
A table that is there does not say that the IOMMU is on.
"""

from __future__ import annotations

from functools import cached_property

from pytest_vfio.evidence import Evidence, Extent, Item, Missing, Quote, Status
from pytest_vfio.facts.acpi import dmar, iort, ivrs

__all__ = ["Acpi"]

FOLDER = "sys/firmware/acpi/tables/"


class Acpi:
    """The tables, parsed; each is None where it is known not to exist."""

    def __init__(self, evidence: Evidence) -> None:
        self._evidence = evidence

    @cached_property
    def _listed(self) -> frozenset[str] | None:
        """The names of all tables; None where nobody listed them."""
        item = self._evidence.item(FOLDER)
        if item.status is not Status.PRESENT or item.extent is not Extent.WHOLE:
            return None
        return frozenset(filter(None, item.text.split("\n")))

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
            return item.data
        if not self.exists(signature):
            return None
        raise Missing(item)
