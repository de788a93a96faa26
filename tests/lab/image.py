"""Disks: a Debian root made by mmdebstrap, installed to its own disk by itself.

No loop device and no mount on this machine: the file system is filled by ``mke2fs -d`` and the
boot loader is installed by the system inside, in one first boot of its own kernel.
"""

import shlex
import shutil
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal

from tests.lab import cache, kernel, system, workshop
from tests.lab.board import BOARDS, Arch
from tests.lab.kernel import words
from tests.lab.local import run
from tests.lab.recipe import differing, digest

MIB = 1024 * 1024
ROOT_START = 300 * MIB
DISK = 5 * 1024 * MIB

Loader = Literal["grub", "grub-efi", "systemd-boot"]

COMMON = words(
    "systemd-sysv udev dbus kmod initramfs-tools zstd openssh-server iproute2 pciutils procps "
    "libvirt-daemon-system libvirt-clients sudo less"
)
EMULATORS: dict[Arch, str] = {"amd64": "qemu-system-x86", "arm64": "qemu-system-arm"}
LOADERS: dict[Loader, list[str]] = {
    "grub": ["grub-pc"],
    "grub-efi": ["grub-efi", "efibootmgr"],
    "systemd-boot": ["systemd-boot", "efibootmgr"],
}

INITRAMFS = "etc/initramfs-tools/conf.d/lab"
"""How an initramfs is compressed; it must be there before the first is made."""
FILES = {
    "etc/fstab": "LABEL=root / ext4 errors=remount-ro 0 1\n",
    "etc/kernel/install.conf": "layout=bls\n",
    "etc/systemd/network/10-management.network": (
        "[Match]\nMACAddress=52:54:00:0a:00:01\n\n[Network]\nAddress=10.0.2.15/24\n"
        "Gateway=10.0.2.2\nLinkLocalAddressing=no\n"
    ),
    INITRAMFS: "COMPRESS=zstd\nCOMPRESSLEVEL=1\n",
    "etc/ssh/sshd_config.d/lab.conf": "PermitRootLogin prohibit-password\nUseDNS no\n",
    "etc/default/grub": (
        'GRUB_DEFAULT=0\nGRUB_TIMEOUT=0\nGRUB_DISTRIBUTOR="Debian"\n'
        'GRUB_CMDLINE_LINUX_DEFAULT="quiet"\nGRUB_CMDLINE_LINUX="{cmdline}"\n'
        'GRUB_TERMINAL="{terminal}"\nGRUB_DISABLE_OS_PROBER=true\nGRUB_DISABLE_SUBMENU=y\n'
    ),
    "etc/kernel/cmdline": "root=LABEL=root ro {cmdline} quiet\n",
}
SETTLE = """
useradd -m -s /bin/bash viewer
for home in root home/viewer; do
    mkdir -m 700 -p /$home/.ssh && cp /key.pub /$home/.ssh/authorized_keys
done
chown -R viewer: /home/viewer/.ssh; rm /key.pub
systemctl enable systemd-networkd.service ssh.service
systemctl disable libvirtd.service libvirt-guests.service virtlogd.service 2>&1 || true
systemctl enable libvirtd.socket libvirtd-ro.socket virtlogd.socket
systemctl mask apt-daily.timer apt-daily-upgrade.timer e2scrub_all.timer fstrim.timer \\
    e2scrub_reap.service systemd-networkd-wait-online.service ModemManager.service
rm -f /etc/libvirt/qemu/networks/autostart/default.xml
"""
"""Run once in the new root: accounts, network, libvirt left to its sockets."""


@dataclass(frozen=True)
class Image:
    """A Debian release on a disk of its own."""

    name: str
    suite: str
    loader: Loader = "grub"
    packages: tuple[str, ...] = ()
    kernel: str | None = "linux-image"
    """The kernel's package without its architecture; None for the lab's own small kernel."""
    settle: str = ""
    files: dict[str, str] = field(default_factory=dict)
    arch: Arch = "amd64"

    @property
    def recipe(self) -> str:
        """A name for everything that decides what is on the disk."""
        own = () if self.kernel else kernel.recipe()
        texts = self.texts()
        return digest(differing(self), self.contents, texts, FINISH[self.loader], SETTLE, own)

    @property
    def contents(self) -> tuple[str, ...]:
        """Its packages."""
        linux = (f"{self.kernel}-{self.arch}",) if self.kernel else ()
        return (*COMMON, EMULATORS[self.arch], *LOADERS[self.loader], *self.packages, *linux)

    @property
    def uefi(self) -> bool:
        """Whether the firmware must be UEFI."""
        return self.loader != "grub"

    @property
    def disk(self) -> Path:
        """The built disk; its name changes with the recipe."""
        return cache.images() / f"{self.name}-{self.recipe}.qcow2"

    def texts(self) -> dict[str, str]:
        """Its files, by path without the leading slash."""
        name = self.name.partition("-")[0]
        own = {"etc/hostname": f"{name}\n", "etc/hosts": f"127.0.0.1 localhost {name}\n"}
        values = {
            "{cmdline}": BOARDS[self.arch].cmdline,
            "{terminal}": "console" if self.uefi else "serial",
        }
        texts = FILES | own | self.files
        for mark, value in values.items():
            texts = {path: text.replace(mark, value) for path, text in texts.items()}
        return texts


MOUNT_ESP = (
    "mkdir -p /boot/efi && echo 'LABEL=ESP /boot/efi vfat umask=0077 0 1' >>/etc/fstab && "
    "systemctl daemon-reload && mount /boot/efi"
)
FINISH: dict[Loader, str] = {
    "grub": "grub-install /dev/vda && update-grub",
    "grub-efi": MOUNT_ESP + " && grub-install && update-grub",
    "systemd-boot": (
        MOUNT_ESP + " && bootctl install && "
        "for k in /boot/vmlinuz-*; do v=${k#/boot/vmlinuz-}; "
        "kernel-install add $v $k /boot/initrd.img-$v; done && bootctl list"
    ),
}
"""What the new system does in its first boot, from a kernel handed to it."""


def unfinished(image: Image) -> tuple[Path, Path, Path]:
    """A disk without boot loader, and the kernel and initrd to start it with."""
    root = cache.root() / "build" / image.name
    shutil.rmtree(root, ignore_errors=True)
    root.parent.mkdir(parents=True, exist_ok=True)
    with workshop.programs(image.arch):
        system.make(root, image.suite, image.contents, _compression(image), arch=image.arch)
        _furnish(image, root)
    if image.kernel is None:
        _own_kernel(root)
    linux, initrd = (_newest(root, stem) for stem in ("vmlinuz", "initrd.img"))
    disk = root.with_suffix(".raw")
    _partition(disk)
    _fill(disk, root)
    shutil.rmtree(root)
    return disk, linux, initrd


def key() -> Path:
    """The lab's own SSH key, made on first use."""
    private = cache.root() / "id_ed25519"
    if not private.exists():
        run("ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-C", "lab", "-f", private)
    return private


def _compression(image: Image) -> str:
    """An option of mmdebstrap: the file is there before the kernel's package wants it."""
    folder, text = INITRAMFS.rpartition("/")[0], shlex.quote(image.texts()[INITRAMFS])
    return f"--essential-hook=mkdir -p $1/{folder}; printf %s {text} >$1/{INITRAMFS}"


def _furnish(image: Image, root: Path) -> None:
    for path, text in image.texts().items():
        target = root / path
        target.parent.mkdir(parents=True, exist_ok=True)
        target.unlink(missing_ok=True)
        target.write_text(text)
    shutil.copy(key().with_suffix(".pub"), root / "key.pub")
    system.inside(root, SETTLE + image.settle)


def _own_kernel(root: Path) -> None:
    built = kernel.built()
    release = kernel.release(built)
    shutil.copy(built / "vmlinuz", root / f"boot/vmlinuz-{release}")
    shutil.copy(built / "config", root / f"boot/config-{release}")
    run("cp", "-a", built / "lib/modules", root / "usr/lib")
    system.inside(root, f"depmod {release}; update-initramfs -c -k {release}")


def _newest(root: Path, stem: str) -> Path:
    source = max((root / "boot").glob(f"{stem}-*"))
    target = root.parent / f"{root.name}.{stem}"
    shutil.copy(source, target)
    return target


def _partition(disk: Path) -> None:
    """GPT with a BIOS boot partition, an EFI system partition and a root, whatever is used."""
    disk.unlink(missing_ok=True)
    with disk.open("wb") as file:
        file.truncate(DISK)
    esp = ROOT_START // MIB - 2
    layout = (
        "label: gpt\nsector-size: 512\n"
        "start=1MiB, size=1MiB, type=21686148-6449-6E6F-744E-656564454649\n"
        f"start=2MiB, size={esp}MiB, type=U\n"
        f"start={ROOT_START // MIB}MiB, size={(DISK - ROOT_START) // MIB - 1}MiB, type=L\n"
    )
    run("sfdisk", "-q", disk, text=layout)
    esp_blocks = str(esp * 1024)
    run("mkfs.vfat", "-F", "32", "-n", "ESP", "--offset", str(2 * MIB // 512), disk, esp_blocks)


def _fill(disk: Path, root: Path) -> None:
    blocks = f"{(DISK - ROOT_START) // MIB - 1}M"
    offset = f"offset={ROOT_START},lazy_itable_init=1"
    run("mke2fs", "-q", "-F", "-t", "ext4", "-L", "root", "-d", root, "-E", offset, disk, blocks)
