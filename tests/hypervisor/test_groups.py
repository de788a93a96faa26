"""IOMMU groups and the kernel's rule for their viability."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pytest_vfio.evidence import Item, Missing, Status
from pytest_vfio.hypervisor import isolation
from pytest_vfio.hypervisor.groups import Group, ReservedRegion
from tests.hosts.config_space import acs, express, space
from tests.hosts.in_use import function, groups
from tests.hosts.plain import hypervisor

CARD, TWIN, PORT = "0000:12:00.0", "0000:12:00.1", "0000:00:1c.0"
NEW, OLD = "6.1.0-18-amd64", "5.4.0-94-generic"


def box(*functions: str, kernel: str | None = NEW, **items: object):
    tree = {text.partition("->")[0]: text for text in functions}
    found: dict[str, object] = {
        "sys/bus/pci/devices": "\n".join(functions),
        "sys/kernel/iommu_groups": groups(tree),
    }
    if kernel is not None:
        found["proc/sys/kernel/osrelease"] = kernel
    return hypervisor({**found, **items})


def of(driver: str | None, *, bridge: bool = False, kernel: str | None = NEW) -> Group:
    """A group of one function on vfio-pci and one more."""
    more = function(TWIN, driver=driver, group=1, cls="0x060400" if bridge else "0x020000")
    return box(function(CARD, driver="vfio-pci", group=1), more, kernel=kernel).groups.known[1]


@pytest.mark.parametrize("kernel", [NEW, OLD, None])
@pytest.mark.parametrize("driver", [None, "vfio-pci", "mlx5_vfio_pci", "pci-stub"])
def test_what_never_blocks(driver, kernel):
    """No driver, VFIO drivers and pci-stub are fine by both rules (S20)."""
    assert () == of(driver, kernel=kernel).blockers


@pytest.mark.parametrize("kernel", [NEW, OLD, None])
def test_a_host_driver_always_blocks(kernel):
    """A function on its host driver blocks by both rules."""
    assert ["i40e"] == [one.driver for one in of("i40e", kernel=kernel).blockers]


@pytest.mark.parametrize("kernel", [NEW, OLD, None])
def test_a_port_on_pcieport_never_blocks(kernel):
    """The bridge in a group is no finding (F101)."""
    assert () == of("pcieport", bridge=True, kernel=kernel).blockers


def test_a_bridge_with_a_driver_of_its_own():
    """Since 5.19 a bridge blocks as well unless its driver leaves DMA alone (F93)."""
    assert ["shpchp"] == [one.driver for one in of("shpchp", bridge=True).blockers]
    assert () == of("shpchp", bridge=True, kernel=OLD).blockers
    with pytest.raises(Missing):
        _ = of("shpchp", bridge=True, kernel=None).blockers


@pytest.mark.parametrize(
    ("release", "blocks"), [("5.18.0-4-amd64", False), ("5.19.0-1-generic", True)]
)
def test_the_rule_changes_with_5_19(release, blocks):
    """DMA ownership judges from 5.19 on."""
    assert blocks == bool(of("shpchp", bridge=True, kernel=release).blockers)


def test_a_seen_blocker_is_enough():
    """A group that is known in part is not viable where one blocker was seen."""
    cut = Item("sys/bus/pci/devices", Status.TRUNCATED,
               function(CARD, driver="i40e", group=1).encode() + b"\n")  # fmt: skip
    group = hypervisor({cut.name: cut}).groups.known[1]

    assert not group.whole
    assert ["i40e"] == [one.driver for one in group.blockers]


def test_a_group_known_in_part_is_not_viable_by_silence():
    """Members that nobody listed may block."""
    cut = Item("sys/bus/pci/devices", Status.TRUNCATED,
               function(CARD, driver="vfio-pci", group=1).encode() + b"\n")  # fmt: skip
    with pytest.raises(Missing):
        _ = hypervisor({cut.name: cut}).groups.known[1].blockers


def test_a_member_that_is_no_pci_function():
    """Nobody reads the driver of a platform device, so nobody knows."""
    tree = (
        groups({CARD: function(CARD, driver="vfio-pci", group=1)}) + "\n1/devices/ff0c0000.mmc->x"
    )
    found = box(function(CARD, driver="vfio-pci", group=1), **{"sys/kernel/iommu_groups": tree})

    assert ("ff0c0000.mmc",) == found.groups.known[1].others
    with pytest.raises(Missing):
        _ = found.groups.known[1].blockers


def test_libvirt_lists_all_members():
    """A node device's group has all of its members, seen or not."""
    xml = (
        "<device><name>pci_0000_12_00_0</name><capability type='pci'><domain>0</domain>"
        "<bus>18</bus><slot>0</slot><function>0</function><iommuGroup number='7'>"
        "<address domain='0x0000' bus='0x12' slot='0x00' function='0x0'/>"
        "<address domain='0x0000' bus='0x12' slot='0x00' function='0x1'/>"
        "</iommuGroup></capability></device>"
    )
    group = hypervisor({"virsh/nodedev-dumpxml": xml}).groups.known[7]

    assert (CARD, TWIN) == group.all_members
    with pytest.raises(Missing):  # the second one's driver
        _ = group.blockers


def test_what_a_group_says_of_itself():
    """Type, name and reserved regions."""
    text = (
        "1/devices/0000:12:00.0->x\n1/type=DMA-FQ\n"
        "1/reserved_regions=0x00000000fee00000 0x00000000feefffff msi\n"
        "1/reserved_regions=0x000000007b800000 0x000000007fffffff direct"
    )
    group = hypervisor({"sys/kernel/iommu_groups": text}).groups.known[1]

    assert ("DMA-FQ", None) == (group.type, group.name)
    assert (
        ReservedRegion(0xFEE00000, 0xFEEFFFFF, "msi"),
        ReservedRegion(0x7B800000, 0x7FFFFFFF, "direct"),
    ) == group.reserved_regions


def test_no_groups_is_knowledge_where_looked_for():
    """An absent folder has no groups; one that was not read may."""
    assert {} == dict(hypervisor({"sys/kernel/iommu_groups": None}).groups.all)
    with pytest.raises(Missing):
        _ = hypervisor({}).groups.all


@given(st.text(max_size=300))
def test_any_tree_is_read_without_an_error(text):
    """Garbage makes groups or none."""
    for group in hypervisor({"sys/kernel/iommu_groups": text}).groups.known.values():
        assert group.members == tuple(dict.fromkeys(group.members))


# -- why a group is shared


def config(**spaces: bytes) -> str:
    names = {"card": CARD, "twin": TWIN, "port": PORT}
    return "\n".join(f"{names[name]}={data.hex()}" for name, data in spaces.items())


def shared(*more: str, **spaces: bytes) -> isolation.Reason:
    first = function(CARD, driver="vfio-pci", group=1)
    found = box(first, *more, **{"sys/bus/pci/config": config(**spaces)})
    return isolation.explain(found.groups.known[1])


PORT_IN = function(PORT, driver="pcieport", group=1, cls="0x060400")


def port(kind: int = 4, *, ext: tuple = ()) -> bytes:
    return space(cls=0x060400, header=1, caps=[express(kind)], ext=ext)


def test_one_card_without_acs():
    """Functions of one slot that do not isolate themselves (F94)."""
    twin = function(TWIN, driver=None, group=1)
    reason = shared(twin, card=space(caps=[express()]), twin=space(caps=[express()]))
    assert "F94" == reason.ref
    assert reason.quotes


def test_a_port_without_acs():
    """The root port above does not isolate (F95)."""
    assert "F95" == shared(PORT_IN, port=port()).ref


def test_a_port_with_acs_switched_off():
    """The port could isolate and does not (F13)."""
    assert "F13" == shared(PORT_IN, port=port(ext=(acs(0x1D, 0x01),))).ref


def test_a_bridge_to_conventional_pci():
    """Behind it everything has the bridge's requester id (F96)."""
    assert "F96" == shared(PORT_IN, port=port(7)).ref


def test_unread_bits_are_said():
    """Without configuration bytes the reason is a guess, and says so."""
    assert "not read" in shared(PORT_IN).words
