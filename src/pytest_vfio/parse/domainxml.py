"""One `<domain>` document: what a guest is made of, as far as passthrough depends on it.

Follows libvirt's "Domain XML format". Sizes are KiB. Says nothing of whether the document is the
running guest's or the one for its next start, save by `id`: only a running guest's has one.
"""

from __future__ import annotations

import re
from collections.abc import Mapping

import msgspec

from pytest_vfio.evidence import Item, Quote
from pytest_vfio.parse import claims, hostdevs
from pytest_vfio.parse.claims import Claim
from pytest_vfio.parse.hostdevs import GuestAddress, Hostdev
from pytest_vfio.parse.nodedevs import number
from pytest_vfio.parse.xmltext import Element

# virScaleInteger(): a lone letter or KiB counts in 1024, KB in 1000.
_UNITS = {"b": 1, "bytes": 1}
for _power, _letter in enumerate("kmgtpe", start=1):
    _UNITS[_letter] = _UNITS[f"{_letter}ib"] = 1024**_power
    _UNITS[f"{_letter}b"] = 1000**_power

#: At this many KiB and above a limit counts as none (VIR_DOMAIN_MEMORY_PARAM_UNLIMITED).
UNLIMITED = 9007199254740991


class HugePages(msgspec.Struct, frozen=True):
    """`<page size= nodeset=>`; size in KiB, None for the host's default size."""

    size: int | None
    nodeset: str | None
    quote: Quote


class Viommu(msgspec.Struct, frozen=True):
    """The guest's own IOMMU: `<iommu model='intel'><driver intremap='on' caching_mode='on'/>`."""

    model: str
    driver: Mapping[str, str]
    quote: Quote


class Controller(msgspec.Struct, frozen=True):
    """A PCI controller of the guest; `index` is the bus that it makes, None if libvirt chooses."""

    model: str
    index: int | None
    quote: Quote


class DomainXml(msgspec.Struct, frozen=True):
    """A guest as one document describes it. What the document does not say is None or empty."""

    name: str
    uuid: str | None
    id: int | None
    type: str
    arch: str
    machine: str
    memory: int | None
    current_memory: int | None
    hard_limit: int | None
    locked: bool
    hugepages: tuple[HugePages, ...]
    numatune: tuple[tuple[str, str], ...]
    vcpus: int | None
    vcpupin: Mapping[int, str]
    cpu_mode: str | None
    maxphysaddr: tuple[str, int | None] | None
    efi: bool
    os_boot: bool
    ioapic: str | None
    viommu: Viommu | None
    controllers: tuple[Controller, ...]
    occupied: tuple[GuestAddress, ...]
    networks: tuple[tuple[str, Quote], ...]
    hostdevs: tuple[Hostdev, ...]
    claims: tuple[Claim, ...]
    source: str
    quotes: Mapping[str, Quote]

    def quote(self, field: str) -> Quote:
        """The line of a field; the one that names the guest where the field is not there."""
        return self.quotes.get(field, self.quotes["name"])

    @property
    def q35(self) -> bool:
        """The machine has a PCI Express root."""
        return "q35" in self.machine

    @property
    def i440fx(self) -> bool:
        """The machine has conventional PCI only. `pc` is its alias."""
        return self.machine == "pc" or "i440fx" in self.machine


def scaled(element: Element | None) -> int | None:
    """A size with unit in KiB: `<memory unit='GiB'>8</memory>`; without a unit it is KiB."""
    if element is None or not re.fullmatch(r"[0-9]{1,19}", element.text, re.ASCII):
        return None
    factor = _UNITS.get(element.get("unit", "KiB").lower())
    return None if factor is None else -(-int(element.text) * factor // 1024)


def parse(domain: Element, item: Item) -> DomainXml | None:
    """The guest of a `<domain>` element; None where it has no name."""
    name = domain.first("name")
    if domain.tag != "domain" or name is None or not name.text:
        return None
    kind = domain.first("os", "type")
    cpu = domain.first("cpu")
    bits = domain.first("cpu", "maxphysaddr")
    ioapic = domain.first("features", "ioapic")
    vcpu = domain.first("vcpu")
    lines = {
        "name": name,
        "domain": domain,
        "machine": kind,
        "memory": domain.first("memory"),
        "hard_limit": domain.first("memtune", "hard_limit"),
        "locked": domain.first("memoryBacking", "locked"),
        "cpu": cpu,
        "vcpu": vcpu,
        "ioapic": ioapic,
        "boot": domain.first("os", "boot"),
        "loader": domain.first("os", "loader"),
        "numatune": domain.first("numatune", "memory"),
        "hugepages": domain.first("memoryBacking", "hugepages"),
    }
    return DomainXml(
        name=name.text,
        uuid=domain.at("uuid") or None,
        id=number(domain.get("id")),
        type=domain.get("type"),
        arch="" if kind is None else kind.get("arch"),
        machine="" if kind is None else kind.get("machine"),
        memory=scaled(domain.first("memory")),
        current_memory=scaled(domain.first("currentMemory")),
        hard_limit=_limit(scaled(domain.first("memtune", "hard_limit"))),
        locked=lines["locked"] is not None,
        hugepages=_hugepages(domain, item),
        numatune=tuple(
            (memory.get("mode", "strict"), memory.get("nodeset"))
            for memory in domain.all("numatune", "memory")
        ),
        vcpus=None if vcpu is None else number(vcpu.text),
        vcpupin=_pins(domain),
        cpu_mode=None if cpu is None else cpu.get("mode") or None,
        maxphysaddr=None if bits is None else (bits.get("mode"), number(bits.get("bits"))),
        efi=_efi(domain),
        os_boot=lines["boot"] is not None,
        ioapic=None if ioapic is None else ioapic.get("driver") or None,
        viommu=_viommu(domain, item),
        controllers=tuple(
            Controller(pci.get("model"), number(pci.get("index")), item.quote(pci.line))
            for pci in domain.all("devices", "controller")
            if pci.get("type") == "pci"
        ),
        occupied=_occupied(domain),
        networks=tuple(
            (source.get("network"), item.quote(source.line))
            for interface in domain.all("devices", "interface")
            if interface.get("type") == "network"
            for source in interface.all("source")
        ),
        hostdevs=hostdevs.of(domain, name.text, item),
        claims=claims.of(domain, item),
        source=item.name,
        quotes={field: item.quote(at.line) for field, at in lines.items() if at is not None},
    )


def _limit(value: int | None) -> int | None:
    return None if value is None or value >= UNLIMITED else value


def _hugepages(domain: Element, item: Item) -> tuple[HugePages, ...]:
    backing = domain.first("memoryBacking", "hugepages")
    if backing is None:
        return ()
    pages = tuple(
        HugePages(_page(page), page.get("nodeset") or None, item.quote(page.line))
        for page in backing.all("page")
    )
    return pages or (HugePages(None, None, item.quote(backing.line)),)


def _page(page: Element) -> int | None:
    size = number(page.get("size"))
    factor = _UNITS.get(page.get("unit", "KiB").lower())
    return None if size is None or factor is None else size * factor // 1024


def _pins(domain: Element) -> Mapping[int, str]:
    found = (
        (number(pin.get("vcpu")), pin.get("cpuset")) for pin in domain.all("cputune", "vcpupin")
    )
    return {vcpu: cpus for vcpu, cpus in found if vcpu is not None}


def _efi(domain: Element) -> bool:
    """`<os firmware='efi'>`, or a loader in flash: SeaBIOS is never handed over that way."""
    os = domain.first("os")
    loader = domain.first("os", "loader")
    if os is not None and os.get("firmware") == "efi":
        return True
    return loader is not None and loader.get("type") == "pflash"


def _viommu(domain: Element, item: Item) -> Viommu | None:
    iommu = domain.first("devices", "iommu")
    if iommu is None:
        return None
    driver = iommu.first("driver")
    return Viommu(
        iommu.get("model"), {} if driver is None else driver.attributes, item.quote(iommu.line)
    )


def _occupied(domain: Element) -> tuple[GuestAddress, ...]:
    found = (
        hostdevs.guest_address(address)
        for devices in domain.all("devices")
        for device in devices.children
        for address in device.all("address")
    )
    return tuple(address for address in found if address is not None)
