"""Guests that libvirt will refuse, or that will not have what they are meant to have."""

from tests.lab.fault import Fault, Intent
from tests.lab.parts import NIC, define

MEANT = Intent(guests=(("g1", (NIC,)),))
SMALL_LOCK = "<memtune><hard_limit unit='MiB'>64</hard_limit></memtune>"
"""Less than the guest's memory, all of which VFIO pins: it cannot start."""
HUGEPAGES = "<memoryBacking><hugepages/></memoryBacking>"
RAW_QEMU = (
    "<qemu:commandline><qemu:arg value='-device'/>"
    "<qemu:arg value='vfio-pci,host=01:00.0'/></qemu:commandline>"
)

FAULTS = (
    Fault("guest-without-its-device", "trixie-server", define("g1"), intent=MEANT, refs=("F144",)),
    Fault(
        "guest-names-no-device",
        "trixie-server",
        define("g1", "0000:07:00.0"),
        intent=MEANT,
        refs=("F145", "F19"),
        smoke=True,
    ),
    Fault(
        "two-owners-at-boot",
        "trixie-server",
        define("g1", NIC, autostart=True) + define("g2", NIC, autostart=True),
        refs=("F143",),
        smoke=True,
    ),
    Fault(
        "lock-limit-too-small",
        "trixie-server",
        define("g1", NIC, extra=SMALL_LOCK),
        refs=("F147",),
        smoke=True,
    ),
    Fault(
        "more-memory-than-the-host",
        "trixie-server",
        define("g1", NIC, memory=8192, autostart=True),
        refs=("F189",),
    ),
    Fault(
        "no-hugepages-left",
        "trixie-server",
        define("g1", NIC, extra=HUGEPAGES),
        refs=("F167",),
    ),
    Fault(
        "raw-qemu-words",
        "trixie-server",
        define("g1", extra="").replace("</domain>", RAW_QEMU + "</domain>"),
        refs=("F146",),
    ),
    Fault(
        "libvirt-stopped",
        "trixie-intel",
        define("g1", NIC)
        + "systemctl mask --now libvirtd.socket libvirtd-ro.socket libvirtd-admin.socket "
        "libvirtd.service 2>&1\n",
        refs=("LIB001",),
        quiet=("F141", "F144"),
    ),
    Fault(
        "old-machine-type",
        "trixie-server",
        define("g1", NIC, machine="pc"),
        refs=("F154",),
        gates=False,
    ),
)
