"""One source's view of PCI functions: sysfs, configuration bytes, libvirt, lspci.

A view answers with what its source says of a field and the line that says so, or with nothing
where the source does not tell. *Known to be absent* is an answer: `Known(None, ...)`. Fields bear
the names of `PciFunction`'s properties.

sysfs follows `Documentation/ABI/testing/sysfs-bus-pci` and `drivers/pci/pci-sysfs.c`.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Protocol

from pytest_vfio.evidence import Evidence, Item, Quote, Tree
from pytest_vfio.facts import lspci, nodedevs, pciconfig
from pytest_vfio.facts.pciaddress import address, on_path
from pytest_vfio.facts.pciresource import parse as resources

SYSFS = "sys/bus/pci/devices"
CONFIG = "sys/bus/pci/config"
LSPCI = "lspci"


@dataclass(frozen=True, slots=True)
class Known:
    """What a source says of a field; None says that there is none."""

    value: object
    quote: Quote


class View(Protocol):
    """One source's view of one function."""

    def look(self, field: str) -> Known | None:
        """What the source says, None where it does not tell."""
        ...


class Sysfs:
    """The tree of `/sys/bus/pci/devices`, indexed once."""

    def __init__(self, item: Item) -> None:
        self.tree = Tree.of(item)
        self.below: dict[str, list[str]] = {}
        for paths in (self.tree.values, self.tree.links, self.tree.unread):
            for path in paths:
                where, _, rest = path.partition("/")
                self.below.setdefault(where, []).append(rest)
        self.addresses = tuple(where for where in self.below if address(where) == where)

    def view(self, where: str) -> View:
        """One function of the tree."""
        return _SysfsView(self, where)


@dataclass(frozen=True, slots=True)
class _SysfsView:
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
        if path in tree.unread or not tree.item.whole:
            return None
        return Known(None, tree.quote(path))

    def names(self, pattern: re.Pattern[str]) -> Known | None:
        """What the folder holds by that name; nothing unless the whole tree was read."""
        tree = self.sysfs.tree
        found = [m.group(1) for p in self.sysfs.below[self.address] if (m := pattern.fullmatch(p))]
        if not tree.item.whole:
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
    methods = _methods(view)
    if methods is not None and methods.value == ():
        return Known(False, methods.quote)
    return _present("reset")(view)


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
    "netdevs": _listed(r"net/([^/]{1,15})"),
    "message_irqs": _listed(r"msi_irqs/([0-9]{1,9})"),
    "vfio_devs": _listed(r"vfio-dev/([^/]{1,40})"),
}


#: What bytes tell for certain. Not what the kernel makes of them: a quirk may forbid a reset.
_CONFIG_FIELDS = frozenset(
    {
        "config",
        "vendor",
        "device",
        "subvendor",
        "subdevice",
        "class_code",
        "revision",
        "header_type",
    }
)


class ConfigView:
    """The configuration bytes of one function, parsed when first asked for."""

    def __init__(self, item: Item, where: str, text: str) -> None:
        self.item, self.address, self.text = item, where, text

    def look(self, field: str) -> Known | None:
        """Identity and header from the bytes; `config` is the whole of them."""
        space = self.space
        if space is None:
            return None
        if field not in _CONFIG_FIELDS:
            return None
        value = space if field == "config" else getattr(space, field)
        return None if value is None else Known(value, self.quote)

    @cached_property
    def space(self) -> pciconfig.ConfigSpace | None:
        """The parsed bytes, None where the text is none."""
        return pciconfig.parse(self.text)

    @property
    def quote(self) -> Quote:
        """The start of the bytes: enough to find them."""
        return Quote(f"{CONFIG}/{self.address}", self.text[:48], self.item.status.value)


class NodeView:
    """libvirt's view of one function."""

    def __init__(self, device: nodedevs.NodeDevice, *, shows_groups: bool) -> None:
        self.device, self.shows_groups = device, shows_groups

    def look(self, field: str) -> Known | None:
        """What the XML says; `driver` and `numa` are left out by libvirt where there are none."""
        device = self.device
        if field == "driver":
            return Known(device.driver, device.quote("driver"))
        if field == "physfn":
            return Known(device.physfn, device.quote("physfn"))
        if field == "path" and device.path:
            return Known(on_path(device.path), device.quote("parent"))
        if field == "group":
            told = device.group is not None or self.shows_groups
            return Known(device.group, device.quote("group")) if told else None
        if field == "numa_node":
            told = device.numa is not None or device.group is not None
            return (
                Known(-1 if device.numa is None else device.numa, device.quote("numa"))
                if told
                else None
            )
        value, line = self._plain(field)
        return None if value is None else Known(value, line)

    def _plain(self, field: str) -> tuple[object | None, Quote]:
        device = self.device
        sta, cap, name = device.link_sta, device.link_cap, device.quote("name")
        if field in ("link_speed", "link_width") and sta is not None:
            return (sta.speed if field == "link_speed" else sta.width), sta.quote
        if field in ("max_link_speed", "max_link_width") and cap is not None:
            return (cap.speed if field == "max_link_speed" else cap.width), cap.quote
        values: Mapping[str, tuple[object | None, str]] = {
            "vendor": (_hex(device.vendor), "vendor"),
            "device": (_hex(device.device), "device"),
            "class_code": (device.class_code, "class"),
            "totalvfs": (device.max_vfs, "max_vfs"),
            "virtfns": (device.vfs if device.max_vfs is not None else None, "max_vfs"),
            "numvfs": (len(device.vfs) if device.max_vfs is not None else None, "max_vfs"),
        }
        value, line = values.get(field, (None, "name"))
        return value, device.quote(line) if value is not None else name


def _hex(text: str | None) -> int | None:
    return None if text is None else int(text, 16)


class LspciView:
    """The blocks that lspci printed of one function, the last one first."""

    def __init__(self, item: Item, blocks: tuple[lspci.Block, ...], *, shows_drivers: bool) -> None:
        self.item, self.blocks, self.shows_drivers = item, blocks[::-1], shows_drivers

    def look(self, field: str) -> Known | None:
        """The first block that tells."""
        if field == "driver":
            return self._driver()
        for block in self.blocks:
            value = self._value(block, field)
            if value is not None:
                start = _LSPCI_LINES.get(field)
                return Known(value, self.item.quote((start and block.line(*start)) or block.head))
        return None

    def _value(self, block: lspci.Block, field: str) -> object | None:
        if field == "config":
            return block.config if block.capability_lines or block.dead else None
        if field == "kernel_modules":
            return block.modules
        if field in ("vendor", "device", "subvendor", "subdevice", "class_code", "revision"):
            return getattr(block, field, None)
        if field in ("group", "numa_node"):
            return getattr(block, field, None)
        if field == "header_type":
            return block.config.header_type
        return block.head if field == "text" else None

    def _driver(self) -> Known | None:
        """No line at all means unbound only where nothing was left out."""
        for block in self.blocks:
            if block.driver:
                line = block.line("Kernel driver in use:", "Driver:")
                return Known(block.driver, self.item.quote(line or block.head))
        if self.shows_drivers and any(block.shows_modules for block in self.blocks):
            return Known(None, self.item.quote(self.blocks[0].head))
        return None


_LSPCI_LINES = {
    "kernel_modules": ("Kernel modules:", "Module:"),
    "subvendor": ("Subsystem:", "SVendor:"),
    "subdevice": ("Subsystem:", "SDevice:"),
    "group": ("IOMMU group:", "IOMMUGroup:"),
    "numa_node": ("NUMA node:", "NUMANode:"),
    "config": ("Capabilities:",),
}


def views(evidence: Evidence) -> Iterator[tuple[str, View]]:
    """Every view of every function, the most telling source first."""
    sysfs = Sysfs(evidence.item(SYSFS))
    for where in sysfs.addresses:
        yield where, sysfs.view(where)
    config = Tree.of(evidence.item(CONFIG))
    for where, text in config.values.items():
        if address(where) == where:
            yield where, ConfigView(config.item, where, text)
    devices = nodedevs.parse(evidence.item(nodedevs.ITEM)).devices
    shows_groups = any(device.group is not None for device in devices.values())
    for where, device in devices.items():
        yield where, NodeView(device, shows_groups=shows_groups)
    yield from _lspci_views(evidence.item(LSPCI))


def _lspci_views(item: Item) -> Iterator[tuple[str, View]]:
    blocks: dict[str, list[lspci.Block]] = {}
    for block in lspci.parse(item.text):
        blocks.setdefault(block.address, []).append(block)
    for where, ours in blocks.items():
        yield where, LspciView(item, tuple(ours), shows_drivers=item.whole)
