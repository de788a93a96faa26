"""The checks of the IOMMU."""

from __future__ import annotations

import pytest

from pytest_vfio.check import Outcome
from pytest_vfio.declared import Declared, WantedDevice
from tests.ask import ask, what_to_do
from tests.hosts import acpi_tables as tables
from tests.hosts import guest_xml as guestxml
from tests.hosts.plain import grepped, hypervisor

DMAR, IVRS, IORT = (f"sys/firmware/acpi/tables/{name}" for name in ("DMAR", "IVRS", "IORT"))
NO_TABLES = {DMAR: None, IVRS: None, IORT: None}
INTEL = {**NO_TABLES, DMAR: tables.dmar()}
AMD = {**NO_TABLES, IVRS: tables.ivrs()}
X86 = {
    "proc/cpuinfo": "vendor_id\t: AuthenticAMD\n"
    "address sizes\t: 48 bits physical, 48 bits virtual\nflags\t: lm svm\n"
}
ARM = {"proc/cpuinfo": "CPU implementer\t: 0x41\nCPU architecture: 8\n"}
UNIT = "dmar0/intel-iommu/cap=d2008c40660462\ndmar0/intel-iommu/ecap=f050da\n"
ON = {"sys/class/iommu": UNIT}
OFF = {"sys/class/iommu": "", "sys/kernel/iommu_groups": "", "sys/bus/pci/devices": ""}
IR = {"proc/interrupts": "           CPU0\n  8:  0  IR-IO-APIC   8-edge  rtc0\n"}
NO_IR = {"proc/interrupts": "           CPU0\n  8:  0  IO-APIC   8-edge  rtc0\n"}
NIC = "0000:12:00.0"


def log(*lines: str) -> dict[str, str]:
    """A whole kernel log."""
    text = "[    0.000000] Linux version 6.12.0 (x@y)\n"
    return {"dmesg": text + "".join(f"[    1.000000] {line}\n" for line in lines)}


def some(*lines: str) -> dict[str, object]:
    """Lines that somebody chose from a kernel log."""
    return {"dmesg": grepped("dmesg", "".join(f"{line}\n" for line in lines))}


def verdict(id: str, *parts: dict[str, object], device: str | None = None):
    """What a check says of a host of these items, or of one intended device."""
    items = {name: what for part in parts for name, what in part.items()}
    if device is None:
        return ask(id, hypervisor(items))
    host = hypervisor(items, Declared(devices=(WantedDevice(address=device),)))
    (subject,) = host.intent.known
    return ask(id, host, subject)


def outcome(id: str, *parts: dict[str, object], device: str | None = None) -> Outcome:
    """Its outcome."""
    return verdict(id, *parts, device=device).outcome


# -- IOM001


def test_IOM001_fails_where_no_unit_is_registered():
    """/sys/class/iommu is empty on a PC."""
    assert Outcome.FAIL == outcome("IOM001", OFF, X86)


def test_IOM001_fails_in_spite_of_the_tokens_line():
    """`DMAR: IOMMU enabled` is printed by the parser of a word (S01), DRHD lines by the table's."""
    lines = ["DMAR: IOMMU enabled", "DMAR: DRHD base: 0x000000fed90000 flags: 0x1",
             "DMAR-IR: Enabled IRQ remapping in x2apic mode"]  # fmt: skip

    assert Outcome.FAIL == outcome("IOM001", OFF, X86, log(*lines))


def test_IOM001_fails_with_the_drivers_reason():
    """What the log says of the failure is part of the message."""
    said = verdict("IOM001", OFF, X86, some("DMAR: Initialization failed"))

    assert "Initialization failed" in said.message


def test_IOM001_fails_where_all_groups_are_noiommu():
    """Groups that vfio made for want of an IOMMU are none (S14)."""
    groups = f"0/name=vfio-noiommu\n0/type=unknown\n0/devices/{NIC}->x\n"

    assert Outcome.FAIL == outcome("IOM001", {"sys/kernel/iommu_groups": groups})


@pytest.mark.parametrize(
    "items",
    [
        ON,
        {"sys/class/iommu": "ivhd0/amd-iommu/cap=40\n"},
        {"sys/class/iommu": "smmu3.0x0000000009050000->../../devices/platform/x\n"},
        {"sys/kernel/iommu_groups": "0/type=DMA-FQ\n0/devices/0000:00:00.0->x\n"},
        {"sys/kernel/iommu_groups": "0/devices/0000:00:00.0->x\n"},
        {"sys/bus/pci/devices": f"{NIC}->../x/{NIC}\n{NIC}/iommu->../../dmar0\n"},
        some("DMAR: Intel(R) Virtualization Technology for Directed I/O"),
        some("pci 0000:00:00.0: Adding to iommu group 0"),
        some("AMD-Vi: Found IOMMU at 0000:00:00.2 cap 0x40",
             "iommu: Adding device 0000:00:01.0 to group 0"),
    ],
)  # fmt: skip
def test_IOM001_passes_by_each_rung_of_the_ladder(items):
    """Units, groups, links, log lines: each is a proof of its own, grepped or not."""
    assert Outcome.PASS == outcome("IOM001", items)


def test_IOM001_passes_by_libvirts_group_of_a_host_driven_function():
    """A function on its host driver has no no-IOMMU group."""
    assert Outcome.PASS == outcome("IOM001", nodedev(group=1, driver="i40e"))


def test_IOM001_passes_by_a_high_group_number():
    """Number 152 is not that of a no-IOMMU group: those count the functions on VFIO drivers."""
    assert Outcome.PASS == outcome("IOM001", nodedev(group=152))


@pytest.mark.parametrize(
    "line",
    [
        "IOMMU Group 0 00:00.0 Host bridge [0600]: Intel Corporation Device [8086:3ec2] (rev 07)",
        "IOMMU Group 1 00:01.0 PCI bridge [0604]: Intel Corporation Device [8086:1901] (rev 07)",
    ],
)
def test_IOM001_passes_by_a_pasted_listing_with_a_bridge(line):
    """No bridge is bound to a VFIO driver, so its group is a real one."""
    assert Outcome.PASS == outcome("IOM001", {"listing/iommu_groups": line + "\n"})


def test_IOM001_unknown_by_a_pasted_listing_of_one_nic():
    """Its driver is not shown: the group may be a no-IOMMU group."""
    line = "IOMMU Group 0 12:00.0 Ethernet controller [0200]: Intel Corporation X710 [8086:1572]\n"

    assert Outcome.UNKNOWN == outcome("IOM001", {"listing/iommu_groups": line})


def test_IOM001_unknown_by_a_low_group_number():
    """Group 1 of a function on vfio-pci may be a no-IOMMU group."""
    assert Outcome.UNKNOWN == outcome("IOM001", nodedev(group=1))


@pytest.mark.parametrize(
    "items",
    [
        {},
        some("VFIO - User Level meta-driver version: 0.3"),
        some("DMAR: IOMMU enabled"),
        some("vfio-pci 0000:12:00.0: Adding to iommu group 0"),
        {**INTEL, **X86},
        {"sys/class/iommu": "", **ARM},
    ],
)
def test_IOM001_unknown_without_state(items):
    """A grepped log's silence, a token's line, a table, an ARM host without units: no proof."""
    assert Outcome.UNKNOWN == outcome("IOM001", items)


def nodedev(group: int, driver: str = "vfio-pci") -> dict[str, str]:
    """libvirt's node device of one NIC."""
    xml = f"""<device><name>pci_0000_12_00_0</name>
<path>/sys/devices/pci0000:11/0000:11:00.0/{NIC}</path><driver><name>{driver}</name></driver>
<capability type='pci'><class>0x020000</class><domain>0</domain><bus>18</bus><slot>0</slot>
<function>0</function><product id='0x1572'/><vendor id='0x8086'/>
<iommuGroup number='{group}'><address domain='0x0000' bus='0x12' slot='0x00' function='0x0'/>
</iommuGroup></capability></device>"""
    return {"virsh/nodedev-dumpxml": grepped("virsh/nodedev-dumpxml", xml)}


# -- IOM002


@pytest.mark.parametrize(
    "items",
    [
        NO_IR,
        {**X86, "proc/interrupts": "  CPU0\n 0:  9  XT-PIC  timer\n"},
        {"proc/interrupts": "  CPU0\n 20:  9  GICv2m-PCI-MSI-0000:01:00.0  0 Edge  nvme0q0\n"},
        {"sys/class/iommu": "dmar0/intel-iommu/ecap=f050d2\n"},
        some("AMD-Vi: Disabling interrupt remapping"),
        some("iommufd: MSI interrupts are not secure, they cannot be isolated by the platform. x"),
        some("vfio_iommu_type1_attach_group: No interrupt remapping support.  Use the module"),
    ],
)
def test_IOM002_fails_without_remapping(items):
    """Chips, registers and refusals each prove it."""
    assert Outcome.FAIL == outcome("IOM002", items)


@pytest.mark.parametrize(
    "items",
    [
        IR,
        {"proc/interrupts": "  CPU0\n 24:  1  IR-PCI-MSI-0000:00:1f.2  0-edge  ahci\n"},
        {"proc/interrupts": "  CPU0\n 24:  1  ITS-PCI-MSI-0000:01:00.0  0 Edge  nvme0q0\n"},
        {"proc/interrupts": "  CPU0\n 24:  1   ITS-MSI 524288 Edge  nvme0q0\n"},
        some("DMAR-IR: Enabled IRQ remapping in xapic mode"),
        some("AMD-Vi: Interrupt remapping enabled"),
    ],
)
def test_IOM002_passes_with_remapping(items):
    """IR- chips, an ITS, or a driver's own words; xapic mode is remapping too (S27)."""
    assert Outcome.PASS == outcome("IOM002", items)


def test_IOM002_passes_by_state_over_the_log():
    """What /proc/interrupts shows now beats what the log says of the boot."""
    assert Outcome.PASS == outcome("IOM002", IR, some("DMAR-IR: Not enabling interrupt remapping"))


def test_IOM002_unknown_without_evidence():
    """A grepped log without the line proves nothing."""
    assert Outcome.UNKNOWN == outcome("IOM002", some("VFIO - User Level meta-driver version: 0.3"))


# -- IOM004


def test_IOM004_fails_on_stoney_ridge():
    """The kernel says that it decided against the IOMMU."""
    assert Outcome.FAIL == outcome("IOM004", OFF, some("AMD-Vi: Disable IOMMU on Stoney Ridge"))


def test_IOM004_passes_where_the_driver_is_silent():
    """AMD, off, but not for the platform's sake."""
    assert Outcome.PASS == outcome("IOM004", OFF, AMD, log())


def test_IOM004_skips_on_intel():
    """Only AMD's driver refuses a platform."""
    assert Outcome.SKIP == outcome("IOM004", OFF, INTEL)


def test_IOM004_unknown_without_a_log():
    """The line may have been lost."""
    assert Outcome.UNKNOWN == outcome("IOM004", OFF, AMD)


# -- IOM005, IOM006

SAFE_MODULES = "vfio_iommu_type1/parameters/allow_unsafe_interrupts=N\niommufd/initstate=live\n"


@pytest.mark.parametrize("module", ["vfio_iommu_type1", "iommufd"])
def test_IOM005_fails_by_either_switch(module):
    """Two modules own such a switch."""
    text = f"{module}/parameters/allow_unsafe_interrupts=Y\n"
    said = verdict("IOM005", {"sys/module": text}, IR)

    assert Outcome.FAIL == said.outcome
    assert f"echo N > /sys/module/{module}/parameters/allow_unsafe_interrupts" in what_to_do(said)


def test_IOM005_passes_with_both_off():
    """One is N, the other's module has no such file."""
    assert Outcome.PASS == outcome("IOM005", {"sys/module": SAFE_MODULES})


def test_IOM005_unknown_where_modules_were_not_read():
    """The switch is not in the log."""
    assert Outcome.UNKNOWN == outcome("IOM005", NO_IR)


@pytest.mark.parametrize(
    "items",
    [
        {"sys/module": "vfio/parameters/enable_unsafe_noiommu_mode=Y\n"},
        {"sys/kernel/iommu_groups": "0/name=vfio-noiommu\n"},
        some("vfio-pci 0000:01:00.0: Adding kernel taint for vfio-noiommu group on device"),
    ],
)
def test_IOM006_fails_by_each_trace(items):
    """The switch, a group's name, the kernel's taint line."""
    assert Outcome.FAIL == outcome("IOM006", items)


def test_IOM006_passes_where_it_is_off():
    """A kernel without the switch, and real groups only."""
    items = {"sys/module": "vfio=\n", "sys/kernel/iommu_groups": "0/type=DMA\n"}

    assert Outcome.PASS == outcome("IOM006", items)


def test_IOM006_unknown_where_groups_were_not_read():
    """The switch may have been on when the group was made."""
    assert Outcome.UNKNOWN == outcome("IOM006", {"sys/module": "vfio=\n"})


# -- faults

FAULTS = {
    "DMAR: [DMA Read] Request device [12:00.0] fault addr f00 [fault reason 06] PTE Read access is"
    " not set": "reason 0x06 (read not allowed)",
    "DMAR: [DMA Write] Request device [12:00.0] PASID ffffffff fault addr f00 [fault reason 05] PTE"
    " Write access is not set": "reason 0x05 (write not allowed)",
    "DMAR: [DMA Read NO_PASID] Request device [12:00.0] fault addr 0xf00 [fault reason 0x06] PTE"
    " Read access is not set": "reason 0x06 (read not allowed)",
    "DMAR: [INTR-REMAP] Request device [12:00.0] fault index 1c [fault reason 37] Blocked a"
    " compatibility format interrupt request": "reason 0x25 (compatibility-format",
    "DMAR: [INTR-REMAP] Request device [12:00.0] fault index 0x1c [fault reason 0x25] Blocked a"
    " compatibility format interrupt request": "reason 0x25 (compatibility-format",
    "AMD-Vi: Event logged [IO_PAGE_FAULT device=12:00.0 domain=0x000e address=0xf00 flags=0x0020]":
        "IO_PAGE_FAULT at 0xf00",
    "AMD-Vi: Event logged [IO_PAGE_FAULT device=0000:12:00.0 domain=0x000e address=0xf00"
    " flags=0x0020]": "IO_PAGE_FAULT at 0xf00",
    "vfio-pci 0000:12:00.0: AMD-Vi: Event logged [IO_PAGE_FAULT domain=0x000e address=0xf00"
    " flags=0x0020]": "IO_PAGE_FAULT at 0xf00",
    "arm-smmu-v3 arm-smmu-v3.0.auto: event: F_TRANSLATION client: 0000:12:00.0 sid: 0x1200":
        "SMMU F_TRANSLATION",
}  # fmt: skip


@pytest.mark.parametrize("line", FAULTS)
def test_IOM007_fails_on_the_devices_faults(line):
    """Each vendor's and version's form; the reason's base follows from how it is printed (S26)."""
    said = verdict("IOM007", some(line), device=NIC)

    assert Outcome.FAIL == said.outcome
    assert FAULTS[line] in said.message


def test_IOM007_passes_with_a_whole_log_of_other_faults():
    """Another device's faults are not this one's."""
    other = next(iter(FAULTS)).replace("12:00.0", "13:00.0")

    assert Outcome.PASS == outcome("IOM007", log(other), device=NIC)


def test_IOM007_unknown_with_a_grepped_log():
    """Silence of a grepped log proves nothing."""
    assert Outcome.UNKNOWN == outcome("IOM007", some("VFIO"), device=NIC)


def test_IOM008_fails_on_another_devices_fault():
    """A host device that faults is the host's matter."""
    other = next(iter(FAULTS)).replace("12:00.0", "00:14.0")

    assert Outcome.FAIL == outcome("IOM008", some(other))


def test_IOM008_fails_on_an_smmus_raw_event():
    """An SMMU of older kernels names no device."""
    line = "arm-smmu-v3 arm-smmu-v3.0.auto: event 0x10 received:"

    assert Outcome.FAIL == outcome("IOM008", some(line))


def test_IOM008_passes_with_a_whole_silent_log():
    """No fault at all."""
    assert Outcome.PASS == outcome("IOM008", log())


def test_IOM008_unknown_without_a_log():
    """No log, no verdict."""
    assert Outcome.UNKNOWN == outcome("IOM008")


@pytest.mark.parametrize(
    "line",
    [
        "AMD-Vi: Completion-Wait loop timed out",
        "DMAR: VT-d detected Invalidation Time-out Error: SID 1200",
        "DMAR: VT-d detected Invalidation Queue Error: Reason 4",
        "AMD-Vi: Event logged [IOTLB_INV_TIMEOUT device=12:00.0 address=0x1000]",
        "arm-smmu-v3 arm-smmu-v3.0.auto: device has entered Service Failure Mode!",
    ],
)
def test_IOM009_fails_where_the_iommu_waited_in_vain(line):
    """Each driver's words."""
    assert Outcome.FAIL == outcome("IOM009", some(line))


def test_IOM009_passes_with_a_whole_silent_log():
    """Every device answered."""
    assert Outcome.PASS == outcome("IOM009", log())


def test_IOM009_unknown_with_a_grepped_log():
    """Silence of a grepped log proves nothing."""
    assert Outcome.UNKNOWN == outcome("IOM009", some("VFIO"))


# -- features


def test_IOM010_fails_where_the_unit_is_narrower_than_the_cpu():
    """39 bits against 48."""
    narrow = {"sys/class/iommu": "dmar0/intel-iommu/cap=d2008c40260462\n"}
    said = verdict("IOM010", narrow, X86)

    assert Outcome.FAIL == said.outcome
    assert "39" in said.message


def test_IOM010_passes_where_it_is_as_wide():
    """A client CPU and its unit have 39 bits each."""
    narrow = {"sys/class/iommu": "dmar0/intel-iommu/cap=d2008c40260462\n"}
    cpu = {"proc/cpuinfo": "vendor_id\t: GenuineIntel\naddress sizes\t: 39 bits physical, 48\n"}

    assert Outcome.PASS == outcome("IOM010", narrow, cpu)


def test_IOM010_skips_on_amd():
    """AMD's units have no such register."""
    assert Outcome.SKIP == outcome("IOM010", AMD, X86)


def test_IOM010_unknown_without_the_cpus_width():
    """Half of the comparison is missing."""
    assert Outcome.UNKNOWN == outcome("IOM010", ON)


def test_IOM011_fails_on_unlike_units():
    """The kernel's audit of the units."""
    assert Outcome.FAIL == outcome("IOM011", some("DMAR: IOMMU feature fl1gp_support inconsistent"))


def test_IOM011_passes_with_a_whole_silent_log():
    """The audit found nothing."""
    assert Outcome.PASS == outcome("IOM011", log())


def test_IOM011_unknown_without_a_log():
    """No log, no verdict."""
    assert Outcome.UNKNOWN == outcome("IOM011")


def test_IOM012_fails_where_firmware_forces_it_on():
    """The kernel says why it is on in spite of `off`."""
    line = "DMAR: Intel-IOMMU force enabled due to platform opt in"

    assert Outcome.FAIL == outcome("IOM012", some(line))


def test_IOM012_passes_with_a_whole_silent_log():
    """Nobody forced anything."""
    assert Outcome.PASS == outcome("IOM012", INTEL, log())


def test_IOM012_skips_on_amd():
    """The opt-in is a flag of DMAR."""
    assert Outcome.SKIP == outcome("IOM012", AMD)


def test_IOM012_unknown_without_a_log():
    """The line may have been lost."""
    assert Outcome.UNKNOWN == outcome("IOM012", INTEL)


def test_IOM013_fails_on_a_conflict():
    """The kernel names both devices."""
    line = ("pci 0000:01:00.0: Device needs domain type DMA, but device 0000:01:00.1 in the same"
            " iommu group requires type identity - using default")  # fmt: skip

    assert Outcome.FAIL == outcome("IOM013", some(line))


def test_IOM013_passes_with_a_whole_silent_log():
    """No conflict was logged."""
    assert Outcome.PASS == outcome("IOM013", log())


def test_IOM013_unknown_without_a_log():
    """No log, no verdict."""
    assert Outcome.UNKNOWN == outcome("IOM013")


def test_IOM014_fails_where_encryption_overrides_passthrough():
    """The kernel drops passthrough mode, and says so."""
    line = "iommu: Memory encryption detected - Disabling default IOMMU Passthrough"

    assert Outcome.FAIL == outcome("IOM014", some(line))


def test_IOM014_passes_with_a_whole_silent_log():
    """Nothing was overridden."""
    assert Outcome.PASS == outcome("IOM014", log())


def test_IOM014_unknown_without_a_log():
    """No log, no verdict."""
    assert Outcome.UNKNOWN == outcome("IOM014")


# -- IOM015


def huge(id: str, *parts: dict[str, object], machine: str = "pc-q35-6.2", gib: int = 1536):
    """The verdict about a guest of that size with a NIC."""
    memory = f"<memory unit='GiB'>{gib}</memory>"
    xml = guestxml.domain("big", guestxml.hostdev(NIC), machine=machine, memory=memory)
    items = {name: what for part in (guestxml.host(xml), *parts) for name, what in part.items()}
    there = hypervisor(items)
    return ask(id, there, there.guests.known[0]).outcome


def test_IOM015_fails_for_an_old_machine_type_on_amd():
    """Its memory would lie where the IOMMU maps nothing."""
    assert Outcome.FAIL == huge("IOM015", AMD)


def test_IOM015_passes_from_7_1_on():
    """Newer machine types move the memory above 1 TiB."""
    assert Outcome.PASS == huge("IOM015", AMD, machine="pc-i440fx-7.1")


def test_IOM015_skips_small_guests_and_other_iommus():
    """Below 1010 GiB, or on Intel, there is no hole to fall into."""
    assert Outcome.SKIP == huge("IOM015", AMD, gib=64)
    assert Outcome.SKIP == huge("IOM015", INTEL)


def test_IOM015_unknown_for_a_machine_type_without_a_version():
    """`q35` is whatever the installed QEMU says."""
    assert Outcome.UNKNOWN == huge("IOM015", AMD, machine="q35")


def test_IOM015_unknown_where_the_iommus_kind_is():
    """Tables and units were not read."""
    assert Outcome.UNKNOWN == huge("IOM015")
