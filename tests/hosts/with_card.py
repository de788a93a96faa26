"""A host with one device for guests, for the checks of devices, groups and VFs.

The host of `living` with a NIC more: 0000:12:00.0 behind the root port 0000:11:00.0, alone in group
38 and on vfio-pci. A scenario changes what it is about.
"""

from __future__ import annotations

from collections.abc import Mapping

from pytest_vfio.check import Verdict
from pytest_vfio.declared import Declared, WantedDevice, WantedGuest
from pytest_vfio.evidence import Item, Status
from pytest_vfio.hypervisor.hypervisor import Hypervisor
from tests.ask import ask
from tests.hosts.config_space import MSIX, express, space
from tests.hosts.in_use import FUNCTIONS, function, groups, host
from tests.hosts.plain import hypervisor

CARD, TWIN, PORT = "0000:12:00.0", "0000:12:00.1", "0000:11:00.0"
GPU = {"id": "10de:1b80", "cls": "0x030000"}
LOG = "[    0.000000] Linux version 6.1.0-18-amd64\n[    0.100000] pci 0000:12:00.0: fine"
LINK = {"current_link_speed": "8.0 GT/s PCIe", "max_link_speed": "8.0 GT/s PCIe",
        "current_link_width": "8", "max_link_width": "8"}  # fmt: skip
BAR = "0x00000000c6000000 0x00000000c6ffffff 0x000000000014220c"
UNUSED = "0x0000000000000000 0x0000000000000000 0x0000000000000000"


def card(address: str = CARD, *, driver: str | None = "vfio-pci", group: int | None = 38, **files):
    """The device for guests; `power/x` is written power__x."""
    named = {name.replace("__", "/"): value for name, value in files.items()}
    return function(address, driver=driver, group=group, above=PORT, **named)


def port(**files: str) -> str:
    """The root port above it."""
    return function(PORT, driver="pcieport", cls="0x060400", id="8086:2030", group=37, **files)


def lines(address: str, name: str, *values: str) -> str:
    """A file of several lines."""
    return "\n".join(f"{address}/{name}={value}" for value in values)


def config(spaces: Mapping[str, bytes | str]) -> str:
    """The tree of configuration bytes; a word instead of bytes says why they were not read."""
    return "\n".join(
        f"{where}!{what}" if isinstance(what, str) else f"{where}={what.hex()}"
        for where, what in spaces.items()
    )


ALIVE = config({CARD: space(caps=[MSIX, express()])})


def box(
    *functions: str,
    declared: Declared | None = None,
    without: tuple[str, ...] = (),
    **changes: str | bytes | Status | Item | None,
) -> Hypervisor:
    """The host with these functions; `without` names items that nobody looked for."""
    ours = {text.partition("->")[0]: text for text in functions or (card(), port())}
    tree = {**FUNCTIONS, **ours}
    items = host(
        **{
            "sys/bus/pci/devices": "\n".join(tree.values()),
            "sys/kernel/iommu_groups": groups(tree),
            "sys/bus/pci/config": ALIVE,
            "dmesg": LOG,
            **changes,
        }
    )
    kept = {name: what for name, what in items.items() if name not in without}
    wanted = Declared(devices=(WantedDevice(address=CARD),))
    return hypervisor(kept, declared if declared is not None else wanted)


def wanting(address: str | None = CARD, guests: tuple[WantedGuest, ...] = (), **more) -> Declared:
    """An inventory that wants one device, and maybe guests."""
    return Declared(
        devices=(WantedDevice(address=address, **more),),
        guests={guest.name: guest for guest in guests},
    )


def of_device(id: str, found: Hypervisor, address: str | None = CARD) -> Verdict:
    """What a check says of one intended device."""
    (device,) = (one for one in found.intent.known if one.address == address)
    return ask(id, found, device)


def of_group(id: str, found: Hypervisor, number: int = 38) -> Verdict:
    """What a check says of one group."""
    return ask(id, found, found.groups.known[number])


def guest(
    name: str = "vm",
    address: str = CARD,
    *,
    managed: str = "yes",
    runs: bool = False,
    kind: str = "hostdev",
) -> dict[str, str]:
    """The items of a host with one guest that has the device, as a kind of element says."""
    domain, bus, rest = address.split(":")
    slot, _, part = rest.partition(".")
    where = (
        f"<source><address type='pci' domain='0x{domain}' bus='0x{bus}' slot='0x{slot}'"
        f" function='0x{part}'/></source>"
    )
    taken = {
        "hostdev": f"<hostdev mode='subsystem' type='pci' managed='{managed}'>{where}</hostdev>",
        "interface": f"<interface type='hostdev' managed='{managed}'>{where}</interface>",
    }.get(kind, "")
    raw = f"<qemu:commandline><qemu:arg value='vfio-pci,host={address}'/></qemu:commandline>"
    body = f"<devices>{taken}</devices>" + (raw if kind == "commandline" else "")
    stored = f"<domain type='kvm'><name>{name}</name>{body}</domain>"
    live = stored.replace("'kvm'>", "'kvm' id='1'>") if runs else ""
    return {
        "virsh/list": f" {'1' if runs else '-'}   {name}   {'running' if runs else 'shut off'}\n",
        "virsh/dumpxml": live,
        "virsh/dumpxml-inactive": stored,
    }
