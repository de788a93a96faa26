"""The IORT table: SMMUs, root complexes and who is behind which on ARM servers (ARM DEN0049E).

`parse` never raises; a broken table carries its flaws in words.
"""

from __future__ import annotations

import msgspec

from pytest_vfio.parse.acpi.table import Header, flaws, number, words

NODE_TYPES = {
    0: "its",
    1: "named component",
    2: "root complex",
    3: "smmu",
    4: "smmuv3",
    5: "pmcg",
    6: "rmr",
    7: "iwb",
}

#: Bytes before a node's own data: type, length, revision, identifier, mapping count and offset.
_NODE = 16
_MAPPING = 20
_MOST = 4096


class Mapping(msgspec.Struct, frozen=True):
    """Ids `input_base` to `input_base + count` become `output_base` onwards at another node.

    `count` is the table's field: the number of ids minus one. `output` is the node's offset.
    """

    input_base: int
    count: int
    output_base: int
    output: int
    single: bool


class Reserved(msgspec.Struct, frozen=True):
    """A memory range of an RMR node."""

    base: int
    length: int


class Node(msgspec.Struct, frozen=True):
    """One node. `base` is the register base of an SMMU, `segment` that of a root complex."""

    type: int
    at: int
    revision: int
    identifier: int
    mappings: tuple[Mapping, ...]
    base: int | None = None
    model: int | None = None
    flags: int | None = None
    segment: int | None = None
    ats: bool | None = None
    name: str = ""
    reserved: tuple[Reserved, ...] = ()

    @property
    def kind(self) -> str:
        """its, named component, root complex, smmu, smmuv3, pmcg, rmr, iwb, or the number."""
        return NODE_TYPES.get(self.type, f"type {self.type}")

    @property
    def is_smmu(self) -> bool:
        """An SMMU of any version."""
        return self.type in {3, 4}


class Iort(msgspec.Struct, frozen=True):
    """The table."""

    header: Header
    nodes: tuple[Node, ...]
    flaws: tuple[str, ...]

    @property
    def smmus(self) -> tuple[Node, ...]:
        """The SMMUs of all versions."""
        return tuple(node for node in self.nodes if node.is_smmu)

    @property
    def root_complexes(self) -> tuple[Node, ...]:
        """The PCI host bridges."""
        return tuple(node for node in self.nodes if node.type == 2)

    def translated(self, segment: int) -> bool:
        """Whether any id of a PCI segment is mapped to an SMMU."""
        smmus = {node.at for node in self.smmus}
        return any(
            mapping.output in smmus
            for node in self.root_complexes
            if node.segment == segment
            for mapping in node.mappings
        )


def parse(data: bytes) -> Iort:
    """Take a table apart. Never raises."""
    flaw = list(flaws(data, "IORT", 48))
    count, at = number(data, 36, 4), number(data, 40, 4)
    nodes: list[Node] = []
    if count > _MOST:
        flaw.append(f"{count} nodes")
    if count and at < 48:
        flaw.append(f"nodes start at byte {at}")
        count = 0
    for _ in range(min(count, _MOST)):
        length = number(data, at + 1, 2)
        if length < _NODE or at + length > len(data):
            flaw.append(f"node at byte {at} has length {length}")
            break
        nodes.append(_node(at, data[at : at + length], flaw))
        at += length
    if not nodes:
        flaw.append("no nodes")
    return Iort(Header.of(data), tuple(nodes), tuple(flaw))


def _node(at: int, body: bytes, flaw: list[str]) -> Node:
    kind = body[0]
    mappings = _mappings(at, body, flaw)
    base = model = flags = segment = None
    ats: bool | None = None
    name = ""
    reserved: tuple[Reserved, ...] = ()
    if kind == 1:
        name = words(body[_NODE + 13 :].partition(b"\0")[0])
    elif kind == 2:
        ats = bool(number(body, _NODE + 8, 4) & 1)
        segment = number(body, _NODE + 12, 4)
    elif kind == 3:
        base = number(body, _NODE, 8)
        model = number(body, _NODE + 16, 4)
        flags = number(body, _NODE + 20, 4)
    elif kind == 4:
        base = number(body, _NODE, 8)
        flags = number(body, _NODE + 8, 4)
        model = number(body, _NODE + 24, 4)
    elif kind == 6:
        flags = number(body, _NODE, 4)
        reserved = _reserved(at, body, flaw)
    return Node(
        type=kind,
        at=at,
        revision=number(body, 3, 1),
        identifier=number(body, 4, 4),
        mappings=mappings,
        base=base,
        model=model,
        flags=flags,
        segment=segment,
        ats=ats,
        name=name,
        reserved=reserved,
    )


def _mappings(at: int, body: bytes, flaw: list[str]) -> tuple[Mapping, ...]:
    count, start = number(body, 8, 4), number(body, 12, 4)
    if not count:
        return ()
    if start < _NODE or count > _MOST or start + count * _MAPPING > len(body):
        flaw.append(f"{count} id mappings of the node at byte {at} pass its end")
        return ()
    found: list[Mapping] = []
    for i in range(count):
        here = start + i * _MAPPING
        found.append(
            Mapping(
                input_base=number(body, here, 4),
                count=number(body, here + 4, 4),
                output_base=number(body, here + 8, 4),
                output=number(body, here + 12, 4),
                single=bool(number(body, here + 16, 4) & 1),
            )
        )
    return tuple(found)


def _reserved(at: int, body: bytes, flaw: list[str]) -> tuple[Reserved, ...]:
    count, start = number(body, _NODE + 4, 4), number(body, _NODE + 8, 4)
    if not count:
        return ()
    if start < _NODE or count > _MOST or start + count * 20 > len(body):
        flaw.append(f"{count} memory ranges of the node at byte {at} pass its end")
        return ()
    return tuple(
        Reserved(number(body, start + i * 20, 8), number(body, start + i * 20 + 8, 8))
        for i in range(count)
    )
