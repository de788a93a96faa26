"""What the checks of one host are about: its devices, their groups, its guests, their hostdevs.

Each kind says which subjects are known, and which unread evidence may hide more.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from functools import cached_property
from typing import TypeVar

import msgspec

from pytest_vfio.check import SubjectKind
from pytest_vfio.evidence import Lack, asked
from pytest_vfio.facts.libvirt.guests import Domain
from pytest_vfio.facts.tristate import ask, known
from pytest_vfio.hypervisor.hypervisor import Hypervisor
from pytest_vfio.hypervisor.intent import IntendedDevice
from pytest_vfio.parse.hostdevs import Hostdev

T = TypeVar("T")


class Subject(msgspec.Struct, frozen=True, eq=False):
    """One thing that a check can be about. `value` is what the check function gets.

    `stands_on` names the subjects (kind, name) that it rests on, nearest first, without the host.
    """

    kind: SubjectKind
    name: str
    value: object = None
    stands_on: tuple[tuple[str, str], ...] = ()

    @property
    def key(self) -> tuple[SubjectKind, str]:
        """Kind and name."""
        return self.kind, self.name


class Kind(msgspec.Struct, frozen=True):
    """The subjects of one kind: those that are known, and the items that may hide more."""

    known: tuple[Subject, ...]
    unread: tuple[Lack, ...] = ()


class Subjects:
    """All subjects of one host, by kind."""

    def __init__(self, hypervisor: Hypervisor) -> None:
        self._hypervisor = hypervisor
        self.host = Subject(SubjectKind.HOST, hypervisor.name)

    def of(self, kind: str) -> Kind:
        """The subjects of a kind: host, device, group, guest or hostdev."""
        return self._kinds[kind]

    def get(self, key: tuple[str, str]) -> Subject | None:
        """The subject of a kind and a name, if it is known."""
        return self._by_key.get(key)

    @cached_property
    def _by_key(self) -> Mapping[tuple[str, str], Subject]:
        return {one.key: one for kind in self._kinds.values() for one in kind.known}

    @cached_property
    def _kinds(self) -> Mapping[str, Kind]:
        return {
            "host": Kind((self.host,)),
            "device": self._devices(),
            "group": self._groups(),
            "guest": self._guests(),
            "hostdev": self._hostdevs(),
        }

    def _devices(self) -> Kind:
        intent = self._hypervisor.intent
        known = [
            Subject(SubjectKind.DEVICE, device.name, device, tuple(self._group_key(device)))
            for device in intent.known
            if device.name not in self._folded
        ]
        return Kind(tuple(known), intent.lacking)

    def _groups(self) -> Kind:
        unread = dict.fromkeys(self._hypervisor.intent.lacking)
        numbers: set[int] = set()
        for device in self._hypervisor.intent.known:
            number, lacking = ask(_group, device)
            unread.update(dict.fromkeys(lacking))
            if number is not None and device.name not in self._folded:
                numbers.add(number)
        groups = self._hypervisor.groups.known
        known = (Subject(SubjectKind.GROUP, str(n), groups[n]) for n in sorted(numbers))
        return Kind(tuple(known), asked(unread))

    def _guests(self) -> Kind:
        known = tuple(Subject(SubjectKind.GUEST, domain.name, domain) for domain in self._domains)
        return Kind(known, asked(self._hypervisor.guests.lacking))

    def _hostdevs(self) -> Kind:
        known = [
            Subject(SubjectKind.HOSTDEV, hostdev.name, hostdev, self._below(hostdev))
            for domain in self._domains
            for hostdev in domain.hostdevs
        ]
        unique = {subject.name: subject for subject in reversed(known)}
        return Kind(tuple(reversed(unique.values())), asked(self._hypervisor.guests.lacking))

    @cached_property
    def _domains(self) -> tuple[Domain, ...]:
        """The guests that have, or should have, a device of the host."""
        wanted = set(self._hypervisor.declared.guests)
        return tuple(
            domain
            for domain in self._hypervisor.guests.known
            if domain.hostdevs or domain.name in wanted
        )

    def _below(self, hostdev: Hostdev) -> tuple[tuple[str, str], ...]:
        below: list[tuple[str, str]] = [("guest", hostdev.guest)]
        device = self._device_of(hostdev.address) if hostdev.address else None
        if device is not None:
            name = self._folded.get(device.name, device.name)
            below = [("device", name), *below, *self._group_key(device)]
        return tuple(below)

    def _device_of(self, address: str) -> IntendedDevice | None:
        """The device at an address; where nothing is, the PF of which it would be a VF."""
        intent, pci = self._hypervisor.intent, self._hypervisor.pci
        if intent.get(address) or address in pci.known:
            return intent.get(address)
        for device in intent.known:
            if not device.keeps_host_driver:
                continue
            places = known(_vf_places, device)
            if places and address in places:
                return device
        return None

    def _group_key(self, device: IntendedDevice) -> Iterable[tuple[str, str]]:
        number = known(_group, device)
        return () if number is None else (("group", str(number)),)

    def stand_in(self, name: str) -> str:
        """The device that is judged in a device's place: itself, or the VF it is folded into."""
        return self._folded.get(name, name)

    @cached_property
    def _folded(self) -> Mapping[str, str]:
        """VFs of one PF that are alike, each with the first of them, which stands for all."""
        first: dict[object, str] = {}
        folded: dict[str, str] = {}
        for device in self._hypervisor.intent.known:
            likeness = known(_likeness, device)
            if likeness is not None:
                stand_in = first.setdefault(likeness, device.name)
                if stand_in != device.name:
                    folded[device.name] = stand_in
        return folded


def _likeness(device: IntendedDevice) -> object | None:
    """What two VFs must share to be judged as one; None for what is no VF."""
    function = device.function
    if function.physfn is None:
        return None
    return (
        function.physfn,
        device.pci.likeness(function),
        device.intent_from,
        device.guests,
        device.managed,
        device.wanted,
    )


def _group(device: IntendedDevice) -> int | None:
    return device.function.group


def _vf_places(device: IntendedDevice) -> tuple[str, ...]:
    return device.function.vf_places
