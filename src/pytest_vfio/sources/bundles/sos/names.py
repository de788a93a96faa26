"""What of a sosreport is which item, from the table of items and from what sos 3.x and 4.x print.

Follows sos's `sos/report/plugins/*.py`. A file that is not in a report was perhaps never looked
for: it is *not collected*, never absent.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from types import MappingProxyType

from pytest_vfio.sources.items import ROWS
from pytest_vfio.sources.row import How, Row
from pytest_vfio.sources.table import BY_NAME

VIRSH = "sos_commands/virsh/virsh_-r_"
#: The parts of a tree that are contents of files.
_CONTENTS = ("values", "flat")


def _shape(pattern: str) -> str:
    """A pattern of paths, in which a `*` stands for no slash, as a regular expression."""
    parts = ("[^/]*".join(map(re.escape, part.split("*"))) for part in pattern.split("/"))
    return "/".join("[^/]+" if part == "[^/]*" else part for part in parts)


def _rows(*hows: How) -> tuple[Row, ...]:
    return tuple(row for row in ROWS if row.how in hows)


#: Files that are taken under their own path.
FILES = re.compile(
    "|".join(
        (
            *(_shape(row.name) for row in _rows(How.FILE)),
            *(_shape(row.inside) for row in ROWS if row.inside),
            *(_shape(row.name) for row in ROWS if row.name in row.sos),
        )
    )
)
#: Item -> the other places at which a report may hold it.
ELSEWHERE: Mapping[str, tuple[str, ...]] = MappingProxyType(
    {row.name: row.sos for row in _rows(How.FILE) if row.sos}
)
#: Item -> the outputs that are one document each, and the table that names them all.
DOCUMENTS: Mapping[str, tuple[str, str]] = MappingProxyType(
    {
        row.name: (row.sos[0].removeprefix(VIRSH).removesuffix("_*"), row.sos[1])
        for row in ROWS
        if row.name.endswith("dumpxml") and row.sos
    }
)
JOURNAL = BY_NAME["journal/kernel"].sos
INITRAMFS = BY_NAME["initramfs"].sos
#: What several items are made of, or one by more than a name: these have a reader of their own.
_SPLIT = frozenset(
    {*DOCUMENTS, "virsh/list-autostart", "journal/kernel", "journal/libvirt", "initramfs"}
)
#: Item -> where a command's output may lie, the fullest first.
COMMANDS: Mapping[str, tuple[str, ...]] = MappingProxyType(
    {
        row.name: row.sos
        for row in ROWS
        if row.name not in _SPLIT
        and any(place.startswith("sos_commands/") for place in row.sos)
        and row.how is not How.FILE
    }
)
DOCUMENT = re.compile(rf"{VIRSH}(dumpxml|nodedev-dumpxml|net-dumpxml|dominfo)_[^/]+")
#: The folders whose files are taken, and what the manifest says was asked for where all were.
FOLDERS: Mapping[str, tuple[str, ...]] = MappingProxyType(
    {row.name: row.sos for row in ROWS if row.inside}
)
#: Reports of sos 3.x have no manifest; these folders its kernel plugin copied as a whole.
EVER_WHOLE = ("etc/modprobe.d/",)
TABLES = re.compile(r"sys/firmware/acpi/tables/([A-Za-z0-9]{1,8})")
CONFIG_SPACE = re.compile(r"proc/bus/pci/((?:[0-9a-f]{4,8}:)?[0-9a-f]{2})/([01][0-9a-f]\.[0-7])")
KERNEL_CONFIG = re.compile(r"boot/config-([^/]+)")
MODULES_DEP = re.compile(r"(?:usr/)?lib/modules/[^/]+/modules\.dep")


def _below(row: Row) -> re.Pattern[str]:
    """The contents of a tree, wherever it lies: the first group is the path below it."""
    files = (path for part in row.parts if part.mode in _CONTENTS for path in part.paths)
    return re.compile(f"(?:{'|'.join(row.sos)})({'|'.join(map(_shape, files))})")


#: Tree -> the shape of the files of which a report may hold some.
TREES: tuple[tuple[str, re.Pattern[str]], ...] = tuple(
    (row.name, _below(row)) for row in _rows(How.TREE) if row.sos
)
SHORT = rb"[A-Z][a-z]{2} [ \d]\d [\d:]{8} \S{1,253} "
OF_KERNEL = re.compile(SHORT + rb"(?:kernel|systemd-journald\[\d+\]): |-- ")
OF_LIBVIRT = re.compile(SHORT + rb"(?:libvirtd|virt(?:qemu|nodedev|network)d)\[\d+\]: ")
LISTED = re.compile(r"[bcdlps-][rwxsStT-]{9}[.+@]? ")
SYSCTL = "sos_commands/kernel/sysctl_-a"
MANIFEST = "sos_reports/manifest.json"
SOS_LOG = "sos_logs/sos.log"
OTHERS = frozenset(
    {
        *JOURNAL,
        *INITRAMFS,
        SYSCTL,
        MANIFEST,
        SOS_LOG,
        "sos_commands/host/hostnamectl_status",
        "sos_commands/host/hostnamectl",
        "sos_commands/systemd/timedatectl",
        "sos_commands/date/date_--utc",
        *(place for places in (*ELSEWHERE.values(), *COMMANDS.values()) for place in places),
        *(table for _, table in DOCUMENTS.values()),
    }
)
#: What a shell, sos or the program itself prints in place of an output.
ERROR = re.compile(
    r"error: |(?:/\S*/|-)?(?:ba|da)?sh: .*(?:not found|No such file)|.{0,200}command not found"
    r"|timeout: (?:failed|the monitored|sending)|\[?Errno \d|Traceback \(most recent"
    r"|lspci: Cannot|pcilib: Cannot|dmesg: |virsh: "
)
#: Options of sos that leave something out.
PARTIAL = re.compile(r"--skip-(?:files|commands)|--log-size|--estimate")
TIMED_OUT = re.compile(r"command '([^'\n]{1,500})' timed out after (\d{1,9})s")
UNIVERSAL = re.compile(r"Universal time: \w{3} (\d{4}-\d\d-\d\d) (\d\d:\d\d:\d\d)")
NAME = re.compile(r"<name>([^<]{1,1000})</name>")
STATES = re.compile(
    r"\s*(?:\d+|-)\s+(\S.*?)\s+(?:running|idle|paused|in shutdown|shut off|crashed|pmsuspended"
    r"|no state|dying)\s*"
)
