"""The words that a right cause would hold: what differs between two texts.

A cause is right if it names what was edited: a value, old or new, or the element or attribute that it
stands in, where its name is one of its own (``source`` is not).  Of a device any spelling of its address.
"""

import re
import xml.etree.ElementTree as ET
from collections import Counter
from collections.abc import Iterable

GENERIC = frozenset(
    [
        "address",
        "arch",
        "bus",
        "dev",
        "device",
        "devices",
        "dir",
        "disk",
        "domain",
        "driver",
        "file",
        "function",
        "id",
        "key",
        "mode",
        "model",
        "name",
        "none",
        "off",
        "os",
        "path",
        "pci",
        "port",
        "slot",
        "source",
        "start",
        "state",
        "subsystem",
        "target",
        "type",
        "unit",
        "value",
        "virtio",
        "yes",
    ]
)
Leaf = tuple[str, str, str]


def of_xml(before: str, after: str) -> tuple[str, ...]:
    """Words for what differs between two XML texts; of one that is no XML, for its lines."""
    old, new = _leaves(before), _leaves(after)
    if old is None or new is None:
        return of_lines(before, after)
    changed = (old - new) + (new - old)
    words: dict[str, None] = {}
    for path, key, value in changed:
        tags = path.split("/")
        if "hostdev" in tags:
            words.update(dict.fromkeys(("hostdev", *_addresses(before), *_addresses(after))))
        words.update(dict.fromkeys(part for part in (*tags[-2:], key) if _telling(part)))
        words.update(dict.fromkeys([value] if tags[1:] == ["name"] else _values(value)))
    return tuple(words)


def of_lines(before: str, after: str) -> tuple[str, ...]:
    """Words of the lines that are in one text only."""
    old, new = Counter(before.splitlines()), Counter(after.splitlines())
    words: dict[str, None] = {}
    for line in (old - new) + (new - old):
        words.update(dict.fromkeys(_values(line.strip())))
        words.update(dict.fromkeys(p for p in re.findall(r"[\w.:/=-]{4,}", line) if _telling(p)))
    return tuple(words)


def holds(text: str, names: Iterable[str]) -> bool:
    """Whether a text holds one of the words, not as a part of a longer one."""
    return any(re.search(rf"(?<![\w]){re.escape(name)}(?![\w])", text, re.I) for name in names)


def _leaves(text: str) -> Counter[Leaf] | None:
    try:
        root = ET.fromstring(text)
    except ET.ParseError:
        return None
    leaves: Counter[Leaf] = Counter()
    pending = [(root, root.tag)]
    while pending:
        node, path = pending.pop()
        leaves[path, "", (node.text or "").strip()] += 1
        leaves.update((path, key, value) for key, value in node.attrib.items())
        pending += [(child, f"{path}/{child.tag.rpartition('}')[2]}") for child in node]
    return leaves


def _telling(word: str) -> bool:
    return len(word) >= 3 and word.lower() not in GENERIC and not word.startswith("0x")


def _values(text: str) -> list[str]:
    """A value as it is, if it is not one that stands anywhere; of a path, its last part too."""
    whole = text.strip()
    return [part for part in (whole, whole.rpartition("/")[2]) if _telling(part)]


def _addresses(text: str) -> list[str]:
    """The PCI addresses that the hostdevs of a text name, as Linux writes them."""
    try:
        root = ET.fromstring(text)
    except ET.ParseError:
        return []
    found = []
    for node in root.iterfind(".//hostdev/source/address"):
        parts = [_number(node.get(key)) for key in ("domain", "bus", "slot", "function")]
        found.append("{:04x}:{:02x}:{:02x}.{:x}".format(*parts))
    return found


def _number(text: str | None) -> int:
    try:
        return int(text or "0", 0)
    except ValueError:
        return 0
