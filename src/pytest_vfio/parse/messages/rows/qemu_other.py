"""QEMU: ROM files, slots of the guest, graphics, KVM and the monitor.

Wordings: hw/pci, hw/vfio/{pci,igd,pci-quirks}.c, system/qdev-monitor.c, accel/kvm of QEMU 2.5 to 10.0.
"""

from __future__ import annotations

from pytest_vfio.parse.messages.row import HARMLESS, HURTS, Row, Speaker, form
from pytest_vfio.parse.messages.words import OF_DEVICE, STARTED

QEMU = Speaker.QEMU

ROWS = (
    Row(
        "rom-file-missing",
        QEMU,
        "QEMU cannot read the ROM file that the guest names: it is not there, or owner and mode "
        "keep QEMU's user out.",
        (
            form(
                r"failed to find romfile \"<path>\"",
                'failed to find romfile "/usr/share/vgabios/gpu.rom"',
            ),
            form(
                r"failed to find romfile \"<file:word>\"",
                'failed to find romfile "efi-virtio.rom"',
            ),
            form(
                r"failed to load romfile \"<path>\"",
                'failed to load romfile "/usr/share/vgabios/gpu.rom"',
            ),
            form(
                r"romfile \"<path>\" is empty",
                'romfile "/usr/share/vgabios/gpu.rom" is empty',
            ),
            form(
                r"Error reading device ROM: <ENOENT>",
                "vfio: Error reading device ROM: No such file or directory",
            ),
        ),
        refs=("F221",),
        decide=("ls -l <path>", "virsh dumpxml GUEST | grep '<rom'"),
        cure="Put the file where the guest names it, readable for QEMU's user (and allowed by "
        "AppArmor or SELinux), or take <rom file=.../> out.",
        over=STARTED,
        acts="libvirt",
    ),
    Row(
        "rom-unreadable",
        QEMU,
        "The device's own option ROM cannot be read; a guest that needs it for its screen stays "
        "dark, every other guest does not mind.",
        (
            form(
                r"vfio-pci: Cannot read device rom at <device>",
                "vfio-pci: Cannot read device rom at 0000:01:00.0",
            ),
            form(
                r"evice option ROM contents are probably invalid",
                "Device option ROM contents are probably invalid (check dmesg).",
            ),
            form(
                r"kip option ROM probe with rombar=0, or load from file with romfile=",
                "Skip option ROM probe with rombar=0, or load from file with romfile=",
            ),
            form(
                r"vfio: Error reading device ROM: <EIO>",
                "vfio: Error reading device ROM: Input/output error",
            ),
        ),
        refs=("F110",),
        weight=HARMLESS,
        decide=(OF_DEVICE, "dmesg | grep -e ROM -e <device>"),
        cure="Nothing, unless the guest's screen stays dark: then a ROM file of the same card, or "
        "another boot display.",
    ),
    Row(
        "rom-execution-disabled",
        QEMU,
        "The option ROM of this device is known to hang guests; QEMU leaves it out.",
        (
            form(
                r"Rom loading for device at <device> has been disabled due to system instability",
                "Rom loading for device at 0000:01:00.0 has been disabled due to system instability "
                "issues",
            ),
            form(
                r"Device at <device> is known to cause system instability issues during option rom",
                "Device at 0000:01:00.0 is known to cause system instability issues during option "
                "rom execution",
            ),
        ),
        refs=("F110",),
        weight=HARMLESS,
    ),
    Row(
        "slot-taken",
        QEMU,
        "Two devices of the guest are given the same place on its PCI bus.",
        (
            form(
                r"PCI: slot <slot:count> function <function:count> not available for "
                r"<model:word>, in use by",
                "PCI: slot 2 function 0 not available for vfio-pci, in use by VGA,id=video0",
            ),
            form(
                r"PCI: slot <slot:count> function <function:count> not available for "
                r"<model:word>, reserved",
                "PCI: slot 1 function 0 not available for vfio-pci, reserved",
            ),
            form(
                r"PCI: slot <slot:count> function 0 already occupied by ",
                "PCI: slot 2 function 0 already occupied by VGA, new func vfio-pci cannot be "
                "exposed to guest.",
            ),
        ),
        refs=("F157", "F145"),
        decide=("virsh dumpxml GUEST | grep \"<address type='pci'\"",),
        cure="Another address for one of the two; without <address> libvirt chooses a free one.",
        over=STARTED,
        acts="guest",
    ),
    Row(
        "no-free-slot-qemu",
        QEMU,
        "The guest's bus has no free slot.",
        (
            form(
                r"PCI: no slot/function available for <model:word>, all in use",
                "PCI: no slot/function available for vfio-pci, all in use or reserved",
            ),
            form(r"Bus '<bus:word>' is full", "Bus 'pcie.0' is full"),
        ),
        refs=("F156",),
        decide=("virsh dumpxml GUEST | grep -A 3 '<controller type=.pci'",),
        cure="More pcie-root-port controllers.",
        over=STARTED,
        acts="guest",
    ),
    Row(
        "multifunction-missing",
        QEMU,
        "Several functions are put into one slot of the guest, and function 0 does not say so.",
        (
            form(
                r"indicates single function, but <slot:word> is already populated",
                "PCI: 5.0 indicates single function, but 5.1 is already populated.",
            ),
            form(
                r"PCI: single function device can't be populated in function <slot:word>",
                "PCI: single function device can't be populated in function 5.1",
            ),
        ),
        refs=("F157",),
        decide=("virsh dumpxml GUEST | grep \"<address type='pci'\"",),
        cure="multifunction='on' at the address of function 0 of the slot.",
        over=STARTED,
        acts="guest",
    ),
    Row(
        "slot-only-zero",
        QEMU,
        "Behind a port of PCI Express there is only slot 0; the guest names another.",
        (
            form(
                r"PCI: slot <slot:count> is not valid for <model:word>, parent device only allows",
                "PCI: slot 1 is not valid for vfio-pci, parent device only allows plugging into "
                "slot 0.",
            ),
        ),
        refs=("F157",),
        decide=("virsh dumpxml GUEST | grep \"<address type='pci'\"",),
        cure="slot='0x00' in the guest's address.",
        over=STARTED,
        acts="guest",
    ),
    Row(
        "bus-not-found",
        QEMU,
        "The guest names a bus that it does not have.",
        (
            form(
                r"Bus '<bus:word>' not found",
                "Bus 'root.1' not found",
                "Bus 'ich9-pcie-port-1' not found",
            ),
        ),
        refs=("F155",),
        decide=("ps -ef | grep qemu",),
        cure="Add the root port before the device, or name one that is there.",
        over=STARTED,
        acts="guest",
    ),
    Row(
        "no-pci-bus",
        QEMU,
        "The guest's machine type has no PCI bus, so it can have no PCI device.",
        (
            form(
                r"No 'PCI' bus found for device '<model:word>'",
                "-device vfio-pci,host=0000:00:14.3: No 'PCI' bus found for device 'vfio-pci'",
            ),
        ),
        refs=("F154",),
        decide=("ps -ef | grep machine",),
        cure="A machine type with PCI: q35, or microvm with pcie=on.",
        over=STARTED,
        acts="guest",
    ),
    Row(
        "cpu-features-missing",
        QEMU,
        "The host's CPU lacks a feature that the guest's CPU model asks for; the device has nothing to do "
        "with it.",
        (
            form(
                r"Host doesn't support requested features",
                "kvm: Host doesn't support requested features",
            ),
        ),
        refs=("F226",),
        decide=("lscpu", "virsh dumpxml GUEST | grep -A 3 '<cpu'"),
        cure="CPU model host-passthrough, or an older model.",
        over=STARTED,
        acts="guest",
    ),
    Row(
        "cpu-feature-noted",
        QEMU,
        "QEMU notes a CPU feature that it leaves out; nothing is wrong.",
        (
            form(
                r"warning: host doesn't support requested feature:",
                "warning: host doesn't support requested feature: CPUID.01H:ECX.aes [bit 25]",
            ),
            form(
                r"warning: This feature depends on other features that were not requested",
                "qemu-system-x86_64: warning: This feature depends on other features that were not "
                "requested: MSR(48FH).vmx-exit-clear-bndcfgs [bit 23]",
            ),
        ),
        weight=HARMLESS,
    ),
    Row(
        "bus-not-hotpluggable",
        QEMU,
        "Nothing can be plugged into that bus while the guest runs.",
        (
            form(
                r"Bus '<bus:word>' does not support hotplugging",
                "Bus 'pcie.0' does not support hotplugging",
            ),
            form(
                r"Hot-(?:un)?plug failed: unsupported by the port device",
                "Hot-plug failed: unsupported by the port device 'pcie.1'",
            ),
        ),
        refs=("F156", "F155"),
        decide=("virsh dumpxml GUEST | grep -A 3 '<controller type=.pci'",),
        cure="A spare pcie-root-port in the guest, added while it is off.",
        acts="guest",
    ),
    Row(
        "unplug-guest-busy",
        QEMU,
        "The guest has not let go of the device yet.",
        (
            form(
                r"Hot-unplug failed: guest is busy \(power indicator blinking\)",
                "Hot-unplug failed: guest is busy (power indicator blinking)",
            ),
            form(
                r"Device <alias:word> is already in the process of unplug",
                "Device hostdev0 is already in the process of unplug",
            ),
        ),
        refs=("F162",),
        weight=HURTS,
        cure="Unload the driver in the guest, wait, and look at the live XML again.",
        decide=("virsh dumpxml GUEST | grep -A 6 '<hostdev'",),
        acts="guest",
    ),
    Row(
        "no-vfio-pci-in-qemu",
        QEMU,
        "This QEMU is built without VFIO.",
        (
            form(
                r"'vfio-pci' is not a valid device model name",
                "-device vfio-pci,host=01:00.0: 'vfio-pci' is not a valid device model name",
            ),
        ),
        refs=("F141",),
        decide=("qemu-system-x86_64 -device help | grep vfio",),
        cure="A QEMU with VFIO.",
        over=STARTED,
        acts="vendor",
    ),
    Row(
        "legacy-assignment-gone",
        QEMU,
        "The old assignment by KVM (pci-assign) is gone from QEMU and the kernel; VFIO took its "
        "place.",
        (
            form(
                r"'(?:kvm-)?pci-assign' is not a valid device model name",
                "-device pci-assign,host=01:00.0: 'pci-assign' is not a valid device model name",
                "'kvm-pci-assign' is not a valid device model name",
            ),
            form(
                r"No IOMMU found\.? +Unable to assign device",
                'No IOMMU found.  Unable to assign device "hostdev0"',
            ),
        ),
        refs=("F141",),
        decide=("virsh dumpxml GUEST | grep -A 3 '<hostdev'",),
        cure="<driver name='vfio'/> (the default), or -device vfio-pci.",
        over=STARTED,
        acts="libvirt",
    ),
    Row(
        "igd-legacy-off",
        QEMU,
        "The integrated GPU cannot be given to the guest in legacy mode (as its boot display).",
        (
            form(
                r"IGD (?:device <device> )?.{0,120}legacy mode disabled",
                "IGD device 0000:00:02.0 has no ROM, legacy mode disabled",
                "IGD legacy mode disabled",
                "IGD device 0000:00:02.0 cannot support legacy mode due to existing devices at "
                "address 1f.0, legacy mode disabled",
            ),
            form(
                r"is unsupported in legacy mode, try SandyBridge or newer",
                "IGD device 0000:00:02.0 is unsupported in legacy mode, try SandyBridge or newer",
            ),
        ),
        refs=("F123",),
        weight=HURTS,
        decide=("virsh dumpxml GUEST | grep -e machine= -e '<rom'",),
        cure="Machine i440fx, guest address 00:02.0 and a ROM of the GPU; or no legacy mode, with a "
        "UEFI ROM.",
        acts="guest",
    ),
    Row(
        "igd-opregion",
        QEMU,
        "The kernel or QEMU cannot hand the integrated GPU's OpRegion to the guest.",
        (
            form(
                r"support(?:s)? (?:requested )?IGD OpRegion feature",
                "vfio 0000:00:02.0: does not support requested IGD OpRegion feature",
                "vfio 0000:00:02.0: cannot support IGD OpRegion feature on hotplugged device",
                "vfio 0000:00:02.0: Device does not supports IGD OpRegion feature",
            ),
        ),
        refs=("F123",),
        decide=(OF_DEVICE, "dmesg | grep -i igd"),
        cure="vfio-pci must bind the GPU itself (CONFIG_VFIO_PCI_IGD); plug it in at start.",
        over=STARTED,
    ),
    Row(
        "no-kvm",
        QEMU,
        "KVM is not there: virtualisation is off in firmware, its module is not loaded, or QEMU may "
        "not open /dev/kvm.",
        (
            form(
                r"ould not access KVM kernel module:",
                "Could not access KVM kernel module: No such file or directory",
                "Could not access KVM kernel module: Permission denied",
            ),
            form(
                r"failed to initialize (?:KVM|kvm):",
                "failed to initialize KVM: Permission denied",
                "qemu-system-x86_64: failed to initialize kvm: No such file or directory",
            ),
        ),
        refs=("F01", "F02"),
        decide=("ls -l /dev/kvm", "lsmod | grep kvm", "dmesg | grep -i kvm"),
        cure="Virtualisation on in the firmware's setup; modprobe kvm_intel or kvm_amd.",
        over=STARTED,
    ),
    Row(
        "kvm-bad-address",
        QEMU,
        "A virtual CPU touched device memory that the host no longer has: the device fell off its "
        "bus or its BAR moved.",
        (form(r"error: kvm run failed <EFAULT>", "error: kvm run failed Bad address"),),
        refs=("F106", "F105"),
        decide=("dmesg | tail -40", OF_DEVICE),
        cure="Look for the kernel's lines of the device at that moment; power-cycle.",
        over=STARTED,
    ),
    Row(
        "rom-without-bar",
        QEMU,
        "ROM bar is switched off and a ROM file is named: a device that is plugged in cannot have "
        "the one without the other.",
        (
            form(
                r"ot-plugged device without ROM bar can't have an option ROM",
                "Hot-plugged device without ROM bar can't have an option ROM",
            ),
        ),
        refs=("F110",),
        cure="bar='on' beside the ROM file.",
        decide=("virsh dumpxml GUEST | grep '<rom'",),
        acts="guest",
    ),
    Row(
        "no-host-device-named",
        QEMU,
        "The QEMU line names no device of the host.",
        (form(r"No provided host device", "-device vfio-pci: No provided host device"),),
        refs=("F146",),
        cure="-device vfio-pci,host=0000:01:00.0",
        decide=("lspci -nn",),
        over=STARTED,
        acts="libvirt",
    ),
)
