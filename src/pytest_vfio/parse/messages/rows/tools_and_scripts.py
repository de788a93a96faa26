"""virt-host-validate, virt-manager, driverctl and the scripts that people share.

Wordings: tools/virt-host-validate-{common,qemu}.c of libvirt 9.0 and 11.3; driverctl 0.115; virt-manager 5.0.
"""

from __future__ import annotations

from pytest_vfio.parse.messages.row import HURTS, PASSED, Row, Speaker, form
from pytest_vfio.parse.messages.words import OF_DEVICE

VALIDATE = Speaker.VALIDATE
SHELL = Speaker.SHELL
VIRT_MANAGER = Speaker.VIRT_MANAGER

ROWS = (
    Row(
        "validate-iommu-on",
        VALIDATE,
        "virt-host-validate found IOMMU groups.",
        (
            form(
                r"Checking if IOMMU is enabled by kernel +: PASS",
                "  QEMU: Checking if IOMMU is enabled by kernel                                  : PASS",
            ),
        ),
        weight=PASSED,
    ),
    Row(
        "validate-no-table",
        VALIDATE,
        "Firmware gives the kernel no table of IOMMUs: VT-d or the AMD IOMMU is off in its setup, or the "
        "board has none.",
        (
            form(
                r"No ACPI (?:DMAR|IVRS) table found, IOMMU either disabled in BIOS",
                "QEMU: Checking for device assignment IOMMU support : WARN (No ACPI DMAR table found, "
                "IOMMU either disabled in BIOS or not supported by this hardware platform)",
                "WARN (No ACPI IVRS table found, IOMMU either disabled in BIOS or not supported by this "
                "hardware platform)",
            ),
            form(
                r"No ACPI IORT table found, IOMMU not supported by this hardware platform",
                "WARN (No ACPI IORT table found, IOMMU not supported by this hardware platform)",
            ),
            form(r"WARN \(No SMMU found\)", "WARN (No SMMU found)"),
            form(
                r"Unknown if this platform has IOMMU support",
                "WARN (Unknown if this platform has IOMMU support)",
            ),
        ),
        refs=("F03", "F04", "F05"),
        decide=("ls /sys/firmware/acpi/tables", "lscpu | grep Model"),
        cure="VT-d, IOMMU or SMMU on in the firmware's setup (not Auto).",
        acts="firmware",
    ),
    Row(
        "validate-off-in-kernel",
        VALIDATE,
        "The kernel made no IOMMU groups although firmware has the table.",
        (
            form(
                r"IOMMU appears to be disabled in kernel\. Add <parameter:word>=",
                "WARN (IOMMU appears to be disabled in kernel. Add intel_iommu=on to kernel cmdline "
                "arguments)",
                "WARN (IOMMU appears to be disabled in kernel. Add iommu=pt iommu=1 to kernel cmdline "
                "arguments)",
            ),
            form(
                r"IOMMU capability not compiled into kernel",
                "WARN (IOMMU capability not compiled into kernel.)",
            ),
        ),
        refs=("F21", "F22", "F51"),
        decide=("cat /proc/cmdline", "dmesg | grep -e DMAR -e AMD-Vi", "ls /sys/class/iommu"),
        cure="On Intel intel_iommu=on; on AMD the kernel does it by itself: look for iommu=off and a kernel "
        "without the driver.",
        over=("validate-iommu-on",),
    ),
    Row(
        "validate-no-kvm",
        VALIDATE,
        "The host offers no hardware virtualisation.",
        (
            form(
                r"Checking for hardware virtualization +: FAIL",
                "QEMU: Checking for hardware virtualization                                 : FAIL (Only "
                "emulated CPUs are available, performance will be significantly limited)",
            ),
            form(
                r"HW virtualization CPU features not found",
                "FAIL (Host not compatible with KVM; HW virtualization CPU features not found. Only "
                "emulated CPUs are available; performance will be significantly limited)",
            ),
            form(
                r"Check that the 'kvm-intel' or 'kvm-amd' modules are loaded",
                "FAIL (Check that the 'kvm-intel' or 'kvm-amd' modules are loaded & the BIOS has enabled "
                "virtualization)",
            ),
        ),
        refs=("F01", "F02", "F65"),
        decide=(
            "grep -cw -e vmx -e svm /proc/cpuinfo",
            "systemd-detect-virt",
            "dmesg | grep -i kvm",
        ),
        cure="Virtualisation on in the firmware's setup; modprobe kvm_intel or kvm_amd.",
        acts="firmware",
    ),
    Row(
        "virt-manager-in-use",
        VIRT_MANAGER,
        "Another guest has the device in its XML; only one of them can run at a time.",
        (
            form(
                r"he device is already in use by other guests",
                "The device is already in use by other guests g2",
            ),
        ),
        refs=("F143",),
        weight=HURTS,
        decide=("virsh list --all",),
        cure="Never start both, or take it out of one.",
        acts="libvirt",
    ),
    Row(
        "driverctl-failed",
        SHELL,
        "driverctl could not give the device the driver; the kernel's log of that moment says why.",
        (
            form(
                r"driverctl: failed to bind device <device> to driver <driver>",
                "driverctl: failed to bind device 0000:01:00.0 to driver vfio-pci",
            ),
            form(
                r"driverctl: unbinding <device> failed",
                "driverctl: unbinding 0000:01:00.0 failed",
            ),
            form(
                r"driverctl: no such (?:module|device):",
                "driverctl: no such module: vfio_pci",
                "driverctl: no such device: 0000:01:00.0",
            ),
        ),
        refs=("F80", "F49", "F84"),
        decide=("dmesg | tail -20", OF_DEVICE),
        cure="-22 in the log: no IOMMU group. Else stop what uses the device.",
    ),
)
