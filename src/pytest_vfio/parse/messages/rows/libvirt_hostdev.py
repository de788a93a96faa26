"""libvirt: host devices, their drivers and who uses them.

Wordings: src/util/virpci.c, src/hypervisor/virhostdev.c, src/qemu/qemu_{hostdev,domain,driver,monitor}.c of
libvirt 7.0, 9.0 and 11.3; tools/virsh-{domain,nodedev}.c.
"""

from __future__ import annotations

from pytest_vfio.parse.messages.row import PASSED, Row, Speaker, form
from pytest_vfio.parse.messages.words import OF_DEVICE, STARTED

LIBVIRT = Speaker.LIBVIRT

ROWS = (
    Row(
        "domain-started",
        LIBVIRT,
        "The guest started.",
        (
            form(r"Domain '<guest>' started", "Domain 'g1' started"),
            form(r"Domain <guest> started", "Domain g1 started"),
        ),
        weight=PASSED,
    ),
    Row(
        "device-detached-from-host",
        LIBVIRT,
        "libvirt took the device from its host driver.",
        (form(r"Device pci_<node:word> detached", "Device pci_0000_01_00_0 detached"),),
        weight=PASSED,
    ),
    Row(
        "device-reattached",
        LIBVIRT,
        "libvirt gave the device back to its host driver.",
        (form(r"Device pci_<node:word> re-attached", "Device pci_0000_01_00_0 re-attached"),),
        weight=PASSED,
    ),
    Row(
        "qemu-died-at-start",
        LIBVIRT,
        "QEMU ended while the guest was starting; what QEMU itself said is the reason.",
        (
            form(
                r"emu unexpectedly closed the monitor",
                "error: internal error: qemu unexpectedly closed the monitor",
            ),
            form(
                r"QEMU unexpectedly closed the monitor",
                "internal error: QEMU unexpectedly closed the monitor (vm='default_v1')",
            ),
            form(
                r"rocess exited (?:prematurely )?while connecting to monitor",
                "internal error: process exited while connecting to monitor",
                "internal error: early end of file from monitor, possible problem: process exited "
                "while connecting to monitor",
            ),
        ),
        decide=("tail -30 /var/log/libvirt/qemu/<guest>.log",),
        cure="What QEMU's log of the guest says.",
        frame=True,
        over=STARTED,
    ),
    Row(
        "passthrough-not-supported",
        LIBVIRT,
        "libvirt finds no IOMMU in use on the host: /sys/kernel/iommu_groups is empty, or VFIO is "
        "not loaded.",
        (
            form(
                r"host doesn't support (?:VFIO PCI |legacy PCI )?passthrough",
                "unsupported configuration: host doesn't support passthrough of host PCI devices",
                "unsupported configuration: host doesn't support VFIO PCI passthrough",
                "host doesn't support legacy PCI passthrough",
            ),
            form(
                r"VFIO device assignment is currently not supported on this system",
                "argument unsupported: VFIO device assignment is currently not supported on this "
                "system",
            ),
            form(
                r"[Mm]ediated host device assignment requires VFIO support",
                "Mediated host device assignment requires VFIO support",
            ),
        ),
        refs=("F141", "F03", "F04", "F21", "F63"),
        decide=("ls /sys/kernel/iommu_groups", "ls -l /dev/vfio", "cat /proc/cmdline"),
        cure="Switch the IOMMU on (firmware, and intel_iommu=on where the kernel needs it), and "
        "modprobe vfio-pci.",
        over=STARTED,
    ),
    Row(
        "legacy-kvm-assignment",
        LIBVIRT,
        "The guest asks for the old assignment by KVM, which is gone.",
        (
            form(
                r"'legacy KVM' device assignment is no longer supported",
                "'legacy KVM' device assignment is no longer supported on this system",
            ),
            form(
                r"pci backend driver (?:type )?'<driver>' is not supported",
                "pci backend driver 'default' is not supported",
                "pci backend driver type 'kvm' is not supported",
            ),
        ),
        refs=("F141",),
        decide=("virsh dumpxml <guest> | grep -A 3 '<hostdev'",),
        cure="<driver name='vfio'/>, or no <driver>.",
        over=STARTED,
        acts="libvirt",
    ),
    Row(
        "unmanaged-not-detached",
        LIBVIRT,
        "The guest has managed='no', and nobody took the device from its host driver before.",
        (
            form(
                r"Unmanaged PCI device <device> must be manually detached from the host",
                "Requested operation is not valid: Unmanaged PCI device 0000:01:00.0 must be "
                "manually detached from the host",
            ),
        ),
        refs=("F142", "F71"),
        decide=(OF_DEVICE, "virsh dumpxml <guest> | grep -A 3 '<hostdev'"),
        cure="managed='yes', or virsh nodedev-detach before the start, or vfio-pci at boot.",
        over=("qemu-starts", "domain-started"),
        acts="libvirt",
    ),
    Row(
        "device-in-use-by-guest",
        LIBVIRT,
        "Another guest that runs has the device.",
        (
            form(
                r"PCI device <device> is in use by driver <driver>, domain <guest>",
                "Requested operation is not valid: PCI device 0000:01:00.0 is in use by driver "
                "QEMU, domain g2",
            ),
            form(
                r"NVMe device <device> already in use by driver <driver> domain <guest>",
                "NVMe device 0000:04:00.0 already in use by driver QEMU domain g2",
            ),
            form(r"PCI device <device> is in use$", "error: PCI device 0000:01:00.0 is in use"),
            form(
                r"Device <device> is already in use",
                "internal error: Device 0000:01:00.0 is already in use",
            ),
            form(
                r"Not (?:detaching|reattaching|resetting) active device <device>",
                "internal error: Not detaching active device 0000:01:00.0",
                "Not resetting active device 0000:01:00.0",
                "Not reattaching active device 0000:01:00.0",
            ),
        ),
        refs=("F143", "F97"),
        decide=(
            "virsh list --all",
            "for g in $(virsh list --name); do virsh dumpxml $g | grep -A 5 '<hostdev'; done",
        ),
        cure="Stop the other guest, or give this one another device.",
        over=STARTED,
        acts="libvirt",
    ),
    Row(
        "source-address-missing",
        LIBVIRT,
        "The guest names a PCI address at which the host has no device: it moved, was not made "
        "(a VF), or is dead.",
        (
            form(
                r"Device <device> not found: could not access <path>",
                "Device 0000:05:00.0 not found: could not access /sys/bus/pci/devices/0000:05:00.0"
                "/config: No such file or directory",
            ),
            form(
                r"host pci device <device> not found",
                "operation failed: host pci device 0000:05:00.0 not found",
            ),
            form(
                r"no node device with matching name 'pci_<node:word>'",
                "Node device not found: no node device with matching name 'pci_0000_05_00_0'",
            ),
        ),
        refs=("F145", "F19", "F129"),
        decide=("lspci -nn", "virsh dumpxml <guest> | grep -A 5 '<hostdev'"),
        cure="Name the address that the device has now; for a VF, make the VFs before guests start.",
        over=STARTED,
        acts="libvirt",
    ),
    Row(
        "pci-header-type-127",
        LIBVIRT,
        "The device answers all ones: it has lost power, hangs after a reset, or has fallen off its "
        "bus.",
        (
            form(
                r"[Uu]nknown PCI header type '<type:count>'",
                "internal error: Unknown PCI header type '127' for device '0000:01:00.0'",
                "internal error: Unknown PCI header type '127'",
            ),
        ),
        refs=("F106", "F104", "F105"),
        decide=(OF_DEVICE, "dmesg | grep -e <device> -e 'not ready'"),
        cure="Power the host off and on; then look at how the device resets.",
        over=STARTED,
        acts="vendor",
    ),
    Row(
        "config-space-unreadable",
        LIBVIRT,
        "libvirt cannot read the device's configuration space: the device does not answer or is "
        "gone.",
        (
            form(
                r"Failed to (?:read|restore) PCI config space for <device>",
                "internal error: Failed to restore PCI config space for 0000:01:00.0",
                "internal error: Failed to read PCI config space for 0000:01:00.0",
            ),
            form(
                r"Failed to open config space file '[^']{1,200}'",
                "Failed to open config space file '/sys/bus/pci/devices/0000:01:00.0/config': No "
                "such file or directory",
            ),
        ),
        refs=("F106", "F19"),
        decide=(OF_DEVICE, "dmesg | tail -30"),
        cure="Power-cycle; compare the address with lspci.",
        over=STARTED,
    ),
    Row(
        "no-reset-libvirt",
        LIBVIRT,
        "libvirt knows no way to reset the device by itself.",
        (
            form(
                r"Unable to reset PCI device <device>: (?:no FLR|internal error: (?:Active|no FLR))",
                "internal error: Unable to reset PCI device 0000:01:00.0: no FLR, PM reset or bus "
                "reset available",
            ),
            form(
                r"Active <device> devices on bus with <mate:device>, not doing bus reset",
                "internal error: Active 0000:01:00.1 devices on bus with 0000:01:00.0, not doing "
                "bus reset",
            ),
        ),
        refs=("F103",),
        decide=("cat /sys/bus/pci/devices/<device>/reset_method",),
        cure="Use VFIO, which resets by itself; else a reset of the whole bus, with all that is on "
        "it.",
        over=STARTED,
        acts="vendor",
    ),
    Row(
        "vfio-module-prohibited",
        LIBVIRT,
        "Somebody has forbidden vfio-pci: it is blacklisted.",
        (
            form(
                r"Failed to load PCI (?:driver|stub) module <driver>: administratively prohibited",
                "internal error: Failed to load PCI driver module vfio-pci: administratively "
                "prohibited",
                "internal error: Failed to load PCI stub module vfio-pci: administratively "
                "prohibited",
            ),
        ),
        refs=("F72",),
        decide=("modprobe -c | grep vfio", "cat /proc/cmdline"),
        cure="Take the blacklist of vfio-pci away.",
        over=STARTED,
    ),
    Row(
        "vfio-module-missing",
        LIBVIRT,
        "vfio-pci cannot be loaded: this kernel has no such module.",
        (
            form(
                r"Failed to load PCI [a-z]{4,6} module <driver>: (?!administratively)<why:rest>",
                "internal error: Failed to load PCI driver module vfio-pci: modprobe: FATAL: "
                "Module vfio-pci not found",
            ),
            form(
                r"Failed to load PCI stub module <driver>$",
                "internal error: Failed to load PCI stub module vfio-pci",
            ),
            form(
                r"modprobe reported success loading module '<driver>', but module is missing",
                "modprobe reported success loading module 'vfio_pci', but module is missing from "
                "/sys/module",
            ),
            form(
                r"pci driver '<driver>' supposedly loaded by module '<module:word>' not found in",
                "pci driver 'vfio-pci' supposedly loaded by module 'vfio_pci' not found in sysfs",
            ),
        ),
        refs=("F72",),
        decide=("modinfo vfio-pci", "uname -r", "ls /lib/modules"),
        cure="The kernel's package of modules, or a kernel that has VFIO; after an update of the "
        "kernel, reboot.",
        over=STARTED,
    ),
    Row(
        "bind-to-vfio-failed",
        LIBVIRT,
        "The device could not be moved from its driver.",
        (
            form(
                r"Failed to unbind PCI device '<device>' from <driver>",
                "Failed to unbind PCI device '0000:01:00.0' from nouveau: Device or resource busy",
            ),
            form(
                r"Failed to trigger a (?:re-?)?probe for PCI device '<device>'",
                "Failed to trigger a probe for PCI device '0000:01:00.0': Invalid argument",
                "Failed to trigger a re-probe for PCI device '0000:01:00.0': Invalid argument",
            ),
            form(
                r"Failed to add driver '<driver>' to driver_override +interface of PCI device "
                r"'<device>'",
                "Failed to add driver 'vfio-pci' to driver_override  interface of PCI device "
                "'0000:01:00.0': Invalid argument",
            ),
            form(
                r"Failed to bind PCI device '<device>' to <driver>",
                "Failed to bind PCI device '0000:01:00.0' to vfio-pci: No such device",
            ),
        ),
        refs=("F164", "F84", "F49"),
        decide=("dmesg | tail -20", OF_DEVICE),
        cure="The kernel's line of that moment says why: no group (-22), or still in use.",
        over=STARTED,
    ),
    Row(
        "detach-failed",
        LIBVIRT,
        "virsh could not take the device from the host; its next line says why.",
        (
            form(
                r"Failed to (?:detach|re-attach|reset) device pci_<node:word>",
                "error: Failed to detach device pci_0000_01_00_0",
                "error: Failed to re-attach device pci_0000_01_00_0",
                "error: Failed to reset device pci_0000_01_00_0",
            ),
        ),
        refs=("F163", "F164"),
        decide=("dmesg | tail -20",),
        cure="What the line behind it says.",
        frame=True,
        over=("device-detached-from-host",),
    ),
    Row(
        "bridge-not-assignable",
        LIBVIRT,
        "A bridge or port was named; only endpoints can be assigned.",
        (
            form(
                r"Non-endpoint PCI devices cannot be assigned to guests",
                "unsupported configuration: Non-endpoint PCI devices cannot be assigned to guests",
            ),
            form(
                r"Only PCI endpoint devices can be reset",
                "Invalid attempt to reset PCI device 0000:00:1c.0. Only PCI endpoint devices can be "
                "reset",
            ),
            form(
                r"PCI device <device> is not assignable",
                "PCI device 0000:00:1c.0 is not assignable",
            ),
        ),
        refs=("F120",),
        decide=("lspci -tv", "lspci -nn"),
        cure="Name the endpoint behind it; pcieport stays where it is.",
        over=STARTED,
        acts="libvirt",
    ),
    Row(
        "behind-switch-without-acs",
        LIBVIRT,
        "libvirt refuses the device because a switch above it does not isolate (an old check; VFIO "
        "judges by groups).",
        (
            form(
                r"Device <device> is behind a switch lacking ACS and cannot be assigned",
                "Device 0000:03:00.0 is behind a switch lacking ACS and cannot be assigned",
            ),
        ),
        refs=("F95",),
        decide=("lspci -tv", "ls -d /sys/kernel/iommu_groups/*/devices/*"),
        cure="Another slot.",
        over=STARTED,
        acts="vendor",
    ),
)
