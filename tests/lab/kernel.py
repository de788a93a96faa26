"""A small kernel like the walk-through's, which no Debian kernel is.

IOMMU off until asked for, vfio-pci built in, no-IOMMU mode available; NIC drivers are modules.
Built once from Debian's own ``linux-source`` and cached.  It also is the kernel of nested guests:
nothing in it that a guest or the lab does not need, so it boots under twice-emulated hardware.
"""

import shutil
from pathlib import Path

from tests.lab import cache, system
from tests.lab.local import say
from tests.lab.recipe import digest


def words(text: str) -> tuple[str, ...]:
    """The words of a text that is easier to read than a list."""
    return tuple(text.split())


NAME = "-vfio-lab"
BUILT_IN = words(
    """
64BIT SMP X86_X2APIC ACPI PCI PCI_MSI PCIEPORTBUS PCI_QUIRKS PCI_IOV PCI_ATS
HOTPLUG_PCI HOTPLUG_PCI_PCIE PCIEAER IOMMU_SUPPORT INTEL_IOMMU INTEL_IOMMU_DEFAULT_OFF IRQ_REMAP
VFIO VFIO_IOMMU_TYPE1 VFIO_PCI VFIO_NOIOMMU VIRTUALIZATION HIGH_RES_TIMERS NO_HZ_IDLE
MODULES MODULE_UNLOAD PRINTK BUG KALLSYMS IKCONFIG IKCONFIG_PROC MULTIUSER POSIX_TIMERS FUTEX EPOLL
SIGNALFD TIMERFD EVENTFD AIO IO_URING ADVISE_SYSCALLS MEMBARRIER FILE_LOCKING SHMEM BASE_FULL
FHANDLE INOTIFY_USER BINFMT_ELF BINFMT_SCRIPT BLK_DEV_INITRD RD_GZIP RD_ZSTD KERNEL_GZIP
SYSVIPC POSIX_MQUEUE NAMESPACES UTS_NS IPC_NS PID_NS NET_NS USER_NS SECCOMP SECCOMP_FILTER
CGROUPS MEMCG CGROUP_SCHED FAIR_GROUP_SCHED CGROUP_PIDS CGROUP_FREEZER CPUSETS CGROUP_DEVICE
CGROUP_CPUACCT BPF_SYSCALL CGROUP_BPF BLK_CGROUP
NET INET UNIX PACKET NETDEVICES ETHERNET NET_VENDOR_INTEL TUN BRIDGE NET_CORE
BLOCK BLK_DEV PARTITION_ADVANCED EFI_PARTITION MSDOS_PARTITION EXT4_FS EXT4_FS_POSIX_ACL
TMPFS TMPFS_POSIX_ACL TMPFS_XATTR PROC_FS PROC_SYSCTL SYSFS DEVTMPFS DEVTMPFS_MOUNT AUTOFS_FS
VIRTIO_MENU VIRTIO_PCI VIRTIO_BLK VIRTIO_NET TTY UNIX98_PTYS SERIAL_8250 SERIAL_8250_CONSOLE
SERIAL_8250_PNP DMI DMIID RTC_CLASS RTC_DRV_CMOS HW_RANDOM INPUT CRYPTO CRYPTO_SHA256 CRYPTO_HMAC
RANDOM_TRUST_CPU X86_MSR X86_CPUID PERF_EVENTS UNWINDER_FRAME_POINTER
"""
)
MODULAR = words("IGB IGBVF E1000E KVM KVM_AMD KVM_INTEL BLK_DEV_NVME")
SUITE = "bookworm"
BUILDERS = words("linux-source flex bison bc libelf-dev libssl-dev gcc make xz-utils kmod cpio")
MAKE = """
mkdir /usr/src/linux; cd /usr/src/linux; tar -xf ../linux-source-*.tar.xz --strip-components=1
make -s allnoconfig KCONFIG_ALLCONFIG=../wish.config
nice make -s -j"$(nproc)" bzImage modules
make -s modules_install INSTALL_MOD_PATH=/built INSTALL_MOD_STRIP=1
cp arch/x86/boot/bzImage /built/vmlinuz; cp .config /built/config
find /built/lib/modules -type l -delete
"""
"""In a system of its own: this machine's release must not decide what is built."""


def recipe() -> str:
    """A name for everything that decides what the kernel is."""
    return digest(BUILT_IN, MODULAR, NAME, SUITE, MAKE)


def built() -> Path:
    """A folder with ``vmlinuz``, ``config`` and ``lib/modules`` of the kernel."""
    target = cache.root() / f"kernel-{recipe()}"
    with cache.alone("kernel"):
        if not target.exists():
            _build(target)
    return target


def _build(target: Path) -> None:
    say("building the kernel of the host classic and of guests")
    root = cache.folder("build") / "kernel"
    shutil.rmtree(root, ignore_errors=True)
    system.make(root, SUITE, BUILDERS)
    lines = [f"CONFIG_{word}=y" for word in BUILT_IN] + [f"CONFIG_{word}=m" for word in MODULAR]
    lines += [f'CONFIG_LOCALVERSION="{NAME}"', "CONFIG_NR_CPUS=8"]
    (root / "usr/src/wish.config").write_text("\n".join(lines) + "\n")
    system.inside(root, MAKE)
    (root / "built").rename(target)
    shutil.rmtree(root)


def release(kernel: Path) -> str:
    """The kernel's ``uname -r``."""
    return next((kernel / "lib/modules").iterdir()).name
