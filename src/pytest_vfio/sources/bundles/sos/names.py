"""What of a sosreport is which item: the names that sos 3.x and 4.x give to files and outputs.

Follows sos's `sos/report/plugins/*.py`. A file that is not in a report was perhaps never looked
for: it is *not collected*, never absent.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from types import MappingProxyType

#: As much of one file is kept, in bytes.
LIMIT = 64 << 20

#: Files that are taken under their own path.
FILES = re.compile(
    r"proc/(cmdline|cpuinfo|interrupts|modules|iomem|meminfo|uptime|version|swaps|bootconfig)"
    r"|proc/self/mountinfo|proc/bus/input/devices"
    r"|proc/sys/kernel/(osrelease|hostname|tainted|dmesg_restrict|random/boot_id)"
    r"|sys/kernel/security/lockdown|sys/firmware/acpi/tables/(DMAR|IVRS|IORT)"
    r"|etc/(machine-id|os-release|fstab|crypttab|modules|dracut\.conf|mkinitcpio\.conf)"
    r"|etc/default/(grub|kdump-tools|libvirt-guests)|etc/sysconfig/libvirt-guests"
    r"|etc/default/grub\.d/[^/]+"
    r"|boot/grub2?/(grub\.cfg|grubenv)|(boot|boot/efi|efi)/loader/(loader\.conf|entries/[^/]+)"
    r"|etc/kernel/(cmdline|proxmox-boot-uuids)|etc/initramfs-tools/modules"
    r"|(etc|run|usr/local/lib|usr/lib|lib)/modprobe\.d/[^/]+"
    r"|(etc|usr/lib)/modules-load\.d/[^/]+"
    r"|(etc|usr/lib/dracut)/dracut\.conf\.d/[^/]+"
    r"|etc/driverctl\.d/[^/]+|etc/udev/rules\.d/[^/]+|etc/systemd/network/[^/]+"
    r"|etc/libvirt/(qemu|libvirtd)\.conf|etc/libvirt/qemu/(networks/)?[^/]+\.xml"
    r"|run/libvirt/qemu/[^/]+\.xml|var/log/libvirt/qemu/[^/]+\.log|var/log/dmesg"
)
#: Item -> the other places at which a report may hold it.
ELSEWHERE: Mapping[str, tuple[str, ...]] = MappingProxyType(
    {
        "etc/os-release": ("usr/lib/os-release",),
        "proc/modules": ("sos_commands/kernel/lsmod",),
        "proc/self/mountinfo": ("proc/1/mountinfo",),
    }
)
#: Item -> where a command's output may lie, the fullest first.
COMMANDS: Mapping[str, tuple[str, ...]] = MappingProxyType(
    {
        "dmesg": ("sos_commands/kernel/dmesg", "sos_commands/kernel/dmesg_-T"),
        "lspci": (
            "sos_commands/pci/lspci_-nnvv",
            "sos_commands/pci/lspci_-nvv",
            "sos_commands/hardware/lspci_-nnvv",
        ),
        "uname": ("sos_commands/kernel/uname_-a",),
        "virsh/list": ("sos_commands/virsh/virsh_-r_list_--all",),
        "virsh/version": ("sos_commands/virsh/virsh_-r_version",),
        "virsh/capabilities": ("sos_commands/virsh/virsh_-r_capabilities",),
        "bootctl": ("sos_commands/boot/bootctl_status",),
    }
)
#: Item -> the outputs that are one document each, and the table that names them all.
DOCUMENTS: Mapping[str, tuple[str, str]] = MappingProxyType(
    {
        "virsh/dumpxml": ("dumpxml", "sos_commands/virsh/virsh_-r_list_--all"),
        "virsh/nodedev-dumpxml": (
            "nodedev-dumpxml",
            "sos_commands/virsh/virsh_-r_nodedev-list_--tree",
        ),
        "virsh/net-dumpxml": ("net-dumpxml", "sos_commands/virsh/virsh_-r_net-list_--all"),
    }
)
VIRSH = "sos_commands/virsh/virsh_-r_"
DOCUMENT = re.compile(rf"{VIRSH}(dumpxml|nodedev-dumpxml|net-dumpxml|dominfo)_[^/]+")
#: The folders that sos takes as a whole, and what its manifest then says was asked for.
FOLDERS: Mapping[str, tuple[str, ...]] = MappingProxyType(
    {
        "etc/modprobe.d/": ("/etc/modprobe.d",),
        "run/modprobe.d/": ("/run/modprobe.d",),
        "usr/local/lib/modprobe.d/": ("/usr/local/lib/modprobe.d",),
        "usr/lib/modprobe.d/": ("/usr/lib/modprobe.d", "/lib/modprobe.d"),
        "lib/modprobe.d/": ("/lib/modprobe.d",),
        "etc/modules-load.d/": ("/etc/modules-load.d/*.conf",),
        "etc/dracut.conf.d/": ("/etc/dracut.conf.d",),
        "etc/udev/rules.d/": ("/etc/udev/rules.d/*", "/etc/udev/rules.d"),
        "etc/systemd/network/": ("/etc/systemd",),
        "etc/libvirt/qemu/": ("/etc/libvirt/qemu/*.xml",),
        "etc/libvirt/qemu/networks/": ("/etc/libvirt/qemu/networks/*.xml",),
        "run/libvirt/qemu/": ("/run/libvirt/", "/run/libvirt"),
        "boot/loader/entries/": ("/boot/loader/entries",),
        "var/log/libvirt/qemu/": (),  # sos leaves out what is over its limit
    }
)
#: Reports of sos 3.x have no manifest; these folders its kernel plugin copied as a whole.
EVER_WHOLE = ("etc/modprobe.d/",)
TABLES = re.compile(r"sys/firmware/acpi/tables/([A-Za-z0-9]{1,8})")
CONFIG_SPACE = re.compile(r"proc/bus/pci/((?:[0-9a-f]{4,8}:)?[0-9a-f]{2})/([01][0-9a-f]\.[0-7])")
KERNEL_CONFIG = re.compile(r"boot/config-([^/]+)")
MODULES_DEP = re.compile(r"(?:usr/)?lib/modules/[^/]+/modules\.dep")
#: Folder of small files -> the item, which is a tree.
TREES: tuple[tuple[str, re.Pattern[str]], ...] = (
    (
        "sys/module",
        re.compile(
            r"sys/module/((?:vfio|kvm|iommu|pci|irqbypass|intel_iommu|amd_iommu)[^/]*/parameters/[^/]+"
            r"|[^/]+/initstate)"
        ),
    ),
    (
        "sys/devices/system/node",
        re.compile(
            r"sys/devices/system/node/(online|possible|node\d+/(?:meminfo|cpulist|distance"
            r"|hugepages/[^/]+/(?:nr|free)_hugepages))"
        ),
    ),
    (
        "sys/class/dmi/id",
        re.compile(
            r"sys/(?:class|devices/virtual)/dmi/id/(bios_\w+|board_(?:name|vendor|version)"
            r"|chassis_(?:type|vendor)|product_(?:name|version|family|sku)|sys_vendor)"
        ),
    ),
)
JOURNAL = tuple(
    f"sos_commands/{plugin}/journalctl_--no-pager_{catalog}--boot{tail}"
    for plugin in ("logs", "systemd")
    for catalog in ("", "--catalog_")
    for tail in ("", "_0")
)
SHORT = rb"[A-Z][a-z]{2} [ \d]\d [\d:]{8} \S{1,253} "
OF_KERNEL = re.compile(SHORT + rb"(?:kernel|systemd-journald\[\d+\]): |-- ")
OF_LIBVIRT = re.compile(SHORT + rb"(?:libvirtd|virt(?:qemu|nodedev|network)d)\[\d+\]: ")
INITRAMFS = tuple(
    f"sos_commands/boot/{name}"
    for name in ("lsinitrd", "lsinitramfs_-l_.initrd.img", "lsinitramfs_-l_.boot.initrd.img")
)
LISTED = re.compile(r"[bcdlps-][rwxsStT-]{9}[.+@]? ")
SYSCTL = "sos_commands/kernel/sysctl_-a"
MANIFEST = "sos_reports/manifest.json"
SOS_LOG = "sos_logs/sos.log"
OTHERS = frozenset(
    {
        *JOURNAL,
        *INITRAMFS,
        SYSCTL,
        MANIFEST,
        SOS_LOG,
        "sos_commands/host/hostnamectl_status",
        "sos_commands/host/hostnamectl",
        "sos_commands/systemd/timedatectl",
        "sos_commands/date/date_--utc",
        *(place for places in (*ELSEWHERE.values(), *COMMANDS.values()) for place in places),
        *(table for _, table in DOCUMENTS.values()),
    }
)
#: What a shell, sos or the program itself prints in place of an output.
ERROR = re.compile(
    r"error: |(?:/\S*/|-)?(?:ba|da)?sh: .*(?:not found|No such file)|.{0,200}command not found"
    r"|timeout: (?:failed|the monitored|sending)|\[?Errno \d|Traceback \(most recent"
    r"|lspci: Cannot|pcilib: Cannot|dmesg: |virsh: "
)
#: Options of sos that leave something out.
PARTIAL = re.compile(r"--skip-(?:files|commands)|--log-size|--estimate")
TIMED_OUT = re.compile(r"command '([^'\n]{1,500})' timed out after (\d{1,9})s")
UNIVERSAL = re.compile(r"Universal time: \w{3} (\d{4}-\d\d-\d\d) (\d\d:\d\d:\d\d)")
NAME = re.compile(r"<name>([^<]{1,1000})</name>")
STATES = re.compile(
    r"\s*(?:\d+|-)\s+(\S.*?)\s+(?:running|idle|paused|in shutdown|shut off|crashed|pmsuspended"
    r"|no state|dying)\s*"
)
