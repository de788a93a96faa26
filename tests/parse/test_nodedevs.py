"""libvirt's node devices."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pytest_vfio.evidence import Item, Status
from pytest_vfio.parse import nodedevs
from tests.hosts import guest_xml as guestxml

FULL = """\
<device>
  <name>pci_0000_12_00_0</name>
  <path>/sys/devices/pci0000:11/0000:11:00.0/0000:12:00.0</path>
  <parent>pci_0000_11_00_0</parent>
  <driver>
    <name>i40e</name>
  </driver>
  <capability type='pci'>
    <class>0x020000</class>
    <domain>0</domain>
    <bus>18</bus>
    <slot>2</slot>
    <function>1</function>
    <product id='0x1572'>Ethernet Controller X710 for 10GbE SFP+</product>
    <vendor id='0x8086'>Intel Corporation</vendor>
    <capability type='phys_function'>
      <address domain='0x0000' bus='0x12' slot='0x00' function='0x0'/>
    </capability>
    <capability type='virt_functions' maxCount='64'>
      <address domain='0x0000' bus='0x12' slot='0x0a' function='0x0'/>
    </capability>
    <capability type='vpd'><name>x</name></capability>
    <iommuGroup number='38'>
      <address domain='0x0000' bus='0x12' slot='0x02' function='0x1'/>
    </iommuGroup>
    <numa node='1'/>
    <pci-express>
      <link validity='cap' port='0' speed='8' width='8'/>
      <link validity='sta' speed='2.5' width='4'/>
    </pci-express>
  </capability>
</device>
"""


def parse(text: str) -> nodedevs.NodeDevices:
    return nodedevs.parse(Item(nodedevs.ITEM, Status.PRESENT, text.encode()))


def test_every_field_is_read():
    """The parts of an address are decimal in a node device."""
    (device,) = parse(FULL).devices.values()

    assert "0000:12:02.1" == device.address
    assert ("8086", "1572", 0x020000) == (device.vendor, device.device, device.class_code)
    assert ("i40e", 38, 1) == (device.driver, device.group, device.numa)
    assert (64, ("0000:12:0a.0",), "0000:12:00.0") == (device.max_vfs, device.vfs, device.physfn)
    assert ("0000:12:02.1",) == device.group_members
    assert (8.0, 8) == (device.link_cap.speed, device.link_cap.width)
    assert (2.5, 4) == (device.link_sta.speed, device.link_sta.width)
    assert "<name>i40e</name>" == device.quote("driver").line


def test_what_is_not_there_is_none():
    """No driver, no group and no node are knowledge, not errors."""
    text = guestxml.nodedev("0000:12:00.0", driver=None).replace("<iommuGroup number='1'>", "<x>")
    (device,) = parse(text.replace("</iommuGroup>", "</x>")).devices.values()

    assert (None, None, None, None) == (device.driver, device.group, device.numa, device.max_vfs)
    assert "<name>pci_0000_12_00_0</name>" == device.quote("driver").line


def test_broken_text_is_told():
    """A cut document is left out and named."""
    found = parse(FULL + FULL[:200])

    assert 1 == len(found.devices)
    assert found.broken


@given(st.text())
def test_garbage_is_no_device(text):
    """Whatever stands there, parsing ends with a value."""
    assert isinstance(parse(f"<device>{text}</device>").devices, dict)


@given(st.integers(0, 0xFFFF), st.integers(0, 0xFF), st.integers(0, 0x1F), st.integers(0, 7))
def test_addresses_survive_both_spellings(domain, bus, slot, function):
    """Decimal elements and hexadecimal attributes give the same address."""
    text = f"{domain:04x}:{bus:02x}:{slot:02x}.{function:x}"
    (device,) = parse(guestxml.nodedev(text)).devices.values()

    assert text == device.address


@pytest.mark.parametrize(
    ("text", "value"),
    [("0x12", 18), ("12", 12), ("010", 8), ("08", None), ("-1", None), ("", None), ("1_0", None)],
)
def test_numbers_are_libvirts(text, value):
    """0x is hexadecimal, a leading 0 octal, the rest decimal."""
    assert value == nodedevs.number(text)


def test_the_test_driver_reads_the_same(tmp_path: Path):
    """libvirt itself, given our device, tells of the same address, group and VFs."""
    libvirt = pytest.importorskip("libvirt")
    file = tmp_path / "node.xml"
    network = FULL.replace("<driver>\n    <name>i40e</name>\n  </driver>", "")
    file.write_text(f"<node>\n{network}</node>\n")
    connection = libvirt.openReadOnly(f"test://{file}")
    try:
        printed = "".join(device.XMLDesc() for device in connection.listAllDevices())
    finally:
        connection.close()
    ours = parse(FULL).devices["0000:12:02.1"]
    theirs = parse(printed).devices["0000:12:02.1"]

    assert (ours.group, ours.max_vfs, ours.physfn) == (theirs.group, theirs.max_vfs, theirs.physfn)
    assert ours.link_sta.speed == theirs.link_sta.speed
    assert ours.numa == theirs.numa
