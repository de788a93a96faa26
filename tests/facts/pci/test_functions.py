"""PCI functions, merged from all sources."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pytest_vfio.evidence import Item, Missing, Status
from pytest_vfio.facts.iommu import irqlines
from pytest_vfio.facts.kernel import iomem
from pytest_vfio.facts.pci.functions import Pci, address, is_vfio_driver
from pytest_vfio.parse import pciaddress, pciresource
from tests.hosts.config_space import express, space
from tests.hosts.in_use import function
from tests.hosts.plain import evidence, grepped

NIC = "0000:12:00.0"
TREE = function(
    NIC, driver="i40e", group=38, sriov_totalvfs="64", sriov_numvfs="0", revision="0x02"
)
NODEDEV = """\
<device><name>pci_0000_12_00_0</name>
<path>/sys/devices/pci0000:11/0000:11:00.0/0000:12:00.0</path>
<driver><name>vfio-pci</name></driver>
<capability type='pci'><class>0x020000</class><domain>0</domain><bus>18</bus><slot>0</slot>
<function>0</function><product id='0x1572'/><vendor id='0x8086'/>
<capability type='virt_functions' maxCount='64'/>
<iommuGroup number='39'>
<address domain='0x0000' bus='0x12' slot='0x00' function='0x0'/></iommuGroup>
<pci-express><link validity='cap' port='0' speed='8' width='8'/>
<link validity='sta' speed='2.5' width='4'/></pci-express></capability></device>
"""


def pci(**items: object) -> Pci:
    names = {"sysfs": "sys/bus/pci/devices", "config": "sys/bus/pci/config",
             "nodedev": "virsh/nodedev-dumpxml", "lspci": "lspci"}  # fmt: skip
    return Pci(evidence({names[key]: value for key, value in items.items()}))


@pytest.mark.parametrize(
    ("text", "wanted"),
    [
        ("0000:12:00.0", NIC), ("12:00.0", NIC), ("pci_0000_12_00_0", NIC),
        ("pci-0000:12:00.0", NIC),
        ("AF:1F.7", "0000:af:1f.7"), ("10000:e1:00.0", "10000:e1:00.0"), ("12:00.8", None),
        ("12:20.0", None), ("", None), ("12:00", None), ("pci_0000_12_00", None),
    ],
)  # fmt: skip
def test_addresses_in_every_form(text, wanted):
    """One form comes out of all; a slot has five bits and a function three."""
    assert wanted == address(text)


@given(st.integers(0, 0xFFFFF), st.integers(0, 255), st.integers(0, 31), st.integers(0, 7))
def test_addresses_come_back(domain, bus, slot, part):
    """Numbers to an address and back."""
    where = pciaddress.compose(domain, bus, slot, part)

    assert (domain, bus, slot, part) == pciaddress.split(where)
    assert where == address(where) == address(f"pci_{where.replace(':', '_').replace('.', '_')}")


@given(st.text(max_size=40))
def test_any_text_is_an_address_or_none(text):
    """Whatever is accepted is in its one form."""
    found = address(text)
    assert found is None or found == address(found)


@pytest.mark.parametrize(
    ("driver", "ours"),
    [("vfio-pci", True), ("mlx5_vfio_pci", True), ("nvgrace-gpu-vfio-pci", True), ("i40e", False),
     ("pci-stub", False), ("uio_pci_generic", False), (None, False), ("vfio", False)],
)  # fmt: skip
def test_drivers_that_hand_out_devices(driver, ours):
    """vfio-pci and its variants, and no other stub."""
    assert ours == is_vfio_driver(driver)


def test_sysfs_is_believed_first():
    """State beats what libvirt and lspci printed of it."""
    found = pci(sysfs=TREE, nodedev=NODEDEV, lspci="12:00.0 X: Y\n\tKernel driver in use: e1000e")
    one = found.known[NIC]

    assert ("i40e", 38) == (one.driver, one.group)
    assert "sys/bus/pci/devices/0000:12:00.0/driver" == one.quote("driver").source


def test_a_field_comes_from_whoever_knows_it():
    """What the first source lacks the next one tells."""
    one = pci(sysfs=grepped("sys/bus/pci/devices", TREE), nodedev=NODEDEV).known[NIC]

    assert 8.0 == one.number("max_link_speed")
    assert "virsh/nodedev-dumpxml" == one.quote("max_link_speed").source


def test_a_whole_tree_knows_what_is_absent():
    """No link, no driver: knowledge where the tree was read to its end."""
    one = pci(sysfs=function(NIC, driver=None)).known[NIC]

    assert (None, None, None, None) == (one.driver, one.group, one.physfn, one.totalvfs)


def test_a_cut_tree_knows_nothing_that_is_absent():
    """No link in a tree that was cut is unknown."""
    cut = Item("sys/bus/pci/devices", Status.TRUNCATED, function(NIC, driver=None).encode() + b"\n")
    one = pci(sysfs=cut).known[NIC]

    assert "8086:1572" == one.id
    for name in ("driver", "group", "physfn", "netdevs", "virtfns", "resettable"):
        with pytest.raises(Missing):
            getattr(one, name)


def test_an_unreadable_file_is_not_absent():
    """A file that could not be read is unknown, although the tree is whole."""
    with pytest.raises(Missing):
        _ = pci(sysfs=f"{TREE}\n{NIC}/sriov_drivers_autoprobe!denied").known[NIC].vf_autoprobe


def test_a_node_device_tells_all_of_this():
    """libvirt's view of a PF that is on vfio-pci."""
    one = pci(nodedev=NODEDEV).known[NIC]

    assert ("8086:1572", "vfio-pci", 39, -1) == (one.id, one.driver, one.group, one.numa_node)
    assert (64, 0, (), None) == (one.totalvfs, one.numvfs, one.virtfns, one.physfn)
    assert "0000:11:00.0" == one.parent
    assert (2.5, 4) == (one.number("link_speed"), one.number("link_width"))


def test_a_list_is_whole_or_raises():
    """Which functions there are is only known from a list read to its end."""
    assert [NIC] == list(pci(sysfs=TREE).functions)
    assert [NIC] == list(pci(nodedev=NODEDEV).functions)
    some = pci(lspci=grepped("lspci", "12:00.0 X: Y"))
    assert [NIC] == list(some.known)
    with pytest.raises(Missing):
        _ = some.functions
    with pytest.raises(Missing):
        some.get("0000:00:01.0")


@pytest.mark.parametrize("status", [Status.DENIED, Status.NOT_COLLECTED, Status.FAILED])
def test_nothing_read_is_nothing_known(status):
    """Without any source nothing is known, and nothing is absent."""
    found = pci(sysfs=status)

    assert {} == dict(found.known)
    with pytest.raises(Missing):
        found.get(NIC)


def test_resets_are_the_kernels_business():
    """The hardware's FLR is no answer where the kernel names its own methods (S23)."""
    config = f"{NIC}={space(caps=[express()]).hex()}"
    new = pci(sysfs=f"{TREE}\n{NIC}/reset=\n{NIC}/reset_method=bus", config=config).known[NIC]
    old = pci(sysfs=f"{TREE}\n{NIC}/reset=", config=config).known[NIC]
    none = pci(sysfs=TREE, config=config).known[NIC]
    off = pci(sysfs=f"{TREE}\n{NIC}/reset=\n{NIC}/reset_method=", config=config).known[NIC]

    assert ("bus",) == new.reset_methods
    assert ("flr",) == old.reset_methods
    assert (False, ()) == (none.resettable, none.reset_methods)
    assert (False, ()) == (off.resettable, off.reset_methods)


def test_unset_override():
    """`(null)` and an empty line are no override (S22)."""
    assert pci(sysfs=TREE).known[NIC].driver_override is None
    named = pci(sysfs=TREE.replace("(null)", "vfio-pci")).known[NIC]
    assert "vfio-pci" == named.driver_override


@pytest.mark.parametrize(
    ("text", "speed"), [("8 GT/s", 8.0), ("8.0 GT/s PCIe", 8.0), ("Unknown", 0.0)]
)
def test_link_speeds_by_kernel_version(text, speed):
    """The words changed, the numbers did not (S24)."""
    one = pci(sysfs=f"{TREE}\n{NIC}/current_link_speed={text}").known[NIC]
    assert speed == one.number("link_speed")


def test_children_of_a_function():
    """Interfaces and VFs come from what the function's folder holds."""
    text = (
        f"{TREE}\n{NIC}/net/eth0=\n{NIC}/virtfn10->../0000:12:02.1\n{NIC}/virtfn2->../0000:12:01.1"
    )
    one = pci(sysfs=text).known[NIC]

    assert ("eth0",) == one.netdevs
    assert ("0000:12:01.1", "0000:12:02.1") == one.virtfns


@given(st.text(max_size=300), st.text(max_size=300), st.text(max_size=200))
def test_any_text_is_merged_without_an_error(tree, config, text):
    """Garbage in every source comes to no error but Missing."""
    found = pci(sysfs=f"{NIC}/{tree}", config=f"{NIC}={config}", lspci=text, nodedev=text)
    for one in found.known.values():
        for name in (
            "id",
            "driver",
            "group",
            "numa_node",
            "path",
            "resources",
            "config",
            "netdevs",
        ):
            try:
                getattr(one, name)
            except Missing:
                continue


def test_bars_of_a_function():
    """Sizes, kinds and places of resource lines."""
    used, unset, io, _ = pciresource.parse(
        "0x00000000c6000000 0x00000000c6ffffff 0x000000000014220c\n"
        "0x0000000000000000 0x0000000000ffffff 0x0000000020140204\n"
        "0x000000000000e000 0x000000000000e01f 0x0000000000040101\nrubbish"
    )

    assert (1 << 24, True, False) == (used.size, used.memory, used.unassigned)
    assert unset.unassigned
    assert (False, False) == (io.memory, io.unassigned)


IOMEM = "00000000-00000fff : Reserved\n  d0000000-d0ffffff : efifb\n"


def test_iomem_shows_zeros_to_users():
    """Only root sees addresses; zeros tell nothing (S34)."""
    held = iomem.ranges(evidence({"proc/iomem": IOMEM}))
    assert ["efifb"] == [one.name for one in held if one.framebuffer]
    with pytest.raises(Missing):
        iomem.ranges(evidence({"proc/iomem": "00000000-00000000 : Reserved\n"}))


def test_an_interrupt_line_and_its_users():
    """Chip and trigger are no users."""
    text = (
        "           CPU0       CPU1\n"
        "  16:          0         12   IR-IO-APIC   16-fasteoi   i801_smbus,"
        " vfio-intx(0000:01:04.0)\n"
        " NMI:          0          0   Non-maskable interrupts\n"
    )
    line = irqlines.line(evidence({"proc/interrupts": text}), 16)

    assert line is not None
    assert ("i801_smbus", "vfio-intx(0000:01:04.0)") == line.users
    assert irqlines.line(evidence({"proc/interrupts": text}), 17) is None


@given(st.text(max_size=300))
def test_any_listing_of_memory_and_interrupts(text):
    """Garbage is left out."""
    found = evidence({"proc/iomem": text, "proc/interrupts": text})
    iomem.known(found)
    irqlines.line(found, 16)
