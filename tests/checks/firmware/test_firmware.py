"""The checks of the firmware and of the machine."""

from __future__ import annotations

import pytest

from pytest_vfio.check import Outcome
from pytest_vfio.declared import Declared, WantedDevice
from pytest_vfio.evidence import Status
from tests.ask import ask, what_to_do
from tests.hosts import acpi_tables as tables
from tests.hosts.plain import grepped, hypervisor

DMAR, IVRS, IORT = (f"sys/firmware/acpi/tables/{name}" for name in ("DMAR", "IVRS", "IORT"))
NO_TABLES = {DMAR: None, IVRS: None, IORT: None}
INTEL_CPU = {"proc/cpuinfo": "vendor_id\t: GenuineIntel\nflags\t\t: lm vmx\n"}
AMD_CPU = {"proc/cpuinfo": "vendor_id\t: AuthenticAMD\nflags\t\t: lm svm\n"}
ARM_CPU = {"proc/cpuinfo": "CPU implementer\t: 0x41\nCPU architecture: 8\n"}
INTEL_ON = {
    "sys/class/iommu": "dmar0/intel-iommu/cap=d2008c40660462\ndmar0/intel-iommu/ecap=f050da\n",
}
OFF = {"sys/class/iommu": "", "sys/kernel/iommu_groups": "", "sys/bus/pci/devices": ""}
BARE = {"systemd/detect-virt": "none\n", "sys/hypervisor": None}
IR = {"proc/interrupts": "  8:  0  0  IR-IO-APIC   8-edge  rtc0\n"}
NO_IR = {"proc/interrupts": "  8:  0  0  IO-APIC   8-edge  rtc0\n"}


def log(*lines: str) -> dict[str, str]:
    """A whole kernel log."""
    text = "[    0.000000] Linux version 6.12.0 (x@y)\n"
    return {"dmesg": text + "".join(f"[    1.000000] {line}\n" for line in lines)}


def outcome(id: str, *parts: dict[str, object], subject: object = None) -> Outcome:
    """The outcome of a check on a host of these items."""
    items = {name: what for part in parts for name, what in part.items()}
    return ask(id, hypervisor(items), subject).outcome


# -- FW001


@pytest.mark.parametrize(
    "line",
    [
        "kvm: disabled by bios",
        "kvm: support for 'kvm_intel' disabled by bios",
        "kvm_intel: VMX not enabled (by BIOS) in MSR_IA32_FEAT_CTL on CPU 3",
        "x86/cpu: VMX (outside TXT) disabled by BIOS",
        "kvm_amd: SVM disabled (by BIOS) in MSR_VM_CR on CPU 0",
    ],
)
def test_FW001_fails_on_every_kernels_own_words(line):
    """Each version's line of a refused KVM is a failure, in a grepped log too."""
    assert Outcome.FAIL == outcome("FW001", INTEL_CPU, {"dmesg": grepped("dmesg", line + "\n")})


def test_FW001_fails_without_the_flag():
    """A CPU without vmx and svm cannot run KVM guests."""
    cpu = {"proc/cpuinfo": "vendor_id\t: GenuineIntel\nflags\t: lm fpu\n", "dev/kvm": None}

    assert Outcome.FAIL == outcome("FW001", cpu)


def test_FW001_fails_with_the_vendors_own_entry():
    """The entry of the catalogue follows the CPU's vendor."""
    old = {"proc/sys/kernel/osrelease": "6.1.0-18-amd64\n"}
    verdict = ask("FW001", hypervisor({**AMD_CPU, **log("kvm: disabled by bios"), **old}))

    assert ("F02",) == verdict.refs
    assert "SVM" in verdict.cure.title


def test_FW001_passes_where_kvm_is_there():
    """/dev/kvm exists only after KVM found the CPU usable."""
    assert Outcome.PASS == outcome("FW001", INTEL_CPU, {"dev/kvm": "crw-rw---- 1 root kvm"})


@pytest.mark.parametrize(
    ("cpu", "release", "expected"),
    [
        (INTEL_CPU, "5.4.0-94-generic", Outcome.UNKNOWN),
        (INTEL_CPU, "5.10.0-30-amd64", Outcome.PASS),
        (AMD_CPU, "6.1.0-18-amd64", Outcome.UNKNOWN),
        (AMD_CPU, "6.12.0-1-amd64", Outcome.PASS),
    ],
)
def test_FW001_passes_by_the_flag_on_new_kernels_only(cpu, release, expected):
    """Older kernels keep the flag although the firmware locked the feature (S15)."""
    assert expected == outcome("FW001", cpu, {"proc/sys/kernel/osrelease": release + "\n"})


def test_FW001_unknown_in_a_virtual_machine_that_hides_the_flag():
    """A virtual CPU shows what it is told to; /dev/kvm would tell."""
    cpu = {"proc/cpuinfo": "vendor_id\t: GenuineIntel\nflags\t: lm hypervisor\n"}

    assert Outcome.UNKNOWN == outcome("FW001", cpu)
    assert Outcome.FAIL == outcome("FW001", cpu, {"dev/kvm": None})


def test_FW001_unknown_without_cpuinfo():
    """Nothing was read, nothing is said."""
    assert Outcome.UNKNOWN == outcome("FW001")


def test_FW001_unknown_on_arm_without_kvm():
    """On ARM there is no flag to look for."""
    assert Outcome.UNKNOWN == outcome("FW001", ARM_CPU, {"dev/kvm": None})


# -- FW002


def test_FW002_fails_where_no_table_is():
    """All tables are known to be absent: the firmware describes no IOMMU."""
    verdict = ask("FW002", hypervisor({**INTEL_CPU, **NO_TABLES, **OFF}))

    assert Outcome.FAIL == verdict.outcome
    assert ("F03", "S13") == verdict.refs


def test_FW002_fails_on_amd_in_its_own_words():
    """On an AMD machine the entry is F04."""
    assert ("F04", "S13") == ask("FW002", hypervisor({**AMD_CPU, **NO_TABLES, **OFF})).refs


def test_FW002_fails_on_a_device_tree_without_smmu():
    """ARM without ACPI: the device tree was searched."""
    items = {**ARM_CPU, **NO_TABLES, **OFF, "devicetree/iommu": ""}

    assert Outcome.FAIL == outcome("FW002", items)


def test_FW002_passes_by_state_whatever_the_tables_say():
    """An IOMMU that is on was described, though no table may be read."""
    denied = dict.fromkeys(NO_TABLES, Status.DENIED)

    assert Outcome.PASS == outcome("FW002", INTEL_ON, denied)


def test_FW002_passes_on_an_amd_cpu_with_a_dmar():
    """The kind of IOMMU follows from the tables, not from the CPU (emulated hosts)."""
    assert Outcome.PASS == outcome("FW002", AMD_CPU, OFF, {**NO_TABLES, DMAR: tables.dmar()})


def test_FW002_passes_on_a_device_tree_with_an_smmu():
    """No ACPI at all, and an SMMU in the device tree."""
    tree = {"devicetree/iommu": "/sys/firmware/devicetree/base/smmuv3@9050000/compatible\n"}

    assert Outcome.PASS == outcome("FW002", ARM_CPU, NO_TABLES, OFF, tree)


def test_FW002_passes_by_the_listing_for_an_ordinary_user():
    """The names of the tables are open to all, their bytes are not."""
    denied = dict.fromkeys(NO_TABLES, Status.DENIED)
    listing = {"sys/firmware/acpi/tables/": "APIC\nDMAR\nFACP\n"}

    assert Outcome.PASS == outcome("FW002", INTEL_CPU, OFF, denied, listing)


def test_FW002_unknown_where_tables_are_denied():
    """Denied is not absent."""
    denied = dict.fromkeys(NO_TABLES, Status.DENIED)

    assert Outcome.UNKNOWN == outcome("FW002", INTEL_CPU, OFF, denied)


def test_FW002_unknown_where_all_tables_are_hidden():
    """A container shows no table at all, which says nothing of the machine."""
    hidden = {"sys/firmware/acpi/tables/": None}

    assert Outcome.UNKNOWN == outcome("FW002", INTEL_CPU, OFF, NO_TABLES, hidden)


# -- FW003


def test_FW003_fails_on_a_bad_checksum():
    """A table whose bytes do not add up is broken; a blocker while the IOMMU is not on."""
    table = bytearray(tables.dmar())
    table[9] ^= 1
    verdict = ask("FW003", hypervisor({**NO_TABLES, DMAR: bytes(table), **log(), **OFF}))

    assert Outcome.FAIL == verdict.outcome
    assert "checksum" in verdict.message


BUG = "DMAR: [Firmware Bug]: RMRR entry for device 02:00.0 is broken - applying workaround"


def test_FW003_fails_by_the_kernels_words():
    """A bug that the kernel found, while the IOMMU is off."""
    line = "DMAR: [Firmware Bug]: No DRHD structure found in DMAR table"

    assert Outcome.FAIL == outcome("FW003", OFF, {"dmesg": grepped("dmesg", line)})


@pytest.mark.parametrize(
    "line",
    [
        BUG,
        "DMAR: Your BIOS is broken; bad RMRR [0x00000000bd800000-0x00000000bfffffff]",
        "DMAR: [Firmware Bug]: No firmware reserved region can cover this RMRR",
        "ACPI: IORT: [Firmware Bug]: [map (____ptrval____)] conflicting mapping for input ID 0x0",
    ],
)
def test_FW003_passes_what_only_taints(line):
    """The kernel works around it, and goes on; FW015 reports it."""
    found = {**NO_TABLES, DMAR: tables.dmar()}

    assert Outcome.PASS == outcome("FW003", found, OFF, log(line))
    assert Outcome.FAIL == outcome("FW015", found, OFF, log(line))


def test_FW003_passes_where_the_same_log_shows_remapping_on():
    """Interrupts are remapped by the units that the table describes."""
    lines = ("DMAR: Your BIOS is broken; bad RMRR", "DMAR-IR: Enabled IRQ remapping in xapic mode")

    assert Outcome.PASS == outcome("FW003", {"dmesg": grepped("dmesg", "\n".join(lines))})


def test_FW003_passes_where_the_iommu_is_on():
    """What the kernel works around keeps nothing off."""
    assert Outcome.PASS == outcome("FW003", INTEL_ON, log(BUG))


def test_FW015_fails_where_the_kernel_works_around():
    """A bug is a bug, though the IOMMU is on."""
    assert Outcome.FAIL == outcome("FW015", INTEL_ON, log(BUG))


def test_FW015_passes_with_good_tables_and_a_whole_silent_log():
    """Nothing to work around."""
    assert Outcome.PASS == outcome("FW015", INTEL_ON, NO_TABLES, {DMAR: tables.dmar()}, log())


@pytest.mark.parametrize("id", ["FW003", "FW015"])
def test_FW003_FW015_skip_where_no_table_is(id):
    """No table, no bug in it."""
    assert Outcome.SKIP == outcome(id, OFF, NO_TABLES, log())


def test_FW015_unknown_where_the_table_is_denied():
    """An ordinary user cannot tell."""
    denied = dict.fromkeys(NO_TABLES, Status.DENIED)

    assert Outcome.UNKNOWN == outcome("FW015", INTEL_ON, denied, log())


def test_FW003_passes_with_good_tables_and_a_whole_silent_log():
    """Well-formed tables, and a kernel that says nothing about them."""
    assert Outcome.PASS == outcome("FW003", NO_TABLES, {DMAR: tables.dmar()}, log(), OFF)


def test_FW003_unknown_with_a_grepped_log():
    """Silence of a grepped log proves nothing."""
    some = {"dmesg": grepped("dmesg", "[    0.0] Linux version 6.1\n")}

    assert Outcome.UNKNOWN == outcome("FW003", NO_TABLES, some, OFF)


# -- FW004


def test_FW004_fails_by_the_kernels_words():
    """One IOAPIC that IVRS lacks switches remapping off."""
    line = "AMD-Vi: [Firmware Bug]: : IOAPIC[33] not in IVRS table"

    assert Outcome.FAIL == outcome("FW004", NO_IR, {"dmesg": grepped("dmesg", line)})


def test_FW004_fails_by_a_table_without_ioapics():
    """A table that names no IOAPIC at all is enough."""
    items = {**NO_TABLES, IVRS: tables.ivrs(ioapics=())}

    assert Outcome.FAIL == outcome("FW004", NO_IR, items, log())


def test_FW004_passes_where_interrupts_are_remapped():
    """State beats table and log."""
    assert Outcome.PASS == outcome("FW004", IR)


def test_FW004_passes_where_the_kernel_found_all():
    """Interrupts are not remapped, but not for this reason."""
    assert Outcome.PASS == outcome("FW004", NO_IR, {**NO_TABLES, IVRS: tables.ivrs()}, log())


def test_FW004_skips_where_the_iommu_is_intels():
    """An AMD CPU with a DMAR has no IVRS to look into."""
    assert Outcome.SKIP == outcome("FW004", AMD_CPU, INTEL_ON, NO_IR)


def test_FW004_unknown_where_the_kind_is():
    """Which IOMMU it is was not read."""
    assert Outcome.UNKNOWN == outcome("FW004", NO_IR)


# -- FW005


def test_FW005_fails_where_dmar_does_not_offer_it():
    """INTR_REMAP is clear."""
    items = {**NO_TABLES, DMAR: tables.dmar(flags=0)}

    assert Outcome.FAIL == outcome("FW005", NO_IR, items, log())


def test_FW005_fails_where_one_unit_lacks_it():
    """One unit without IR switches remapping off for all."""
    units = "dmar0/intel-iommu/ecap=f050da\ndmar1/intel-iommu/ecap=f050d2\n"
    verdict = ask("FW005", hypervisor({**NO_IR, "sys/class/iommu": units}))

    assert Outcome.FAIL == verdict.outcome
    assert "dmar1" in verdict.message
    assert "dmar0" not in verdict.message


def test_FW005_passes_where_all_offer_it():
    """Table and units offer it; that it is off has another cause."""
    items = {**NO_TABLES, DMAR: tables.dmar(), **INTEL_ON}

    assert Outcome.PASS == outcome("FW005", NO_IR, items, log())


def test_FW005_skips_on_amd():
    """AMD's remapping depends on other things."""
    assert Outcome.SKIP == outcome("FW005", NO_IR, {**NO_TABLES, IVRS: tables.ivrs()})


def test_FW005_unknown_where_the_units_were_not_read():
    """A table alone does not tell what the units can."""
    assert Outcome.UNKNOWN == outcome("FW005", NO_IR, {**NO_TABLES, DMAR: tables.dmar()}, log())


# -- FW006


def test_FW006_fails_where_firmware_opts_out():
    """The opt-out bit of DMAR."""
    items = {**NO_TABLES, DMAR: tables.dmar(flags=3), **INTEL_ON}

    assert Outcome.FAIL == outcome("FW006", items, log())


def test_FW006_passes_in_x2apic_mode():
    """The kernel uses x2APIC, whatever the table says (no_x2apic_optout)."""
    line = log("DMAR-IR: Enabled IRQ remapping in x2apic mode")

    assert Outcome.PASS == outcome("FW006", NO_TABLES, {DMAR: tables.dmar(flags=3)}, line)


def test_FW006_skips_on_amd():
    """DMAR flags are Intel's."""
    assert Outcome.SKIP == outcome("FW006", {**NO_TABLES, IVRS: tables.ivrs()})


def test_FW006_unknown_without_units():
    """Neither log nor units nor table."""
    assert Outcome.UNKNOWN == outcome("FW006")


# -- FW007

NIC = "0000:12:00.0"
NIC_ITEMS = {
    "sys/bus/pci/devices": (
        f"{NIC}->../../../devices/pci0000:11/0000:11:00.0/{NIC}\n"
        f"{NIC}/vendor=0x8086\n{NIC}/device=0x1572\n{NIC}/class=0x020000\n"
        f"{NIC}/driver->../../../../bus/pci/drivers/vfio-pci\n"
        f"{NIC}/iommu_group->../../../../kernel/iommu_groups/38\n"
    ),
    "sys/class/dmi/id": "sys_vendor=HPE\n",
}


def nic(*parts, what=NIC_ITEMS):
    """The verdict about the one intended NIC."""
    items = {**what}
    for part in parts:
        items.update(part)
    host = hypervisor(items, Declared(devices=(WantedDevice(address=NIC),)))
    (device,) = host.intent.known
    return ask("FW007", host, device)


def regions(text):
    lines = "".join(f"38/reserved_regions={line}\n" for line in text)
    return {"sys/kernel/iommu_groups": f"38/devices/{NIC}->x\n38/type=DMA\n{lines}"}


MSI = "0x00000000fee00000 0x00000000feefffff msi"


def test_FW007_fails_on_a_direct_region():
    """`direct` blocks; the cure knows HPE's ways."""
    verdict = nic(regions(["0x00000000791df000 0x00000000791df000 direct", MSI]))

    assert Outcome.FAIL == verdict.outcome
    assert any("Gen10" in step for step in what_to_do(verdict))


def test_FW007_fails_by_the_rmrr_where_regions_were_not_read():
    """DMAR can prove a reservation, by the path over the bridge."""
    table = tables.dmar(rmrr=[(0x11, ((0, 0), (0, 0)))])

    assert Outcome.FAIL == nic({DMAR: table}).outcome


@pytest.mark.parametrize(
    "line",
    [
        "DMAR: Device is ineligible for IOMMU domain attach due to platform RMRR requirement.",
        "Firmware has requested this device have a 1:1 IOMMU mapping, rejecting configuring the",
    ],
)
def test_FW007_fails_by_the_kernels_refusal(line):
    """Both wordings of the kernel, for this device only."""
    ours, other = f"vfio-pci {NIC}: {line}", f"vfio-pci 0000:13:00.0: {line}"

    assert Outcome.FAIL == nic({"dmesg": grepped("dmesg", ours)}).outcome
    assert Outcome.UNKNOWN == nic({"dmesg": grepped("dmesg", other)}).outcome


def test_FW007_passes_with_relaxable_regions():
    """`direct-relaxable`, `msi` and `reserved` do not block (S25)."""
    relaxed = "0x000000007a000000 0x000000007a00ffff direct-relaxable"

    assert Outcome.PASS == nic(regions([relaxed, MSI])).outcome


@pytest.mark.parametrize(
    ("release", "expected"), [("5.2.0", Outcome.PASS), ("5.4.0", Outcome.FAIL)]
)
def test_FW007_passes_for_usb_before_5_3(release, expected):
    """Before 5.3 the regions of USB and display devices read `direct` and do not block."""
    usb = {**NIC_ITEMS, "proc/sys/kernel/osrelease": release}
    usb["sys/bus/pci/devices"] = usb["sys/bus/pci/devices"].replace("0x020000", "0x0c0330")
    direct = regions(["0x00000000791df000 0x00000000791df000 direct"])

    assert expected == nic(direct, what=usb).outcome


def test_FW007_unknown_although_dmar_is_silent():
    """Scopes may name bridges: a table that does not name the device proves nothing."""
    assert Outcome.UNKNOWN == nic({DMAR: tables.dmar()}).outcome


# -- FW008


@pytest.mark.parametrize("level", ["none", "user"])
def test_FW008_fails_on_an_open_port(level):
    """No DMA protection, and nobody asks before a device is connected."""
    tree = f"domain0/iommu_dma_protection=0\ndomain0/security={level}\n"

    assert Outcome.FAIL == outcome("FW008", {"sys/bus/thunderbolt/devices": tree})


def test_FW008_passes_with_protection():
    """DMA protection is on."""
    tree = "domain0/iommu_dma_protection=1\ndomain0/security=none\n"

    assert Outcome.PASS == outcome("FW008", {"sys/bus/thunderbolt/devices": tree})


def test_FW008_skips_without_thunderbolt():
    """No domain, nothing to protect."""
    assert Outcome.SKIP == outcome("FW008", {"sys/bus/thunderbolt/devices": None})


def test_FW008_unknown_where_a_file_was_not_read():
    """A file that could not be read is no protection."""
    tree = "domain0/iommu_dma_protection!denied\ndomain0/security=user\n"

    assert Outcome.UNKNOWN == outcome("FW008", {"sys/bus/thunderbolt/devices": tree})
    assert Outcome.UNKNOWN == outcome("FW008")


# -- FW009

SME = "AMD-Vi: IOMMU not currently supported when SME is active"


def test_FW009_fails_where_the_driver_gave_up():
    """The driver's own words, with no unit registered."""
    assert Outcome.FAIL == outcome("FW009", OFF, AMD_CPU, {"dmesg": grepped("dmesg", SME)})


def test_FW009_passes_where_the_driver_is_silent():
    """An AMD host whose IOMMU is off for another reason."""
    assert Outcome.PASS == outcome("FW009", OFF, {**NO_TABLES, IVRS: tables.ivrs()}, log())


def test_FW009_skips_where_no_amd_iommu_is():
    """Intel's driver has no such rule."""
    assert Outcome.SKIP == outcome("FW009", OFF, {**NO_TABLES, DMAR: tables.dmar()})


def test_FW009_unknown_without_a_log():
    """The driver may have said it in what was not kept."""
    assert Outcome.UNKNOWN == outcome("FW009", OFF, {**NO_TABLES, IVRS: tables.ivrs()})


# -- FW010


def test_FW010_fails_under_lockdown():
    """The bracketed word is the level."""
    what = {"sys/kernel/security/lockdown": "none [integrity] confidentiality\n"}
    verdict = ask("FW010", hypervisor(what))

    assert Outcome.FAIL == verdict.outcome
    assert "integrity" in verdict.message


@pytest.mark.parametrize("what", ["[none] integrity confidentiality\n", None])
def test_FW010_passes_without_lockdown(what):
    """No lockdown, or a kernel that has none."""
    assert Outcome.PASS == outcome("FW010", {"sys/kernel/security/lockdown": what})


def test_FW010_unknown_where_it_is_garbage():
    """A file of unknown form says nothing."""
    assert Outcome.UNKNOWN == outcome("FW010", {"sys/kernel/security/lockdown": "???"})


# -- FW011


def test_FW011_fails_in_a_guest_without_an_iommu():
    """A guest that was given no IOMMU cannot make one."""
    kvm = {"systemd/detect-virt": "kvm\n", "sys/hypervisor": None}
    verdict = ask("FW011", hypervisor({**kvm, **NO_TABLES, **OFF, **AMD_CPU}))

    assert Outcome.FAIL == verdict.outcome
    assert "kvm" in verdict.message


def test_FW011_fails_in_xens_dom0():
    """systemd-detect-virt says none in dom0; /sys/hypervisor knows."""
    assert Outcome.FAIL == outcome(
        "FW011", {"systemd/detect-virt": "none\n", "sys/hypervisor": "type=xen\n"}, INTEL_CPU
    )


def test_FW011_passes_on_bare_metal():
    """Nothing below the host."""
    assert Outcome.PASS == outcome("FW011", BARE, OFF, INTEL_CPU)


def test_FW011_passes_in_a_guest_with_a_table():
    """The guest was given an IOMMU; that it is off is the command line's matter."""
    kvm = {"systemd/detect-virt": "kvm\n", "sys/hypervisor": None}

    assert Outcome.PASS == outcome("FW011", kvm, OFF, {**NO_TABLES, DMAR: tables.dmar()}, AMD_CPU)


def test_FW011_unknown_without_detect_virt():
    """The state of the IOMMU alone does not tell why it is off."""
    assert Outcome.UNKNOWN == outcome("FW011", OFF, NO_TABLES, INTEL_CPU)


# -- FW012


@pytest.mark.parametrize(
    "items",
    [
        {"systemd/detect-virt": "qemu\n"},
        {"sys/class/dmi/id": "sys_vendor=QEMU\n"},
        {"sys/class/dmi/id": "sys_vendor=Dell\n", "sys/hypervisor": None,
         "proc/cpuinfo": "vendor_id\t: GenuineIntel\nflags\t: lm hypervisor\n"},
        {"sys/hypervisor": "type=xen\nproperties/features=00002705\n"},
    ],
)  # fmt: skip
def test_FW012_fails_in_a_virtual_machine(items):
    """Each of four sources shows a virtual machine."""
    assert Outcome.FAIL == outcome("FW012", items)


def test_FW012_passes_on_bare_metal():
    """Nothing below the host."""
    assert Outcome.PASS == outcome("FW012", BARE)


def test_FW012_unknown_in_a_container():
    """The name of a container says nothing of the machine."""
    assert Outcome.UNKNOWN == outcome("FW012", {"systemd/detect-virt": "docker\n"})


# -- FW013, FW014


def test_FW013_fails_on_a_rejected_module():
    """The kernel's words, in a grepped log too."""
    line = "Lockdown: modprobe: unsigned module loading is restricted; see man kernel_lockdown.7"

    assert Outcome.FAIL == outcome("FW013", {"dmesg": grepped("dmesg", line)})


def test_FW013_passes_with_a_whole_silent_log():
    """Nothing was rejected."""
    assert Outcome.PASS == outcome("FW013", log())


def test_FW013_unknown_where_the_log_lost_its_beginning():
    """The ring buffer overwrites its earliest lines."""
    assert Outcome.UNKNOWN == outcome("FW013", {"dmesg": "[ 99.0] usb 1-1: new device\n"})


@pytest.mark.parametrize("bits", [16, 128, 16384, 128 | 4096])
def test_FW014_fails_after_an_accident(bits):
    """Machine check, oops, soft lockup."""
    assert Outcome.FAIL == outcome("FW014", {"proc/sys/kernel/tainted": f"{bits}\n"})


def test_FW014_passes_with_other_taints():
    """A proprietary or out-of-tree module is no accident."""
    assert Outcome.PASS == outcome("FW014", {"proc/sys/kernel/tainted": f"{1 | 4096 | 8192}\n"})


def test_FW014_unknown_where_the_number_is_none():
    """Garbage is not zero."""
    assert Outcome.UNKNOWN == outcome("FW014", {"proc/sys/kernel/tainted": "-\n"})
    assert Outcome.UNKNOWN == outcome("FW014")
