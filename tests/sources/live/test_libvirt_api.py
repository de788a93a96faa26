"""A host that offers libvirt and no shell is read through libvirt's own test driver."""

from __future__ import annotations

import asyncio
import shutil

import pytest

from pytest_vfio.evidence import Evidence, Status
from pytest_vfio.hypervisor.hypervisor import Hypervisor
from pytest_vfio.sources.live import libvirt_api
from pytest_vfio.sources.target import Unreachable, libvirt_target

NODE = """<node>
<domain type='test'><name>it's $(one)</name><memory>65536</memory><os><type>hvm</type></os>
<devices><hostdev mode='subsystem' type='pci' managed='yes'><source>
<address domain='0' bus='18' slot='0' function='1'/></source></hostdev></devices></domain>
<device><name>pci_0000_12_00_1</name><capability type='pci'><domain>0</domain><bus>18</bus>
<slot>0</slot><function>1</function><product id='0x1572'>X710</product>
<vendor id='0x8086'>Intel</vendor><iommuGroup number='39'>
<address domain='0' bus='18' slot='0' function='1'/></iommuGroup></capability></device>
</node>"""


@pytest.fixture
def uri(tmp_path):
    (tmp_path / "node.xml").write_text(NODE)
    return f"test://{tmp_path}/node.xml"


def read(uri):
    return asyncio.run(libvirt_api.read(libvirt_target(uri, "box"), 20))


def hypervisor(items):
    return Hypervisor(Evidence("box", "libvirt", {item.name: item for item in items}))


def test_guests_and_node_devices_come_through_the_binding(uri):
    """Facts read the API's documents as they read what virsh prints."""
    pytest.importorskip("libvirt")
    evidence = read(uri)
    facts = Hypervisor(evidence)

    assert (evidence.source, evidence.live) == ("libvirt", True)
    assert {item.status for item in evidence.items.values()} == {Status.PRESENT}
    assert [(h.name, h.managed) for d in facts.guests.domains for h in d.hostdevs] == [
        ("it's $(one)/0000:12:00.1", True)
    ]
    assert facts.pci.known["0000:12:00.1"].group == 39


@pytest.mark.skipif(shutil.which("virsh") is None, reason="virsh is not installed")
def test_virsh_reads_the_same(uri):
    """Where libvirt-python is missing, `virsh -r` gives the same guests, whatever their names.

    What it refuses (some test drivers cannot list node devices for virsh) is failed, never empty.
    """
    items = asyncio.run(libvirt_api._by_virsh(uri))
    nodes = {item.name: item for item in items}["virsh/nodedev-dumpxml"]
    facts = hypervisor(items)

    assert [h.name for d in facts.guests.domains for h in d.hostdevs] == [
        "it's $(one)/0000:12:00.1"
    ]
    assert nodes.status is Status.FAILED or facts.pci.known["0000:12:00.1"].group == 39


def test_a_refusal_is_told_in_libvirts_words():
    """A URI that does not answer is an unreachable host with a reason."""
    pytest.importorskip("libvirt")
    reading = read("test:///nowhere/at/all.xml")

    assert isinstance(reading, Unreachable)
    assert "/nowhere/at/all.xml" in reading.reason
