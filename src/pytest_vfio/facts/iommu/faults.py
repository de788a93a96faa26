"""Accesses that an IOMMU refused, as the kernel log tells them.

VT-d prints the reason in decimal up to 5.10 and with `0x` from 5.15 on, and never the PCI segment
(drivers/iommu/intel/dmar.c). AMD's driver names the device inside the brackets, or, where a driver
is bound, in front of the message; the segment from 6.1 on (drivers/iommu/amd/iommu.c). SMMUs print
raw event words.
"""

from __future__ import annotations

import re

import msgspec

from pytest_vfio.evidence import Quote
from pytest_vfio.facts.kernel.log import KernelLog, LogLine

_ANY = re.compile(
    r"\] Request device \[|AMD-Vi: Event logged \["
    r"|arm-smmu[^\n]{0,80}: (?:event 0x[0-9a-f]{1,4} received|event: [A-Z_]{3,40} client: "
    r"|Unhandled context fault)"
)
_ON = re.compile(r"DMAR: Intel\(R\) Virtualization Technology for Directed I/O")
_INTEL = re.compile(
    r"DMAR: \[(?P<kind>DMA Read|DMA Write|INTR-REMAP)[^\]]{0,40}\] Request device "
    r"\[(?P<device>[0-9a-f:.]{5,16})\](?: PASID \S{1,20})? fault (?:addr|index) "
    r"(?:0x)?(?P<at>[0-9a-f]{1,16}) \[fault reason (?P<reason>(?:0x)?[0-9a-f]{1,4})\]"
)
_AMD = re.compile(
    r"AMD-Vi: Event logged \[(?P<kind>[A-Z_]{3,40})(?: device=(?P<device>[0-9a-f:.]{5,16}))?"
)
_AMD_AT = re.compile(r"\baddress=0x(?P<at>[0-9a-f]{1,16})")
_OWNER = re.compile(r"\b(?P<device>[0-9a-f]{4,8}:[0-9a-f]{2}:[0-9a-f]{2}\.[0-7]): AMD-Vi: Event")
_SMMU = re.compile(
    r"arm-smmu[^\n]{0,80}: (?:event (?P<code>0x[0-9a-f]{1,4}) received"
    r"|event: (?P<kind>[A-Z_]{3,40}) client: (?P<device>\S{1,40})"
    r"|(?P<context>Unhandled context fault))"
)


class Fault(msgspec.Struct, frozen=True):
    """One refused access. `device` is as printed, often without the segment; None if not printed.

    `reason` is VT-d's fault reason, whatever base it was printed in. `early` ones were logged before
    VT-d said that it is on: what firmware left running, such as the display, was still at work.
    """

    kind: str
    device: str | None
    at: int | None
    reason: int | None
    quote: Quote
    early: bool = False

    def of(self, address: str) -> bool:
        """Whether the fault can be that of a PCI function (`0000:12:00.0`)."""
        if self.device is None:
            return False
        if self.device.count(":") == 1:
            return address.partition(":")[2] == self.device
        return address == self.device


def read_faults(log: KernelLog) -> tuple[Fault, ...]:
    """All faults that were kept in the log; none means nothing where the log is not whole."""
    on = log.first(_ON)
    begins = on.seconds if on is not None else None
    return tuple(fault for line in log.seen(_ANY) if (fault := _fault(line, begins)) is not None)


def _fault(line: LogLine, begins: float | None) -> Fault | None:
    if found := _INTEL.search(line.text):
        word = found["reason"]
        base = 16 if word.startswith("0x") else 10
        reason = int(word, base) if base == 16 or word.isdecimal() else None
        early = begins is not None and line.seconds is not None and line.seconds < begins
        return Fault(
            found["kind"], found["device"], int(found["at"], 16), reason, line.quote, early
        )
    if found := _AMD.search(line.text):
        device = found["device"]
        if device is None and (owner := _OWNER.search(line.text)):
            device = owner["device"]
        at = _AMD_AT.search(line.text)
        return Fault(found["kind"], device, int(at["at"], 16) if at else None, None, line.quote)
    if found := _SMMU.search(line.text):
        kind = found["code"] or found["kind"] or found["context"]
        return Fault(f"SMMU {kind}", found["device"], None, None, line.quote)
    return None
