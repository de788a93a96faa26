"""The host's storage: what is mounted or swapped to, and the PCI functions below.

Sources: `proc/self/mountinfo` (Documentation/filesystems/proc.rst, 3.5), `proc/swaps`,
`etc/fstab`, the block devices of `blocks`. As in `network`, `uses` is what was seen and
`lacking` what would have to be read before one may say that there is nothing else.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from functools import cached_property

import msgspec

from pytest_vfio.evidence import Evidence, Item, Lack, Quote, Status
from pytest_vfio.facts.host.blocks import Blocks
from pytest_vfio.facts.host.carrier import Use
from pytest_vfio.facts.host.network import Network, Purpose
from pytest_vfio.facts.tristate import ask

_NETWORK_TYPES = frozenset({"nfs", "nfs4", "cifs", "smb3", "ceph", "fuse.glusterfs", "fuse.sshfs"})
_OCTAL = re.compile(r"\\([0-7]{3})")
_SERVER = re.compile(r"(?:^|,)addr=([^,\s]+)")


class Mount(msgspec.Struct, frozen=True):
    """One mount of the host: where, of what type, from which device."""

    point: str
    type: str
    source: str
    number: str
    options: str
    quote: Quote


class _Resolved(msgspec.Struct):
    """The uses, and an item for each purpose whose disks, or whose cards, are not known."""

    uses: list[Use] = msgspec.field(default_factory=list)
    disks: list[Lack] = msgspec.field(default_factory=list)
    remote: list[Lack] = msgspec.field(default_factory=list)


class Storage:
    """Mounts, swap and the block devices below, of one host."""

    def __init__(self, evidence: Evidence, network: Network | None = None) -> None:
        self._evidence = evidence
        self._network = network if network is not None else Network(evidence)

    @cached_property
    def blocks(self) -> Blocks:
        """The block devices."""
        return Blocks(self._evidence)

    @cached_property
    def mounts(self) -> tuple[Mount, ...]:
        """The mounts that were seen, in the order of mounting."""
        item = self._evidence.item("proc/self/mountinfo")
        parsed = (_mount(item, line) for line in item.lines)
        return tuple(mount for mount in parsed if mount is not None)

    @cached_property
    def uses(self) -> tuple[Use, ...]:
        """What stands on which PCI function, as far as it was seen."""
        return tuple(self._resolved.uses)

    @property
    def lacking(self) -> tuple[Lack, ...]:
        """What was not read, or could not be resolved; empty where `uses` is all that there is."""
        return (*self.unread, *self.unresolved, *self.remote)

    @cached_property
    def unread(self) -> tuple[Lack, ...]:
        """What was not read to its end."""
        mountinfo = self._evidence.item("proc/self/mountinfo")
        swaps, fstab = (self._evidence.item(name) for name in ("proc/swaps", "etc/fstab"))
        return (*swaps.lacking, *fstab.lacking, *mountinfo.unread, *self.blocks.lacking)

    @property
    def unresolved(self) -> tuple[Lack, ...]:
        """An item for each purpose whose disks are not known."""
        return tuple(dict.fromkeys(self._resolved.disks))

    @property
    def remote(self) -> tuple[Lack, ...]:
        """An item for each purpose that comes over the network, nobody knows by which card."""
        return tuple(dict.fromkeys(self._resolved.remote))

    @cached_property
    def _resolved(self) -> _Resolved:
        found = _Resolved()
        for purpose, quote, devices in self._wanted(found.disks):
            for device in devices:
                self._below(device, purpose, quote, found)
        for mount in self.mounts:
            if mount.type in _NETWORK_TYPES:
                found.uses.extend(self._remote(mount, found.remote))
        return found

    def _wanted(self, lost: list[Lack]) -> Iterator[tuple[str, Quote, tuple[str, ...]]]:
        """What the host needs, the line that proves it, and the block devices that hold it."""
        for mount in self.mounts:
            yield mount.point, mount.quote, self._devices(mount, lost)
        for source, quote in self._swaps():
            device = self.blocks.by_source(source)
            if device is None:
                lost.append(_failed("sys/class/block", f"swap is on {source}, which is not in it"))
            else:
                yield "swap", quote, (device,)
        mounted = {mount.point for mount in self.mounts}
        for source, point, quote in self._fstab():
            device = self.blocks.by_source(source)
            if device is not None:
                yield f"{point} (fstab)", quote, (device,)
            elif "=" in source and point not in mounted and not self.blocks.labelled.whole:
                lost.append(_lost(self.blocks.labelled.lack, f"{point} in fstab is on {source}"))
            # what is not there now is not lived on

    def _devices(self, mount: Mount, lost: list[Lack]) -> tuple[str, ...]:
        """The block devices of a mount that are known; `lost` gets an item if there are others."""
        if mount.type == "zfs":
            return self._members(mount, lost, "zfs_member", label=mount.source.partition("/")[0])
        if mount.type == "btrfs":
            return self._btrfs(mount, lost)
        if mount.type == "bcachefs":
            sources = mount.source.split(":")
        elif mount.number.startswith("0:"):
            return ()  # no block device: proc, tmpfs, overlay, a network file system
        else:
            sources = [mount.source]
        device = self.blocks.by_number(mount.number)
        found = (device,) if device else tuple(filter(None, map(self.blocks.by_source, sources)))
        if len(found) < len(sources):
            detail = f"{mount.point} is on {mount.number}, which is not in it"
            lost.append(_failed("sys/class/block", detail))
        return found

    def _btrfs(self, mount: Mount, lost: list[Lack]) -> tuple[str, ...]:
        """All devices of a btrfs: the mount names one, the others have the same UUID."""
        first = self.blocks.by_source(mount.source)
        label = self.blocks.filesystem(first) if first else None
        known = (first,) if first else ()
        if label is None or not label.uuid:
            detail = f"no UUID of {mount.source}, a btrfs at {mount.point}"
            lost.append(_failed("lsblk", detail))
            return known
        return tuple({*known, *self._members(mount, lost, "btrfs", uuid=label.uuid)})

    def _members(
        self, mount: Mount, lost: list[Lack], fstype: str, **fields: str
    ) -> tuple[str, ...]:
        members, lacking = ask(self.blocks.members, fstype, **fields)
        lost.extend(_lost(lack, mount.point) for lack in lacking)
        return members or ()

    def _below(self, device: str, purpose: str, quote: Quote, found: _Resolved) -> None:
        blocks, ways = self.blocks, self.blocks.way_down(device)
        for name, way in ways.items():
            for function in blocks.functions(name):
                found.uses.append(Use("storage", function, purpose, way, quote))
        remote = [name for name in ways if blocks.network(name)]
        if remote or not any(map(blocks.settled, ways)):
            name = remote[0] if remote else device
            how = blocks.network(name) or "no parent"
            lost = found.remote if remote else found.disks
            lost.append(_failed("sys/class/block", f"{purpose} is on {name} ({how})"))

    def _remote(self, mount: Mount, lost: list[Lack]) -> Iterator[Use]:
        """The network functions by which a network file system is reached."""
        server = _SERVER.search(mount.options)
        names = self._network.reaching(server[1]) if server else ()
        if not names:
            detail = f"{mount.point} comes over the network, and no route to it is known"
            lost.append(_failed("ip/route4", detail))
        for name in names:
            purpose = Purpose(name, f"{mount.point} ({mount.type})", mount.quote)
            yield from self._network.below(purpose)

    def _swaps(self) -> Iterator[tuple[str, Quote]]:
        item = self._evidence.item("proc/swaps")
        for line in item.lines:
            words = line.split()
            if len(words) > 1 and words[1] == "partition":
                yield _unescape(words[0]), item.quote(line)

    def _fstab(self) -> Iterator[tuple[str, str, Quote]]:
        item = self._evidence.item("etc/fstab")
        for line in item.lines:
            words = line.split()
            if len(words) < 3 or words[0].startswith("#"):
                continue
            if len(words) > 3 and "noauto" in words[3].split(","):
                continue
            point = "swap" if words[2] == "swap" else _unescape(words[1])
            yield _unescape(words[0]), point, item.quote(line)


def _mount(item: Item, line: str) -> Mount | None:
    """A line of mountinfo, None where it has not the form of one.

    `27 1 254:0 / / rw,relatime shared:1 - ext4 /dev/vda rw,discard`
    """
    left, mark, right = line.partition(" - ")
    words, tail = left.split(" "), right.split(" ")
    if not mark or len(words) < 6 or len(tail) < 2:
        return None
    options = f"{words[5]},{tail[2]}" if len(tail) > 2 else words[5]
    return Mount(
        _unescape(words[4]), tail[0], _unescape(tail[1]), words[2], options, item.quote(line)
    )


def _unescape(text: str) -> str:
    """`\\040` is a blank: the kernel writes blanks, tabs, newlines and backslashes in octal."""
    return _OCTAL.sub(lambda match: chr(int(match[1], 8)), text)


def _lost(lack: Lack, point: str) -> Lack:
    return Lack(lack.name, lack.status, f"{point}: {lack.detail or lack.status.value}", lack.extent)


def _failed(name: str, detail: str) -> Lack:
    return Lack(name, Status.FAILED, detail=detail)
