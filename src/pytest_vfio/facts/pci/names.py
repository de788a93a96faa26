"""What a PCI function is called: by the host's own list of ids, or by what lspci printed.

Names are for people: nothing is judged by them.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from functools import cached_property

from pytest_vfio.evidence import Evidence
from pytest_vfio.facts.pci.function import PciFunction
from pytest_vfio.facts.tristate import known
from pytest_vfio.parse import lspci
from pytest_vfio.parse.pciaddress import address

_ENTRY = re.compile(r"^(C [0-9a-f]{2}|[0-9a-f]{4}|\t[0-9a-f]{4}|\t[0-9a-f]{2})  (.*)$")
#: `02:00.0 Ethernet controller [0200]: Intel Corporation X710 [8086:1572] (rev 02)`
_PRINTED = re.compile(r"^\S+ (?:[^:]*?(?: \[[0-9a-f]{4}\])?): (.*?)(?: \[[0-9a-f]{4}:[0-9a-f]{4}\])?"
                      r"(?: \(rev [0-9a-f]{2}\))?(?: \(prog-if .*\))?$")  # fmt: skip


class Names:
    """The names of one host's functions."""

    def __init__(self, evidence: Evidence) -> None:
        self._evidence = evidence

    def of(self, function: PciFunction) -> str | None:
        """Vendor and device, as lspci names them; the class where only that is known."""
        printed = self._printed.get(function.address)
        if printed is not None:
            return printed
        id, code = known(lambda: function.id), known(lambda: function.class_code)
        if id is not None:
            vendor, device = self._listed.get(id[:4]), self._listed.get(id)
            if vendor is not None and device is not None:
                return f"{vendor} {device}"
        if code is None:
            return None
        high = f"C {code >> 16:02x}"
        return self._listed.get(f"{high}:{code >> 8 & 0xFF:02x}") or self._listed.get(high)

    @cached_property
    def _listed(self) -> Mapping[str, str]:
        """The entries of the list: `8086`, `8086:1572`, `C 02`, `C 02:00`."""
        found: dict[str, str] = {}
        above = ""
        for line in self._evidence.item("pci.ids").lines:
            entry = _ENTRY.match(line)
            if entry is None:
                continue
            if entry[1].startswith("\t"):
                found[f"{above}:{entry[1].strip()}"] = entry[2]
            else:
                above = entry[1]
                found[above] = entry[2]
        return found

    @cached_property
    def _printed(self) -> Mapping[str, str]:
        blocks = lspci.parse(self._evidence.item("lspci").text)
        heads = ((address(block.address), _PRINTED.match(block.head)) for block in blocks)
        return {name: head[1] for name, head in heads if name is not None and head is not None}
