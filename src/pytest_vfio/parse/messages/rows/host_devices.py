"""Drivers of disks and USB controllers of the host.

Wordings: drivers/nvme/host, drivers/ata/libahci.c, drivers/usb/{host/xhci.c,core/hcd-pci.c} of Linux 6.1.
"""

from __future__ import annotations

from pytest_vfio.parse.messages.row import Row, Speaker, form
from pytest_vfio.parse.messages.words import OF_DEVICE

STORAGE = Speaker.STORAGE

ROWS = (
    Row(
        "nvme-gone",
        STORAGE,
        "The NVMe disk no longer answers.",
        (
            form(
                r"controller is down; will reset: CSTS=0x<csts:number>",
                "nvme nvme0: controller is down; will reset: CSTS=0xffffffff, PCI_STATUS=0xffff",
            ),
            form(
                r"Device not ready; aborting (?:initialisation|reset)",
                "nvme nvme0: Device not ready; aborting initialisation, CSTS=0x0",
                "nvme nvme0: Device not ready; aborting reset, CSTS=0x1",
            ),
            form(
                r"Removing after probe failure status: -<code:count>",
                "nvme nvme0: Removing after probe failure status: -19",
            ),
        ),
        refs=("F106", "F104", "F91"),
        decide=("lspci -nnk -d ::0108", "dmesg | grep -e nvme -e 'not ready'"),
        cure="Power-cycle; after passthrough another reset_method; nvme_core.default_ps_max_latency_us=0 "
        "where it sleeps too deep.",
        acts="vendor",
    ),
    Row(
        "ahci-gone",
        STORAGE,
        "The SATA controller does not come back from its reset.",
        (
            form(
                r"controller reset failed \(0x<value:number>\)",
                "ahci 0000:01:00.0: controller reset failed (0xffffffff)",
            ),
        ),
        refs=("F106", "F103"),
        decide=(OF_DEVICE, "cat /sys/bus/pci/devices/<device>/reset_method"),
        cure="Power-cycle; a controller that resets.",
        acts="vendor",
    ),
    Row(
        "xhci-gone",
        STORAGE,
        "The USB controller does not come back, often after a guest had it.",
        (
            form(
                r"xHCI host controller not responding, assume dead",
                "xhci_hcd 0000:00:14.0: xHCI host controller not responding, assume dead",
            ),
            form(
                r"Host halt failed, -<code:count>",
                "xhci_hcd 0000:00:14.0: Host halt failed, -110",
            ),
            form(
                r"xhci_hcd <device>: init <same:device> fail, -<code:count>",
                "xhci_hcd 0000:00:14.0: init 0000:00:14.0 fail, -110",
            ),
        ),
        refs=("F103", "F106"),
        decide=(OF_DEVICE, "cat /sys/bus/pci/devices/<device>/reset_method"),
        cure="Power-cycle; a USB card that resets (FLR).",
        acts="vendor",
    ),
)
