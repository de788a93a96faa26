"""How the firmware describes the IOMMU."""

from pytest_vfio.check import ADVICE, BLOCKER, DEGRADED, Verdict, check, fails, passes, skips
from pytest_vfio.cures import firmware as cures
from pytest_vfio.evidence import Quote
from pytest_vfio.facts.tristate import ask, known, require, search
from pytest_vfio.hypervisor.hypervisor import Hypervisor

#: What makes the kernel leave the table, or a unit, alone; all else it works around.
_REFUSED = (
    r"Your BIOS is broken; DMAR reported at address|No DRHD structure found|DMAR: Parse DMAR table failure"
    r"|\[Firmware Bug\][^\n]{0,10}Record passes table end|AMD-Vi: IVRS invalid checksum"
    r"|Can not reserve memory region [0-9a-f]+-[0-9a-f]+ for mmio"
)
#: Interrupts are remapped by what the same table describes.
_TAKEN = r"DMAR-IR: Enabled IRQ remapping in |AMD-Vi: Interrupt remapping enabled"
_BROKEN = (
    r"Your BIOS is broken; (?:DMAR|bad RMRR)|\[Firmware Bug\][^\n]{0,80}(?:DRHD|DMAR|RMRR)"
    r"|DMAR: Parse DMAR table failure|\[Firmware Bug\][^\n]{0,10}Record passes table end"
    r"|AMD-Vi: IVRS invalid checksum|AMD-Vi: \[Firmware Bug\][^\n]{0,20}(?:incorrect|IVHD)"
    r"|ACPI: IORT: \[Firmware Bug\]|Can not reserve memory region [0-9a-f]+-[0-9a-f]+ for mmio"
)
_NO_IOAPIC = (
    r"AMD-Vi: \[Firmware Bug\]: ?:? IOAPIC\[\d+\] not in IVRS table"
    r"|AMD-Vi: \[Firmware Bug\]: ?:? No southbridge IOAPIC found"
    r"|AMD-Vi: Disabling interrupt remapping"
)
_IR_BUG = (
    r"DMAR-IR: \[Firmware Bug\]: ioapic \d+ has no mapping iommu"
    r"|DMAR-IR: This system BIOS has enabled interrupt remapping"
)
_NO_X2APIC = (
    r"DMAR-IR: x2apic is disabled because BIOS sets x2apic opt out bit"
    r"|DMAR-IR: [^\n]{0,40}does not support EIM|x2apic: IRQ remapping doesn't support X2APIC mode"
)
_TABLES = {"DMAR": "F03", "IVRS": "F04", "IORT": "F05"}


@check("FW002", severity=BLOCKER, needs=["FW011"], refs=["F03", "F04", "F05", "S13"])
def test_firmware_describes_an_iommu(hypervisor: Hypervisor) -> Verdict:
    """Firmware describes an IOMMU

    Checks:
        That the firmware describes an IOMMU to the kernel: an ACPI table DMAR (Intel), IVRS (AMD),
        an IORT with an SMMU (ARM), or an SMMU in the device tree. An IOMMU that is on was
        described.
    Why it matters:
        The kernel looks for no IOMMU by itself. Whatever the command line is, without the table
        there are no groups and no device can be assigned.
    Evidence:
        /sys/class/iommu and groups first, then /sys/firmware/acpi/tables. The tables are closed to
        ordinary users: denied is not absent.
    Fix:
        Switch on VT-d, AMD IOMMU (Enabled, not Auto) or SMMU in the firmware's setup.
    Fix safety:
        Drivers of buggy devices may fault once DMA is translated; the way back is the same menu.
    References:
        F03, F04, F05, S13; VT-d specification 8, AMD 48882 5.2, ARM DEN0049.
    """
    iommu, acpi = hypervisor.iommu, hypervisor.acpi
    if iommu.proven_on:
        return passes("the IOMMU is on, so firmware described it", evidence=iommu.quote)
    described = acpi.describes_iommu  # raises where a table was not looked for
    if described is not None:
        return passes(f"firmware describes the IOMMU in {described.source}", evidence=described)
    vendor = _vendor(hypervisor)
    refs = {"amd": "F04", "hygon": "F04", "arm": "F05"}.get(vendor, "F03")
    return fails(
        "no DMAR, no IVRS and no SMMU in the firmware's tables, expected one of them",
        actual="no table",
        expected="DMAR, IVRS, or an SMMU in IORT or the device tree",
        evidence=[acpi.quote(name, "(absent)") for name in _TABLES],
        refs=[refs, "S13"],
        acts="firmware",
        cure=cures.enable_iommu(vendor),
    )


@check("FW003", severity=BLOCKER, needs=["FW002"], refs=["F06"])
def test_kernel_accepts_the_iommu_tables(hypervisor: Hypervisor) -> Verdict:
    """Kernel accepts the firmware's IOMMU tables

    Checks:
        That DMAR, IVRS and IORT are well formed (length, checksum, structures) and that the kernel
        found no bug in them. An IOMMU that is on proves that the kernel accepted them.
    Why it matters:
        A table that the kernel cannot parse leaves the IOMMU off.
    Evidence:
        The IOMMU's state, the tables themselves, firmware bugs about them in the whole kernel log.
    Fix:
        Update the firmware and report the bug to the vendor.
    Fix safety:
        Manual; settings and addresses of devices may change with an update.
    References:
        F06; drivers/iommu/intel/dmar.c, drivers/iommu/amd/init.c, drivers/acpi/arm64/iort.c.
    """
    if hypervisor.iommu.proven_on:
        quote = hypervisor.iommu.quote
        return passes("the IOMMU is on, so the kernel accepted its table", evidence=quote)
    taken = hypervisor.klog.first(_TAKEN)
    if taken is not None:
        return passes("the kernel uses the table to remap interrupts", evidence=taken.quote)
    return _broken(hypervisor, _REFUSED) or _sound(hypervisor)


@check("FW015", severity=DEGRADED, needs=["FW002", "FW003"], refs=["F06"])
def test_iommu_tables_need_no_workaround(hypervisor: Hypervisor) -> Verdict:
    """Firmware's IOMMU tables need no workaround

    Checks:
        That DMAR, IVRS and IORT are well formed and that the kernel found nothing to work around
        in them.
    Why it matters:
        What the kernel works around may leave a device without translation, or a memory range
        without its owner.
    Evidence:
        The tables themselves, firmware bugs about them in the whole kernel log.
    Fix:
        Update the firmware and report the bug to the vendor.
    Fix safety:
        Manual; settings and addresses of devices may change with an update.
    References:
        F06; drivers/iommu/intel/dmar.c, drivers/iommu/intel/iommu.c.
    """
    return _broken(hypervisor, _BROKEN) or _sound(hypervisor)


def _sound(hypervisor: Hypervisor) -> Verdict:
    """Tables without bugs, if there are any."""
    names = [name for name in _TABLES if hypervisor.acpi.exists(name)]
    if not names:
        return skips("no DMAR, IVRS or IORT on this host")
    return passes(f"{', '.join(names)}: well formed, and the kernel found no bug")


def _broken(hypervisor: Hypervisor, pattern: str) -> Verdict | None:
    """The failure, or None where tables and log are whole and good."""
    said = hypervisor.klog.first(pattern)
    flaw = hypervisor.acpi.first_flaw
    if flaw is not None:
        words, quotes = flaw[1], [flaw[0]]
    elif said is not None:
        words, quotes = said.text[:160], []
    else:
        require(hypervisor.acpi, hypervisor.klog)
        return None
    return fails(
        f"firmware's IOMMU table is broken: {words}",
        actual=words,
        expected="a table without bugs",
        evidence=[*quotes, said.quote] if said is not None else quotes,
        acts="firmware",
        cure=cures.update_firmware("its IOMMU table is broken"),
    )


@check("FW004", severity=BLOCKER, needs=["FW002"], refs=["F07"])
def test_no_ioapic_missing_keeps_interrupt_remapping_off(hypervisor: Hypervisor) -> Verdict:
    """No IOAPIC missing from IVRS keeps interrupt remapping off

    Checks:
        On AMD, that every IOAPIC has a requester id in IVRS. Interrupts that are remapped prove it.
    Why it matters:
        Linux switches interrupt remapping off as a whole where one IOAPIC is missing, and VFIO
        then refuses every device.
    Evidence:
        /proc/interrupts, then the kernel log, then the special devices of IVRS.
    Fix:
        Update the firmware; until then ivrs_ioapic= with the ids from the table.
    Fix safety:
        A wrong ivrs_ioapic= can keep the machine from booting: try it once from the boot menu.
    References:
        F07; drivers/iommu/amd/init.c (check_ioapic_information).
    """
    if hypervisor.iommu.remapping_proven:
        quote = hypervisor.iommu.interrupt_quote
        return passes("interrupts are remapped", evidence=quote)
    said = hypervisor.klog.first(_NO_IOAPIC)
    if said is None:
        if hypervisor.iommu.kind != "amd":
            return skips("no AMD IOMMU on this host")
        table = hypervisor.acpi.ivrs
        if table is not None and table.units and not table.ioapics:
            return _no_ioapic("IVRS names no IOAPIC", [hypervisor.acpi.quote("IVRS")])
        require(hypervisor.klog)
        return passes("the kernel found every IOAPIC in IVRS")
    return _no_ioapic(said.text[:160], [said.quote])


def _no_ioapic(words: str, quotes: list[Quote]) -> Verdict:
    return fails(
        f"interrupt remapping is off: {words}",
        actual=words,
        expected="every IOAPIC in IVRS",
        evidence=quotes,
        acts="firmware",
        cure=cures.map_ioapic(),
    )


@check("FW005", severity=BLOCKER, needs=["FW002"], refs=["F08"])
def test_platform_offers_interrupt_remapping(hypervisor: Hypervisor) -> Verdict:
    """Platform offers interrupt remapping

    Checks:
        On Intel, that DMAR has INTR_REMAP set and that every unit has IR in its extended
        capabilities: one without switches it off for all.
    Why it matters:
        VFIO refuses every device where interrupts are not remapped, since a guest could forge the
        host's interrupts.
    Evidence:
        /proc/interrupts first, then DMAR's flags, ecap of every unit, the kernel log.
    Fix:
        Switch on interrupt remapping in the firmware's setup, or update the firmware.
    Fix safety:
        Manual. Never allow unsafe interrupts instead.
    References:
        F08; drivers/iommu/intel/irq_remapping.c (intel_prepare_irq_remapping).
    """
    iommu = hypervisor.iommu
    if iommu.remapping_proven:
        return passes("interrupts are remapped", evidence=iommu.interrupt_quote)
    lacking = search(iommu.seen_units, lambda unit: unit.remaps_interrupts is False)
    if lacking.known:
        names = ", ".join(unit.name for unit in lacking.known)
        return _no_ir(f"{names}: no IR in ecap", [unit.quote_ecap for unit in lacking.known])
    said = hypervisor.klog.first(_IR_BUG)
    if said is not None:
        return _no_ir(said.text[:160], [said.quote])
    if iommu.kind != "intel":
        return skips("no Intel IOMMU on this host")
    table = hypervisor.acpi.dmar
    if table is not None and not table.interrupt_remapping:
        flags = f"flags {table.flags:#04x}"
        quote = hypervisor.acpi.quote("DMAR", flags)
        return _no_ir(f"DMAR has INTR_REMAP clear ({flags})", [quote])
    require(lacking, *iommu.unread_units, hypervisor.klog)
    return passes(f"DMAR and {len(iommu.units)} units offer interrupt remapping")


def _no_ir(words: str, quotes: list[Quote]) -> Verdict:
    return fails(
        f"interrupt remapping is not offered: {words}",
        actual=words,
        expected="INTR_REMAP in DMAR and IR in every unit",
        evidence=quotes,
        acts="firmware",
        cure=cures.advertise_interrupt_remapping(),
    )


@check("FW006", severity=ADVICE, needs=["FW002"], refs=["F09"])
def test_firmware_and_iommu_allow_x2apic(hypervisor: Hypervisor) -> Verdict:
    """Firmware and IOMMU allow x2APIC

    Checks:
        On Intel, that DMAR does not opt out of x2APIC and that every unit has EIM. `xapic mode` is
        interrupt remapping all the same, so this is advice.
    Why it matters:
        Hosts with more than 255 APIC ids lose CPUs, and posted interrupts are limited.
    Evidence:
        The kernel log's `Enabled IRQ remapping in x2apic mode`, DMAR's flags, ecap of the units.
    Fix:
        Switch on x2APIC in the firmware's setup; intremap=no_x2apic_optout if the vendor calls it
        safe.
    Fix safety:
        Firmware that runs in system management mode may not support x2APIC: ask the vendor.
    References:
        F09; drivers/iommu/intel/irq_remapping.c, arch/x86/kernel/apic/apic.c.
    """
    kind, unread = ask(lambda: hypervisor.iommu.kind)
    if kind != "intel" and not unread:  # where it is not known, the log's own words tell
        return skips("no Intel IOMMU on this host")
    enabled = hypervisor.klog.first(r"DMAR-IR: Enabled IRQ remapping in x2apic mode")
    if enabled is not None:
        return passes("interrupt remapping runs in x2apic mode", evidence=enabled.quote)
    said = hypervisor.klog.first(_NO_X2APIC)
    if said is not None:
        return _no_x2apic(said.text[:160], [said.quote])
    units = hypervisor.iommu.seen_units
    lacking = search(units, lambda unit: unit.extended_interrupts is False)
    if lacking.known:
        names = ", ".join(unit.name for unit in lacking.known)
        return _no_x2apic(f"{names}: no EIM in ecap", [unit.quote_ecap for unit in lacking.known])
    table = hypervisor.acpi.dmar
    if table is not None and table.x2apic_opt_out:
        flags = f"flags {table.flags:#04x}"
        return _no_x2apic(f"DMAR opts out ({flags})", [hypervisor.acpi.quote("DMAR", flags)])
    require(lacking, *hypervisor.iommu.unread_units, hypervisor.klog)
    return passes("nothing keeps x2APIC off")


def _no_x2apic(words: str, quotes: list[Quote]) -> Verdict:
    return fails(
        f"x2APIC is kept off: {words}",
        actual=words,
        expected="x2APIC allowed, EIM in every unit",
        evidence=quotes,
        acts="firmware",
        cure=cures.allow_x2apic(),
    )


def _vendor(hypervisor: Hypervisor) -> str:
    """The CPU's vendor, for the message only."""
    return known(lambda: hypervisor.cpu.vendor) or ""
