"""What of a sosreport is which item: the names that sos 3.x and 4.x give to files and outputs.

Follows sos's `sos/report/plugins/*.py`. A file that is not in a report was perhaps never looked
for: it is *not collected*, never absent. Whether a folder or a list of documents is whole is told
by the report itself, or nobody says so.
"""

from __future__ import annotations

import html
import json
import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from functools import cached_property
from types import MappingProxyType
from typing import Any

from pytest_vfio.evidence import Evidence, Extent, Item, Status
from pytest_vfio.sources.loose import acpi_table

#: As much of one file is kept, in bytes.
LIMIT = 64 << 20

#: Files that are taken under their own path.
_FILES = re.compile(
    r"proc/(cmdline|cpuinfo|interrupts|modules|iomem|meminfo|uptime|version|swaps|bootconfig)"
    r"|proc/self/mountinfo|proc/bus/input/devices"
    r"|proc/sys/kernel/(osrelease|hostname|tainted|dmesg_restrict|random/boot_id)"
    r"|sys/kernel/security/lockdown|sys/firmware/acpi/tables/(DMAR|IVRS|IORT)"
    r"|etc/(machine-id|os-release|fstab|crypttab|modules|dracut\.conf|mkinitcpio\.conf)"
    r"|etc/default/(grub|kdump-tools|libvirt-guests)|etc/sysconfig/libvirt-guests"
    r"|etc/default/grub\.d/[^/]+"
    r"|boot/grub2?/(grub\.cfg|grubenv)|(boot|boot/efi|efi)/loader/(loader\.conf|entries/[^/]+)"
    r"|etc/kernel/(cmdline|proxmox-boot-uuids)|etc/initramfs-tools/modules"
    r"|(etc|run|usr/local/lib|usr/lib|lib)/modprobe\.d/[^/]+"
    r"|(etc|usr/lib)/modules-load\.d/[^/]+"
    r"|(etc|usr/lib/dracut)/dracut\.conf\.d/[^/]+"
    r"|etc/driverctl\.d/[^/]+|etc/udev/rules\.d/[^/]+|etc/systemd/network/[^/]+"
    r"|etc/libvirt/(qemu|libvirtd)\.conf|etc/libvirt/qemu/(networks/)?[^/]+\.xml"
    r"|run/libvirt/qemu/[^/]+\.xml|var/log/libvirt/qemu/[^/]+\.log|var/log/dmesg"
)
#: Item -> the other places at which a report may hold it.
_ELSEWHERE: Mapping[str, tuple[str, ...]] = MappingProxyType(
    {
        "etc/os-release": ("usr/lib/os-release",),
        "proc/modules": ("sos_commands/kernel/lsmod",),
        "proc/self/mountinfo": ("proc/1/mountinfo",),
    }
)
#: Item -> where a command's output may lie, the fullest first.
_COMMANDS: Mapping[str, tuple[str, ...]] = MappingProxyType(
    {
        "dmesg": ("sos_commands/kernel/dmesg", "sos_commands/kernel/dmesg_-T"),
        "lspci": (
            "sos_commands/pci/lspci_-nnvv",
            "sos_commands/pci/lspci_-nvv",
            "sos_commands/hardware/lspci_-nnvv",
        ),
        "uname": ("sos_commands/kernel/uname_-a",),
        "virsh/list": ("sos_commands/virsh/virsh_-r_list_--all",),
        "virsh/version": ("sos_commands/virsh/virsh_-r_version",),
        "virsh/capabilities": ("sos_commands/virsh/virsh_-r_capabilities",),
        "bootctl": ("sos_commands/boot/bootctl_status",),
    }
)
#: Item -> the outputs that are one document each, and the table that names them all.
_DOCUMENTS: Mapping[str, tuple[str, str]] = MappingProxyType(
    {
        "virsh/dumpxml": ("dumpxml", "sos_commands/virsh/virsh_-r_list_--all"),
        "virsh/nodedev-dumpxml": (
            "nodedev-dumpxml",
            "sos_commands/virsh/virsh_-r_nodedev-list_--tree",
        ),
        "virsh/net-dumpxml": ("net-dumpxml", "sos_commands/virsh/virsh_-r_net-list_--all"),
    }
)
_VIRSH = "sos_commands/virsh/virsh_-r_"
_DOCUMENT = re.compile(rf"{_VIRSH}(dumpxml|nodedev-dumpxml|net-dumpxml|dominfo)_[^/]+")
#: The folders that sos takes as a whole, and what its manifest then says was asked for.
_FOLDERS: Mapping[str, tuple[str, ...]] = MappingProxyType(
    {
        "etc/modprobe.d/": ("/etc/modprobe.d",),
        "run/modprobe.d/": ("/run/modprobe.d",),
        "usr/local/lib/modprobe.d/": ("/usr/local/lib/modprobe.d",),
        "usr/lib/modprobe.d/": ("/usr/lib/modprobe.d", "/lib/modprobe.d"),
        "lib/modprobe.d/": ("/lib/modprobe.d",),
        "etc/modules-load.d/": ("/etc/modules-load.d/*.conf",),
        "etc/dracut.conf.d/": ("/etc/dracut.conf.d",),
        "etc/udev/rules.d/": ("/etc/udev/rules.d/*", "/etc/udev/rules.d"),
        "etc/systemd/network/": ("/etc/systemd",),
        "etc/libvirt/qemu/": ("/etc/libvirt/qemu/*.xml",),
        "etc/libvirt/qemu/networks/": ("/etc/libvirt/qemu/networks/*.xml",),
        "run/libvirt/qemu/": ("/run/libvirt/", "/run/libvirt"),
        "boot/loader/entries/": ("/boot/loader/entries",),
        "var/log/libvirt/qemu/": (),  # sos leaves out what is over its limit
    }
)
#: Reports of sos 3.x have no manifest; these folders its kernel plugin copied as a whole.
_EVER_WHOLE = ("etc/modprobe.d/",)
_TABLES = re.compile(r"sys/firmware/acpi/tables/([A-Za-z0-9]{1,8})")
_CONFIG_SPACE = re.compile(r"proc/bus/pci/((?:[0-9a-f]{4,8}:)?[0-9a-f]{2})/([01][0-9a-f]\.[0-7])")
_KERNEL_CONFIG = re.compile(r"boot/config-([^/]+)")
_MODULES_DEP = re.compile(r"(?:usr/)?lib/modules/[^/]+/modules\.dep")
#: Folder of small files -> the item, which is a tree.
_TREES: tuple[tuple[str, re.Pattern[str]], ...] = (
    (
        "sys/module",
        re.compile(
            r"sys/module/((?:vfio|kvm|iommu|pci|irqbypass|intel_iommu|amd_iommu)[^/]*/parameters/[^/]+"
            r"|[^/]+/initstate)"
        ),
    ),
    (
        "sys/devices/system/node",
        re.compile(
            r"sys/devices/system/node/(online|possible|node\d+/(?:meminfo|cpulist|distance"
            r"|hugepages/[^/]+/(?:nr|free)_hugepages))"
        ),
    ),
    (
        "sys/class/dmi/id",
        re.compile(
            r"sys/(?:class|devices/virtual)/dmi/id/(bios_\w+|board_(?:name|vendor|version)"
            r"|chassis_(?:type|vendor)|product_(?:name|version|family|sku)|sys_vendor)"
        ),
    ),
)
_JOURNAL = tuple(
    f"sos_commands/{plugin}/journalctl_--no-pager_{catalog}--boot{tail}"
    for plugin in ("logs", "systemd")
    for catalog in ("", "--catalog_")
    for tail in ("", "_0")
)
_SHORT = rb"[A-Z][a-z]{2} [ \d]\d [\d:]{8} \S{1,253} "
_OF_KERNEL = re.compile(_SHORT + rb"(?:kernel|systemd-journald\[\d+\]): |-- ")
_OF_LIBVIRT = re.compile(_SHORT + rb"(?:libvirtd|virt(?:qemu|nodedev|network)d)\[\d+\]: ")
_INITRAMFS = tuple(
    f"sos_commands/boot/{name}"
    for name in ("lsinitrd", "lsinitramfs_-l_.initrd.img", "lsinitramfs_-l_.boot.initrd.img")
)
_LISTED = re.compile(r"[bcdlps-][rwxsStT-]{9}[.+@]? ")
_SYSCTL = "sos_commands/kernel/sysctl_-a"
_MANIFEST = "sos_reports/manifest.json"
_SOS_LOG = "sos_logs/sos.log"
_OTHERS = frozenset(
    {
        *_JOURNAL,
        *_INITRAMFS,
        _SYSCTL,
        _MANIFEST,
        _SOS_LOG,
        "sos_commands/host/hostnamectl_status",
        "sos_commands/host/hostnamectl",
        "sos_commands/systemd/timedatectl",
        "sos_commands/date/date_--utc",
        *(place for places in (*_ELSEWHERE.values(), *_COMMANDS.values()) for place in places),
        *(table for _, table in _DOCUMENTS.values()),
    }
)
#: What a shell, sos or the program itself prints in place of an output.
_ERROR = re.compile(
    r"error: |(?:/\S*/|-)?(?:ba|da)?sh: .*(?:not found|No such file)|.{0,200}command not found"
    r"|timeout: (?:failed|the monitored|sending)|\[?Errno \d|Traceback \(most recent"
    r"|lspci: Cannot|pcilib: Cannot|dmesg: |virsh: "
)
#: Options of sos that leave something out.
_PARTIAL = re.compile(r"--skip-(?:files|commands)|--log-size|--estimate")
_TIMED_OUT = re.compile(r"command '([^'\n]{1,500})' timed out after (\d{1,9})s")
_UNIVERSAL = re.compile(r"Universal time: \w{3} (\d{4}-\d\d-\d\d) (\d\d:\d\d:\d\d)")
_NAME = re.compile(r"<name>([^<]{1,1000})</name>")
_STATES = re.compile(
    r"\s*(?:\d+|-)\s+(\S.*?)\s+(?:running|idle|paused|in shutdown|shut off|crashed|pmsuspended"
    r"|no state|dying)\s*"
)


@dataclass
class Report:
    """The files of a sosreport that are wanted, its links by name, and what could not be read.

    `tailed` are those of which sos kept only the end.
    """

    files: dict[str, bytes] = field(default_factory=dict)
    links: dict[str, str] = field(default_factory=dict)
    unread: dict[str, str] = field(default_factory=dict)
    tailed: set[str] = field(default_factory=set)

    def text(self, name: str) -> str:
        """A file as text; empty where there is none."""
        return self.files.get(name, b"").decode("utf-8", "backslashreplace")

    @cached_property
    def manifest(self) -> Mapping[str, Any]:
        """What sos 4 says about its own run; empty where it is not there or not readable."""
        try:
            found = json.loads(self.files.get(_MANIFEST, b"{}"))
            return found if isinstance(found, dict) else {}
        except (ValueError, RecursionError):
            return {}

    @cached_property
    def plugins(self) -> tuple[Mapping[str, Any], ...]:
        """The manifest's plugins."""
        found: Any = self.manifest
        for key in ("components", "report", "plugins"):
            found = found.get(key) if isinstance(found, dict) else None
        values = found.values() if isinstance(found, dict) else ()
        return tuple(plugin for plugin in values if isinstance(plugin, dict))

    @cached_property
    def commands(self) -> Mapping[str, Mapping[str, Any]]:
        """File of an output -> what the manifest says about the command."""
        return {
            str(command.get("filepath")): command
            for plugin in self.plugins
            for command in _list(plugin.get("commands"))
            if isinstance(command, dict)
        }

    @cached_property
    def copied(self) -> frozenset[str]:
        """What was asked for, whole, and found; empty where a part may have been left out."""
        if _PARTIAL.search(str(self.manifest.get("cmdline"))):
            return frozenset()
        return frozenset(
            str(file.get("specification"))
            for plugin in self.plugins
            if not plugin.get("timeout_hit")
            for file in _list(plugin.get("files"))
            if isinstance(file, dict) and file.get("files_copied")
        )

    @cached_property
    def late(self) -> Mapping[str, str]:
        """Command -> seconds after which sos gave it up."""
        return dict(_TIMED_OUT.findall(self.text(_SOS_LOG)))


def wanted(name: str) -> bool:
    """Whether anything is made of a file of a report."""
    return (
        name in _OTHERS
        or _FILES.fullmatch(name) is not None
        or _DOCUMENT.fullmatch(name) is not None
        or (name.startswith("sos_strings/") and name.endswith(".tailed"))
        or any(
            shape.fullmatch(name)
            for shape in (_KERNEL_CONFIG, _MODULES_DEP, _CONFIG_SPACE, _TABLES)
        )
        or any(shape.fullmatch(name) for _, shape in _TREES)
        or name == "lib"
    )


def evidence(report: Report, host: str) -> Evidence:
    """The evidence of a report."""
    items: dict[str, Item] = {}
    for item in _items(report):
        items.setdefault(item.name, item)
    return Evidence(host, "sosreport", MappingProxyType(items), _collected(report))


def _items(report: Report) -> Iterator[Item]:
    for name in sorted({*report.files, *report.unread}):
        if _FILES.fullmatch(name):
            yield _file(report, name, name)
    for item, places in _ELSEWHERE.items():
        yield from (_command(report, item, place) for place in places if place in report.files)
    for item, places in _COMMANDS.items():
        read = [_command(report, item, place) for place in places if place in report.files]
        # an output that failed does not hide a fuller one
        yield from sorted(read, key=lambda one: one.status is not Status.PRESENT)
    for item, (verb, table) in _DOCUMENTS.items():
        yield from _documents(report, item, verb, table)
    yield from _autostart(report)
    yield from _kernel(report)
    yield from _sysctl(report)
    yield from _journal(report)
    yield from _initramfs(report)
    yield from _virtualization(report)
    yield from _trees(report)
    yield from _folders(report)


def _file(report: Report, item: str, name: str) -> Item:
    if name in report.unread:
        return Item(item, Status.FAILED, detail=report.unread[name])
    data = report.files[name]
    if name in report.tailed:
        return Item(item, Status.TRUNCATED, _ended(data), "sos kept only its end")
    if len(data) > LIMIT:
        return Item(item, Status.TRUNCATED, data[:LIMIT], f"more than {LIMIT} bytes")
    read = Item(item, Status.PRESENT, data)
    return acpi_table(read) if item.startswith("sys/firmware/acpi/") else read


def _ended(data: bytes) -> bytes:
    """The lines of an end that were kept whole: not the first, and not what follows the last."""
    return data.partition(b"\n")[2].rpartition(b"\n")[0] + b"\n"


def _command(report: Report, item: str, place: str) -> Item:
    """An output; failed where the manifest, sos's log or the output itself says so."""
    read = _file(report, item, place)
    if not place.startswith("sos_commands/") or read.status is not Status.PRESENT:
        return read
    said = report.commands.get(place, {})
    first = next((line for line in read.text[:4096].split("\n") if line.strip()), "")
    late = report.late.get(str(said.get("exec") or _words(place)))
    if said.get("return_code") == 124 or late is not None:
        return Item(item, Status.TIMED_OUT, read.data, f"sos gave it up after {late or '?'} s")
    if said.get("truncated"):
        return Item(item, Status.TRUNCATED, _ended(read.data), "sos kept only its end")
    if said.get("return_code") not in {None, 0}:
        detail = f"exit {said['return_code']}: {first}"
        return Item(item, Status.FAILED, detail=" ".join(detail.split())[:300])
    if _ERROR.match(first[:1000]):
        return Item(item, Status.FAILED, detail=" ".join(first.split())[:300])
    if not first:
        return Item(item, Status.FAILED, detail="it printed nothing")
    return read


def _words(place: str) -> str:
    """The command that an output's name was made from, where no word of it had a slash."""
    return place.rpartition("/")[2].replace("_", " ")


def _documents(report: Report, item: str, verb: str, table: str) -> Iterator[Item]:
    """All documents of a kind; whole where each that the table names is there."""
    places = [name for name in sorted(report.files) if name.startswith(f"{_VIRSH}{verb}_")]
    listed = _command(report, item, table) if table in report.files else None
    if listed is None and not places:
        return
    if listed is not None and listed.status is not Status.PRESENT:
        if not places:
            yield replace(listed, data=b"")
            return
        listed = None
    read = [_command(report, item, place) for place in places]
    good = [part for part in read if part.status is Status.PRESENT]
    if read and not good:
        yield replace(read[0], data=b"")
        return
    data = b"\n".join(part.data for part in good)
    if listed is None:
        yield Item(item, Status.PRESENT, data, "perhaps not all", Extent.ELIDED)
        return
    have = {html.unescape(name[1]) for part in good if (name := _NAME.search(part.text))}
    missing = sorted(set(_listed(listed.text, verb)) - have)
    if missing:
        yield Item(item, Status.FAILED, data, f"no document of {', '.join(missing[:3])}"[:300])
    else:
        yield Item(item, Status.PRESENT, data)


def _listed(table: str, verb: str) -> Iterator[str]:
    """The names in a table of virsh."""
    lines = table.split("\n")
    if verb == "nodedev-dumpxml":
        yield from (name for line in lines if (name := line.strip(" +-|\r")).startswith("pci_"))
    elif verb == "net-dumpxml":
        yield from (line.split()[0] for line in lines[2:] if line.strip())
    else:
        yield from (row[1] for line in lines if (row := _STATES.fullmatch(line[:1000])))


def _autostart(report: Report) -> Iterator[Item]:
    """`virsh dominfo` of every guest says whether it starts by itself."""
    table = "sos_commands/virsh/virsh_-r_list_--all"
    if table not in report.files:
        return
    listed = _command(report, "virsh/list-autostart", table)
    if listed.status is not Status.PRESENT:
        yield replace(listed, data=b"")
        return
    answers: dict[str, str] = {}
    for place in sorted(report.files):
        if place.startswith(f"{_VIRSH}dominfo_"):
            rows = (line.partition(":") for line in report.text(place).split("\n"))
            told = {key.strip(): value.strip() for key, mark, value in rows if mark}
            answers[told.get("Name", "")] = told.get("Autostart", "")
    guests = set(_listed(listed.text, "dumpxml"))
    names = sorted(name for name in guests if answers.get(name) == "enable")
    whole = all(answers.get(name) in {"enable", "disable"} for name in guests)
    data = "".join(f"{name}\n" for name in names).encode()
    yield Item(
        "virsh/list-autostart",
        Status.PRESENT,
        data,
        "" if whole else "not of every guest",
        Extent.WHOLE if whole else Extent.ELIDED,
    )


def _release(report: Report) -> str:
    words = report.text("sos_commands/kernel/uname_-a").split()
    return words[2] if len(words) > 2 and words[0] == "Linux" else ""


def _kernel(report: Report) -> Iterator[Item]:
    release = _release(report)
    configs = [name for name in sorted(report.files) if _KERNEL_CONFIG.fullmatch(name)]
    own = f"boot/config-{release}"
    if own in configs or (not release and len(configs) == 1):
        yield _file(report, "kernel-config", own if own in configs else configs[0])
    for prefix in ("lib", "usr/lib"):
        name = f"{prefix}/modules/{release}/modules.dep"
        if release and name in report.files:
            yield _file(report, "modules.dep", name)


def _sysctl(report: Report) -> Iterator[Item]:
    """A few of the kernel's own words, where sos did not copy their files."""
    if _SYSCTL not in report.files:
        return
    for key in ("osrelease", "hostname", "tainted", "dmesg_restrict"):
        found = re.search(rf"^kernel\.{key} = (.*)$", report.text(_SYSCTL), re.MULTILINE)
        if found:
            yield Item(f"proc/sys/kernel/{key}", Status.PRESENT, f"{found[1]}\n".encode())


def _journal(report: Report) -> Iterator[Item]:
    """The journal of this boot, of which sos keeps all units in one."""
    for place in _JOURNAL:
        if place not in report.files:
            continue
        read = _command(report, "journal/kernel", place)
        lines = read.data.split(b"\n")
        kernel = b"".join(line + b"\n" for line in lines if _OF_KERNEL.match(line))
        daemon = b"".join(line + b"\n" for line in lines if _OF_LIBVIRT.match(line))
        if kernel or read.status is not Status.PRESENT:
            yield replace(read, data=kernel)
        if read.status is Status.PRESENT:
            yield Item("journal/libvirt", Status.PRESENT, daemon, extent=Extent.ELIDED)
        return


def _initramfs(report: Report) -> Iterator[Item]:
    """A listing of the image, if it is one for the running kernel."""
    release = _release(report)
    for place in _INITRAMFS:
        if place not in report.files or not release:
            continue
        read = _command(report, "initramfs", place)
        lines = [line for line in read.text.split("\n") if _LISTED.match(line)]
        if any(f"lib/modules/{release}/" in line for line in lines):
            yield replace(read, data="".join(f"{line}\n" for line in lines).encode())
            return


def _virtualization(report: Report) -> Iterator[Item]:
    for place in ("sos_commands/host/hostnamectl_status", "sos_commands/host/hostnamectl"):
        found = re.search(r"^\s*Virtualization: ([a-z0-9-]+)\s*$", report.text(place), re.MULTILINE)
        if found:  # that it is not told does not prove that there is none
            yield Item("systemd/detect-virt", Status.PRESENT, f"{found[1]}\n".encode())


def _trees(report: Report) -> Iterator[Item]:
    """Folders of small files: chosen ones, so that what is not there proves nothing."""
    for tree, shape in _TREES:
        lines = []
        for name in sorted(report.files):
            path = shape.fullmatch(name)
            if path:
                body = report.text(name)[:100_000].rstrip("\n")
                lines += [f"{path[1]}={line}\n" for line in body.split("\n")]
        if lines:
            yield Item(tree, Status.PRESENT, "".join(lines).encode(), extent=Extent.GREPPED)
    lines = []
    for name in sorted(report.files):
        path = _CONFIG_SPACE.fullmatch(name)
        if path and len(report.files[name]) in {64, 256, 4096}:
            bus = path[1] if ":" in path[1] else f"0000:{path[1]}"
            lines.append(f"{bus}:{path[2]}={report.files[name].hex()}\n")
    if lines:
        yield Item(
            "sys/bus/pci/config", Status.PRESENT, "".join(lines).encode(), extent=Extent.GREPPED
        )


def _folders(report: Report) -> Iterator[Item]:
    merged = report.links.get("lib", "").strip("/") == "usr/lib"  # files then lie in usr/lib only
    for folder, specifications in _FOLDERS.items():
        place = f"usr/{folder}" if merged and folder.startswith("lib/") else folder
        names = _within(report, place)
        if folder == "usr/lib/modprobe.d/" and not merged:
            whole = "/usr/lib/modprobe.d" in report.copied
        elif report.plugins:
            whole = not report.copied.isdisjoint(specifications)
        else:
            whole = folder in _EVER_WHOLE
        if names or (whole and report.plugins):
            listing = "\n".join(names).encode("utf-8", "backslashreplace")
            yield Item(
                folder, Status.PRESENT, listing, extent=Extent.WHOLE if whole else Extent.ELIDED
            )
        if place != folder:
            yield from (_file(report, folder + name, place + name) for name in names)
    tables = sorted(found[1] for name in report.files if (found := _TABLES.fullmatch(name)))
    if tables:
        whole = "/sys/firmware/acpi/*" in report.copied
        yield Item(
            "sys/firmware/acpi/tables/",
            Status.PRESENT,
            "\n".join(tables).encode(),
            extent=Extent.WHOLE if whole else Extent.ELIDED,
        )
        if whole:
            for table in ("DMAR", "IVRS", "IORT"):
                if table not in tables:
                    yield Item(f"sys/firmware/acpi/tables/{table}", Status.ABSENT)


def _within(report: Report, folder: str) -> list[str]:
    """The names of a folder's files, links to elsewhere included."""
    inside = (name.removeprefix(folder) for name in _all(report) if name.startswith(folder))
    return sorted({name for name in inside if name and "/" not in name and name.isprintable()})


def _all(report: Report) -> Iterable[str]:
    return (*report.files, *report.links, *report.unread)


def _collected(report: Report) -> str | None:
    """When the report was made, in UTC: what a clock printed, else the manifest's stamps."""
    found = _UNIVERSAL.search(report.text("sos_commands/systemd/timedatectl"))
    if found:
        return f"{found[1]}T{found[2]}Z"
    words = report.text("sos_commands/date/date_--utc").split()
    try:
        stamp = " ".join(word for word in words if word != "UTC")
        moment = datetime.strptime(stamp, "%a %b %d %H:%M:%S %Y").replace(tzinfo=UTC)
    except ValueError:
        ends = [command.get("end_time") for command in report.commands.values()]
        numbers = [end for end in ends if isinstance(end, float) and 0 < end < 4e9]
        if not numbers:
            return None
        moment = datetime.fromtimestamp(max(numbers), UTC)
    return moment.strftime("%Y-%m-%dT%H:%M:%SZ")


def _list(value: object) -> list[Any]:
    return value if isinstance(value, list) else []
