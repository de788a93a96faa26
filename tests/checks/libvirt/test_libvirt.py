"""The checks of libvirt itself."""

from __future__ import annotations

import pytest

from pytest_vfio.check import Outcome, Severity
from pytest_vfio.declared import Declared, WantedDevice, WantedGuest
from pytest_vfio.evidence import Item, Status
from tests.ask import ask
from tests.hosts import in_use as living
from tests.hosts.guest_xml import domain, host, hostdev, nodedev
from tests.hosts.plain import grepped, hypervisor

NIC = "0000:12:00.0"
ONE = Declared(devices=(WantedDevice(address=NIC),))
GUESTS = Declared(guests={"nfv1": WantedGuest((NIC,))})
LOG = "[    0.000000] Linux version 6.12.0 (x@y)\n[    9.000000] {}\n"


def of(id, items, declared=ONE):
    return ask(id, hypervisor(items, declared))


def device(id, items):
    there = hypervisor(items, ONE)
    return ask(id, there, there.intent.known[0])


# -- LIB001


def test_LIB001_passes_where_libvirt_answered():
    """What virsh printed proves that libvirt is there."""
    assert Outcome.PASS == of("LIB001", host()).outcome


@pytest.mark.parametrize("line", ["virtqemud running", "libvirtd running", "virtqemud socket"])
def test_LIB001_passes_with_a_daemon_or_its_socket(line):
    """A daemon that its socket will start is healthy, and is not woken."""
    assert Outcome.PASS == of("LIB001", {"libvirt/daemons": f"virtlogd running\n{line}\n"}).outcome


def test_LIB001_fails_where_nothing_would_answer():
    """A log daemon alone drives no guest."""
    assert Outcome.FAIL == of("LIB001", {"libvirt/daemons": "virtlogd running\n"}).outcome


def test_LIB001_fails_without_libvirt_where_guests_are_wanted():
    """No libvirt at all is a failure only where the inventory names guests for it."""
    assert Outcome.FAIL == of("LIB001", {"libvirt/daemons": None}, GUESTS).outcome
    assert Outcome.SKIP == of("LIB001", {"libvirt/daemons": None}).outcome


def test_LIB001_skips_where_its_folder_is_not_there():
    """No daemon and no folder of guests: other programs drive QEMU here."""
    items = {"libvirt/daemons": "", "etc/libvirt/qemu/": None}

    assert Outcome.SKIP == of("LIB001", items).outcome
    assert Outcome.FAIL == of("LIB001", {**items, "etc/libvirt/qemu/": ""}).outcome
    assert Outcome.FAIL == of("LIB001", {**items, "etc/libvirt/qemu/": Status.DENIED}).outcome


def test_LIB001_unknown_where_libvirt_may_not_be_installed():
    """No daemon, and nobody looked for its folder: it may be another program's host."""
    items = {"libvirt/daemons": "", "etc/libvirt/qemu/": Status.NOT_COLLECTED}

    assert Outcome.UNKNOWN == of("LIB001", items).outcome
    assert Outcome.FAIL == of("LIB001", items, GUESTS).outcome


def test_LIB001_unknown_where_nobody_looked():
    """Neither an answer nor a list of daemons."""
    assert Outcome.UNKNOWN == of("LIB001", {"virsh/list": Status.DENIED}).outcome


# -- LIB002

CAPS = "<capabilities>\n<host>\n<iommu support='{}'/>\n</host>\n</capabilities>\n"
GROUP = {"sys/kernel/iommu_groups": f"1/devices/{NIC}->../../../../devices/{NIC}\n"}
NODE = {"dev/vfio/vfio": "crw-rw-rw- 1 root root 10, 196 /dev/vfio/vfio\n"}


def test_LIB002_passes_by_libvirts_word():
    """The capabilities say that there is an IOMMU."""
    assert Outcome.PASS == of("LIB002", {"virsh/capabilities": CAPS.format("yes")}).outcome


def test_LIB002_passes_by_libvirts_own_test():
    """Where libvirt sleeps, a group and the node are what it would look at."""
    assert Outcome.PASS == of("LIB002", {**GROUP, **NODE}).outcome


@pytest.mark.parametrize(
    "items",
    [
        {"virsh/capabilities": CAPS.format("no")},
        {**GROUP, "dev/vfio/vfio": None},
        {**NODE, "sys/kernel/iommu_groups": "", "sys/bus/pci/devices": ""},
    ],
)
def test_LIB002_fails_without_group_or_node(items):
    """Either half of libvirt's test is enough to fail it."""
    verdict = of("LIB002", items)

    assert Outcome.FAIL is verdict.outcome


@pytest.mark.parametrize("items", [{}, GROUP, NODE, {"virsh/capabilities": "<capabilities>"}])
def test_LIB002_unknown_with_half_of_it(items):
    """One half proves nothing."""
    assert Outcome.UNKNOWN == of("LIB002", items).outcome


# -- LIB003, LIB004


def sysfs(**fields):
    return {
        "sys/bus/pci/devices": living.function(NIC, **{"driver": "vfio-pci", "group": 1, **fields})
    }


def test_LIB003_passes_where_the_node_device_is_listed():
    """One node device proves itself, whole list or not."""
    items = {"virsh/nodedev-dumpxml": grepped("virsh/nodedev-dumpxml", nodedev(NIC))}

    assert Outcome.PASS == device("LIB003", items).outcome


def test_LIB003_fails_where_a_whole_list_lacks_it():
    """libvirt listed its devices, and this one is not there."""
    items = {**sysfs(), "virsh/nodedev-dumpxml": nodedev("0000:13:00.0")}

    assert Outcome.FAIL == device("LIB003", items).outcome


def test_LIB003_unknown_where_the_list_is_not_whole():
    """Another device's XML says nothing of this one."""
    items = {"virsh/nodedev-dumpxml": grepped("virsh/nodedev-dumpxml", nodedev("0000:13:00.0"))}

    assert Outcome.UNKNOWN == device("LIB003", {**sysfs(), **items}).outcome
    assert Outcome.UNKNOWN == device("LIB003", sysfs()).outcome


def test_LIB004_passes_where_both_agree():
    """Driver, group and VFs are the same."""
    items = {**sysfs(sriov_totalvfs="64"), "virsh/nodedev-dumpxml": nodedev(NIC, vfs=64)}

    assert Outcome.PASS == device("LIB004", items).outcome


@pytest.mark.parametrize(
    "xml", [nodedev(NIC, driver="i40e"), nodedev(NIC, driver=None), nodedev(NIC, group=2)]
)
def test_LIB004_fails_where_libvirt_has_an_old_picture(xml):
    """Another driver, none, or another group than the kernel's."""
    assert Outcome.FAIL == device("LIB004", {**sysfs(), "virsh/nodedev-dumpxml": xml}).outcome


def test_LIB004_unknown_where_there_is_no_second_view():
    """libvirt's view is not compared with itself."""
    assert Outcome.UNKNOWN == device("LIB004", {"virsh/nodedev-dumpxml": nodedev(NIC)}).outcome


# -- LIB005

CONF = "etc/libvirt/qemu.conf"


@pytest.mark.parametrize(
    "text",
    [
        None,
        "",
        "#dynamic_ownership = 0\n",
        "dynamic_ownership = 1\n",
        'user = "root"\ndynamic_ownership = 0\n',
        "dynamic_ownership = 0\nuser = '+0'\n",
    ],
)
def test_LIB005_passes_where_the_node_is_handed_over(text):
    """The default, and QEMU as root."""
    assert Outcome.PASS == of("LIB005", {CONF: text}).outcome


@pytest.mark.parametrize(
    "text", ["dynamic_ownership = 0\n", 'user = "qemu"\ndynamic_ownership=0 # x\n']
)
def test_LIB005_fails_for_an_ordinary_user(text):
    """Nobody gives the node to QEMU."""
    assert Outcome.FAIL == of("LIB005", {CONF: text}).outcome


def test_LIB005_unknown_where_the_file_is_closed():
    """qemu.conf belongs to root."""
    assert Outcome.UNKNOWN == of("LIB005", {CONF: Status.DENIED}).outcome


# -- LIB006

SAYINGS = {
    "F141": "unsupported configuration: host doesn't support passthrough of host PCI devices",
    "F142": "Unmanaged PCI device 0000:12:00.0 must be manually detached from the host",
    "F143": "PCI device 0000:12:00.0 is in use by driver QEMU, domain nfv2",
    "F145": "Device 0000:0c:00.0 not found: could not access /sys/bus/pci/devices/0000:0c:00.0",
    "F136": "network 'p' requires exclusive access to interfaces, but none are available",
    "F148": "cannot limit locked memory of process 111 to 90071992547: Operation not permitted",
    "F160": "cannot migrate a domain with <hostdev mode='subsystem' type='pci'>",
    "F164": "Failed to trigger a probe for PCI device '0000:12:00.0'",
    "F156": "internal error: No more available PCI slots",
    "F168": "per-device boot elements cannot be used together with os/boot elements",
    "F158": "more than 255 vCPUs require extended interrupt mode enabled on the iommu device",
}


@pytest.mark.parametrize(("ref", "line"), SAYINGS.items())
def test_LIB006_fails_on_libvirts_own_words(ref, line):
    """Each known line is named with its entry, in a grepped log too."""
    verdict = of("LIB006", {"libvirt.log": grepped("libvirt.log", f"virtqemud[7]: {line}\n")})

    assert (Outcome.FAIL, (ref,)) == (verdict.outcome, verdict.refs)
    assert line in verdict.evidence[0].line


def test_LIB006_passes_on_a_whole_clean_journal():
    """Silence counts where all of the log is there."""
    assert Outcome.PASS == of("LIB006", {"journal/libvirt": "virtqemud[7]: started\n"}).outcome


def test_LIB006_unknown_on_a_grepped_clean_log():
    """Silence of chosen lines proves nothing."""
    assert Outcome.UNKNOWN == of("LIB006", {"libvirt.log": grepped("libvirt.log", "x\n")}).outcome


# -- LIB007

DENIALS = {
    "F150": 'audit: type=1400 audit(1.2:3): apparmor="DENIED" operation="open" class="file" '
    'profile="libvirt-6695eb01" name="/dev/vfio/38" pid=7 requested_mask="wr"',
    "F151": 'audit: type=1400 audit(1.2:3): avc:  denied  { open } for  pid=7 comm="qemu-kvm" '
    'path="/dev/vfio/38" dev="devtmpfs" scontext=system_u:system_r:svirt_t:s0:c1 tclass=chr_file',
}


@pytest.mark.parametrize(("ref", "line"), DENIALS.items())
def test_LIB007_fails_on_a_denial(ref, line):
    """A denial of the node is a blocker, in a grepped log too."""
    verdict = of("LIB007", {"dmesg": grepped("dmesg", f"[    9.0] {line}\n")})

    assert (Outcome.FAIL, (ref,), Severity.BLOCKER) == (
        verdict.outcome,
        verdict.refs,
        verdict.severity,
    )


def test_LIB007_passes_on_a_whole_log_without():
    """Denials of other files are somebody else's."""
    line = 'audit: type=1400 audit(1.2:3): apparmor="DENIED" operation="open" name="/etc/shadow"'

    assert Outcome.PASS == of("LIB007", {"dmesg": LOG.format(line)}).outcome


def test_LIB007_unknown_on_part_of_a_log():
    """A denial may stand in what is not there."""
    assert Outcome.UNKNOWN == of("LIB007", {"dmesg": grepped("dmesg", "[    9.0] x\n")}).outcome


# -- LIB008

POOL = "<network><name>pool</name>\n<forward mode='hostdev'>\n{}\n</forward></network>\n"
LISTED = POOL.format("<address type='pci' domain='0x0' bus='0x12' slot='0x2' function='0x0'/>")
TAKES = "<interface type='network'>\n<source network='pool'/>\n</interface>"


def pool(*guests, network=LISTED, autostart="a b"):
    return {**host(*guests, autostart=autostart), "virsh/net-dumpxml": network}


def test_LIB008_fails_where_more_take_than_there_is():
    """Two guests start by themselves and share one VF."""
    verdict = of("LIB008", pool(domain("a", TAKES), domain("b", TAKES)))

    assert Outcome.FAIL == verdict.outcome
    assert "network pool has 1 VFs, and a, b need 2 at once" == verdict.message


def test_LIB008_fails_where_the_pf_has_no_vfs():
    """A pool by its PF has the PF's VFs: none were made."""
    items = pool(domain("a", TAKES), network=POOL.format("<pf dev='enp18s0'/>"))
    tree = living.function(NIC, driver="i40e", group=1, **{"net/enp18s0": ""})

    assert Outcome.FAIL == of("LIB008", {**items, "sys/bus/pci/devices": tree}).outcome


def test_LIB008_passes_where_one_at_a_time_takes():
    """Stored guests that nobody starts take nothing."""
    assert (
        Outcome.PASS
        == of("LIB008", pool(domain("a", TAKES), domain("b", TAKES), autostart="a")).outcome
    )


def test_LIB008_skips_without_a_pool():
    """Other networks hand out no VFs."""
    assert Outcome.SKIP == of("LIB008", pool(network="<network><name>d</name></network>")).outcome


def test_LIB008_unknown_without_networks_or_guests():
    """Which networks there are, and who takes, has to be known."""
    assert Outcome.UNKNOWN == of("LIB008", host(domain("a", TAKES))).outcome
    assert Outcome.UNKNOWN == of("LIB008", {"virsh/net-dumpxml": LISTED}).outcome


# -- LIB009

OPEN = "vfio/openers"
HELD = {
    "sys/bus/pci/devices": living.function(NIC, driver="vfio-pci", group=7),
    "sys/kernel/iommu_groups": f"7/devices/{NIC}->../../../../devices/{NIC}\n",
}
RUNS = host(domain("a", hostdev(NIC)), live=(domain("a", hostdev(NIC), id=1),))


@pytest.mark.parametrize(
    "line", ["812 dpdk-testpmd /dev/vfio/7\n", "9 qemu-system-x86 /dev/vfio/7\n"]
)
def test_LIB009_fails_where_no_guest_holds_it(line):
    """DPDK, or a QEMU that libvirt does not know."""
    verdict = device("LIB009", {**HELD, **host(), OPEN: line})

    assert (Outcome.FAIL, Severity.BLOCKER) == (verdict.outcome, verdict.severity)


def test_LIB009_fails_on_a_stranger_beside_a_guest():
    """Two holders, of which one is no QEMU: that is enough to know."""
    lines = "9 qemu-system-x86 /dev/vfio/7\n812 reactor_0 /dev/vfio/7\n"

    assert Outcome.FAIL == device("LIB009", {**HELD, **RUNS, OPEN: lines}).outcome
    assert Outcome.FAIL == device("LIB009", {**HELD, OPEN: grepped(OPEN, lines)}).outcome


def test_LIB009_passes_where_its_guest_or_nobody_holds_it():
    """Another group's holder is none."""
    for items in ({OPEN: "9 qemu-system-x86 /dev/vfio/7\n", **RUNS}, {OPEN: "9 x /dev/vfio/77\n"}):
        assert Outcome.PASS == device("LIB009", {**HELD, **items}).outcome


def test_LIB009_unknown_without_the_processes_or_the_guests():
    """An ordinary user sees only own processes."""
    closed = {OPEN: Item(OPEN, Status.DENIED)}
    qemu = {OPEN: "9 qemu-system-x86 /dev/vfio/7\n"}

    assert Outcome.UNKNOWN == device("LIB009", {**HELD, **host(), **closed}).outcome
    assert Outcome.UNKNOWN == device("LIB009", {**HELD, **qemu}).outcome
