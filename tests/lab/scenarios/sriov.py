"""Virtual functions that are missing, stolen, too many, or impossible."""

from tests.lab.fault import Fault, Intent
from tests.lab.parts import NIC, VF0, bind, define, device, hostdev, virtual_functions


def _wants(count: int) -> Intent:
    return Intent(f'{{address = "{NIC}", vfs = {count}}}')


FAULTS = (
    Fault(
        "vfs-gone-after-reboot",
        "trixie-server",
        virtual_functions(2) + define("g1", VF0),
        reboot=True,
        intent=_wants(2),
        refs=("F129",),
    ),
    Fault(
        "guest-names-a-missing-vf",
        "trixie-server",
        define("g1", VF0),
        intent=_wants(2),
        refs=("F129", "F145"),
    ),
    Fault(
        "vfs-on-the-host-driver",
        "trixie-server",
        virtual_functions(2) + define("g1", hostdev(VF0, managed="no")),
        intent=_wants(2),
        refs=("F130", "F142", "F71"),
    ),
    Fault(
        "more-vfs-than-the-card-has",
        "trixie-server",
        "",
        intent=_wants(9),
        refs=("F127", "F12", "F129"),
        smoke=True,
    ),
    Fault(
        "pf-given-away-vfs-wanted",
        "trixie-server",
        bind(NIC, "vfio-pci"),
        intent=_wants(2),
        refs=("F131",),
    ),
    Fault(
        "vfs-on-a-card-without-sriov",
        "trixie-server",
        "",
        intent=Intent('{address = "0000:04:00.0", vfs = 2}'),
        refs=("F12", "F127"),
    ),
    Fault(
        "pf-down",
        "trixie-server",
        virtual_functions(2)
        + f"ip link set dev $(ls {device(NIC)}/net) down\n"
        + define("g1", VF0),
        intent=_wants(2),
        refs=("F133",),
        gates=False,
    ),
)
