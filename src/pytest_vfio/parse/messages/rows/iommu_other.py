"""AMD's IOMMU driver and ARM's SMMU drivers.

Wordings: drivers/iommu/amd/{init,iommu}.c, drivers/iommu/arm of Linux 4.15 to 6.12.
"""

from __future__ import annotations

from pytest_vfio.parse.messages.row import HARMLESS, HURTS, PASSED, Row, Speaker, form

AMD = Speaker.AMD_IOMMU
ARM = Speaker.ARM_SMMU

ROWS = (
    Row(
        "amd-ir-on",
        AMD,
        "AMD's IOMMU remaps interrupts.",
        (form(r"AMD-Vi: Interrupt remapping enabled", "AMD-Vi: Interrupt remapping enabled"),),
        weight=PASSED,
    ),
    Row(
        "amd-page-fault",
        AMD,
        "A device touched memory that the IOMMU does not let it touch.",
        (
            form(
                r"Event logged \[IO_PAGE_FAULT device=<device> ",
                "AMD-Vi: Event logged [IO_PAGE_FAULT device=01:00.0 domain=0x000e address=0x0000000"
                "0fdf9 flags=0x0020]",
                "AMD-Vi: Event logged [IO_PAGE_FAULT device=0000:01:00.0 domain=0x000e "
                "address=0xfdf9 flags=0x0020]",
            ),
            form(
                r"Event logged \[IO_PAGE_FAULT domain=",
                "nvme 0000:01:00.0: AMD-Vi: Event logged [IO_PAGE_FAULT domain=0x000e address=0xfdf9 "
                "flags=0x0020]",
            ),
        ),
        refs=("F56",),
        weight=HURTS,
        decide=("lspci -nnks <device>", "dmesg | grep -c IO_PAGE_FAULT"),
        cure="Look whose device it is; a reset before rebinding stops leftovers of a driver; many "
        "faults of a guest's device mean a driver in the guest that goes astray.",
    ),
    Row(
        "amd-illegal-request",
        AMD,
        "The IOMMU refuses a request that it cannot place: a device that firmware's table does not "
        "describe right, or broken hardware.",
        (
            form(
                r"Event logged \[(?:ILLEGAL_DEV_TABLE_ENTRY|INVALID_DEVICE_REQUEST|"
                r"INVALID_PPR_REQUEST|DEV_TAB_HARDWARE_ERROR|PAGE_TAB_HARDWARE_ERROR|"
                r"ILLEGAL_COMMAND_ERROR|COMMAND_HARDWARE_ERROR)(?: device=<device>)?",
                "AMD-Vi: Event logged [INVALID_DEVICE_REQUEST device=0000:00:00.0 pasid=0x00000 "
                "address=0xfffffffdf8000000 flags=0x0a00]",
                "AMD-Vi: Event logged [ILLEGAL_DEV_TABLE_ENTRY device=03:00.0 pasid=0x00000 "
                "address=0xfffffffdf8000000 flags=0x0080]",
                "AMD-Vi: Event logged [COMMAND_HARDWARE_ERROR address=0x0 flags=0x0000]",
                "AMD-Vi: Event logged [ILLEGAL_COMMAND_ERROR address=0x0]",
                "AMD-Vi: Event logged [INVALID_PPR_REQUEST device=0000:03:00.0 pasid=0x00000 "
                "address=0x0 flags=0x0000 tag=0x000]",
                "AMD-Vi: Event logged [DEV_TAB_HARDWARE_ERROR device=0000:03:00.0 address=0x0 "
                "flags=0x0000]",
                "AMD-Vi: Event logged [PAGE_TAB_HARDWARE_ERROR device=0000:03:00.0 pasid=0x0000 "
                "address=0x0 flags=0x0000]",
            ),
            form(
                r"Event logged \[Device not attached to domain properly\]",
                "AMD-Vi: Event logged [Device not attached to domain properly]",
            ),
        ),
        refs=("F56",),
        weight=HURTS,
        decide=("lspci -nnks <device>",),
        cure="A firmware update; ATS off for the card where it is a GPU (pci=noats).",
        acts="firmware",
    ),
    Row(
        "amd-invalidation-timeout",
        AMD,
        "A device no longer answers the IOMMU; the host may stall until it loses power.",
        (
            form(
                r"Event logged \[IOTLB_INV_TIMEOUT device=<device>",
                "AMD-Vi: Event logged [IOTLB_INV_TIMEOUT device=0000:03:00.0 address=0x100a25b0]",
            ),
            form(
                r"Completion-Wait loop timed out",
                "AMD-Vi: Completion-Wait loop timed out",
            ),
            form(r"AMD-Vi: Command buffer timeout", "AMD-Vi: Command buffer timeout"),
        ),
        refs=("F57", "F118", "F105"),
        decide=(
            "lspci -nnk",
            "dmesg | grep -B 20 -e INV_TIMEOUT -e Completion-Wait | grep vfio-pci",
        ),
        cure="Power-cycle; then another way to reset the card, or ATS off for it (pci=noats).",
        acts="vendor",
    ),
    Row(
        "amd-log-overflow",
        AMD,
        "So many faults came that the IOMMU lost some.",
        (
            form(
                r"AMD-Vi: IOMMU (?:[Ee]vent|PPR|GA) [Ll]og (?:overflow|restarting)",
                "AMD-Vi: IOMMU Event log restarting",
                "AMD-Vi: IOMMU PPR log overflow",
                "AMD-Vi: IOMMU GA Log restarting",
                "AMD-Vi: IOMMU event log overflow",
            ),
        ),
        refs=("F56",),
        weight=HURTS,
        decide=("dmesg | grep 'Event logged' | sort | uniq -c | sort -n | tail",),
        cure="Look which device faults.",
    ),
    Row(
        "amd-ir-off",
        AMD,
        "Interrupt remapping is off because firmware's table lacks an interrupt controller; VFIO "
        "refuses to give devices to guests.",
        (
            form(
                r"IOAPIC\[<ioapic:count>\] not in IVRS table",
                "AMD-Vi: [Firmware Bug]: : IOAPIC[4] not in IVRS table",
            ),
            form(
                r"No southbridge IOAPIC found",
                "AMD-Vi: [Firmware Bug]: : No southbridge IOAPIC found",
            ),
            form(
                r"AMD-Vi: Disabling interrupt remapping",
                "AMD-Vi: Disabling interrupt remapping",
            ),
        ),
        refs=("F07", "F53"),
        decide=("grep IR- /proc/interrupts", "dmesg | grep AMD-Vi"),
        cure="A firmware update; else ivrs_ioapic= on the kernel line.",
        over=("amd-ir-on",),
        acts="firmware",
    ),
    Row(
        "amd-off-by-word",
        AMD,
        "A word on the kernel line switches the IOMMU off.",
        (
            form(
                r"AMD-Vi: AMD IOMMU disabled",
                "AMD-Vi: AMD IOMMU disabled",
                "AMD-Vi: AMD IOMMU disabled on kernel command-line",
            ),
        ),
        refs=("F22", "F27"),
        decide=("cat /proc/cmdline",),
        cure="Take amd_iommu=off or iommu=off away; reboot.",
    ),
    Row(
        "amd-unknown-option",
        AMD,
        "A word in amd_iommu= is not known to the kernel and does nothing; the IOMMU is on by itself.",
        (form(r"AMD-Vi: Unknown option - '<option:word>'", "AMD-Vi: Unknown option - 'on'"),),
        refs=("F26",),
        weight=HARMLESS,
        cure="Take the word away; nothing changes.",
    ),
    Row(
        "amd-init-failed",
        AMD,
        "The kernel found AMD's IOMMU and could not start it.",
        (
            form(
                r"AMD-Vi: IOMMU<unit:count>: Failed to initialize IOMMU Hardware",
                "AMD-Vi: IOMMU0: Failed to initialize IOMMU Hardware (error=-12)!",
            ),
            form(
                r"The CMPXCHG16B feature is required",
                "AMD-Vi: Failed to initialize. The CMPXCHG16B feature is required.",
            ),
            form(
                r"AMD-Vi: Can not reserve memory region",
                "AMD-Vi: Can not reserve memory region fd200000-fd280000 for mmio",
            ),
            form(
                r"This is a BIOS bug\. Please contact your hardware vendor",
                "AMD-Vi: This is a BIOS bug. Please contact your hardware vendor",
            ),
            form(r"IVRS invalid checksum", "AMD-Vi: [Firmware Bug]: IVRS invalid checksum"),
            form(r"IVRS table error", "AMD-Vi: IVRS table error: AE_NOT_FOUND"),
        ),
        refs=("F50",),
        decide=("ls /sys/class/iommu", "dmesg | grep AMD-Vi"),
        cure="A firmware update; then a report to the kernel's developers.",
        acts="firmware",
    ),
    Row(
        "amd-stoney",
        AMD,
        "On this chip (Stoney Ridge) Linux leaves the IOMMU off because it breaks the graphics.",
        (form(r"Disable IOMMU on Stoney Ridge", "AMD-Vi: Disable IOMMU on Stoney Ridge"),),
        refs=("F52",),
        decide=("ls /sys/class/iommu",),
        cure="None that is safe; amd_iommu=force_enable at one's own risk.",
        acts="vendor",
    ),
    Row(
        "amd-sme",
        AMD,
        "Memory encryption and this IOMMU do not go together here.",
        (
            form(
                r"IOMMU not currently supported when SME is active",
                "AMD-Vi: IOMMU not currently supported when SME is active",
            ),
            form(
                r"SNP: IOMMU (?:is )?disabled or configured in passthrough mode, SNP cannot be",
                "AMD-Vi: SNP: IOMMU disabled or configured in passthrough mode, SNP cannot be "
                "supported.",
                "AMD-Vi: SNP: IOMMU is disabled or configured in passthrough mode, SNP cannot be "
                "supported",
            ),
        ),
        refs=("F18",),
        decide=("cat /proc/cmdline",),
        cure="mem_encrypt=off, or no iommu=pt on a host with SNP.",
    ),
    Row(
        "amd-iommuv2-missing",
        AMD,
        "An extra feature of AMD's IOMMU is not there; passthrough does not need it.",
        (
            form(
                r"AMD IOMMUv2 functionality not available on this system",
                "AMD-Vi: AMD IOMMUv2 functionality not available on this system - This is not a bug.",
                "AMD IOMMUv2 functionality not available on this system",
            ),
        ),
        refs=("F66",),
        weight=HARMLESS,
    ),
    Row(
        "amd-efr-mismatch",
        AMD,
        "Firmware's table and the IOMMU itself name different features; the kernel takes the table's.",
        (
            form(
                r"EFR mismatch\. Use IVHD EFR",
                "AMD-Vi: [Firmware Warn]: EFR mismatch. Use IVHD EFR (0xf77ef22294ada : "
                "0x400f77ef22294ada).",
            ),
            form(
                r"Found inconsistent EFR",
                "AMD-Vi: [Firmware Bug]: Found inconsistent EFR/EFR2 0x1,0x0 (global 0x2,0x0) on "
                "iommu1 (0000:40:00.2).",
            ),
        ),
        refs=("F66",),
        weight=HARMLESS,
        acts="firmware",
    ),
    Row(
        "smmu-event",
        ARM,
        "A device touched memory that the SMMU does not let it touch, or is not known to it.",
        (
            form(
                r"arm-smmu-v3 <unit:rest>: event 0x<code:number> received",
                "arm-smmu-v3 arm-smmu-v3.0.auto: event 0x10 received:",
            ),
            form(
                r"arm-smmu-v3 <unit:rest>: event: <code:word> client: <device>",
                "arm-smmu-v3 arm-smmu-v3.0.auto: event: F_TRANSLATION client: 0000:01:00.0 sid: "
                "0x100 ssid: 0x0 iova: 0x8000 ipa: 0x0",
            ),
            form(
                r"Unhandled context fault: fsr=",
                "arm-smmu 2b400000.iommu: Unhandled context fault: fsr=0x402, iova=0x8000, "
                "fsynr=0x10001, cbfrsynra=0x1, cb=0",
            ),
            form(
                r"Blocked unknown Stream ID 0x<stream:number>",
                "arm-smmu 2b400000.iommu: Blocked unknown Stream ID 0x1; boot with "
                '"arm-smmu.disable_bypass=0" to allow, but this may have security implications',
            ),
        ),
        refs=("F58",),
        weight=HURTS,
        decide=("dmesg | grep smmu", "lspci -nnk"),
        cure="Code 0x02 is a device that firmware's IORT does not describe; 0x10 an access outside "
        "what is mapped.",
    ),
    Row(
        "smmu-events-lost",
        ARM,
        "The SMMU could not report all refused accesses.",
        (
            form(
                r"EVTQ overflow detected -- events lost",
                "arm-smmu-v3 arm-smmu-v3.0.auto: EVTQ overflow detected -- events lost",
            ),
            form(
                r"no evtq irq - events will not be reported",
                "arm-smmu-v3 arm-smmu-v3.0.auto: no evtq irq - events will not be reported!",
            ),
            form(
                r"unexpected PRI request received",
                "arm-smmu-v3 arm-smmu-v3.0.auto: unexpected PRI request received:",
            ),
        ),
        refs=("F58",),
        weight=HURTS,
        decide=("dmesg | grep smmu",),
        cure="Look which device faults; a firmware update where the interrupt is missing.",
    ),
    Row(
        "smmu-dead",
        ARM,
        "The SMMU or a device behind it no longer answers.",
        (
            form(
                r"device has entered Service Failure Mode",
                "arm-smmu-v3 arm-smmu-v3.0.auto: device has entered Service Failure Mode!",
            ),
            form(
                r"CMD_SYNC timeout at 0x",
                "arm-smmu-v3 arm-smmu-v3.0.auto: CMD_SYNC timeout at 0x00000005 [hwprod 0x00000006, "
                "hwcons 0x00000005]",
            ),
            form(
                r"TLB sync timed out -- SMMU may be deadlocked",
                "arm-smmu 2b400000.iommu: TLB sync timed out -- SMMU may be deadlocked",
            ),
            form(
                r"CMDQ timeout",
                "arm-smmu-v3 arm-smmu-v3.0.auto: CMDQ timeout",
            ),
        ),
        refs=("F58", "F57"),
        decide=("dmesg | grep smmu",),
        cure="Power-cycle; a firmware update.",
        acts="vendor",
    ),
    Row(
        "smmu-no-translation",
        ARM,
        "This SMMU cannot translate, so its devices cannot be given away.",
        (
            form(
                r"arm-smmu<unit:rest>: no translation support!",
                "arm-smmu-v3 arm-smmu-v3.0.auto: no translation support!",
            ),
        ),
        refs=("F05",),
        decide=("ls /sys/class/iommu",),
        cure="None.",
        acts="vendor",
    ),
)
