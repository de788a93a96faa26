"""Edits of XML that do not know what it means: a node, an attribute."""

import xml.etree.ElementTree as ET
from collections.abc import Callable
from random import Random

from tests.lab.oracle.bytewise import change_number, delete_byte, flip_byte, insert_byte

TreeEdit = Callable[[Random, ET.Element], None]


def delete_node(random: Random, root: ET.Element) -> None:
    """One element is lost with all that is in it; not all devices at once."""
    pairs = [(p, c) for p in root.iter() for c in p if c.tag not in {"devices", "os", "name"}]
    parent, child = random.choice(pairs)
    parent.remove(child)


def repeat_node(random: Random, root: ET.Element) -> None:
    """One element stands twice."""
    parent, child = random.choice([(parent, child) for parent in root.iter() for child in parent])
    parent.append(child)


def move_node(random: Random, root: ET.Element) -> None:
    """One element goes elsewhere."""
    leaves = [(p, c) for p in root.iter() for c in p if not len(c)]
    parent, child = random.choice(leaves)
    places = [place for place in root.iter() if place is not child and place is not parent]
    parent.remove(child)
    random.choice(places).append(child)


def delete_attribute(random: Random, root: ET.Element) -> None:
    """One attribute is lost."""
    node, key = _attribute(random, root)
    del node.attrib[key]


def change_attribute(random: Random, root: ET.Element) -> None:
    """One attribute's value is another."""
    node, key = _attribute(random, root)
    node.set(key, _misspelt(random, node.get(key, "")))


def change_text(random: Random, root: ET.Element) -> None:
    """What stands in one element is another text."""
    node = random.choice([node for node in root.iter() if (node.text or "").strip()])
    node.text = _misspelt(random, node.text or "")


def _attribute(random: Random, root: ET.Element) -> tuple[ET.Element, str]:
    return random.choice([(node, key) for node in root.iter() for key in node.attrib])


def _misspelt(random: Random, text: str) -> str:
    how = random.choice([flip_byte, delete_byte, insert_byte, change_number])
    changed = how(random, text)
    return changed if changed != text else text + "0"


TREE_EDITS: dict[str, TreeEdit] = {
    "node deleted": delete_node,
    "node repeated": repeat_node,
    "node moved": move_node,
    "attribute deleted": delete_attribute,
    "attribute changed": change_attribute,
    "text changed": change_text,
}
