"""A made-up host for the probe: /sys, /proc and /etc as far as it looks."""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path

BOOT_ID = "6d1c9b52-4b2c-4d3a-9a0f-0123456789ab\n"
CONFIG = bytes.fromhex("8680721500000000010000028000") + bytes(range(242))


def write(root: Path, files: Mapping[str, str | bytes]) -> None:
    """Files by path; a value that begins with `->` is a link."""
    for name, what in files.items():
        path = root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        if isinstance(what, bytes):
            path.write_bytes(what)
        elif what.startswith("->"):
            path.symlink_to(what[2:])
        else:
            path.write_text(what)


def host(root: Path) -> Path:
    """A host without any device."""
    write(
        root,
        {
            "proc/sys/kernel/hostname": "made-up\n",
            "proc/sys/kernel/osrelease": "6.12.0-test\n",
            "proc/sys/kernel/random/boot_id": BOOT_ID,
            "proc/self/mountinfo": "1 1 0:1 / / rw - ext4 /dev/sda rw\n",
            "proc/cmdline": "quiet intel_iommu=on\n",
            "etc/machine-id": "0123456789abcdef0123456789abcdef\n",
        },
    )
    (root / "sys/bus/pci/devices").mkdir(parents=True)
    (root / "sys/kernel/iommu_groups").mkdir(parents=True)
    return root


def device(
    root: Path,
    address: str,
    *,
    below: str = "",
    group: int | None = None,
    config: bytes = CONFIG,
    files: Mapping[str, str | bytes] | None = None,
) -> Path:
    """One PCI function, below the root bus or another function."""
    real = Path("sys/devices/pci0000:00") / below / address
    write(
        root,
        {
            f"{real}/vendor": "0x8086\n",
            f"{real}/device": "0x1572\n",
            f"{real}/class": "0x020000\n",
            f"{real}/resource": "0x01 0x02 0x03\n0x00 0x00 0x00\n",
            f"{real}/driver_override": "(null)\n",
            f"{real}/power_state": "D0\n",
            f"{real}/power/runtime_status": "active\n",
            f"{real}/current_link_speed": "8.0 GT/s PCIe\n",
            f"{real}/config": config,
            **{f"{real}/{name}": what for name, what in (files or {}).items()},
        },
    )
    (root / "sys/bus/pci/devices" / address).symlink_to(Path("../../../..") / real)
    if group is not None:
        members = root / "sys/kernel/iommu_groups" / str(group) / "devices"
        members.mkdir(parents=True, exist_ok=True)
        (members.parent / "type").write_text("DMA-FQ\n")
        (members / address).symlink_to(Path("../../../../..") / real)
        (root / real / "iommu_group").symlink_to(f"/sys/kernel/iommu_groups/{group}")
    return root / real


def pipe(path: Path) -> None:
    """A file that nobody can open without waiting for ever."""
    path.unlink(missing_ok=True)
    os.mkfifo(path)
