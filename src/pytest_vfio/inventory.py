"""The inventory: hosts, how they are reached, what each is meant for, and waivers.

Reads TOML into frozen values and refuses what it does not understand, with the key and the nearest
valid one. Section 5 of the design is the contract. Does not look at any host.
"""

from __future__ import annotations

import difflib
import re
import tomllib
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from types import MappingProxyType

import msgspec

from pytest_vfio.declared import Declared, Waiver, WantedDevice, WantedGuest
from pytest_vfio.mistakes import Mistake
from pytest_vfio.parse import pciaddress

_ID = re.compile(r"[0-9a-f]{4}:[0-9a-f]{4}")
_NETDEV = re.compile(r"[^\s/:]{1,15}")


#: The group that every host of an inventory is in.
ALL = "all"


class InventoryError(Mistake):
    """The inventory cannot be used: the file, the key, what is wrong, and what would be right."""


class Host(msgspec.Struct, frozen=True):
    """One named host: a testinfra spec or an OpenSSH name, or else a bundle, and its intent."""

    name: str
    connection: str | None
    bundle: Path | None
    declared: Declared


class Inventory(msgspec.Struct, frozen=True):
    """All hosts by name, and the waivers. `file` is where they come from, None if from nowhere.

    `groups` are the hosts of each group; `all` are those of the file.
    """

    hosts: Mapping[str, Host] = msgspec.field(default_factory=lambda: MappingProxyType({}))
    waivers: tuple[Waiver, ...] = ()
    file: Path | None = None
    groups: Mapping[str, tuple[str, ...]] = msgspec.field(
        default_factory=lambda: MappingProxyType({})
    )

    def declared(self, name: str) -> Declared:
        """What is declared of a host; nothing for one that is not named."""
        host = self.hosts.get(name)
        return host.declared if host is not None else Declared()

    def over(self, shipped: Inventory) -> Inventory:
        """This inventory, and those hosts of the shipped one that it does not name itself.

        The shipped one's groups are not taken: `all` are one's own.
        """
        hosts = MappingProxyType({**shipped.hosts, **self.hosts})
        return Inventory(hosts, self.waivers, self.file, self.groups)


class _Host(msgspec.Struct, forbid_unknown_fields=True, frozen=True):
    connection: str | None = None
    bundle: str | None = None
    devices: list[str | WantedDevice] | None = None
    protected: list[str] | None = None
    guests: dict[str, WantedGuest] | None = None


class _Group(_Host, frozen=True):
    hosts: list[str] = []


class _File(msgspec.Struct, forbid_unknown_fields=True, frozen=True):
    hosts: dict[str, _Host] = {}
    groups: dict[str, _Group] = {}
    waivers: list[Waiver] = []


#: The keys that are valid at the end of a path such as `$.hosts.bmt`, by its shape.
_KEYS = (
    (re.compile(r"\$"), _File),
    (re.compile(r"\$\.hosts\[.*\]\.devices\[.*\]|\$\.groups\[.*\]\.devices\[.*\]"), WantedDevice),
    (re.compile(r"\$\.(hosts|groups)\[.*\]\.guests\[.*\]"), WantedGuest),
    (re.compile(r"\$\.hosts\[.*\]"), _Host),
    (re.compile(r"\$\.groups\[.*\]"), _Group),
    (re.compile(r"\$\.waivers\[.*\]"), Waiver),
)


def load(file: Path) -> Inventory:
    """Read an inventory file. Raises InventoryError."""
    try:
        text = file.read_bytes().decode()
        raw = tomllib.loads(text)
    except OSError as error:
        raise InventoryError(f"{file}: {error.strerror}") from error
    except UnicodeDecodeError as error:
        raise InventoryError(f"{file}: not UTF-8 at byte {error.start}") from error
    except tomllib.TOMLDecodeError as error:
        raise InventoryError(f"{file}: not TOML: {error}") from error
    _refuse_unknown_keys(file, raw)
    try:
        parsed = msgspec.convert(raw, _File)
    except msgspec.ValidationError as error:
        raise InventoryError(f"{file}: {error}") from error
    return _Reader(file).inventory(parsed)


class _Reader:
    """Turns the parsed file into values, naming file and key where it cannot."""

    def __init__(self, file: Path) -> None:
        self.file = file

    def fail(self, where: str, what: str) -> InventoryError:
        return InventoryError(f"{self.file}: {where}: {what}")

    def inventory(self, parsed: _File) -> Inventory:
        for name, group in parsed.groups.items():
            if name == ALL:
                raise self.fail(f"groups.{name}", "is the name of all hosts of the inventory")
            if name in parsed.hosts:
                raise self.fail(f"groups.{name}", "is the name of a host")
            for host in group.hosts:
                if host not in parsed.hosts:
                    what = f"no such host: {host!r}{nearest(host, parsed.hosts)}"
                    raise self.fail(f"groups.{name}.hosts", what)
        hosts = {name: self.host(name, host, parsed) for name, host in parsed.hosts.items()}
        groups = {name: tuple(group.hosts) for name, group in parsed.groups.items()}
        return Inventory(
            MappingProxyType(hosts),
            tuple(parsed.waivers),
            self.file,
            MappingProxyType({**groups, ALL: tuple(hosts)}),
        )

    def host(self, name: str, host: _Host, parsed: _File) -> Host:
        layers = [host, *(group for group in parsed.groups.values() if name in group.hosts)]
        connection = next((one.connection for one in layers if one.connection is not None), None)
        bundle = next((one.bundle for one in layers if one.bundle is not None), None)
        where = f"hosts.{name}"
        if name == ALL:
            raise self.fail(where, "is the name of all hosts of the inventory")
        if not name or name.startswith("-") or "," in name or not name.isprintable():
            raise self.fail(where, "a host's name is printable, has no comma and no leading dash")
        if host.connection is not None or host.bundle is not None:
            connection, bundle = host.connection, host.bundle
        if connection is not None and bundle is not None:
            raise self.fail(where, "connection and bundle exclude each other: keep one")
        devices = next((one.devices for one in layers if one.devices is not None), None)
        guests = next((one.guests for one in layers if one.guests is not None), None) or {}
        protected = next((one.protected for one in layers if one.protected is not None), None) or []
        declared = Declared(
            None
            if devices is None
            else tuple(self.device(f"{where}.devices", entry) for entry in devices),
            MappingProxyType(
                {
                    guest: WantedGuest(self.addresses(f"{where}.guests.{guest}", g.hostdevs))
                    for guest, g in guests.items()
                }
            ),
            self.addresses(f"{where}.protected", protected),
        )
        path = None if bundle is None else self.file.parent / bundle
        return Host(name, connection, path, declared)

    def addresses(self, where: str, texts: Iterable[str]) -> tuple[str, ...]:
        return tuple(self.address(where, text) for text in texts)

    def address(self, where: str, text: str) -> str:
        address = pciaddress.address(text)
        if address is None:
            raise self.fail(where, f"{text!r} is not a PCI address such as '0000:12:00.0'")
        return address

    def device(self, where: str, entry: str | WantedDevice) -> WantedDevice:
        if isinstance(entry, str):
            return self.short(where, entry)
        if entry.address is None and entry.id is None and entry.netdev is None:
            raise self.fail(where, "an entry needs an address, an id or a netdev")
        for key in ("id", "subsystem"):
            text = getattr(entry, key)
            if text is not None and not _ID.fullmatch(text.lower()):
                raise self.fail(f"{where}.{key}", f"{text!r} is not an id such as '8086:1572'")
        if entry.vfs is not None and entry.vfs < 0:
            raise self.fail(f"{where}.vfs", f"{entry.vfs} is less than 0")
        return WantedDevice(
            address=None if entry.address is None else self.address(where, entry.address),
            id=entry.id and entry.id.lower(),
            netdev=entry.netdev,
            subsystem=entry.subsystem and entry.subsystem.lower(),
            serial=entry.serial and entry.serial.lower(),
            mac=entry.mac and entry.mac.lower(),
            vfs=entry.vfs,
            managed=entry.managed,
        )

    def short(self, where: str, text: str) -> WantedDevice:
        found = wanted_device(text)
        if found is None:
            raise self.fail(where, f"{text!r} {_NO_DEVICE}")
        return found


_NO_DEVICE = "is no address ('0000:12:00.0'), no id ('8086:1572') and no interface ('eth2')"


def wanted_device(text: str) -> WantedDevice | None:
    """A device given as one word: an address, an id, or a network interface's name."""
    address = pciaddress.address(text)
    if address is not None:
        return WantedDevice(address=address)
    if _ID.fullmatch(text.lower()):
        return WantedDevice(id=text.lower())
    return WantedDevice(netdev=text) if _NETDEV.fullmatch(text) else None


def option_devices(texts: Iterable[str]) -> tuple[WantedDevice, ...]:
    """The devices that `--device` names. Raises InventoryError."""
    found = []
    for text in texts:
        device = wanted_device(text)
        if device is None:
            raise InventoryError(f"--device {text!r} {_NO_DEVICE}")
        found.append(device)
    return tuple(found)


def must_know_checks(inventory: Inventory, known: Iterable[str]) -> None:
    """Raises InventoryError where a waiver names a check that does not exist."""
    ids = set(known)
    for number, waiver in enumerate(inventory.waivers):
        if waiver.check not in ids:
            raise InventoryError(
                f"{inventory.file}: waivers[{number}].check: no such check: "
                f"{waiver.check!r}{nearest(waiver.check, ids)}"
            )


def nearest(given: str, known: Iterable[str]) -> str:
    """`; did you mean 'x'?`, or what there is, where that is few enough to be read."""
    names = sorted(known)
    close = difflib.get_close_matches(given, names, n=1)
    if close:
        return f"; did you mean {close[0]!r}?"
    return f"; known: {', '.join(names)}" if 0 < len(names) <= 12 else ""


def _refuse_unknown_keys(file: Path, raw: object) -> None:
    for path, keys in _tables(raw, "$"):
        struct = next((s for shape, s in _KEYS if shape.fullmatch(path)), None)
        known = struct.__struct_fields__ if struct is not None else tuple(keys)
        for key in keys:
            if key not in known:
                where = re.sub(r"\[([^\]\d][^\]]*)\]", r".\1", path.removeprefix("$").lstrip("."))
                place = f"{where}: " if where else ""
                raise InventoryError(f"{file}: {place}unknown key {key!r}{nearest(key, known)}")


def _tables(value: object, path: str) -> Iterator[tuple[str, Iterable[str]]]:
    """Every table of the file with its path: names of the user's choice in brackets."""
    if isinstance(value, list):
        for number, entry in enumerate(value):
            yield from _tables(entry, f"{path}[{number}]")
    elif isinstance(value, dict):
        named = re.fullmatch(r"\$\.(hosts|groups)|\$\.(hosts|groups)\[.*\]\.guests", path)
        if not named:
            yield path, value
        for key, entry in value.items():
            yield from _tables(entry, f"{path}[{key}]" if named else f"{path}.{key}")
