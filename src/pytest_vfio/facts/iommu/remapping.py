"""Where the interrupts of assigned devices are handled: the rows of `/proc/interrupts`.

VFIO names its interrupts for the function (`vfio-msix[3](0000:12:00.0)`, drivers/vfio/pci/
vfio_pci_intrs.c), while a guest runs with it. Columns are CPUs
(Documentation/filesystems/proc.rst).
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Mapping
from functools import cached_property

from pytest_vfio.evidence import Evidence, Quote
from pytest_vfio.facts.tristate import require
from pytest_vfio.parse.pciaddress import PATTERN, address

_NAME = re.compile(rf"vfio-(?:msix?|intx)(?:\[[0-9]{{1,5}}\])?\(({PATTERN})\)")


class Interrupts:
    """The interrupts of assigned devices, by function."""

    def __init__(self, evidence: Evidence) -> None:
        self._item = evidence.item("proc/interrupts")

    def of(self, function: str) -> Mapping[int, int]:
        """How often each CPU has handled a function's interrupts. Raises Missing."""
        require(self._item)  # a function has several rows: some of them tell no share
        return self._counts.get(function, {})

    def quote(self, function: str) -> Quote:
        """The first row of a function, as proof."""
        lines = (line for line in self._item.lines if f"({function})" in line)
        return self._item.quote(" ".join(next(lines, "").split()))

    @cached_property
    def _counts(self) -> Mapping[str, Counter[int]]:
        lines = self._item.lines
        cpus = [word.removeprefix("CPU") for word in lines[0].split()] if lines else []
        numbers = [int(cpu) for cpu in cpus if re.fullmatch(r"[0-9]{1,5}", cpu)]
        found: dict[str, Counter[int]] = {}
        for line in lines[1:]:
            name = _NAME.search(line)
            function = address(name[1]) if name else None
            if function is None:
                continue
            counts = found.setdefault(function, Counter())
            for cpu, word in zip(numbers, line.split()[1:], strict=False):
                if re.fullmatch(r"[0-9]{1,18}", word):
                    counts[cpu] += int(word)
        return found
