"""The IOMMU groups: who is in them, what is reserved in them, and whether VFIO may have them.

Members come from `/sys/kernel/iommu_groups`, from the `iommu_group` link of each function, from
libvirt (which lists all members of a group with each of its node devices) and from pasted
listings. Viability follows the kernel's own rule of the running version (S20):

- up to 5.18, `vfio_dev_viable` (`drivers/vfio/vfio.c`): no driver, a VFIO driver, `pci-stub`, or
  any driver at all where the header type is not 0;
- from 5.19 on, DMA ownership (`drivers/iommu/iommu.c`, `driver_managed_dma`): no driver, a VFIO
  driver, `pci-stub`, or `pcieport`.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from functools import cached_property
from types import MappingProxyType

import msgspec

from pytest_vfio.evidence import Item, Lack, Missing, Quote, Status, Tree
from pytest_vfio.facts.kernel.release import Kernel
from pytest_vfio.facts.pci import listings
from pytest_vfio.facts.pci.functions import Pci, PciFunction, is_vfio_driver
from pytest_vfio.facts.pci.views import SYSFS
from pytest_vfio.facts.tristate import Found, require, search
from pytest_vfio.parse import nodedevs
from pytest_vfio.parse.pciaddress import address, split

ITEM = "sys/kernel/iommu_groups"
NOIOMMU = "vfio-noiommu"

#: The first version that judges a group by DMA ownership.
OWNERSHIP = (5, 19, 0)

_REGION = re.compile(r"0x([0-9a-fA-F]{1,16})\s+0x([0-9a-fA-F]{1,16})\s+([a-z-]{1,40})")


class ReservedRegion(msgspec.Struct, frozen=True):
    """Addresses that mean something else to the members: `direct`, `direct-relaxable`, `msi` ..."""

    start: int
    end: int
    kind: str


class Blocker(msgspec.Struct, frozen=True):
    """A member that keeps VFIO from the group, and the driver that does it."""

    address: str
    driver: str
    quote: Quote


class Group(msgspec.Struct, frozen=True, eq=False):
    """One IOMMU group.

    `members` are the PCI functions that are known to be in it, `others` members that are no PCI
    functions, `unread` the item that would list all of them, None where all are known.
    """

    number: int
    members: tuple[str, ...]
    pci: Pci
    kernel: Kernel
    tree: Tree
    others: tuple[str, ...] = ()
    unread: Item | None = None

    @property
    def whole(self) -> bool:
        """All members are known."""
        return self.unread is None

    @property
    def all_members(self) -> tuple[str, ...]:
        """All members. Raises Missing where there may be more than are known."""
        require(self)
        return self.members

    @property
    def lacking(self) -> tuple[Lack, ...]:
        """What would have to be read to know every member."""
        return () if self.unread is None else (self.unread.lack,)

    @property
    def functions(self) -> tuple[PciFunction, ...]:
        """The known members' functions, those that were seen."""
        known = self.pci.known
        return tuple(known[member] for member in self.members if member in known)

    @property
    def unseen(self) -> tuple[Lack, ...]:
        """The items that would show members, or members' functions, that were not seen."""
        seen = all(member in self.pci.known for member in self.members)
        return (*(() if seen else (self.pci.evidence.item(SYSFS).lack,)), *self.lacking)

    @property
    def type(self) -> str | None:
        """`DMA`, `DMA-FQ`, `identity`, `blocked`; None before 5.11."""
        return self.tree.get(f"{self.number}/type")

    @property
    def name(self) -> str | None:
        """Hardly any group has a name; `vfio-noiommu` is one without an IOMMU (S14)."""
        return self.tree.get(f"{self.number}/name")

    @property
    def reserved_regions(self) -> tuple[ReservedRegion, ...]:
        """What the firmware and the platform keep for themselves; the file is 4.11 and newer."""
        text = self.tree.get(f"{self.number}/reserved_regions")
        if text is None:
            raise Missing(Lack(f"{ITEM}/{self.number}/reserved_regions", Status.ABSENT))
        found = (_REGION.fullmatch(line.strip()) for line in text.split("\n"))
        return tuple(
            ReservedRegion(int(m.group(1), 16), int(m.group(2), 16), m.group(3)) for m in found if m
        )

    @property
    def blockers(self) -> tuple[Blocker, ...]:
        """The members whose driver makes the group not viable, by the running kernel's rule.

        Those that are certain are returned although something else was not read; raises Missing
        only where none is certain and one may be hidden.
        """
        found = self.judged
        if not found.known:
            require(found)
        return found.known

    @property
    def judged(self) -> Found[Blocker]:
        """The blockers that are certain, and what was not read and may hide others."""
        found = search(self.members, self._blocks)
        blockers = map(self._blocker, found.known)
        others = (f"{ITEM}/{self.number}/devices/{other}/driver" for other in self.others)
        unread = (Lack(name, Status.NOT_COLLECTED) for name in others)
        return Found(tuple(blockers), (*found.lacking, *unread, *self.lacking))

    def _blocks(self, member: str) -> bool:
        function = self.pci.known.get(member)
        if function is None:
            raise Missing(self.pci.evidence.item(SYSFS))
        driver = function.driver
        return driver is not None and blocks(function, driver, self.kernel)

    def _blocker(self, member: str) -> Blocker:
        function = self.pci.known[member]
        return Blocker(member, str(function.driver), function.quote("driver"))


def blocks(function: PciFunction, driver: str, kernel: Kernel) -> bool:
    """A member with this driver makes its group not viable.

    The kernel's version matters only for a bridge with a driver of its own; Missing where it does
    and nobody knows the version.
    """
    if is_vfio_driver(driver) or driver == "pci-stub":
        return False
    if function.header_type == 0:
        return True
    if driver == "pcieport":
        return False
    return kernel.version >= OWNERSHIP


class Groups:
    """The groups of a host."""

    def __init__(self, pci: Pci, kernel: Kernel) -> None:
        self._pci, self._kernel, self._evidence = pci, kernel, pci.evidence

    @cached_property
    def tree(self) -> Tree:
        """What was read of `/sys/kernel/iommu_groups`."""
        return Tree.of(self._evidence.item(ITEM))

    @cached_property
    def known(self) -> Mapping[int, Group]:
        """The groups that were seen anywhere, by number."""
        members: dict[int, set[str]] = {}
        others: dict[int, set[str]] = {}
        full: set[int] = set()
        for path in (*self.tree.links, *self.tree.values, *self.tree.unread):
            self._add_path(path, members, others)
        if self._sysfs_whole:
            full.update(members)
        self._add_functions(members, full)
        self._add_nodedevs(members, full)
        listed = self._evidence.item(listings.ITEM)
        for entry in listings.parse(listed.text):
            members.setdefault(entry.group, set()).add(entry.address)
            if listed.whole:
                full.add(entry.group)
        unread = self._evidence.item(ITEM)
        return MappingProxyType(
            {
                number: Group(
                    number,
                    tuple(sorted(members[number], key=split)),
                    self._pci,
                    self._kernel,
                    self.tree,
                    tuple(sorted(others.get(number, ()))),
                    None if number in full else unread,
                )
                for number in sorted(members)
            }
        )

    @property
    def all(self) -> Mapping[int, Group]:
        """All groups, by number. Raises Missing where there may be others."""
        devices = self._evidence.item(SYSFS)
        listed = self._evidence.item(listings.ITEM)
        if not (self._sysfs_whole or (devices.whole and devices.data) or listed.whole):
            raise Missing(self._evidence.item(ITEM))
        return self.known

    def of(self, function: PciFunction) -> Group | None:
        """The group of a function, None where it has none. Raises Missing where nobody tells."""
        number = function.group
        return None if number is None else self.known[number]

    @property
    def _sysfs_whole(self) -> bool:
        return self.tree.item.whole

    @staticmethod
    def _add_path(path: str, members: dict[int, set[str]], others: dict[int, set[str]]) -> None:
        number, _, rest = path.partition("/")
        if not (number.isascii() and number.isdigit() and len(number) < 10):
            return
        ours = members.setdefault(int(number), set())
        kind, _, name = rest.partition("/")
        if kind == "devices" and name:
            where = address(name)
            if where is not None:
                ours.add(where)
            else:
                others.setdefault(int(number), set()).add(name)

    def _add_functions(self, members: dict[int, set[str]], full: set[int]) -> None:
        """From each function's own link; the whole tree of functions has all members."""
        whole = self._evidence.item(SYSFS).whole
        for where, function in self._pci.known.items():
            number = function.group if function.knows("group") else None
            if number is not None:
                members.setdefault(number, set()).add(where)
                if whole:
                    full.add(number)

    def _add_nodedevs(self, members: dict[int, set[str]], full: set[int]) -> None:
        """libvirt lists every member of the group of each node device."""
        for device in nodedevs.parse(self._evidence.item(nodedevs.ITEM)).devices.values():
            if device.group is not None and device.group_members:
                members.setdefault(device.group, set()).update(device.group_members)
                full.add(device.group)
