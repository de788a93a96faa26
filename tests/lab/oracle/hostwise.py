"""Edits that people make to a running host, of every kind of thing on which a start can hang.

Each returns what is typed, and what a right cause would name.  Which of them do harm, only the host
knows.
"""

from collections.abc import Callable
from random import Random

from tests.lab.oracle.ground import LAB, POOL, VFS, VIRSH
from tests.lab.parts import DISPLAY, DUAL0, DUAL1, NIC, TWIN0, TWIN1, bind, device, write

Typed = tuple[str, tuple[str, ...]]
"""Shell, and the words of a right cause."""
HostEdit = Callable[[Random], Typed]
QEMU_CONF = "/etc/libvirt/qemu.conf"
CARDS = (VFS[0], DISPLAY, TWIN0, TWIN1, DUAL0)
RESTART = "systemctl restart libvirtd\n"


def override(random: Random) -> Typed:
    """A driver_override, perhaps with another binding at once."""
    card = random.choice(CARDS)
    word = random.choice(
        ["vfio-pci", "vfio_pci", "pci-stub", "e1000e", "igbvf", "none", "", "vfio"]
    )
    again = random.choice([True, False])
    script = f"echo '{word}' >{device(card)}/driver_override\n"
    if again:
        script += (
            f"[ ! -e {device(card)}/driver ] || echo {card} >{device(card)}/driver/unbind\n"
            f"echo {card} >/sys/bus/pci/drivers_probe || true\n"
        )
    return script, (card, *_mates(card))


def unbound(random: Random) -> Typed:
    """A device that no driver has."""
    card = random.choice(CARDS)
    return f"[ ! -e {device(card)}/driver ] || echo {card} >{device(card)}/driver/unbind\n", (
        card,
        *_mates(card),
    )


def other_driver(random: Random) -> Typed:
    """A device, or its group mate, goes to another driver."""
    card, driver = random.choice(
        [
            (TWIN0, "e1000e"),
            (TWIN1, "e1000e"),
            (TWIN1, "pci-stub"),
            (DUAL0, "e1000e"),
            (DUAL1, "pci-stub"),
            (DISPLAY, "bochs-drm"),
            (DISPLAY, "pci-stub"),
            (VFS[0], "vfio-pci"),
            (VFS[0], "pci-stub"),
        ]
    )
    return bind(card, driver).replace("\ntest ", "\ntrue || test "), (card, *_mates(card))


def virtual_functions(random: Random) -> Typed:
    """Another number of virtual functions, or another state of their card."""
    numvfs = f"{device(NIC)}/sriov_numvfs"
    scripts = [
        f"echo 0 >{numvfs}; echo 3 >{numvfs}",
        f"echo 0 >{numvfs}",
        "systemctl stop vfs.service; systemctl start vfs.service",
        f"echo 0 >{numvfs}; echo 0 >{device(NIC)}/sriov_drivers_autoprobe; echo 7 >{numvfs}",
        f"ip link set dev $(ls {device(NIC)}/net) down",
        f"echo {NIC} >{device(NIC)}/driver/unbind",
        f"ip link set dev $(ls {device(NIC)}/net) vf 0 mac 52:54:00:0c:00:01",
    ]
    return random.choice(scripts) + "\n", (NIC, VFS[0], "sriov_numvfs", "VFs", "VF")


def removed(random: Random) -> Typed:
    """A device is removed, perhaps found again."""
    card = random.choice((*CARDS, NIC))
    again = random.choice(["", "echo 1 >/sys/bus/pci/rescan\n"])
    return f"echo 1 >{device(card)}/remove\n{again}", (card, *_mates(card), NIC)


def qemu_conf(random: Random) -> Typed:
    """A line in qemu.conf, and the daemon started again."""
    lines = [
        'user = "root"',
        'user = "nobody"',
        'user = "qemu"',
        'user = "libvirt-qemu"',
        'group = "kvm"',
        'group = "nogroup"',
        'group = "vfio"',
        "dynamic_ownership = 0",
        "dynamic_ownership = 1",
        'dynamic_ownership = "no"',
        'security_driver = "none"',
        'security_driver = "selinux"',
        'security_driver = [ "dac" ]',
        "security_default_confined = 1",
        "security_require_confined = 1",
        'cgroup_device_acl = [ "/dev/null", "/dev/full", "/dev/zero", "/dev/random", "/dev/urandom", "/dev/ptmx", "/dev/kvm" ]',
        'cgroup_device_acl = [ "/dev/null", "/dev/zero" ]',
        'cgroup_controllers = [ "cpu", "memory" ]',
        'hugetlbfs_mount = "/dev/hugepages"',
        'hugetlbfs_mount = "/mnt/huge"',
        'hugetlbfs_mount = ""',
        "max_processes = 1",
        "max_files = 16",
        "max_files = 65536",
        "max_threads_per_process = 4",
        'memory_backing_dir = "/srv/memory"',
        'stdio_handler = "file"',
        'stdio_handler = "logd"',
        'stdio_handler = "syslog"',
        "relaxed_acs_check = 1",
        "namespaces = []",
        'namespaces = [ "mount" ]',
        'namespaces = [ "mounts" ]',
        "seccomp_sandbox = 0",
        "seccomp_sandbox = 1",
        "set_process_name = 1",
        'vnc_listen = "192.0.2.7"',
        'lock_manager = "sanlock"',
        'lock_manager = "lockd"',
        "clear_emulator_capabilities = 0",
        'nvram = [ "/usr/share/OVMF/OVMF_CODE.fd:/usr/share/OVMF/OVMF_VARS.fd" ]',
        'user = "libvirt-qemu',
        "users = root",
        'swtpm_user = "tss"',
        'auto_dump_path = "/srv/dump"',
    ]
    line = random.choice(lines)
    name, _, value = line.partition(" = ")
    return f"{_add(QEMU_CONF, line)}{RESTART}", (
        QEMU_CONF,
        "qemu.conf",
        name,
        *_long(value.strip('"')),
    )


def daemon_conf(random: Random) -> Typed:
    """A line in the daemon's own settings, and the daemon started again."""
    lines = [
        'unix_sock_group = "libvirt"',
        'unix_sock_group = "virt"',
        'unix_sock_rw_perms = "0700"',
        'auth_unix_rw = "none"',
        'auth_unix_rw = "polkit"',
        'auth_unix_rw = "sasl"',
        "max_clients = 0",
        "max_clients = 5000",
        "max_workers = 1",
        'log_outputs = "1:file:/var/log/libvirt/libvirtd.log"',
        'log_filters = "1:qemu"',
        'unix_sock_dir = "/run/elsewhere"',
        "listen_tls = yes please",
        "audit_level = 2",
    ]
    line = random.choice(lines)
    file = "/etc/libvirt/libvirtd.conf"
    name = line.partition(" = ")[0]
    return f"{_add(file, line)}{RESTART}", (file, "libvirtd.conf", name, "libvirtd")


def hook(random: Random) -> Typed:
    """A hook of libvirt."""
    name = random.choice(["qemu", "qemu", "qemu.d/10-lab", "daemon", "network", "qemu.sh"])
    body = random.choice(
        [
            "exit 0",
            "exit 1",
            'case "$2" in prepare) exit 3;; esac',
            'case "$2" in started) exit 3;; esac',
            'case "$2" in stopped) exit 3;; esac',
            "cat >/dev/null; echo no >&2; exit 2",
            "/usr/local/bin/lab-hook",
            "exec /bin/false",
            'test "$1" != g1',
        ]
    )
    first = random.choice(["#!/bin/sh", "#!/bin/sh", "#!/bin/bash", "#!/usr/bin/python"])
    mode = random.choice(["755", "755", "755", "644"])
    file = f"/etc/libvirt/hooks/{name}"
    text = write(file, f"{first}\n{body}")
    return f"mkdir -p $(dirname {file})\n{text}chmod {mode} {file}\n{RESTART}", (
        file,
        "hook",
        "hooks",
    )


def limits(random: Random) -> Typed:
    """A limit on the daemon or on what it starts."""
    word = random.choice(
        [
            "LimitMEMLOCK=64K",
            "LimitMEMLOCK=8M",
            "LimitMEMLOCK=infinity",
            "LimitNOFILE=32",
            "LimitNOFILE=65536",
            "TasksMax=8",
            "LimitAS=64M",
            "MemoryMax=200M",
            "PrivateDevices=yes",
            "ProtectSystem=strict",
            "ProtectKernelTunables=yes",
            "DevicePolicy=closed",
            "CapabilityBoundingSet=CAP_NET_ADMIN CAP_SETUID CAP_SETGID",
            "RestrictAddressFamilies=AF_UNIX",
            "Nice=5",
            "Environment=LIBVIRT_DEBUG=3",
            "ExecStartPre=/bin/false",
        ]
    )
    folder = "/etc/systemd/system/libvirtd.service.d"
    text = write(f"{folder}/limits.conf", f"[Service]\n{word}")
    script = f"mkdir -p {folder}\n{text}systemctl daemon-reload\n{RESTART}"
    return script, (folder, "limits.conf", *word.split("=")[:1], "libvirtd")


def memory(random: Random) -> Typed:
    """Memory that somebody else has, or hugepages that are gone."""
    pages = "/proc/sys/vm/nr_hugepages"
    scripts = [
        f"echo 0 >{pages}",
        f"echo 32 >{pages}",
        f"echo 1000 >{pages}",
        "umount /dev/hugepages",
        "mkdir -p /mnt/huge; mount -t hugetlbfs none /mnt/huge",
        "echo 1 >/proc/sys/vm/overcommit_memory",
        "echo 2 >/proc/sys/vm/overcommit_memory; echo 20 >/proc/sys/vm/overcommit_ratio",
        "echo 30 >/proc/sys/vm/max_map_count",
        "mkdir -p /mnt/ram; mount -t tmpfs -o size=2500m none /mnt/ram; head -c 2000M /dev/zero >/mnt/ram/full || true",
        "echo 40 >/proc/sys/vm/swappiness",
        "echo 0 >/proc/sys/vm/overcommit_memory",
    ]
    return random.choice(scripts) + "\n", (
        "hugepages",
        "hugetlbfs",
        "memory",
        "nr_hugepages",
        "overcommit_memory",
        "max_map_count",
        "/dev/hugepages",
    )


def network(random: Random) -> Typed:
    """Networks, pools and what they stand on."""
    scripts = {
        f"{VIRSH} net-destroy lab": ("lab",),
        f"{VIRSH} net-destroy lab; {VIRSH} net-undefine lab": ("lab",),
        f"{VIRSH} net-autostart --disable lab": ("lab",),
        "ip link delete labbr0": ("labbr0",),
        "ip link set labbr0 down": ("labbr0",),
        "ip link set labbr0 name labbr1": ("labbr0",),
        f"{VIRSH} pool-destroy lab": ("lab", "volume.img"),
        f"{VIRSH} pool-destroy lab; {VIRSH} pool-undefine lab": ("lab", "volume.img"),
        f"{VIRSH} vol-delete --pool lab volume.img": ("lab", "volume.img"),
        f"rm {POOL}/volume.img": ("lab", "volume.img"),
        f"mv {POOL} {POOL}.old": ("lab", "volume.img", POOL),
        f"mv {POOL}/volume.img {POOL}/volume.raw; {VIRSH} pool-refresh lab": ("lab", "volume.img"),
    }
    script = random.choice(sorted(scripts))
    return script + "\n", scripts[script]


def permissions(random: Random) -> Typed:
    """Modes and owners."""
    files = [
        "/dev/vfio/vfio",
        "/dev/kvm",
        f"{LAB}/vmlinuz",
        f"{LAB}/disk.img",
        f"{LAB}/card.rom",
        LAB,
        POOL,
        "/usr/bin/qemu-system-x86_64",
        "/var/lib/libvirt/qemu",
        "/var/log/libvirt/qemu",
        "/var/lib/libvirt",
        "/usr/share/qemu",
        "/dev/hugepages",
        "/run/libvirt",
        "/srv/share",
    ]
    file = random.choice(files)
    how = random.choice(
        ["chmod 000", "chmod 600", "chmod 700", "chmod 666", "chmod 755", "chown nobody"]
    )
    return f"{how} {file}\n", (file, file.rpartition("/")[2])


def modules(random: Random) -> Typed:
    """Modules that go, with or without their files."""
    tree = "/lib/modules/$(uname -r)"
    scripts = {
        "modprobe -r vfio_iommu_type1 || true": ("vfio_iommu_type1",),
        "modprobe -r kvm_amd": ("kvm_amd", "kvm", "/dev/kvm"),
        "modprobe -r kvm_amd; echo 'blacklist kvm_amd' >/etc/modprobe.d/kvm.conf": (
            "kvm_amd",
            "kvm",
        ),
        "modprobe -r kvm_amd; modprobe kvm_amd nested=0 npt=0": ("kvm_amd", "npt"),
        "modprobe -r igbvf": ("igbvf",),
        "modprobe -r igbvf; echo 'install igbvf /bin/false' >/etc/modprobe.d/vf.conf": ("igbvf",),
        f"mv {tree} {tree}.old": ("/lib/modules", "modules"),
        f"rm {tree}/modules.dep*": ("modules.dep",),
        f"find {tree} -name 'vfio*.ko*' -delete; depmod": ("vfio-pci", "vfio_pci", "vfio"),
        "echo 'blacklist vfio-pci' >/etc/modprobe.d/no.conf": ("vfio-pci", "vfio_pci"),
        "echo 'install vfio_pci /bin/false' >/etc/modprobe.d/no.conf": ("vfio-pci", "vfio_pci"),
        "echo 1 >/sys/module/vfio_iommu_type1/parameters/allow_unsafe_interrupts": (
            "allow_unsafe_interrupts",
        ),
        "echo 1 >/sys/module/vfio_iommu_type1/parameters/dma_entry_limit": ("dma_entry_limit",),
        "echo Y >/sys/module/kvm/parameters/ignore_msrs": ("ignore_msrs",),
        "modprobe tun; modprobe vhost_net; modprobe -r vhost_net": ("vhost_net",),
        "rm /dev/kvm": ("/dev/kvm",),
        "rm /dev/vfio/vfio": ("/dev/vfio/vfio",),
        "rm /dev/net/tun || true": ("/dev/net/tun",),
    }
    script = random.choice(sorted(scripts))
    return script + "\n", scripts[script]


def services(random: Random) -> Typed:
    """Services stopped, masked or changed."""
    unit = random.choice(
        [
            "libvirtd",
            "virtlogd",
            "virtlockd",
            "systemd-machined",
            "vfs",
            "systemd-udevd",
            "dbus",
            "virtlogd.socket",
        ]
    )
    how = random.choice(
        [
            f"systemctl stop {unit}",
            f"systemctl mask --now {unit}",
            f"systemctl disable --now {unit}",
            f"systemctl mask {unit}",
            f"systemctl restart {unit}",
        ]
    )
    sockets = random.choice(
        ["", "systemctl mask --now libvirtd.socket libvirtd-ro.socket libvirtd-admin.socket"]
    )
    if unit != "libvirtd":
        sockets = random.choice(["", RESTART.strip()])
    return f"{how} 2>&1 || true\n{sockets} 2>&1 || true\n".replace("\n 2>&1 || true", ""), (
        unit,
        unit.partition(".")[0],
        "libvirt",
        "libvirtd",
    )


def programs(random: Random) -> Typed:
    """Programs, firmware and drivers of libvirt that are gone or others."""
    emulator = "/usr/bin/qemu-system-x86_64"
    scripts = {
        f"mv {emulator} {emulator}.real": emulator,
        f"chmod -x {emulator}": emulator,
        f"mv {emulator} {emulator}.real; printf '#!/bin/sh\\nexec {emulator}.real \"$@\"\\n' >{emulator}; chmod 755 {emulator}": emulator,
        f"mv {emulator} {emulator}.real; printf '#!/bin/sh\\nexit 1\\n' >{emulator}; chmod 755 {emulator}": emulator,
        "mv /usr/share/seabios /usr/share/seabios.old": "/usr/share/seabios",
        "rm -r /usr/share/qemu/keymaps || true": "/usr/share/qemu/keymaps",
        "mv /usr/share/qemu /usr/share/qemu.old": "/usr/share/qemu",
        "rm -r /var/cache/libvirt/qemu": "/var/cache/libvirt",
        "rm /usr/lib/*/libvirt/connection-driver/libvirt_driver_qemu.so": "libvirt_driver_qemu.so",
        "rm /usr/lib/*/libvirt/connection-driver/libvirt_driver_nodedev.so": "libvirt_driver_nodedev.so",
        "rm /usr/lib/*/libvirt/connection-driver/libvirt_driver_storage.so": "libvirt_driver_storage.so",
        f"rm -r {LAB}": LAB,
        "rm /usr/lib/*/qemu/*.so": "qemu",
        "mount -o remount,noexec / ; mount -o remount,exec /": "noexec",
        "rm -r /var/log/libvirt": "/var/log/libvirt",
        "userdel libvirt-qemu": "libvirt-qemu",
        "truncate -s $(($(df --output=avail -k / | tail -1) - 100))K /srv/sparse": "/srv/sparse",
        "fallocate -l $(($(df --output=avail -k / | tail -1)))K /srv/full || true; dd if=/dev/zero of=/srv/rest bs=4k || true": "space",
    }
    script = random.choice(sorted(scripts))
    subject = scripts[script]
    return f"{script}\n{random.choice(['', RESTART])}", (subject, subject.rpartition("/")[2])


def _mates(card: str) -> tuple[str, ...]:
    return next((pair for pair in ((TWIN0, TWIN1), (DUAL0, DUAL1)) if card in pair), ())


def _add(file: str, line: str) -> str:
    return f"cat >>{file} <<'LAB_END'\n{line}\nLAB_END\n"


def _long(value: str) -> tuple[str, ...]:
    return (value,) if len(value) > 3 else ()


HOST_EDITS: dict[str, HostEdit] = {
    "driver_override": override,
    "no driver": unbound,
    "other driver": other_driver,
    "VFs": virtual_functions,
    "device removed": removed,
    "qemu.conf": qemu_conf,
    "libvirtd.conf": daemon_conf,
    "hook": hook,
    "limits": limits,
    "memory": memory,
    "network and pool": network,
    "permissions": permissions,
    "modules": modules,
    "services": services,
    "programs": programs,
}
