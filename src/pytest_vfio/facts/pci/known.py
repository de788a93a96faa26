"""What one source says of a field of a PCI function, and the line that says so."""

from __future__ import annotations

from typing import Protocol

import msgspec

from pytest_vfio.evidence import Quote


class Known(msgspec.Struct, frozen=True):
    """What a source says of a field; None says that there is none."""

    value: object
    quote: Quote


class View(Protocol):
    """One source's view of one function."""

    def look(self, field: str) -> Known | None:
        """What the source says, None where it does not tell."""
        ...
