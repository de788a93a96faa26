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
#: What mail and forums put before every line, and blanks that are none.
_QUOTED = re.compile(r"(?:> ?)+")
_BLANKS = str.maketrans({"\xa0": " ", "\u202f": " ", "\u2007": " "})
#: Commands that print nothing where there is no IOMMU group, and a shell that waits after them.
_LISTS_GROUPS = re.compile(
    r"[^$#>]{0,200}[$#>]\s+(?:ls|find)\s[^|;]*/sys/kernel/iommu_groups/?(?:\s+-\S.*)?$"
)
_COMMAND_LINE = re.compile(
    r"^(?:.{0,80}\b[Cc]ommand line: )?((?:BOOT_IMAGE=|initrd=|root=)\S+ .*)$"
)
_NO_GROUP = re.compile(r"(?:total 0|total: 0)\s*$")
_WAITS = re.compile(r"(?:\[?[\w.-]+@[\w.-]+[^$#]{0,200})?[$#](?:\s|$)")
#: The name of an empty folder, as a shell leaves its pattern in a script's output.
_STAR = re.compile(r"\s*IOMMU[ _]group[ :]*\*", re.IGNORECASE)
_GROUPS = "sys/kernel/iommu_groups"


def carve(text: str, host: str) -> Evidence:
    """The evidence in a text: the text itself, and every known piece of it."""
    pieces: dict[str, list[str]] = {}
    lines = _plain(text.splitlines())
    for name, line in _carved(lines):
        pieces.setdefault(name, []).append(line)
    items = {name: _item(name, lines) for name, lines in pieces.items()}
    if text.strip():
        items["paste"] = _item("paste", text.splitlines())
    if "etc/modprobe.d/pasted.conf" in items:
        items["etc/modprobe.d/"] = _item("etc/modprobe.d/", ["pasted.conf"])
    whole = set(_whole_command_lines(lines))
    if len(whole) == 1:  # of two boots nobody knows which one runs
        items["proc/cmdline"] = _one_line(whole.pop())
    if "listing/iommu_groups" not in items and _shows_no_group(lines):
        items[_GROUPS] = Item(_GROUPS, Status.PRESENT)
    return Evidence(host, Source.PASTE, MappingProxyType(items))


def _plain(lines: list[str]) -> list[str]:
    """The lines without the marks of a quotation, and with plain blanks."""
    told = [line for line in lines if line.strip()]
    quoted = bool(told) and sum(line.startswith(">") for line in told) * 2 > len(told)
    return [
        (_QUOTED.sub("", line, count=1) if quoted else line).translate(_BLANKS) for line in lines
    ]


def _whole_command_lines(lines: list[str]) -> Iterator[str]:
    """The kernel's command lines that nothing can have been broken off: one line is all of it."""
    for at, line in enumerate(lines):
        found = _COMMAND_LINE.search(line[:_LOOK])
        after = lines[at + 1][:_LOOK] if at + 1 < len(lines) else ""
        ends = not after.strip() or _STAMP.match(after.lstrip()) or _WAITS.match(after)
        if found and ends and len(line) < _LOOK and "..." not in line and "\u2026" not in line:
            yield found[1].strip()


def _one_line(line: str) -> Item:
    """A command line that is all that its file has."""
    return Item("proc/cmdline", Status.PRESENT, line.encode(), extent=Extent.GREPPED)


def _shows_no_group(lines: list[str]) -> bool:
    """Somebody listed the groups, and there are none."""
    for at, line in enumerate(lines):
        if _STAR.match(line[:_LOOK]):
            return True
        after = lines[at + 1].strip() if at + 1 < len(lines) else ""
        shown = _NO_GROUP.match(after) or _WAITS.match(after)
        if shown and _LISTS_GROUPS.match(line[:_LOOK]):
            return True
    return False


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
