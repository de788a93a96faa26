"""Memory and NUMA nodes."""

from __future__ import annotations

import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pytest_vfio.evidence import Missing, Status
from pytest_vfio.facts.host.memory import Memory, cpulist, cpuset
from tests.hosts.plain import evidence

NODES = """\
online=0-1
node0/cpulist=0-3,8-11
node0/meminfo=Node 0 MemTotal:       65536000 kB
node0/meminfo=Node 0 MemFree:        1000 kB
node0/hugepages/hugepages-2048kB/nr_hugepages=512
node0/hugepages/hugepages-1048576kB/nr_hugepages=4
node1/cpulist=4-7,12-15"""


def memory(**items):
    return Memory(evidence({name.replace("__", "/"): what for name, what in items.items()}))


def test_nodes_have_cpus_memory_and_hugepages():
    """All that a node's folder tells, in KiB."""
    nodes = memory(sys__devices__system__node=NODES).nodes

    assert [0, 1] == list(nodes)
    assert frozenset({0, 1, 2, 3, 8, 9, 10, 11}) == nodes[0].cpus
    assert 65536000 == nodes[0].total
    assert {2048: 512, 1048576: 4} == nodes[0].hugepages
    assert {} == nodes[1].hugepages


def test_a_kernel_without_numa_has_one_node():
    """The folder is absent where the kernel knows no nodes."""
    assert [0] == list(memory(sys__devices__system__node=None).nodes)


@pytest.mark.parametrize("what", [Status.DENIED, Status.TRUNCATED, "node0/cpulist=0-3", "online=x"])
def test_nodes_need_a_whole_tree_with_a_list(what):
    """Nobody says one node where the list was not read."""
    with pytest.raises(Missing):
        _ = memory(sys__devices__system__node=what).nodes


def test_the_total_is_in_kib():
    """MemTotal, and the pool of the default size."""
    text = "MemTotal:       131072000 kB\nHugePages_Total:      16\nHugepagesize:    2048 kB\n"
    found = memory(proc__meminfo=text)

    assert 131072000 == found.total
    assert {2048: 16} == found.hugepages


@pytest.mark.parametrize("what", [Status.DENIED, "MemTotal: lots", ""])
def test_a_total_that_was_not_read_is_unknown(what):
    """No size is no small size."""
    with pytest.raises(Missing):
        _ = memory(proc__meminfo=what).total


@given(st.sets(st.integers(0, 4000), max_size=50))
def test_lists_are_read_back(numbers):
    """What the kernel prints for a set is the set."""
    assert numbers == cpulist(",".join(map(str, sorted(numbers))))


@given(st.text(max_size=80))
def test_no_text_breaks_a_list(text):
    """Parts that are no numbers are left out."""
    assert isinstance(cpulist(text), frozenset)
    assert cpuset(text) <= cpulist(text.replace("^", "")) | cpulist(text)


def test_hostile_lists_cost_little():
    """Many overlapping parts are as cheap as their union."""
    text = ",".join(f"{first}-65535" for first in range(20_000))
    began = time.perf_counter()

    assert 65536 == len(cpulist(text))
    assert time.perf_counter() - began < 2


def test_libvirt_sets_have_exclusions():
    """`^` takes a number out again."""
    assert {0, 1, 3} == cpuset("0-3,^2")


@given(st.text(max_size=200))
def test_no_tree_breaks_the_nodes(text):
    """Whatever stands in the tree, there are nodes or it is unknown."""
    try:
        nodes = memory(sys__devices__system__node=f"online=0\n{text}").nodes
    except Missing:
        return
    assert nodes
