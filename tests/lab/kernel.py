"""A small kernel like the walk-through's, which no Debian kernel is.

IOMMU off until asked for, vfio-pci built in, no-IOMMU mode available; NIC drivers are modules.
Built once from Debian's own ``linux-source`` and cached.  It also is the kernel of nested guests:
nothing in it that a guest or the lab does not need, so it boots under twice-emulated hardware.
"""

import os
import shutil
import subprocess
from pathlib import Path

from tests.lab import cache, workshop
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
BUILDERS = words("linux-source flex bison bc libelf-dev libssl-dev gcc make xz-utils kmod")


def recipe() -> str:
    """A name for everything that decides what the kernel is."""
    return digest(BUILT_IN, MODULAR, NAME)


def built() -> Path:
    """A folder with ``vmlinuz``, ``config`` and ``lib/modules`` of the kernel."""
    target = cache.root() / f"kernel-{recipe()}"
    with cache.alone("kernel"):
        if not target.exists():
            _build(target)
    return target


def _build(target: Path) -> None:
    workshop.install(BUILDERS)
    source = _unpacked()
    _configure(source)
    _make(source, "bzImage", "modules")
    part = target.with_suffix(".part")
    shutil.rmtree(part, ignore_errors=True)
    part.mkdir()
    _make(source, "modules_install", f"INSTALL_MOD_PATH={part}", "INSTALL_MOD_STRIP=1")
    shutil.copy(source / "arch/x86/boot/bzImage", part / "vmlinuz")
    shutil.copy(source / ".config", part / "config")
    for link in part.glob("lib/modules/*/[bs]*"):
        if link.is_symlink():
            link.unlink()
    shutil.rmtree(source)
    part.rename(target)


def release(kernel: Path) -> str:
    """The kernel's ``uname -r``."""
    return next((kernel / "lib/modules").iterdir()).name


def _unpacked() -> Path:
    folder = cache.root() / "build" / "kernel"
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    archive = max(Path("/usr/src").glob("linux-source-*.tar.xz"))
    subprocess.run(["tar", "-xf", archive, "-C", folder, "--strip-components=1"], check=True)
    return folder


def _configure(source: Path) -> None:
    wish = source / "wish.config"
    lines = [f"CONFIG_{word}=y" for word in BUILT_IN] + [f"CONFIG_{word}=m" for word in MODULAR]
    lines += [f'CONFIG_LOCALVERSION="{NAME}"', "CONFIG_NR_CPUS=8"]
    wish.write_text("\n".join(lines) + "\n")
    _make(source, "allnoconfig", f"KCONFIG_ALLCONFIG={wish}")


def _make(source: Path, *words: str) -> None:
    jobs = f"-j{os.cpu_count() or 1}"
    subprocess.run(["nice", "make", "-s", "-C", source, jobs, *words], check=True)
