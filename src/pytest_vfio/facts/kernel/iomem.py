"""`/proc/iomem`: who holds which physical addresses (`kernel/resource.c`).

An ordinary user sees every range as zeros, which tells nothing (S34).
"""

from __future__ import annotations

import re

import msgspec

from pytest_vfio.evidence import Evidence, Lack, Missing, Quote, Status
from pytest_vfio.facts.tristate import require

ITEM = "proc/iomem"

#: What the firmware's framebuffer is called, by the driver that holds it (F108, S29).
FRAMEBUFFERS = frozenset({"efifb", "vesafb", "simplefb", "BOOTFB", "simple-framebuffer"})

_LINE = re.compile(r"( *)([0-9a-f]{4,16})-([0-9a-f]{4,16}) : (.{1,200})")


class Range(msgspec.Struct, frozen=True):
    """One line: first and last address, and the holder."""

    start: int
    end: int
    name: str
    quote: Quote

    @property
    def framebuffer(self) -> bool:
        """A boot framebuffer holds it."""
        return self.name in FRAMEBUFFERS or self.name.startswith("simple-framebuffer.")


def known(evidence: Evidence) -> tuple[Range, ...]:
    """The ranges that were read and are not zeros."""
    item = evidence.item(ITEM)
    found = []
    for line in item.text.splitlines():
        match = _LINE.fullmatch(line)
        if match is not None:
            start, end = int(match.group(2), 16), int(match.group(3), 16)
            if end:
                found.append(Range(start, end, match.group(4), item.quote(line.strip())))
    return tuple(found)


def ranges(evidence: Evidence) -> tuple[Range, ...]:
    """All ranges. Raises Missing where some were not read or are hidden."""
    item = evidence.item(ITEM)
    found = known(evidence)
    require(item)
    if not found:
        raise Missing(Lack(ITEM, Status.DENIED, detail="shows zeros without root"))
    return found
