"""One text with anything pasted together: known pieces are carved out of it.

Each line is known by what it looks like. What is not recognised is ignored, nothing is ever taken
as whole, and nothing is concluded from what is not there.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from types import MappingProxyType

from pytest_vfio.evidence import Evidence, Extent, Item, Source, Status

#: A prompt before a pasted command; what stands behind it is no output.
_PROMPT = re.compile(r"(?:\[?[\w.-]+@[\w.-]+[^$#]{0,200}[$#]|[$#])\s+\S")
_STAMP = re.compile(
    r"\[\s*\d+\.\d+\]\s"  # dmesg
    r"|\[[A-Z][a-z]{2} [A-Z][a-z]{2} [ \d]\d [\d:]{8} \d{4}\]\s"  # dmesg -T
    r"|[A-Z][a-z]{2} [ \d]\d [\d:]{8} \S+ kernel: "  # syslog, journalctl
    r"|\d{4}-\d\d-\d\d[T ][\d:.,+-]+Z? \S+ kernel: "  # journalctl -o short-iso
)
_ADDRESS = r"(?:[0-9a-f]{4,8}:)?[0-9a-f]{2}:[0-1][0-9a-f]\.[0-7]"
_FUNCTION = re.compile(rf"{_ADDRESS}\s+(?:\S.*: |\"|[0-9a-f]{{4}}: )", re.IGNORECASE)
_OF_FUNCTION = re.compile(
    r"\s+\S|(?:Subsystem|DeviceName|Kernel driver in use|Kernel modules|Control|Status|Flags"
    r"|Latency|Interrupt|NUMA node|IOMMU group|Region \d|Capabilities|Memory at|I/O ports at"
    r"|Expansion ROM at|Physical Slot|LnkCap|LnkSta|Bus):?\s"
)
_GROUP = re.compile(r"\s*(?:\S+ )?IOMMU[ _]group[:# ]*\d+\b|.*/iommu_groups/\d+\b", re.IGNORECASE)
_IN_GROUP = re.compile(rf"[\s\W]*(?:\[[^\]]*\]\s*)?{_ADDRESS}\b", re.IGNORECASE)
_CMDLINE = re.compile(r"(?:BOOT_IMAGE=|initrd=\S+\s+root=|root=\S+\s+r[ow]\b)")
_GRUB = re.compile(r"\s*#?\s*(?:export\s+)?GRUB_[A-Z_]+\s*=")
_MODPROBE = re.compile(
    r"(?:options\s+[\w-]+\s+\S+=|softdep\s+[\w-]+\s+(?:pre|post):|blacklist\s+[\w-]+\s*$"
    r"|install\s+[\w-]+\s+/)"
)
_QEMU = re.compile(
    r".*(?:qemu-system-\w+|qemu-kvm|/usr/bin/kvm)\S*: "
    r"|.*\bvfio (?:error: )?[0-9a-f]{4}:[0-9a-f]{2}:"
)
_LIBVIRT = re.compile(
    r"error: |.*\b(?:libvirtd|virtqemud)\[\d+\]"
    r"|\d{4}-\d\d-\d\d [\d:.]+\+0000: \d+: (?:error|warning) :"
)
_OPENS = re.compile(r"\s*<(device|domain|domstatus)[\s>]")

#: What a line that begins no piece of its own may continue.
_CONTINUES: Mapping[str, re.Pattern[str]] = MappingProxyType(
    {"lspci": _OF_FUNCTION, "listing/iommu_groups": _IN_GROUP}
)
_BEGINS: tuple[tuple[str, re.Pattern[str]], ...] = (
    ("dmesg", _STAMP),
    ("listing/iommu_groups", _GROUP),
    ("proc/cmdline", _CMDLINE),
    ("etc/default/grub", _GRUB),
    ("etc/modprobe.d/pasted.conf", _MODPROBE),
    ("qemu.log", _QEMU),
    ("libvirt.log", _LIBVIRT),
    ("lspci", _FUNCTION),
)
_XML = MappingProxyType(
    {"device": "virsh/nodedev-dumpxml", "domain": "domain/xml", "domstatus": "domain/xml"}
)
#: Lines are looked at by their beginning.
_LOOK = 4096


def carve(text: str, host: str) -> Evidence:
    """The evidence in a text: the text itself, and every known piece of it."""
    pieces: dict[str, list[str]] = {}
    for name, line in _carved(text.splitlines()):
        pieces.setdefault(name, []).append(line)
    items = {name: _item(name, lines) for name, lines in pieces.items()}
    if text.strip():
        items["paste"] = _item("paste", text.splitlines())
    if "etc/modprobe.d/pasted.conf" in items:
        items["etc/modprobe.d/"] = _item("etc/modprobe.d/", ["pasted.conf"])
    return Evidence(host, Source.PASTE, MappingProxyType(items))


def _item(name: str, lines: list[str]) -> Item:
    # Only the first of several command lines can be the one of the running kernel.
    kept = lines[:1] if name == "proc/cmdline" else lines
    return Item(name, Status.PRESENT, "\n".join(kept).encode(), extent=Extent.ELIDED)


def _carved(lines: list[str]) -> Iterator[tuple[str, str]]:
    inside = ""  # the item whose lines may go on
    element = ""  # the XML element that is open
    for line in lines:
        start = line[:_LOOK]
        if element:
            yield _XML[element], line
            if f"</{element}>" in line:
                element = ""
            continue
        opened = _OPENS.match(start)
        if opened:
            inside, element = "", opened.group(1)
            yield _XML[element], line
            if f"</{element}>" in line:
                element = ""
        elif _PROMPT.match(start):
            inside = ""
        elif _goes_on(inside, start):
            yield inside, line
        else:
            inside = next((name for name, begin in _BEGINS if begin.match(start)), "")
            if inside:
                yield inside, line


def _goes_on(inside: str, start: str) -> bool:
    """Whether a line that begins so belongs to the piece before it."""
    continues = _CONTINUES.get(inside)
    return continues is not None and bool(continues.match(start)) and not _GROUP.match(start)
