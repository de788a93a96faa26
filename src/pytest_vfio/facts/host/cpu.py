"""The processor: vendor, architecture and flags, from /proc/cpuinfo.

Knows nothing of the IOMMU: its kind follows from tables and drivers, never from the CPU's vendor.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from functools import cached_property

from pytest_vfio.evidence import Evidence, Extent, Item, Missing, Quote, Status
from pytest_vfio.facts.tristate import known

VENDORS = {
    "GenuineIntel": "intel",
    "AuthenticAMD": "amd",
    "HygonGenuine": "hygon",
    "CentaurHauls": "centaur",
    "  Shanghai  ": "zhaoxin",
    "Shanghai": "zhaoxin",
}

_FIELD = re.compile(r"^([^\n:]{1,40}?)[ \t]*:[ \t]?([^\n]*)$", re.MULTILINE)
_NUMBER = re.compile(r"[0-9]{1,5}")
_MACHINE = re.compile(r"\b(x86_64|aarch64|arm64|ppc64le|s390x|riscv64|loongarch64|i[3-6]86)\b")


class Cpu:
    """The processors of a host; all are taken to be alike, as KVM does."""

    def __init__(self, evidence: Evidence) -> None:
        self._evidence = evidence

    @cached_property
    def _item(self) -> Item:
        return self._evidence.item("proc/cpuinfo")

    @cached_property
    def _uname(self) -> Item:
        return self._evidence.item("uname")

    @cached_property
    def _fields(self) -> dict[str, str]:
        """The first value of every field."""
        fields: dict[str, str] = {}
        first = "\n".join(self._item.lines).split("\n\n", 1)[0]
        for name, value in _FIELD.findall(first):
            fields.setdefault(name, value)
        return fields

    @cached_property
    def sockets(self) -> Mapping[int, int]:
        """{CPU: its socket}, by `physical id`; empty where the kernel tells of none (Arm)."""
        found: dict[int, int] = {}
        cpu = None
        for line in self._item.lines:
            name, _, value = line.partition(":")
            field, number = name.strip(), value.strip()
            if field == "processor":
                cpu = int(number) if _NUMBER.fullmatch(number) else None
            elif field == "physical id" and cpu is not None and _NUMBER.fullmatch(number):
                found[cpu] = int(number)
        return found

    @property
    def vendor(self) -> str:
        """`intel`, `amd`, `hygon`, `centaur`, `zhaoxin`, `arm`, else the kernel's own word.

        Raises Missing where cpuinfo does not show it.
        """
        if "vendor_id" in self._fields:
            word = self._fields["vendor_id"]
            return VENDORS.get(word, VENDORS.get(word.strip(), word.strip().lower()))
        if "CPU implementer" in self._fields:
            return "arm"
        raise Missing(self._item)

    @property
    def arch(self) -> str:
        """The machine as `uname -m` names it (`x86_64`, `aarch64`)."""
        found = _MACHINE.search(self._uname.text.rpartition("#")[2])
        if found:
            return "aarch64" if found[1] == "arm64" else found[1]
        if "vendor_id" in self._fields and "flags" in self._fields:
            return "x86_64" if self.has("lm") else "i686"
        if "CPU architecture" in self._fields and self._fields["CPU architecture"].strip() == "8":
            return "aarch64"
        raise Missing(self._item)

    @property
    def is_x86(self) -> bool | None:
        """Whether this is a PC; None where nobody knows."""
        arch = known(lambda: self.arch)
        return None if arch is None else arch in {"x86_64", "i386", "i486", "i586", "i686"}

    @property
    def physical_bits(self) -> int:
        """The width of a physical address, in bits. Raises Missing where it is not shown."""
        found = re.match(r"([0-9]{1,3}) bits physical", self._fields.get("address sizes", ""))
        if found is None:
            raise Missing(self._item)
        return int(found[1])

    @cached_property
    def _seen_flags(self) -> frozenset[str]:
        return frozenset(self._fields.get("flags", self._fields.get("Features", "")).split())

    @property
    def flags(self) -> frozenset[str]:
        """All flags of the first processor. Raises Missing unless the line is known whole."""
        if "flags" not in self._fields and "Features" not in self._fields:
            raise Missing(self._item)
        if not _keeps_lines_whole(self._item):
            raise Missing(self._item)
        return self._seen_flags

    def has(self, flag: str) -> bool:
        """Whether the processor has a flag. Raises Missing where it is not seen and may be cut."""
        return flag in self._seen_flags or flag in self.flags

    @property
    def quote(self) -> Quote:
        """The flags, as proof; shortened to the words about virtualisation."""
        kept = sorted(self._seen_flags & {"vmx", "svm", "hypervisor", "sme", "sev"})
        return self._item.quote(f"flags: {' '.join(kept) or '(neither vmx nor svm)'}")


def _keeps_lines_whole(item: Item) -> bool:
    """Lines may be missing, but those that are there were not cut."""
    return item.status is Status.PRESENT and item.extent in {Extent.WHOLE, Extent.GREPPED}
