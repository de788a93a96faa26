"""What a host is meant to pass through: declared in the inventory, or inferred from its traces.

Follows section 5 of the design: the inventory holds; where it is silent, vfio-pci ids (command
line, modprobe.d), driver_override, devices bound to VFIO drivers and the hostdevs of any guest
tell. Each intended device says where the intent comes from.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from types import MappingProxyType


@dataclass(frozen=True, slots=True)
class WantedDevice:
    """One entry of `devices`: whatever of it is given has to match.

    `id` is `vendor:device` in lower-case hex, `address` a full address (`0000:12:00.0`), `netdev`
    a network interface's name, `subsystem` is `vendor:device` too.
    """

    address: str | None = None
    id: str | None = None
    netdev: str | None = None
    subsystem: str | None = None
    serial: str | None = None
    mac: str | None = None
    vfs: int | None = None
    managed: bool | None = None


@dataclass(frozen=True, slots=True)
class WantedGuest:
    """A guest and the addresses that have to be among its hostdevs."""

    name: str
    hostdevs: tuple[str, ...] = ()


@dataclass(frozen=True)
class Declared:
    """What the inventory says of one host. `devices` None means: infer; empty means: none."""

    devices: tuple[WantedDevice, ...] | None = None
    guests: Mapping[str, WantedGuest] = field(default_factory=lambda: MappingProxyType({}))
    protected: tuple[str, ...] = ()
