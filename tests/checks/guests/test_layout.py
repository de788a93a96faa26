"""The checks of how guests are built for their devices, and of what they tell."""

from __future__ import annotations

import pytest
from msgspec.structs import replace

from pytest_vfio.check import Outcome, Severity
from pytest_vfio.evidence import Status
from pytest_vfio.hypervisor.hypervisor import Hypervisor
from pytest_vfio.judge.judgement import Judgement
from pytest_vfio.parse import qemulog
from tests.ask import ask
from tests.hosts import in_use as living
from tests.hosts.guest_xml import domain, host, hostdev
from tests.hosts.plain import grepped, hypervisor
from tests.hosts.recorded import whole_suite

NIC, OTHER, VF = "0000:12:00.0", "0000:12:00.1", "0000:12:02.0"
FAIL, PASS, SKIP, UNKNOWN = Outcome.FAIL, Outcome.PASS, Outcome.SKIP, Outcome.UNKNOWN
A = domain("a", hostdev(NIC))
LIVE = domain("a", hostdev(NIC), id=1)
ON = host(A, live=(LIVE,))
LOST = {"virsh/list": host(A)["virsh/list"]}  # the guest is known, its XML is not
SYSFS = "sys/bus/pci/devices"
PORT = "<controller type='pci' index='{}' model='pcie-root-port'/>"


def guest(id, items):
    there = hypervisor(items)
    return ask(id, there, there.guests.known[0])


def given(id, items):
    there = hypervisor(items)
    return ask(id, there, there.guests.known[0].hostdevs[0])


def outcomes(*verdicts):
    return [verdict.outcome for verdict in verdicts]


@pytest.mark.parametrize(
    "id", ["GST010", "GST011", "GST012", "GST015", "GST016", "GST017", "GST018", "GST021", "GST026"]
)
def test_a_guest_without_devices_is_left_alone(id):
    """What is asked of guests with devices does not apply to others."""
    assert SKIP == guest(id, host(domain("a"))).outcome


# -- GST012, GST017, GST018


@pytest.mark.parametrize("machine", ["pc", "pc-i440fx-8.2"])
def test_GST012_fails_on_i440fx(machine):
    """pc is an alias of it."""
    assert FAIL == guest("GST012", host(domain("a", hostdev(NIC), machine=machine))).outcome


def test_GST012_passes_on_q35():
    """And on virt."""
    assert [PASS, PASS] == outcomes(
        guest("GST012", host(A)),
        guest("GST012", host(domain("a", hostdev(NIC), machine="virt-8.2"))),
    )


def test_GST012_unknown_without_the_xml():
    """A name has no machine."""
    assert UNKNOWN == guest("GST012", LOST).outcome


def test_GST017_fails_on_an_emulated_guest():
    """Type qemu is emulation."""
    assert FAIL == guest("GST017", host(domain("a", hostdev(NIC), type="qemu"))).outcome


def test_GST017_passes_with_kvm():
    """Type kvm."""
    assert PASS == guest("GST017", host(A)).outcome


def test_GST017_unknown_without_the_xml():
    """A name has no type."""
    assert UNKNOWN == guest("GST017", LOST).outcome


ORDERED = hostdev(NIC, extra="<boot order='1'/>")


def test_GST018_fails_with_both_orders():
    """libvirt refuses that."""
    items = host(domain("a", ORDERED, os="<boot dev='hd'/>"))

    assert FAIL == guest("GST018", items).outcome


def test_GST018_passes_with_one():
    """Either is fine."""
    assert [PASS, PASS] == outcomes(
        guest("GST018", host(domain("a", ORDERED))),
        guest("GST018", host(domain("a", hostdev(NIC), os="<boot dev='hd'/>"))),
    )


def test_GST018_unknown_without_the_xml():
    """A name has no order."""
    assert UNKNOWN == guest("GST018", LOST).outcome


# -- GST013, GST014, GST015


def test_GST013_fails_on_bus_0():
    """pcie.0 is for what is integrated."""
    assert FAIL == given("GST013", host(domain("a", hostdev(NIC, inside="00:05.0")))).outcome


def test_GST013_passes_behind_a_port():
    """And does not apply where libvirt will choose, or where there is no Express."""
    conventional = domain("a", hostdev(NIC, inside="00:05.0"), machine="pc")

    assert [PASS, SKIP, SKIP] == outcomes(
        given("GST013", host(domain("a", hostdev(NIC, inside="05:00.0")))),
        given("GST013", host(A)),
        given("GST013", host(conventional)),
    )


def test_GST013_unknown_without_any_guest():
    """Where no guest was read, the host stands in for the hostdevs that nobody knows."""
    said = [f for f in Judgement(whole_suite(), hypervisor({})) if f.id == "GST013"]

    assert [("host", UNKNOWN)] == [(f.kind, f.outcome) for f in said]


def running(*devices):
    return host(A, live=(domain("a", hostdev(NIC, inside="05:00.0"), *devices, id=1),))


def test_GST014_fails_where_every_port_is_taken():
    """The only port has the device."""
    assert FAIL == guest("GST014", running(PORT.format(5))).outcome


def test_GST014_passes_with_a_spare_port():
    """Only a running guest can be plugged into."""
    assert [PASS, SKIP] == outcomes(
        guest("GST014", running(PORT.format(5), PORT.format(6))), guest("GST014", host(A))
    )


def test_GST014_unknown_without_the_live_xml():
    """It may run."""
    assert UNKNOWN == guest("GST014", {"virsh/dumpxml-inactive": A}).outcome


@pytest.mark.parametrize("first", ["", hostdev(NIC, inside="05:00.0")])
def test_GST015_fails_where_function_0_is_silent(first):
    """No function 0, or one that does not announce others."""
    items = host(domain("a", first, hostdev(OTHER, inside="05:00.1")))

    assert FAIL == guest("GST015", items).outcome


def test_GST015_passes_with_multifunction():
    """Function 0 announces the other."""
    items = host(domain("a", hostdev(NIC, inside="05:00.0+"), hostdev(OTHER, inside="05:00.1")))

    assert PASS == guest("GST015", items).outcome


def test_GST015_unknown_without_the_xml():
    """A name has no slots."""
    assert UNKNOWN == guest("GST015", LOST).outcome


# -- GST016


def viommu(driver, model="intel", body=""):
    inside = f"<iommu model='{model}'><driver {driver}/></iommu>"
    return host(domain("a", hostdev(NIC), inside, body=body))


SPLIT = "<features><ioapic driver='{}'/></features>"


@pytest.mark.parametrize(
    "items",
    [
        viommu("intremap='on'"),
        viommu("caching_mode='on' intremap='on'", body=SPLIT.format("kvm")),
        viommu("caching_mode='on' eim='on'"),
        viommu("caching_mode='on'", body="<vcpu>300</vcpu>"),
        viommu("intremap='on'", model="amd"),
    ],
)
def test_GST016_fails_where_qemu_would_refuse(items):
    """Each rule by itself."""
    assert FAIL == guest("GST016", items).outcome


def test_GST016_passes_as_libvirt_documents_it():
    """And virtio-iommu needs none of it."""
    good = viommu("caching_mode='on' intremap='on' eim='on'", body=SPLIT.format("qemu"))

    assert [PASS, PASS] == outcomes(guest("GST016", good), guest("GST016", viommu("", "virtio")))


def test_GST016_unknown_without_the_xml():
    """A name has no IOMMU."""
    assert UNKNOWN == guest("GST016", LOST).outcome


# -- GST024


def large(gib, *, efi=False, cpu="host-model"):
    line = f"0x0000000800000000 0x{0x800000000 + (gib << 30) - 1:016x} 0x000000000014220c"
    loader = "<loader type='pflash'>/x</loader>" if efi else ""
    items = host(domain("a", hostdev(NIC), os=loader, body=f"<cpu mode='{cpu}'/>"))
    text = living.function(NIC, driver="vfio-pci", group=1)
    return {**items, SYSFS: f"{text}\n{NIC}/resource={line}\n"}


@pytest.mark.parametrize("items", [large(16), large(64, efi=True), large(64)])
def test_GST024_fails_where_the_window_is_too_small(items):
    """BIOS from 1 GiB on, UEFI from 32 GiB on unless the CPU is the host's."""
    assert FAIL == given("GST024", items).outcome


def test_GST024_passes_where_it_fits():
    """UEFI with the host's CPU."""
    assert [PASS, PASS] == outcomes(
        given("GST024", large(16, efi=True)),
        given("GST024", large(64, efi=True, cpu="host-passthrough")),
    )


def test_GST024_unknown_without_the_regions():
    """Nobody read the sizes."""
    text = living.function(NIC, driver="vfio-pci", group=1)
    items = {SYSFS: grepped(SYSFS, text)}

    assert UNKNOWN == given("GST024", {**host(A), **items}).outcome


# -- GST011

LINES = {
    "F53": "failed to setup container for group 38: Failed to set iommu for container:"
    " Operation not permitted",
    "F92": "vfio 0000:12:00.0: group 38 is not viable",
    "F97": "vfio 0000:12:00.0: group 38 used in multiple address spaces",
    "F49": "vfio 0000:12:00.0: no iommu_group found: No such file or directory",
    "F147": "VFIO_MAP_DMA failed: Cannot allocate memory",
    "F149": "VFIO_MAP_DMA failed: No space left on device",
    "F59": "vfio_container_dma_map(0x55, 0x3800000000, 0x1000000, 0x7f) = -22 (Invalid argument)",
    "F116": "vfio_err_notifier_handler(0000:12:00.0) Unrecoverable error detected. Please collect",
    "F153": "failed to open /dev/vfio/38: Permission denied",
    "F158": "We need to set caching-mode=on for intel-iommu to enable device assignment",
    "F166": "error bind device fd=12 to iommufd=11: Operation not permitted",
    "F167": "unable to map backing store for guest RAM: Cannot allocate memory",
    "F156": "Bus 'pcie.0' does not support hotplugging",
    "F184": "Failed to mmap 0000:12:00.0 BAR 0. Performance may be slow",
    "F164": "Hot-unplug failed: guest is busy (power indicator blinking)",
}
START = "2026-01-02 03:04:05.678+0000: starting up libvirt version: 11.3.0, qemu version: 10.0.2\n"
LOG = "var/log/libvirt/qemu/a.log"


def test_every_known_line_of_qemu_is_tried():
    """The table and the samples go together."""
    assert {known.ref for known in qemulog.QEMU} == set(LINES)


@pytest.mark.parametrize(("ref", "line"), LINES.items())
def test_GST011_fails_on_qemus_own_words(ref, line):
    """Each known line is named with its entry."""
    verdict = guest("GST011", {**host(A), LOG: f"{START}{line}\n"})

    assert (FAIL, (ref,)) == (verdict.outcome, verdict.refs)
    assert line == verdict.evidence[0].line


@pytest.mark.parametrize(
    ("uptime", "severity"), [("3600.00 7000.00", None), ("864000.00 1.0", "blocker")]
)
def test_GST011_fails_as_a_blocker_where_the_failed_start_is_of_this_boot(uptime, severity):
    """What failed before the host was booted anew may have been fixed by that."""
    items = {**host(A), LOG: f"{START}{LINES['F147']}\n", "proc/uptime": f"{uptime}\n"}
    found = hypervisor(items)
    when = Hypervisor(replace(found.evidence, collected="2026-01-05T00:00:00Z"))

    assert severity == ask("GST011", when, when.guests.known[0]).severity


def test_GST011_passes_where_only_an_earlier_start_failed():
    """The log is one file over all starts; a tail that has the last one is enough."""
    text = f"{START}{LINES['F92']}\nshutting down\n{START}char device redirected\n"

    assert [PASS, PASS, PASS] == outcomes(
        guest("GST011", {**host(A), LOG: text}),
        guest("GST011", {**host(A), LOG: grepped(LOG, text)}),
        guest("GST011", {**host(A), "var/log/libvirt/qemu/": "b.log\n"}),
    )


def test_GST011_fails_on_a_loose_log_that_names_its_device():
    """A pasted log belongs to the guest whose device it names."""
    assert [FAIL, UNKNOWN] == outcomes(
        guest("GST011", {**host(A), "qemu.log": grepped("qemu.log", LINES["F92"])}),
        guest("GST011", {**host(A), "qemu.log": grepped("qemu.log", LINES["F147"])}),
    )


def test_GST011_unknown_where_the_log_is_closed():
    """The logs belong to root."""
    assert UNKNOWN == guest("GST011", {**host(A), LOG: Status.DENIED}).outcome


# -- GST021

CONF = "etc/default/libvirt-guests"
NO_OTHER = {"etc/sysconfig/libvirt-guests": None}


@pytest.mark.parametrize("text", ["ON_SHUTDOWN=suspend\n", "#ON_SHUTDOWN=suspend\n"])
def test_GST021_fails_where_guests_are_suspended(text):
    """Said, or the shipped default in a comment."""
    assert FAIL == guest("GST021", {**host(A), CONF: text, **NO_OTHER}).outcome


def test_GST021_passes_where_they_are_shut_down():
    """What is set beats the comment; no settings, nothing to say; a transient VF may leave."""
    leaving = hostdev(NIC, extra="<teaming type='transient' persistent='ua-x'/>")
    text = "#ON_SHUTDOWN=suspend\nON_SHUTDOWN=shutdown\n"

    assert [PASS, SKIP, SKIP] == outcomes(
        guest("GST021", {**host(A), CONF: text, **NO_OTHER}),
        guest("GST021", {**host(A), CONF: None, **NO_OTHER}),
        guest("GST021", host(domain("a", leaving))),
    )


def test_GST021_unknown_without_the_settings():
    """Nobody read them."""
    assert UNKNOWN == guest("GST021", host(A)).outcome


# -- GST026


def paused(*, log=""):
    return {**host(A, live=(LIVE,), states={"a": "paused"}), LOG: START + log}


def test_GST026_fails_on_a_paused_guest():
    """Worse where QEMU says that the device did it."""
    by_hand, by_error = guest("GST026", paused()), guest("GST026", paused(log=LINES["F116"]))

    assert [FAIL, FAIL] == outcomes(by_hand, by_error)
    assert (None, Severity.BLOCKER) == (by_hand.severity, by_error.severity)


def test_GST026_passes_running_or_off():
    """Both are states in order."""
    assert [PASS, PASS] == outcomes(guest("GST026", ON), guest("GST026", host(A)))


def test_GST026_unknown_without_a_state():
    """The XML of a running guest does not say whether it is paused."""
    assert UNKNOWN == guest("GST026", {"virsh/dumpxml": LIVE}).outcome


# -- GST027

INSIDE = "guest/a/lspci"
SEEN = "05:00.0 Ethernet controller [0200]: Intel X710 [8086:1572] (rev 02)\n"
HERE = {SYSFS: living.function(NIC, driver="vfio-pci", group=1)}


def test_GST027_fails_where_the_guest_shows_too_few():
    """The XML says one, the guest shows none."""
    other = "00:02.0 VGA [0300]: Red Hat [1b36:0100]\n"

    assert FAIL == given("GST027", {**ON, **HERE, INSIDE: other}).outcome


def test_GST027_passes_where_the_guest_shows_it():
    """Part of the list is enough to prove presence; a guest that is off shows nothing."""
    assert [PASS, SKIP] == outcomes(
        given("GST027", {**ON, **HERE, INSIDE: grepped(INSIDE, SEEN)}),
        given("GST027", {**host(A), **HERE, INSIDE: SEEN}),
    )


IRQ = "  41:  0  7  IR-PCI-MSIX-{}  3-edge  vfio-msix[3]({})\n"


def test_GST027_passes_where_the_guests_driver_has_switched_interrupts_on():
    """VFIO names its lines by function; those of another device prove nothing."""
    used = given("GST027", {**ON, **HERE, "proc/interrupts": IRQ.format(NIC, NIC)})
    other = given("GST027", {**ON, **HERE, "proc/interrupts": IRQ.format(NIC, OTHER)})

    assert (PASS, "vfio-msix[3](0000:12:00.0)") == (used.outcome, used.evidence[0].line)
    assert (FAIL, "advice") == (other.outcome, other.severity)


def test_GST027_unknown_where_nobody_looked_inside():
    """Not looking is not seeing."""
    assert UNKNOWN == given("GST027", {**ON, **HERE}).outcome


# -- GST028

FOLDERS = {"etc/udev/rules.d/": "99.rules\n", "etc/systemd/network/": None}
RULE = 'ACTION=="add", SUBSYSTEM=="net", ATTR{device/sriov_numvfs}="4"\n'
STARTS = {
    **host(domain("a", hostdev(VF)), autostart="a"),
    SYSFS: living.function(VF, driver="vfio-pci", group=2, physfn=f"../{NIC}"),
}


def test_GST028_fails_where_no_rule_makes_the_vf():
    """Something else does, maybe after libvirt."""
    rule = {"etc/udev/rules.d/99.rules": "# " + RULE}

    assert FAIL == given("GST028", {**STARTS, **FOLDERS, **rule}).outcome


def test_GST028_passes_where_udev_makes_it():
    """udev is early; a guest that nobody starts can wait."""
    rule = {"etc/udev/rules.d/99.rules": RULE}

    assert [PASS, SKIP] == outcomes(
        given("GST028", {**STARTS, **FOLDERS, **rule}),
        given("GST028", {**STARTS, **FOLDERS, **rule, "virsh/list-autostart": ""}),
    )


def test_GST028_unknown_without_the_rules():
    """One may be among those that were not read."""
    assert UNKNOWN == given("GST028", STARTS).outcome
