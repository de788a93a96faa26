"""The checks of guests and of the devices that they name."""

from __future__ import annotations

import pytest

from pytest_vfio.check import Outcome, Severity
from pytest_vfio.declared import Declared, WantedDevice, WantedGuest
from pytest_vfio.judge.judgement import Judgement
from tests.ask import ask, what_to_do
from tests.hosts import in_use as living
from tests.hosts.guest_xml import domain, host, hostdev
from tests.hosts.plain import hypervisor
from tests.hosts.recorded import whole_suite

NIC, OTHER, VF = "0000:12:00.0", "0000:12:00.1", "0000:12:02.0"
WANTED = Declared(guests={"a": WantedGuest((NIC,))})
TABLE = "virsh/list"


def tree(*functions: str, **fields) -> dict[str, str]:
    """Functions in /sys, all in a group of their own unless said."""
    shown = functions or (NIC, OTHER)
    texts = [
        living.function(address, **{"driver": "vfio-pci", "group": at, **fields})
        for at, address in enumerate(shown, start=1)
    ]
    groups = living.groups(dict(zip(shown, texts, strict=True)))
    return {"sys/bus/pci/devices": "\n".join(texts), "sys/kernel/iommu_groups": groups}


def device(id, items, declared=WANTED):
    """A check on the device at NIC."""
    there = hypervisor(items, declared)
    return ask(id, there, there.intent.get(NIC))


def guest(id, items, name="a"):
    """A check on a guest."""
    there = hypervisor(items)
    return ask(id, there, next(one for one in there.guests.known if one.name == name))


def given(id, items, at=0):
    """A check on the first guest's hostdev."""
    there = hypervisor(items)
    return ask(id, there, there.guests.known[0].hostdevs[at])


def outcomes(*verdicts):
    return [verdict.outcome for verdict in verdicts]


FAIL, PASS, SKIP, UNKNOWN = Outcome.FAIL, Outcome.PASS, Outcome.SKIP, Outcome.UNKNOWN
A = domain("a", hostdev(NIC))
LOST = {TABLE: host(A)[TABLE]}  # the guest is known, its XML is not

# -- GST001


@pytest.mark.parametrize(
    "items", [host(A), host(domain("a"), live=(domain("a", hostdev(NIC), id=1),))]
)
def test_GST001_passes_where_the_guest_names_it(items):
    """In the stored XML or in the live one."""
    assert PASS == device("GST001", {**tree(), **items}).outcome


def test_GST001_fails_where_the_guest_names_others():
    """The cure has the address in libvirt's own form."""
    verdict = device("GST001", {**tree(), **host(domain("a", hostdev(OTHER)))})

    assert (FAIL, "a does not name 0000:12:00.0") == (verdict.outcome, verdict.message)
    assert 'bus="0x12" slot="0x00"' in " ".join(what_to_do(verdict))


def test_GST001_fails_and_says_that_a_number_was_decimal():
    """bus='12' is bus 0x0c: a guess that explains itself."""
    xml = A.replace("bus='0x12'", "bus='12'")
    verdict = device("GST001", {**tree(), **host(xml)})

    assert ("F144", "F145") == verdict.refs
    assert "is 0000:0c:00.0, decimal" in verdict.message


def test_GST001_fails_and_says_that_it_names_what_does_not_exist():
    """A card that moved: the address in the XML is stale, and nothing else is wrong."""
    verdict = device("GST001", {**tree(), **host(domain("a", hostdev("0000:07:00.0")))})

    assert ("F144", "F145") == verdict.refs
    assert "a does not name 0000:12:00.0; it names 0000:07:00.0, which does not exist" == (
        verdict.message
    )


def test_GST001_fails_without_the_guest():
    """A guest that is not there has no device."""
    assert FAIL == device("GST001", {**tree(), **host(domain("b"))}).outcome


def test_GST001_skips_a_device_meant_for_nobody():
    """Intended for guests, and no guest is named."""
    declared = Declared(devices=(WantedDevice(address=NIC),))

    assert SKIP == device("GST001", {**tree(), **host(domain("b"))}, declared).outcome


@pytest.mark.parametrize("items", [{}, LOST, {"domain/xml": domain("a")}])
def test_GST001_unknown_without_the_guests_xml(items):
    """A list of names, or a pasted file that may be old, proves no absence."""
    assert UNKNOWN == device("GST001", {**tree(), **items}).outcome


# -- GST002


def test_GST002_passes_where_the_function_exists():
    """The address is the host's."""
    assert PASS == given("GST002", {**tree(), **host(A)}).outcome


def test_GST002_fails_on_a_decimal_bus_and_names_the_one_meant():
    """The host has what the number would be in hexadecimal."""
    verdict = given("GST002", {**tree(), **host(A.replace("'0x12'", "'12'"))})

    assert (FAIL, NIC) == (verdict.outcome, verdict.expected)


@pytest.mark.parametrize("bus", ["0x13", "zz", "0x1234"])
def test_GST002_fails_on_an_address_of_nothing(bus):
    """No such function, no number, no bus."""
    assert FAIL == given("GST002", {**tree(), **host(A.replace("'0x12'", f"'{bus}'"))}).outcome


def test_GST002_unknown_without_the_list_of_functions():
    """A function that nobody saw may exist."""
    assert UNKNOWN == given("GST002", host(A)).outcome


# -- GST003, GST004

LIVE = domain("a", hostdev(NIC), id=1)
BARE = domain("a", id=1)


def test_GST003_fails_where_the_running_guest_is_older_than_its_xml():
    """Edited, rebooted from inside, and still without the device."""
    verdict = given("GST003", host(A, live=(BARE,)))

    assert (FAIL, "guest") == (verdict.outcome, verdict.acts)


def test_GST003_passes_where_the_running_guest_has_it():
    """Live is live."""
    assert PASS == given("GST003", host(A, live=(LIVE,))).outcome


def test_GST003_skips_a_guest_that_is_off():
    """It gets the device at its start."""
    assert SKIP == given("GST003", host(A)).outcome


@pytest.mark.parametrize("items", [{"domain/xml": A}, {"virsh/dumpxml-inactive": A}])
def test_GST003_unknown_where_nobody_says_whether_it_runs(items):
    """The stored XML says nothing of now."""
    assert UNKNOWN == given("GST003", items).outcome


def test_GST004_fails_on_a_device_attached_live_only():
    """It works until the next start."""
    assert FAIL == given("GST004", host(domain("a"), live=(LIVE,))).outcome


def test_GST004_passes_on_what_is_stored_and_on_a_networks_vf():
    """A VF from a pool has no place in the stored XML."""
    pool = "<network><name>p</name><forward mode='hostdev'/></network>"
    taken = "<interface type='network'><source network='p'/></interface>"
    got = hostdev(NIC).replace("hostdev mode='subsystem' type='pci'", "interface type='hostdev'")
    live = domain("a", got.replace("</hostdev>", "</interface>"), id=1)
    items = {**host(domain("a", taken), live=(live,)), "virsh/net-dumpxml": pool}

    assert [PASS, PASS] == outcomes(given("GST004", host(A, live=(LIVE,))), given("GST004", items))


def test_GST004_unknown_without_the_stored_xml():
    """The live XML says nothing of the next start."""
    assert UNKNOWN == given("GST004", {"virsh/dumpxml": LIVE}).outcome


# -- GST005, GST006


def test_GST005_fails_on_the_same_device_twice():
    """libvirt refuses the second."""
    assert FAIL == given("GST005", host(domain("a", hostdev(NIC), hostdev(NIC)))).outcome


def test_GST005_passes_once_in_each_xml():
    """Live and stored are two descriptions of one guest."""
    assert PASS == given("GST005", host(A, live=(LIVE,))).outcome


def test_GST005_unknown_where_one_xml_is_missing():
    """The other may name it twice."""
    assert UNKNOWN == given("GST005", {"virsh/dumpxml-inactive": A}).outcome


UNMANAGED = host(domain("a", hostdev(NIC, managed="no")))


@pytest.mark.parametrize("driver", ["i40e", "pci-stub", None])
def test_GST006_fails_where_nobody_detached_it(driver):
    """A host driver, and no driver at all, are refused alike."""
    assert FAIL == given("GST006", {**tree(driver=driver), **UNMANAGED}).outcome


def test_GST006_passes_where_libvirt_or_somebody_did():
    """managed='yes' may rest on its host driver (S21)."""
    assert [PASS, PASS] == outcomes(
        given("GST006", {**tree(driver="i40e"), **host(A)}),
        given("GST006", {**tree(), **UNMANAGED}),
    )


def test_GST006_unknown_without_the_driver():
    """The function was listed by nobody."""
    assert UNKNOWN == given("GST006", UNMANAGED).outcome


# -- GST007, GST008

B = domain("b", hostdev(NIC))
ON = {"a": LIVE, "b": domain("b", hostdev(NIC), id=2)}


@pytest.mark.parametrize(
    "items", [host(A, B, autostart="a b"), host(A, B, live=tuple(ON.values()))]
)
def test_GST007_fails_where_two_are_on_together(items):
    """Both start by themselves, or both run."""
    assert FAIL == device("GST007", {**tree(), **items}).outcome


@pytest.mark.parametrize(
    "items",
    [host(A, B), host(A, B, autostart="a"), host(A, B, live=(LIVE,), autostart="b"), host(A)],
)
def test_GST007_passes_where_guests_take_turns(items):
    """Two stored guests with one device are normal."""
    assert PASS == device("GST007", {**tree(), **items}).outcome


def test_GST007_unknown_without_all_guests_or_autostart():
    """A third guest may hide; who starts by itself may be unknown."""
    both = host(A, B)
    del both["virsh/list-autostart"]

    assert [UNKNOWN, UNKNOWN] == outcomes(
        device("GST007", {**tree(), **both}),
        device("GST007", {**tree(), "virsh/dumpxml-inactive": A}),
    )


SPLIT = (A, domain("b", hostdev(OTHER)))


def group(items):
    there = hypervisor(items)
    return ask("GST008", there, there.groups.known[1])


def shared():
    """NIC and OTHER in group 1."""
    return tree(group=1)


def test_GST008_fails_where_a_group_is_split():
    """Two functions of one group, two guests that start by themselves."""
    verdict = group({**shared(), **host(*SPLIT, autostart="a b")})

    assert (FAIL, "group 1 is split over a, b, which start by themselves") == (
        verdict.outcome,
        verdict.message,
    )


def test_GST008_passes_in_one_guest_or_by_turns():
    """All of the group in one guest; or two guests that nobody starts together."""
    together = domain("a", hostdev(NIC), hostdev(OTHER))

    assert [PASS, PASS, PASS] == outcomes(
        group({**shared(), **host(together, autostart="a")}),
        group({**shared(), **host(*SPLIT, autostart="a")}),
        group({**tree(), **host(*SPLIT, autostart="a b")}),
    )


def test_GST008_unknown_without_all_guests():
    """Another guest may have the rest."""
    assert UNKNOWN == group({**shared(), "virsh/dumpxml-inactive": A}).outcome


# -- GST009, GST022, GST023

RAW = domain(
    "a", body=f"<qemu:commandline><qemu:arg value='vfio-pci,host={NIC}'/></qemu:commandline>"
)


def test_GST009_fails_on_a_raw_argument():
    """libvirt prepares nothing for it."""
    assert FAIL == given("GST009", host(RAW)).outcome


def test_GST009_passes_a_hostdev():
    """libvirt knows of it."""
    assert PASS == given("GST009", host(A)).outcome


def test_GST009_unknown_without_any_guest():
    """Where no guest was read, the host stands in for the hostdevs that nobody knows."""
    said = [f for f in Judgement(whole_suite(), hypervisor({})) if f.id == "GST009"]

    assert [("host", UNKNOWN)] == [(f.kind, f.outcome) for f in said]


KVM = host(domain("a", hostdev(NIC, extra="<driver name='kvm'/>")))
IOMMUFD = host(domain("a", hostdev(NIC, extra="<driver iommufd='yes'/>")))


def test_GST022_fails_without_the_back_end():
    """Legacy assignment is gone; iommufd needs its node."""
    assert [FAIL, FAIL] == outcomes(
        given("GST022", KVM), given("GST022", {**IOMMUFD, "dev/iommu": None})
    )


def test_GST022_passes_by_group_and_with_the_node():
    """The classic interface, and iommufd where it is."""
    node = {"dev/iommu": "crw-rw---- 1 root kvm 10, 262 /dev/iommu\n"}

    assert [PASS, PASS] == outcomes(given("GST022", host(A)), given("GST022", {**IOMMUFD, **node}))


def test_GST022_unknown_where_nobody_looked_for_the_node():
    """/dev/iommu was not looked for."""
    assert UNKNOWN == given("GST022", IOMMUFD).outcome


def pair():
    """A PF and its VF."""
    pf = living.function(NIC, driver="i40e", group=1, virtfn0=f"../{VF}", sriov_numvfs="1")
    vf = living.function(VF, driver="vfio-pci", group=2, physfn=f"../{NIC}")
    return {"sys/bus/pci/devices": f"{pf}\n{vf}"}


def test_GST023_fails_where_both_are_given_away():
    """Taking the PF takes its VFs."""
    assert FAIL == device("GST023", {**pair(), **host(A, domain("b", hostdev(VF)))}).outcome


def test_GST023_passes_a_pf_whose_vfs_nobody_names():
    """The VFs vanish, and nobody wants them."""
    assert PASS == device("GST023", {**pair(), **host(A)}).outcome


def test_GST023_unknown_without_all_guests():
    """Another guest may name a VF."""
    assert UNKNOWN == device("GST023", {**pair(), "virsh/dumpxml-inactive": A}).outcome


# -- GST010, GST019, GST020

GIB = "<memory unit='GiB'>4</memory><currentMemory unit='GiB'>{}</currentMemory>"


def limited(size, *devices):
    return host(
        domain(
            "a",
            hostdev(NIC),
            *devices,
            body=f"<memtune><hard_limit unit='GiB'>{size}</hard_limit></memtune>",
        )
    )


def test_GST010_fails_below_memory_and_a_gib():
    """A blocker below the memory itself, worse than libvirt reckons above it."""
    low, near = guest("GST010", limited(3)), guest("GST010", limited(4))

    assert [FAIL, FAIL] == outcomes(low, near)
    assert (None, Severity.DEGRADED) == (low.severity, near.severity)


def test_GST010_fails_below_one_memory_for_each_device_with_a_viommu():
    """Each device then has an address space of its own."""
    items = limited(8, hostdev(OTHER), "<iommu model='intel'/>")

    assert "a may lock 8388608 KiB and needs 9437184 KiB" == guest("GST010", items).message


def test_GST010_passes_with_room_or_without_limit():
    """libvirt sets what is needed where nobody else does."""
    assert [PASS, PASS, SKIP] == outcomes(
        guest("GST010", limited(5)), guest("GST010", host(A)), guest("GST010", host(domain("a")))
    )


def test_GST010_unknown_without_the_xml():
    """A name has no limit."""
    assert UNKNOWN == guest("GST010", LOST).outcome


def test_GST019_fails_on_a_balloon():
    """2 of 4 GiB wanted, 4 pinned."""
    assert FAIL == guest("GST019", host(domain("a", hostdev(NIC), memory=GIB.format(2)))).outcome


def test_GST019_passes_without():
    """Both are equal, or nothing is pinned."""
    assert [PASS, SKIP] == outcomes(
        guest("GST019", host(A)), guest("GST019", host(domain("a", memory=GIB.format(2))))
    )


def test_GST019_unknown_without_the_xml():
    """A name has no memory."""
    assert UNKNOWN == guest("GST019", LOST).outcome


def huge(size="<page size='1' unit='GiB'/>"):
    backing = f"<memoryBacking><hugepages>{size}</hugepages></memoryBacking>"
    return host(domain("a", hostdev(NIC), body=backing))


def pools(*, gib=0, mib=0):
    node = f"online=0\nnode0/hugepages/hugepages-1048576kB/nr_hugepages={gib}\n"
    meminfo = f"MemTotal: 1 kB\nHugePages_Total:   {mib}\nHugepagesize:    2048 kB\n"
    return {"sys/devices/system/node": node, "proc/meminfo": meminfo}


def test_GST020_fails_where_the_pool_is_too_small():
    """4 GiB do not go into 3 pages of 1 GiB, nor into 2047 of 2 MiB."""
    assert [FAIL, FAIL] == outcomes(
        guest("GST020", {**huge(), **pools(gib=3)}),
        guest("GST020", {**huge(""), **pools(mib=2047)}),
    )


def test_GST020_passes_where_it_fits():
    """Enough pages, or none asked for."""
    assert [PASS, PASS, SKIP] == outcomes(
        guest("GST020", {**huge(), **pools(gib=4)}),
        guest("GST020", {**huge(""), **pools(mib=2048)}),
        guest("GST020", host(A)),
    )


def test_GST020_unknown_without_the_pools():
    """The guest asks, and nobody counted."""
    assert UNKNOWN == guest("GST020", huge()).outcome
