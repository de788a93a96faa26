"""What `lspci` printed, in any form people paste: plain, -k, -n, -nn, -v to -vvv, -D, -m, -vmm.

Follows pciutils' lspci.c and ls-caps.c. Blanks and tabs at the start of lines may have been lost
on the way. A line that belongs to no block ends it, so that what was left out of a paste is never
glued together.
"""

from __future__ import annotations

import re
import shlex
from collections.abc import Iterator
from functools import cached_property

import msgspec

from pytest_vfio.parse import pciconfig
from pytest_vfio.parse.pciaddress import PATTERN, address

_HEAD = re.compile(rf"[ \t>]*({PATTERN})\s+(?=[\w\"'\[])(.{{1,1000}})")
_SLOT = re.compile(rf"(?:Slot|Device):[ \t]+({PATTERN})\s*")
_KEYS = (
    "Subsystem DeviceName Control Status Latency Interrupt NUMA IOMMU Region Expansion Bus I/O"
    " Memory Prefetchable Secondary BridgeCtl Capabilities Kernel Physical Flags BIST Cache"
    " Driver Module Class Vendor Device SVendor SDevice Rev ProgIf IOMMUGroup NUMANode"
    " DevCap DevCtl DevSta LnkCap LnkCtl LnkSta LnkCap2 LnkCtl2 LnkSta2 SltCap SltCtl SltSta"
    " DevCap2 DevCtl2 RootCap RootCtl RootSta ACSCap ACSCtl ARICap ARICtl ATSCap ATSCtl IOVCap"
    " IOVCtl IOVSta UESta UEMsk UESvrt CESta CEMsk AERCap HeaderLog Address Masking Vector PBA"
    " AtomicOpsCap AtomicOpsCtl Initial VF Supported Port Arb Ctrl VC0 VC1 MaxPayload Compliance"
    " Transmit First PhySlot DTNode"
)
_KNOWN = re.compile(rf"(?:{'|'.join(map(re.escape, _KEYS.split()))})\b|!!!|\w{{1,40}}[+-](?: |$)")
_IDS = re.compile(r"\[([0-9a-f]{4}):([0-9a-f]{4})\]")
_CLASS = re.compile(r"\[([0-9a-f]{4})\](?=:)")
_NUMERIC = re.compile(r"(?:Class )?([0-9a-f]{4}): ([0-9a-f]{4}):([0-9a-f]{4})\b")
_REVISION = re.compile(r"\(rev ([0-9a-f]{2})\)|^-r([0-9a-f]{2})$")
_PROG = re.compile(r"\(prog-if ([0-9a-f]{2})|^-p([0-9a-f]{2})$")


class Block(msgspec.Struct, dict=True):
    """What was printed of one function. A field is None where it was not printed."""

    address: str
    head: str
    lines: list[str] = msgspec.field(default_factory=list)
    vendor: int | None = None
    device: int | None = None
    subvendor: int | None = None
    subdevice: int | None = None
    class_code: int | None = None
    revision: int | None = None

    def line(self, *starts: str) -> str | None:
        """The first line that starts with one of these."""
        return next((line for line in self.lines if line.startswith(starts)), None)

    @property
    def driver(self) -> str | None:
        """The driver in use; None where no line says one."""
        return self._value("Kernel driver in use:", "Driver:")

    @property
    def shows_modules(self) -> bool:
        """The block has its last part, where a driver in use would stand before."""
        return self.line("Kernel modules:", "Module:") is not None

    @property
    def modules(self) -> tuple[str, ...] | None:
        """The kernel modules that could drive the function."""
        one = self._value("Kernel modules:")
        if one is not None:
            return tuple(filter(None, (name.strip() for name in one.split(","))))
        more = [line.partition(":")[2].strip() for line in self.lines if line.startswith("Module:")]
        return tuple(more) or None

    @property
    def group(self) -> int | None:
        """`IOMMU group: 38`, printed since pciutils 3.7."""
        return self._number("IOMMU group:", "IOMMUGroup:")

    @property
    def numa_node(self) -> int | None:
        """`NUMA node: 0`; nothing is printed for none."""
        return self._number("NUMA node:", "NUMANode:")

    @property
    def dead(self) -> bool:
        """It answered with ones only: `(rev ff)`, `!!! Unknown header type 7f`."""
        return "(rev ff)" in self.head or self.line("!!! Unknown header type") is not None

    @property
    def capability_lines(self) -> bool:
        """Capabilities were printed, and the user was allowed to see them."""
        first = self.line("Capabilities:")
        return first is not None and "access denied" not in first

    @cached_property
    def config(self) -> pciconfig.ConfigSpace:
        """What the text says of the configuration space; None where it says nothing."""
        return _config(self)

    def _value(self, *starts: str) -> str | None:
        line = self.line(*starts)
        return None if line is None else line.partition(":")[2].strip()

    def _number(self, *starts: str) -> int | None:
        value = self._value(*starts)
        return int(value) if value is not None and re.fullmatch(r"[0-9]{1,9}", value) else None


def parse(text: str) -> tuple[Block, ...]:
    """The blocks of a text, in its order; a function may have several.

    >>> one, = parse("12:00.0 Ethernet controller [0200]: Intel X710 [8086:1572] (rev 02)")
    >>> one.address, hex(one.device), hex(one.class_code)
    ('0000:12:00.0', '0x1572', '0x20000')
    """
    return tuple(_finish(block) for block in _blocks(text))


def _blocks(text: str) -> Iterator[Block]:
    block: Block | None = None
    for raw in text.splitlines():
        line = raw.strip()
        head = _HEAD.fullmatch(raw.rstrip()) or _SLOT.fullmatch(line)
        where = address(head.group(1)) if head else None
        if head is not None and where is not None:
            if block is not None:
                yield block
            block = Block(where, line)
        elif block is not None and continues(raw):
            block.lines.append(line)
        elif block is not None:
            yield block
            block = None
    if block is not None:
        yield block


def continues(line: str) -> bool:
    """A line that lspci prints below a function's first one."""
    return bool(line.strip()) and (line[0] in " \t" or _KNOWN.match(line) is not None)


def _finish(block: Block) -> Block:
    if block.head.startswith(("Slot:", "Device:")):
        _keyed(block)
    elif '"' in block.head:
        _quoted(block)
    else:
        _plain(block)
    return block


def _plain(block: Block) -> None:
    numeric = _NUMERIC.search(block.head)
    if numeric is not None:
        kind, block.vendor, block.device = (int(part, 16) for part in numeric.groups())
        _classify(block, kind)
    else:
        ids, kind_text = _IDS.findall(block.head), _CLASS.search(block.head)
        if ids:
            block.vendor, block.device = (int(part, 16) for part in ids[-1])
        if kind_text:
            _classify(block, int(kind_text.group(1), 16))
    revision = _REVISION.search(block.head)
    if revision is not None:
        block.revision = int(revision.group(1) or revision.group(2), 16)
    below = block.line("Subsystem:")
    if below is not None:
        found = _IDS.findall(below) or re.findall(
            r"^Subsystem: ([0-9a-f]{4}):([0-9a-f]{4})\b", below
        )
        if found:
            block.subvendor, block.subdevice = (int(part, 16) for part in found[-1])


def _quoted(block: Block) -> None:
    """-m and -mm: the class, vendor, device, options, subsystem vendor and device in quotes."""
    try:
        words = shlex.split(block.head)[1:]
    except ValueError:
        return
    names = [word for word in words if not re.fullmatch(r"-[rp][0-9a-f]{2}", word)]
    ids = [_id(name) for name in names[:5]] + [None] * 5
    block.vendor, block.device, block.subvendor, block.subdevice = ids[1:5]
    for word in words:
        revision = re.fullmatch(r"-r([0-9a-f]{2})", word)
        if revision:
            block.revision = int(revision.group(1), 16)
    if ids[0] is not None:
        _classify(block, ids[0], " ".join(words))


def _keyed(block: Block) -> None:
    """-vmm: a key and a value on each line."""
    values = dict(line.split(":", 1) for line in reversed(block.lines) if ":" in line)
    got = {key: _id(value.strip()) for key, value in values.items()}
    block.vendor, block.device = got.get("Vendor"), got.get("Device")
    block.subvendor, block.subdevice = got.get("SVendor"), got.get("SDevice")
    revision = values.get("Rev", "").strip()
    block.revision = int(revision, 16) if re.fullmatch(r"[0-9a-f]{2}", revision) else None
    kind = got.get("Class")
    if kind is not None:
        program = values.get("ProgIf", "").strip()
        _classify(block, kind, f"(prog-if {program}")


def _id(name: str) -> int | None:
    """`Intel Corporation [8086]` or the bare number."""
    found = re.fullmatch(r"(?:.*\[)?([0-9a-f]{4})\]?", name)
    return int(found.group(1), 16) if found else None


def _classify(block: Block, kind: int, more: str | None = None) -> None:
    found = re.search(r"(?:\(prog-if |-p)([0-9a-f]{2})", block.head if more is None else more)
    block.class_code = kind << 8 | (int(found.group(1), 16) if found else 0)


_PORTS = {name: number for number, name in pciconfig.PORT_TYPES.items()}
_STANDARD = (
    ("Power Management", pciconfig.CAP_PM),
    ("MSI-X:", pciconfig.CAP_MSIX),
    ("MSI:", pciconfig.CAP_MSI),
    ("Express", pciconfig.CAP_EXPRESS),
    ("PCI Advanced Features", pciconfig.CAP_AF),
)
_EXTENDED = (
    ("Advanced Error Reporting", pciconfig.EXT_AER),
    ("Device Serial Number", pciconfig.EXT_SERIAL),
    ("Access Control Services", pciconfig.EXT_ACS),
    ("Alternative Routing-ID Interpretation", pciconfig.EXT_ARI),
    ("Address Translation Service", pciconfig.EXT_ATS),
    ("Single Root I/O Virtualization", pciconfig.EXT_SRIOV),
    ("Physical Resizable BAR", pciconfig.EXT_REBAR),
    ("Resizable BAR", pciconfig.EXT_REBAR),
    ("Page Request Interface", pciconfig.EXT_PRI),
    ("Process Address Space ID", pciconfig.EXT_PASID),
)
_ACS_BITS = (
    ("SrcValid", 0x01), ("TransBlk", 0x02), ("ReqRedir", 0x04), ("CmpltRedir", 0x08),
    ("UpstreamFwd", 0x10), ("EgressCtrl", 0x20), ("DirectTrans", 0x40),
)  # fmt: skip


def _config(block: Block) -> pciconfig.ConfigSpace:
    """Capabilities as `-v` and more prints them; their details need `-vv`."""
    if block.dead:
        return pciconfig.ConfigSpace(dead=True)
    known = pciconfig.ConfigSpace(
        vendor=block.vendor,
        device=block.device,
        subvendor=block.subvendor,
        subdevice=block.subdevice,
        class_code=block.class_code,
        revision=block.revision,
        header_type=1 if block.line("Bus: primary=") else None,
    )
    if not block.capability_lines:
        return known
    standard: set[int] = set()
    extended: set[int] = set()
    port: int | None = None
    for line in block.lines:
        cap = re.match(r"Capabilities: \[([0-9a-f]{2,3})(?: v[0-9]+)?\] (.*)", line)
        if cap is None:
            continue
        table, into = (_EXTENDED, extended) if len(cap.group(1)) > 2 else (_STANDARD, standard)
        into.update(number for name, number in table if cap.group(2).startswith(name))
        express = re.match(
            r"Express(?: \(v[0-9]\))? (.+?)(?: \(Slot[+-]\))?(?:, .*)?$", cap.group(2)
        )
        if express is not None and into is standard:
            port = _PORTS.get(express.group(1))
    detail = any("FLReset" in line for line in block.lines)  # not printed of ports
    acs_able, acs = _flags(block, "ACSCap:"), _flags(block, "ACSCtl:")
    return pciconfig.ConfigSpace(
        vendor=known.vendor,
        device=known.device,
        subvendor=known.subvendor,
        subdevice=known.subdevice,
        class_code=known.class_code,
        revision=known.revision,
        header_type=known.header_type if known.header_type is not None else 0,
        standard=frozenset(standard),
        extended=frozenset(extended),
        port_type=port,
        flr=_plus(block, "FLReset", shown=detail),
        af_flr=pciconfig.CAP_AF in standard and _plus(block, "FLR", shown=True),
        pm_reset=_pm_reset(block, standard),
        acs_able=acs_able,
        acs=acs,
        ats_enabled=_after(block, "ATSCtl:", "Enable"),
        virtual_functions=_virtual(block),
        serial=_serial(block),
    )


def _flags(block: Block, start: str) -> int | None:
    line = block.line(start)
    return None if line is None else sum(bit for name, bit in _ACS_BITS if f"{name}+" in line)


def _plus(block: Block, name: str, *, shown: bool) -> bool | None:
    if any(re.search(rf"\b{name}\+", line) for line in block.lines):
        return True
    return False if shown else None


def _after(block: Block, start: str, name: str) -> bool | None:
    line = block.line(start)
    return None if line is None else f"{name}+" in line


def _pm_reset(block: Block, standard: set[int]) -> bool | None:
    if pciconfig.CAP_PM not in standard:
        return False
    line = next((line for line in block.lines if "NoSoftRst" in line), None)
    return None if line is None else "NoSoftRst-" in line


def _virtual(block: Block) -> pciconfig.VirtualFunctions | None:
    numbers = block.line("Initial VFs:")
    places = block.line("VF offset:")
    found = re.search(r"Total VFs: ([0-9]{1,5})\b", numbers or "")
    where = re.match(
        r"VF offset: ([0-9]{1,5}), stride: ([0-9]{1,5}), Device ID: ([0-9a-f]{4})", places or ""
    )
    if found is None or where is None:
        return None
    return pciconfig.VirtualFunctions(
        int(found.group(1)),
        int(where.group(1)),
        int(where.group(2)),
        int(where.group(3), 16),
        _after(block, "IOVCtl:", "Enable"),
    )


def _serial(block: Block) -> str | None:
    for line in block.lines:
        found = re.search(r"Device Serial Number ((?:[0-9a-f]{2}-){7}[0-9a-f]{2})$", line)
        if found is not None:
            return found.group(1)
    return None
