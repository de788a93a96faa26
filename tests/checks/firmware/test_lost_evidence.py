"""Sick hosts, and what is left of their verdicts when evidence is lost."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pytest_vfio.check import Outcome
from pytest_vfio.evidence import Item, Status
from pytest_vfio.judge import suite
from pytest_vfio.judge.suite import layer
from tests.ask import ask
from tests.hosts import acpi_tables as tables
from tests.hosts.plain import hypervisor

ACPI = "sys/firmware/acpi/tables/"
NIC = "0000:12:00.0"
BAD = {Outcome.FAIL, Outcome.UNKNOWN}
CHECKS = [
    check
    for check in suite.packaged()
    if layer(check) in {"firmware", "iommu"} and check.subject in {"host", "device"}
]


def log(*lines: str) -> str:
    """A whole kernel log."""
    head = "[    0.000000] Linux version 6.12.0 (x@y)\n[    0.1] pci 0000:12:00.0: [8086:1572]\n"
    return head + "".join(f"[    1.000000] {line}\n" for line in lines)


HEALTHY = {
    "systemd/detect-virt": "none\n",
    "sys/hypervisor": "",
    "sys/class/dmi/id": "sys_vendor=HPE\n",
    "proc/cpuinfo": "vendor_id\t: GenuineIntel\n"
    "address sizes\t: 46 bits physical, 48 bits virtual\nflags\t: lm vmx\n",
    "proc/sys/kernel/osrelease": "6.12.0\n",
    "proc/sys/kernel/tainted": "0\n",
    "sys/kernel/security/lockdown": "[none] integrity\n",
    "dev/kvm": "crw-rw----",
    "proc/interrupts": "  CPU0\n 8: 0 IR-IO-APIC 8-edge rtc0\n",
    ACPI: "APIC\nDMAR\n",
    ACPI + "DMAR": tables.dmar(),
    ACPI + "IVRS": None,
    ACPI + "IORT": None,
    "devicetree/iommu": None,
    "sys/class/iommu": "dmar0/intel-iommu/cap=8d2078c106f0466\ndmar0/intel-iommu/ecap=f020df\n",
    "sys/kernel/iommu_groups": f"38/devices/{NIC}->x\n38/type=DMA\n"
    "38/reserved_regions=0x00000000fee00000 0x00000000feefffff msi\n",
    "sys/bus/pci/devices": f"{NIC}->../../../devices/pci0000:11/0000:11:00.0/{NIC}\n"
    f"{NIC}/vendor=0x8086\n{NIC}/device=0x1572\n{NIC}/class=0x020000\n"
    f"{NIC}/driver->../x/vfio-pci\n{NIC}/iommu_group->../x/iommu_groups/38\n",
    "sys/module": "vfio_iommu_type1/parameters/allow_unsafe_interrupts=N\nvfio=\n",
    "sys/bus/thunderbolt/devices": None,
    "dmesg": log(
        "DMAR: Intel(R) Virtualization Technology for Directed I/O",
        "DMAR-IR: Enabled IRQ remapping in x2apic mode",
    ),
    "journal/kernel": log(),
    "proc/cmdline": "vfio-pci.ids=8086:1572\n",
}
OFF = {
    **HEALTHY,
    "sys/class/iommu": "",
    "sys/kernel/iommu_groups": "",
    "proc/interrupts": "  CPU0\n 8: 0 IO-APIC 8-edge rtc0\n",
    "sys/bus/pci/devices": HEALTHY["sys/bus/pci/devices"].replace(
        f"{NIC}/iommu_group->../x/iommu_groups/38\n", ""
    ),
    "dmesg": log("DMAR: Initialization failed", "DMAR-IR: Not enabling interrupt remapping"),
}
HOSTS = {
    "healthy": HEALTHY,
    "off": OFF,
    "not described": {**OFF, ACPI: "APIC\n", ACPI + "DMAR": None},
    "amd": {
        **OFF,
        ACPI: "IVRS\n",
        ACPI + "DMAR": None,
        ACPI + "IVRS": tables.ivrs(()),
        "dmesg": log(
            "AMD-Vi: [Firmware Bug]: : IOAPIC[33] not in IVRS table",
            "AMD-Vi: IOMMU not currently supported when SME is active",
            "AMD-Vi: Disable IOMMU on Stoney Ridge",
        ),
    },
    "virtual": {
        **OFF,
        "systemd/detect-virt": "kvm\n",
        "sys/class/dmi/id": "sys_vendor=QEMU\n",
        "proc/cpuinfo": "vendor_id\t: GenuineIntel\nflags\t: lm hypervisor\n",
        "dev/kvm": None,
        ACPI: "APIC\n",
        ACPI + "DMAR": None,
    },
    "xen": {**OFF, "sys/hypervisor": "type=xen\nproperties/features=00002f75\n"},
    "everything": {
        **HEALTHY,
        "proc/sys/kernel/tainted": "2176\n",
        "sys/kernel/security/lockdown": "none [integrity]\n",
        "sys/bus/thunderbolt/devices": "domain0/security=none\ndomain0/iommu_dma_protection=0\n",
        "sys/module": "vfio_iommu_type1/parameters/allow_unsafe_interrupts=Y\n"
        "vfio/parameters/enable_unsafe_noiommu_mode=Y\n",
        ACPI + "DMAR": tables.dmar(flags=2, rmrr=[(0x11, ((0, 0), (0, 0)))])[:-1] + b"\x01",
        "sys/kernel/iommu_groups": f"38/devices/{NIC}->x\n38/type=DMA\n"
        "38/reserved_regions=0x00000000fee00000 0x00000000feefffff direct\n",
        "sys/class/iommu": "dmar0/intel-iommu/cap=8d2078c10260466\ndmar0/intel-iommu/ecap=f020c0\n",
        "proc/interrupts": OFF["proc/interrupts"],
        "dmesg": log(
            "DMAR: [Firmware Bug]: RMRR entry for device 02:00.0 is broken - applying workaround",
            "DMAR: [DMA Read] Request device [12:00.0] fault addr f00 [fault reason 06] x",
            "DMAR: [DMA Read] Request device [13:00.0] fault addr f00 [fault reason 06] x",
            "DMAR: VT-d detected Invalidation Time-out Error: SID 1",
            "DMAR: IOMMU feature x inconsistent",
            "DMAR: Intel-IOMMU force enabled due to platform opt in",
            "pci x: Device needs domain type a, but device y in the same iommu group requires b",
            "iommu: Memory encryption detected - Disabling default IOMMU Passthrough",
            "Loading of unsigned module is rejected",
        ),
    },
}
#: What each sick host has to be told, whatever else.
CAUSES = {
    "healthy": set(),
    "off": {"IOM001", "IOM002"},
    "not described": {"FW002", "IOM001", "IOM002"},
    "amd": {"FW004", "FW009", "IOM001", "IOM002", "IOM004"},
    "virtual": {"FW001", "FW002", "FW011", "FW012", "IOM001", "IOM002"},
    "xen": {"FW011", "IOM001", "IOM002"},
    "everything": {
        *("FW005", "FW006", "FW007", "FW008", "FW010", "FW013", "FW014", "FW015"),
        *("IOM002", "IOM005", "IOM006", "IOM007", "IOM008", "IOM009", "IOM010", "IOM011"),
        *("IOM012", "IOM013", "IOM014"),
    },
}


def judged(items):
    """Every verdict of the firmware's and the IOMMU's checks on a host and on its one NIC."""
    host = hypervisor(items)
    found = {}
    for check in CHECKS:
        for subject in [None] if check.subject == "host" else host.intent.known:
            found[check.id] = ask(check.id, host, subject)
    return found


@pytest.mark.parametrize("name", HOSTS)
def test_each_host_is_told_its_causes(name):
    """No more and no less fails."""
    failed = {id for id, said in judged(HOSTS[name]).items() if said.outcome is Outcome.FAIL}

    assert CAUSES[name] == failed


def better(before, items):
    """What sounds better than it did."""
    after = judged(items)
    return [
        (id, said.message, after[id].message)
        for id, said in before.items()
        if said.outcome in BAD and id in after and after[id].outcome not in BAD
    ]


@pytest.mark.parametrize("name", HOSTS)
def test_no_item_less_sounds_better(name):
    """Each single item."""
    items = HOSTS[name]
    before = judged(items)

    for lost in items:
        assert [] == better(before, {k: v for k, v in items.items() if k != lost})


@settings(max_examples=60)
@given(data=st.data())
def test_no_two_items_less_sound_better(data):
    """Any pair."""
    items = HOSTS[data.draw(st.sampled_from(sorted(HOSTS)))]
    lost = data.draw(st.lists(st.sampled_from(sorted(items)), min_size=2, max_size=2, unique=True))

    assert [] == better(judged(items), {k: v for k, v in items.items() if k not in lost})


@settings(max_examples=100)
@given(data=st.data())
def test_no_cut_item_sounds_better(data):
    """A transfer that broke at any byte."""
    items = HOSTS[data.draw(st.sampled_from(sorted(HOSTS)))]
    name = data.draw(st.sampled_from(sorted(name for name, what in items.items() if what)))
    whole = items[name] if isinstance(items[name], bytes) else items[name].encode()
    end = data.draw(st.integers(0, len(whole)))
    cut = Item(name, Status.TRUNCATED, whole[:end])

    assert [] == better(judged(items), {**items, name: cut})
