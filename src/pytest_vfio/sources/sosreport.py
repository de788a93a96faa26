"""A sosreport as a source: a folder or an archive that `sos report` made.

Files keep their paths in it; what commands printed lies in `sos_commands`, named for the command.
A file that is not there was perhaps never looked for: it is *not collected*, never absent.
"""

from __future__ import annotations

import re
import tarfile
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path, PurePosixPath
from types import MappingProxyType

from pytest_vfio.evidence import Evidence, Item, Status
from pytest_vfio.sources.errors import BundleError

#: Files that are taken under their own path.
_FILES = re.compile(
    r"proc/(cmdline|cpuinfo|interrupts|modules|iomem|meminfo|uptime|version|swaps)"
    r"|proc/sys/kernel/(osrelease|hostname|tainted|dmesg_restrict)"
    r"|etc/(machine-id|os-release|fstab|crypttab|modules|dracut\.conf|mkinitcpio\.conf)"
    r"|etc/default/(grub|kdump-tools|libvirt-guests)|etc/default/grub\.d/[^/]+"
    r"|boot/grub2?/(grub\.cfg|grubenv)|boot/loader/loader\.conf|boot/loader/entries/[^/]+"
    r"|etc/kernel/(cmdline|proxmox-boot-uuids)"
    r"|etc/(modprobe|modules-load|dracut\.conf|driverctl)\.d/[^/]+|etc/udev/rules\.d/[^/]+"
    r"|etc/initramfs-tools/modules|etc/libvirt/qemu\.conf|etc/libvirt/qemu/[^/]+\.xml"
    r"|var/log/libvirt/qemu/[^/]+\.log"
)
#: Folders of which sos takes every file, so that what it holds is the whole folder.
_WHOLE_FOLDERS = ("etc/modprobe.d/", "etc/modules-load.d/", "etc/default/grub.d/", "etc/dracut.conf.d/")
#: Item -> where a command's output may lie, the fullest first.
_COMMANDS: Mapping[str, tuple[str, ...]] = MappingProxyType(
    {
        "dmesg": ("sos_commands/kernel/dmesg", "sos_commands/kernel/dmesg_-T"),
        "lspci": (
            "sos_commands/pci/lspci_-nnvv",
            "sos_commands/pci/lspci_-nvv",
            "sos_commands/hardware/lspci_-nnvv",
            "lspci",
        ),
        "uname": ("sos_commands/kernel/uname_-a", "uname"),
        "virsh/list": ("sos_commands/virsh/virsh_-r_list_--all",),
        "virsh/version": ("sos_commands/virsh/virsh_-r_version",),
        "virsh/capabilities": ("sos_commands/virsh/virsh_-r_capabilities",),
        "bootctl": ("sos_commands/boot/bootctl_status",),
    }
)
#: Item -> the outputs that are one document each.
_DOCUMENTS: Mapping[str, re.Pattern[str]] = MappingProxyType(
    {
        "virsh/dumpxml": re.compile(r"sos_commands/virsh/virsh_-r_dumpxml_[^/]+"),
        "virsh/nodedev-dumpxml": re.compile(r"sos_commands/virsh/virsh_-r_nodedev-dumpxml_[^/]+"),
        "virsh/net-dumpxml": re.compile(r"sos_commands/virsh/virsh_-r_net-dumpxml_[^/]+"),
    }
)
_KERNEL_CONFIG = re.compile(r"boot/config-[^/]+")
#: More than this of one file, or of all, is not read, in bytes; more files are not looked at.
_LIMIT, _ALL, _COUNT = 64 << 20, 512 << 20, 200_000

Reader = Callable[[], bytes]


def is_sosreport(folder: Path) -> bool:
    """Whether a folder is an unpacked sosreport."""
    return (folder / "sos_commands").is_dir()


def read_folder(folder: Path, host: str) -> Evidence:
    """The evidence of an unpacked sosreport. Symbolic links are not followed."""
    files: dict[str, Reader] = {}
    for path in folder.rglob("*"):
        if len(files) >= _COUNT:
            raise BundleError(f"{folder}: more than {_COUNT} files")
        if path.is_file() and not path.is_symlink():
            files[path.relative_to(folder).as_posix()] = lambda path=path: _head(path)  # type: ignore[misc]
    return _evidence(files, host)


def read_archive(file: Path, host: str) -> Evidence:
    """The evidence of a sosreport's archive, read in place: nothing is unpacked.

    Raises BundleError where it is no sosreport, or too large.
    """
    files: dict[str, Reader] = {}
    wanted = 0
    try:
        with tarfile.open(file) as archive:
            for number, member in enumerate(archive):
                if number >= _COUNT:
                    raise BundleError(f"{file}: more than {_COUNT} files")
                name = "/".join(PurePosixPath(member.name).parts[1:])
                if not member.isreg() or not _wanted(name):
                    continue
                source = archive.extractfile(member)
                data = source.read(_LIMIT + 1) if source is not None else b""
                wanted += len(data)
                if wanted > _ALL:
                    raise BundleError(f"{file}: more than {_ALL} bytes to read")
                files[name] = lambda data=data: data  # type: ignore[misc]
    except (tarfile.TarError, EOFError, OSError, ValueError) as error:
        raise BundleError(f"{file}: not a readable archive: {error}") from error
    if not any(name.startswith("sos_commands/") for name in files):
        raise BundleError(f"{file}: an archive, but not a sosreport: it has no sos_commands")
    return _evidence(files, host)


def _wanted(name: str) -> bool:
    return (
        _FILES.fullmatch(name) is not None
        or _KERNEL_CONFIG.fullmatch(name) is not None
        or any(name in places for places in _COMMANDS.values())
        or any(shape.fullmatch(name) for shape in _DOCUMENTS.values())
    )


def _evidence(files: Mapping[str, Reader], host: str) -> Evidence:
    items: dict[str, Item] = {}
    for item in _items(files):
        items.setdefault(item.name, item)
    return Evidence(host, "sosreport", MappingProxyType(items))


def _items(files: Mapping[str, Reader]) -> Iterator[Item]:
    for name in sorted(files):
        if _FILES.fullmatch(name):
            yield _item(name, files[name])
    for item, places in _COMMANDS.items():
        for place in places:
            if place in files:
                yield _item(item, files[place])
    for item, shape in _DOCUMENTS.items():
        parts = [_item(item, files[name]) for name in sorted(files) if shape.fullmatch(name)]
        if parts:
            worst = max(parts, key=lambda part: part.status is not Status.PRESENT)
            yield Item(item, worst.status, b"\n".join(part.data for part in parts), worst.detail)
    configs = [name for name in files if _KERNEL_CONFIG.fullmatch(name)]
    if len(configs) == 1:
        yield _item("kernel-config", files[configs[0]])
    for folder in _WHOLE_FOLDERS:
        names = [name.removeprefix(folder) for name in sorted(files) if name.startswith(folder)]
        if names:
            yield Item(folder, Status.PRESENT, "\n".join(names).encode())


def _item(name: str, read: Reader) -> Item:
    try:
        data = read()
    except OSError as error:
        return Item(name, Status.FAILED, detail=error.strerror or "")
    if name.startswith("virsh/") and data.lstrip().startswith(b"error:"):
        words = " ".join(data[:300].decode("utf-8", "backslashreplace").split())
        return Item(name, Status.FAILED, detail=words)
    if len(data) > _LIMIT:
        return Item(name, Status.TRUNCATED, data[:_LIMIT], f"more than {_LIMIT} bytes")
    return Item(name, Status.PRESENT, data)


def _head(path: Path) -> bytes:
    with path.open("rb") as file:
        return file.read(_LIMIT + 1)
