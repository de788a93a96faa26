"""libvirt's node devices: the PCI functions of the host as libvirt sees them.

Follows libvirt's "Node devices XML format" and `src/conf/node_device_conf.c`: domain, bus, slot and
function of a device are decimal numbers there, while addresses inside `iommuGroup` and
`capability` are attributes, hexadecimal with 0x. `driver` is the driver of the moment and missing
where there is none; `capability type='virt_functions'` has the kernel's `sriov_totalvfs` as
`maxCount`; a missing `numa` means that the kernel says -1.

    <device>
      <name>pci_0000_12_00_0</name>
      <driver><name>vfio-pci</name></driver>
      <capability type='pci'>
        <class>0x020000</class>
        <domain>0</domain> <bus>18</bus> <slot>0</slot> <function>0</function>
        <product id='0x1572'/> <vendor id='0x8086'/>
        <capability type='virt_functions' maxCount='64'/>
        <iommuGroup number='38'>
          <address domain='0x0000' bus='0x12' slot='0x00' function='0x0'/>
        </iommuGroup>
        <numa node='0'/>
        <pci-express>
          <link validity='cap' port='0' speed='8' width='8'/>
          <link validity='sta' speed='8' width='8'/>
        </pci-express>
      </capability>
    </device>
"""

from __future__ import annotations

import re
from collections.abc import Mapping

import msgspec

from pytest_vfio.evidence import Item, Quote
from pytest_vfio.parse import xmltext
from pytest_vfio.parse.xmltext import Element

ITEM = "virsh/nodedev-dumpxml"

# virStrToLong_uip() with base 0: 0x is hexadecimal, a leading 0 octal, anything else decimal.
_NUMBER = re.compile(r"0[xX][0-9a-fA-F]{1,8}|[0-9]{1,10}", re.ASCII)


class Link(msgspec.Struct, frozen=True):
    """A PCI Express link: speed in GT/s, width in lanes; None where not given."""

    speed: float | None
    width: int | None
    quote: Quote


class NodeDevice(msgspec.Struct, frozen=True):
    """One PCI function as libvirt describes it.

    `driver` None means that no driver is bound, `group` None that libvirt saw no IOMMU group,
    `numa` None that the kernel gives no node. `max_vfs` None means no SR-IOV capability known to
    libvirt. `quotes` has the line of each field that was there, by the field's name.
    """

    name: str
    address: str
    path: str
    parent: str | None
    driver: str | None
    class_code: int | None
    vendor: str | None
    device: str | None
    group: int | None
    group_members: tuple[str, ...]
    numa: int | None
    max_vfs: int | None
    vfs: tuple[str, ...]
    physfn: str | None
    link_cap: Link | None
    link_sta: Link | None
    quotes: Mapping[str, Quote]

    def quote(self, field: str) -> Quote:
        """The line of a field; the device's name where the field is not there."""
        return self.quotes.get(field, self.quotes["name"])


class NodeDevices(msgspec.Struct, frozen=True):
    """All node devices of a text, by address, and what of the text could not be read."""

    devices: Mapping[str, NodeDevice]
    broken: tuple[str, ...]


def number(text: str) -> int | None:
    """A number by libvirt's rules: `0x12` is 18, `010` is 8, `10` is 10."""
    text = text.strip()
    if not _NUMBER.fullmatch(text):
        return None
    try:
        if text[:2] in ("0x", "0X"):
            return int(text, 16)
        return int(text, 8 if text.startswith("0") else 10)
    except ValueError:  # 08 and 09
        return None


def address_of(
    domain: int | None, bus: int | None, slot: int | None, function: int | None
) -> str | None:
    """`dddd:bb:dd.f`; None where a part is missing or out of range.

    A bus has 8 bits, a slot 5, a function 3; `src/util/virpci.c` refuses more.
    """
    if domain is None or bus is None or slot is None or function is None:
        return None
    if not (domain <= 0xFFFFFFFF and bus <= 0xFF and slot <= 0x1F and function <= 7):
        return None
    return f"{domain:04x}:{bus:02x}:{slot:02x}.{function:x}"


def attribute_address(element: Element) -> str | None:
    """The address in the attributes of an `<address>`; a missing domain is 0."""
    return address_of(
        number(element.get("domain", "0")),
        number(element.get("bus")),
        number(element.get("slot")),
        number(element.get("function", "0")),
    )


def parse(item: Item) -> NodeDevices:
    """The PCI node devices of an item, whole or not. Never raises."""
    found = xmltext.stream(item.text)
    devices: dict[str, NodeDevice] = {}
    for root in found.documents:
        # A test driver's document and a pasted list have them one level down.
        nodes = (root,) if root.tag == "device" else tuple(root.all("device"))
        for node in nodes:
            device = _device(node, item)
            if device is not None:
                devices.setdefault(device.address, device)
    return NodeDevices(devices, found.broken)


def _device(node: Element, item: Item) -> NodeDevice | None:
    pci = next((cap for cap in node.all("capability") if cap.get("type") == "pci"), None)
    if pci is None:
        return None
    address = address_of(*(number(pci.at(part)) for part in ("domain", "bus", "slot", "function")))
    name = node.first("name")
    if address is None or name is None:
        return None
    by_type = {cap.get("type"): cap for cap in pci.all("capability")}
    physfn, virtual = by_type.get("phys_function"), by_type.get("virt_functions")
    links = {link.get("validity"): link for link in pci.all("pci-express", "link")}
    group = pci.first("iommuGroup")
    lines = {
        "name": name,
        "driver": node.first("driver", "name"),
        "class": pci.first("class"),
        "vendor": pci.first("vendor"),
        "device": pci.first("product"),
        "group": group,
        "numa": pci.first("numa"),
        "max_vfs": virtual,
        "physfn": physfn,
        "parent": node.first("parent"),
    }
    return NodeDevice(
        name=name.text,
        address=address,
        path=node.at("path"),
        parent=node.at("parent") or None,
        driver=node.at("driver", "name") or None,
        class_code=number(pci.at("class")),
        vendor=_id(pci.first("vendor")),
        device=_id(pci.first("product")),
        group=None if group is None else number(group.get("number")),
        group_members=_addresses(group),
        numa=_numa(pci),
        max_vfs=None if virtual is None else number(virtual.get("maxCount")),
        vfs=_addresses(virtual),
        physfn=next(iter(_addresses(physfn)), None),
        link_cap=_link(links.get("cap"), item),
        link_sta=_link(links.get("sta"), item),
        quotes={field: item.quote(at.line) for field, at in lines.items() if at is not None},
    )


def _addresses(element: Element | None) -> tuple[str, ...]:
    if element is None:
        return ()
    found = (attribute_address(child) for child in element.all("address"))
    return tuple(address for address in found if address is not None)


def _id(element: Element | None) -> str | None:
    """Four hex digits of `<product id='0x1572'>`."""
    value = None if element is None else number(element.get("id"))
    return None if value is None or value > 0xFFFF else f"{value:04x}"


def _numa(pci: Element) -> int | None:
    node = pci.first("numa")
    return None if node is None else number(node.get("node"))


def _link(link: Element | None, item: Item) -> Link | None:
    if link is None:
        return None
    speed = link.get("speed")
    known = re.fullmatch(r"[0-9]{1,4}(\.[0-9]{1,3})?", speed, re.ASCII)
    return Link(float(speed) if known else None, number(link.get("width")), item.quote(link.line))
