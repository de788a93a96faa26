"""The kernel's PCI core: errors, hot-plug, links, isolation and interrupt lines.

Wordings: drivers/pci/pcie, drivers/pci/hotplug, drivers/pci/{probe,quirks}.c, kernel/irq of Linux
4.15 to 6.12.
"""

from __future__ import annotations

from pytest_vfio.parse.messages.row import EXPOSES, HARMLESS, HURTS, PASSED, Row, Speaker, form
from pytest_vfio.parse.messages.words import OF_DEVICE

PCI = Speaker.PCI
AFTER = r"(?:FLR|AF_FLR|PM D3(?:hot)?-\>D0|resume|(?:bus|slot|CXL) reset|DPC|reset)"

ROWS = (
    Row(
        "aer-corrected",
        PCI,
        "The link corrected errors by itself; a few do no harm, a flood means a bad link.",
        (
            form(
                r"Corrected error (?:message )?received",
                "pcieport 0000:00:01.0: AER: Corrected error message received from 0000:01:00.0",
                "pcieport 0000:00:01.0: AER: Corrected error received: 0000:01:00.0",
                "pcieport 0000:00:01.0: AER: Multiple Corrected error received: 0000:01:00.0",
                "pcieport 0000:00:01.0: AER: Corrected error received: id=00e0",
            ),
            form(
                r"orrectable error message received from",
                "pcieport 0000:00:01.0: AER: Correctable error message received from 0000:01:00.0",
            ),
            form(
                r"PCIe Bus Error: severity=Correct",
                "vfio-pci 0000:01:00.0: PCIe Bus Error: severity=Corrected, type=Physical Layer, "
                "(Receiver ID)",
                "vfio-pci 0000:01:00.0: PCIe Bus Error: severity=Correctable, type=Data Link Layer, "
                "(Transmitter ID)",
            ),
        ),
        refs=("F115",),
        weight=HURTS,
        decide=("dmesg | grep -c 'Correct'", "lspci -vvs <device> | grep -e LnkSta -e CESta"),
        cure="Reseat the card, shorten or leave out the riser, a lower link speed in the firmware's "
        "setup, ASPM off.",
        acts="vendor",
    ),
    Row(
        "aer-uncorrected",
        PCI,
        "The device or its link had an error that could not be corrected.",
        (
            form(
                r"ncorrect(?:ed|able) \((?:Non-)?Fatal\) error (?:message )?received",
                "pcieport 0000:00:01.0: AER: Uncorrected (Fatal) error received: 0000:01:00.0",
                "pcieport 0000:00:01.0: AER: Uncorrected (Non-Fatal) error received: 0000:01:00.0",
                "pcieport 0000:00:01.0: AER: Uncorrectable (Fatal) error message received from "
                "0000:01:00.0",
            ),
            form(
                r"PCIe Bus Error: severity=Uncorrect(?:ed|able) ",
                "vfio-pci 0000:01:00.0: PCIe Bus Error: severity=Uncorrected (Non-Fatal), "
                "type=Transaction Layer, (Requester ID)",
                "vfio-pci 0000:01:00.0: PCIe Bus Error: severity=Uncorrectable (Fatal), "
                "type=Inaccessible, (Unregistered Agent ID)",
            ),
        ),
        refs=("F115", "F116"),
        decide=("lspci -vvs <device> | grep -e UESta -e LnkSta", "dmesg | grep -e AER -e <device>"),
        cure="Reseat the card, another slot or riser, its power; firmware of card and board.",
        over=("recovery-successful",),
        acts="vendor",
    ),
    Row(
        "recovery-successful",
        PCI,
        "The device was recovered from its error.",
        (
            form(
                r"evice recovery successful",
                "pcieport 0000:00:01.0: AER: device recovery successful",
                "pcieport 0000:00:01.0: AER: Device recovery successful",
            ),
        ),
        weight=PASSED,
    ),
    Row(
        "recovery-failed",
        PCI,
        "The kernel could not recover the device from its error.",
        (
            form(
                r"evice recovery failed",
                "pcieport 0000:00:01.0: AER: device recovery failed",
                "pcieport 0000:00:01.0: AER: Device recovery failed",
            ),
            form(
                r"an't recover \(no error_detected callback\)",
                "vfio-pci 0000:01:00.1: AER: can't recover (no error_detected callback)",
            ),
        ),
        refs=("F115", "F116"),
        decide=(OF_DEVICE, "dmesg | grep AER"),
        cure="Power-cycle; then slot, riser, power and firmware of the card.",
        over=("recovery-successful",),
        acts="vendor",
    ),
    Row(
        "dpc-containment",
        PCI,
        "The port above the device cut its link after an error (downstream port containment).",
        (
            form(
                r"containment event, status:0x",
                "pcieport 0000:00:01.0: DPC: containment event, status:0x1f01 source:0x0000",
            ),
        ),
        refs=("F117", "F115"),
        decide=("dmesg | grep -e DPC -e AER", OF_DEVICE),
        cure="Slot, riser, power and firmware of the card.",
        over=("recovery-successful",),
        acts="vendor",
    ),
    Row(
        "link-down",
        PCI,
        "The card's link went down or the card left its slot while the host ran.",
        (
            form(
                r"Slot\(<slot:word>\): (?:Link Down|Card not present)",
                "pcieport 0000:00:01.0: pciehp: Slot(4): Link Down",
                "pcieport 0000:00:01.0: pciehp: Slot(4-1): Card not present",
            ),
        ),
        refs=("F117",),
        weight=HURTS,
        decide=("dmesg | grep pciehp", OF_DEVICE),
        cure="Seat and power of the card; a reset of the card may look like this on a hot-plug slot.",
        over=("link-up",),
        acts="vendor",
    ),
    Row(
        "link-up",
        PCI,
        "The card's link came up.",
        (
            form(
                r"Slot\(<slot:word>\): Link Up",
                "pcieport 0000:00:01.0: pciehp: Slot(4): Link Up",
            ),
        ),
        weight=PASSED,
    ),
    Row(
        "header-type-unreadable",
        PCI,
        "A device answers all ones or nonsense at enumeration and is left out.",
        (
            form(
                r"nknown header type <type:number>, ignoring device",
                "pci 0000:01:00.0: unknown header type 7f, ignoring device",
            ),
            form(
                r"\(rev ff\)",
                "01:00.0 VGA compatible controller: NVIDIA Corporation GA102 (rev ff) (prog-if ff)",
            ),
            form(
                r"!!! Unknown header type <type:number>",
                "\t!!! Unknown header type 7f",
            ),
        ),
        refs=("F106",),
        decide=(OF_DEVICE, "dmesg | grep <device>"),
        cure="Power the host off and on; slot, riser and power of the card.",
        acts="vendor",
    ),
    Row(
        "link-limited",
        PCI,
        "The card's link is slower or narrower than the card could use.",
        (
            form(
                r"Gb/s available PCIe bandwidth, limited by",
                "pci 0000:01:00.0: 31.504 Gb/s available PCIe bandwidth, limited by 8.0 GT/s PCIe x4 "
                "link at 0000:00:1c.0 (capable of 126.016 Gb/s with 8.0 GT/s PCIe x16 link)",
            ),
        ),
        refs=("F114",),
        weight=HARMLESS,
        decide=("lspci -vvs <device> | grep Lnk",),
        cure="A slot with more lanes, if the speed matters.",
    ),
    Row(
        "payload-size",
        PCI,
        "The largest packet of card and port differ; transfers may be slow or fail.",
        (
            form(
                r"an't set Max Payload Size to <size:count>; if necessary, use",
                "pci 0000:01:00.0: can't set Max Payload Size to 256; if necessary, use "
                '"pci=pcie_bus_safe" and report a bug',
            ),
            form(
                r"Max Payload Size <size:count>, but upstream <port:device> set to",
                "pci 0000:01:00.0: Max Payload Size 256, but upstream 0000:00:01.0 set to 128; if "
                'necessary, use "pci=pcie_bus_safe" and report a bug',
            ),
        ),
        refs=("F186",),
        weight=HURTS,
        decide=("lspci -vvs <device> | grep MaxPayload",),
        cure="pci=pcie_bus_safe, or the firmware's option.",
    ),
    Row(
        "ats-quirk",
        PCI,
        "The kernel switched off the card's address translation service, which is broken in it.",
        (
            form(r"disabling ATS", "pci 0000:07:00.0: disabling ATS"),
            form(r"PCIe: ATS is disabled", "PCIe: ATS is disabled"),
        ),
        refs=("F118",),
        weight=HARMLESS,
    ),
    Row(
        "acs-override-on",
        PCI,
        "Groups are split by an override and not by hardware: devices may reach each other's memory "
        "past the IOMMU.",
        (
            form(
                r"PCIe ACS overrides enabled; This may allow non-IOMMU protected peer-to-peer DMA",
                "Warning: PCIe ACS overrides enabled; This may allow non-IOMMU protected peer-to-peer "
                "DMA",
            ),
        ),
        refs=("F45",),
        weight=EXPOSES,
        decide=("cat /proc/cmdline", "lspci -vv | grep -e ACSCap -e ACSCtl"),
        cure="Another slot or board where groups are apart by themselves, then the override away.",
        acts="vendor",
    ),
    Row(
        "acs-configured",
        PCI,
        "Isolation between ports is weakened by a word on the kernel line.",
        (
            form(
                r"(?<!workaround: )disabled ACS redirect", "pci 0000:00:1c.0: disabled ACS redirect"
            ),
            form(
                r"Can't parse (?:disable_acs_redir|ACS command line) parameter",
                "PCI: Can't parse disable_acs_redir parameter: x",
                "Can't parse ACS command line parameter",
            ),
            form(r"Configured ACS to 0x", "pci 0000:00:1c.0: Configured ACS to 0x1"),
        ),
        refs=("F46",),
        weight=EXPOSES,
        decide=("cat /proc/cmdline",),
        cure="Take pci=disable_acs_redir= or pci=config_acs= away unless it is meant.",
    ),
    Row(
        "flags-mismatch",
        PCI,
        "Two devices share one interrupt line and cannot agree how; one of them is the guest's.",
        (
            form(
                r"genirq: Flags mismatch irq <irq:count>\. [0-9a-f]{8} \(vfio-intx\(<device>\)\) vs",
                "genirq: Flags mismatch irq 18. 00000000 (vfio-intx(0000:01:04.0)) vs. 00000080 "
                "(ehci_hcd:usb1)",
            ),
        ),
        refs=("F111",),
        decide=("cat /proc/interrupts",),
        cure="Another slot, or the other device off its host driver.",
    ),
    Row(
        "irq-nobody-cared",
        PCI,
        "An interrupt line was shut down because nobody answered it; every device on it is slow or "
        "dead now.",
        (
            form(
                r"irq <irq:count>: nobody cared",
                'irq 16: nobody cared (try booting with the "irqpoll" option)',
            ),
            form(r"Disabling IRQ #<irq:count>", "Disabling IRQ #16"),
        ),
        refs=("F113",),
        decide=("cat /proc/interrupts",),
        cure="Let the device use MSI in the guest; look which devices share the line.",
    ),
)
