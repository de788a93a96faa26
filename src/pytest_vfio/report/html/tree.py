"""The PCI functions of a host -> the tree that a picture shows.

NUMA nodes hold root buses, these hold bridges and functions. Functions of one IOMMU group stand
together. What is alike and many is one leaf: VFs, empty ports, the chipset.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from typing import TypeAlias

import msgspec

from pytest_vfio.judge.result import DeviceResult

#: More VFs of which the same is to be said than these are one leaf; so with the rest.
_VFS = 4
_FEW = 2
#: A chain of bridges is followed so far: Thunderbolt has seven; a host may say what it likes.
_DEEPEST = 8
_BRIDGES = ("0604", "0609")


class Leaf(msgspec.Struct, frozen=True):
    """One function, or many alike, which `kind` names: `VFs of 0000:01:00.0`."""

    devices: tuple[DeviceResult, ...]
    kind: str = ""


class Branch(msgspec.Struct, frozen=True):
    """What holds others. `kind` is node, bus, bridge, group or absent.

    `device` is the bridge, where it is known. `group` is the number of an outline, or the bridge's
    own group.
    """

    kind: str
    name: str
    children: tuple[Tree, ...]
    device: DeviceResult | None = None
    group: int | None = None


Tree: TypeAlias = Leaf | Branch


def grow(devices: Sequence[DeviceResult]) -> tuple[Branch, ...]:
    """The branches that stand for the whole host, in the order of nodes and buses."""
    return _Grower(devices).host()


def functions(tree: Tree) -> tuple[DeviceResult, ...]:
    """Every function in a tree."""
    if isinstance(tree, Leaf):
        return tree.devices
    own = () if tree.device is None else (tree.device,)
    return own + tuple(one for child in tree.children for one in functions(child))


class _Grower:
    def __init__(self, devices: Sequence[DeviceResult]) -> None:
        self.known = {one.address: one for one in devices if one.address}
        self.absent = tuple(one for one in devices if not one.address)
        self.sizes = Counter(one.group for one in self.known.values() if one.group is not None)
        self.below: dict[str | None, list[str]] = {}
        above = {name: self._above(name) for name in self.known}
        for name in sorted({*above, *(one for one in above.values() if one)}):
            self.below.setdefault(above.get(name), []).append(name)

    def _above(self, name: str) -> str | None:
        """The bridge above a function; above what is too deep, or a circle, the highest."""
        chain = [name]
        while (parent := self._parent(chain[-1])) is not None and parent not in chain:
            chain.append(parent)
        if len(chain) == 1 or (parent is not None and min(chain) == name):
            return None
        return chain[1] if len(chain) <= _DEEPEST and parent is None else chain[-1]

    def _parent(self, name: str) -> str | None:
        known = self.known.get(name)
        return known.parent if known else None

    def host(self) -> tuple[Branch, ...]:
        """NUMA nodes where any is known; root buses; what is to be passed through and not there."""
        buses: dict[tuple[int | None, str], list[str]] = {}
        for name in self.below.get(None, ()):
            buses.setdefault((self._node(name), name[: name.rindex(":")]), []).append(name)
        nodes: dict[int | None, list[Branch]] = {}
        for (node, bus), names in sorted(
            buses.items(), key=lambda item: (item[0][0] is None, item)
        ):
            nodes.setdefault(node, []).append(Branch("bus", bus, self._siblings(names)))
        grown = [
            Branch("node", "" if node is None else str(node), tuple(branches))
            for node, branches in nodes.items()
        ]
        if self.absent:
            grown.append(Branch("absent", "", tuple(Leaf((one,)) for one in self.absent)))
        return tuple(grown)

    def _node(self, name: str) -> int | None:
        """The NUMA node of a function of a root bus, or of the first below it that has one."""
        known = self.known.get(name)
        if known is not None and known.numa_node is not None:
            return known.numa_node
        return next(
            (node for one in self.below.get(name, ()) if (node := self._node(one)) is not None),
            None,
        )

    def _siblings(self, names: Iterable[str], within: int | None = None) -> tuple[Tree, ...]:
        """What stands side by side: the alike folded, group mates together.

        A group of several is outlined, unless all stands `within` its outline.
        """
        together: dict[int | str, list[str]] = {}
        for name in names:
            group = self._group(name)
            outlined = group is not None and group != within and self.sizes[group] >= _FEW
            together.setdefault(group if group is not None and outlined else name, []).append(name)
        return self._folded(
            [
                Branch("group", str(key), self._siblings(mates, key), group=key)
                if isinstance(key, int)
                else self._tree(key, within)
                for key, mates in together.items()
            ]
        )

    def _tree(self, name: str, within: int | None) -> Tree:
        device = self.known.get(name)
        names = self.below.get(name, ())
        if device is not None and not names:
            return Leaf((device,))
        group = None if device is None else device.group
        return Branch("bridge", name, self._siblings(names, within), device, group)

    def _group(self, name: str) -> int | None:
        """The group in which all is from a function down; None for several, or where unknown."""
        known = self.known.get(name)
        group = known.group if known else None
        below = {self._group(one) for one in self.below.get(name, ())}
        return group if below <= {group} else None

    def _folded(self, trees: Sequence[Tree]) -> tuple[Tree, ...]:
        """The trees, where many leaves alike are one, in the place of the first."""
        kinds: dict[object, list[DeviceResult]] = {}
        keys = [self._alike(tree) for tree in trees]
        for tree, key in zip(trees, keys, strict=True):
            if key is not None and isinstance(tree, Leaf):
                kinds.setdefault(key, []).extend(tree.devices)
        folded: list[Tree] = []
        for tree, key in zip(trees, keys, strict=True):
            alike = kinds.get(key, []) if key is not None else []
            if len(alike) < (_VFS if key and key[0].startswith("VFs") else _FEW):
                folded.append(tree)
            elif isinstance(tree, Leaf) and tree.devices[0] is alike[0]:
                folded.append(Leaf(tuple(alike), key[0] if key else ""))
        return tuple(folded)

    def _alike(self, tree: Tree) -> tuple[str, ...] | None:
        """What makes leaves alike; None for what is shown by itself."""
        if not isinstance(tree, Leaf):
            return None
        one = tree.devices[0]
        alone = one.group is None or self.sizes[one.group] == 1
        if one.used_by or not alone:
            return None
        if one.physfn:
            told = (str(one.driver), str(bool(one.guest)), str(one.assignable), str(one.intended))
            return (f"VFs of {one.physfn}", *told)
        if one.intended or one.guest:
            return None
        code = one.class_code or ""
        if code.startswith(_BRIDGES):
            return ("empty ports",)
        return ("chipset functions",) if _of_chipset(code) else None


#: Base classes of what a board is made of, and single ones of them: memory controllers, bridges,
#: performance counters, system peripherals, SMBus.
_CHIPSET: Mapping[str, tuple[str, ...]] = {
    "05": ("",), "06": ("",), "08": ("",), "11": ("01", "80"), "0c": ("05",), "07": ("80",), "ff": ("",),
}  # fmt: skip


def _of_chipset(code: str) -> bool:
    return any(code[2:].startswith(rest) for rest in _CHIPSET.get(code[:2], ()))
