"""Units, the ladder, interrupts, faults: facts of the IOMMU."""

from __future__ import annotations

import itertools
from contextlib import suppress

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pytest_vfio.evidence import Extent, Item, Missing, Status, Tree
from pytest_vfio.facts.iommu.faults import read_faults
from pytest_vfio.facts.iommu.units import read_units
from pytest_vfio.facts.kernel.log import KernelLog
from pytest_vfio.facts.tristate import known
from tests.hosts import acpi_tables as tables
from tests.hosts.plain import evidence, grepped, hypervisor

X86 = {"proc/cpuinfo": "vendor_id\t: GenuineIntel\nflags\t: lm vmx\n"}


def unit(text: str):
    (found,) = read_units(Tree.of(Item("sys/class/iommu", Status.PRESENT, text.encode())))
    return found


def test_intels_registers_are_decoded():
    """A server's unit: 48 bits, posted interrupts, remapping in x2APIC mode."""
    found = unit("dmar0/intel-iommu/cap=8d2078c106f0466\ndmar0/intel-iommu/ecap=f020df\n")

    assert ("intel", 48, True) == (found.kind, found.address_width, found.posts_interrupts)
    assert (True, True) == (found.remaps_interrupts, found.extended_interrupts)
    assert ("2M", "1G") == found.large_pages


def test_a_register_that_was_not_read_is_missing():
    """It is not one without the bit."""
    cut = Item("sys/class/iommu", Status.TRUNCATED, b"dmar0/intel-iommu/address=0\n")
    unread = Item("sys/class/iommu", Status.PRESENT, b"dmar0/intel-iommu/ecap!denied\n")

    for item in (cut, unread):
        (found,) = read_units(Tree.of(item))
        with pytest.raises(Missing):
            _ = found.remaps_interrupts


@pytest.mark.parametrize("text", ["246577efa2254afa", "0:246577efa2254afa", "246577efa2254afa:10"])
def test_amds_features_are_one_or_two_registers(text):
    """One register to 5.18, EFR2:EFR to 6.6, EFR:EFR2 from 6.7 on."""
    found = unit(f"ivhd0/amd-iommu/features={text}\nivhd0/amd-iommu/cap=40\n")

    assert ("amd", 0x246577EFA2254AFA) == (found.kind, found.features)
    assert found.remaps_interrupts is None


@given(st.text(alphabet="dmar0/intel-iommu=cap>-!\n\x00é", max_size=200))
def test_no_tree_makes_units_raise(text):
    """Registers of garbage are unknown."""
    for found in read_units(Tree.of(Item("sys/class/iommu", Status.PRESENT, text.encode()))):
        assert found.name
        assert (known(lambda found=found: found.cap) or 0) >= 0


@given(st.text(alphabet="DMAR: []Request device0123456789abcdef.faultreasonx\n", max_size=300))
def test_no_log_makes_faults_raise(text):
    """Whatever stands in the log."""
    assert isinstance(read_faults(KernelLog(evidence({"dmesg": text}))), tuple)


@given(
    bus=st.integers(0, 255),
    device=st.integers(0, 31),
    function=st.integers(0, 7),
    reason=st.integers(1, 0x99),
    at=st.integers(0, 2**64 - 1),
)
def test_vtd_faults_read_back(bus, device, function, reason, at):
    """Both forms tell the same, whatever the base (S26)."""
    name = f"{bus:02x}:{device:02x}.{function}"
    old = f"DMAR: [DMA Read] Request device [{name}] fault addr {at:x} [fault reason {reason:02d}]"
    new = (
        f"DMAR: [DMA Read NO_PASID] Request device [{name}] fault addr {at:#x}"
        f" [fault reason {reason:#04x}] x"
    )
    for line in (old, new):
        (fault,) = read_faults(KernelLog(evidence({"dmesg": line + "\n"})))
        assert (name, at, reason) == (fault.device, fault.at, fault.reason)
        assert fault.of(f"0000:{name}")
        assert fault.of(f"0001:{name}")  # the segment is not printed


def test_an_amd_fault_may_name_its_segment():
    """From 6.1 on another segment's device is another device."""
    line = "AMD-Vi: Event logged [IO_PAGE_FAULT device=0001:12:00.0 domain=0x1 address=0x2 flags=0]"
    (fault,) = read_faults(KernelLog(evidence({"dmesg": line})))

    assert fault.of("0001:12:00.0")
    assert not fault.of("0000:12:00.0")


LADDER = {
    "sys/class/iommu": "dmar0/intel-iommu/cap=d2008c40660462\n",
    "sys/kernel/iommu_groups": "0/type=DMA\n0/devices/0000:00:00.0->x\n",
    "sys/bus/pci/devices": (
        "0000:00:00.0->../../../devices/pci0000:00/0000:00:00.0\n0000:00:00.0/vendor=0x8086\n"
        "0000:00:00.0/device=0x1\n0000:00:00.0/class=0x060000\n"
        "0000:00:00.0/iommu_group->../../../kernel/iommu_groups/0\n"
    ),
    "dmesg": "[    0.000000] Linux version 6.12.0 (x@y)\n"
    "[    0.5] DMAR: Intel(R) Virtualization Technology for Directed I/O\n",
}
OFF = {"sys/class/iommu": "", "sys/kernel/iommu_groups": "", "sys/bus/pci/devices": "", **X86}


@pytest.mark.parametrize("name", LADDER)
def test_each_rung_alone_proves_it(name):
    """The first that is there answers."""
    assert hypervisor({name: LADDER[name]}).iommu.on


def test_state_beats_the_log():
    """A log of a boot that went well does not contradict what is there now."""
    off = hypervisor({**OFF, "dmesg": LADDER["dmesg"]})

    assert not off.iommu.on
    assert "no unit in /sys/class/iommu" == off.iommu.off_reading


@pytest.mark.parametrize("lost", list(itertools.combinations(OFF, 2)))
def test_what_is_off_never_becomes_on(lost):
    """Off, with any two items less, is off or unknown."""
    iommu = hypervisor({name: what for name, what in OFF.items() if name not in lost}).iommu
    with suppress(Missing):
        assert not iommu.on


def test_a_noiommu_group_is_none():
    """Neither its number nor its presence counts."""
    groups = "40/name=vfio-noiommu\n40/type=unknown\n40/devices/0000:12:00.0->x\n"
    devices = (
        "0000:12:00.0->x/0000:12:00.0\n0000:12:00.0/driver->x/vfio-pci\n"
        "0000:12:00.0/iommu_group->x/iommu_groups/40\n"
    )
    iommu = hypervisor({"sys/kernel/iommu_groups": groups, "sys/bus/pci/devices": devices}).iommu

    assert not iommu.on
    assert iommu.noiommu


def test_an_arm_host_may_have_no_units():
    """Elsewhere than on a PC groups decide."""
    arm = {"proc/cpuinfo": "CPU implementer\t: 0x41\nCPU architecture: 8\n", "sys/class/iommu": ""}

    with pytest.raises(Missing):
        _ = hypervisor(arm).iommu.on
    assert not hypervisor({**arm, "sys/kernel/iommu_groups": ""}).iommu.on
    assert hypervisor({**arm, "sys/kernel/iommu_groups": "0/type=DMA\n"}).iommu.on


TABLES = "sys/firmware/acpi/tables/"
NONE = {TABLES + name: None for name in ("DMAR", "IVRS", "IORT")}


@pytest.mark.parametrize(
    ("items", "kind"),
    [
        ({"sys/class/iommu": "dmar0/intel-iommu/cap=1\n", **NONE}, "intel"),
        ({"sys/class/iommu": "ivhd0/amd-iommu/cap=1\n"}, "amd"),
        ({"sys/class/iommu": "smmu3.0x0000000009050000->x\n"}, "smmu"),
        ({**NONE, TABLES + "DMAR": tables.dmar()}, "intel"),
        ({**NONE, TABLES + "IVRS": tables.ivrs()}, "amd"),
        ({**NONE, TABLES + "IORT": tables.iort()}, "smmu"),
        ({**NONE, TABLES + "IORT": tables.iort(smmu=False)}, None),
        ({"dmesg": grepped("dmesg", "AMD-Vi: Extended features (0x1): x\n")}, "amd"),
        (NONE, None),
    ],
)
def test_the_kind_follows_from_units_tables_and_drivers(items, kind):
    """Never from the CPU: an AMD CPU may have a DMAR, in an emulated host."""
    amd = {"proc/cpuinfo": "vendor_id\t: AuthenticAMD\nflags\t: lm svm\n"}

    assert kind == hypervisor({**amd, **items}).iommu.kind


def test_the_kind_is_unknown_where_nothing_was_read():
    """Not even the CPU would tell."""
    with pytest.raises(Missing):
        _ = hypervisor(X86).iommu.kind


def test_iommuv2s_line_on_an_intel_host_is_none():
    """`AMD IOMMUv2 functionality not available` is printed on Intel hosts (S12)."""
    line = "AMD-Vi: AMD IOMMUv2 functionality not available on this system - This is not a bug.\n"

    with pytest.raises(Missing):
        _ = hypervisor({"dmesg": grepped("dmesg", line)}).iommu.kind


@pytest.mark.parametrize("lost", ["proc/interrupts", "dmesg", "sys/class/iommu"])
def test_remapping_that_is_off_never_becomes_on(lost):
    """Without any one item it is off or unknown."""
    items = {
        "proc/interrupts": "  CPU0\n 8: 0 IO-APIC 8-edge rtc0\n",
        "dmesg": "Linux version 6.1\nDMAR-IR: Not enabling interrupt remapping\n",
        "sys/class/iommu": "dmar0/intel-iommu/ecap=f050d2\n",
    }
    iommu = hypervisor({name: what for name, what in items.items() if name != lost}).iommu

    assert not iommu.interrupt_remapping


# -- on or off by a log alone


def boot_log(*said: str, version: str = "6.1.0-18-amd64", joins: str = "") -> str:
    """The log of a whole boot of a PC, with some lines of the IOMMU's driver in it."""
    lines = [f"Linux version {version} (x@y) #1 SMP", "Command line: ro quiet",
             "BIOS-e820: [mem 0x0000000000000000-0x000000000009ffff] usable"]  # fmt: skip
    lines += [f"ACPI: x{number}" for number in range(80)]
    lines += ["pci 0000:00:00.0: [8086:3e30] type 00 class 0x060000", *said]
    lines += [f"pci 0000:00:{number:02x}.0: y" for number in range(1, 20)]
    lines += [joins] if joins else []
    lines += [f"clocksource {number}" for number in range(80)]
    lines += ["Freeing unused kernel image (initmem) memory: 2796K", "Run /init as init process"]
    return "".join(f"[{at / 100:12.6f}] {line}\n" for at, line in enumerate(lines))


FOUND = ("ACPI: DMAR 0x000000007A5B1000 0000A8", "DMAR: Host address width 39",
         "DMAR-IR: Enabled IRQ remapping in x2apic mode")  # fmt: skip


@pytest.mark.parametrize("extent", [Extent.WHOLE, Extent.ELIDED])
@pytest.mark.parametrize("said", [FOUND, (), ("AMD-Vi: Using global IVHD EFR:0x246577efa2254afa",)])
def test_the_log_of_a_whole_boot_says_that_it_is_off(extent, said):
    """No driver took over and nothing joined a group, whoever handed the log over."""
    log = Item("dmesg", Status.PRESENT, boot_log(*said).encode(), extent=extent)

    assert hypervisor({"dmesg": log}).iommu.on is False


@pytest.mark.parametrize(
    "joins",
    [
        "pci 0000:00:00.0: Adding to iommu group 0",
        "nvme 0000:01:00.0: Adding to iommu group 5",
        "mlx5_core 0000:01:00.0: Adding to iommu group 14",
        "DMAR: Intel(R) Virtualization Technology for Directed I/O",
    ],
)
def test_the_log_of_a_whole_boot_says_that_it_is_on(joins):
    """By whatever driver had the function by then."""
    assert hypervisor({"dmesg": boot_log(*FOUND, joins=joins)}).iommu.on is True


@pytest.mark.parametrize(
    "text",
    [
        boot_log(*FOUND).split("ACPI: x40")[1],  # its beginning is lost
        boot_log(*FOUND).split("clocksource 9")[0],  # it ends before init
        "\n".join(line for line in boot_log(*FOUND).split("\n") if "DMAR" in line or "Lin" in line),
        boot_log(*FOUND).replace("clocksource 5\n", "clocksource 5\n...\n"),
    ],
)
def test_a_part_of_a_log_does_not_say_that_it_is_off(text):
    """Silence of what is missing proves nothing."""
    found = hypervisor(
        {"dmesg": Item("dmesg", Status.PRESENT, text.encode(), extent=Extent.ELIDED)}
    )

    with pytest.raises(Missing):
        _ = found.iommu.on


def test_a_group_of_vfio_itself_does_not_show_an_iommu():
    """No-IOMMU mode makes groups, too."""
    joins = "vfio-pci 0000:01:00.0: Adding to iommu group 0"

    assert hypervisor({"dmesg": boot_log(*FOUND, joins=joins)}).iommu.on is False


def test_of_two_boots_in_one_text_the_last_one_counts():
    """The older one lends the newer nothing."""
    on = boot_log(*FOUND, joins="pci 0000:00:00.0: Adding to iommu group 0")
    off = boot_log(*FOUND, version="6.12.0-1-amd64")

    assert hypervisor({"dmesg": on + off}).iommu.on is False
    assert hypervisor({"dmesg": off + on}).iommu.on is True
    assert "6.12.0-1-amd64" in hypervisor({"dmesg": on + off}).klog.first("Linux version").text
