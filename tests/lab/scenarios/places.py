"""Hosts that stand on more than a plain disk and a plain NIC, and hosts of other kinds."""

from tests.lab.fault import Fault, Healthy, Intent
from tests.lab.parts import (
    DISPLAY,
    MANAGEMENT,
    NIC,
    NVME,
    NVME_ID,
    ROOT_DISK,
    SCREEN,
    define,
    kernel_words,
)

FAULTS = (
    Fault(
        "guest-takes-the-bridged-nic",
        "trixie-netstack",
        define("g1", MANAGEMENT, autostart=True),
        intent=Intent(f'"{MANAGEMENT}"'),
        refs=("F203", "F190"),
    ),
    Fault(
        "guest-takes-the-encrypted-disk",
        "trixie-crypt",
        define("g1", ROOT_DISK, autostart=True),
        intent=Intent(f'"{ROOT_DISK}"'),
        refs=("F203", "F191"),
    ),
    Fault(
        "ids-catch-the-root-disk",
        "trixie-nvme",
        kernel_words(f"vfio-pci.ids={NVME_ID}") + define("g1", NVME),
        intent=Intent(f'"{NVME}"'),
        refs=("F195", "F77"),
    ),
    Fault(
        "guest-takes-the-firmware-screen",
        "trixie-nvme",
        define("g1", SCREEN, autostart=True),
        intent=Intent(f'"{SCREEN}"'),
        refs=("F14",),
        gates=False,
    ),
)
HEALTHY = (
    Healthy("nic-beside-a-bridge", "trixie-netstack", define("g1", NIC)),
    Healthy("nic-beside-an-encrypted-disk", "trixie-crypt", define("g1", NIC)),
    Healthy(
        "disk-and-display-beside-their-twins",
        "trixie-nvme",
        define("g1", NVME) + define("g2", DISPLAY),
        intent=Intent(f'"{NVME}", "{DISPLAY}"'),
    ),
    Healthy("sid", "sid", define("g1", NIC)),
    Healthy("amd", "trixie-amd", define("g1", NIC)),
    Healthy("arm", "trixie-arm", define("g1", NIC, arch="aarch64", machine="virt")),
)
