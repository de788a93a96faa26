"""The kernel's VFIO: devices in a guest's hands.

Wordings: drivers/vfio/pci of Linux 4.15 to 6.12; the module vendor-reset.
"""

from __future__ import annotations

from pytest_vfio.parse.messages.row import (
    EXPOSES,
    HARMLESS,
    HURTS,
    PASSED,
    Row,
    Speaker,
    form,
)
from pytest_vfio.parse.messages.words import OF_DEVICE

VFIO = Speaker.VFIO

ROWS = (
    Row(
        "memlock-exceeded",
        VFIO,
        "The guest's memory could not be pinned: the process may not lock that much memory.",
        (
            form(
                r"vfio_pin_pages?_(?:remote|external): (?:Task <task:word> \(<pid:count>\) )?"
                r"RLIMIT_MEMLOCK \(<limit:count>\) exceeded",
                "vfio_pin_pages_remote: RLIMIT_MEMLOCK (65536) exceeded",
                "vfio_pin_page_external: Task qemu-system-x86 (2296) RLIMIT_MEMLOCK (65536) "
                "exceeded",
            ),
            form(
                r"vfio_lock_acct: .{0,80}RLIMIT_MEMLOCK \(<limit:count>\) "
                r"exceeded",
                "vfio_lock_acct: RLIMIT_MEMLOCK (1073741824) exceeded",
            ),
        ),
        refs=("F147", "F148", "F146"),
        decide=(
            "grep -i 'max locked' /proc/$(pgrep -of qemu)/limits",
            "virsh dumpxml GUEST | grep -e hard_limit -e '<memory'",
        ),
        cure="A <hostdev> in libvirt raises the limit by itself; raw QEMU needs ulimit -l unlimited; "
        "a hard_limit must be larger than the guest.",
        acts="libvirt",
    ),
    Row(
        "device-requested-back",
        VFIO,
        "Somebody on the host wants the device back (an unbind, a removal, VFs set to 0) while a "
        "guest has it; that command hangs until the guest lets go.",
        (
            form(
                r"elaying device request to user \(#<times:count>\)",
                "vfio-pci 0000:01:00.0: Relaying device request to user (#0)",
            ),
            form(
                r"o device request channel registered, blocked until released by user",
                "vfio-pci 0000:01:00.0: No device request channel registered, blocked until "
                "released by user",
            ),
            form(
                r"evice is currently in use, task \"[^\"]{1,40}\" \(<pid:count>\) blocked until",
                'vfio-pci 0000:01:00.0: Device is currently in use, task "bash" (1234) blocked until '
                "device is released",
            ),
        ),
        refs=("F163", "F128", "F197", "F117"),
        decide=("sudo fuser -v /dev/vfio/*", "virsh list"),
        cure="Shut the guest down, or detach the device from it.",
    ),
    Row(
        "bars-restored",
        VFIO,
        "The device was reset behind vfio's back while it was in use, and vfio put its addresses "
        "back.",
        (
            form(
                r"reset recovery - restoring (?:BARs|bars)",
                "vfio-pci 0000:07:00.0: vfio_bar_restore: reset recovery - restoring BARs",
                "vfio_bar_restore: 0000:07:00.0 reset recovery - restoring bars",
            ),
        ),
        refs=("F122", "F105"),
        weight=HURTS,
        decide=("dmesg | grep <device>", OF_DEVICE),
        cure="Once at a guest's start it is harmless; repeated, the device does not survive its "
        "reset: power-cycle.",
        acts="vendor",
    ),
    Row(
        "capability-hidden",
        VFIO,
        "vfio leaves a capability out that it does not know; the guest does not see it, and nothing "
        "is wrong.",
        (
            form(
                r"vfio_(?:e?cap)_init: (?:<device> )?hiding e?cap 0x[0-9a-f]{1,4}@0x[0-9a-f]{1,4}",
                "vfio-pci 0000:00:02.0: vfio_ecap_init: hiding ecap 0x1b@0x100",
                "vfio_ecap_init: 0000:07:00.0 hiding ecap 0x19@0x270",
                "vfio-pci 0000:07:00.0: vfio_cap_init: hiding cap 0xff@0xb0",
            ),
        ),
        refs=("F121",),
        weight=HARMLESS,
    ),
    Row(
        "capability-conflict",
        VFIO,
        "The device's list of capabilities overlaps itself; vfio takes one reading of it.",
        (
            form(
                r"PCI config conflict @0x[0-9a-f]{1,4}, was e?cap",
                "vfio-pci 0000:01:00.0: vfio_ecap_init: PCI config conflict @0x200, was ecap 0x1 now "
                "ecap 0x15",
            ),
            form(
                r"unknown length for PCI e?cap 0x[0-9a-f]{1,4}@0x",
                "vfio-pci 0000:01:00.0: vfio_cap_init: unknown length for PCI cap 0x14@0x50",
            ),
        ),
        weight=HARMLESS,
    ),
    Row(
        "intx-broken",
        VFIO,
        "The device cannot mask its line interrupt, so vfio needs that line for it alone.",
        (
            form(
                r"asking broken INTx support",
                "vfio-pci 0000:05:00.0: Masking broken INTx support",
            ),
            form(
                r"ardware bug: VF reports bogus INTx pin",
                "vfio-pci 0000:05:10.0: Hardware bug: VF reports bogus INTx pin 1",
            ),
        ),
        refs=("F112",),
        weight=HARMLESS,
    ),
    Row(
        "igd-regions-failed",
        VFIO,
        "The kernel cannot hand the integrated GPU's OpRegion out; legacy mode does not work, UEFI "
        "guests do not mind.",
        (
            form(
                r"ailed to setup Intel IGD regions",
                "vfio-pci 0000:00:02.0: Failed to setup Intel IGD regions",
            ),
        ),
        refs=("F123",),
        weight=HURTS,
        decide=("grep VFIO_PCI_IGD /boot/config-$(uname -r)",),
        cure="A GPU that the firmware has set up (not disabled as secondary display), and "
        "CONFIG_VFIO_PCI_IGD.",
    ),
    Row(
        "vf-token",
        VFIO,
        "The VF belongs to a PF that user space holds, and the token that both must show is missing "
        "or wrong.",
        (
            form(
                r"VF token required to access device",
                "vfio-pci 0000:03:10.0: VF token required to access device",
            ),
            form(
                r"ncorrect VF token provided for device",
                "vfio-pci 0000:03:10.0: Incorrect VF token provided for device",
            ),
            form(
                r"VF token incorrectly provided, ",
                "vfio-pci 0000:03:10.0: VF token incorrectly provided, PF not bound to vfio-pci",
            ),
        ),
        refs=("F131",),
        decide=("readlink /sys/bus/pci/devices/<device>/physfn",),
        cure="Leave the PF on its host driver and give VFs away, or hand the same vf-token to both.",
    ),
    Row(
        "vf-captured",
        VFIO,
        "The PF is bound to vfio-pci, and so are the VFs that it made; the host cannot use them.",
        (
            form(
                r"aptured SR-IOV VF <vf:device> driver_override",
                "vfio-pci 0000:03:00.0: Captured SR-IOV VF 0000:03:10.0 driver_override",
            ),
            form(
                r"VF <vf:device> bound to driver <driver> while PF bound to driver <owner:word>",
                "vfio-pci 0000:03:00.0: VF 0000:03:10.0 bound to driver iavf while PF bound to "
                "driver vfio-pci",
            ),
        ),
        refs=("F131",),
        weight=HURTS,
        decide=(OF_DEVICE,),
        cure="Leave the PF on its host driver.",
    ),
    Row(
        "noiommu-device",
        VFIO,
        "A device is open in no-IOMMU mode: nothing keeps it from all of the host's memory, and "
        "guests cannot use it.",
        (
            form(
                r"kernel taint for vfio-noiommu group on device",
                "vfio-pci 0000:03:00.0: Adding kernel taint for vfio-noiommu group on device",
            ),
            form(
                r"vfio-noiommu device opened by user",
                "vfio-pci 0000:03:00.0: vfio-noiommu device opened by user (qemu:1234)",
            ),
        ),
        refs=("F62",),
        weight=EXPOSES,
        decide=("cat /sys/module/vfio/parameters/enable_unsafe_noiommu_mode",),
        cure="A real IOMMU, and enable_unsafe_noiommu_mode off.",
    ),
    Row(
        "saved-state-lost",
        VFIO,
        "vfio could not put the device's earlier state back when the guest let go of it.",
        (
            form(
                r"Couldn't reload .{1,60}saved state",
                "vfio-pci 0000:01:00.0: vfio_pci_disable: Couldn't reload 0000:01:00.0 saved state",
            ),
            form(
                r"ouldn't store .{1,60}saved state",
                "vfio_pci_enable: Couldn't store 0000:01:00.0 saved state",
            ),
        ),
        refs=("F106",),
        weight=HURTS,
        decide=(OF_DEVICE,),
        cure="Power-cycle if the device no longer answers.",
    ),
    Row(
        "bar-page-fault",
        VFIO,
        "The guest touched device memory that was not there at that moment: the device slept, was being "
        "reset, or lost its BAR.",
        (
            form(
                r"vfio_pci_mmap_(?:huge_)?fault\(,? ?order = <order:count>\) BAR <bar> page offset",
                "vfio-pci 0000:01:00.0: vfio_pci_mmap_huge_fault(,order = 0) BAR 1 page offset 0x3798: 0x1",
                "vfio-pci 0000:01:00.0: vfio_pci_mmap_fault(,order = 0) BAR 1 page offset 0x3798: 0x1",
            ),
        ),
        refs=("F106", "F122"),
        weight=HURTS,
        decide=("dmesg | grep <device>", OF_DEVICE),
        cure="Look for the reset or power lines of the device just before.",
        acts="vendor",
    ),
    Row(
        "irq-bypass-off",
        VFIO,
        "An interrupt takes the longer way through the host; nothing is wrong.",
        (
            form(
                r"irq bypass producer (?:\(token <token:word>\) )?registration fails",
                "vfio-pci 0000:01:00.0: irq bypass producer (token 00000000d0a2) registration fails: "
                "-22",
            ),
        ),
        weight=HARMLESS,
    ),
    Row(
        "vga-decodes-changed",
        VFIO,
        "vfio-pci took a graphics device and left the legacy VGA ports to others; that is as it has "
        "to be.",
        (
            form(
                r"vgaarb: (?:changed VGA|VGA) decodes",
                "vfio-pci 0000:08:00.0: vgaarb: changed VGA decodes: olddecodes=io+mem,decodes=none:"
                "owns=none",
                "vfio-pci 0000:08:00.0: vgaarb: VGA decodes changed: olddecodes=io+mem,decodes=none:"
                "owns=none",
            ),
        ),
        refs=("F119",),
        weight=HARMLESS,
    ),
    Row(
        "quirk-reset-result",
        VFIO,
        "The module vendor-reset reset the GPU in its own way, and says how that went.",
        (
            form(
                r"AMD_[A-Z]{4,8}<model:number>: reset result = 0\b",
                "vfio-pci 0000:07:00.0: AMD_POLARIS10: reset result = 0",
            ),
        ),
        weight=PASSED,
    ),
    Row(
        "quirk-reset-failed",
        VFIO,
        "The module vendor-reset could not reset the GPU.",
        (
            form(
                r"AMD_[A-Z]{4,8}<model:number>: failed to reset device",
                "vfio-pci 0000:07:00.0: AMD_VEGA10: failed to reset device",
            ),
            form(
                r"AMD_[A-Z]{4,8}<model:number>: reset result = -",
                "vfio-pci 0000:07:00.0: AMD_NAVI10: reset result = -22",
            ),
            form(
                r"AMD_[A-Z]{4,8}<model:number>: SMU error 0x",
                "vfio-pci 0000:07:00.0: AMD_NAVI10: SMU error 0xff",
            ),
        ),
        refs=("F105",),
        decide=("cat /sys/bus/pci/devices/<device>/reset_method", OF_DEVICE),
        cure="Power-cycle the host; reset_method=device_specific before the next start.",
        over=("quirk-reset-result",),
        acts="vendor",
    ),
)
