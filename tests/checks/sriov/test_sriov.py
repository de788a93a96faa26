"""The checks of virtual functions."""

from __future__ import annotations

import json

import pytest

from pytest_vfio.check import Outcome
from pytest_vfio.declared import Declared, WantedDevice
from pytest_vfio.evidence import Status
from pytest_vfio.judge.judgement import Judgement
from tests.hosts.plain import grepped
from tests.hosts.recorded import whole_suite
from tests.hosts.with_card import (
    BAR,
    CARD,
    GPU,
    TWIN,
    UNUSED,
    box,
    card,
    guest,
    lines,
    of_device,
    port,
    wanting,
)  # fmt: skip

FAIL, PASS, SKIP, UNKNOWN = Outcome.FAIL, Outcome.PASS, Outcome.SKIP, Outcome.UNKNOWN

SYSFS, CONFIG = "sys/bus/pci/devices", "sys/bus/pci/config"
SEEN = {SYSFS: Status.DENIED, CONFIG: Status.DENIED,
        "lspci": grepped("lspci", "12:00.0 Ethernet [0200]: X [8086:1572]")}  # fmt: skip


def pf(*, driver: str | None = "i40e", total: int | None = 64, now: int = 0, **files: str) -> str:
    """A PF on its host driver."""
    can = {} if total is None else {"sriov_totalvfs": str(total), "sriov_numvfs": str(now),
                                    "sriov_offset": "16", "sriov_stride": "1"}  # fmt: skip
    return card(driver=driver, **{**can, **files})


def of_pf(id: str, function: str, *more: str, vfs: int | None = 4, **items):
    found = box(function, *more, declared=wanting(vfs=vfs), **items)
    return of_device(id, found)


# -- SRV001


def test_SRV001_fails_where_vfs_are_missing():
    """Four wanted, none made."""
    verdict = of_pf("SRV001", pf())
    assert (FAIL, f"{CARD} has 0 VFs, expected 4") == (verdict.outcome, verdict.message)


@pytest.mark.parametrize(("vf", "causes"), [("0000:12:02.3", ["SRV001"]), ("0000:12:1f.0", [])])
def test_a_guest_names_a_vf_that_is_missing_for_lack_of_vfs(vf, causes):
    """The address is right once the VFs are there; any other address is wrong for itself."""
    found = box(pf(total=8), declared=wanting(vfs=4), **guest(address=vf))
    (said,) = [f for f in Judgement(whole_suite(), found) if f.id == "GST002"]

    assert causes == [id for id, _, _ in said.blocked_by]


@pytest.mark.parametrize("now", [4, 8])
def test_SRV001_passes_where_enough_are_there(now):
    """As many as are wanted, or more."""
    assert PASS == of_pf("SRV001", pf(now=now)).outcome


def test_SRV001_skips_where_none_are_wanted():
    """The inventory wants no VFs."""
    assert SKIP == of_pf("SRV001", pf(), vfs=None).outcome


def test_SRV001_unknown_without_sysfs():
    """lspci without -vv does not count them."""
    assert UNKNOWN == of_pf("SRV001", pf(), **SEEN).outcome


# -- SRV002


def test_SRV002_fails_for_a_pf_that_goes_to_a_guest():
    """Said with what to do instead."""
    verdict = of_pf("SRV002", pf(driver="vfio-pci"), vfs=None)

    assert (FAIL, f"{CARD} supports 64 VFs (0 enabled); a guest that owns it cannot create them") == (
        verdict.outcome, verdict.message
    )  # fmt: skip
    assert "assign its VFs" in verdict.cure.title


def test_SRV002_passes_without_sriov():
    """No sriov_totalvfs in a whole tree."""
    assert PASS == of_pf("SRV002", pf(total=None), vfs=None).outcome


def test_SRV002_skips_a_pf_that_stays():
    """Its VFs are wanted."""
    assert SKIP == of_pf("SRV002", pf()).outcome


def test_SRV002_unknown_without_sysfs():
    """A plain lspci has no capabilities."""
    assert UNKNOWN == of_pf("SRV002", pf(), vfs=None, **SEEN).outcome


# -- SRV003


def room(*iov: str) -> str:
    return "\n".join([pf(), lines(CARD, "resource", BAR, *[UNUSED] * 6, *iov)])


def test_SRV003_fails_without_iov_resources():
    """All zeros where the VFs' BARs would be."""
    assert FAIL == of_pf("SRV003", room(*[UNUSED] * 6)).outcome


def test_SRV003_passes_with_room():
    """The kernel reserved it."""
    assert PASS == of_pf("SRV003", room(BAR)).outcome


def test_SRV003_skips_where_none_are_wanted():
    """The inventory wants no VFs."""
    assert SKIP == of_pf("SRV003", room(), vfs=None).outcome


def test_SRV003_unknown_without_sysfs():
    """Resources stand nowhere else."""
    assert UNKNOWN == of_pf("SRV003", pf(), **SEEN).outcome


# -- SRV004


def test_SRV004_fails_beyond_the_bridge():
    """VF 300 would be on the next bus, which the bridge does not have."""
    verdict = of_pf("SRV004", pf(), port(subordinate_bus_number="18"), vfs=300)

    assert FAIL == verdict.outcome
    assert "on bus 13, the bridge ends at 12" in verdict.message


@pytest.mark.parametrize(("vfs", "last"), [(64, "18"), (300, "19")])
def test_SRV004_passes_within_the_bridge(vfs, last):
    """On the PF's own bus, or on one that the bridge has."""
    assert PASS == of_pf("SRV004", pf(), port(subordinate_bus_number=last), vfs=vfs).outcome


def test_SRV004_skips_where_none_are_wanted():
    """The inventory wants no VFs."""
    assert SKIP == of_pf("SRV004", pf(), vfs=None).outcome


def test_SRV004_unknown_without_sysfs():
    """Offset and stride stand nowhere else."""
    assert UNKNOWN == of_pf("SRV004", pf(), **SEEN).outcome


# -- SRV005


@pytest.mark.parametrize(("total", "ref"), [(2, "F127"), (None, "F12")])
def test_SRV005_fails_where_the_adapter_offers_less(total, ref):
    """Two, or SR-IOV switched off in its firmware."""
    verdict = of_pf("SRV005", pf(total=total))
    assert (FAIL, (ref,)) == (verdict.outcome, verdict.refs)


def test_SRV005_passes_where_it_offers_enough():
    """64 are more than four."""
    assert PASS == of_pf("SRV005", pf()).outcome


def test_SRV005_skips_where_none_are_wanted():
    """The inventory wants no VFs."""
    assert SKIP == of_pf("SRV005", pf(), vfs=None).outcome


def test_SRV005_unknown_without_sysfs():
    """lspci without -vv has no capabilities."""
    assert UNKNOWN == of_pf("SRV005", pf(), **SEEN).outcome


# -- SRV006


def vf(driver: str | None) -> str:
    return card(TWIN, driver=driver, group=39, physfn=f"../{CARD}")


def made(autoprobe: str = "1") -> str:
    return pf(now=1, sriov_drivers_autoprobe=autoprobe, virtfn0=f"../{TWIN}")


def test_SRV006_fails_where_a_host_driver_took_them():
    """iavf has a VF that is meant for a guest."""
    assert FAIL == of_pf("SRV006", made(), vf("iavf")).outcome


@pytest.mark.parametrize(("autoprobe", "driver"), [("0", "iavf"), ("1", "vfio-pci"), ("1", None)])
def test_SRV006_passes_where_vfs_are_left_alone(autoprobe, driver):
    """Autoprobe off, or no VF on a host driver."""
    assert PASS == of_pf("SRV006", made(autoprobe), vf(driver)).outcome


def test_SRV006_skips_where_none_are_wanted():
    """The inventory wants no VFs."""
    assert SKIP == of_pf("SRV006", made(), vf("iavf"), vfs=None).outcome


def test_SRV006_unknown_without_sysfs():
    """autoprobe stands nowhere else."""
    assert UNKNOWN == of_pf("SRV006", made(), **SEEN).outcome


# -- SRV007


@pytest.mark.parametrize(("vfs", "now"), [(4, 0), (None, 2)])
def test_SRV007_fails_for_a_pf_on_vfio(vfs, now):
    """Its VFs are wanted, or there."""
    assert FAIL == of_pf("SRV007", pf(driver="vfio-pci", now=now), vfs=vfs).outcome


def test_SRV007_passes_on_its_host_driver():
    """i40e makes the VFs."""
    assert PASS == of_pf("SRV007", pf()).outcome


def test_SRV007_skips_a_pf_without_vfs():
    """Passed through as a whole."""
    assert SKIP == of_pf("SRV007", pf(driver="vfio-pci"), vfs=None).outcome


def test_SRV007_unknown_without_sysfs():
    """A plain lspci has no driver."""
    assert UNKNOWN == of_pf("SRV007", pf(), **SEEN).outcome


# -- SRV009


def test_SRV009_fails_for_a_gpu_with_vfs():
    """The PF is what makes them."""
    assert FAIL == of_pf("SRV009", pf(now=2, **GPU), vfs=None).outcome


def test_SRV009_passes_for_a_gpu_without_vfs():
    """A whole GPU for one guest."""
    assert PASS == of_pf("SRV009", pf(**GPU), vfs=None).outcome


def test_SRV009_skips_what_is_no_display():
    """A NIC."""
    assert SKIP == of_pf("SRV009", pf(now=2), vfs=None).outcome


def test_SRV009_unknown_without_sysfs():
    """The class is known, the VFs are not."""
    seen = grepped("lspci", "12:00.0 VGA [0300]: Intel [8086:56a0]")
    assert UNKNOWN == of_pf("SRV009", pf(**GPU), vfs=None, **{**SEEN, "lspci": seen}).outcome


# -- SRV010, SRV011, SRV012: what the PF's interface says


def of_vf(id: str, *, flags: str = "0x1003", policy: dict | None = None, **items):
    """An intended VF, number 0 of a PF with interface ens1."""
    entry = {
        "vf": 0,
        "mac": "02:00:00:00:00:01",
        "trust": False,
        "spoofchk": True,
        **(policy or {}),
    }
    base = {
        "sys/class/net": f"ens1->x\nens1/flags={flags}",
        "ip/link": json.dumps([{"ifname": "ens1", "vfinfo_list": [entry]}]),
    }
    found = box(
        pf(now=1, virtfn0=f"../{TWIN}", net__ens1=""), vf("vfio-pci"),
        declared=Declared(devices=(WantedDevice(address=TWIN),)), **{**base, **items},
    )  # fmt: skip
    return of_device(id, found, TWIN)


def test_SRV010_fails_where_the_pf_is_down():
    """IFF_UP is not set."""
    assert FAIL == of_vf("SRV010", flags="0x1002").outcome


def test_SRV010_passes_where_it_is_up():
    """IFF_UP is set."""
    assert PASS == of_vf("SRV010").outcome


def test_SRV010_skips_what_is_no_vf():
    """A whole port."""
    assert SKIP == of_pf("SRV010", pf(), vfs=None).outcome


@pytest.mark.parametrize("lost", ["sys/class/net", SYSFS])
def test_SRV010_unknown_without_the_interface(lost):
    """Flags, or which PF it is."""
    assert UNKNOWN == of_vf("SRV010", **{lost: Status.DENIED, "lspci": SEEN["lspci"]}).outcome


@pytest.mark.parametrize("policy", [{"trust": True}, {"spoofchk": False}])
def test_SRV011_fails_for_a_trusted_or_spoofing_vf(policy):
    """The network is open to the guest."""
    assert FAIL == of_vf("SRV011", policy=policy).outcome


def test_SRV011_passes_with_the_usual_policy():
    """Not trusted, spoof checking on."""
    assert PASS == of_vf("SRV011").outcome


def test_SRV011_skips_what_is_no_vf():
    """A whole port has no policy."""
    assert SKIP == of_pf("SRV011", pf(), vfs=None).outcome


@pytest.mark.parametrize("text", [Status.DENIED, "[]", "rubbish"])
def test_SRV011_unknown_without_the_policy(text):
    """No output, or none of this interface."""
    assert UNKNOWN == of_vf("SRV011", **{"ip/link": text}).outcome


NO_MAC = {"mac": "00:00:00:00:00:00"}


def test_SRV012_fails_for_a_plain_hostdev_without_mac():
    """Another MAC at every start (F135)."""
    assert FAIL == of_vf("SRV012", policy=NO_MAC, **guest(address=TWIN)).outcome


def test_SRV012_passes_with_a_mac():
    """The administrator set one."""
    assert PASS == of_vf("SRV012", **guest(address=TWIN)).outcome


def test_SRV012_passes_where_libvirt_sets_it():
    """An interface of type hostdev."""
    found = of_vf("SRV012", policy=NO_MAC, **guest(address=TWIN, kind="interface"))
    assert PASS == found.outcome


def test_SRV012_skips_what_is_no_vf():
    """A whole port."""
    assert SKIP == of_pf("SRV012", pf(), vfs=None).outcome


@pytest.mark.parametrize("lost", ["ip/link", "virsh/dumpxml-inactive"])
def test_SRV012_unknown_without_policy_or_guests(lost):
    """Either decides."""
    items = {**guest(address=TWIN), lost: Status.DENIED}
    assert UNKNOWN == of_vf("SRV012", policy=NO_MAC, **items).outcome
