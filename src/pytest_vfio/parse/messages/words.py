"""What rows share: commands that decide, and lines that take failures back."""

from __future__ import annotations

#: A guest was started again, or started at all: what failed before it is over.
STARTED = ("qemu-starts", "domain-started")

OF_DEVICE = "lspci -nnks <device>"

GROUP_MEMBERS = ("ls /sys/kernel/iommu_groups/<group>/devices", "lspci -nnk")
GROUP_HOLDERS = ("sudo fuser -v /dev/vfio/<group>", "virsh list --all")

#: How the kernel set its IOMMU up.
BOOT_LOG = (
    "dmesg | grep -e DMAR -e AMD-Vi -e vfio",
    "grep IR- /proc/interrupts",
    "cat /proc/cmdline",
)
