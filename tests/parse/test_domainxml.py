"""Numbers and sizes of domain XML, against libvirt itself."""

from __future__ import annotations

from contextlib import contextmanager
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pytest_vfio.evidence import Item, Status
from pytest_vfio.hypervisor import guestview
from pytest_vfio.parse import domainxml, xmltext
from pytest_vfio.parse.domainxml import DomainXml
from tests.hosts.guest_xml import domain, hostdev
from tests.hosts.plain import item


def parsed(xml: str) -> DomainXml:
    found = domainxml.parse(xmltext.document(xml), Item("x", Status.PRESENT))
    assert found is not None
    return found


@contextmanager
def printed(folder: Path, xml: str):
    """What libvirt's test driver prints of a domain."""
    libvirt = pytest.importorskip("libvirt")
    file = folder / "node.xml"
    file.write_text(f"<node>{xml}</node>")
    connection = libvirt.openReadOnly(f"test://{file}")
    try:
        (one,) = connection.listAllDomains()
        yield one.XMLDesc(libvirt.VIR_DOMAIN_XML_INACTIVE)
    finally:
        connection.close()


@pytest.mark.parametrize(
    "unit", ["b", "bytes", "KB", "k", "KiB", "MB", "M", "MiB", "GB", "G", "GiB", "T", "TiB"]
)
def test_sizes_are_libvirts(tmp_path, unit):
    """Each unit that libvirt takes means the same to us, rounded up to a KiB."""
    count = 4194305 if unit in ("b", "bytes") else 3001
    memory = f"<memory unit='{unit}'>{count}</memory>"
    xml = domain("a", memory=memory, machine="pc", type="test")
    with printed(tmp_path, xml) as shown:
        assert parsed(shown).memory == parsed(xml).memory


@pytest.mark.parametrize("bus", ["12", "0x12", "012", "0X1f", "0"])
def test_numbers_of_an_address_are_libvirts(tmp_path, bus):
    """0x is hexadecimal, a leading 0 octal, the rest decimal: libvirt prints what we read."""
    xml = domain("a", hostdev("0000:12:01.0").replace("0x12", bus), machine="pc", type="test")
    with printed(tmp_path, xml) as shown:
        (theirs,), (ours,) = parsed(shown).hostdevs, parsed(xml).hostdevs

    assert theirs.address == ours.address
    assert theirs.managed is ours.managed is True


@given(st.text(max_size=20), st.text(max_size=6))
def test_a_size_of_garbage_is_none(text, unit):
    """What is no number with a known unit has no size."""
    element = xmltext.Element("memory", {"unit": unit}, (), text, "")
    size = domainxml.scaled(element)

    assert size is None or size >= 0


@given(st.text(alphabet="[{\"':,}]vfiopc-host=/\\ 0123456789abcdef.", max_size=80))
def test_an_argument_of_garbage_is_no_trouble(value):
    """Property lists and JSON come from a person."""
    escaped = value.replace("&", "").replace("<", "").replace('"', "&quot;").replace("'", "&apos;")
    arguments = f"<q:commandline><q:arg value='{escaped}vfio-pci'/></q:commandline>"

    assert len(parsed(domain("a", body=arguments)).hostdevs) <= 1


@pytest.mark.parametrize(
    "value",
    [
        "vfio-pci,host=0000:12:00.0",
        "vfio-pci-nohotplug,id=x,host=12:00.0,ramfb=on",
        "driver=vfio-pci,host=12:00.0",
        "vfio-pci,sysfsdev=/sys/bus/pci/devices/0000:12:00.0",
        '{"driver": "vfio-pci", "host": "0000:12:00.0"}',
    ],
)
def test_a_raw_device_names_a_function(value):
    """By its address or its folder, as a list or as JSON."""
    escaped = value.replace('"', "&quot;")
    arguments = f"<q:commandline><q:arg value='-device'/><q:arg value='{escaped}'/></q:commandline>"

    assert ["0000:12:00.0"] == [h.address for h in parsed(domain("a", body=arguments)).hostdevs]


@pytest.mark.parametrize(
    "value",
    [
        "device.hostdev0.driver=vfio-pci-nohotplug",
        "driver=vfio-pci,property=x-igd-opregion,value=on",
        "vfio-pci,sysfsdev=/sys/bus/mdev/devices/b1ae8bf6-38b0-4c81-9d44-78ce3f520496,display=on",
        "/dev/vfio-pci",
        "guest=vfio-pci-test,debug-threads=on",
    ],
)
def test_a_raw_argument_that_only_mentions_the_model_takes_no_function(value):
    """A property of a device that libvirt made; a mediated device; a name."""
    arguments = f"<q:commandline><q:arg value='-x'/><q:arg value='{value}'/></q:commandline>"

    assert () == parsed(domain("a", body=arguments)).hostdevs


@given(st.text())
def test_a_guests_list_of_garbage_has_no_wrong_ids(text):
    """Each id has the form of one."""
    assert all(len(one) == 9 for one in guestview.ids(item("guest/a/lspci", text)))


def test_ids_are_the_last_brackets_of_a_line():
    """The class has brackets too, and a name may."""
    text = "05:00.0 Ethernet controller [0200]: Intel X710 [Fortville] [8086:1572] (rev 02)\n\tx\n"

    assert ("8086:1572",) == guestview.ids(item("guest/a/lspci", text))
