"""A host -> the picture of what hangs where, who holds it and what it goes to: shapes and words."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

import msgspec
from msgspec.structs import replace
from rich.cells import cell_len, set_cell_size

from pytest_vfio.facts.pci.function import is_vfio_driver
from pytest_vfio.judge.result import Answer, DeviceResult, FactsResult, IntentFrom, NodeResult
from pytest_vfio.printable import listed, printable
from pytest_vfio.report.html.layout import Placed, Wanted, place
from pytest_vfio.report.html.tree import Branch, Leaf, Tree, functions, grow

#: A picture for a desk and one for a phone: the second is as wide as the first can be shrunk to.
WIDE, NARROW = 1152, 384
#: Units that a character takes: of a title, of a tile's first line, of its others.
_TITLE, _BOLD, _SMALL = 6.8, 7.7, 6.7
#: Port types in fewer words than lspci's.
_PORTS = {
    "Root Port": "root port",
    "Upstream Port": "switch, upstream",
    "Downstream Port": "switch, downstream",
}

#: Who holds a function, in the words of the legend.
HOLDERS = {
    "host": "the host lives on it",
    "idle": "a host driver has it",
    "vfio": "vfio has it",
    "guest": "vfio has it, for a guest",
    "none": "no driver has it",
    "port": "bridge or chipset",
}
#: The colour of a holder; style sheets have others for the dark.
COLOURS = {
    "host": "#0b57a4",
    "idle": "#8a949e",
    "vfio": "#1f8a43",
    "guest": "#7d3fb8",
    "none": "#dfe3e7",
    "port": "#c9d0d6",
    "to": "#7d3fb8",
}
#: How what holds others is drawn, by its style.
BRANCHES = {
    "panel": 'fill="#f2f4f6" stroke="#dfe3e7"',
    "bus": 'fill="none" stroke="#c9d0d6"',
    "bridge": 'fill="#ffffff" stroke="#c9d0d6"',
    "group": 'fill="none" stroke="#56606b" stroke-dasharray="4 3"',
}
#: Whether what is to be passed through can be: sign, colour, words.
MARKS = {
    Answer.YES: ("\u2713", "#17692f", "can be assigned"),
    Answer.NO: ("\u2715", "#a8201a", "cannot, or must not, be assigned"),
    Answer.UNKNOWN: ("?", "#7a5200", "cannot tell"),
}
_CLASSES = {
    "0104": "RAID", "0106": "SATA", "0107": "SAS", "0108": "NVMe", "01": "storage",
    "0200": "Ethernet", "0207": "InfiniBand", "02": "network", "03": "display",
    "0401": "audio", "0403": "audio", "04": "multimedia", "05": "memory", "0600": "host bridge",
    "0601": "ISA bridge", "0604": "bridge", "06": "bridge", "07": "communication", "08": "system",
    "09": "input", "0c03": "USB", "0c04": "Fibre Channel", "0c05": "SMBus", "0c": "serial bus",
    "0d": "wireless", "10": "crypto", "11": "signal processing", "12": "accelerator",
}  # fmt: skip


class Shape(msgspec.Struct, frozen=True):
    """One box of the picture. `style` is a branch's kind, or who holds a tile's functions.

    `lines` are what it bears, `facts` what is told of it when it is asked; `mark` says whether what
    is to be passed through can be; `guest` is where it goes.
    """

    style: str
    lines: tuple[str, ...]
    facts: str
    mark: Answer | None = None
    guest: str = ""
    many: bool = False


class Picture(msgspec.Struct, frozen=True):
    """Shapes in their places, outer ones first."""

    width: int
    height: int
    shapes: tuple[Placed[Shape], ...]


def picture(facts: FactsResult, width: int) -> Picture:
    """The picture of a host, so wide and as high as it takes."""
    boxes = _Boxes(172 if width >= WIDE else 160)
    placed, height = place([*boxes.machine(facts), *boxes.guests(facts.devices)], width - 2, 1)
    legend, height = place(_legend([one.what for one in placed]), width - 2, height + 18)
    shapes = tuple(replace(_titled(one), x=one.x + 1) for one in (*placed, *legend))
    return Picture(width, round(height) + 2, shapes)


class _Boxes(msgspec.Struct, frozen=True):
    """The boxes to be placed, where tiles are so wide."""

    tile: int

    def machine(self, facts: FactsResult) -> Iterable[Wanted[Shape]]:
        """A panel for each NUMA node, or for each root bus where there is one, or no node known."""
        trees = grow(facts.devices)
        told = {str(node.number): _node(node) for node in facts.nodes}
        nodes = [tree for tree in trees if tree.kind == "node"]
        for tree in trees:
            if tree.kind == "absent":
                yield self._panel("not on this host", map(self._box, tree.children), tree)
                continue
            node = told.get(tree.name, f"NUMA node {tree.name}") if tree.name else "no NUMA node"
            said = [node] if tree.name or len(nodes) > 1 else []
            buses = [child for child in tree.children if isinstance(child, Branch)]
            if said and len(buses) > 1:
                yield self._panel(node, map(self._bus, buses), tree)
                continue
            for bus in buses:
                title = " \u00b7 ".join([*said, f"root bus {_short(bus.name)}"])
                yield self._panel(title, map(self._box, bus.children), bus)

    def guests(self, devices: Iterable[DeviceResult]) -> Iterable[Wanted[Shape]]:
        """A panel with the guests that functions go to."""
        found: dict[str, list[DeviceResult]] = {}
        for one in devices:
            if one.guest:
                found.setdefault(one.guest, []).append(one)
        if not found:
            return
        shape = Shape("panel", ("guests",), _number(len(found), "guest"))
        yield Wanted(shape, inner=tuple(self._guest(*item) for item in found.items()))

    def _guest(self, name: str, own: Sequence[DeviceResult]) -> Wanted[Shape]:
        labels = [_short(one.label) for one in own]
        lines = (name, _number(len(own), "function"), listed(labels, 2))
        return self._tile(Shape("to", lines, f"guest {name}: {listed(labels, 8)}", guest=name))

    def _panel(
        self, title: str, inner: Iterable[Wanted[Shape]], tree: Tree, style: str = "panel"
    ) -> Wanted[Shape]:
        told = f"{title}: {_number(len(functions(tree)), 'function')}"
        return _holding(Shape(style, (title,), told), inner)

    def _bus(self, tree: Branch) -> Wanted[Shape]:
        title = f"root bus {_short(tree.name)}"
        return self._panel(title, map(self._box, tree.children), tree, "bus")

    def _box(self, tree: Tree) -> Wanted[Shape]:
        if isinstance(tree, Leaf):
            return self._tile(_many(tree) if tree.kind else _one(tree.devices[0]))
        inner = map(self._box, tree.children)
        if tree.kind == "group":
            mates = _number(len(functions(tree)), "function")
            told = f"IOMMU group {tree.name}: {mates} here, assigned together or not at all"
            return _holding(Shape("group", (f"group {tree.name}",), told), inner)
        if tree.device is None:
            title, told = f"bridge {_short(tree.name)}", f"bridge {tree.name}, not read itself"
        else:
            title, told = f"{_kind(tree.device)} {_short(tree.name)}", _facts(tree.device)
        group = "" if tree.group is None else f" \u00b7 group {tree.group}"
        return _holding(Shape("bridge", (title + group,), told), inner)

    def _tile(self, shape: Shape) -> Wanted[Shape]:
        """A tile, with as many of its words as there is room for."""
        room = self.tile - 22
        first, *rest = shape.lines
        cut = (
            _cut(first, room - (18 if shape.mark else 0), _BOLD),
            *(_cut(line, room, _SMALL) for line in rest),
        )
        return Wanted(replace(shape, lines=cut), self.tile, 62)


def _holding(shape: Shape, inner: Iterable[Wanted[Shape]]) -> Wanted[Shape]:
    return Wanted(shape, width=_text(shape.lines[0]) + 24, inner=tuple(inner))


def _titled(box: Placed[Shape]) -> Placed[Shape]:
    """What holds others, with as much of its title as there is room for."""
    if box.what.style not in BRANCHES:
        return box
    title = _cut(box.what.lines[0], box.width - 20, _TITLE)
    return replace(box, what=replace(box.what, lines=(title,)))


def _many(leaf: Leaf) -> Shape:
    """A tile for many alike."""
    one = leaf.devices[0]
    title = f"{len(leaf.devices):,} {leaf.kind}"
    guests = sorted({device.guest for device in leaf.devices if device.guest})
    use = f"\u2192 {listed(guests, 2)}" if guests else ""
    drivers = sorted({device.driver or "no driver" for device in leaf.devices})
    told = f"{title}, each in a group of its own: {listed([it.label for it in leaf.devices], 8)}"
    what, _, of = leaf.kind.partition(" of ")
    place = [f"of {_short(of)}"] if of else []
    lines = (f"{len(leaf.devices):,} {what}", " ".join([*place, listed(drivers, 2)]), use)
    mark = one.assignable if one.intended else None
    return Shape(_holder(one), lines, told, mark, one.guest or "", many=True)


def _one(one: DeviceResult) -> Shape:
    """A tile for one function."""
    lines = (
        " ".join([_kind(one), *one.netdevs[:1]]),
        f"{_short(one.label)} {one.driver or ''}",
        _use(one),
    )
    mark = one.assignable if one.intended else None
    return Shape(_holder(one), lines, _facts(one), mark, one.guest or "")


def _legend(shapes: Sequence[Shape]) -> list[Wanted[Shape]]:
    """What colours, outlines and signs mean, as far as they are used."""
    styles = {shape.style for shape in shapes}
    marks = {shape.mark for shape in shapes if shape.mark}
    entries = [
        Shape(f"key {style}", (words,), "") for style, words in HOLDERS.items() if style in styles
    ]
    entries += (
        [Shape("key group", ("IOMMU group: goes together",), "")] if "group" in styles else []
    )
    entries += [Shape("key", (MARKS[mark][2],), "", mark) for mark in MARKS if mark in marks]
    return [Wanted(one, _text(one.lines[0]) + 28, 18) for one in entries]


def _holder(one: DeviceResult) -> str:
    if one.used_by:
        return "host"
    if is_vfio_driver(one.driver):
        return "guest" if one.guest else "vfio"
    if (one.class_code or "").startswith("06"):
        return "port"
    return "idle" if one.driver else "none"


def _use(one: DeviceResult) -> str:
    """What a function is for, in short: a guest, what the host has on it, its group."""
    if one.guest:
        return f"\u2192 {one.guest}"
    if one.used_by:
        steps = [path.split(" -> ") for path in one.used_by]
        names = dict.fromkeys(step[-2] if len(step) > 1 else step[0] for step in steps)
        return f"host: {', '.join(names)}"
    if one.intended and one.intent_from is not IntentFrom.SURVEY:
        return "to pass through"
    return "" if one.group is None else f"group {one.group}"


def _facts(one: DeviceResult) -> str:
    """All that is known of a function, in one line."""
    told = (
        f"{one.label} {one.name or _kind(one)}",
        one.id,
        f"driver {one.driver}" if one.driver else "no driver",
        None if one.group is None else f"group {one.group}",
        None if one.numa_node is None else f"NUMA node {one.numa_node}",
        listed(one.netdevs) or None,
        f"VF of {one.physfn}" if one.physfn else None,
        f"up to {one.vfs} VFs" if one.vfs else None,
        f"link {one.link}" if one.link else None,
        None if one.reset is None else f"reset: {', '.join(one.reset) or 'none'}",
        f"for guest {one.guest}" if one.guest else None,
        f"the host uses it: {'; '.join(one.used_by)}" if one.used_by else None,
        one.sentence if one.intended else None,
    )
    return " \u00b7 ".join(filter(None, told))


def _kind(one: DeviceResult) -> str:
    """What a function is, in one word or two."""
    code = one.class_code or ""
    known = _CLASSES.get(code[:4]) or _CLASSES.get(code[:2])
    port = _PORTS.get(one.port or "")
    return port or known or (f"class {code[:4]}" if code else "function")


def _node(node: NodeResult) -> str:
    sockets = ", ".join(map(str, node.sockets))
    parts = (
        f"NUMA node {node.number}",
        f"socket {sockets}" if sockets else "",
        _number(node.cpus, "CPU") if node.cpus else "",
        f"{node.memory_kib / (1 << 20):.0f} GiB" if node.memory_kib else "",
    )
    return " \u00b7 ".join(filter(None, parts))


def _number(count: int, what: str) -> str:
    return f"{count:,} {what}" if count == 1 else f"{count:,} {what}s"


def _short(address: str) -> str:
    return address.removeprefix("0000:")


def _text(words: str) -> float:
    return cell_len(printable(words)) * _TITLE


def _cut(words: str, room: float, character: float) -> str:
    """Words on one line, as many as there is room for."""
    line, most = " ".join(printable(words).split()), int(room / character)
    return line if cell_len(line) <= most else f"{set_cell_size(line, most - 1).rstrip()}\u2026"
