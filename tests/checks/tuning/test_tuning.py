"""The checks of tuning: what works, and costs throughput or latency."""

from __future__ import annotations

import pytest

from pytest_vfio.check import ADVICE, Outcome, Verdict
from pytest_vfio.declared import Declared, WantedDevice
from pytest_vfio.evidence import Status
from tests.ask import ask
from tests.hosts.in_use import FUNCTIONS, GUEST, function, host
from tests.hosts.plain import hypervisor

FAIL, PASS, SKIP, UNKNOWN = Outcome.FAIL, Outcome.PASS, Outcome.SKIP, Outcome.UNKNOWN

ONE_NODE = {"sys/devices/system/node": "online=0\nnode0/cpulist=0-7"}
TWO_NODES = {"sys/devices/system/node": "online=0-1\nnode0/cpulist=0-3\nnode1/cpulist=4-7"}


def of_host(id: str, **changes: object) -> Verdict:
    return ask(id, hypervisor(host(**changes)))


def of_device(id: str, **changes: object) -> Verdict:
    found = hypervisor(host(**changes), Declared(devices=(WantedDevice(address=GUEST),)))
    return ask(id, found, found.intent.known[0])


def card(numa: int = -1, **files: str) -> dict[str, str]:
    """The host whose card for guests is on this node."""
    mine = function(GUEST, driver="vfio-pci", group=13, numa=numa, **files)
    return {"sys/bus/pci/devices": "\n".join({**FUNCTIONS, GUEST: mine}.values())}


def guest(*parts: str, memory: int = 4, vcpu: int = 4) -> dict[str, str]:
    """The items of one guest that has the card, of so many GiB; `parts` stand in its XML."""
    text = (
        f"<domain type='kvm'><name>nfv1</name><memory unit='GiB'>{memory}</memory>"
        f"<vcpu>{vcpu}</vcpu>{''.join(parts)}<devices><hostdev mode='subsystem' type='pci'><source>"
        f"<address domain='0x0000' bus='0x04' slot='0x00' function='0x0'/></source></hostdev>"
        f"</devices></domain>"
    )
    return {
        "virsh/list": " -   nfv1   shut off\n",
        "virsh/dumpxml": text,
        "virsh/dumpxml-inactive": text,
    }


def of_guest(id: str, **changes: object) -> Verdict:
    found = hypervisor(host(**changes))
    return ask(id, found, found.guests.known[0])


def of_hostdev(id: str, **changes: object) -> Verdict:
    found = hypervisor(host(**changes))
    return ask(id, found, found.guests.known[0].hostdevs[0])


# -- TUN001


def test_TUN001_fails_without_a_node_on_a_host_of_two():
    """The kernel's -1 on a machine with two sockets."""
    verdict = of_device("TUN001", **card(), **TWO_NODES)

    assert FAIL == verdict.outcome
    assert "has 2 nodes" in verdict.message


def test_TUN001_fails_where_another_device_has_a_node():
    """Without the list of nodes a device that has one shows that there are some."""
    other = function("0000:05:00.0", driver=None, numa=0)
    tree = card()["sys/bus/pci/devices"] + f"\n{other}"
    verdict = of_device("TUN001", **{"sys/bus/pci/devices": tree})

    assert FAIL == verdict.outcome
    assert "0000:05:00.0 is on node 0" in verdict.message


def test_TUN001_passes_on_a_known_node():
    """Which one is of no interest here."""
    assert PASS == of_device("TUN001", **card(1)).outcome


def test_TUN001_skips_where_there_is_one_node():
    """Nothing can be far."""
    assert SKIP == of_device("TUN001", **card(), **ONE_NODE).outcome


def test_TUN001_unknown_without_the_nodes():
    """No device has a node, and nobody counted them."""
    assert UNKNOWN == of_device("TUN001", **card()).outcome
    assert UNKNOWN == of_device("TUN001", **{"sys/bus/pci/devices": Status.DENIED}).outcome


# -- TUN002


PINNED = "<cputune><vcpupin vcpu='0' cpuset='{}'/></cputune>"
STRICT = "<numatune><memory mode='strict' nodeset='{}'/></numatune>"


@pytest.mark.parametrize(
    "part", [PINNED.format("0-3"), STRICT.format("0"), PINNED.format("4-7,^4-7")]
)
def test_TUN002_fails_off_the_node(part):
    """vCPUs or memory are bound to the other socket."""
    verdict = of_hostdev("TUN002", **card(1), **TWO_NODES, **guest(part))

    assert FAIL == verdict.outcome


def test_TUN002_fails_as_advice_where_nothing_is_pinned():
    """A guest that floats may land anywhere."""
    verdict = of_hostdev("TUN002", **card(1), **TWO_NODES, **guest())

    assert (FAIL, ADVICE) == (verdict.outcome, verdict.severity)


def test_TUN002_passes_on_the_node():
    """One vCPU on the node is enough, wide guests have nodes of their own."""
    parts = PINNED.format("3-4"), STRICT.format("0-1")

    assert PASS == of_hostdev("TUN002", **card(1), **TWO_NODES, **guest(*parts)).outcome


def test_TUN002_skips_where_there_is_one_node():
    """Nothing can be far."""
    assert SKIP == of_hostdev("TUN002", **card(0), **ONE_NODE, **guest()).outcome


def test_TUN002_unknown_without_nodes_or_live_definition():
    """The list of nodes, and how the guest runs."""
    assert UNKNOWN == of_hostdev("TUN002", **card(1), **guest()).outcome
    items = guest(PINNED.format("4-7")) | {"virsh/list": " 1   nfv1   running\n"}
    items["virsh/dumpxml"] = Status.NOT_COLLECTED

    assert UNKNOWN == of_hostdev("TUN002", **card(1), **TWO_NODES, **items).outcome


# -- TUN003


def test_TUN003_fails_on_a_big_guest_in_small_pages():
    """64 GiB in pages of 4 KiB."""
    verdict = of_guest("TUN003", **guest(memory=64))

    assert FAIL == verdict.outcome
    assert "64 GiB" in verdict.message


def test_TUN003_passes_with_hugepages():
    """Any size of them."""
    backing = "<memoryBacking><hugepages/></memoryBacking>"

    assert PASS == of_guest("TUN003", **guest(backing, memory=64)).outcome


def test_TUN003_skips_small_guests():
    """4 GiB are mapped fast enough."""
    assert SKIP == of_guest("TUN003", **guest(memory=4)).outcome


def test_TUN003_unknown_without_the_definition():
    """A guest of which only the name is known."""
    items = {"virsh/list": " 1   nfv1   running\n", "virsh/dumpxml": Status.NOT_COLLECTED,
             "virsh/dumpxml-inactive": Status.NOT_COLLECTED}  # fmt: skip

    assert UNKNOWN == of_guest("TUN003", **items).outcome


# -- TUN004


POSTING = f"dmar0/intel-iommu/cap={1 << 59 | 3 << 34 | 0x2F0000:x}\ndmar0/intel-iommu/ecap=f050da"
APICV = "kvm_intel=\nkvm_intel/parameters/enable_apicv=Y"
AMD = "ivhd0/amd-iommu/cap=1\nivhd0/amd-iommu/features=2"


@pytest.mark.parametrize(
    "items",
    [
        {"sys/class/iommu": POSTING.replace(f"{1 << 59 | 3 << 34 | 0x2F0000:x}", "d2008c40660462"),
         "sys/module": APICV},
        {"sys/class/iommu": POSTING, "sys/module": APICV.replace("=Y", "=N")},
        {"sys/class/iommu": POSTING, "sys/module": APICV, "proc/cmdline": "a intremap=nopost"},
        {"sys/class/iommu": AMD, "sys/module": "kvm_amd=\nkvm_amd/parameters/avic=N"},
    ],
    ids=["unit", "apicv", "nopost", "avic"],
)  # fmt: skip
def test_TUN004_fails_where_interrupts_stop_the_guest(items):
    """The hardware, KVM's option, the command line; AVIC on AMD."""
    assert FAIL == of_host("TUN004", **items).outcome


def test_TUN004_passes_where_they_are_posted():
    """All units can, and KVM does."""
    assert PASS == of_host("TUN004", **{"sys/class/iommu": POSTING, "sys/module": APICV}).outcome


def test_TUN004_skips_other_iommus():
    """An SMMU has its own ways."""
    items = {"sys/class/iommu": "smmu3.0x1=", "sys/module": APICV}

    assert SKIP == of_host("TUN004", **items).outcome


@pytest.mark.parametrize("name", ["sys/class/iommu", "sys/module", "proc/cmdline"])
def test_TUN004_unknown_without_a_part(name):
    """Units, module parameters and the command line all decide."""
    items = {"sys/class/iommu": POSTING, "sys/module": APICV, "sys/firmware/acpi/tables/DMAR": b"x"}

    assert UNKNOWN == of_host("TUN004", **items | {name: Status.DENIED}).outcome


# -- TUN006


LOG = "[    0.000000] Linux version 6.1.0\n"
PAYLOAD = (
    f"[    1.2] pci {GUEST}: can't set Max Payload Size to 256; if necessary, use "
    '"pci=pcie_bus_safe" and report a bug\n'
)


def test_TUN006_fails_on_the_kernels_complaint():
    """The kernel says so at boot."""
    assert FAIL == of_device("TUN006", dmesg=LOG + PAYLOAD).outcome


def test_TUN006_passes_on_a_whole_log_without_it():
    """Another function's trouble is not this one's."""
    assert PASS == of_device("TUN006", dmesg=LOG + PAYLOAD.replace(GUEST, "0000:05:00.0")).outcome


def test_TUN006_unknown_on_a_log_that_is_not_whole():
    """Silence of a part proves nothing."""
    assert UNKNOWN == of_device("TUN006").outcome
    assert UNKNOWN == of_device("TUN006", dmesg="[  99.0] something\n").outcome


# -- TUN007


def rows(*counts: int) -> dict[str, str]:
    head = " ".join(f"CPU{cpu}" for cpu in range(len(counts)))
    text = (
        f"     {head}\n 55: {' '.join(map(str, counts))} IR-PCI-MSI 1-edge vfio-msix[0]({GUEST})\n"
    )
    return {"proc/interrupts": text}


def test_TUN007_fails_where_the_other_socket_handles_them():
    """Most were handled on node 0, the device is on node 1."""
    verdict = of_device("TUN007", **card(1), **TWO_NODES, **rows(90, 0, 0, 0, 10, 0, 0, 0))

    assert FAIL == verdict.outcome
    assert "90 of 100" in verdict.message


def test_TUN007_passes_where_its_own_socket_does():
    """A few on the other node are no matter."""
    assert (
        PASS == of_device("TUN007", **card(1), **TWO_NODES, **rows(9, 0, 0, 0, 90, 0, 0, 0)).outcome
    )


@pytest.mark.parametrize(
    "items",
    [
        {**card(1), **TWO_NODES, "proc/interrupts": "CPU0\n"},
        {**card(-1), **TWO_NODES, **rows(1)},
        {**card(0), **ONE_NODE, **rows(1)},
    ],
    ids=["idle", "no node", "one node"],
)
def test_TUN007_skips_where_nothing_is_far(items):
    """No interrupts, no node, or one node."""
    assert SKIP == of_device("TUN007", **items).outcome


def test_TUN007_unknown_without_interrupts_or_nodes():
    """Who handles them, and where that is."""
    assert UNKNOWN == of_device("TUN007", **card(1), **TWO_NODES).outcome
    assert UNKNOWN == of_device("TUN007", **card(1), **rows(1)).outcome


# -- TUN008


def bars(start: int, size: int) -> dict[str, str]:
    text = f"{start:#018x} {start + size - 1:#018x} 0x0000000000040200"
    mine = card()["sys/bus/pci/devices"]
    return {"sys/bus/pci/devices": f"{mine}\n{GUEST}/resource={text}"}


def test_TUN008_fails_on_a_small_bar_inside_a_page():
    """1 KiB that begins in the middle of a page."""
    verdict = of_device("TUN008", **bars(0xC6000400, 0x400))

    assert FAIL == verdict.outcome
    assert "0xc6000400" in verdict.message


def test_TUN008_passes_on_whole_pages_and_on_small_bars_at_a_page():
    """VFIO keeps the rest of the page free, if the BAR begins it."""
    assert PASS == of_device("TUN008", **bars(0xC6000000, 0x1000000)).outcome
    assert PASS == of_device("TUN008", **bars(0xC6001000, 0x400)).outcome


def test_TUN008_unknown_without_resources():
    """Nobody read where the BARs are."""
    assert UNKNOWN == of_device("TUN008", **{"sys/bus/pci/devices": Status.TRUNCATED}).outcome


# -- TUN009


def total(gib: int) -> dict[str, str]:
    return {"proc/meminfo": f"MemTotal: {gib * 1024 * 1024} kB\n"}


def test_TUN009_fails_on_a_guest_that_alone_is_too_big():
    """All of it is pinned, and the host needs some."""
    verdict = of_guest("TUN009", **guest(memory=64), **total(64))

    assert FAIL == verdict.outcome
    assert verdict.severity is None


def test_TUN009_fails_beside_guests_that_run():
    """Each fits alone, both do not: worse than good, better than nothing."""
    items = guest(memory=40)
    other = (
        items["virsh/dumpxml"].replace("nfv1", "nfv2").replace("type='kvm'", "type='kvm' id='2'")
    )
    items["virsh/list"] += " 2   nfv2   running\n"
    items["virsh/dumpxml"] += other
    items["virsh/dumpxml-inactive"] += other.replace(" id='2'", "")
    verdict = of_guest("TUN009", **items, **total(64))

    assert FAIL == verdict.outcome
    assert "beside nfv2" in verdict.message
    assert "degraded" == verdict.severity


def test_TUN009_passes_where_all_fits():
    """Enough for all of them."""
    assert PASS == of_guest("TUN009", **guest(memory=40), **total(64)).outcome


def test_TUN009_passes_on_a_guest_of_nearly_all_of_the_memory():
    """The GiB that libvirt reckons is room in a limit: such a guest was seen to start."""
    assert PASS == of_guest("TUN009", **guest(memory=63), **total(64)).outcome


def test_TUN009_unknown_without_the_hosts_memory():
    """A guest may be too big for a host of unknown size."""
    assert UNKNOWN == of_guest("TUN009", **guest(memory=40)).outcome
    assert UNKNOWN == of_guest("TUN009", **guest(memory=40), **total(64),
                               **{"virsh/list-autostart": Status.DENIED}).outcome  # fmt: skip


# -- TUN010


TYPE1 = "vfio_iommu_type1=\nvfio_iommu_type1/parameters/disable_hugepages=N"


@pytest.mark.parametrize(
    "items",
    [
        {"sys/module": TYPE1.replace("=N", "=Y")},
        {"proc/cmdline": "a intel_iommu=on,sp_off"},
        {"sys/class/iommu": "dmar0/intel-iommu/cap=d2000000660462\ndmar0/intel-iommu/ecap=f050da"},
    ],
    ids=["option", "word", "unit"],
)
def test_TUN010_fails_where_large_pages_are_refused(items):
    """The module's option, the command line, the hardware."""
    base = {"sys/class/iommu": POSTING, "sys/module": TYPE1}

    assert FAIL == of_host("TUN010", **base | items).outcome


def test_TUN010_passes_where_nothing_refuses_them():
    """The defaults."""
    assert PASS == of_host("TUN010", **{"sys/class/iommu": POSTING, "sys/module": TYPE1}).outcome


def test_TUN010_skips_without_the_module():
    """Nothing is mapped yet."""
    assert SKIP == of_host("TUN010", **{"sys/class/iommu": POSTING, "sys/module": "kvm="}).outcome


@pytest.mark.parametrize("name", ["sys/class/iommu", "sys/module", "proc/cmdline"])
def test_TUN010_unknown_without_a_part(name):
    """Each of them may refuse."""
    items = {"sys/class/iommu": POSTING, "sys/module": TYPE1, name: Status.DENIED}

    assert UNKNOWN == of_host("TUN010", **items).outcome
