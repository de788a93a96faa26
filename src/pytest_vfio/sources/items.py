"""Every item of live evidence: what it is read from, who may read it, and for how long it is tried.

`probe.sh` reads them; a test holds this table against what it prints. What checks use is not said
here: `docs/evidence.md` is made from this table and from what the checks were seen to ask for.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator

import msgspec

ANYBODY, ROOT = "anybody", "root"


class LiveItem(msgspec.Struct, frozen=True):
    """One item, or, where the name has a `*`, the items of one folder.

    `source` is the file or the command, as a person would type it. `right` is what it usually
    takes to read it: anybody or root. `limit` is in seconds.
    """

    name: str
    source: str
    right: str
    limit: int

    @property
    def many(self) -> bool:
        """It stands for the items of a folder's files."""
        return "*" in self.name


#: One process reads all plain files; this is its limit.
_FILES_LIMIT = 20
#: Trees are read by builtins of the shell and by processes that nothing can hold up; what takes a
#: device's lock is left behind after this time (and one second more for every 50 devices).
_TREE_LIMIT = 5

_FILES = """
proc/sys/kernel/osrelease proc/sys/kernel/hostname proc/sys/kernel/tainted
proc/sys/kernel/dmesg_restrict proc/sys/kernel/random/boot_id proc/cmdline proc/version proc/uptime
proc/bootconfig proc/cpuinfo proc/meminfo proc/interrupts proc/modules proc/swaps
proc/self/mountinfo proc/bus/input/devices sys/kernel/security/lockdown etc/machine-id
etc/os-release etc/fstab etc/default/grub etc/default/kdump-tools etc/default/libvirt-guests
etc/sysconfig/libvirt-guests boot/loader/loader.conf
etc/kernel/cmdline etc/kernel/proxmox-boot-uuids run/ostree-booted etc/modules
etc/initramfs-tools/modules etc/dracut.conf etc/mkinitcpio.conf var/log/dmesg
"""
_ROOT_FILES = """
proc/iomem etc/crypttab boot/grub/grub.cfg boot/grub2/grub.cfg boot/grub/grubenv
boot/grub2/grubenv boot/efi/loader/loader.conf efi/loader/loader.conf etc/libvirt/qemu.conf
"""
_FOLDERS = """
etc/default/grub.d/ boot/loader/entries/ etc/modprobe.d/ run/modprobe.d/ usr/local/lib/modprobe.d/
usr/lib/modprobe.d/ lib/modprobe.d/ etc/modules-load.d/ usr/lib/modules-load.d/ etc/dracut.conf.d/
usr/lib/dracut/dracut.conf.d/ etc/driverctl.d/ etc/udev/rules.d/ etc/systemd/network/
"""
_ROOT_FOLDERS = """
boot/efi/loader/entries/ efi/loader/entries/ etc/libvirt/qemu/ etc/libvirt/qemu/networks/
run/libvirt/qemu/ run/libvirt/network/ var/log/libvirt/qemu/
"""
_LISTINGS = "etc/libvirt/qemu/networks/autostart/ sys/firmware/acpi/tables/ dev/vfio/"
_ROOT_LISTINGS = "etc/libvirt/qemu/autostart/"
_TREES = """
sys/class/iommu sys/kernel/iommu_groups sys/bus/pci/devices sys/bus/pci/drivers sys/module
sys/class/dmi/id sys/hypervisor sys/devices/system/node sys/bus/thunderbolt/devices sys/class/net
sys/class/block sys/firmware/efi
"""
_XML = frozenset(
    {"etc/libvirt/qemu/", "etc/libvirt/qemu/networks/", "run/libvirt/qemu/", "run/libvirt/network/"}
)
_VIRSH = "virsh -r -c qemu:///system"


def _files(names: str, right: str) -> Iterator[LiveItem]:
    for name in names.split():
        yield LiveItem(name, f"/{name}", right, _FILES_LIMIT)


def _folders(names: str, right: str) -> Iterator[LiveItem]:
    for name in names.split():
        if name == "var/log/libvirt/qemu/":
            ending, limit = "*.log", 10
        else:
            ending, limit = "*.xml" if name in _XML else "*", _FILES_LIMIT
        yield LiveItem(name, f"ls /{name}", right, _FILES_LIMIT)
        tail = " (its last 400 lines)" if ending == "*.log" else ""
        yield LiveItem(f"{name}{ending}", f"/{name}{ending}{tail}", right, limit)


def _listings(names: str, right: str) -> Iterator[LiveItem]:
    for name in names.split():
        yield LiveItem(name, f"ls /{name}", right, _FILES_LIMIT)


def _trees() -> Iterator[LiveItem]:
    for name in _TREES.split():
        yield LiveItem(name, f"/{name}/", ANYBODY, _TREE_LIMIT)


_KERNEL = (
    LiveItem("uname", "uname -a", ANYBODY, 5),
    LiveItem("kernel-config", "/proc/config.gz or /boot/config-RELEASE", ANYBODY, 20),
    LiveItem("modules.builtin", "/lib/modules/RELEASE/modules.builtin", ANYBODY, 20),
    LiveItem("modules.dep", "/lib/modules/RELEASE/modules.dep (vfio, kvm, iommu)", ANYBODY, 20),
    LiveItem("initramfs", "/boot/initrd.img-RELEASE and its like, through cpio -t", ROOT, 20),
    *(
        LiveItem(f"sys/firmware/acpi/tables/{table}", f"/sys/firmware/acpi/tables/{table}", ROOT, 5)
        for table in ("DMAR", "IVRS", "IORT")
    ),
    LiveItem("devicetree/iommu", "grep in /sys/firmware/devicetree/base", ANYBODY, 5),
    LiveItem("sys/bus/pci/config", "/sys/bus/pci/devices/*/config of what is awake", ROOT, 3),
    *(
        LiveItem(f"dev/{name}", f"ls -l /dev/{name}", ANYBODY, 3)
        for name in ("kvm", "iommu", "vfio/vfio")
    ),
)
_COMMANDS = (
    LiveItem("libvirt/daemons", "/proc/*/comm and the sockets in /run/libvirt", ANYBODY, 3),
    LiveItem("vfio/openers", "ls -l /proc/*/fd", ROOT, 10),
    LiveItem("systemd/detect-virt", "systemd-detect-virt", ANYBODY, 5),
    LiveItem(
        "systemd/sleep-targets",
        "systemctl is-enabled sleep.target suspend.target hibernate.target hybrid-sleep.target",
        ANYBODY,
        5,
    ),
    LiveItem("ip/link", "ip -j -d link show", ANYBODY, 10),
    LiveItem("ip/addr", "ip -j -d addr show", ANYBODY, 10),
    LiveItem("ip/route4", "ip -j -4 route show table all", ANYBODY, 10),
    LiveItem("ip/route6", "ip -j -6 route show table all", ANYBODY, 10),
    LiveItem("sockets/sshd", "/proc/net/tcp and tcp6 (sshd's sockets)", ROOT, 10),
    LiveItem("lsblk", "lsblk -J -o NAME,KNAME,TYPE,...", ANYBODY, 10),
    LiveItem("bootctl", "bootctl --no-pager status", ROOT, 10),
    LiveItem("dmesg", "dmesg", ROOT, 10),
    LiveItem("journal/kernel", "journalctl -k -b 0 -o short-monotonic", ROOT, 15),
    LiveItem("journal/libvirt", "journalctl -b 0 -u libvirtd -u virtqemud ...", ROOT, 15),
    *(
        LiveItem(f"virsh/{name}", f"{_VIRSH} {words}", ANYBODY, limit)
        for name, words, limit in (
            ("version", "version --daemon", 10),
            ("list", "list --all", 10),
            ("list-autostart", "list --all --autostart", 10),
            ("dumpxml", "dumpxml of every guest", 20),
            ("dumpxml-inactive", "dumpxml --inactive of every stored guest", 20),
            ("capabilities", "capabilities", 15),
            ("net-dumpxml", "net-dumpxml of every network", 15),
            ("nodedev-dumpxml", "nodedev-dumpxml of every PCI device that is awake", 30),
        )
    ),
)


def _sorted(items: Iterable[LiveItem]) -> tuple[LiveItem, ...]:
    return tuple(sorted(items, key=lambda item: item.name))


ITEMS: tuple[LiveItem, ...] = _sorted(
    (
        *_files(_FILES, ANYBODY),
        *_files(_ROOT_FILES, ROOT),
        *_folders(_FOLDERS, ANYBODY),
        *_folders(_ROOT_FOLDERS, ROOT),
        *_listings(_LISTINGS, ANYBODY),
        *_listings(_ROOT_LISTINGS, ROOT),
        *_trees(),
        *_KERNEL,
        *_COMMANDS,
    )
)
#: The items that every whole reading has, present or not.
PLAIN_NAMES: tuple[str, ...] = tuple(item.name for item in ITEMS if not item.many)
