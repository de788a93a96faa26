"""Groups that cannot be handed over as they are."""

from tests.lab.fault import Fault, Intent
from tests.lab.parts import DUAL0, DUAL1, PORT, TWIN0, TWIN1, bind, define, hostdev

FAULTS = (
    Fault(
        "group-mate-on-host-driver",
        "trixie-server",
        define("g1", TWIN0),
        intent=Intent(f'"{TWIN0}"'),
        refs=("F92", "F96"),
        smoke=True,
    ),
    Fault(
        "half-a-card",
        "trixie-server",
        define("g1", DUAL0),
        intent=Intent(f'"{DUAL0}"'),
        refs=("F81", "F94", "F92"),
        smoke=True,
    ),
    Fault(
        "half-a-card-detached",
        "trixie-server",
        bind(DUAL0, "vfio-pci") + define("g1", hostdev(DUAL0, managed="no")),
        intent=Intent(f'"{DUAL0}"'),
        refs=("F81", "F94", "F92"),
    ),
    Fault(
        "group-over-two-guests",
        "trixie-server",
        define("g1", TWIN0, autostart=True) + define("g2", TWIN1, autostart=True),
        intent=Intent(f'"{TWIN0}", "{TWIN1}"'),
        refs=("F97",),
        smoke=True,
    ),
    Fault(
        "card-over-two-guests",
        "trixie-server",
        define("g1", DUAL0, autostart=True) + define("g2", DUAL1, autostart=True),
        intent=Intent(f'"{DUAL0}", "{DUAL1}"'),
        refs=("F97",),
    ),
    Fault(
        "a-bridge-for-a-guest",
        "trixie-server",
        define("g1", PORT),
        intent=Intent(f'"{PORT}"'),
        refs=("F120",),
    ),
)
