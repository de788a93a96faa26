"""QEMU: what it says of the device itself: capabilities, power, resets, interrupts, BARs.

Wordings: hw/vfio of QEMU 2.5 to 10.0 (`pci.c`, `helpers.c`), hw/pci/pci.c.
"""

from __future__ import annotations

from pytest_vfio.parse.messages.row import HARMLESS, HURTS, Row, Speaker, form
from pytest_vfio.parse.messages.words import (
    OF_DEVICE,
    STARTED,
)

QEMU = Speaker.QEMU
_SETUP = r"(?:failed to setup container for group <group>: )?"

ROWS = (
    Row(
        "fd-without-iommufd",
        QEMU,
        "The device is handed over as a file descriptor, which needs iommufd.",
        (
            form(
                r"Use FD passing only with iommufd backend",
                "vfio 0000:01:00.0: Use FD passing only with iommufd backend",
            ),
        ),
        refs=("F166",),
        decide=("ls -l /dev/iommu",),
        cure="-object iommufd and iommufd= at the device, or host= instead of fd=.",
        over=STARTED,
        acts="libvirt",
    ),
    Row(
        "device-already-attached",
        QEMU,
        "One guest names the same device twice.",
        (
            form(
                r"vfio <device>: device is already attached",
                "vfio 0000:01:00.0: device is already attached",
            ),
            form(
                r"vfio: error: device <device> is already attached",
                "vfio: error: device 0000:01:00.0 is already attached",
            ),
        ),
        refs=("F143",),
        decide=("virsh dumpxml GUEST | grep -A 6 '<hostdev'",),
        cure="Take one of the two out of the guest.",
        over=STARTED,
        acts="libvirt",
    ),
    Row(
        "pcie-type-not-assignable",
        QEMU,
        "A bridge, port or host bridge cannot be assigned; only endpoints can.",
        (
            form(
                r"assignment of PCIe type 0x[0-9a-f]{1,2} devices is not currently supported",
                "vfio 0000:00:1c.0: assignment of PCIe type 0x4 devices is not currently supported",
            ),
        ),
        refs=("F120",),
        decide=("lspci -nns <device>",),
        cure="Name the endpoint behind it.",
        over=STARTED,
        acts="libvirt",
    ),
    Row(
        "capability-overlaps",
        QEMU,
        "The device's list of capabilities cannot be copied for the guest: it is damaged or "
        "unreadable, as of a device that does not answer.",
        (
            form(
                r"failed to add PCI capability 0x[0-9a-f]{1,2}\[0x[0-9a-f]{1,3}\]@0x[0-9a-f]{1,3}:",
                "vfio 0000:01:00.0: failed to add PCI capability 0x11[0x50]@0xb0: table & pba "
                "overlap, or they don't fit in BARs, or don't align",
            ),
            form(
                r"Attempt to add PCI capability [0-9a-f]{1,2} at offset [0-9a-f]{1,3} overlaps "
                r"existing capability",
                "0000:01:00.0 Attempt to add PCI capability 11 at offset b0 overlaps existing "
                "capability 5 at offset a8",
            ),
        ),
        refs=("F121", "F106"),
        decide=("lspci -vvvs <device>", "dmesg | grep <device>"),
        cure="Power-cycle the device and look at its capabilities again; for an MSI-X table that "
        "does not fit, x-msix-relocation.",
        over=STARTED,
        acts="vendor",
    ),
    Row(
        "stuck-in-d3",
        QEMU,
        "The device does not wake up from its sleep state: it has lost power or does not answer.",
        (
            form(
                r"vfio: Unable to power on device, stuck in D<state:count>",
                "qemu-system-x86_64: vfio: Unable to power on device, stuck in D3",
            ),
        ),
        refs=("F106", "F91", "F105"),
        decide=(OF_DEVICE, "dmesg | grep -e D3cold -e 'not ready'"),
        cure="Power the host off and on; if it comes back with the idle device, "
        "vfio-pci.disable_idle_d3=1 and d3cold_allowed=0.",
    ),
    Row(
        "reset-needs-other-group",
        QEMU,
        "The bus reset that the device needs would also reset a device that the guest does not own, "
        "so it is left out.",
        (
            form(
                r"vfio: Cannot reset device <device>, depends on group <other:group> which is not",
                "vfio: Cannot reset device 0000:01:00.0, depends on group 2 which is not owned.",
            ),
            form(
                r"vfio: Cannot reset device <device>, depends on device <mate:device> which is not",
                "vfio: Cannot reset device 0000:01:00.0, depends on device 0000:01:00.1 which is "
                "not owned.",
            ),
        ),
        refs=("F98", "F103"),
        weight=HURTS,
        decide=(
            "cat /sys/bus/pci/devices/<device>/reset_method",
            "lspci -tv",
        ),
        cure="Give every function behind the same port to the guest, or use another slot; harmless "
        "where the device resets by a function reset.",
        acts="guest",
    ),
    Row(
        "no-reset",
        QEMU,
        "The device has no reset that it can be given by itself; it works as long as its driver in "
        "the guest can start it anew.",
        (
            form(
                r"vfio: Cannot reset device <device>, no available reset mechanism",
                "vfio: Cannot reset device 0000:00:14.0, no available reset mechanism.",
            ),
        ),
        refs=("F103", "F107"),
        weight=HURTS,
        decide=("cat /sys/bus/pci/devices/<device>/reset_method",),
        cure="Nothing, if the guest's second start works; else power-cycle between starts.",
        acts="vendor",
    ),
    Row(
        "unrecoverable-error",
        QEMU,
        "The device reported a fatal PCI Express error while the guest had it; QEMU stopped the "
        "guest.",
        (
            form(
                r"\(<device>\) Unrecoverable error detected\. +Please collect any data",
                "vfio_err_notifier_handler(0000:01:00.0) Unrecoverable error detected. Please "
                "collect any data possible and then kill the guest",
            ),
        ),
        refs=("F116", "F115"),
        decide=("dmesg | grep -e AER -e <device>", "lspci -vvvs <device>"),
        cure="Look for the AER lines of the kernel: slot, riser, power or the card itself.",
        acts="vendor",
    ),
    Row(
        "intx-busy",
        QEMU,
        "The device has only a line interrupt, and shares it with a device of the host.",
        (
            form(
                r"interrupt INTX-0: VFIO_DEVICE_SET_IRQS failure: <EBUSY>",
                "vfio 0000:01:04.0: Failed to set up TRIGGER eventfd signaling for interrupt "
                "INTX-0: VFIO_DEVICE_SET_IRQS failure: Device or resource busy",
            ),
            form(
                r"vfio: Error: Failed to setup INTx fd: <EBUSY>",
                "vfio: Error: Failed to setup INTx fd: Device or resource busy",
            ),
        ),
        refs=("F111",),
        decide=("cat /proc/interrupts", "dmesg | grep 'Flags mismatch'"),
        cure="Another slot, or free the other device on that line from its host driver.",
        over=STARTED,
    ),
    Row(
        "irqs-not-set-up",
        QEMU,
        "The kernel could not give the device its interrupts.",
        (
            form(
                r"interrupt <index:word>: VFIO_DEVICE_SET_IRQS failure: (?!<EBUSY>)",
                "vfio 0000:01:00.0: Failed to set up TRIGGER eventfd signaling for interrupt "
                "MSIX-0: VFIO_DEVICE_SET_IRQS failure: Invalid argument",
            ),
            form(
                r"vfio: failed to enable vectors, -<code:count>",
                "vfio: failed to enable vectors, -28",
            ),
            form(
                r"vfio: failed to enable MSI-X, -<code:count>", "vfio: failed to enable MSI-X, -5"
            ),
            form(
                r"vfio: Error: Failed to setup MSI fds:",
                "vfio: Error: Failed to setup MSI fds: Input/output error",
            ),
        ),
        refs=("F106", "F112"),
        decide=(OF_DEVICE, "dmesg | tail -30"),
        cure="A device that is dead or in D3 gives no interrupts: look whether it answers.",
        over=STARTED,
    ),
    Row(
        "bar-not-mapped",
        QEMU,
        "The guest reaches a BAR of the device through QEMU and not directly, which is slow; "
        "something of the host holds that memory.",
        (
            form(
                r"Failed to mmap <device> BAR <bar>\. Performance may be slow",
                "Failed to mmap 0000:01:00.0 BAR 1. Performance may be slow",
            ),
        ),
        refs=("F184", "F108"),
        weight=HURTS,
        decide=("sudo grep -e <device> -e efifb -e BOOTFB -e simple /proc/iomem",),
        cure="Free the memory: another boot display in the firmware's setup, or no framebuffer "
        "driver on it.",
    ),
    Row(
        "interrupt-pin-impossible",
        QEMU,
        "QEMU gave up because the device names an interrupt that cannot be: it answers all ones.",
        (
            form(
                r"pci_irq_handler: Assertion `.{0,20}irq_num",
                "kvm: ../hw/pci/pci.c:1637: pci_irq_handler: Assertion `0 <= irq_num && irq_num < "
                "PCI_NUM_PINS' failed.",
            ),
            form(
                r"invalid PCI interrupt pin <pin:count>",
                "vfio 0000:01:00.0: invalid PCI interrupt pin 255",
            ),
        ),
        refs=("F106", "F105"),
        decide=("lspci -nnk", "dmesg | tail -30"),
        cure="Power-cycle the host; then look at how the device resets.",
        over=STARTED,
        acts="vendor",
    ),
    Row(
        "bar-busy",
        QEMU,
        "The guest cannot reach a BAR of the device because something of the host holds that memory, most "
        "often the framebuffer that firmware left on the card.",
        (
            form(
                r"\(<device>:region<bar>\+0x[0-9a-f]{1,16}, (?:0x[0-9a-f]{1,16}, ?)?<size:count>\) "
                r"failed: <EBUSY>",
                "vfio_region_write(0000:08:00.0:region1+0x345990, 0x13801,8) failed: Device or resource "
                "busy",
            ),
        ),
        refs=("F108", "F184"),
        decide=(
            "sudo grep -e <device> -e efifb -e BOOTFB -e simple /proc/iomem",
            "cat /proc/cmdline",
        ),
        cure="Another card as firmware's display; or free the framebuffer: video=efifb:off on older "
        "kernels, initcall_blacklist=sysfb_init on newer.",
    ),
    Row(
        "bar-unreadable",
        QEMU,
        "QEMU cannot read the device's memory or configuration: the device does not answer.",
        (
            form(
                r"vfio: Failed to read BAR <bar> \(",
                "vfio: Failed to read BAR 0 (Input/output error)",
            ),
            form(
                r"\(<device>:region<bar>\+0x[0-9a-f]{1,16}, (?:0x[0-9a-f]{1,16}, ?)?<size:count>\) "
                r"failed: (?!<EBUSY>)",
                "vfio_region_write(0000:01:00.0:region1+0x110, 0x3,4) failed: Bad address",
                "vfio_region_read(0000:01:00.0:region0+0x0, 4) failed: Input/output error",
            ),
            form(
                r"\(<device>, 0x[0-9a-f]{1,4}, (?:0x[0-9a-f]{1,8}, )?0x[0-9a-f]{1,2}\) failed:",
                "vfio_pci_read_config(0000:01:00.0, 0x4, 0x2) failed: Input/output error",
            ),
        ),
        refs=("F106", "F108"),
        decide=(OF_DEVICE, "dmesg | grep <device>"),
        cure="Power-cycle a device that has fallen off its bus; free a BAR that the host holds.",
    ),
    Row(
        "x-vga-not-supported",
        QEMU,
        "x-vga is asked of a device that is no VGA device or whose kernel has no VGA support in "
        "vfio.",
        (
            form(
                r"device does not support requested feature x-vga",
                "vfio 0000:01:00.0: device does not support requested feature x-vga",
            ),
        ),
        refs=("F119",),
        decide=("lspci -nns <device>", "grep VFIO_PCI_VGA /boot/config-$(uname -r)"),
        cure="Leave x-vga out; UEFI guests do not need it.",
        over=STARTED,
        acts="guest",
    ),
    Row(
        "error-recovery-off",
        QEMU,
        "The device cannot report its errors to QEMU; it works.",
        (
            form(
                r"Could not enable error recovery for the device",
                "vfio 0000:01:00.0: Could not enable error recovery for the device",
            ),
        ),
        weight=HARMLESS,
    ),
)
