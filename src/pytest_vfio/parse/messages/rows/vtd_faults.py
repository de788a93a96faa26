"""Intel's IOMMU driver at work: faults, invalidation, memory that firmware reserves.

Wordings: drivers/iommu/intel/{dmar,iommu}.c and drivers/iommu/iommu.c of Linux 4.15 to 6.12.
"""

from __future__ import annotations

from pytest_vfio.parse.messages.row import (
    EXPOSES,
    HURTS,
    PASSED,
    Row,
    Speaker,
    form,
)

VTD = Speaker.INTEL_IOMMU

_FAULT = r"Request device \[<device>\](?: PASID \S{1,20})? fault addr (?:0x)?<at:number> "

ROWS = (
    Row(
        "vtd-on",
        VTD,
        "Intel's IOMMU translates.",
        (
            form(
                r"DMAR: Intel\(R\) Virtualization Technology for Directed I/O",
                "DMAR: Intel(R) Virtualization Technology for Directed I/O",
            ),
        ),
        weight=PASSED,
    ),
    Row(
        "dmar-fault",
        VTD,
        "A device touched memory that the IOMMU does not let it touch.",
        (
            form(
                rf"DMAR: \[DMA (?:Read|Write)[^\]]{{0,30}}\] {_FAULT}\[fault reason (?:0x)?"
                r"<reason:number>\]",
                "DMAR: [DMA Read NO_PASID] Request device [00:02.0] fault addr 0x7cd80000 [fault "
                "reason 0x06] PTE Read access is not set",
                "DMAR: [DMA Write] Request device [03:00.1] fault addr fffe0000 [fault reason 02] "
                "Present bit in context entry is clear",
                "DMAR: [DMA Write] Request device [03:00.0] PASID ffffffff fault addr c5a000 [fault "
                "reason 05] PTE Write access is not set",
            ),
            form(
                r"DMAR:\[DMA [RW][a-z]{3,4}\] Request device \[<device>\] fault addr <at:number>",
                "DMAR:[DMA Write] Request device [02:00.0] fault addr fffff000",
            ),
        ),
        refs=("F55", "F96"),
        weight=HURTS,
        decide=(
            "lspci -nnks <device>",
            "dmesg | grep -c 'Request device'",
            "dmesg | grep -e RMRR -e 'Directed I/O'",
        ),
        cure="A fault or two of the display while the IOMMU comes on are harmless. Else look whose "
        "device it is: a function that does not exist is an alias, a reset before rebinding stops "
        "leftovers of a driver.",
    ),
    Row(
        "dmar-fault-status",
        VTD,
        "The IOMMU reports refused accesses; the line beside it names the device.",
        (
            form(
                r"DRHD: handling fault status reg <status:number>",
                "DMAR: DRHD: handling fault status reg 3",
            ),
            form(
                r"dmar_fault: <count> callbacks suppressed",
                "dmar_fault: 512 callbacks suppressed",
            ),
        ),
        refs=("F55",),
        weight=HURTS,
        decide=("dmesg | grep 'Request device'",),
        cure="What the fault itself says.",
        frame=True,
    ),
    Row(
        "dmar-interrupt-fault",
        VTD,
        "A device sent an interrupt that the IOMMU does not know.",
        (
            form(
                r"\[INTR-REMAP\] Request device \[<device>\] fault index (?:0x)?<at:number> \[fault "
                r"reason (?:0x)?<reason:number>\]",
                "DMAR: [INTR-REMAP] Request device [f0:1f.0] fault index 0x0 [fault reason 0x25] "
                "Blocked a compatibility format interrupt request",
                "DMAR: [INTR-REMAP] Request device [00:1f.0] fault index 8000 [fault reason 38] "
                "Blocked an interrupt request due to source-id verification failure",
            ),
        ),
        refs=("F55",),
        weight=HURTS,
        decide=("lspci -nnks <device>",),
        cure="Reset the device before it is bound again; a firmware update where it is the chipset.",
    ),
    Row(
        "vtd-invalidation-timeout",
        VTD,
        "A device no longer answers the IOMMU; the host may stall until it loses power.",
        (
            form(
                r"VT-d detected Invalidation (?:Time-out|Completion) Error",
                "DMAR: VT-d detected Invalidation Time-out Error: SID 0",
                "DMAR: VT-d detected Invalidation Completion Error: SID 0",
            ),
            form(
                r"VT-d detected Invalidation Queue Error",
                "DMAR: VT-d detected Invalidation Queue Error: Reason f",
            ),
            form(
                r"Invalidation [A-Z][a-z-]{4,10} Error \(I[TCQ]E\) cleared",
                "DMAR: Invalidation Time-out Error (ITE) cleared",
                "DMAR: Invalidation Completion Error (ICE) cleared",
            ),
        ),
        refs=("F57", "F118", "F105"),
        decide=("dmesg | grep -B 20 Invalidation | grep vfio-pci", "lspci -nnk"),
        cure="Power-cycle; then another way to reset the card, or ATS off for it (pci=noats).",
        acts="vendor",
    ),
    Row(
        "rmrr-refused",
        VTD,
        "Firmware keeps memory of its own in the device (RMRR), so the kernel does not give it to a "
        "guest.",
        (
            form(
                r"evice is ineligible for IOMMU domain attach due to platform RMRR requirement",
                "vfio-pci 0000:04:00.0: Device is ineligible for IOMMU domain attach due to platform "
                "RMRR requirement.  Contact your platform vendor.",
                "vfio-pci 0000:04:00.0: DMAR: Device is ineligible for IOMMU domain attach due to "
                "platform RMRR requirement.  Contact your platform vendor.",
            ),
            form(
                r"irmware has requested this device have a 1:1 IOMMU mapping, rejecting",
                "vfio-pci 0000:04:00.0: Firmware has requested this device have a 1:1 IOMMU mapping, "
                "rejecting configuring the device without a 1:1 mapping. Contact your platform "
                "vendor.",
            ),
        ),
        refs=("F15",),
        decide=("cat /sys/bus/pci/devices/<device>/iommu_group/reserved_regions",),
        cure="The vendor's option that frees the slot (HPE: shared memory, HP's conrep), or another "
        "slot.",
        acts="firmware",
    ),
    Row(
        "rmrr-relaxed",
        VTD,
        "Memory that firmware keeps in devices is ignored: firmware may write into a guest's device.",
        (
            form(
                r"assuming all RMRRs are relaxable",
                "DMAR: Intel-IOMMU: assuming all RMRRs are relaxable. This can lead to instability or "
                "data loss",
            ),
        ),
        refs=("F15",),
        weight=EXPOSES,
        decide=("cat /proc/cmdline",),
        cure="The vendor's option that frees the slot, then relax_rmrr away.",
    ),
)
