"""The kernel's VFIO: binding devices to it, and what it allows.

Wordings: drivers/vfio of Linux 4.15 to 6.12, drivers/base/dd.c for the probe's failure.
"""

from __future__ import annotations

from pytest_vfio.parse.messages.row import (
    EXPOSES,
    HARMLESS,
    PASSED,
    Row,
    Speaker,
    form,
)
from pytest_vfio.parse.messages.words import BOOT_LOG, OF_DEVICE

VFIO = Speaker.VFIO

ROWS = (
    Row(
        "ids-added",
        VFIO,
        "vfio-pci was told to take devices of this id.",
        (
            form(
                r"vfio_pci: add \[<id>\[<subsystem:word>:<subdevice:word>\]\] class",
                "vfio_pci: add [10de:2204[ffffffff:ffffffff]] class 0x000000/00000000",
                "vfio_pci: add [8086:1572[ffff:ffff]] class 0x000000/00000000",
            ),
        ),
        weight=PASSED,
    ),
    Row(
        "vfio-probe-22",
        VFIO,
        "vfio-pci refuses the device because it has no IOMMU group: no IOMMU translates for it.",
        (
            form(
                r"vfio-pci: probe of <device> failed with error -22",
                "vfio-pci: probe of 0000:65:00.0 failed with error -22",
            ),
            form(
                r"vfio-pci <device>: probe with driver vfio-pci failed with error -22",
                "vfio-pci 0001:01:00.0: probe with driver vfio-pci failed with error -22",
            ),
        ),
        refs=("F49", "F21", "F03", "F04", "F05", "F17", "F23"),
        decide=(
            "ls /sys/class/iommu",
            "cat /proc/cmdline",
            "dmesg | grep -e DMAR -e AMD-Vi -e smmu",
        ),
        cure="Switch the IOMMU on: in the firmware's setup (VT-d, AMD IOMMU), and on the kernel line "
        "where the kernel does not by itself (intel_iommu=on). Some boards have none.",
    ),
    Row(
        "vfio-probe-16",
        VFIO,
        "vfio-pci refuses the device because it is in use: VFs of it exist, or a user owns its "
        "group.",
        (
            form(
                r"vfio-pci: probe of <device> failed with error -16",
                "vfio-pci: probe of 0000:65:00.0 failed with error -16",
            ),
            form(
                r"vfio-pci <device>: probe with driver vfio-pci failed with error -16",
                "vfio-pci 0000:65:00.0: probe with driver vfio-pci failed with error -16",
            ),
            form(
                r"annot bind to PF with SR-IOV enabled",
                "vfio-pci 0000:65:00.0: Cannot bind to PF with SR-IOV enabled",
            ),
        ),
        refs=("F82",),
        decide=("cat /sys/bus/pci/devices/<device>/sriov_numvfs", "sudo fuser -v /dev/vfio/*"),
        cure="Set sriov_numvfs to 0 first, or leave the PF on its driver and give VFs away.",
    ),
    Row(
        "vfio-probe-other",
        VFIO,
        "vfio-pci does not take the device.",
        (
            form(
                r"vfio-pci: probe of <device> failed with error -(?!22\b|16\b)<code:count>",
                "vfio-pci: probe of 0000:65:00.0 failed with error -12",
            ),
            form(
                r"vfio-pci <device>: probe with driver vfio-pci failed with error "
                r"-(?!22\b|16\b)<code:count>",
                "vfio-pci 0000:65:00.0: probe with driver vfio-pci failed with error -5",
            ),
        ),
        refs=("F82", "F106"),
        decide=("dmesg | grep <device>", OF_DEVICE),
        cure="The kernel's lines before it say why.",
    ),
    Row(
        "ids-malformed",
        VFIO,
        "One entry of the list of ids for vfio-pci is not of the form vendor:device.",
        (
            form(
                r"vfio_pci: invalid id string \"[^\"]{0,200}\"",
                'vfio_pci: invalid id string "10de"',
            ),
            form(
                r"vfio_pci: failed to add dynamic id \[<id>",
                "vfio_pci: failed to add dynamic id [8086:1572[ffffffff:ffffffff]] class 0x000000"
                "/00000000 (-12)",
            ),
            form(
                r"ids: string doesn't fit in <size:count> chars",
                "ids: string doesn't fit in 1023 chars.",
            ),
        ),
        refs=("F41",),
        decide=("cat /proc/cmdline", "grep -r vfio /etc/modprobe.d"),
        cure="ids=vendor:device,vendor:device, in hexadecimal, without blanks.",
    ),
    Row(
        "claimed-by-stub",
        VFIO,
        "pci-stub has the device: that keeps host drivers away, and a guest cannot have it from there.",
        (form(r"claimed by stub", "pci-stub 0000:01:00.1: claimed by stub"),),
        refs=("F89",),
        weight=HARMLESS,
        decide=(OF_DEVICE,),
        cure="vfio-pci for a function that a guest is to have; for its mates in the group pci-stub is fine.",
    ),
    Row(
        "denylist",
        VFIO,
        "The kernel refuses to give this kind of accelerator to user space: it can hurt the host.",
        (
            form(
                r"exists in vfio-pci (?:device )?(?:deny|black)list, driver probing disallowed",
                "vfio-pci 0000:3d:00.0: 8086:37c8 exists in vfio-pci device denylist, driver "
                "probing disallowed.",
                "vfio-pci 0000:3d:00.0: 8086:37c8 exists in vfio-pci blacklist, driver probing "
                "disallowed.",
            ),
        ),
        refs=("F83",),
        decide=("lspci -nns <device>",),
        cure="A newer device; disable_denylist=1 only for guests that are trusted.",
        acts="vendor",
    ),
    Row(
        "denylist-off",
        VFIO,
        "Devices that can hurt the host may be given away: the denylist is switched off.",
        (
            form(
                r"device (?:deny|black)list disabled",
                "vfio_pci: device denylist disabled.",
                "vfio_pci: device blacklist disabled.",
                "vfio-pci 0000:3d:00.0: device denylist disabled - allowing device 8086:37c8.",
            ),
        ),
        refs=("F83",),
        weight=EXPOSES,
        cure="Take disable_denylist=1 away where guests are not trusted.",
        decide=("grep -r disable_denylist /etc/modprobe.d /proc/cmdline",),
    ),
    Row(
        "no-interrupt-remapping",
        VFIO,
        "The platform has no interrupt remapping, so VFIO refuses to give devices to guests.",
        (
            form(
                r"No interrupt remapping (?:support|for PCI passthrough)",
                "vfio_iommu_type1_attach_group: No interrupt remapping support.  Use the module "
                'param "allow_unsafe_interrupts" to enable VFIO IOMMU support on this platform',
                "No interrupt remapping for PCI passthrough",
                "No interrupt remapping support, disallowing device assignment",
            ),
        ),
        refs=("F53", "F08", "F07", "F44"),
        decide=BOOT_LOG,
        cure="Interrupt remapping on: the firmware's option or update, no intremap=off and no "
        "nointremap. allow_unsafe_interrupts lets a guest attack the host.",
        acts="firmware",
    ),
    Row(
        "unsafe-interrupts",
        VFIO,
        "Devices go to guests without isolation of interrupts, because that was allowed by hand.",
        (
            form(
                r"MSI interrupts are not secure, they cannot be isolated by the platform",
                "MSI interrupts are not secure, they cannot be isolated by the platform. Check that "
                "platform features like interrupt remapping are enabled. Use the "
                '"allow_unsafe_interrupts" module parameter to override',
            ),
        ),
        refs=("F54", "F53"),
        weight=EXPOSES,
        decide=BOOT_LOG,
        cure="Get interrupt remapping to work, then take allow_unsafe_interrupts away.",
        acts="firmware",
    ),
)
