"""What sysfs says of PCI functions: the tree of `/sys/bus/pci/devices`.

Follows `Documentation/ABI/testing/sysfs-bus-pci` and `drivers/pci/pci-sysfs.c`. A file that is not
in the tree does not exist, provided the whole tree was read.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping

import msgspec

from pytest_vfio.evidence import Quote, Tree
from pytest_vfio.facts.pci.known import Known, View
from pytest_vfio.parse.pciaddress import address, on_path
from pytest_vfio.parse.pciresource import parse as resources

SYSFS = "sys/bus/pci/devices"


class Sysfs:
    """The tree of `/sys/bus/pci/devices`, indexed once."""

    def __init__(self, tree: Tree) -> None:
        self.tree = tree
        self.below: dict[str, list[str]] = {}
        for paths in (self.tree.values, self.tree.links, self.tree.unread):
            for path in paths:
                where, _, rest = path.partition("/")
                self.below.setdefault(where, []).append(rest)
        self.addresses = tuple(where for where in self.below if address(where) == where)

    def view(self, where: str) -> View:
        """One function of the tree."""
        return _SysfsView(self, where)


class _SysfsView(msgspec.Struct, frozen=True):
    sysfs: Sysfs
    address: str

    def look(self, field: str) -> Known | None:
        ask = _SYSFS_FIELDS.get(field)
        return None if ask is None else ask(self)

    def file(self, name: str, read: Callable[[str], object | None]) -> Known | None:
        """A file's value; None (absent) only where the whole tree was read."""
        tree, path = self.sysfs.tree, f"{self.address}/{name}"
        text = tree.values.get(path)
        if text is not None:
            value = read(text.strip())
            return None if value is None else Known(value, tree.quote(path))
        return self.absent(path)

    def link(self, name: str, read: Callable[[str], object | None]) -> Known | None:
        tree, path = self.sysfs.tree, f"{self.address}/{name}" if name else self.address
        target = tree.links.get(path)
        if target is not None:
            value = read(target)
            return None if value is None else Known(value, tree.quote(path))
        return self.absent(path) if name else None

    def absent(self, path: str) -> Known | None:
        tree = self.sysfs.tree
        return Known(None, tree.quote(path)) if tree.lacks(path) is None else None

    def names(self, pattern: re.Pattern[str]) -> Known | None:
        """What the folder holds by that name; nothing unless the whole tree was read."""
        tree = self.sysfs.tree
        found = [m.group(1) for p in self.sysfs.below[self.address] if (m := pattern.fullmatch(p))]
        # the `*` of a pattern that was not asked for is a name, too
        unasked = (path.partition("/")[2] for path in tree.item.unasked)
        if not tree.item.whole or any(map(pattern.fullmatch, unasked)):
            return None
        line = ", ".join(found) or "(none)"
        return Known(tuple(found), Quote(f"{SYSFS}/{self.address}", line, tree.item.status.value))


def _number(text: str) -> int | None:
    """`0x8086`, `-1`, `64`."""
    return (
        int(text, 0) if re.fullmatch(r"0x[0-9a-fA-F]{1,16}|-?(0|[1-9][0-9]{0,17})", text) else None
    )


def _basename(target: str) -> str | None:
    return target.rstrip("/").rpartition("/")[2] or None


def _group(target: str) -> int | None:
    return _number(_basename(target) or "")


def _override(text: str) -> str | None:
    """`(null)` is what the kernel prints where nothing is set (S22)."""
    return text


def _speed(text: str) -> float | None:
    """`8 GT/s`, `8.0 GT/s PCIe`: compare the numbers (S24). `Unknown` is no link: 0."""
    found = re.match(r"([0-9]{1,4}(?:\.[0-9]{1,2})?) GT/s", text)
    return float(found.group(1)) if found else 0.0 if text.startswith("Unknown") else None


def _counters(text: str) -> dict[str, int]:
    """`RxErr 0` lines of the AER statistics."""
    return {name: int(n) for name, n in re.findall(r"^(\w+) ([0-9]{1,18})$", text, re.MULTILINE)}


def _file(name: str, read: Callable[[str], object | None]) -> Callable[[_SysfsView], Known | None]:
    return lambda view: view.file(name, read)


def _link(name: str, read: Callable[[str], object | None]) -> Callable[[_SysfsView], Known | None]:
    return lambda view: view.link(name, read)


def _present(name: str) -> Callable[[_SysfsView], Known | None]:
    def ask(view: _SysfsView) -> Known | None:
        known = view.file(name, lambda _: True)
        return Known(False, known.quote) if known is not None and known.value is None else known

    return ask


def _always(ask: Callable[[_SysfsView], Known | None]) -> Callable[[_SysfsView], Known | None]:
    """For files that every function has: their absence is no answer."""

    def only(view: _SysfsView) -> Known | None:
        known = ask(view)
        return None if known is None or known.value is None else known

    return only


def _listed(pattern: str) -> Callable[[_SysfsView], Known | None]:
    compiled = re.compile(pattern)
    return lambda view: view.names(compiled)


def _virtfns(view: _SysfsView) -> Known | None:
    numbered = view.names(re.compile(r"virtfn([0-9]{1,5})"))
    if numbered is None or not isinstance(numbered.value, tuple):
        return None
    tree = view.sysfs.tree
    names = [f"{view.address}/virtfn{n}" for n in sorted(numbered.value, key=int)]
    if any(name in tree.unread for name in names):
        return None
    found = tuple(
        filter(None, (address(_basename(tree.links.get(name, "")) or "") for name in names))
    )
    return Known(found, numbered.quote)


def _methods(view: _SysfsView) -> Known | None:
    """`reset_method` (5.15 and newer); where there is no file, `reset` tells only of *some*."""
    named = view.file("reset_method", lambda text: tuple(text.split()))
    if named is not None and named.value is not None:
        return named
    return None


def _resettable(view: _SysfsView) -> Known | None:
    """`reset` exists, and `reset_method` was not emptied by somebody (S23)."""
    methods = view.file("reset_method", lambda text: tuple(text.split()))
    if methods is not None and methods.value == ():
        return Known(False, methods.quote)
    known = _present("reset")(view)
    return None if methods is None and known is not None and known.value else known


def _express(view: _SysfsView) -> Known | None:
    """Only PCI Express functions have the file (`pcie_dev_attrs_are_visible`), read or not."""
    tree, path = view.sysfs.tree, f"{view.address}/max_link_width"
    if path in tree.values or path in tree.unread:
        return Known(True, tree.quote(path))
    known = view.absent(path)
    return None if known is None else Known(False, known.quote)


#: The files of fields that bear another name.
FILES = {
    "group": "iommu_group",
    "path": "",
    "class_code": "class",
    "subvendor": "subsystem_vendor",
    "subdevice": "subsystem_device",
    "totalvfs": "sriov_totalvfs",
    "numvfs": "sriov_numvfs",
    "vf_autoprobe": "sriov_drivers_autoprobe",
    "runtime_status": "power/runtime_status",
    "link_speed": "current_link_speed",
    "link_width": "current_link_width",
    "reset_methods": "reset_method",
    "resources": "resource",
}

_SYSFS_FIELDS: Mapping[str, Callable[[_SysfsView], Known | None]] = {
    "vendor": _always(_file("vendor", _number)),
    "device": _always(_file("device", _number)),
    "subvendor": _always(_file("subsystem_vendor", _number)),
    "subdevice": _always(_file("subsystem_device", _number)),
    "class_code": _always(_file("class", _number)),
    "revision": _always(_file("revision", _number)),
    "irq": _always(_file("irq", _number)),
    "driver": _link("driver", _basename),
    "group": _link("iommu_group", _group),
    "physfn": _link("physfn", lambda target: address(_basename(target) or "")),
    "path": _link("", on_path),
    "virtfns": _virtfns,
    "numa_node": _always(_file("numa_node", _number)),
    "driver_override": _file("driver_override", _override),
    "totalvfs": _file("sriov_totalvfs", _number),
    "numvfs": _file("sriov_numvfs", _number),
    "vf_offset": _file("sriov_offset", _number),
    "vf_stride": _file("sriov_stride", _number),
    "vf_autoprobe": _file("sriov_drivers_autoprobe", _number),
    "boot_vga": _file("boot_vga", _number),
    "power_state": _file("power_state", str),
    "runtime_status": _file("power/runtime_status", str),
    "secondary_bus": _file("secondary_bus_number", _number),
    "subordinate_bus": _file("subordinate_bus_number", _number),
    "link_speed": _file("current_link_speed", _speed),
    "link_width": _file("current_link_width", _number),
    "max_link_speed": _file("max_link_speed", _speed),
    "max_link_width": _file("max_link_width", _number),
    "aer_correctable": _file("aer_dev_correctable", _counters),
    "aer_nonfatal": _file("aer_dev_nonfatal", _counters),
    "aer_fatal": _file("aer_dev_fatal", _counters),
    "resources": _always(_file("resource", resources)),
    "reset_methods": _methods,
    "resettable": _resettable,
    "express": _express,
    "netdevs": _listed(r"net/([^/]{1,15})"),
    "vfio_devs": _listed(r"vfio-dev/([^/]{1,40})"),
}
