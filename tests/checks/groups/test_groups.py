"""The checks of IOMMU groups."""

from __future__ import annotations

import pytest

from pytest_vfio.check import Outcome
from pytest_vfio.declared import Declared, WantedDevice, WantedGuest
from pytest_vfio.evidence import Status
from tests.hosts.config_space import express, space
from tests.hosts.in_use import groups
from tests.hosts.with_card import CARD, PORT, TWIN, box, card, config, guest, of_group, port

FAIL, PASS, SKIP, UNKNOWN = Outcome.FAIL, Outcome.PASS, Outcome.SKIP, Outcome.UNKNOWN

SYSFS, GROUPS, CONFIG = "sys/bus/pci/devices", "sys/kernel/iommu_groups", "sys/bus/pci/config"
BOTH = Declared(devices=(WantedDevice(address=CARD), WantedDevice(address=TWIN)))


def bridge(driver: str | None) -> str:
    return card("0000:10:01.0", driver=driver, group=38, cls="0x060400", id="10b5:8747")


# -- GRP001: viability


def test_GRP001_fails_where_a_member_stays_with_the_host():
    """A sibling on its host driver, that nobody will move."""
    verdict = of_group("GRP001", box(card(), card(TWIN, driver="i40e")))

    assert (FAIL, f"group 38 is not viable: {TWIN} on i40e", ("F92",)) == (
        verdict.outcome, verdict.message, verdict.refs
    )  # fmt: skip


def test_GRP001_fails_for_a_bridge_on_a_driver_of_its_own():
    """Since 5.19 (F93)."""
    verdict = of_group("GRP001", box(card(), bridge("shpchp")))
    assert (FAIL, ("F93",)) == (verdict.outcome, verdict.refs)


def test_GRP001_fails_for_a_pf_that_shares_its_vfs_group():
    """The PF stays with the host, so its VFs go nowhere (F138)."""
    pf = card(driver="i40e", sriov_numvfs="1")
    found = box(
        pf, card(TWIN, physfn=f"../{CARD}"),
        declared=Declared(devices=(WantedDevice(address=CARD, vfs=1), WantedDevice(address=TWIN))),
    )  # fmt: skip
    verdict = of_group("GRP001", found)
    assert (FAIL, ("F92", "F138")) == (verdict.outcome, verdict.refs)


@pytest.mark.parametrize(
    "functions",
    [(card(),), (card(), card(TWIN, driver=None)), (card(), card(TWIN, driver="pci-stub")),
     (card(), bridge("pcieport")), (card(), bridge(None))],
)  # fmt: skip
def test_GRP001_passes_where_nothing_blocks(functions):
    """Not all members have to be on vfio-pci (S20)."""
    assert PASS == of_group("GRP001", box(*functions)).outcome


def test_GRP001_skips_a_group_of_which_nothing_leaves():
    """A PF whose VFs are wanted stays with the host, alone in its group."""
    wanted = Declared(devices=(WantedDevice(address=CARD, vfs=1),))
    assert SKIP == of_group("GRP001", box(card(driver="i40e"), declared=wanted)).outcome


def test_GRP001_passes_before_5_19_with_any_bridge():
    """The old rule looks at the header type."""
    old = {"proc/sys/kernel/osrelease": "5.4.0-94-generic"}
    assert PASS == of_group("GRP001", box(card(), bridge("shpchp"), **old)).outcome


def test_GRP001_passes_where_libvirt_detaches_the_sibling():
    """A managed hostdev is moved when its guest starts."""
    found = box(card(), card(TWIN, driver="i40e"), **guest(address=TWIN))
    assert PASS == of_group("GRP001", found).outcome


def test_GRP001_passes_where_only_intended_devices_are_to_be_bound():
    """Whether those are bound is DEV003's business."""
    found = box(card(), card(TWIN, driver="i40e"), declared=BOTH)
    assert PASS == of_group("GRP001", found).outcome


def test_GRP001_unknown_without_the_kernels_version():
    """Only for a bridge on a driver of its own do the rules differ."""
    items = {
        "proc/sys/kernel/osrelease": Status.DENIED,
        "dmesg": Status.DENIED,
        "proc/cmdline": "ro",
    }
    assert UNKNOWN == of_group("GRP001", box(card(), bridge("shpchp"), **items)).outcome
    assert PASS == of_group("GRP001", box(card(), bridge("pcieport"), **items)).outcome


def test_GRP001_unknown_without_drivers():
    """The members are known, their drivers are not."""
    assert UNKNOWN == of_group("GRP001", box(**{SYSFS: Status.DENIED})).outcome


# -- GRP002: shared groups


def test_GRP002_fails_where_two_have_to_go_together():
    """One is intended, the other one is not."""
    verdict = of_group("GRP002", box(card(), card(TWIN, driver=None)))
    assert (FAIL, ("F94",)) == (verdict.outcome, verdict.refs)


def test_GRP002_fails_below_a_port_without_acs():
    """The port's bytes tell why (F95)."""
    other = card("0000:13:00.0", driver=None)
    above = port().replace("iommu_groups/37", "iommu_groups/38")
    spaces = {PORT: space(cls=0x060400, header=1, caps=[express(4)])}
    verdict = of_group("GRP002", box(card(), other, above, **{CONFIG: config(spaces)}))

    assert (FAIL, ("F95",)) == (verdict.outcome, verdict.refs)
    assert PORT in verdict.message


def together(**guests: tuple[str, ...]) -> Declared:
    wanted = {name: WantedGuest(hostdevs) for name, hostdevs in guests.items()}
    return Declared(devices=BOTH.devices, guests=wanted)


def test_GRP002_fails_where_two_guests_want_one_group():
    """It cannot be split."""
    wanted = together(a=(CARD,), b=(TWIN,))
    assert FAIL == of_group("GRP002", box(card(), card(TWIN), declared=wanted)).outcome


@pytest.mark.parametrize("more", [(), (bridge("pcieport"),)])
def test_GRP002_passes_for_a_device_alone(more):
    """A bridge in the group is nobody's device."""
    assert PASS == of_group("GRP002", box(card(), *more)).outcome


def test_GRP002_passes_where_one_guest_has_all():
    """All of the card goes to one guest."""
    wanted = together(a=(CARD, TWIN))
    assert PASS == of_group("GRP002", box(card(), card(TWIN), declared=wanted)).outcome


def test_GRP002_unknown_without_members_or_guests():
    """Other members, or a guest that has both, may not have been read."""
    cut = {GROUPS: Status.DENIED, SYSFS: Status.DENIED, "lspci": "12:00.0 X: Y\n\tIOMMU group: 38"}
    assert UNKNOWN == of_group("GRP002", box(**cut)).outcome
    items = {"virsh/list": Status.DENIED, "virsh/dumpxml": Status.DENIED,
             "virsh/dumpxml-inactive": Status.DENIED}  # fmt: skip
    found = box(card(), card(TWIN), declared=BOTH, **items)
    assert UNKNOWN == of_group("GRP002", found).outcome


# -- GRP004: the node


def test_GRP004_fails_without_a_node():
    """A member is on vfio-pci, and there is no /dev/vfio/38."""
    assert FAIL == of_group("GRP004", box(**{"dev/vfio/": "vfio\n13"})).outcome


def test_GRP004_passes_with_the_node():
    """It is there."""
    assert PASS == of_group("GRP004", box(**{"dev/vfio/": "13\n38\nvfio"})).outcome


def test_GRP004_skips_before_anything_is_bound():
    """The node comes with the first member on a VFIO driver."""
    found = box(card(driver="i40e"), **{"dev/vfio/": "vfio"})
    assert SKIP == of_group("GRP004", found).outcome


@pytest.mark.parametrize("listing", [Status.DENIED, Status.NOT_COLLECTED, "vfio\ndevices"])
def test_GRP004_unknown_without_the_listing(listing):
    """Nobody looked, or the kernel shows only nodes of single devices."""
    assert UNKNOWN == of_group("GRP004", box(**{"dev/vfio/": listing})).outcome


# -- GRP005: no-IOMMU


def named(name: str) -> dict[str, str]:
    return {GROUPS: groups({CARD: card()}) + f"\n38/name={name}"}


def test_GRP005_fails_for_a_group_of_vfios_own():
    """Nothing translates for it (S14)."""
    assert FAIL == of_group("GRP005", box(**named("vfio-noiommu"))).outcome


def test_GRP005_passes_for_a_real_group():
    """Hardly any group has a name."""
    assert PASS == of_group("GRP005", box()).outcome


def test_GRP005_unknown_without_the_groups():
    """libvirt and lspci do not know the name."""
    assert UNKNOWN == of_group("GRP005", box(**{GROUPS: Status.DENIED})).outcome


# -- SRV008: VFs in one group

VF = card(TWIN, physfn=f"../{CARD}", group=39)


def test_SRV008_fails_where_a_vf_is_not_alone():
    """Two VFs in one group (F138)."""
    other = card("0000:12:00.2", physfn=f"../{CARD}", group=39)
    assert FAIL == of_group("SRV008", box(card(), VF, other), 39).outcome


def test_SRV008_passes_for_a_vf_alone():
    """A group of its own."""
    assert PASS == of_group("SRV008", box(card(), VF), 39).outcome


def test_SRV008_skips_groups_without_vfs():
    """A PF alone."""
    assert SKIP == of_group("SRV008", box()).outcome


def test_SRV008_unknown_without_sysfs():
    """Nobody tells which members are VFs."""
    assert UNKNOWN == of_group("SRV008", box(**{SYSFS: Status.DENIED})).outcome
