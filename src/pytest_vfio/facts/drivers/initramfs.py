"""What the initramfs holds, and the lists of modules to load early or to put into it.

Sources: `initramfs` (the names of the files in the running kernel's image), /etc/modules,
modules-load.d, initramfs-tools, dracut and mkinitcpio configuration.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from functools import cached_property

import msgspec

from pytest_vfio.evidence import Evidence, Item, Lack, Missing, Quote, Status
from pytest_vfio.parse.words import fold

_SUFFIX = re.compile(r"\.ko(\.(xz|gz|zst))?$")
#: Plain lists of what is loaded at boot, a module a line.
PLAIN = ("etc/modules", "etc/modules-load.d/", "usr/lib/modules-load.d/")
INITRAMFS_TOOLS = "etc/initramfs-tools/modules"
#: Shell files with lists in assignments.
SHELL = (
    "etc/dracut.conf", "etc/dracut.conf.d/", "usr/lib/dracut/dracut.conf.d/", "etc/mkinitcpio.conf",
)  # fmt: skip
EARLY = (INITRAMFS_TOOLS, *SHELL)
_ASSIGNED = re.compile(
    r"^\s*(add_drivers|force_drivers|filesystems|drivers|MODULES)\+?=[\"'(]*([^\"')#]*)"
)


class Listed(msgspec.Struct, frozen=True):
    """A module in a list: which list, and its line. `early`: a list of the initramfs."""

    module: str
    early: bool
    quote: Quote


class Initramfs:
    """The files in the image that the running kernel was started with."""

    def __init__(self, evidence: Evidence) -> None:
        self.evidence = evidence

    @property
    def item(self) -> Item:
        """The listing."""
        return self.evidence.item("initramfs")

    @cached_property
    def files(self) -> tuple[str, ...]:
        """The names that were read, without a leading `./` or `/`."""
        return tuple(
            re.sub(r"^\.?/+", "", line.split(" -> ")[0].rsplit(" ", 1)[-1])
            for line in self.item.lines
            if line.strip()
        )

    @cached_property
    def _modules(self) -> dict[str, str]:
        found = ((module_name(name), name) for name in self.files if ".ko" in name)
        return {module: name for module, name in found if module}

    def holds(self, module: str) -> bool:
        """A module file is in the image. Raises Missing where the listing is not whole."""
        if fold(module) in self._modules:
            return True
        if self.item.status is Status.ABSENT or not (self.item.whole and self.item.data):
            raise Missing(self.item)
        return False

    def holds_file(self, path: str) -> bool:
        """A file is in the image: `etc/modprobe.d/vfio.conf`."""
        if path in self.files:
            return True
        if self.item.status is Status.ABSENT or not (self.item.whole and self.item.data):
            raise Missing(self.item)
        return False

    def quote(self, module: str) -> Quote:
        """The file of a module in the image, or that there is none."""
        name = self._modules.get(fold(module))
        return self.item.quote(name or f"(no {fold(module)}.ko)")


def module_name(path: str) -> str:
    """A module file's module, folded; a bare name is itself.

    >>> module_name("kernel/drivers/vfio/pci/vfio-pci.ko.zst"), module_name("vfio")
    ('vfio_pci', 'vfio')
    """
    return fold(_SUFFIX.sub("", path.rsplit("/", 1)[-1]))


def listed(evidence: Evidence) -> tuple[Listed, ...]:
    """The modules in all lists that were read."""
    found: list[Listed] = []
    for item in _items(evidence, (*PLAIN, INITRAMFS_TOOLS)):
        early = item.name == INITRAMFS_TOOLS
        for line in item.lines:
            words = line.split()
            if words and not words[0].startswith(("#", ";")):
                found.append(Listed(fold(words[0]), early, item.quote(line.strip())))
    for item in _items(evidence, SHELL):
        for line in item.lines:
            assigned = _ASSIGNED.match(line)
            names = assigned[2].split() if assigned else ()
            quote = item.quote(line.strip())
            found.extend(Listed(fold(name), early=True, quote=quote) for name in names)
    return tuple(found)


def unread(evidence: Evidence, names: Iterable[str]) -> tuple[Lack, ...]:
    """Those of the lists that were not read to their end, files of directories included."""
    missing: list[Lack] = []
    for name in names:
        item = evidence.item(name)
        missing.extend(item.lacking)
        if item.whole and name.endswith("/"):
            missing.extend(lack for file in evidence.under(name) for lack in file.lacking)
    return tuple(missing)


def _items(evidence: Evidence, names: tuple[str, ...]) -> Iterator[Item]:
    for name in names:
        if not name.endswith("/"):
            yield evidence.item(name)
            continue
        for known in sorted(evidence.items):
            if known.startswith(name) and known != name and known.endswith(".conf"):
                yield evidence.item(known)
