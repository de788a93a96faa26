"""Proxmox: its wrapper around QEMU.

Wordings: qemu-server (PVE/QemuServer/{PCI,Memory}.pm, PVE/QemuServer.pm) and pve-common (SysFSTools.pm)
of Proxmox VE 6 to 9.
"""

from __future__ import annotations

from pytest_vfio.parse.messages.row import HARMLESS, PASSED, Row, Speaker, form
from pytest_vfio.parse.messages.words import OF_DEVICE

PROXMOX = Speaker.PROXMOX

ROWS = (
    Row(
        "proxmox-task-ok",
        PROXMOX,
        "The task ended well.",
        (form(r"TASK OK$", "TASK OK"),),
        weight=PASSED,
    ),
    Row(
        "proxmox-no-iommu",
        PROXMOX,
        "The host has no IOMMU in use: /sys/kernel/iommu_groups is empty.",
        (
            form(
                r"cannot prepare PCI pass-through, IOMMU not present",
                "TASK ERROR: cannot prepare PCI pass-through, IOMMU not present",
            ),
            form(
                r"No IOMMU detected, please activate it",
                "No IOMMU detected, please activate it.See Documentation for further information.",
            ),
        ),
        refs=("F03", "F04", "F21", "F33"),
        decide=("cat /proc/cmdline", "ls /sys/class/iommu", "proxmox-boot-tool status"),
        cure="VT-d or IOMMU on in the firmware's setup; on Intel before kernel 6.8 intel_iommu=on where this "
        "host boots from (GRUB, or /etc/kernel/cmdline and proxmox-boot-tool refresh).",
        over=("proxmox-task-ok",),
    ),
    Row(
        "proxmox-cannot-bind",
        PROXMOX,
        "Proxmox could not move the group to vfio-pci.",
        (
            form(
                r"can't unbind/bind (?:PCI|pci) group to VFIO '<device>'",
                "TASK ERROR: can't unbind/bind PCI group to VFIO '0000:01:00.0'",
                "can't unbind/bind pci group to VFIO '01:00.0'",
            ),
            form(
                r"can't reset PCI device '<device>'",
                "TASK ERROR: can't reset PCI device '0000:01:00.0'",
            ),
        ),
        refs=("F84", "F49", "F103"),
        decide=("dmesg | tail -20", OF_DEVICE),
        cure="Stop what uses the device on the host; look at the kernel's lines of that moment.",
        over=("proxmox-task-ok",),
    ),
    Row(
        "proxmox-reset-skipped",
        PROXMOX,
        "The device has no reset by itself, and Proxmox goes on without; often nothing is wrong.",
        (
            form(
                r"failed to reset PCI device '<device>', but trying to continue",
                "failed to reset PCI device '0000:01:00.0', but trying to continue as not all devices need "
                "a reset",
            ),
            form(
                r"error writing '1' to '/sys/bus/pci/devices/<device>/reset'",
                "error writing '1' to '/sys/bus/pci/devices/0000:01:00.0/reset': Inappropriate ioctl for "
                "device",
            ),
        ),
        refs=("F103",),
        weight=HARMLESS,
        decide=("cat /sys/bus/pci/devices/<device>/reset_method",),
        cure="Nothing, if the guest's second start works.",
    ),
    Row(
        "proxmox-in-use",
        PROXMOX,
        "Another guest has the device.",
        (
            form(
                r"PCI device '<device>' (?:is )?already in use by (?:running )?VMID '?<guest>'?",
                "TASK ERROR: PCI device '0000:01:00.0' already in use by VMID '100'",
                "PCI device '0000:01:00.0' already in use by running VMID '100'",
                "PCI device '0000:01:00.0' is already in use by VMID '100'",
            ),
            form(
                r"PCI device '<device>' is currently reserved for use by VMID '<guest>'",
                "PCI device '0000:01:00.0' is currently reserved for use by VMID '100'",
            ),
            form(
                r"device '<device>' assigned more than once",
                "device '0000:01:00.0' assigned more than once",
            ),
            form(
                r"could not find a free device for 'hostpci<number:count>'",
                "could not find a free device for 'hostpci0'",
            ),
        ),
        refs=("F143",),
        decide=("qm list", "grep -r hostpci /etc/pve/qemu-server"),
        cure="Stop the other guest, or take the device out of one of the two.",
        over=("proxmox-task-ok",),
        acts="libvirt",
    ),
    Row(
        "proxmox-no-device",
        PROXMOX,
        "The host has no PCI device at the address that the guest names.",
        (
            form(
                r"no (?:pci|PCI) device info for device '<device>'",
                "TASK ERROR: no pci device info for device '0000:05:00.0'",
                "no PCI device info for device '05:00.0'",
            ),
            form(
                r"no (?:pci|PCI) device found for '<id:guest>'",
                "no PCI device found for '0000:05:00'",
                "no pci device found for '05:00'",
            ),
            form(
                r"PCI device mapping invalid \(hardware probably changed\)",
                "PCI device mapping invalid (hardware probably changed): 'id' does not match",
            ),
            form(
                r"PCI device mapping not found for '<mapping:guest>'",
                "PCI device mapping not found for 'gpu'",
            ),
        ),
        refs=("F19", "F145"),
        decide=("lspci -nn", "grep -r hostpci /etc/pve/qemu-server"),
        cure="Name the address, or the mapping, that the device has now.",
        over=("proxmox-task-ok",),
        acts="libvirt",
    ),
    Row(
        "proxmox-needs-q35",
        PROXMOX,
        "pcie=1 needs a guest of machine type q35.",
        (
            form(
                r"q35 machine model is not enabled",
                "TASK ERROR: q35 machine model is not enabled at "
                "/usr/share/perl5/PVE/QemuServer/PCI.pm line 510.",
            ),
        ),
        refs=("F154",),
        decide=("qm config GUEST | grep machine",),
        cure="machine: q35, or pcie=1 away.",
        over=("proxmox-task-ok",),
        acts="guest",
    ),
    Row(
        "proxmox-legacy-igd",
        PROXMOX,
        "The integrated GPU cannot be given in legacy mode to a guest that is set up like this.",
        (
            form(
                r"legacy IGD assignment (?:is not compatible with|requires|only works)",
                "legacy IGD assignment is not compatible with q35",
                "legacy IGD assignment requires VGA mode to be 'none'",
                "legacy IGD assignment only works for devices on host bus 00:02.0",
            ),
        ),
        refs=("F123",),
        decide=("qm config GUEST",),
        cure="i440fx, vga: none, rombar on, 00:02.0 alone; or no legacy-igd.",
        over=("proxmox-task-ok",),
        acts="guest",
    ),
    Row(
        "proxmox-hugepages",
        PROXMOX,
        "The guest asks for huge pages that the host cannot give like this.",
        (
            form(
                r"hugepage allocation failed", "TASK ERROR: hugepage allocation failed at line 731"
            ),
            form(
                r"your system doesn't support hugepages",
                "your system doesn't support hugepages",
                "your system doesn't support hugepages of 1024 MB",
            ),
            form(
                r"numa needs to be enabled to use hugepages",
                "numa needs to be enabled to use hugepages",
            ),
        ),
        refs=("F167",),
        decide=("grep Huge /proc/meminfo", "qm config GUEST | grep -e hugepages -e numa"),
        cure="numa: 1, and huge pages reserved at boot (hugepagesz=1G hugepages=N).",
        over=("proxmox-task-ok",),
    ),
    Row(
        "proxmox-bridge-without-port",
        PROXMOX,
        "A bridge of the host has no physical port: its adapter is on vfio-pci, in a guest, or has "
        "another name now.",
        (
            form(
                r"no physical interface on bridge '<bridge:word>'",
                "no physical interface on bridge 'vmbr0'",
            ),
            form(
                r"bridge '<bridge:word>' does not exist",
                "bridge 'vmbr1' does not exist",
            ),
        ),
        refs=("F201", "F190", "F19"),
        decide=("ip link", "lspci -nnk -d ::0200", "cat /etc/network/interfaces"),
        cure="Give the bridge an adapter that stays with the host, under its present name.",
        over=("proxmox-task-ok",),
    ),
    Row(
        "proxmox-start-timeout",
        PROXMOX,
        "QEMU took longer to start than Proxmox waits: pinning the memory of a large guest takes its "
        "time, or a device hangs.",
        (
            form(
                r"start failed: .{0,300}got timeout",
                "TASK ERROR: start failed: command '/usr/bin/kvm -id 100 ...' failed: got timeout",
            ),
            form(
                r"timeout waiting on systemd",
                "TASK ERROR: timeout waiting on systemd",
            ),
        ),
        refs=("F182", "F163"),
        decide=("dmesg | tail -30", "qm list"),
        cure="Start it by `qm start ID --timeout 300`; huge pages; look whether a device hangs.",
        over=("proxmox-task-ok",),
    ),
    Row(
        "proxmox-start-failed",
        PROXMOX,
        "QEMU did not start; its own line is the reason.",
        (
            form(
                r"start failed: QEMU exited with code <code:count>",
                "TASK ERROR: start failed: QEMU exited with code 1",
            ),
            form(
                r"start failed: .{0,300}failed: exit code <code:count>",
                "start failed: command '/usr/bin/kvm -id 100 ...' failed: exit code 1",
            ),
        ),
        decide=("qm start GUEST", "dmesg | tail -30"),
        cure="What QEMU said before it.",
        over=("proxmox-task-ok",),
        frame=True,
    ),
)
