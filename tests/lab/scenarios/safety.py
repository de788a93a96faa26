"""States in which the next reboot or guest start would cut the host off."""

from tests.lab.fault import Fault, Intent
from tests.lab.parts import (
    DUAL0,
    DUAL1,
    E1000E_ID,
    MANAGEMENT,
    MANAGEMENT_ID,
    ROOT_DISK,
    define,
    kernel_words,
)

FAULTS = (
    Fault(
        "ids-catch-the-management-nic",
        "trixie-server",
        kernel_words(f"vfio-pci.ids={MANAGEMENT_ID}"),
        refs=("F195", "F190", "F77"),
    ),
    Fault(
        "ids-catch-twins",
        "trixie-server",
        kernel_words(f"vfio-pci.ids={E1000E_ID}"),
        reboot=True,
        after=define("g1", DUAL0, DUAL1),
        intent=Intent(f'"{DUAL0}", "{DUAL1}"'),
        refs=("F77",),
        gates=False,
    ),
    Fault(
        "guest-takes-the-management-nic",
        "trixie-server",
        define("g1", MANAGEMENT, autostart=True),
        intent=Intent(f'"{MANAGEMENT}"'),
        refs=("F203", "F190"),
        smoke=True,
    ),
    Fault(
        "guest-takes-the-root-disk",
        "trixie-server",
        define("g1", ROOT_DISK, autostart=True),
        intent=Intent(f'"{ROOT_DISK}"'),
        refs=("F203", "F191"),
    ),
)
