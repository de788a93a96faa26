"""Boot entries as generated: grub.cfg and the loader's entry files (Boot Loader Specification).

Reads what grub-mkconfig, kernel-install, proxmox-boot-tool and grubby write. Nothing is executed;
a variable in a line (`$kernelopts`, `$tuned_params`) is looked up in grubenv and in grub.cfg, and
one that cannot be makes the entry not `certain`.
"""

from __future__ import annotations

import fnmatch
import re
from collections.abc import Iterable, Mapping

import msgspec
from msgspec.structs import replace

from pytest_vfio.evidence import Item, Quote, Status
from pytest_vfio.parse.words import Word, parse

_KERNEL = re.compile(r"(?:vmlinuz|vmlinux|bzImage|kernel|linux)-([\w.+~-]+?)(?:\.(?:efi|gz))?$")
_TITLE = re.compile(r"^(?:menuentry|submenu)\s+('[^']*'|\"[^\"]*\"|\S+)")
_ID = re.compile(r"(?:--id|\$\{?menuentry_id_option\}?)[\s=]+('[^']*'|\"[^\"]*\"|\S+)")
_LINUX = re.compile(r"^(?:linux|linux16|linuxefi)\s+(\S+)\s*(.*)$")
_SET = re.compile(r"^set\s+(\w+)=(.*)$", re.ASCII)
#: What the lines of a grub.cfg that matter begin with.
_OURS = ("set ", "linux", "}", "blscfg", "### BEGIN ")
_SECTION = re.compile(r"^### BEGIN \S*/([^/\s]+) ###")
_VARIABLE = re.compile(r"\$\{?(\w+)\}?", re.ASCII)
#: Variables that never carry a word of ours.
_HARMLESS = {"vt_handoff": "vt.handoff=7", "tuned_initrd": "", "extra_cmdline": ""}


class Entry(msgspec.Struct, frozen=True):
    """One kernel that the loader offers.

    `path` are the ids by which the loader names it: the submenus' first, its own last; each is
    (title, id, index). `release` is the kernel's, where its file name says. `certain`: every word
    is known. `section`: the script of /etc/grub.d that wrote it, where grub.cfg says.
    """

    title: str
    id: str
    path: tuple[tuple[str, str, int], ...]
    release: str | None
    words: tuple[Word, ...]
    certain: bool
    quote: Quote
    section: str = ""

    @property
    def by_hand(self) -> bool:
        """Not made from the host's own configuration: a person's entry, another system's."""
        return self.section != "" and "_linux" not in self.section

    @property
    def recovery(self) -> bool:
        """A rescue entry, which leaves GRUB_CMDLINE_LINUX_DEFAULT out."""
        names = {word.text for word in self.words}
        return bool(names & {"single", "recovery", "rescue", "1", "s", "S"}) or any(
            "rescue" in (text or "") for text in (self.id, self.release)
        )

    @property
    def order(self) -> tuple[tuple[int, int, str], ...]:
        """A key that sorts by version, numbers as numbers."""
        text = self.release or self.id
        return tuple(
            (1, int(part), "") if part.isdigit() else (0, 0, part)
            for part in re.findall(r"\d{1,18}|[^\d.]+", text)
        )


class GrubCfg(msgspec.Struct, frozen=True):
    """A generated grub.cfg: its entries, what it takes for the default, and how it was made.

    `count` is the number of entries and submenus at its top, by which GRUB counts.
    """

    entries: tuple[Entry, ...]
    default: str | None  # as written: `0`, `1>2`, an id, or `${saved_entry}`
    blscfg: bool
    whole: bool
    quote: Quote
    count: int = 0


def release_of(path: str) -> str | None:
    """The release in a kernel's file name, if any.

    >>> release_of("/boot/vmlinuz-6.1.0-18-amd64"), release_of("/boot/vmlinuz")
    ('6.1.0-18-amd64', None)
    """
    name = path.replace("\\", "/").rsplit("/", 1)[-1]
    found = _KERNEL.search(name)
    return found[1] if found else None


def grubenv(item: Item) -> dict[str, str]:
    """The variables of a grubenv block."""
    pairs = (line.partition("=") for line in item.lines if not line.startswith("#"))
    return {name: value.replace("\\\\", "\\") for name, mark, value in pairs if mark}


def grub_cfg(item: Item, environment: Mapping[str, str], *, first: int = 0) -> GrubCfg:
    """Read the entries of a grub.cfg, line by line: generated files have no other layout.

    `first` is the number of the first entry: that of a custom.cfg goes on counting.
    """
    section = "" if item.name.endswith("/grub.cfg") else item.name.rpartition("/")[2]
    stripped = (line.strip() for line in item.lines)
    lines = [line for line in stripped if line.endswith("{") or line.startswith(_OURS)]
    variables = {**_HARMLESS, **_variables(lines), **environment}
    menu = _Menu(first)
    entries: list[Entry] = []
    for line in lines:
        if (begins := _SECTION.match(line)) is not None:
            section = begins[1]
        elif line.endswith("{"):
            menu.enter(line)
        elif line == "}":
            menu.leave()
        elif (found := _LINUX.match(line)) and (path := menu.path):
            entry = _grub_entry(path, found[1], found[2], variables, item.quote(line))
            entries.append(replace(entry, section=section))
    defaults = [value for value in _set(lines, "default") if "next_entry" not in value]
    default = defaults[-1] if defaults else None
    blscfg = any(line.split(None, 1)[0] == "blscfg" for line in lines)
    whole = item.whole and not menu.blocks
    quote = item.quote(f'set default="{default}"')
    return GrubCfg(tuple(entries), default, blscfg, whole, quote, menu.counters[0])


class _Menu:
    """The blocks that are open at a line: menu entries, submenus, and any other."""

    def __init__(self, first: int) -> None:
        self.blocks: list[tuple[str, tuple[str, str, int]]] = []
        self.counters = [first]

    def enter(self, line: str) -> None:
        """A line that ends with a brace."""
        kind = line.split(None, 1)[0]
        if kind not in ("menuentry", "submenu"):
            self.blocks.append(("", ("", "", 0)))
            return
        title, identity = _TITLE.match(line), _ID.search(line)
        names = [found[1].strip("'\"") if found else "" for found in (title, identity)]
        self.blocks.append((kind, (names[0], names[1], self.counters[-1])))
        self.counters[-1] += 1
        if kind == "submenu":
            self.counters.append(0)

    def leave(self) -> None:
        """A lone closing brace."""
        if self.blocks and self.blocks.pop()[0] == "submenu":
            self.counters.pop()

    @property
    def path(self) -> tuple[tuple[str, str, int], ...]:
        """The open submenus and the open entry; empty outside of an entry."""
        found = tuple(name for kind, name in self.blocks if kind)
        return found if self.blocks and any(kind == "menuentry" for kind, _ in self.blocks) else ()


def _set(lines: Iterable[str], name: str) -> list[str]:
    """The values that `set NAME=` gives a variable, in order."""
    assigned = (_SET.match(line) for line in lines if line.startswith("set "))
    return [found[2].strip().strip("'\"") for found in assigned if found and found[1] == name]


def _variables(lines: Iterable[str]) -> dict[str, str]:
    """`set NAME=VALUE` of the file; a name that is set to different values stays unknown."""
    found: dict[str, set[str]] = {}
    for line in lines:
        if line.startswith("set ") and (assigned := _SET.match(line)):
            found.setdefault(assigned[1], set()).add(assigned[2].strip().strip("'\""))
    return {name: values.pop() for name, values in found.items() if len(values) == 1}


def _grub_entry(
    path: tuple[tuple[str, str, int], ...],
    kernel: str,
    options: str,
    variables: Mapping[str, str],
    quote: Quote,
) -> Entry:
    words, certain = _expand(options, variables, quote)
    title, identity, _ = path[-1]
    return Entry(title, identity, path, release_of(kernel), words, certain, quote)


def _expand(
    options: str, variables: Mapping[str, str], quote: Quote
) -> tuple[tuple[Word, ...], bool]:
    unknown = False

    def value(found: re.Match[str]) -> str:
        nonlocal unknown
        known = variables.get(found[1])
        if known is None or "$" in known:
            unknown = True
            return ""
        return known

    text = _VARIABLE.sub(value, options)
    return parse(text.encode("utf-8", "surrogateescape"), quote), not unknown


def loader_entry(item: Item, environment: Mapping[str, str]) -> Entry | None:
    """One `*.conf` of loader/entries; None where it starts no kernel."""
    fields: dict[str, list[str]] = {}
    for line in item.lines:
        key, _, value = line.strip().partition(" ")
        if key and not key.startswith("#"):
            fields.setdefault(key.lower(), []).append(value.strip())
    kernel = (fields.get("linux") or fields.get("efi") or fields.get("uki") or [""])[0]
    if not kernel:
        return None
    options = " ".join(fields.get("options", []))
    shown = next((line for line in item.lines if line.lstrip().startswith("options")), "")
    words, certain = _expand(options, {**_HARMLESS, **environment}, item.quote(shown.strip()))
    identity = item.name.rsplit("/", 1)[-1].removesuffix(".conf")
    title = (fields.get("title") or [identity])[0]
    release = (fields.get("version") or [""])[0] or release_of(kernel)
    certain = certain and item.status is Status.PRESENT and item.whole
    path = ((title, identity, 0),)
    return Entry(title, identity, path, release, words, certain, item.quote(shown.strip()))


def pick(entries: tuple[Entry, ...], wanted: str) -> Entry | None:
    """The entry that GRUB takes for a default such as `0`, `1>2`, `id>id` or a title.

    A submenu that is named without an entry in it stands for its first one. A name that fits
    nothing is GRUB's own fallback, the first entry.
    """
    return next(iter(fitting(entries, wanted)), next(iter(entries), None))


def fitting(entries: tuple[Entry, ...], wanted: str) -> tuple[Entry, ...]:
    """The entries that a default names; none where it names nothing."""
    left = entries
    for level, part in enumerate(wanted.split(">")):
        name = part.strip()
        left = tuple(
            entry
            for entry in left
            if len(entry.path) > level
            and (name in entry.path[level][:2] or name == str(entry.path[level][2]))
        )
    return left


def newest(entries: Iterable[Entry], pattern: str = "*") -> Entry | None:
    """The entry that a loader lists first among those whose id fits a shell pattern."""
    fitting = [
        entry
        for entry in entries
        if fnmatch.fnmatchcase(entry.id.lower(), pattern.lower().removesuffix(".conf"))
    ]
    ordinary = [entry for entry in fitting if not entry.recovery] or fitting
    return max(ordinary, key=lambda entry: entry.order, default=None)
