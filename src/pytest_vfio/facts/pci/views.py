"""The views that the sources have of PCI functions: sysfs, configuration bytes, libvirt, lspci.

A view answers with what its source says of a field and the line that says so, or with nothing
where the source does not tell. *Known to be absent* is an answer: `Known(None, ...)`. Fields bear
the names of `PciFunction`'s properties.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from functools import cached_property

from pytest_vfio.evidence import Evidence, Item, Lack, Quote, Status, Tree
from pytest_vfio.facts.pci.known import Known, View
from pytest_vfio.facts.pci.sysfs import SYSFS, Sysfs
from pytest_vfio.parse import lspci, nodedevs, pciconfig
from pytest_vfio.parse.pciaddress import address, on_path

__all__ = ["CONFIG", "LSPCI", "SYSFS", "Known", "LspciView", "Sources", "View", "views"]

CONFIG = "sys/bus/pci/config"
LSPCI = "lspci"


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


class Sources:
    """What the views are made from, and what to say where none of them tells."""

    def __init__(self, evidence: Evidence) -> None:
        self.evidence = evidence

    @cached_property
    def trees(self) -> Mapping[str, Tree]:
        """What was read of sysfs: the functions' files, and their configuration bytes."""
        return {name: Tree.of(self.evidence.item(name)) for name in (SYSFS, CONFIG)}

    def listed(self, name: str) -> frozenset[str]:
        """The functions that libvirt's list or lspci's text shows."""
        item = self.evidence.item(name)
        if name == LSPCI:
            return frozenset(block.address for block in lspci.parse(item.text))
        return frozenset(nodedevs.parse(item).devices)

    def unread(self, source: str, path: str) -> Lack:
        """The item that would have told, with its status."""
        item = self.evidence.item(source)
        if not item.whole:
            return item.lack
        tree = self.trees.get(source)
        lacking = tree.lacks(path) if tree is not None else None
        return lacking or Lack(f"{source}/{path}", Status.NOT_COLLECTED)


def views(sources: Sources) -> Iterator[tuple[str, View]]:
    """Every view of every function, the most telling source first."""
    evidence, trees = sources.evidence, sources.trees
    sysfs = Sysfs(trees[SYSFS])
    for where in sysfs.addresses:
        yield where, sysfs.view(where)
    config = trees[CONFIG]
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
