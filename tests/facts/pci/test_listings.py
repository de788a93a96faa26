"""Pasted listings of IOMMU groups."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pytest_vfio.evidence import Extent, Item, Status
from pytest_vfio.facts.pci import listings
from pytest_vfio.facts.pci.functions import Pci
from tests.hosts.plain import evidence, hypervisor

WANTED = [(1, "0000:00:01.0"), (1, "0000:01:00.0"), (2, "0000:00:02.0")]

SHAPES = {
    "header": "IOMMU Group 1:\n\t00:01.0 PCI bridge [0604]: Intel [8086:1901] (rev 07)\n"
    "\t01:00.0 VGA compatible controller [0300]: NVIDIA [10de:1b80]\n"
    "IOMMU Group 2:\n\t00:02.0 VGA compatible controller [0300]: Intel [8086:1912]\n",
    "one line": "IOMMU Group 1 00:01.0 PCI bridge [0604]: Intel [8086:1901]\n"
    "IOMMU Group 1 01:00.0 VGA [0300]: NVIDIA [10de:1b80]\n"
    "IOMMU Group 2 00:02.0 VGA [0300]: Intel [8086:1912]\n",
    "find": "/sys/kernel/iommu_groups/1/devices/0000:00:01.0\n"
    "/sys/kernel/iommu_groups/1/devices/0000:01:00.0\n"
    "/sys/kernel/iommu_groups/2/devices/0000:00:02.0\n",
    "ids first": "Group:  1   [8086:1901]     00:01.0  PCI bridge                Xeon E3\n"
    "Group:  1   [10de:1b80] [R] 01:00.0  VGA compatible controller GP104\n"
    "Group:  2   [8086:1912]     00:02.0  VGA compatible controller HD 530\n",
    "ls": "/sys/kernel/iommu_groups/1/devices:\ntotal 0\n"
    "lrwxrwxrwx 1 root root 0 Jan 1 0000:00:01.0 -> ../../../../devices/0000:00:01.0\n"
    "lrwxrwxrwx 1 root root 0 Jan 1 0000:01:00.0 -> ../../../../devices/0000:01:00.0\n"
    "\n/sys/kernel/iommu_groups/2/devices:\ntotal 0\n"
    "lrwxrwxrwx 1 root root 0 Jan 1 0000:00:02.0 -> ../../../../devices/0000:00:02.0\n",
    "drivers below": "IOMMU Group 1:\n00:01.0 PCI bridge: Intel\n\tKernel driver in use: pcieport\n"
    "01:00.0 VGA: NVIDIA\n\tSubsystem: ASUS\n\tKernel driver in use: nouveau\n"
    "IOMMU Group 2:\n00:02.0 VGA: Intel\n\tKernel driver in use: i915\n",
}


@pytest.mark.parametrize("shape", SHAPES)
def test_every_shape(shape):
    """Members and numbers come out of any shape that people paste."""
    found = [(one.group, one.address) for one in listings.parse(SHAPES[shape])]

    assert WANTED == found


def test_lspci_text_beside_the_group():
    """What lspci printed of a member is believed, too."""
    item = Item("listing/iommu_groups", Status.PRESENT, SHAPES["drivers below"].encode())
    function = Pci(evidence({item.name: item})).known["0000:01:00.0"]

    assert (1, "nouveau") == (function.group, function.driver)


@pytest.mark.parametrize(("extent", "whole"), [(Extent.WHOLE, True), (Extent.ELIDED, False)])
def test_a_pasted_group_may_have_more_members(extent, whole):
    """A listing shows all members only where somebody says that it is whole."""
    item = Item("listing/iommu_groups", Status.PRESENT, SHAPES["find"].encode(), extent=extent)
    group = hypervisor({item.name: item}).groups.known[1]

    assert ("0000:00:01.0", "0000:01:00.0") == group.members
    assert whole == group.whole


@pytest.mark.parametrize(
    "line",
    [
        "[    0.9] pci 0000:00:01.0: Adding to iommu group 1",
        "kernel: iommu: Adding device 0000:00:01.0 to group 1",
        "the group 1 00",
        "IOMMU Group 1",
    ],
)
def test_no_listing(line):
    """Log lines and headers alone list nobody."""
    assert () == listings.parse(line)


def test_an_omission_ends_the_group():
    """What comes behind a line of no known form is in no group."""
    text = "IOMMU Group 1:\n\t00:01.0 PCI bridge: X\n...\n00:1f.0 ISA bridge: Y\n"

    assert [(1, "0000:00:01.0")] == [(one.group, one.address) for one in listings.parse(text)]


@given(st.text(max_size=400))
def test_any_text_is_read_without_an_error(text):
    """Garbage lists nobody or somebody, and never fails."""
    listings.parse(text)


@given(
    st.lists(
        st.tuples(st.integers(0, 300), st.integers(0, 255), st.integers(0, 31), st.integers(0, 7)),
        max_size=20,
    )
)
def test_round_trip(members):
    """Whatever is listed in the form of `find` comes back."""
    wanted = [(group, f"0000:{bus:02x}:{slot:02x}.{fn}") for group, bus, slot, fn in members]
    text = "\n".join(f"/sys/kernel/iommu_groups/{group}/devices/{where}" for group, where in wanted)

    assert wanted == [(one.group, one.address) for one in listings.parse(text)]
