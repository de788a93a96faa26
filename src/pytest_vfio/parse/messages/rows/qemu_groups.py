"""QEMU: what it says when it opens a group, its node and its IOMMU.

Wordings: hw/vfio of QEMU 2.5 to 10.0 (`pci.c`, `common.c`, `container.c`, `iommufd.c`, `helpers.c`).
"""

from __future__ import annotations

from pytest_vfio.parse.messages.row import PASSED, Row, Speaker, form
from pytest_vfio.parse.messages.words import (
    BOOT_LOG,
    GROUP_HOLDERS,
    GROUP_MEMBERS,
    OF_DEVICE,
    STARTED,
)

QEMU = Speaker.QEMU
_SETUP = r"(?:failed to setup container for group <group>: )?"

ROWS = (
    Row(
        "qemu-starts",
        QEMU,
        "A guest was started anew; what its log says further up is about an earlier start.",
        (
            form(
                r": starting up libvirt version:",
                "2024-05-02 08:10:38.221+0000: starting up libvirt version: 9.0.0, package: "
                "9.0.0-4, qemu version: 7.2.9, kernel: 6.1.0-21-amd64, hostname: hv",
            ),
        ),
        weight=PASSED,
    ),
    Row(
        "group-not-viable",
        QEMU,
        "The group cannot go to a guest: a member of it is bound to a driver of the host.",
        (
            form(
                r"group <group> is not viable",
                "vfio 0000:01:00.0: group 1 is not viable",
                "vfio: error, group 13 is not viable, please ensure all devices within the "
                "iommu_group are bound to their vfio bus driver.",
                "vfio error: 0000:01:00.0: group 1 is not viable",
            ),
            form(
                r"(?<!VFIO )group is not viable",
                "Error booting VM: VfioCreate(GroupViable): group is not viable",
            ),
            form(
                r"lease ensure all devices within the iommu_group are bound to their vfio bus",
                "Please ensure all devices within the iommu_group are bound to their vfio bus "
                "driver.",
            ),
            form(
                r"VFIO group is not viable",
                "VFIO group is not viable",
                "EAL: 0000:03:00.0 VFIO group is not viable! Not all devices in IOMMU group bound "
                "to VFIO or unbound",
            ),
        ),
        refs=("F92", "F81", "F93"),
        decide=GROUP_MEMBERS,
        cure="Bind every endpoint of the group to vfio-pci, or leave it without a driver, and give "
        "the group to one guest; if the host needs a member, no device of the group can go.",
        over=STARTED,
    ),
    Row(
        "no-device-from-group",
        QEMU,
        "The kernel does not hand the device out of its group: it is not bound to a VFIO driver, "
        "or a member of the group belongs to the host or to another user.",
        (
            form(
                r"error getting device from group <group>:",
                "vfio 0000:06:0d.0: error getting device from group 20: Permission denied",
                "vfio 0000:01:00.0: error getting device from group 1: Device or resource busy",
            ),
            form(
                r"error getting device <device> from group <group>:",
                "vfio: error getting device 0000:01:00.0 from group 1: No such device",
            ),
            form(
                r"Verify all devices in group <group> are bound to vfio-(?:\<bus>|pci) or pci-stub",
                "Verify all devices in group 20 are bound to vfio-<bus> or pci-stub and not "
                "already in use",
                "Verify all devices in group 1 are bound to vfio-pci or pci-stub and not already "
                "in use",
            ),
        ),
        refs=("F92", "F82", "F163"),
        decide=GROUP_MEMBERS,
        cure="Bind the device and every endpoint of its group to vfio-pci, and stop whoever else "
        "holds the group.",
        over=STARTED,
    ),
    Row(
        "no-iommu-group",
        QEMU,
        "The device has no IOMMU group: no IOMMU of the host translates for it.",
        (
            form(
                r"no iommu_group found",
                "vfio 0000:00:14.0: no iommu_group found: No such file or directory",
                "vfio: error no iommu_group for device: no iommu_group found",
                "vfio error: 0000:01:00.0: no iommu_group found: No such file or directory",
            ),
            form(r"vfio: error no iommu_group for device", "vfio: error no iommu_group for device"),
        ),
        refs=("F49", "F03", "F04", "F21", "F22", "F23", "F05"),
        decide=(
            "ls /sys/class/iommu",
            "cat /proc/cmdline",
            "dmesg | grep -e DMAR -e AMD-Vi -e smmu",
        ),
        cure="Switch the IOMMU on: in the firmware's setup (VT-d, AMD IOMMU), and on the kernel "
        "line where the kernel does not by itself (intel_iommu=on).",
        over=STARTED,
    ),
    Row(
        "no-such-host-device",
        QEMU,
        "The host has no PCI device at the address that the guest names.",
        (
            form(
                r"vfio <device>: no such host device: <ENOENT>",
                "vfio 0000:05:00.0: no such host device: No such file or directory",
            ),
            form(
                r"vfio <device>: failed to get the sysfs host device file status",
                "vfio 0000:05:00.0: failed to get the sysfs host device file status: No such file "
                "or directory",
            ),
            form(
                r"vfio: error: no such host device: <device>",
                "vfio: error: no such host device: 0000:05:00.0",
            ),
        ),
        refs=("F19", "F145", "F129"),
        decide=("lspci -nn", "lspci -nns <device>"),
        cure="Name the address that the device has now.",
        over=STARTED,
        acts="libvirt",
    ),
    Row(
        "no-vfio-node",
        QEMU,
        "There is no node for the group: no member of it is bound to vfio-pci (or, in a container, "
        "the node was not passed in).",
        (
            form(
                r"/dev/vfio/<group>'?: <ENOENT>",
                "vfio 0000:01:00.0: failed to open /dev/vfio/1: No such file or directory",
                "vfio: error opening /dev/vfio/1: No such file or directory",
                "Could not open '/dev/vfio/17': No such file or directory",
            ),
        ),
        refs=("F71", "F102", "F70"),
        decide=(OF_DEVICE, "ls -l /dev/vfio", "ls -l /sys/kernel/iommu_groups/<group>/devices"),
        cure="Bind the device to vfio-pci before the guest starts.",
        over=STARTED,
    ),
    Row(
        "no-vfio-container-node",
        QEMU,
        "VFIO is not there: the modules vfio and vfio_iommu_type1 are not loaded, or, in a "
        "container, /dev/vfio/vfio was not passed in.",
        (
            form(
                r"/dev/vfio/vfio'?: <ENOENT>",
                "vfio 0000:01:00.0: failed to open /dev/vfio/vfio: No such file or directory",
                "error: stat /dev/vfio/vfio: no such file or directory",
            ),
        ),
        refs=("F63", "F70"),
        decide=("ls -l /dev/vfio", "lsmod | grep vfio"),
        cure="modprobe vfio-pci, and load it at boot.",
        over=STARTED,
    ),
    Row(
        "vfio-node-no-permission",
        QEMU,
        "QEMU's user may not open the VFIO node: its owner and mode, or a security module, keep it "
        "out.",
        (
            form(
                r"/dev/vfio/<node:word>'?: <EACCES>",
                "vfio 0000:03:00.0: failed to open /dev/vfio/1: Permission denied",
                "vfio: failed to open /dev/vfio/vfio: Permission denied",
                "vfio: error opening /dev/vfio/12: Permission denied",
                "Could not open '/dev/vfio/vfio': Permission denied",
            ),
        ),
        refs=("F153", "F150", "F151", "F152", "F146"),
        decide=("ls -l /dev/vfio", "dmesg | grep -e DENIED -e denied", "id"),
        cure="Let libvirt own the node (dynamic_ownership, a <hostdev> instead of raw QEMU words), "
        "or give the node to QEMU's group by a udev rule.",
        over=STARTED,
        acts="libvirt",
    ),
    Row(
        "vfio-node-not-permitted",
        QEMU,
        "A device control group keeps QEMU from the VFIO node, root or not: the runtime or libvirt "
        "does not allow the device.",
        (
            form(
                r"/dev/vfio/<node:word>'?: <EPERM>",
                "vfio 0000:03:10.4: failed to open /dev/vfio/72: Operation not permitted",
                "vfio 0000:01:00.0: failed to open /dev/vfio/vfio: Operation not permitted",
                "vfio: error opening /dev/vfio/1: Operation not permitted",
            ),
        ),
        refs=("F152", "F146", "F70"),
        decide=("grep -n cgroup_device_acl -A 12 /etc/libvirt/qemu.conf", "ls -l /dev/vfio"),
        cure="Allow the node in the device control group: the runtime's device option, a <hostdev> "
        "in libvirt, or cgroup_device_acl.",
        over=STARTED,
    ),
    Row(
        "vfio-node-busy",
        QEMU,
        "The group is already in the hands of another process, most often another guest.",
        (
            form(
                r"/dev/vfio/<group>'?: <EBUSY>",
                "vfio 0000:01:00.0: failed to open /dev/vfio/1: Device or resource busy",
                "vfio: error opening /dev/vfio/1: Device or resource busy",
                "Could not open '/dev/vfio/17': Device or resource busy",
            ),
        ),
        refs=("F97", "F143"),
        decide=GROUP_HOLDERS,
        cure="Give the whole group to one guest, and stop whoever holds it.",
        over=STARTED,
        acts="libvirt",
    ),
    Row(
        "group-in-two-spaces",
        QEMU,
        "Two devices of one group stand behind different IOMMUs of the guest; one group has one "
        "address space.",
        (
            form(
                r"group <group> used in multiple address spaces",
                "vfio 0000:01:00.1: group 1 used in multiple address spaces",
                "vfio: group 1 used in multiple address spaces",
            ),
        ),
        refs=("F97", "F158"),
        decide=GROUP_MEMBERS,
        cure="Put all devices of the group behind one conventional bridge of the guest, or leave "
        "the guest without an IOMMU.",
        over=STARTED,
        acts="guest",
    ),
    Row(
        "no-interrupt-remapping-qemu",
        QEMU,
        "The kernel refuses to put the group behind the IOMMU: most often interrupt remapping is "
        "missing, or firmware keeps memory of its own in the device (RMRR).",
        (
            form(
                rf"{_SETUP}[Ff]ailed to set iommu for container: <EPERM>",
                "vfio 0000:04:00.0: failed to setup container for group 22: Failed to set iommu "
                "for container: Operation not permitted",
                "vfio: failed to set iommu for container: Operation not permitted",
            ),
        ),
        refs=("F53", "F15", "F08", "F07"),
        decide=BOOT_LOG,
        cure="What the kernel's log says decides: interrupt remapping on (firmware, no intremap=off), "
        "or the firmware's option that frees the slot of its reserved memory.",
        over=STARTED,
    ),
    Row(
        "iommu-refuses-group",
        QEMU,
        "The kernel cannot attach the group to an IOMMU domain for the guest.",
        (
            form(
                rf"{_SETUP}[Ff]ailed to set iommu for container: (?!<EPERM>)",
                "vfio 0000:04:00.0: failed to setup container for group 22: Failed to set iommu "
                "for container: Invalid argument",
                "vfio: failed to set iommu for container: Device or resource busy",
            ),
            form(
                rf"{_SETUP}[Ff]ailed to set group container:",
                "vfio 0000:04:00.0: failed to setup container for group 22: Failed to set group "
                "container: Device or resource busy",
            ),
        ),
        refs=("F15", "F53", "F97"),
        decide=("dmesg | tail -30", "cat /sys/kernel/iommu_groups/<group>/reserved_regions"),
        cure="What the kernel says at that moment decides: memory that firmware reserves for the "
        "device (RMRR), or a domain that is still in use.",
        over=STARTED,
    ),
    Row(
        "no-iommu-models",
        QEMU,
        "VFIO has no IOMMU back end: the module vfio_iommu_type1 is not loaded or not built.",
        (
            form(
                rf"{_SETUP}No available IOMMU models",
                "vfio 0000:01:00.0: failed to setup container for group 1: No available IOMMU "
                "models",
                "vfio: No available IOMMU models",
            ),
        ),
        refs=("F63",),
        decide=("lsmod | grep vfio", "modprobe vfio_iommu_type1"),
        cure="modprobe vfio_iommu_type1, and load it at boot.",
        over=STARTED,
    ),
    Row(
        "container-setup-failed",
        QEMU,
        "QEMU could not set the group up for the guest's memory; what follows the colon is why.",
        (
            form(
                r"failed to setup container for group <group>",
                "vfio 0000:01:00.0: failed to setup container for group 1",
                "vfio: failed to setup container for group 32",
            ),
        ),
        refs=("F53", "F147", "F15"),
        decide=("dmesg | tail -30",),
        cure="The rest of the message, or the kernel's log of that moment, says what to do.",
        frame=True,
        over=STARTED,
    ),
    Row(
        "iommufd-bind-refused",
        QEMU,
        "The kernel does not bind the device to iommufd: a member of its group has a host driver, "
        "or interrupts cannot be isolated.",
        (
            form(
                r"error bind device fd=<fd:count> to iommufd=<iommufd:count>:",
                "vfio 0000:01:00.0: error bind device fd=20 to iommufd=19: Operation not permitted",
            ),
        ),
        refs=("F166", "F92", "F53"),
        decide=GROUP_MEMBERS,
        cure="Bind every endpoint of the group to vfio-pci.",
        over=STARTED,
    ),
    Row(
        "iommufd-attach-refused",
        QEMU,
        "The kernel cannot attach the device to the guest's address space through iommufd.",
        (
            form(
                r"\[iommufd=<iommufd:count>\] error attach <device> \(<fd:count>\) to id=",
                "vfio 0000:01:00.0: [iommufd=19] error attach 0000:01:00.0 (20) to id=2: Invalid "
                "argument",
            ),
        ),
        refs=("F166", "F15"),
        decide=("dmesg | tail -30",),
        cure="What the kernel says at that moment decides; without iommufd QEMU uses the group.",
        over=STARTED,
    ),
    Row(
        "no-vfio-cdev",
        QEMU,
        "This kernel makes no VFIO device nodes (/dev/vfio/devices): it is built without iommufd "
        "or VFIO_DEVICE_CDEV; the group's node is another one.",
        (
            form(
                r"failed to find vfio-dev/vfioX/dev",
                "vfio 0000:01:00.0: failed to find vfio-dev/vfioX/dev",
            ),
            form(
                r"/dev/vfio/devices/<node:word>: <ENOENT>",
                "Error: failed to generate container spec: failed to generate spec: lstat "
                "/dev/vfio/devices/vfio0: no such file or directory",
            ),
            form(
                r"couldn't open directory <path>/vfio-dev",
                "couldn't open directory /sys/bus/pci/devices/0000:01:00.0/vfio-dev: No such file "
                "or directory",
            ),
            form(
                r"ailed to open /dev/iommu: <ENOENT>",
                "-object iommufd,id=iommufd0: failed to open /dev/iommu: No such file or directory",
            ),
        ),
        refs=("F166",),
        decide=(
            "grep -e IOMMUFD -e VFIO_DEVICE_CDEV /boot/config-$(uname -r)",
            "ls -R /dev/vfio /dev/iommu",
        ),
        cure="Use the group interface (no iommufd), or a kernel with IOMMUFD and VFIO_DEVICE_CDEV.",
        over=STARTED,
        acts="vendor",
    ),
)
