"""What tells a device from its twin: ids, interface, MAC, serial number. An address does not (S30).

A device on a VFIO driver has no interface, so its MAC cannot be asked. Many network adapters build
their PCI serial number from their first MAC with ff-ff in the middle (as an EUI-64): that proves
the MAC where it agrees, and nothing where it does not.
"""

from __future__ import annotations

import re

import msgspec

from pytest_vfio.evidence import Evidence, Lack, Missing, Quote, Status, Tree
from pytest_vfio.facts.pci.function import PciFunction

NET = "sys/class/net"


class Answer(msgspec.Struct, frozen=True):
    """What a device says of itself, whether that is what was expected, and the proof."""

    shown: str
    agrees: bool
    quote: Quote


def answer(evidence: Evidence, function: PciFunction, name: str, expected: str) -> Answer:
    """Compare one key of the inventory: id, subsystem, netdev, mac or serial.

    Raises Missing where the device cannot be asked now.
    """
    if name == "id":
        return Answer(function.id, function.id == expected.lower(), function.quote("device"))
    if name == "subsystem":
        shown = function.subsystem or "none"
        return Answer(shown, shown == expected.lower(), function.quote("subdevice"))
    if name == "serial":
        shown = function.serial
        return Answer(shown, _digits(shown) == _digits(expected), function.quote("config"))
    return _interface(evidence, function, name, expected)


def mac_of_serial(serial: str) -> str | None:
    """The MAC that a serial number was made of, None where it was not made so.

    >>> mac_of_serial("a0-36-9f-ff-ff-12-34-56"), mac_of_serial("00-00-00-01-02-03-04-05")
    ('a0:36:9f:12:34:56', None)
    """
    parts = serial.lower().split("-")
    if len(parts) != 8 or parts[3:5] not in (["ff", "ff"], ["ff", "fe"]):
        return None
    return ":".join(parts[:3] + parts[5:])


def _interface(evidence: Evidence, function: PciFunction, name: str, expected: str) -> Answer:
    netdevs = function.netdevs
    if netdevs and name == "netdev":
        return Answer(", ".join(netdevs), expected in netdevs, function.quote("netdevs"))
    if netdevs:
        tree, path = Tree.of(evidence.item(NET)), f"{netdevs[0]}/address"
        shown = (tree.get(path) or "none").lower()
        return Answer(shown, _digits(shown) == _digits(expected), tree.quote(path))
    serial = function.config.serial if name == "mac" and function.knows("config") else None
    if serial is not None and _digits(mac_of_serial(serial) or "") == _digits(expected):
        return Answer(expected, agrees=True, quote=function.quote("config"))
    why = f"{function.address} has no interface now"
    raise Missing(Lack(NET, Status.NOT_COLLECTED, detail=why))


def _digits(text: str) -> str:
    return re.sub(r"[^0-9a-z]", "", text.lower())
