"""The kernel's PCI core: resets, power, ROM and vital product data.

Wordings: drivers/pci/{pci,rom,vpd,pci-sysfs}.c of Linux 4.15 to 6.12.
"""

from __future__ import annotations

from pytest_vfio.parse.messages.row import HARMLESS, HURTS, PASSED, Row, Speaker, form
from pytest_vfio.parse.messages.words import OF_DEVICE

PCI = Speaker.PCI
AFTER = r"(?:FLR|AF_FLR|PM D3(?:hot)?-\>D0|resume|(?:bus|slot|CXL) reset|DPC|reset)"

ROWS = (
    Row(
        "reset-ready",
        PCI,
        "The device came back from its reset after a while.",
        (
            form(
                rf"(?<!not )ready <ms:count>ms after {AFTER}",
                "vfio-pci 0000:01:00.0: ready 2047ms after FLR",
                "vfio-pci 0000:84:00.0: ready 8191ms after bus reset",
            ),
        ),
        weight=PASSED,
    ),
    Row(
        "reset-waiting",
        PCI,
        "The device is slow to come back from its reset; the kernel waits on.",
        (
            form(
                rf"not ready <ms:count>ms after {AFTER}; waiting",
                "vfio-pci 0000:01:00.0: not ready 1023ms after FLR; waiting",
                "vfio-pci 0000:84:00.0: not ready 4095ms after bus reset; waiting",
            ),
        ),
        refs=("F104",),
        weight=HURTS,
        decide=("dmesg | grep 'ms after'", OF_DEVICE),
        cure="Wait for `ready` or `giving up`.",
        over=("reset-ready", "reset-gave-up"),
        acts="vendor",
    ),
    Row(
        "reset-gave-up",
        PCI,
        "The device did not come back from its reset and is dead until it loses power.",
        (
            form(
                rf"not ready <ms:count>ms after {AFTER}; giving up",
                "vfio-pci 0000:01:00.0: not ready 65535ms after FLR; giving up",
                "vfio-pci 0000:84:00.0: not ready 65535ms after bus reset; giving up",
                "pci 0000:84:00.0: not ready 60000ms after resume; giving up",
            ),
        ),
        refs=("F104", "F105", "F106"),
        decide=(OF_DEVICE, "cat /sys/bus/pci/devices/<device>/reset_method"),
        cure="Power the host off and on; then another reset_method, firmware of the card, or no "
        "reset between guests.",
        over=("reset-ready",),
        acts="vendor",
    ),
    Row(
        "pending-transactions",
        PCI,
        "The device had not finished its transfers when it was reset.",
        (
            form(
                r"timed out waiting for pending transaction; performing (?:AF )?function level reset",
                "vfio-pci 0000:01:00.0: timed out waiting for pending transaction; performing "
                "function level reset anyway",
                "vfio-pci 0000:01:00.0: timed out waiting for pending transaction; performing AF "
                "function level reset anyway",
            ),
        ),
        refs=("F104",),
        weight=HURTS,
        decide=("dmesg | grep <device>",),
        cure="Stop the guest's driver before the guest ends; harmless if the device comes back.",
        acts="vendor",
    ),
    Row(
        "power-state-inaccessible",
        PCI,
        "The device cannot be woken: it does not answer (no power, or off its bus).",
        (
            form(
                r"nable to change power state from <from:word> to D0, device inaccessible",
                "vfio-pci 0000:03:00.0: Unable to change power state from D3cold to D0, device "
                "inaccessible",
                "vfio-pci 0000:03:00.0: Unable to change power state from unknown to D0, device "
                "inaccessible",
            ),
            form(
                r"can't change power state from <from:word> to <to:word> \(config space inaccess",
                "vfio-pci 0000:03:00.0: can't change power state from D3cold to D0 (config space "
                "inaccessible)",
            ),
            form(
                r"efused to change power state, currently in D3",
                "vfio-pci 0000:03:00.0: Refused to change power state, currently in D3",
            ),
            form(
                r"efused to change power state from <from:word> to D0",
                "vfio-pci 0000:03:00.0: Refused to change power state from D3hot to D0",
                "vfio-pci 0000:03:00.0: refused to change power state from D3hot to D0",
            ),
        ),
        refs=("F106", "F91"),
        decide=(OF_DEVICE, "cat /sys/bus/pci/devices/<device>/power_state"),
        cure="Power the host off and on; if it comes back with the idle device, "
        "vfio-pci.disable_idle_d3=1 and d3cold_allowed=0.",
        acts="vendor",
    ),
    Row(
        "power-state-refused",
        PCI,
        "The device did not go to sleep when it was told to; by itself that only costs power.",
        (
            form(
                r"efused to change power state from D0 to <to:word>",
                "vfio-pci 0000:66:00.4: Refused to change power state from D0 to D3hot",
            ),
        ),
        refs=("F91",),
        weight=HURTS,
        decide=("dmesg | grep <device>",),
        cure="vfio-pci.disable_idle_d3=1 for such a device.",
        acts="vendor",
    ),
    Row(
        "reset-methods-off",
        PCI,
        "Somebody switched off every way to reset the device.",
        (
            form(
                r"ll device reset methods disabled by user",
                "pci 0000:01:00.0: All device reset methods disabled by user",
            ),
        ),
        refs=("F103",),
        weight=HURTS,
        decide=("cat /sys/bus/pci/devices/<device>/reset_method",),
        cure="echo default > /sys/bus/pci/devices/.../reset_method",
    ),
    Row(
        "reset-method-unknown",
        PCI,
        "The device has no reset of that name.",
        (
            form(
                r"(?:Unsupported|Invalid) reset method '<method:word>'",
                "pci 0000:01:00.0: Unsupported reset method 'flr'",
                "pci 0000:01:00.0: Invalid reset method 'device_specfic'",
            ),
        ),
        refs=("F103", "F107"),
        weight=HURTS,
        decide=("cat /sys/bus/pci/devices/<device>/reset_method",),
        cure="One of the names that the file shows.",
    ),
    Row(
        "rom-signature",
        PCI,
        "The device's ROM holds no option ROM that can be read; assignment works without.",
        (
            form(
                r"nvalid PCI ROM header signature: expecting 0xaa55, got 0x[0-9a-f]{1,8}",
                "vfio-pci 0000:01:00.0: Invalid PCI ROM header signature: expecting 0xaa55, got "
                "0xffff",
                "Invalid PCI ROM header signature: expecting 0xaa55, got 0x7f0d",
            ),
            form(
                r"nvalid PCI ROM data signature: expecting 0x52494350, got 0x[0-9a-f]{1,8}",
                "vfio-pci 0000:01:00.0: Invalid PCI ROM data signature: expecting 0x52494350, got "
                "0xcb80aa55",
            ),
            form(
                r"No more images? in (?:the )?PCI ROM",
                "vfio-pci 0000:01:00.0: No more image in the PCI ROM",
                "pci 0000:01:00.0: No more images in PCI ROM",
            ),
            form(
                r"nvalid ROM contents",
                "vfio-pci 0000:01:00.0: Invalid ROM contents",
                "Invalid ROM contents",
            ),
        ),
        refs=("F110", "F14"),
        weight=HARMLESS,
        decide=("cat /sys/bus/pci/devices/<device>/boot_vga",),
        cure="Nothing, unless the guest's screen stays dark: then a ROM file of the same card, or "
        "another boot display.",
    ),
    Row(
        "vpd-unreadable",
        PCI,
        "The device's vital product data cannot be read; passthrough does not need it.",
        (
            form(
                r"PD access failed\. +This is likely a firmware bug on this device",
                "vfio-pci 0000:05:00.0: VPD access failed.  This is likely a firmware bug on this "
                "device.  Contact the card vendor for a firmware update",
            ),
            form(
                r"nvalid (?:(?:short|large) )?VPD tag ",
                "vfio-pci 0000:05:00.0: invalid VPD tag 0xff (size 0) at offset 0; assume missing "
                "optional EEPROM",
                "r8169 0000:05:00.0: invalid short VPD tag 00 at offset 1",
                "r8169 0000:05:00.0: invalid large VPD tag 7f at offset 0",
            ),
            form(
                r"isabling VPD access \(can't determine size of non-standard VPD format\)",
                "pci 0000:05:00.0: [Firmware Bug]: disabling VPD access (can't determine size of "
                "non-standard VPD format)",
            ),
        ),
        refs=("F124",),
        weight=HARMLESS,
    ),
)
