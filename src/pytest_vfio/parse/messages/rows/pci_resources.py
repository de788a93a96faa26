"""The kernel's PCI core: room for BARs, and VFs.

Wordings: drivers/pci/{setup-res,setup-bus,probe,iov,pci}.c of Linux 4.15 to 6.12; drivers/video/aperture.c.
"""

from __future__ import annotations

from pytest_vfio.parse.messages.row import HARMLESS, HURTS, PASSED, Row, Speaker, form
from pytest_vfio.parse.messages.words import OF_DEVICE

PCI = Speaker.PCI

ROWS = (
    Row(
        "bar-assigned",
        PCI,
        "The BAR got its place.",
        (
            form(
                r"BAR <bar> \[mem [^\]]{1,60}\]: assigned",
                "pci 0000:01:00.0: BAR 1 [mem 0x6000000000-0x63ffffffff 64bit pref]: assigned",
            ),
            form(
                r"BAR <bar>: assigned \[mem ",
                "pci 0000:01:00.0: BAR 1: assigned [mem 0x6000000000-0x63ffffffff 64bit pref]",
            ),
        ),
        weight=PASSED,
    ),
    Row(
        "bar-no-space",
        PCI,
        "There is no room in the host's memory map for a BAR of the device.",
        (
            form(
                r"(?<!VF )BAR <bar>: no space for \[mem ",
                "pci 0000:01:00.0: BAR 1: no space for [mem size 0x400000000 64bit pref]",
            ),
            form(
                r"(?<!VF )BAR <bar> \[mem [^\]]{1,60}\]: can't assign; no space",
                "pci 0000:01:00.0: BAR 1 [mem size 0x400000000 64bit pref]: can't assign; no space",
            ),
            form(
                r"(?<!VF )BAR <bar>: failed to assign \[mem ",
                "pci 0000:01:00.0: BAR 1: failed to assign [mem size 0x400000000 64bit pref]",
            ),
            form(
                r"(?<!VF )BAR <bar> \[mem [^\]]{1,60}\]: failed to assign",
                "pci 0000:01:00.0: BAR 1 [mem size 0x400000000 64bit pref]: failed to assign",
            ),
        ),
        refs=("F109", "F10", "F11", "F172"),
        decide=("lspci -vvs <device> | grep Region", "dmesg | grep 'root bus resource'"),
        cure="Above 4G decoding in the firmware's setup; pci=realloc; smaller BARs.",
        over=("bar-assigned",),
        acts="firmware",
    ),
    Row(
        "bar-not-enabled",
        PCI,
        "The device cannot be switched on because a BAR of it has no place.",
        (
            form(
                r"an't enable device: BAR <bar> \[[^\]]{1,60}\] not (?:assigned|claimed)",
                "vfio-pci 0000:01:00.0: can't enable device: BAR 1 [mem size 0x400000000 64bit pref] "
                "not assigned",
                "vfio-pci 0000:01:00.0: can't enable device: BAR 1 [mem 0xe0000000-0xefffffff] not "
                "claimed",
            ),
            form(
                r"BAR <bar> \[[^\]]{1,60}\]: not (?:assigned|claimed); can't enable device",
                "vfio-pci 0000:01:00.0: BAR 1 [mem size 0x400000000 64bit pref]: not assigned; can't "
                "enable device",
                "vfio-pci 0000:01:00.0: BAR 1 [mem size 0x400000000 64bit pref]: not claimed; can't "
                "enable device",
            ),
        ),
        refs=("F109", "F10"),
        decide=("lspci -vvs <device> | grep Region",),
        cure="Above 4G decoding in the firmware's setup; pci=realloc.",
        acts="firmware",
    ),
    Row(
        "bar-above-4g",
        PCI,
        "The kernel cannot use an address above 4 GiB for this device.",
        (
            form(
                r"an't handle (?:BAR|bridge window) (?:above|larger than) 4GB",
                "pci 0000:01:00.0: reg 0x14: can't handle BAR above 4GB (bus address 0x6000000000)",
                "pci 0000:00:01.0: can't handle bridge window above 4GB (bus address 0x6000000000)",
                "pci 0000:01:00.0: BAR 1: can't handle BAR larger than 4GB (size 0x400000000)",
            ),
        ),
        refs=("F10",),
        decide=("uname -m",),
        cure="A 64-bit kernel.",
    ),
    Row(
        "bar-reserved-elsewhere",
        PCI,
        "The memory of a BAR is held by something else on the host, most often the framebuffer that "
        "firmware left on the card.",
        (
            form(
                r"BAR <bar>: can't reserve \[",
                "vfio-pci 0000:04:00.0: BAR 1: can't reserve [mem 0xc0000000-0xcfffffff 64bit pref]",
            ),
            form(
                r"BAR <bar> \[[^\]]{1,60}\]: can't reserve",
                "vfio-pci 0000:04:00.0: BAR 1 [mem 0xc0000000-0xcfffffff 64bit pref]: can't reserve",
            ),
        ),
        refs=("F108", "F109"),
        decide=(
            "sudo grep -e <device> -e efifb -e BOOTFB -e simple -e vesafb /proc/iomem",
            "cat /proc/cmdline",
        ),
        cure="Another card as firmware's display; or free the framebuffer: video=efifb:off on older "
        "kernels, initcall_blacklist=sysfb_init on newer.",
    ),
    Row(
        "bar-conflict",
        PCI,
        "The place of a BAR is taken by another device or by firmware.",
        (
            form(
                r"an't claim; address conflict with <other:rest>",
                "pci 0000:01:00.0: BAR 0 [mem 0xe0000000-0xefffffff 64bit pref]: can't claim; "
                "address conflict with PCI Bus 0000:00 [mem 0xe0000000-0xe00fffff]",
            ),
            form(
                r"an't claim BAR <bar> \[[^\]]{1,60}\]: address conflict with <other:rest>",
                "pci 0000:01:00.0: can't claim BAR 0 [mem 0xe0000000-0xefffffff 64bit pref]: address "
                "conflict with PCI Bus 0000:00 [mem 0xe0000000-0xe00fffff]",
            ),
        ),
        refs=("F109",),
        weight=HURTS,
        decide=("sudo cat /proc/iomem", "lspci -vvs <device> | grep Region"),
        cure="pci=realloc, or a firmware update; harmless where the BAR is assigned anew right after.",
        over=("bar-assigned",),
        acts="firmware",
    ),
    Row(
        "bar-no-window",
        PCI,
        "Firmware put a BAR where the bridge above does not reach; the kernel gives it another place.",
        (
            form(
                r"an't claim; no compatible bridge window",
                "pci 0000:01:00.0: BAR 0 [mem 0x00000000-0x0000ffff]: can't claim; no compatible "
                "bridge window",
            ),
            form(
                r"an't claim BAR \d \[[^\]]{1,60}\]: no compatible bridge window",
                "pci 0000:01:00.0: can't claim BAR 6 [mem 0xfff80000-0xffffffff pref]: no compatible "
                "bridge window",
            ),
        ),
        refs=("F109",),
        weight=HARMLESS,
    ),
    Row(
        "pci-realloc-advised",
        PCI,
        "Some BARs have no place; the kernel proposes to lay them out anew.",
        (
            form(
                r"Some PCI device resources are unassigned, try booting with pci=realloc",
                "pci_bus 0000:00: Some PCI device resources are unassigned, try booting with "
                "pci=realloc",
            ),
        ),
        refs=("F109", "F10"),
        weight=HARMLESS,
        decide=("dmesg | grep -e 'no space' -e 'failed to assign'",),
        cure="pci=realloc, after a look whether the device that is wanted is among them.",
    ),
    Row(
        "vf-no-mmio",
        PCI,
        "There is no room in the memory map for the BARs of the VFs, so none can be made.",
        (
            form(
                r"not enough MMIO resources for SR-IOV",
                "i915 0000:00:02.0: not enough MMIO resources for SR-IOV",
                "ixgbe 0000:03:00.0: not enough MMIO resources for SR-IOV",
            ),
            form(
                r"SR-IOV: IOV BARS not allocated",
                "igb 0000:03:00.0: SR-IOV: IOV BARS not allocated",
            ),
        ),
        refs=("F125", "F10", "F12"),
        decide=(
            "lspci -vvs <device> | grep -A 12 SR-IOV",
            "dmesg | grep -e 'no space' -e 'VF BAR'",
        ),
        cure="Above 4G decoding and SR-IOV in the firmware's setup, pci=realloc, smaller BARs or "
        "fewer VFs.",
        acts="firmware",
    ),
    Row(
        "vf-bar-no-space",
        PCI,
        "There is no room for the BARs of the VFs; it matters when VFs are wanted.",
        (
            form(
                r"VF BAR <bar>: no space for \[mem ",
                "pci 0000:03:00.0: VF BAR 0: no space for [mem size 0x00100000 64bit]",
            ),
            form(
                r"VF BAR <bar> \[[^\]]{1,60}\]: (?:can't assign; no space|failed to assign)",
                "pci 0000:03:00.0: VF BAR 0 [mem size 0x00100000 64bit]: can't assign; no space",
                "pci 0000:03:00.0: VF BAR 0 [mem size 0x00100000 64bit]: failed to assign",
            ),
            form(
                r"(?<!VF )BAR (?:[789]|1[0-2]): (?:no space for|failed to assign) \[mem ",
                "pci 0000:03:00.0: BAR 7: no space for [mem size 0x00100000 64bit]",
                "pci 0000:03:00.0: BAR 10: failed to assign [mem size 0x00100000 64bit]",
            ),
            form(
                r"(?<!VF )BAR (?:[789]|1[0-2]) \[mem [^\]]{1,60}\]: (?:can't assign; no space|failed to "
                r"assign)",
                "pci 0000:03:00.0: BAR 7 [mem size 0x00100000 64bit]: can't assign; no space",
                "pci 0000:03:00.0: BAR 10 [mem size 0x00100000 64bit]: failed to assign",
            ),
        ),
        refs=("F125", "F10"),
        weight=HURTS,
        decide=("lspci -vvs <device> | grep -A 12 SR-IOV",),
        cure="Above 4G decoding in the firmware's setup, pci=realloc.",
        over=("bar-assigned",),
        acts="firmware",
    ),
    Row(
        "bar-no-space-harmless",
        PCI,
        "A ROM, an I/O range or a window of a bridge has no place, which passthrough does not need.",
        (
            form(
                r"BAR (?:6|1[345]): no space for \[",
                "pci 0000:01:00.0: BAR 6: no space for [mem size 0x00080000 pref]",
                "pcieport 0000:00:1c.0: BAR 13: no space for [io  size 0x1000]",
            ),
            form(
                r"BAR (?:6|1[345]): failed to assign \[",
                "pci 0000:01:00.0: BAR 6: failed to assign [mem size 0x00080000 pref]",
                "pcieport 0000:00:1c.0: BAR 13: failed to assign [io  size 0x1000]",
            ),
            form(
                r"BAR [0-5]: no space for \[io ",
                "pci 0000:01:00.0: BAR 4: no space for [io  size 0x0020]",
            ),
            form(
                r"BAR [0-5]: failed to assign \[io ",
                "pci 0000:01:00.0: BAR 4: failed to assign [io  size 0x0020]",
            ),
            form(
                r"(?:bridge window|ROM) \[[^\]]{1,60}\]: can't assign; no space",
                "pci 0000:01:00.0: ROM [mem size 0x00080000 pref]: can't assign; no space",
                "pcieport 0000:00:1c.0: bridge window [io  size 0x1000]: can't assign; no space",
            ),
            form(
                r"(?:bridge window|ROM) \[[^\]]{1,60}\]: failed to assign",
                "pci 0000:01:00.0: ROM [mem size 0x00080000 pref]: failed to assign",
                "pcieport 0000:00:1c.0: bridge window [io  size 0x1000]: failed to assign",
            ),
            form(
                r"BAR [0-5] \[io [^\]]{1,60}\]: can't assign; no space",
                "pci 0000:01:00.0: BAR 4 [io  size 0x0020]: can't assign; no space",
            ),
            form(
                r"BAR [0-5] \[io [^\]]{1,60}\]: failed to assign",
                "pci 0000:01:00.0: BAR 4 [io  size 0x0020]: failed to assign",
            ),
        ),
        refs=("F109",),
        weight=HARMLESS,
    ),
    Row(
        "vf-no-bus",
        PCI,
        "The VFs would need bus numbers that the bridge above does not have.",
        (
            form(
                r"an't enable <count> VFs \(bus <bus:number> out of range of",
                "ixgbe 0000:03:00.0: can't enable 63 VFs (bus 04 out of range of [bus 03])",
            ),
            form(
                r"SR-IOV: bus number out of range",
                "ixgbe 0000:03:00.0: SR-IOV: bus number out of range",
            ),
        ),
        refs=("F126",),
        decide=("lspci -tv", "cat /proc/cmdline"),
        cure="ARI in the firmware's setup, pci=assign-busses, or fewer VFs.",
        acts="firmware",
    ),
    Row(
        "vfs-exist",
        PCI,
        "VFs exist already; the number must go to 0 before it can change.",
        (
            form(
                r"<count> VFs already enabled\. Disable before enabling",
                "igb 0000:03:00.0: 2 VFs already enabled. Disable before enabling 4 VFs",
            ),
        ),
        refs=("F127",),
        decide=("cat /sys/bus/pci/devices/<device>/sriov_numvfs",),
        cure="echo 0 to sriov_numvfs, with no guest using a VF, then the new number.",
    ),
    Row(
        "vfs-fewer",
        PCI,
        "The driver made fewer VFs than were asked for.",
        (
            form(
                r"<asked:count> VFs requested; only <count> enabled",
                "igb 0000:03:00.0: 8 VFs requested; only 7 enabled",
            ),
        ),
        refs=("F127",),
        weight=HURTS,
        decide=("cat /sys/bus/pci/devices/<device>/sriov_totalvfs",),
        cure="No more than sriov_totalvfs.",
    ),
    Row(
        "vfs-no-driver",
        PCI,
        "The port has no driver, or one that makes no VFs, so nobody can make them.",
        (
            form(
                r"no driver bound to device; cannot configure SR-IOV",
                "pci 0000:03:00.0: no driver bound to device; cannot configure SR-IOV",
            ),
            form(
                r"driver does not support SR-IOV configuration via sysfs",
                "vfio-pci 0000:03:00.0: driver does not support SR-IOV configuration via sysfs",
            ),
            form(
                r"Driver does not support SRIOV configuration via sysfs",
                "vfio-pci 0000:03:00.0: Driver does not support SRIOV configuration via sysfs",
            ),
        ),
        refs=("F127", "F131"),
        decide=(OF_DEVICE,),
        cure="Bind the port to its host driver; VFs are made by it.",
    ),
    Row(
        "vfs-assigned",
        PCI,
        "VFs cannot be changed while guests have them.",
        (
            form(
                r"annot modify SR-IOV while VFs are assigned",
                "ixgbe 0000:03:00.0: Cannot modify SR-IOV while VFs are assigned",
            ),
        ),
        refs=("F128", "F127"),
        decide=("virsh list", "sudo fuser -v /dev/vfio/*"),
        cure="Shut the guests down that have VFs.",
    ),
    Row(
        "vfs-left-behind",
        PCI,
        "The driver was taken away while VFs exist.",
        (
            form(
                r"driver left SR-IOV enabled after remove",
                "ixgbe 0000:03:00.0: driver left SR-IOV enabled after remove",
            ),
        ),
        refs=("F128", "F137"),
        weight=HURTS,
        decide=("cat /sys/bus/pci/devices/<device>/sriov_numvfs",),
        cure="sriov_numvfs to 0 before the driver goes.",
    ),
    Row(
        "rebar-failed",
        PCI,
        "The device's BAR could not be made larger; it works with the small one.",
        (
            form(
                r"[Pp]roblem resizing BAR0 \(",
                "[drm:amdgpu_device_resize_fb_bar [amdgpu]] *ERROR* Problem resizing BAR0 (-22).",
            ),
            form(
                r"[Ff]ailed to resize BAR<bar> to <size:word>",
                "i915 0000:03:00.0: [drm] Failed to resize BAR2 to 8192M (-ENOSPC)",
            ),
            form(
                r"Not enough PCI address space for a large BAR",
                "[drm] Not enough PCI address space for a large BAR.",
            ),
        ),
        refs=("F11",),
        weight=HARMLESS,
    ),
)
