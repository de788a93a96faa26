"""Intel's IOMMU driver as it starts: firmware's tables, words, interrupt remapping.

Wordings: drivers/iommu/intel/{dmar,iommu,irq_remapping}.c of Linux 4.15 to 6.12.
"""

from __future__ import annotations

from pytest_vfio.parse.messages.row import (
    HARMLESS,
    HURTS,
    Row,
    Speaker,
    form,
)

VTD = Speaker.INTEL_IOMMU

_FAULT = r"Request device \[<device>\](?: PASID \S{1,20})? fault addr (?:0x)?<at:number> "

ROWS = (
    Row(
        "rmrr-broken",
        VTD,
        "A reserved range in firmware's table is wrong; the kernel works around it.",
        (
            form(
                r"Your BIOS is broken; bad RMRR \[",
                "DMAR: [Firmware Bug]: Your BIOS is broken; bad RMRR [0x0000000000000000-"
                "0x000000000000ffff]",
            ),
            form(
                r"RMRR entry for device <device> is broken - applying workaround",
                "DMAR: [Firmware Bug]: RMRR entry for device 02:00.0 is broken - applying workaround",
            ),
            form(
                r"o firmware reserved region can cover this RMRR \[",
                "DMAR: [Firmware Bug]: No firmware reserved region can cover this RMRR [0x000000007e"
                "c00000-0x000000007effffff], contact BIOS vendor for fixes",
            ),
        ),
        refs=("F06",),
        weight=HARMLESS,
        acts="firmware",
    ),
    Row(
        "dmar-table-broken",
        VTD,
        "Firmware's table of IOMMUs (DMAR) is broken, so the kernel may leave the IOMMU off.",
        (
            form(
                r"Your BIOS is broken; DMAR reported at address ",
                "DMAR: [Firmware Bug]: Your BIOS is broken; DMAR reported at address 0!",
                "Your BIOS is broken; DMAR reported at address fed90000 returns all ones!",
            ),
            form(
                r"No DRHD structure found in DMAR table",
                "DMAR: [Firmware Bug]: No DRHD structure found in DMAR table",
            ),
            form(r"Parse DMAR table failure", "DMAR: Parse DMAR table failure."),
            form(
                r"\[Firmware Bug\]: Record passes table end",
                "DMAR: [Firmware Bug]: Record passes table end",
            ),
            form(r"DMAR: Invalid DMAR haw", "DMAR: Invalid DMAR haw"),
        ),
        refs=("F06", "F50"),
        decide=("ls /sys/class/iommu", "dmesg | grep -e DMAR -e 'Directed I/O'"),
        cure="A firmware update.",
        over=("vtd-on",),
        acts="firmware",
    ),
    Row(
        "no-dmar-devices",
        VTD,
        "Firmware gives the kernel no Intel IOMMU: VT-d is off in its setup.",
        (form(r"DMAR: No DMAR devices found", "DMAR: No DMAR devices found"),),
        refs=("F03",),
        decide=("ls /sys/firmware/acpi/tables/DMAR",),
        cure="VT-d on in the firmware's setup.",
        over=("vtd-on",),
        acts="firmware",
    ),
    Row(
        "vtd-init-failed",
        VTD,
        "The kernel found Intel's IOMMU and could not start it.",
        (
            form(r"DMAR: Initialization failed", "DMAR: Initialization failed"),
            form(r"DMAR: Domain initialization failed", "DMAR: Domain initialization failed"),
            form(r"DMAR: <unit:word>: Failed to map", "DMAR: dmar0: Failed to map"),
            form(r"DMAR: Failed to map dmar<unit:count>", "DMAR: Failed to map dmar0"),
            form(
                r"annot get a valid (?:max )?agaw for iommu",
                "DMAR: Cannot get a valid agaw for iommu (seq_id = 0)",
            ),
            form(
                r"No supported address widths\. Not attempting DMA translation",
                "DMAR: dmar0: No supported address widths. Not attempting DMA translation.",
            ),
        ),
        refs=("F50",),
        decide=("ls /sys/class/iommu", "dmesg | grep DMAR"),
        cure="A firmware update; then a report to the kernel's developers.",
        over=("vtd-on",),
        acts="firmware",
    ),
    Row(
        "vtd-off-by-word",
        VTD,
        "A word on the kernel line switches the IOMMU off.",
        (form(r"DMAR: IOMMU disabled", "DMAR: IOMMU disabled"),),
        refs=("F22",),
        decide=("cat /proc/cmdline",),
        cure="Take intel_iommu=off (or the later of two words) away; reboot.",
        over=("vtd-on",),
    ),
    Row(
        "vtd-unknown-option",
        VTD,
        "A word in intel_iommu= is not known to the kernel and does nothing.",
        (form(r"DMAR: Unknown option - '<option:word>'", "DMAR: Unknown option - '1'"),),
        refs=("F25",),
        decide=("cat /proc/cmdline", "ls /sys/class/iommu"),
        cure="intel_iommu=on",
        over=("vtd-on",),
    ),
    Row(
        "igpu-without-iommu",
        VTD,
        "The integrated GPU is left out of the IOMMU, so it alone cannot be given away.",
        (
            form(r"DMAR: Disable GFX device mapping", "DMAR: Disable GFX device mapping"),
            form(
                r"DMAR: Disable integrated GPU device mapping",
                "DMAR: Disable integrated GPU device mapping",
            ),
            form(
                r"Disabling IOMMU for graphics on this chipset",
                "pci 0000:00:00.0: Disabling IOMMU for graphics on this chipset",
                "pci 0000:00:00.0: DMAR: Disabling IOMMU for graphics on this chipset",
            ),
            form(
                r"BIOS has allocated no shadow GTT; disabling IOMMU for graphics",
                "pci 0000:00:00.0: DMAR: BIOS has allocated no shadow GTT; disabling IOMMU for "
                "graphics",
            ),
        ),
        refs=("F23", "F24"),
        weight=HURTS,
        decide=("cat /proc/cmdline", "readlink /sys/bus/pci/devices/0000:00:02.0/iommu_group"),
        cure="Where the integrated GPU is wanted: take igfx_off away, intel_iommu=on on Debian.",
    ),
    Row(
        "vtd-width",
        VTD,
        "The guest's memory reaches beyond what the IOMMU can address.",
        (
            form(
                r"iommu width \(<width:count>\) is not sufficient for the mapped address "
                r"\(<at:number>\)",
                "DMAR: intel_iommu_map: iommu width (39) is not sufficient for the mapped address "
                "(8800001000)",
                "vfio-pci 0000:01:00.0: DMAR: iommu width (39) is not sufficient for the mapped "
                "address (380000000000)",
            ),
        ),
        refs=("F59",),
        decide=("dmesg | grep 'Host address width'",),
        cure="<maxphysaddr mode='emulate' bits='39'/> in the guest's <cpu>.",
        acts="guest",
    ),
    Row(
        "vtd-forced-on",
        VTD,
        "Firmware asked for the IOMMU, so the kernel switched it on although the line does not.",
        (
            form(
                r"Intel-IOMMU force enabled due to platform opt in",
                "DMAR: Intel-IOMMU force enabled due to platform opt in",
            ),
            form(r"Forcing Intel-IOMMU to enabled", "DMAR: Forcing Intel-IOMMU to enabled"),
        ),
        refs=("F61",),
        weight=HARMLESS,
    ),
    Row(
        "ir-not-enabled-intel",
        VTD,
        "Interrupt remapping is off, so VFIO refuses to give devices to guests.",
        (
            form(
                r"ioapic <ioapic:count> has no mapping iommu, interrupt remapping will be disabled",
                "DMAR-IR: [Firmware Bug]: ioapic 2 has no mapping iommu, interrupt remapping will be "
                "disabled",
            ),
            form(
                r"DMAR-IR: Not enabling interrupt remapping",
                "DMAR-IR: Not enabling interrupt remapping",
            ),
            form(
                r"Failed to enable irq remapping\. +You are vulnerable to irq-injection attacks",
                "DMAR-IR: Failed to enable irq remapping. You are vulnerable to irq-injection "
                "attacks.",
            ),
            form(
                r"This system BIOS has enabled interrupt remapping",
                "DMAR-IR: This system BIOS has enabled interrupt remapping",
            ),
            form(
                r"interrupt remapping is being disabled\. +Please",
                "interrupt remapping is being disabled.  Please",
            ),
        ),
        refs=("F08", "F53", "F44"),
        decide=("grep IR- /proc/interrupts", "cat /proc/cmdline"),
        cure="The firmware's option for interrupt remapping or an update; no intremap=off.",
        acts="firmware",
    ),
    Row(
        "x2apic-opt-out",
        VTD,
        "Firmware does not want x2APIC; interrupt remapping works in the older mode, which is enough "
        "below 255 CPUs.",
        (
            form(
                r"x2apic is disabled because BIOS sets x2apic opt out bit",
                "DMAR-IR: x2apic is disabled because BIOS sets x2apic opt out bit.",
            ),
            form(
                r"Use 'intremap=no_x2apic_optout' to override the BIOS setting",
                "DMAR-IR: Use 'intremap=no_x2apic_optout' to override the BIOS setting.",
            ),
            form(
                r"DMAR-IR: <unit:word> does not support EIM", "DMAR-IR: dmar0 does not support EIM"
            ),
            form(
                r"x2apic: IRQ remapping doesn't support X2APIC mode",
                "x2apic: IRQ remapping doesn't support X2APIC mode",
            ),
        ),
        refs=("F09",),
        weight=HARMLESS,
        acts="firmware",
    ),
    Row(
        "translation-copied",
        VTD,
        "This kernel was started by another one while the IOMMU was on (kexec, kdump).",
        (
            form(
                r"Translation (?:is )?already enabled - trying to copy translation structures",
                "DMAR: Translation already enabled - trying to copy translation structures",
                "AMD-Vi: Translation is already enabled - trying to copy translation structures",
            ),
            form(
                r"Translation was enabled for <unit:word> but we are not in kdump mode",
                "DMAR: Translation was enabled for dmar0 but we are not in kdump mode",
            ),
            form(
                r"Copied translation tables from previous kernel for",
                "DMAR: Copied translation tables from previous kernel for dmar0",
            ),
            form(
                r"Copied DEV table from previous kernel",
                "AMD-Vi: Copied DEV table from previous kernel.",
            ),
            form(
                r"IRQ remapping was enabled on <unit:word> but we are not in kdump mode",
                "DMAR-IR: IRQ remapping was enabled on dmar0 but we are not in kdump mode",
            ),
        ),
        refs=("F64",),
        weight=HARMLESS,
    ),
    Row(
        "translation-not-copied",
        VTD,
        "The crash kernel could not take the IOMMU over from the kernel that died; a dump may fail.",
        (
            form(
                r"Failed to copy (?:translation tables|DEV table|IR table)",
                "DMAR: Failed to copy translation tables from previous kernel for dmar0",
                "AMD-Vi: Failed to copy DEV table from previous kernel.",
                "DMAR-IR: Failed to copy IR table for dmar0 from previous kernel",
            ),
            form(
                r"The address of old device table is above 4G, not trustworthy",
                "AMD-Vi: The address of old device table is above 4G, not trustworthy!",
            ),
        ),
        refs=("F64",),
        weight=HURTS,
        decide=("cat /proc/cmdline", "grep -r . /etc/default/kdump-tools /etc/sysconfig/kdump"),
        cure="The same IOMMU words for the crash kernel as for the host's.",
    ),
    Row(
        "strict-deprecated",
        VTD,
        "An old word for strict invalidation is on the kernel line; it works, and costs speed.",
        (
            form(
                r"deprecated; use iommu\.strict=1 instead",
                "DMAR: intel_iommu=strict deprecated; use iommu.strict=1 instead",
                "AMD-Vi: amd_iommu=fullflush deprecated; use iommu.strict=1 instead",
            ),
            form(r"DMAR: Disable batched IOTLB flush$", "DMAR: Disable batched IOTLB flush"),
        ),
        refs=("F48",),
        weight=HARMLESS,
    ),
    Row(
        "passthrough-mode-ignored",
        VTD,
        "iommu=pt is ignored because memory encryption is on; assigned devices do not mind.",
        (
            form(
                r"Memory encryption detected - Disabling default IOMMU Passthrough",
                "iommu: Memory encryption detected - Disabling default IOMMU Passthrough",
            ),
        ),
        refs=("F18",),
        weight=HARMLESS,
    ),
    Row(
        "features-differ-intel",
        VTD,
        "The host's IOMMUs do not have the same features; the kernel uses what all have.",
        (
            form(r"DMAR: <unit:word>: Doesn't support", "DMAR: dmar0: Doesn't support large page."),
            form(
                r"IOMMU feature <feature:word> inconsistent",
                "DMAR: IOMMU feature fl1gp_support inconsistent",
            ),
        ),
        refs=("F66",),
        weight=HARMLESS,
    ),
    Row(
        "domain-type-differs",
        VTD,
        "Devices of one group want different kinds of translation; the kernel takes its default.",
        (
            form(
                r"annot change default domain:",
                "Cannot change default domain: Group has more than one device",
            ),
            form(
                r"evice needs domain type <type:word>, but device <mate:device> in the same iommu "
                r"group requires type",
                "pci 0000:00:1f.3: Device needs domain type 4, but device 0000:00:1f.0 in the same "
                "iommu group requires type 3 - using default",
            ),
        ),
        refs=("F67",),
        weight=HARMLESS,
    ),
    Row(
        "virtual-vtd",
        VTD,
        "This host is itself a guest: its IOMMU is a virtual one.",
        (
            form(
                r"IOMMU batching disallowed due to virtualization",
                "DMAR: IOMMU batching disallowed due to virtualization",
            ),
            form(
                r"Disable batched IOTLB flush due to virtualization",
                "DMAR: Disable batched IOTLB flush due to virtualization",
            ),
        ),
        refs=("F65",),
        weight=HARMLESS,
    ),
)
