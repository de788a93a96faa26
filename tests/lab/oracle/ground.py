"""The host that is edited: set up as a careful person does, so that there is much to get wrong.

Virtual functions come from a service, two cards are bound by ``modprobe.d`` from the initramfs, the
display by a udev rule; libvirt has a pool, a network and hugepages; files that guests name exist.
"""

from tests.lab.parts import (
    DISPLAY,
    DUAL0,
    DUAL1,
    E1000E_ID,
    NIC,
    TWIN0,
    TWIN1,
    device,
    grub_words,
    write,
)

NAME = "trixie-oracle"
LAB = "/var/lib/lab"
POOL = "/srv/pool"
VIRSH = "virsh -q -c qemu:///system"
VFS = tuple(f"0000:01:10.{number}" for number in (0, 2, 4, 6)) + tuple(
    f"0000:01:11.{number}" for number in (0, 2, 4)
)
"""The seven virtual functions of the igb card, each in a group of its own."""
TWINS = (TWIN0, TWIN1)
CARDS: tuple[tuple[str, ...], ...] = (
    *((function,) for function in VFS),
    (DISPLAY,),
    TWINS,
    (DUAL0, DUAL1),
)
"""What one guest can be given: whole groups, none twice."""
BOUND = frozenset({DISPLAY, *TWINS, DUAL0, DUAL1})
"""What the host binds to vfio-pci by itself, so that a guest may leave out managed='yes'."""
VF_SERVICE = "/etc/systemd/system/vfs.service"
MODPROBE = "/etc/modprobe.d/vfio.conf"
RULE = "/etc/udev/rules.d/10-vfio.rules"
RELOAD = "systemctl restart vfs.service; udevadm settle\n"
"""Virtual functions are not part of a saved machine."""
QEMU_CONF = """
user = "libvirt-qemu"
group = "libvirt-qemu"
dynamic_ownership = 1
remember_owner = 1
stdio_handler = "logd"
max_files = 4096
max_processes = 4096
namespaces = [ "mount" ]
hugetlbfs_mount = "/dev/hugepages"
cgroup_controllers = [ "cpu", "devices", "memory", "blkio", "cpuset", "cpuacct" ]
"""
LIBVIRTD_CONF = """
unix_sock_group = "libvirt"
unix_sock_ro_perms = "0777"
unix_sock_rw_perms = "0770"
max_clients = 5000
max_workers = 20
"""
"""What the daemon does anyway, written down, so that there is something to edit."""
SETTINGS = (
    f"cat >>/etc/libvirt/qemu.conf <<'LAB_END'{QEMU_CONF}LAB_END\n"
    f"cat >>/etc/libvirt/libvirtd.conf <<'LAB_END'{LIBVIRTD_CONF}LAB_END\n"
)


SETUP = (
    "echo kvm_amd >/etc/modules-load.d/kvm.conf; modprobe kvm_amd\n"
    "echo 'LIBVIRTD_ARGS=\"\"' >/etc/default/libvirtd\n"
    f"mkdir -p {LAB} {POOL} /srv/share\n"
    f"cp /boot/vmlinuz-* {LAB}/vmlinuz; head -c 64k /dev/zero >{LAB}/initrd\n"
    f"truncate -s 1M {LAB}/code.fd {LAB}/vars.fd {LAB}/disc.iso; truncate -s 64k {LAB}/card.rom\n"
    f"truncate -s 64M {LAB}/disk.img {POOL}/volume.img\n"
    + write("/etc/sysctl.d/50-hugepages.conf", "vm.nr_hugepages = 128")
    + write("/etc/systemd/network/br.netdev", "[NetDev]\nName=labbr0\nKind=bridge")
    + write("/etc/systemd/network/br.network", "[Match]\nName=labbr0\n[Link]\nRequiredForOnline=no")
    + write(
        VF_SERVICE,
        "[Unit]\nBefore=libvirtd.service\n\n[Service]\nType=oneshot\nRemainAfterExit=yes\n"
        "ExecStartPre=/usr/bin/udevadm settle\n"
        f"ExecStart=/bin/sh -c 'ip link set dev $$(ls {device(NIC)}/net) up; "
        f"echo 7 >{device(NIC)}/sriov_numvfs'\n\n[Install]\nWantedBy=multi-user.target",
    )
    + write(MODPROBE, f"options vfio-pci ids={E1000E_ID}\nsoftdep e1000e pre: vfio-pci")
    + write(
        RULE,
        f'ACTION=="add", SUBSYSTEM=="pci", KERNEL=="{DISPLAY}", '
        'ATTR{driver_override}="vfio-pci", RUN+="/sbin/modprobe vfio-pci"',
    )
    + "echo vfio-pci >>/etc/initramfs-tools/modules\n"
    + grub_words("intel_iommu=on iommu=pt")
    + "update-initramfs -u 2>&1; update-grub 2>&1\n"
    + "systemctl daemon-reload; systemctl enable --now libvirtd 2>&1\n"
    + write(
        "/tmp/net.xml",
        "<network><name>lab</name><forward mode='bridge'/><bridge name='labbr0'/></network>",
    )
    + f"{VIRSH} net-define /tmp/net.xml; {VIRSH} net-autostart lab\n"
    + f"{VIRSH} pool-define-as lab dir --target {POOL}; {VIRSH} pool-autostart lab\n"
    + "rm /tmp/net.xml\n"
)
