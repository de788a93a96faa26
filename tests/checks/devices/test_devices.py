"""The checks of devices: there, the right one, on the right driver, of use to a guest."""

from __future__ import annotations

import pytest

from pytest_vfio.check import Outcome
from pytest_vfio.declared import Declared, WantedDevice, WantedGuest
from pytest_vfio.evidence import Item, Status
from tests.ask import ask
from tests.hosts.config_space import express, space
from tests.hosts.plain import grepped
from tests.hosts.with_card import (
    CARD,
    GPU,
    LOG,
    TWIN,
    box,
    card,
    config,
    guest,
    of_device,
    port,
    wanting,
)  # fmt: skip

FAIL, PASS, SKIP, UNKNOWN = Outcome.FAIL, Outcome.PASS, Outcome.SKIP, Outcome.UNKNOWN

SYSFS, CONFIG = "sys/bus/pci/devices", "sys/bus/pci/config"
DRIVER = f"{SYSFS}/{CARD}/driver"


# -- DEV001: existence


@pytest.mark.parametrize(("functions", "ref"), [((port(),), "F19"), ((card(TWIN), port()), "F20")])
def test_DEV001_fails_where_nothing_stands_at_the_address(functions, ref):
    """A whole list without the address proves that the device is missing."""
    verdict = of_device("DEV001", box(*functions, **{CONFIG: ""}))

    assert (FAIL, (ref,)) == (verdict.outcome, verdict.refs)


def test_DEV001_fails_where_no_device_has_the_id():
    """An inventory that wants a model of which there is none."""
    declared = Declared(devices=(WantedDevice(id="15b3:1017"),))
    verdict = of_device("DEV001", box(declared=declared), None)

    assert (FAIL, "no device of this host is 15b3:1017") == (verdict.outcome, verdict.message)


def test_DEV001_fails_for_a_stale_hostdev():
    """A guest names an address at which there is nothing (F145)."""
    found = box(port(), declared=Declared(), **guest(address="0000:05:00.0"))
    verdict = of_device("DEV001", found, "0000:05:00.0")

    assert (FAIL, ("F145",)) == (verdict.outcome, verdict.refs)


def test_DEV001_passes_where_the_function_was_seen():
    """Presence needs no whole list."""
    seen = grepped("lspci", "12:00.0 Ethernet controller: X")
    assert PASS == of_device("DEV001", box(**{SYSFS: Status.DENIED, "lspci": seen})).outcome


def test_DEV001_unknown_without_a_whole_list():
    """An address that was not seen may be in the part that was not read."""
    verdict = of_device("DEV001", box(**{SYSFS: Status.DENIED, CONFIG: Status.DENIED}))

    assert UNKNOWN == verdict.outcome
    assert verdict.missing


# -- DEV002: identity


@pytest.mark.parametrize(
    ("wanted", "message"),
    [
        ({"id": "8086:10fb"}, f"{CARD} has id 8086:1572, expected 8086:10fb"),
        ({"subsystem": "8086:0001"}, f"{CARD} has subsystem 103c:22fc, expected 8086:0001"),
        ({"netdev": "eth9"}, f"{CARD} has netdev ens1, expected eth9"),
        ({"mac": "02:00:00:00:00:09"},
         f"{CARD} has mac 02:00:00:00:00:01, expected 02:00:00:00:00:09"),
    ],
)  # fmt: skip
def test_DEV002_fails_where_the_device_is_another_one(wanted, message):
    """The address is right and what stands there is not."""
    found = box(
        card(driver="i40e", net__ens1=""), declared=wanting(**wanted),
        **{"sys/class/net": "ens1->x\nens1/address=02:00:00:00:00:01"},
    )  # fmt: skip
    verdict = of_device("DEV002", found)

    assert (FAIL, message) == (verdict.outcome, verdict.message)


def test_DEV002_passes_where_everything_matches():
    """Id and subsystem as the inventory has them."""
    found = box(declared=wanting(id="8086:1572", subsystem="103c:22fc"))
    assert PASS == of_device("DEV002", found).outcome


def test_DEV002_passes_by_the_serial_number():
    """On vfio-pci the PCI serial number tells, and often the MAC with it."""
    dsn = (0x03, bytes.fromhex("a0369fffff123456")[::-1])
    items = {CONFIG: config({CARD: space(caps=[express()], ext=[dsn])})}
    for wanted in ({"serial": "a0-36-9f-ff-ff-12-34-56"}, {"mac": "a0:36:9f:12:34:56"}):
        assert PASS == of_device("DEV002", box(declared=wanting(**wanted), **items)).outcome
    other = {"serial": "a0-36-9f-ff-ff-00-00-00"}
    assert FAIL == of_device("DEV002", box(declared=wanting(**other), **items)).outcome
    twin = {"mac": "a0:36:9f:12:34:58"}  # of another port of the card, maybe
    assert UNKNOWN == of_device("DEV002", box(declared=wanting(**twin), **items)).outcome


def test_DEV002_skips_what_the_inventory_does_not_say():
    """An address alone is no identity."""
    assert SKIP == of_device("DEV002", box()).outcome


@pytest.mark.parametrize("wanted", [{"mac": "02:00:00:00:00:01"}, {"serial": "a0-36"}])
def test_DEV002_unknown_while_nobody_can_ask(wanted):
    """On vfio-pci there is no interface that would tell its MAC."""
    assert UNKNOWN == of_device("DEV002", box(declared=wanting(**wanted))).outcome


# -- DEV003: bound


@pytest.mark.parametrize("driver", ["i40e", None, "pci-stub"])
def test_DEV003_fails_where_no_guest_manages_it(driver):
    """Nobody will bind it, so it has to be bound now."""
    verdict = of_device("DEV003", box(card(driver=driver)))

    assert (FAIL, DRIVER) == (verdict.outcome, verdict.evidence[0].source)
    assert ("F89",) == verdict.refs if driver == "pci-stub" else verdict.refs[:1] == ("F71",)


def test_DEV003_fails_for_an_unmanaged_hostdev():
    """managed='no' means that the administrator binds it."""
    verdict = of_device("DEV003", box(card(driver="i40e"), **guest(managed="no")))

    assert (FAIL, f"{CARD} is bound to i40e, expected vfio-pci: vm has it with managed='no'") == (
        verdict.outcome, verdict.message
    )  # fmt: skip


def test_DEV003_fails_while_the_guest_runs():
    """A running guest's device cannot be on its host driver."""
    verdict = of_device("DEV003", box(card(driver="i40e"), **guest(runs=True)))
    assert FAIL == verdict.outcome


def test_DEV003_fails_where_the_inventory_says_unmanaged():
    """managed = false in the inventory is as good as managed='no'."""
    found = box(card(driver="i40e"), declared=wanting(managed=False))
    assert FAIL == of_device("DEV003", found).outcome


def test_DEV003_fails_for_a_raw_qemu_argument():
    """Past libvirt nobody binds it, and the cure is a <hostdev> (F146)."""
    verdict = of_device("DEV003", box(card(driver="i40e"), **guest(kind="commandline")))

    assert (FAIL, ("F146", "F71")) == (verdict.outcome, verdict.refs)
    assert "vm takes it by a raw QEMU argument" in verdict.message
    assert "hostdev" in verdict.cure.title


def test_DEV003_skips_what_a_guest_is_yet_to_be_given():
    """The inventory gives it to a guest whose XML lacks it: who binds it is not decided."""
    declared = Declared(guests={"vm": WantedGuest((CARD,))})
    items = guest(address=TWIN)
    verdict = of_device("DEV003", box(card(driver="i40e"), declared=declared, **items))

    assert (SKIP, f"{CARD} is bound to i40e; vm, which is to have it, does not name it yet") == (
        verdict.outcome, verdict.message
    )  # fmt: skip


def test_DEV003_fails_for_another_guest_than_the_one_to_have_it():
    """A guest that is known to have it unmanaged decides, whatever the inventory wishes."""
    declared = Declared(guests={"other": WantedGuest((CARD,))})
    found = box(card(driver="i40e"), declared=declared, **guest(managed="no"))
    assert FAIL == of_device("DEV003", found).outcome


@pytest.mark.parametrize("driver", ["vfio-pci", "mlx5_vfio_pci"])
def test_DEV003_passes_on_any_vfio_driver(driver):
    """vfio-pci or a variant of it."""
    assert PASS == of_device("DEV003", box(card(driver=driver))).outcome


@pytest.mark.parametrize("driver", ["i40e", None])
def test_DEV003_passes_where_libvirt_will_bind_it(driver):
    """managed='yes' and the guest off: the host driver is healthy (S21)."""
    verdict = of_device("DEV003", box(card(driver=driver), **guest()))
    assert PASS == verdict.outcome
    assert "libvirt binds it when vm starts" in verdict.message


def test_DEV003_skips_a_pf_whose_vfs_are_wanted():
    """The PF belongs to its host driver."""
    found = box(card(driver="i40e"), declared=wanting(vfs=4))
    assert SKIP == of_device("DEV003", found).outcome


@pytest.mark.parametrize("lost", [SYSFS, "virsh/dumpxml-inactive"])
def test_DEV003_unknown_without_driver_or_guests(lost):
    """A guest that was not read may have it with managed='no'."""
    found = box(card(driver="i40e"), **{**guest(), lost: Status.DENIED, "lspci": None})
    assert UNKNOWN == of_device("DEV003", found).outcome


# -- DEV004: group


@pytest.mark.parametrize(
    ("address", "more", "ref"),
    [(CARD, {}, "F49"), ("10000:01:00.0", {}, "F17"), ("0000:00:02.0", GPU, "F23")],
)
def test_DEV004_fails_without_a_group(address, more, ref):
    """No link, no group; where it stands tells why."""
    found = box(card(address, group=None, **more), declared=wanting(address))
    verdict = of_device("DEV004", found, address)

    assert (FAIL, (ref,)) == (verdict.outcome, verdict.refs)


def test_DEV004_passes_with_a_group():
    """The link names it."""
    assert f"{CARD} is in group 38" == of_device("DEV004", box()).message


def test_DEV004_unknown_without_sysfs():
    """lspci without -v says nothing of groups."""
    found = box(**{SYSFS: Status.DENIED, "sys/kernel/iommu_groups": Status.DENIED})
    assert UNKNOWN == of_device("DEV004", found).outcome


# -- DEV005, DEV006: ids

IDS = "BOOT_IMAGE=/vmlinuz ro vfio-pci.ids=8086:1572"
TWO = (card(), card(TWIN, group=39), port())


def test_DEV005_fails_where_the_id_catches_more():
    """Two functions have the id, the inventory names one."""
    verdict = ask("DEV005", box(*TWO, declared=wanting(CARD), **{"proc/cmdline": IDS}))

    assert FAIL == verdict.outcome
    assert TWIN in verdict.message


def test_DEV005_passes_where_all_are_intended():
    """Everything that is caught is on the list."""
    declared = Declared(devices=(WantedDevice(id="8086:1572"),))
    assert PASS == ask("DEV005", box(*TWO, declared=declared, **{"proc/cmdline": IDS})).outcome


def test_DEV005_skips_without_a_list():
    """Where the inventory is silent the ids are the intent."""
    assert SKIP == ask("DEV005", box(declared=Declared(), **{"proc/cmdline": IDS})).outcome


@pytest.mark.parametrize("lost", ["proc/cmdline", SYSFS, "etc/modprobe.d/"])
def test_DEV005_unknown_without_ids_or_functions(lost):
    """Each may hide one that is caught."""
    items = {"proc/cmdline": IDS, lost: Status.DENIED}
    declared = Declared(devices=(WantedDevice(id="8086:1572"),))
    assert UNKNOWN == ask("DEV005", box(declared=declared, **items)).outcome


def test_DEV005_fails_although_modprobe_was_not_read():
    """What was read is enough."""
    items = {"proc/cmdline": IDS, "etc/modprobe.d/": Status.DENIED}
    assert FAIL == ask("DEV005", box(*TWO, declared=wanting(CARD), **items)).outcome


def one_guest(*addresses: str) -> Declared:
    return Declared(guests={"nfv": WantedGuest(addresses)})


def test_DEV006_fails_for_a_twin_that_nobody_has():
    """One of two is for a guest; the id takes both."""
    found = box(*TWO, declared=one_guest(CARD), **{"proc/cmdline": IDS})

    assert FAIL == of_device("DEV006", found, TWIN).outcome
    assert PASS == of_device("DEV006", found, CARD).outcome


def test_DEV006_passes_where_both_are_for_a_guest():
    """Both are spoken of."""
    found = box(*TWO, declared=one_guest(CARD, TWIN), **{"proc/cmdline": IDS})
    assert PASS == of_device("DEV006", found, TWIN).outcome


def test_DEV006_skips_what_no_id_catches():
    """A device pinned by address is no business of the ids."""
    assert SKIP == of_device("DEV006", box(*TWO)).outcome


def test_DEV006_unknown_while_guests_are_unread():
    """Without an inventory of guests, one that was not read may have it."""
    items = {"proc/cmdline": IDS, **guest(), "virsh/dumpxml-inactive": Status.DENIED}
    found = box(*TWO, declared=Declared(), **items)
    assert UNKNOWN == of_device("DEV006", found, TWIN).outcome


# -- DEV007, DEV031: driver_override


@pytest.mark.parametrize("name", ["none", "i40e"])
def test_DEV007_fails_where_the_override_names_another_driver(name):
    """Nothing but that name can bind."""
    assert FAIL == of_device("DEV007", box(card(driver_override=name))).outcome


def test_DEV007_fails_and_knows_the_stub():
    """pci-stub keeps the device for nobody (F89)."""
    text = card(driver="pci-stub").replace("driver_override=(null)", "driver_override=pci-stub")
    verdict = of_device("DEV007", box(text))

    assert ("F79", "F89") == verdict.refs


@pytest.mark.parametrize("name", ["(null)", "", "vfio-pci"])
def test_DEV007_passes_unset_or_vfio(name):
    """`(null)` is unset."""
    text = card().replace("driver_override=(null)", f"driver_override={name}")
    assert PASS == of_device("DEV007", box(text)).outcome


def test_DEV007_unknown_without_sysfs():
    """No other source knows it."""
    found = box(**{SYSFS: Status.DENIED, "lspci": grepped("lspci", "12:00.0 X: Y")})
    assert UNKNOWN == of_device("DEV007", found).outcome


def stale(address: str = "0000:07:00.0") -> str:
    text = card(address, driver=None, group=50)
    return text.replace("driver_override=(null)", "driver_override=vfio-pci")


def test_DEV031_fails_for_a_host_device_that_is_kept_without_driver():
    """An override of an earlier assignment is still there."""
    verdict = ask("DEV031", box(card(), stale()))
    assert FAIL == verdict.outcome
    assert "0000:07:00.0" in verdict.message


def test_DEV031_passes_where_only_the_intended_have_one():
    """The intended device's own override is right."""
    assert PASS == ask("DEV031", box(stale(CARD))).outcome


def test_DEV031_unknown_without_sysfs():
    """Overrides stand nowhere else."""
    assert UNKNOWN == ask("DEV031", box(**{SYSFS: Status.DENIED})).outcome


# -- DEV008: pins


def pinned(driver: str) -> dict[str, str]:
    name = f"pci-{CARD}"
    return {"etc/driverctl.d/": name, f"etc/driverctl.d/{name}": driver}


def test_DEV008_fails_for_a_pin_to_the_host_driver():
    """driverctl gives it back at every boot."""
    verdict = of_device("DEV008", box(**pinned("i40e")))
    assert (FAIL, f"{CARD} is given to i40e by a persistent override, expected vfio-pci") == (
        verdict.outcome, verdict.message
    )  # fmt: skip


@pytest.mark.parametrize("items", [{}, pinned("vfio-pci")])
def test_DEV008_passes_unpinned_or_pinned_to_vfio(items):
    """One owner for the device."""
    assert PASS == of_device("DEV008", box(**items)).outcome


@pytest.mark.parametrize("lost", ["etc/driverctl.d/", "etc/udev/rules.d/"])
def test_DEV008_unknown_without_the_pins(lost):
    """A pin may stand where nobody looked."""
    assert UNKNOWN == of_device("DEV008", box(**{lost: Status.DENIED})).outcome


# -- DEV009: parts of a card

AUDIO = {"id": "10de:10f0", "cls": "0x040300", "group": 39}


def test_DEV009_fails_for_a_gpu_whose_audio_stays():
    """The audio function of the card is on the host's driver."""
    found = box(card(**GPU), card(TWIN, driver="snd_hda_intel", **AUDIO))
    verdict = of_device("DEV009", found)

    assert FAIL == verdict.outcome
    assert f"{TWIN} on snd_hda_intel" in verdict.message


@pytest.mark.parametrize("driver", [None, "vfio-pci"])
def test_DEV009_passes_where_nothing_stays(driver):
    """Without a driver or on vfio-pci it is in nobody's way."""
    assert PASS == of_device("DEV009", box(card(**GPU), card(TWIN, driver=driver, **AUDIO))).outcome


def test_DEV009_skips_the_ports_of_a_network_card():
    """One port for a guest and one for the host is normal."""
    assert SKIP == of_device("DEV009", box(card(), card(TWIN, driver="i40e", group=39))).outcome


def test_DEV009_unknown_without_a_whole_list():
    """Another function of the card may not have been read."""
    seen = grepped("lspci", "12:00.0 VGA [0300]: NVIDIA [10de:1b80]")
    assert UNKNOWN == of_device("DEV009", box(**{SYSFS: Status.DENIED, "lspci": seen})).outcome


# -- DEV010: denylist


def test_DEV010_fails_for_a_model_that_vfio_refuses():
    """Intel QAT."""
    assert FAIL == of_device("DEV010", box(card(driver="c6xx", id="8086:37c8"))).outcome


def test_DEV010_passes_for_any_other_model():
    """A network card is not on the list."""
    assert PASS == of_device("DEV010", box()).outcome


def test_DEV010_skips_kernels_without_the_list():
    """It came with 5.9."""
    found = box(
        card(driver="c6xx", id="8086:37c8"),
        **{"proc/sys/kernel/osrelease": "5.4.0-94-generic"},
    )
    assert SKIP == of_device("DEV010", found).outcome


def test_DEV010_unknown_without_the_id():
    """A name is no id."""
    seen = grepped("lspci", "12:00.0 Co-processor: Intel")
    found = box(**{SYSFS: Status.DENIED, CONFIG: Status.DENIED, "lspci": seen})
    assert UNKNOWN == of_device("DEV010", found).outcome


# -- DEV011: alive

SLEEPS = {CONFIG: config({CARD: "not collected"})}


def test_DEV011_fails_where_everything_reads_as_ones():
    """The vendor file is cached; the bytes are not."""
    assert FAIL == of_device("DEV011", box(**{CONFIG: config({CARD: b"\xff" * 256})})).outcome


def test_DEV011_fails_where_it_could_not_be_woken():
    """The kernel's own words, for a device that was not read."""
    said = (
        f"{LOG}\n[    9.1] vfio-pci {CARD}: Unable to change power state from D3cold to D0,"
        " device inaccessible"
    )
    assert FAIL == of_device("DEV011", box(**SLEEPS, dmesg=said)).outcome


def test_DEV011_passes_where_it_answers():
    """Its ids are in the bytes."""
    assert PASS == of_device("DEV011", box()).outcome


def test_DEV011_passes_asleep():
    """vfio-pci puts idle devices to sleep; that is no fault."""
    found = box(card(power__runtime_status="suspended"), **SLEEPS)
    assert PASS == of_device("DEV011", found).outcome


@pytest.mark.parametrize("items", [{CONFIG: Status.DENIED}, {**SLEEPS, "dmesg": Status.DENIED}])
def test_DEV011_unknown_without_bytes_or_log(items):
    """A sleeping device is fine only as far as somebody would have noticed."""
    found = box(card(power__runtime_status="suspended"), **items)
    assert UNKNOWN == of_device("DEV011", found).outcome


# -- DEV026: type


@pytest.mark.parametrize("cls", ["0x060400", "0x060700", "0x080700"])
def test_DEV026_fails_for_what_is_no_endpoint(cls):
    """Bridges and event collectors are not handed out."""
    assert FAIL == of_device("DEV026", box(card(cls=cls))).outcome


def test_DEV026_passes_for_an_endpoint():
    """A network adapter."""
    assert PASS == of_device("DEV026", box()).outcome


def test_DEV026_unknown_without_the_class():
    """A plain line of lspci has no class number."""
    seen = grepped("lspci", "12:00.0 Ethernet controller: Intel")
    found = box(**{SYSFS: Status.DENIED, CONFIG: Status.DENIED, "lspci": seen})
    assert UNKNOWN == of_device("DEV026", found).outcome


# -- DEV030: VFs on a PF that is to leave


def test_DEV030_fails_while_vfs_exist():
    """vfio-pci refuses a PF with VFs."""
    assert FAIL == of_device("DEV030", box(card(driver="i40e", sriov_numvfs="4"))).outcome


def test_DEV030_passes_without_vfs():
    """None made."""
    assert PASS == of_device("DEV030", box(card(sriov_numvfs="0"))).outcome


def test_DEV030_skips_a_pf_that_stays():
    """Its VFs are what is wanted."""
    found = box(card(driver="i40e", sriov_numvfs="4"), declared=wanting(vfs=4))
    assert SKIP == of_device("DEV030", found).outcome


def test_DEV030_unknown_without_sysfs():
    """lspci does not say how many VFs there are."""
    seen = grepped("lspci", "12:00.0 X: Y")
    assert UNKNOWN == of_device("DEV030", box(**{SYSFS: Status.DENIED, "lspci": seen})).outcome


def test_nothing_read_is_unknown_to_all():
    """A host that denied everything is not judged, whatever the check."""
    found = box(**dict.fromkeys((SYSFS, CONFIG, "dmesg", "sys/kernel/iommu_groups"), Status.DENIED),
                lspci=Item("lspci", Status.DENIED))  # fmt: skip
    for number in (1, 3, 4, 9, 10, 11, 12, 18, 20, 23, 26, 27, 30):
        assert UNKNOWN == of_device(f"DEV{number:03}", found).outcome, number
