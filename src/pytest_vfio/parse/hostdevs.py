"""The host PCI functions in one domain's XML: `<hostdev>`, interfaces, and raw QEMU arguments.

Follows "Domain XML format" and `src/conf/domain_conf.c` of libvirt: numbers in `<address>` are
hexadecimal with 0x, else octal or decimal (F145: `bus='12'` is bus 0x0c), `managed` is no unless it
says yes (F142), an interface of type network shows the function that it got as `<actual>` in the
status XML, and as type hostdev in what `virsh dumpxml` prints.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Mapping

import msgspec
from msgspec.structs import replace

from pytest_vfio.evidence import Item, Quote
from pytest_vfio.parse import pciaddress
from pytest_vfio.parse.nodedevs import address_of, attribute_address, number
from pytest_vfio.parse.xmltext import Element

_PARTS = ("domain", "bus", "slot", "function")
#: The models of QEMU that take a PCI function of the host (hw/vfio/pci.c).
_MODELS = frozenset({"vfio-pci", "vfio-pci-nohotplug", "vfio-pci-igd-lpc-bridge"})


class GuestAddress(msgspec.Struct, frozen=True):
    """Where a device sits in the guest: bus is the index of a PCI controller."""

    bus: int
    slot: int
    function: int
    multifunction: bool

    def __str__(self) -> str:
        return f"{self.bus:02x}:{self.slot:02x}.{self.function:x}"


class Hostdev(msgspec.Struct, frozen=True):
    """One host PCI function that one guest names.

    `address` is None where what is written is no address; `raw` is what is written. `kind` is
    hostdev, interface, network (taken from a pool) or commandline. `live`, `stored` and `loose` say
    where it stands: in the XML of the running guest, in the one for its next start, in a file of
    which nobody says which it is. `times` is how often one and the same XML names it. `model` is
    the driver that `<driver model=>` or `<driver name=>` asks for. `as_hex` is another
    address, the one meant if numbers without 0x were taken for hexadecimal (F145).
    """

    guest: str
    address: str | None
    raw: str
    kind: str
    managed: bool
    quote: Quote
    model: str | None = None
    guest_address: GuestAddress | None = None
    boot_order: int | None = None
    rom_file: str | None = None
    mac: str | None = None
    transient: bool = False
    iommufd: bool = False
    as_hex: str | None = None
    times: int = 1
    live: bool = False
    stored: bool = False
    loose: bool = False

    @property
    def name(self) -> str:
        """`guest/address`, the name of the subject."""
        return f"{self.guest}/{self.address or self.raw}"


def of(domain: Element, guest: str, item: Item) -> tuple[Hostdev, ...]:
    """Every host PCI function that a `<domain>` names, in its order."""
    found: list[Hostdev] = []
    for devices in domain.all("devices"):
        for element in devices.children:
            hostdev = _device(element, guest, item)
            if hostdev is not None:
                found.append(hostdev)
    found.extend(_arguments(domain, guest, item))
    return tuple(found)


def merge(
    live: Iterable[Hostdev], stored: Iterable[Hostdev], loose: Iterable[Hostdev]
) -> tuple[Hostdev, ...]:
    """One Hostdev for each function. What it says of itself is taken from the live XML first."""
    merged: dict[str, Hostdev] = {}
    for place, hostdevs in enumerate((live, stored, loose)):
        times: dict[str, int] = {}
        for hostdev in hostdevs:
            name = hostdev.name
            times[name] = times.get(name, 0) + 1
            known = merged.get(name, hostdev)
            merged[name] = replace(
                known,
                times=max(known.times, times[name]),
                live=known.live or place == 0,
                stored=known.stored or place == 1,
                loose=known.loose or place == 2,
            )
    return tuple(merged.values())


def _device(element: Element, guest: str, item: Item) -> Hostdev | None:
    if element.tag == "hostdev" and element.get("type") == "pci":
        return _hostdev(element, element, "hostdev", guest, item)
    if element.tag != "interface":
        return None
    if element.get("type") == "hostdev":
        return _hostdev(element, element, "interface", guest, item)
    actual = element.first("actual")
    if actual is not None and actual.get("type") == "hostdev":
        return _hostdev(element, actual, "network", guest, item)
    return None


def _hostdev(device: Element, holder: Element, kind: str, guest: str, item: Item) -> Hostdev | None:
    source = holder.first("source", "address")
    if source is None:
        source = holder.first("hostdev", "source", "address")  # <actual> of older libvirt
    if source is None or source.get("type", "pci") != "pci":
        return None  # a network device by its `dev`, an mdev: no PCI function is named
    driver = holder.first("driver")
    boot = device.first("boot")
    rom = device.first("rom")
    mac = device.first("mac")
    teaming = device.first("teaming")
    return Hostdev(
        guest=guest,
        address=attribute_address(source),
        raw=" ".join(f"{part}={source.get(part)[:40]}" for part in _PARTS if source.get(part)),
        kind=kind,
        managed=holder.get("managed") == "yes",
        quote=item.quote(source.line),
        model=None if driver is None else (driver.get("model") or driver.get("name") or None),
        guest_address=guest_address(device.first("address")),
        boot_order=None if boot is None else number(boot.get("order")),
        rom_file=None if rom is None else rom.get("file") or None,
        mac=None if mac is None else mac.get("address").lower() or None,
        transient=teaming is not None and teaming.get("type") == "transient",
        iommufd=driver is not None and driver.get("iommufd") == "yes",
        as_hex=_as_hex(source),
    )


def _as_hex(source: Element) -> str | None:
    """`bus='12'` read as 0x12; None where it makes no difference."""
    written = {part: source.get(part, "0").strip() for part in _PARTS}
    numbers = {
        part: number(text if text[:2].lower() == "0x" else f"0x{text}")
        for part, text in written.items()
    }
    found = address_of(*(numbers[part] for part in _PARTS))
    return None if found == attribute_address(source) else found


def guest_address(element: Element | None) -> GuestAddress | None:
    """The `<address type='pci'>` of a device inside the guest; None where libvirt is to choose."""
    if element is None or element.get("type") != "pci":
        return None
    bus, slot = number(element.get("bus", "0")), number(element.get("slot", "0"))
    function = number(element.get("function", "0"))
    if bus is None or slot is None or function is None or bus > 0xFF or slot > 0x1F or function > 7:
        return None
    return GuestAddress(bus, slot, function, element.get("multifunction") == "on")


def _arguments(domain: Element, guest: str, item: Item) -> Iterator[Hostdev]:
    """`-device vfio-pci,host=12:00.0`, by property list or JSON, passed by libvirt (F146).

    `-set device.hostdev0.driver=` makes no device; a mediated one is named by a sysfs path that
    ends in a UUID, and takes no PCI function.
    """
    for element in domain.children:
        if element.local != "commandline":
            continue
        for argument in (child for child in element.children if child.local == "arg"):
            properties = _properties(argument.get("value"))
            where = properties.get("host") or properties.get("sysfsdev", "")
            address = pciaddress.address(where.rstrip("/").rpartition("/")[2])
            if properties.get("driver") not in _MODELS or "property" in properties:
                continue
            if address is None and "/" in where:
                continue
            yield Hostdev(
                guest=guest,
                address=address,
                raw=where[:80] or "vfio-pci",
                kind="commandline",
                managed=False,
                quote=item.quote(argument.line),
            )


def _properties(value: str) -> Mapping[str, str]:
    """What QEMU reads of the argument of -device: a list whose first word is the driver, or JSON."""
    if value.lstrip().startswith("{"):
        try:
            found = json.loads(value)
        except (ValueError, RecursionError):
            return {}
        named = found.items() if isinstance(found, dict) else ()
        return {str(name): str(one) for name, one in named}
    first, *rest = value.split(",")
    pairs = [first if "=" in first else f"driver={first}", *rest]
    return dict(pair.strip().split("=", 1) for pair in pairs if "=" in pair)
