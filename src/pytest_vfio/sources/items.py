"""Every item of evidence, a row each: how it is read from a host, and where else it is found.

What the probe reads, what the readers of bundles look for, what a kept recording must not hold and
`docs/evidence.md` are made from this table. The probe reads in its order. What checks use is not
said here: the page is made from what they were seen to ask for.

A new row says `since`, the release that is being made: in a recording of an older probe the item is
*not asked for*, and no verdict that was known becomes unknown.
"""

from __future__ import annotations

from pytest_vfio.sources.row import (
    ROOT,
    Row,
    command,
    file,
    folder,
    handed_over,
    kernel,
    listing,
    own,
)
from pytest_vfio.sources.trees import INTERFACES, TREES

_SOS = "sos_commands/"
_VIRSH = f"{_SOS}virsh/virsh_-r_"
_ASKED = "virsh -r -c qemu:///system"
_JOURNAL = tuple(
    f"{_SOS}{plugin}/journalctl_--no-pager_{catalog}--boot{tail}"
    for plugin in ("logs", "systemd")
    for catalog in ("", "--catalog_")
    for tail in ("", "_0")
)

ROWS: tuple[Row, ...] = (
    # -- the kernel log: first, for where anything below hangs it says why
    command(
        "dmesg",
        right=ROOT,
        source="dmesg",
        loose="dmesg.txt",
        sos=(f"{_SOS}kernel/dmesg", f"{_SOS}kernel/dmesg_-T"),
    ),
    command(
        "journal/kernel",
        limit=15,
        right=ROOT,
        source="journalctl -k -b 0 -o short-monotonic --no-pager",
        sos=_JOURNAL,
    ),
    # -- files
    file("proc/sys/kernel/osrelease"),
    file("proc/sys/kernel/hostname"),
    file("proc/sys/kernel/tainted"),
    file("proc/sys/kernel/dmesg_restrict"),
    file("proc/sys/kernel/random/boot_id"),
    file("proc/cmdline", loose="cmdline", most=64 << 10),
    file("proc/version"),
    file("proc/uptime"),
    file("proc/bootconfig"),
    file("proc/cpuinfo", loose="cpuinfo", secrets=False),
    file("proc/meminfo"),
    file("proc/iomem", right=ROOT, secrets=False),
    file("proc/interrupts", loose="interrupts", secrets=False),
    file("proc/modules", loose="modules", sos=(f"{_SOS}kernel/lsmod",)),
    file("proc/swaps"),
    file("proc/self/mountinfo", sos=("proc/1/mountinfo",)),
    file("proc/bus/input/devices"),
    file("sys/kernel/security/lockdown", secrets=False),
    file("etc/machine-id"),
    file("etc/os-release", loose="os-release", sos=("usr/lib/os-release",)),
    file("etc/fstab"),
    file("etc/crypttab", right=ROOT),
    file("etc/default/grub", loose="default-grub"),
    file("etc/default/kdump-tools"),
    file("etc/default/libvirt-guests"),
    file("etc/sysconfig/libvirt-guests"),
    file("boot/grub/grub.cfg", right=ROOT, loose="grub.cfg"),
    file("boot/grub2/grub.cfg", right=ROOT),
    *(file(f"boot/{name}/custom.cfg", right=ROOT, since="0.2") for name in ("grub", "grub2")),
    file("boot/grub/grubenv", right=ROOT),
    file("boot/grub2/grubenv", right=ROOT),
    file("boot/loader/loader.conf"),
    file("boot/efi/loader/loader.conf", right=ROOT),
    file("efi/loader/loader.conf", right=ROOT),
    file("etc/kernel/cmdline", most=64 << 10),
    file("etc/kernel/proxmox-boot-uuids"),
    file("run/ostree-booted"),
    file("etc/modules"),
    file("etc/initramfs-tools/modules"),
    file("etc/dracut.conf"),
    file("etc/mkinitcpio.conf"),
    file("etc/libvirt/qemu.conf", right=ROOT),
    file("var/log/dmesg"),
    # -- folders
    folder("etc/default/grub.d/"),
    folder("boot/loader/entries/", sos=("/boot/loader/entries",)),
    folder("boot/efi/loader/entries/", right=ROOT),
    folder("efi/loader/entries/", right=ROOT),
    folder("etc/modprobe.d/", loose="modprobe.d/", sos=("/etc/modprobe.d",)),
    folder("run/modprobe.d/", sos=("/run/modprobe.d",)),
    folder("usr/local/lib/modprobe.d/", sos=("/usr/local/lib/modprobe.d",)),
    folder("usr/lib/modprobe.d/", sos=("/usr/lib/modprobe.d", "/lib/modprobe.d")),
    folder("lib/modprobe.d/", sos=("/lib/modprobe.d",)),
    folder("etc/modules-load.d/", sos=("/etc/modules-load.d/*.conf",)),
    folder("usr/lib/modules-load.d/"),
    folder("etc/dracut.conf.d/", sos=("/etc/dracut.conf.d",)),
    folder("usr/lib/dracut/dracut.conf.d/"),
    folder("etc/driverctl.d/"),
    folder("etc/udev/rules.d/", sos=("/etc/udev/rules.d/*", "/etc/udev/rules.d")),
    folder("etc/systemd/network/", sos=("/etc/systemd",)),
    folder("etc/libvirt/qemu/", right=ROOT, pattern="*.xml", sos=("/etc/libvirt/qemu/*.xml",)),
    folder(
        "etc/libvirt/qemu/networks/",
        right=ROOT,
        pattern="*.xml",
        sos=("/etc/libvirt/qemu/networks/*.xml",),
    ),
    folder("run/libvirt/qemu/", right=ROOT, pattern="*.xml", sos=("/run/libvirt/", "/run/libvirt")),
    folder("run/libvirt/network/", right=ROOT, pattern="*.xml"),
    folder("etc/libvirt/hooks/", right=ROOT, since="0.2"),
    listing("usr/share/libvirt/cpu_map/", since="0.2"),
    listing("etc/libvirt/qemu/autostart/", right=ROOT),
    listing("etc/libvirt/qemu/networks/autostart/"),
    listing("sys/firmware/acpi/tables/", secrets=False, sos=("/sys/firmware/acpi/*",)),
    listing("dev/vfio/"),
    # -- the kernel that runs
    kernel(
        "kernel-config",
        source="/proc/config.gz or /boot/config-RELEASE",
        loose="kernel-config",
        sos=("boot/config-*",),
    ),
    kernel("modules.builtin", source="/lib/modules/RELEASE/modules.builtin"),
    kernel(
        "modules.dep",
        source="/lib/modules/RELEASE/modules.dep (vfio, kvm, iommu)",
        sos=("lib/modules/*/modules.dep", "usr/lib/modules/*/modules.dep"),
    ),
    # -- tables of the firmware
    *(
        own(
            f"sys/firmware/acpi/tables/{table}",
            limit=5,
            right=ROOT,
            function=f"table {table}",
            loose=f"acpi/{table}",
            sos=(f"sys/firmware/acpi/tables/{table}",),
            secrets=False,
        )
        for table in ("DMAR", "IVRS", "IORT")
    ),
    # -- trees of small files
    *TREES,
    own("sys/firmware/efi", limit=5, function="efi"),
    # -- device nodes
    *(
        own(f"dev/{name}", limit=3, source=f"ls -l /dev/{name}", function=f"node dev/{name}")
        for name in ("kvm", "iommu", "vfio/vfio")
    ),
    own(
        "devicetree/iommu",
        limit=5,
        source="grep in /sys/firmware/devicetree/base",
        function="devicetree",
    ),
    # -- processes
    own(
        "libvirt/daemons",
        limit=3,
        source="/proc/*/comm and the sockets in /run/libvirt",
        function="daemons",
    ),
    own("vfio/openers", limit=10, right=ROOT, source="ls -l /proc/*/fd", function="openers"),
    own(
        "sockets/sshd",
        limit=10,
        right=ROOT,
        source="/proc/net/tcp and tcp6 (sshd's sockets)",
        function="openers",
    ),
    own("users/qemu", limit=5, source="id of QEMU's user", function="qemu_users", since="0.2"),
    # -- commands
    command("uname", limit=5, source="uname -a", loose="uname", sos=(f"{_SOS}kernel/uname_-a",)),
    command("systemd/detect-virt", limit=5, ok="1", source="systemd-detect-virt"),
    command(
        "systemd/sleep-targets",
        limit=5,
        ok="1 2 3 4",  # for anything but enabled
        only="systemd",
        source="systemctl is-enabled"
        " sleep.target suspend.target hibernate.target hybrid-sleep.target",
    ),
    command(
        "lsblk",
        source="lsblk -J -o NAME,KNAME,TYPE,FSTYPE,LABEL,UUID,PARTUUID,PARTLABEL,MOUNTPOINT",
    ),
    own(
        "bootctl",
        limit=10,
        right=ROOT,
        source="bootctl --no-pager status",
        function="boot_loader",
        sos=(f"{_SOS}boot/bootctl_status",),
    ),
    # -- logs
    command(
        "journal/libvirt",
        limit=15,
        right=ROOT,
        only="systemd",
        source="journalctl -b 0 -o short-iso --no-pager"
        " -u libvirtd -u virtqemud -u virtnodedevd -u virtnetworkd",
        sos=_JOURNAL,
    ),
    own(
        "var/log/libvirt/qemu/",
        limit=10,
        right=ROOT,
        pattern="*.log",
        source="/var/log/libvirt/qemu/*.log (their last 400 lines)",
        function="guest_logs",
    ),
    # -- libvirt
    *(
        own(
            f"virsh/{name}",
            limit=limit,
            source=f"{_ASKED} {words}",
            function="libvirt",
            sos=tuple(f"{_VIRSH}{place}" for place in places),
        )
        for name, words, limit, places in (
            ("version", "version --daemon", 10, ("version",)),
            ("list", "list --all", 10, ("list_--all",)),
            ("list-autostart", "list --all --autostart", 10, ("dominfo_*", "list_--all")),
            ("dumpxml", "dumpxml of every guest", 20, ("dumpxml_*", "list_--all")),
            ("dumpxml-inactive", "dumpxml --inactive of every stored guest", 20, ()),
            ("capabilities", "capabilities", 15, ("capabilities",)),
            (
                "net-dumpxml",
                "net-dumpxml of every network",
                15,
                ("net-dumpxml_*", "net-list_--all"),
            ),
        )
    ),
    own("virsh/pool-list", source=f"{_ASKED} pool-list --all", function="libvirt", since="0.2"),
    own(
        "virsh/nodedev-dumpxml",
        limit=30,
        source=f"{_ASKED} nodedev-dumpxml of every PCI device that is awake",
        function="libvirt",
        loose="nodedev/",
        sos=(f"{_VIRSH}nodedev-dumpxml_*", f"{_VIRSH}nodedev-list_--tree"),
    ),
    own(
        "initramfs",
        right=ROOT,
        source="/boot/initrd.img-RELEASE and its like, through cpio -t",
        function="initramfs",
        secrets=False,
        sos=tuple(
            f"{_SOS}boot/{name}"
            for name in (
                "lsinitrd",
                "lsinitramfs_-l_.initrd.img",
                "lsinitramfs_-l_.boot.initrd.img",
            )
        ),
    ),
    own(
        "pci.ids",
        since="0.2",
        limit=5,
        source="/usr/share/misc/pci.ids or /usr/share/hwdata/pci.ids, of what is here",
        function="pci_names",
        secrets=False,
    ),
    # -- what may wait inside the kernel for somebody else: the lock of all interfaces, of a device
    own(
        "paths",
        limit=8,
        source="stat of what guests name",
        right=ROOT,
        function="named_paths",
        waits="storage",  # a server of files that is gone
        since="0.2",
    ),
    INTERFACES,
    command("ip/link", limit=5, source="ip -j -d link show", waits="rtnl"),
    command("ip/addr", limit=5, source="ip -j -d addr show", waits="rtnl"),
    command("ip/route4", limit=5, source="ip -j -4 route show table all", waits="rtnl"),
    command("ip/route6", limit=5, source="ip -j -6 route show table all", waits="rtnl"),
    own(
        "sys/bus/pci/config",
        limit=5,
        right=ROOT,
        source="/sys/bus/pci/devices/*/config of what is awake",
        function="pci_config",
        most=32 << 20,
        sos=("proc/bus/pci/*/*",),
        secrets=False,
    ),
    # -- what others hand over, in place of what the probe reads
    handed_over(
        "lspci",
        source="lspci -nnvv, or any other",
        loose="lspci.txt",
        sos=(f"{_SOS}pci/lspci_-nnvv", f"{_SOS}pci/lspci_-nvv", f"{_SOS}hardware/lspci_-nnvv"),
    ),
    handed_over(
        "listing/iommu_groups", source="a listing of IOMMU groups", loose="iommu_groups.txt"
    ),
    handed_over("domain/xml", source="virsh dumpxml", loose="domain/"),
    handed_over("qemu.log", source="QEMU's log of a guest", loose="qemu.log"),
    handed_over("libvirt.log", source="libvirt's log, or what virsh said", loose="libvirt.log"),
    handed_over("paste", source="a text that somebody pasted, as a whole"),
)
