"""What a host is meant to pass through: declared in the inventory, or inferred from its traces.

Follows section 5 of the design: the inventory holds; where it is silent, vfio-pci ids (command
line, modprobe.d), driver_override, devices bound to VFIO drivers and the hostdevs of any guest
tell; where no state was read, also what QEMU was given and what messages name. Each intended device
says where the intent comes from.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from functools import cached_property
from typing import TypeVar

import msgspec
from msgspec.structs import replace

from pytest_vfio.declared import Declared, WantedDevice, WantedGuest
from pytest_vfio.evidence import Lack, Missing, Status, asked
from pytest_vfio.facts.drivers.modules import Modules
from pytest_vfio.facts.host.messages import Messages
from pytest_vfio.facts.libvirt.guests import Guests
from pytest_vfio.facts.pci.functions import Pci, PciFunction, is_vfio_driver
from pytest_vfio.facts.tristate import ask
from pytest_vfio.parse.words import fold

T = TypeVar("T")


class IntendedDevice(msgspec.Struct, frozen=True):
    """A PCI function that is meant for guests.

    `address` is None where the inventory wants a device that the host does not show. `guests` are
    all guests that name it, the inventory's first; `guest` is the one that should have it.
    `managed` is what the inventory or the hostdev says, None where nobody says anything.
    """

    name: str
    address: str | None
    intent_from: str
    pci: Pci
    wanted: WantedDevice | None = None
    guests: tuple[str, ...] = ()
    managed: bool | None = None

    @property
    def guest(self) -> str | None:
        """The guest that should have the device."""
        return self.guests[0] if self.guests else None

    @property
    def keeps_host_driver(self) -> bool:
        """Its VFs are for guests, not the function itself: that one stays with the host's driver.

        The driver makes the VFs and is their way to the wire.
        """
        return self.wanted is not None and bool(self.wanted.vfs)

    @property
    def function(self) -> PciFunction:
        """Its facts. Raises Missing where the host does not show the device, or was not read."""
        found = self.pci.get(self.address) if self.address else None
        if found is None:
            raise Missing(Lack(f"sys/bus/pci/devices/{self.name}", Status.ABSENT))
        return found


class Intent:
    """The devices that a host is meant to pass through."""

    def __init__(
        self, declared: Declared, pci: Pci, modules: Modules, guests: Guests, messages: Messages
    ) -> None:
        self._declared = declared
        self._topics = pci, modules, guests, messages

    @property
    def known(self) -> tuple[IntendedDevice, ...]:
        """Those that are known, sorted by address."""
        return self._found[0]

    @property
    def lacking(self) -> tuple[Lack, ...]:
        """What was not read, and for which there may be more; empty where all are known."""
        return self._found[1]

    @property
    def whole(self) -> bool:
        """All intended devices are known."""
        return not self.lacking

    def get(self, address: str) -> IntendedDevice | None:
        """The intended device at an address."""
        return self._by_address.get(address)

    @cached_property
    def _by_address(self) -> Mapping[str | None, IntendedDevice]:
        return {device.address: device for device in self.known}

    @cached_property
    def _found(self) -> tuple[tuple[IntendedDevice, ...], tuple[Lack, ...]]:
        declared, search = self._declared, _Search(*self._topics)
        if declared.devices is None:
            search.infer()
        else:
            for wanted in declared.devices:
                search.declare(wanted, declared.by)
        if declared.survey:
            search.survey()
        for guest in declared.guests.values():
            for address in guest.hostdevs:
                search.add(address, "inventory", WantedDevice(address=address))
        return search.devices(declared.guests), asked(search.unread)


class _Search:
    """Collects intended devices from one host; keeps what could not be asked."""

    def __init__(self, pci: Pci, modules: Modules, guests: Guests, messages: Messages) -> None:
        self.pci, self.modules, self.guests, self.messages = pci, modules, guests, messages
        self.found: dict[str, IntendedDevice] = {}
        self.unread: dict[Lack, None] = {}

    def asked(self, question: Callable[[], T]) -> T | None:
        """The answer, or None after a note of what was not read."""
        answer, lacking = ask(question)
        self.unread.update(dict.fromkeys(lacking))
        return answer

    def functions(self) -> Iterator[PciFunction]:
        """Every known function; a note where there may be others."""
        self.asked(lambda: self.pci.functions)
        yield from self.pci.known.values()

    def add(self, address: str, origin: str, wanted: WantedDevice | None = None) -> None:
        self.found.setdefault(address, IntendedDevice(address, address, origin, self.pci, wanted))

    def survey(self) -> None:
        """Every endpoint, as a managed hostdev of a guest that is yet to be made would have it."""
        for function in self.functions():
            if self.asked(lambda: function.is_endpoint):
                wanted = WantedDevice(address=function.address, managed=True)
                self.add(function.address, "survey", wanted)

    def declare(self, wanted: WantedDevice, by: str) -> None:
        if wanted.address is not None:
            self.add(wanted.address, by, wanted)
            return
        caught = [function for function in self.functions() if self.matches(function, wanted)]
        for function in caught:
            self.add(function.address, by, wanted)
        if not caught and self.pci.whole:
            self.found.setdefault(
                wanted.label,
                IntendedDevice(wanted.label, None, by, self.pci, wanted),
            )

    def matches(self, function: PciFunction, wanted: WantedDevice) -> bool:
        """By id and netdev; subsystem, serial and MAC are identity, which a check compares."""
        if wanted.id is not None and self.asked(lambda: function.id) != wanted.id:
            return False
        return wanted.netdev is None or wanted.netdev in (
            self.asked(lambda: function.netdevs) or ()
        )

    def infer(self) -> None:
        patterns = self.asked(lambda: self.modules.configured_vfio_ids) or ()
        ids_missing = self.modules.configured_ids_missing
        self.unread.update(dict.fromkeys(ids_missing))
        functions = [f for f in self.functions() if self.asked(lambda: f.is_bridge) is not True]
        for origin in ("cmdline", "modprobe"):
            for pattern in patterns:
                if pattern.origin == origin:
                    for function in functions:
                        if self.asked(lambda: pattern.catches(function)):
                            self.add(function.address, origin)
        for function in functions:
            override = self.asked(lambda: function.driver_override) or ""
            if fold(override).endswith("vfio_pci"):  # a misspelt one shows what was meant, too
                self.add(function.address, "override")
        for function in functions:
            if is_vfio_driver(self.asked(lambda: function.driver) or ""):
                self.add(function.address, "bound")
        for address in self.addresses_of_guests():
            self.add(address, "hostdev")
        if self.messages.are_all_there_is:
            self.hear()

    def hear(self) -> None:
        """What QEMU was given, and what known messages name."""
        for address in self.messages.arguments:
            self.add(address, "qemu")
        for address in self.messages.devices:
            self.add(address, "message")

    def addresses_of_guests(self) -> Iterable[str]:
        """What the hostdevs of every known guest name."""
        self.asked(lambda: self.guests.domains)
        hostdevs = [hostdev for domain in self.guests.known for hostdev in domain.hostdevs]
        return [hostdev.address for hostdev in hostdevs if hostdev.address]

    def devices(self, wanted: Mapping[str, WantedGuest]) -> tuple[IntendedDevice, ...]:
        """What was found, with the guests that name each device."""
        named: dict[str, list[str]] = {}
        managed: dict[str, bool] = {}
        for name, guest in wanted.items():
            for address in guest.hostdevs:
                named.setdefault(address, []).append(name)
        domains = sorted(self.guests.known, key=lambda domain: not domain.running)
        for hostdev in (hostdev for domain in domains for hostdev in domain.hostdevs):
            if hostdev.address:
                named.setdefault(hostdev.address, []).append(hostdev.guest)
                managed.setdefault(hostdev.address, hostdev.managed)
        return tuple(
            replace(
                device,
                guests=tuple(dict.fromkeys(named.get(name, ()))),
                managed=self.managed(device.wanted, managed.get(name)),
            )
            for name, device in sorted(self.found.items())
        )

    @staticmethod
    def managed(wanted: WantedDevice | None, hostdev: bool | None) -> bool | None:
        if wanted is not None and wanted.managed is not None:
            return wanted.managed
        return hostdev
