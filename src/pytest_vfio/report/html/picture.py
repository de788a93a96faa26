"""A host -> the picture of what hangs where, who holds it and what it goes to: shapes and words."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

import msgspec
from rich.cells import cell_len, set_cell_size

from pytest_vfio.facts.pci.function import is_vfio_driver
from pytest_vfio.judge.result import Answer, DeviceResult, FactsResult
from pytest_vfio.printable import listed, printable
from pytest_vfio.report.html.layout import Placed, Wanted, place
from pytest_vfio.report.html.tree import Branch, Leaf, Tree, functions, grow

#: A picture for a desk and one for a phone: the second is as wide as the first can be shrunk to.
WIDE, NARROW = 1152, 360
_TILE = (172, 62)
#: Units that a character takes: tiles are set in 11, titles in 12.
_CHARACTER = 6.7

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
#: Whether what is to be passed through can be: sign and colour.
MARKS = {
    Answer.YES: ("\u2713", "#17692f"),
    Answer.NO: ("\u2715", "#a8201a"),
    Answer.UNKNOWN: ("?", "#7a5200"),
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
    trees = grow(facts.devices)
    boxes = [*_machine(trees), *_guests(facts.devices)]
    placed, height = place(boxes, width - 2, 1)
    shown = {shape.what.style for shape in placed} & {*HOLDERS}
    key, height = place(
        [_key(holder) for holder in HOLDERS if holder in shown], width - 2, height + 16
    )
    shapes = tuple(msgspec.structs.replace(one, x=one.x + 1) for one in (*placed, *key))
    return Picture(width, round(height) + 2, shapes)


def _machine(trees: Sequence[Branch]) -> Iterable[Wanted[Shape]]:
    """Panels for nodes, or for root buses where no node is known or there is one of each."""
    for tree in trees:
        if tree.kind == "absent":
            yield _branch(tree, "to be passed through, and not on this host")
            continue
        node = f"NUMA node {tree.name}" if tree.name else ""
        buses = [child for child in tree.children if isinstance(child, Branch)]
        if not node and len(trees) > 1:
            node = "no NUMA node"
        if not node or len(buses) == 1:
            for bus in buses:
                title = " \u00b7 ".join(filter(None, [node, f"root bus {bus.name}"]))
                yield _branch(bus, title)
        else:
            inner = tuple(_branch(bus, f"root bus {bus.name}", wide=False) for bus in buses)
            shape = Shape("panel", (node,), f"{node}: {_number(functions(tree))}")
            yield Wanted(shape, inner=inner, wide=True)


def _branch(tree: Branch, title: str, *, wide: bool = True) -> Wanted[Shape]:
    shape = Shape("panel" if wide else "bus", (title,), f"{title}: {_number(functions(tree))}")
    inner = tuple(map(_box, tree.children))
    return Wanted(shape, width=_text(title), inner=inner, wide=wide)


def _box(tree: Tree) -> Wanted[Shape]:
    if isinstance(tree, Leaf):
        return Wanted(_tile(tree), *_TILE)
    inner = tuple(map(_box, tree.children))
    if tree.kind == "group":
        title = f"group {tree.name}"
        told = f"IOMMU group {tree.name}: {_number(functions(tree))}, which go together"
        return Wanted(Shape("group", (title,), told), width=_text(title), inner=inner)
    group = "" if tree.group is None else f" \u00b7 group {tree.group}"
    name = _CLASSES["0604"] if tree.device is None else _port(tree.device)
    title = f"{name} {_short(tree.name)}{group}"
    told = f"bridge {tree.name}, not read itself" if tree.device is None else _facts(tree.device)
    return Wanted(
        Shape("bridge", (printable(title),), printable(told)), width=_text(title), inner=inner
    )


def _tile(leaf: Leaf) -> Shape:
    one = leaf.devices[0]
    holder = _holder(one)
    if leaf.kind:
        names = [device.label for device in leaf.devices]
        title = f"{len(names):,} {leaf.kind}"
        told = f"{title}, each a group of its own or of none: {listed(names, 8)}"
        guests = sorted({device.guest for device in leaf.devices if device.guest})
        lines = (
            title.replace("0000:", ""),
            one.driver or "",
            f"\u2192 {listed(guests, 2)}" if guests else "",
        )
    else:
        title = " ".join([_class(one), *one.netdevs[:1]])
        lines = (title, f"{_short(one.label)} {one.driver or ''}", _use(one))
        told = _facts(one)
    return Shape(
        holder,
        tuple(
            _cut(printable(line), _TILE[0] - 22 - (14 if not number else 0))
            for number, line in enumerate(lines)
        ),
        printable(told),
        one.assignable if one.intended else None,
        printable(one.guest or ""),
        bool(leaf.kind),
    )


def _guests(devices: Iterable[DeviceResult]) -> Iterable[Wanted[Shape]]:
    """A panel with the guests that functions go to."""
    guests: dict[str, list[DeviceResult]] = {}
    for one in devices:
        if one.guest:
            guests.setdefault(one.guest, []).append(one)
    if not guests:
        return
    tiles = []
    for name, own in guests.items():
        labels = [_short(one.label) for one in own]
        told = f"guest {name}: {listed(labels, 8)}"
        lines = (printable(name), f"{_number(own)}", listed(labels, 2))
        lines = tuple(_cut(line, _TILE[0] - 22) for line in lines)
        tiles.append(Wanted(Shape("to", lines, printable(told), guest=printable(name)), *_TILE))
    shape = Shape("panel", ("guests",), f"{len(guests)} guests that functions go to")
    yield Wanted(shape, inner=tuple(tiles), wide=True)


def _key(holder: str) -> Wanted[Shape]:
    words = HOLDERS[holder]
    return Wanted(Shape(f"key {holder}", (words,), ""), _text(words) + 24, 18)


def _holder(one: DeviceResult) -> str:
    if one.used_by:
        return "host"
    if is_vfio_driver(one.driver):
        return "guest" if one.guest else "vfio"
    if (one.class_code or "").startswith("06") or one.driver == "pcieport":
        return "port"
    return "idle" if one.driver else "none"


def _use(one: DeviceResult) -> str:
    """What a function is for, as short as it goes: a guest, what the host has on it, its group."""
    if one.guest:
        return f"\u2192 {one.guest}"
    if one.used_by:
        steps = [path.split(" -> ") for path in one.used_by]
        names = dict.fromkeys(step[-2] if len(step) > 1 else step[0] for step in steps)
        return f"host: {', '.join(names)}"
    if one.intended:
        return "to pass through"
    return "" if one.group is None else f"group {one.group}"


def _facts(one: DeviceResult) -> str:
    """All that is known of a function, in one sentence."""
    told = [
        one.label,
        one.name or _class(one),
        one.id or "",
        f"driver {one.driver}" if one.driver else "no driver",
        "" if one.group is None else f"group {one.group}",
        "" if one.numa_node is None else f"NUMA node {one.numa_node}",
        f"VF of {one.physfn}" if one.physfn else "",
        f"for guest {one.guest}" if one.guest else "",
        f"the host uses it: {'; '.join(one.used_by)}" if one.used_by else "",
        one.sentence if one.intended else "",
    ]
    return ", ".join(filter(None, told))


def _class(one: DeviceResult) -> str:
    code = one.class_code or ""
    return (
        _CLASSES.get(code[:4])
        or _CLASSES.get(code[:2])
        or (f"class {code[:4]}" if code else "function")
    )


def _port(one: DeviceResult) -> str:
    return "root port" if one.parent is None and one.driver == "pcieport" else _class(one)


def _number(devices: Sequence[DeviceResult]) -> str:
    return "1 function" if len(devices) == 1 else f"{len(devices):,} functions"


def _short(address: str) -> str:
    return address.removeprefix("0000:")


def _text(words: str) -> float:
    return cell_len(words) * _CHARACTER + 24


def _cut(words: str, room: float) -> str:
    """Words on one line, as many as there is room for."""
    line, most = " ".join(words.split()), int(room / _CHARACTER)
    return line if cell_len(line) <= most else f"{set_cell_size(line, most - 1).rstrip()}\u2026"
