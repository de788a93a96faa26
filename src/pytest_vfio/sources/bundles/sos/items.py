"""A sosreport's files -> items, by the names that `sosnames` tells.

Whether a folder or a list of documents is whole is told by the report itself, or nobody says so.
"""

from __future__ import annotations

import html
import json
import re
from collections.abc import Iterable, Iterator, Mapping
from datetime import UTC, datetime
from functools import cached_property
from types import MappingProxyType
from typing import Any

import msgspec
from msgspec.structs import replace

from pytest_vfio.evidence import Evidence, Extent, Item, Source, Status
from pytest_vfio.sources.bundles.loose import acpi_table
from pytest_vfio.sources.bundles.sos import names as sosnames
from pytest_vfio.sources.table import NO_END, has_end, most_of


class Report(msgspec.Struct, dict=True):
    """The files of a sosreport that are wanted, its links by name, and what could not be read.

    `tailed` are those of which sos kept only the end. A report that is `cut` ends early: what it
    does not have may have come later, and no folder of it is whole.
    """

    files: dict[str, bytes] = msgspec.field(default_factory=dict)
    links: dict[str, str] = msgspec.field(default_factory=dict)
    unread: dict[str, str] = msgspec.field(default_factory=dict)
    tailed: set[str] = msgspec.field(default_factory=set)
    cut: bool = False

    def text(self, name: str) -> str:
        """A file as text; empty where there is none."""
        return self.files.get(name, b"").decode("utf-8", "backslashreplace")

    @cached_property
    def manifest(self) -> Mapping[str, Any]:
        """What sos 4 says about its own run; empty where it is not there or not readable."""
        try:
            found = json.loads(self.files.get(sosnames.MANIFEST, b"{}"))
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
        if self.cut or sosnames.PARTIAL.search(str(self.manifest.get("cmdline"))):
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
        return dict(sosnames.TIMED_OUT.findall(self.text(sosnames.SOS_LOG)))


def wanted(name: str) -> bool:
    """Whether anything is made of a file of a report."""
    return (
        name in sosnames.OTHERS
        or sosnames.FILES.fullmatch(name) is not None
        or sosnames.DOCUMENT.fullmatch(name) is not None
        or (name.startswith("sos_strings/") and name.endswith(".tailed"))
        or any(
            shape.fullmatch(name)
            for shape in (
                sosnames.KERNEL_CONFIG,
                sosnames.MODULES_DEP,
                sosnames.CONFIG_SPACE,
                sosnames.TABLES,
            )
        )
        or any(shape.fullmatch(name) for _, shape in sosnames.TREES)
        or name == "lib"
    )


def evidence(report: Report, host: str) -> Evidence:
    """The evidence of a report."""
    items: dict[str, Item] = {}
    for item in _items(report):
        items.setdefault(item.name, item)
    return Evidence(host, Source.SOSREPORT, MappingProxyType(items), _collected(report))


def _items(report: Report) -> Iterator[Item]:
    for name in sorted({*report.files, *report.unread}):
        if sosnames.FILES.fullmatch(name):
            yield _file(report, name, name)
    for item, places in sosnames.ELSEWHERE.items():
        yield from (_command(report, item, place) for place in places if place in report.files)
    for item, places in sosnames.COMMANDS.items():
        read = [_command(report, item, place) for place in places if place in report.files]
        # an output that failed does not hide a fuller one
        yield from sorted(read, key=lambda one: one.status is not Status.PRESENT)
    for item, (verb, table) in sosnames.DOCUMENTS.items():
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
    most = most_of(item)
    if len(data) > most:
        return Item(item, Status.TRUNCATED, data[:most], f"more than {most} bytes")
    if not has_end(item, data):
        return Item(item, Status.TRUNCATED, data, NO_END)
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
    if sosnames.ERROR.match(first[:1000]):
        return Item(item, Status.FAILED, detail=" ".join(first.split())[:300])
    if not first:
        return Item(item, Status.FAILED, detail="it printed nothing")
    return read


def _words(place: str) -> str:
    """The command that an output's name was made from, where no word of it had a slash."""
    return place.rpartition("/")[2].replace("_", " ")


def _documents(report: Report, item: str, verb: str, table: str) -> Iterator[Item]:
    """All documents of a kind; whole where each that the table names is there."""
    places = [name for name in sorted(report.files) if name.startswith(f"{sosnames.VIRSH}{verb}_")]
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
    have = {html.unescape(name[1]) for part in good if (name := sosnames.NAME.search(part.text))}
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
        yield from (row[1] for line in lines if (row := sosnames.STATES.fullmatch(line[:1000])))


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
        if place.startswith(f"{sosnames.VIRSH}dominfo_"):
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
    configs = [name for name in sorted(report.files) if sosnames.KERNEL_CONFIG.fullmatch(name)]
    own = f"boot/config-{release}"
    if own in configs or (not release and len(configs) == 1):
        yield _file(report, "kernel-config", own if own in configs else configs[0])
    for prefix in ("lib", "usr/lib"):
        name = f"{prefix}/modules/{release}/modules.dep"
        if release and name in report.files:
            yield _file(report, "modules.dep", name)


def _sysctl(report: Report) -> Iterator[Item]:
    """A few of the kernel's own words, where sos did not copy their files."""
    if sosnames.SYSCTL not in report.files:
        return
    for key in ("osrelease", "hostname", "tainted", "dmesg_restrict"):
        found = re.search(rf"^kernel\.{key} = (.*)$", report.text(sosnames.SYSCTL), re.MULTILINE)
        if found:
            yield Item(f"proc/sys/kernel/{key}", Status.PRESENT, f"{found[1]}\n".encode())


def _journal(report: Report) -> Iterator[Item]:
    """The journal of this boot, of which sos keeps all units in one."""
    for place in sosnames.JOURNAL:
        if place not in report.files:
            continue
        read = _command(report, "journal/kernel", place)
        lines = read.data.split(b"\n")
        kernel = b"".join(line + b"\n" for line in lines if sosnames.OF_KERNEL.match(line))
        daemon = b"".join(line + b"\n" for line in lines if sosnames.OF_LIBVIRT.match(line))
        if kernel or read.status is not Status.PRESENT:
            yield replace(read, data=kernel)
        if read.status is Status.PRESENT:
            yield Item("journal/libvirt", Status.PRESENT, daemon, extent=Extent.ELIDED)
        return


def _initramfs(report: Report) -> Iterator[Item]:
    """A listing of the image, if it is one for the running kernel."""
    release = _release(report)
    for place in sosnames.INITRAMFS:
        if place not in report.files or not release:
            continue
        read = _command(report, "initramfs", place)
        lines = [line for line in read.text.split("\n") if sosnames.LISTED.match(line)]
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
    for tree, shape in sosnames.TREES:
        lines = []
        for name in sorted(report.files):
            path = shape.fullmatch(name)
            if path:
                body = report.text(name)[:100_000]
                if body and not body.endswith("\n"):
                    lines.append(f"{path[1]}!truncated\n")
                    continue
                lines += [f"{path[1]}={line}\n" for line in body.rstrip("\n").split("\n")]
        if lines:
            yield Item(tree, Status.PRESENT, "".join(lines).encode(), extent=Extent.GREPPED)
    lines = []
    for name in sorted(report.files):
        path = sosnames.CONFIG_SPACE.fullmatch(name)
        if path and len(report.files[name]) in {64, 256, 4096}:
            bus = path[1] if ":" in path[1] else f"0000:{path[1]}"
            lines.append(f"{bus}:{path[2]}={report.files[name].hex()}\n")
    if lines:
        yield Item(
            "sys/bus/pci/config", Status.PRESENT, "".join(lines).encode(), extent=Extent.GREPPED
        )


def _folders(report: Report) -> Iterator[Item]:
    merged = report.links.get("lib", "").strip("/") == "usr/lib"  # files then lie in usr/lib only
    for folder, specifications in sosnames.FOLDERS.items():
        place = f"usr/{folder}" if merged and folder.startswith("lib/") else folder
        names = _within(report, place)
        if folder == "usr/lib/modprobe.d/" and not merged:
            whole = "/usr/lib/modprobe.d" in report.copied
        elif report.plugins:
            whole = not report.copied.isdisjoint(specifications)
        else:
            whole = folder in sosnames.EVER_WHOLE and not report.cut
        if names or (whole and report.plugins):
            listing = "\n".join(names).encode("utf-8", "backslashreplace")
            yield Item(
                folder,
                Status.PRESENT,
                listing,
                "the archive ends early" if report.cut else "",
                Extent.WHOLE if whole else Extent.ELIDED,
            )
        if place != folder:
            yield from (_file(report, folder + name, place + name) for name in names)
    tables = sorted(found[1] for name in report.files if (found := sosnames.TABLES.fullmatch(name)))
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
    found = sosnames.UNIVERSAL.search(report.text("sos_commands/systemd/timedatectl"))
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
