"""What edits of a guest's XML are made of."""

import xml.etree.ElementTree as ET
from random import Random

from tests.lab.oracle.bytewise import delete_byte, flip_byte


def put(parent: ET.Element, xml: str) -> None:
    """Add an element."""
    parent.append(ET.fromstring(xml))


def replace(root: ET.Element, tag: str, xml: str, *, first: bool = False) -> None:
    """Put an element where those of its tag were."""
    for old in root.findall(tag):
        root.remove(old)
    root.insert(3, ET.fromstring(xml)) if first else put(root, xml)


def devices(root: ET.Element) -> ET.Element:
    """The guest's devices."""
    return under(root, "devices")


def under(root: ET.Element, tag: str) -> ET.Element:
    """The element at a path, made if it is not there."""
    found = root.find(tag)
    return found if found is not None else ET.SubElement(root, tag)


def hostdev(random: Random, root: ET.Element) -> ET.Element:
    """One of the assigned devices."""
    return random.choice(root.findall("devices/hostdev"))


def near(random: Random, text: str) -> str:
    """A slip of the hand."""
    return random.choice([flip_byte, delete_byte])(random, text)
