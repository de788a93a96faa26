"""Hosts that are right, each in its own way.  Nothing on them may gate."""

from tests.lab.fault import Healthy, Intent
from tests.lab.parts import (
    DUAL0,
    DUAL1,
    NIC,
    NIC_ID,
    TWIN0,
    TWIN1,
    VF0,
    VF1,
    VIRSH,
    bind,
    define,
    device,
    hostdev,
    kernel_words,
    write,
)

UNMANAGED = define("g1", hostdev(NIC, managed="no"))
OVERRIDE_RULE = write(
    "/etc/udev/rules.d/10-vfio.rules",
    f'ACTION=="add", SUBSYSTEM=="pci", KERNEL=="{NIC}", ATTR{{driver_override}}="vfio-pci"',
)
VFS_AT_BOOT = (
    write(
        "/etc/systemd/system/vfs.service",
        "[Unit]\nBefore=libvirtd.service virtqemud.service\n\n[Service]\nType=oneshot\n"
        f"ExecStart=/bin/sh -c 'ip link set dev $$(ls {device(NIC)}/net) up; "
        f"echo 2 >{device(NIC)}/sriov_numvfs'\n\n[Install]\nWantedBy=multi-user.target",
    )
    + "systemctl enable --now vfs.service 2>&1; udevadm settle\n"
)
MODULAR = (
    write("/etc/modprobe.d/vfio.conf", f"options vfio-pci ids={NIC_ID}\nsoftdep igb pre: vfio-pci")
    + "echo vfio-pci >>/etc/initramfs-tools/modules\nupdate-initramfs -u 2>&1\n"
)

HEALTHY = (
    Healthy("managed-guest-off", "trixie-server", define("g1", NIC), smoke=True),
    Healthy(
        "autostart-guest-libvirt-asleep",
        "trixie-intel",
        define("g1", NIC, autostart=True) + "systemctl stop libvirtd 2>&1\n",
        witness=True,
    ),
    Healthy(
        "override-by-udev",
        "trixie-server",
        OVERRIDE_RULE + bind(NIC, "vfio-pci") + UNMANAGED,
        smoke=True,
    ),
    Healthy("ids-of-a-module", "trixie-server", MODULAR, reboot=True, after=UNMANAGED),
    Healthy(
        "module-option-behind-dashes",
        "trixie-server",
        "echo vfio-pci >>/etc/initramfs-tools/modules; "
        "echo 'softdep igb pre: vfio-pci' >/etc/modprobe.d/vfio.conf; update-initramfs -u 2>&1\n"
        + kernel_words(f"-- vfio-pci.ids={NIC_ID}"),
        reboot=True,
        after=UNMANAGED,
    ),
    Healthy(
        "ids-of-a-built-in",
        "classic",
        kernel_words(f"intel_iommu=on iommu=pt vfio-pci.ids={NIC_ID}"),
        reboot=True,
        after=UNMANAGED,
    ),
    Healthy(
        "guest-running",
        "trixie-guests",
        define("g1", NIC) + f"{VIRSH} start g1\n",
        inside=("PCI 0x8086:0x10c9 igb",),
    ),
    Healthy(
        "vfs-for-guests",
        "trixie-server",
        VFS_AT_BOOT + define("g1", VF0) + define("g2", VF1),
        intent=Intent(f'{{address = "{NIC}", vfs = 2}}'),
    ),
    Healthy(
        "guests-taking-turns",
        "trixie-server",
        define("g1", NIC) + define("g2", NIC),
        smoke=True,
    ),
    Healthy(
        "stub-beside-it",
        "trixie-server",
        bind(TWIN1, "pci-stub")
        + bind(TWIN0, "vfio-pci")
        + define("g1", hostdev(TWIN0, managed="no")),
        intent=Intent(f'"{TWIN0}"'),
    ),
    Healthy(
        "bridge-in-the-group",
        "trixie-server",
        define("g1", TWIN0, TWIN1),
        intent=Intent(f'"{TWIN0}", "{TWIN1}"'),
    ),
    Healthy(
        "whole-card",
        "trixie-server",
        define("g1", DUAL0, DUAL1),
        intent=Intent(f'"{DUAL0}", "{DUAL1}"'),
    ),
    Healthy(
        "passthrough-mode",
        "trixie-server",
        kernel_words("intel_iommu=on iommu=pt"),
        reboot=True,
        after=define("g1", NIC),
    ),
    Healthy("systemd-boot", "trixie-boot", define("g1", NIC)),
    Healthy("bookworm", "bookworm", define("g1", NIC)),
    Healthy("bullseye", "bullseye", define("g1", NIC)),
    Healthy(
        "unprivileged-account",
        "trixie-intel",
        define("g1", NIC),
        account="viewer",
        unknown=True,
        witness=True,
    ),
)
