"""Block devices: partitions, device mapper, RAID and multipath, down to PCI functions.

Sources: the tree `sys/class/block` (links, `slaves`, `dm/uuid`, `dev`; kernel:
`Documentation/ABI/testing/sysfs-block`, `sysfs-block-dm`), and `lsblk` JSON for what only the
disks themselves tell (file system type, label, UUID). Knows nothing of what is mounted.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping
from functools import cached_property
from typing import Any

import msgspec

from pytest_vfio.evidence import Evidence, Lack, Missing, Status, Tree
from pytest_vfio.facts.host.carrier import descend, functions_in
from pytest_vfio.facts.tristate import require

#: Block devices of these names hold nothing of the host below them: memory, or a file or a pool
#: that is judged by its own mount.
_SELF_CONTAINED = re.compile(r"(?:loop|ram|zram|zd|fd|sr|pmem|dasd)\d+(?:p\d+)?|pmem\d+s(?:\.\d+)?")
_NVME_HEAD = re.compile(r"nvme(\d+)n(\d+)")
_NVME_PATH = re.compile(r"nvme(\d+)c\d+n(\d+)")
_DM_LAYERS = (
    ("CRYPT-LUKS", "LUKS"),
    ("CRYPT-", "dm-crypt"),
    ("LVM-", "LVM"),
    ("mpath-", "multipath"),
)


class Label(msgspec.Struct, frozen=True):
    """What `lsblk` says of one device: file system type, label, UUID, mount points."""

    name: str
    fstype: str = ""
    label: str = ""
    uuid: str = ""
    partuuid: str = ""
    partlabel: str = ""


class Blocks:
    """The block devices of one host and what each stands on."""

    def __init__(self, evidence: Evidence) -> None:
        self._item = evidence.item("sys/class/block")
        self.labelled = evidence.item("lsblk")

    @property
    def lacking(self) -> tuple[Lack, ...]:
        """The tree, unless it was read to its end; a host without one has no block devices."""
        return self._item.lacking

    @cached_property
    def names(self) -> tuple[str, ...]:
        """The block devices that were seen (`sda`, `sda3`, `dm-0`)."""
        return tuple(name for name in self._tree.links if "/" not in name)

    def by_number(self, number: str) -> str | None:
        """The device with this `major:minor`."""
        return self._numbers.get(number)

    def by_source(self, source: str) -> str | None:
        """The device that `/dev/...`, `UUID=`, `LABEL=`, `PARTUUID=` or `PARTLABEL=` names."""
        key, mark, value = source.partition("=")
        if mark:
            field = key.lower()
            found = [
                label.name for label in self.labels if _matches(label, field, value.strip('"'))
            ]
            return found[0] if found else None
        path = source.removeprefix("/dev/mapper/")
        if path != source:
            return self._mapped.get(path)
        name = source.removeprefix("/dev/").replace("/", "!")
        return name if name in self._tree.links else None

    def way_down(self, name: str) -> Mapping[str, tuple[str, ...]]:
        """Every device at or below `name` with the way up from it: `sda3`, `LUKS`, `LVM`."""
        ways = descend((name,), self._below)
        return {low: self._words(way) for low, way in ways.items()}

    def functions(self, name: str) -> tuple[str, ...]:
        """The PCI functions that a device itself stands on, by its sysfs path."""
        return functions_in(self._tree.links.get(name, ""))

    def on(self, function: str) -> tuple[str, ...]:
        """The block devices that are known to stand on a function by their own path."""
        return tuple(self._on.get(function, ()))

    @cached_property
    def _on(self) -> Mapping[str, list[str]]:
        found: dict[str, list[str]] = {}
        for name in self.names:
            for function in self.functions(name):
                found.setdefault(function, []).append(name)
        return found

    def holders(self, name: str) -> tuple[str, ...]:
        """The devices that stand directly on one (`dm-0` on `sda3`)."""
        return self._holders.get(name, ())

    def title(self, name: str) -> str:
        """How people call a device: `LVM vg0-root` for `dm-0`."""
        called = self._tree.values.get(f"{name}/dm/name", "").strip()
        layer = self._layer(name)
        return layer if not called or called == layer else f"{layer} {called}"

    def network(self, name: str) -> str | None:
        """How a device comes over the network (`iSCSI session1`), None where it does not."""
        path = self._tree.links.get(name, "")
        session = re.search(r"/(session\d{1,9})/target", path)
        if session:
            return f"iSCSI {session[1]}"
        if "/nvme-fabrics/" in path:
            return "NVMe over fabrics"
        return (
            "network block device" if re.fullmatch(r"(?:rbd|nbd|drbd)\d+(?:p\d+)?", name) else None
        )

    def settled(self, name: str) -> bool:
        """It is known what a device itself stands on, be it nothing of PCI."""
        if self.functions(name) or _SELF_CONTAINED.fullmatch(name):
            return True
        path = self._tree.links.get(name, "/devices/virtual/")
        return "/devices/virtual/" not in path and self.network(name) is None

    @cached_property
    def labels(self) -> tuple[Label, ...]:
        """What lsblk shows, as far as it can be parsed."""
        return tuple(_labels(self.labelled.text))

    def members(self, fstype: str, **fields: str) -> tuple[str, ...]:
        """All devices of one file system (`zfs_member` by label). Raises Missing where unknown."""
        require(self.labelled)
        found = [
            label.name
            for label in self.labels
            if label.fstype == fstype and all(_matches(label, *pair) for pair in fields.items())
        ]
        if not found:
            what = " ".join(fields.values())
            raise Missing(Lack("lsblk", Status.FAILED, detail=f"no {fstype} of {what} in it"))
        return tuple(found)

    def filesystem(self, name: str) -> Label | None:
        """What lsblk says of a device."""
        return next((label for label in self.labels if label.name == name), None)

    @cached_property
    def _tree(self) -> Tree:
        return Tree.of(self._item)

    @cached_property
    def _numbers(self) -> Mapping[str, str]:
        return {
            number.strip(): path.removesuffix("/dev")
            for path, number in self._tree.values.items()
            if path.endswith("/dev") and path.count("/") == 1
        }

    @cached_property
    def _mapped(self) -> Mapping[str, str]:
        return {
            name.strip(): path.removesuffix("/dm/name")
            for path, name in self._tree.values.items()
            if path.endswith("/dm/name")
        }

    @cached_property
    def _slaves(self) -> Mapping[str, tuple[str, ...]]:
        found: dict[str, list[str]] = {}
        for path in (*self._tree.values, *self._tree.links):
            name, _, rest = path.partition("/")
            kind, _, other = rest.partition("/")
            if kind == "slaves" and other and "/" not in other:
                found.setdefault(name, []).append(other)
        return {name: tuple(lowers) for name, lowers in found.items()}

    @cached_property
    def _holders(self) -> Mapping[str, tuple[str, ...]]:
        found: dict[str, list[str]] = {}
        for upper, lowers in self._slaves.items():
            for lower in lowers:
                found.setdefault(lower, []).append(upper)
        return {name: tuple(uppers) for name, uppers in found.items()}

    @cached_property
    def _nvme_paths(self) -> Mapping[tuple[str, str], tuple[str, ...]]:
        """Native multipath: `nvme0n1` has no PCI parent, its hidden paths `nvme0c1n1` have."""
        found: dict[tuple[str, str], list[str]] = {}
        for name in self.names:
            match = _NVME_PATH.fullmatch(name)
            if match:
                found.setdefault((match[1], match[2]), []).append(name)
        return {key: tuple(paths) for key, paths in found.items()}

    def _below(self, name: str) -> tuple[str, ...]:
        if name in self._slaves:
            return self._slaves[name]
        path = self._tree.links.get(name, "")
        parent = path.rpartition("/")[0].rpartition("/")[2]
        if parent in self._tree.links and parent != name and not functions_in(path):
            return (parent,)  # a partition of a device that stands on others
        head = _NVME_HEAD.fullmatch(name)
        return (
            self._nvme_paths.get((head[1], head[2]), ()) if head and not functions_in(path) else ()
        )

    def _words(self, way: tuple[str, ...]) -> tuple[str, ...]:
        words = [way[0], *(self._layer(name) for name in way[1:])]
        return tuple(word for at, word in enumerate(words) if at == 0 or word != words[at - 1])

    def _layer(self, name: str) -> str:
        uuid = self._tree.values.get(f"{name}/dm/uuid", "")
        for prefix, word in _DM_LAYERS:
            if uuid.startswith(prefix):
                return word
        if name.startswith("md"):
            return f"RAID {name}"
        return self._tree.values.get(f"{name}/dm/name", "").strip() or name


def _labels(text: str) -> Iterator[Label]:
    try:
        parsed = json.loads(text)
    except (ValueError, RecursionError):
        return
    queue: list[Any] = [parsed.get("blockdevices")] if isinstance(parsed, dict) else []
    for value in queue:
        if isinstance(value, list):
            queue.extend(value)
        elif isinstance(value, dict):
            queue.append(value.get("children"))
            name = _text(value.get("kname")) or _text(value.get("name"))
            if name:
                keys = ("fstype", "label", "uuid", "partuuid", "partlabel")
                yield Label(name.removeprefix("/dev/"), *(_text(value.get(key)) for key in keys))


def _matches(label: Label, field: str, value: str) -> bool:
    return bool(value) and field in Label.__struct_fields__ and getattr(label, field) == value


def _text(value: object) -> str:
    return value if isinstance(value, str) else ""
