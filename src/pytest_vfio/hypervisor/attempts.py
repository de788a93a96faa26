"""Traces of an attempt to bind a device to vfio-pci that came to nothing, and what is wrong in them.

*Bound to igb, expected vfio-pci* is a symptom wherever somebody had tried: an id one letter off, a
file that nothing reads, a command that kmod does not know, a name that names nothing. Follows
kmod's libkmod-config.c (commands, names of files), vfio_pci.c (options) and the kernel's exact
comparison of drivers' names.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

import msgspec

from pytest_vfio.evidence import Item, Quote
from pytest_vfio.facts.drivers.modprobe import DIRECTORIES, softdep
from pytest_vfio.facts.pci.functions import PciFunction, is_vfio_driver
from pytest_vfio.parse import vfioids
from pytest_vfio.parse.switches import distance
from pytest_vfio.parse.words import fold, parse

if TYPE_CHECKING:
    from pytest_vfio.hypervisor.hypervisor import Hypervisor

#: kmod's commands.
COMMANDS = ("alias", "blacklist", "options", "install", "remove", "softdep", "weakdep", "config")
#: vfio-pci's options.
OPTIONS = ("ids", "nointxmask", "disable_vga", "disable_idle_d3", "enable_sriov",
           "disable_denylist")  # fmt: skip
#: What people put behind a file's name so that it is not read.
_PUT_AWAY = (".bak", ".old", ".orig", ".save", ".disabled", ".off", "~", ".dpkg-dist", ".dpkg-old",
             ".dpkg-new", ".rpmnew", ".rpmsave", "README")  # fmt: skip
#: A misspelt name differs in so many letters.
_NEAR = 2


class Attempt(msgspec.Struct, frozen=True):
    """What was tried, what is wrong with it, what it should be, and the line."""

    words: str
    expected: str
    quote: Quote


def of(hypervisor: Hypervisor, function: PciFunction) -> Iterator[Attempt]:
    """The attempts that were meant for a function, as far as they were read. Raises Missing."""
    yield from _override(function)
    yield from _pins(hypervisor, function)
    yield from _ids(hypervisor, function)
    yield from _files(hypervisor)
    yield from _statements(hypervisor, function)


def _override(function: PciFunction) -> Iterator[Attempt]:
    name = function.driver_override
    if name and not is_vfio_driver(name) and fold(name).endswith("vfio_pci"):
        words = f"driver_override is {name}, and the kernel compares names exactly"
        yield Attempt(words, name.replace("_", "-"), function.quote("driver_override"))


def _pins(hypervisor: Hypervisor, function: PciFunction) -> Iterator[Attempt]:
    for pin in hypervisor.pins.known:
        near = 0 < distance(pin.driver, "vfio-pci") <= _NEAR and not is_vfio_driver(pin.driver)
        if pin.address == function.address and near:
            yield Attempt(
                f"it is pinned to {pin.driver}, which is no driver", "vfio-pci", pin.quote
            )


def _ids(hypervisor: Hypervisor, function: PciFunction) -> Iterator[Attempt]:
    """An id that no function has, and that differs from this one's in a letter."""
    patterns = hypervisor.modules.configured_vfio_ids
    if any(pattern.catches(function) for pattern in patterns):
        return
    known = hypervisor.pci.functions.values()
    for pattern in patterns:
        written = f"{pattern.vendor:04x}:{pattern.device:04x}"
        if pattern.names(function):
            words = f"vfio-pci id {pattern.text} has another subsystem than {function.address}"
            yield Attempt(words, f"{function.id}:{function.subsystem}", pattern.quote)
        elif not any(pattern.names(one) for one in known) and (
            _one_off(written, function.id) or _one_off(pattern.text.lower(), function.id)
        ):
            words = (
                f"vfio-pci id {pattern.text} matches no device: {function.address} is {function.id}"
            )
            yield Attempt(words, function.id, pattern.quote)
    for option in hypervisor.modules.known_options("vfio_pci"):
        for entry in vfioids.parse(option.value or "", "", option.quote)[1]:
            if option.name == "ids" and _one_off(entry.lower(), function.id):
                words = f"vfio-pci id {entry} cannot be read: {function.address} is {function.id}"
                yield Attempt(words, function.id, option.quote)


def _one_off(written: str, id: str) -> bool:
    """One letter is another, too many or missing, or two neighbours have changed places."""
    swapped = len(written) == len(id) and sorted(written) == sorted(id)
    differ = sum(a != b for a, b in zip(written, id, strict=False))
    return distance(written, id) == 1 or (swapped and differ == 2)


def _files(hypervisor: Hypervisor) -> Iterator[Attempt]:
    """Files beside those that kmod and grub-mkconfig read, with words about VFIO in them."""
    for folder, ending in (*((name, ".conf") for name in DIRECTORIES),
                           ("etc/default/grub.d/", ".cfg")):  # fmt: skip
        for name in hypervisor.evidence.item(folder).lines:
            if name and not name.endswith((ending, *_PUT_AWAY)) and not name.startswith("."):
                item = hypervisor.evidence.item(folder + name)
                line = _about_vfio(item)
                if line is not None:
                    words = f"/{folder}{name} does not end in {ending}, and is not read"
                    yield Attempt(words, f"/{folder}{name}{ending}", item.quote(line))


def _about_vfio(item: Item) -> str | None:
    lines = (line.strip() for line in item.lines)
    return next((x for x in lines if "vfio" in x and not x.startswith("#")), None)


def _statements(hypervisor: Hypervisor, function: PciFunction) -> Iterator[Attempt]:
    """Lines of modprobe.d that were meant to bring vfio-pci before the function's driver."""
    driver = fold(function.driver or "")
    for line in hypervisor.modules.modprobe.known:
        about = f"{line.module} {line.rest}".replace("-", "_")
        if line.verb not in COMMANDS and "vfio" in about:
            meant = min(COMMANDS, key=lambda known: distance(line.verb, known))
            yield Attempt(f"modprobe has no command {line.verb!r}", meant, line.quote)
        elif line.verb == "options":
            names = [word.name for word in parse(line.rest.encode("utf-8", "surrogateescape"))]
            if line.module != "vfio_pci" and 0 < distance(line.module, "vfio_pci") <= _NEAR:
                yield Attempt(f"there is no module {line.module}", "vfio-pci", line.quote)
            elif line.module == "vfio" and "ids" in names:
                yield Attempt("vfio has no option ids", "options vfio-pci ids=", line.quote)
            for name in names if line.module == "vfio_pci" else ():
                if name not in OPTIONS and distance(name, "ids") <= 1:
                    yield Attempt(f"vfio-pci has no option {name!r}", "ids", line.quote)
        elif line.verb == "softdep" and "vfio" in about:
            dep = softdep(line)
            if not (dep.pre or dep.post):
                words = f"softdep {dep.module} names nothing: pre: is missing"
                yield Attempt(words, f"softdep {dep.module} pre: vfio-pci", line.quote)
            elif "vfio_pci" in dep.pre and 0 < distance(dep.module, driver) <= _NEAR:
                words = f"softdep {dep.module} names no module: the driver is {driver}"
                yield Attempt(words, f"softdep {driver} pre: vfio-pci", line.quote)
            elif dep.module == driver and "vfio_pci" not in dep.pre:
                words = f"softdep {driver} brings {' '.join(dep.pre + dep.post)}, not vfio-pci"
                yield Attempt(words, f"softdep {driver} pre: vfio-pci", line.quote)
