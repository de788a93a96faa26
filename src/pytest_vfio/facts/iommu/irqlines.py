"""`/proc/interrupts`: which interrupt line is whose (`kernel/irq/proc.c`).

16:    0    0   IR-IO-APIC   16-fasteoi   i801_smbus, vfio-intx(0000:01:04.0)
"""

from __future__ import annotations

import re

import msgspec

from pytest_vfio.evidence import Evidence, Quote

ITEM = "proc/interrupts"

_LINE = re.compile(r" {0,12}([0-9]{1,6}): {1,40}(.{1,8000})")


class IrqLine(msgspec.Struct, frozen=True):
    """One line: its number and the names of those that use it."""

    number: int
    users: tuple[str, ...]
    quote: Quote


def line(evidence: Evidence, number: int) -> IrqLine | None:
    """An interrupt line by its number; None where nobody uses it. Raises Missing if unread."""
    text = evidence.text(ITEM)
    for raw in text.splitlines():
        match = _LINE.fullmatch(raw)
        if match is not None and int(match.group(1)) == number:
            return IrqLine(number, _users(match.group(2)), evidence.item(ITEM).quote(raw.strip()))
    return None


def of_guest(evidence: Evidence, address: str) -> tuple[Quote, ...]:
    """The lines that VFIO made for a function: its guest's driver has switched interrupts on.

    Raises Missing if unread. Named by vfio_pci_intrs.c: `vfio-msix[3](0000:12:00.0)`.
    """
    text = evidence.text(ITEM)
    name = re.compile(rf"vfio-(?:intx|msix?(?:\[[0-9]{{1,5}}\])?)\({re.escape(address)}\)")
    found = (match[0] for raw in text.splitlines() if (match := name.search(raw)))
    return tuple(evidence.item(ITEM).quote(one) for one in found)


def _users(rest: str) -> tuple[str, ...]:
    """The names behind counters, chip and trigger; they are separated by `, `."""
    words = re.sub(r"^(?:[0-9]+ +)*", "", rest)
    parts = re.split(r" {2,}", words.strip())
    names = parts[-1] if len(parts) > 1 else ""
    names = re.sub(r"^[0-9]+-\w+ +", "", names)
    return tuple(filter(None, (name.strip() for name in names.split(","))))
