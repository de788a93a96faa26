"""What the user says of a host: the devices and guests it is meant for, and what is waived.

Plain values, made from the inventory or the command line. Facts compare them with the host.
"""

from __future__ import annotations

import datetime
from collections.abc import Mapping
from types import MappingProxyType

import msgspec


class WantedDevice(msgspec.Struct, frozen=True):
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

    @property
    def label(self) -> str:
        """How the entry is called while no device is known for it."""
        return self.address or self.id or self.netdev or "?"


class WantedGuest(msgspec.Struct, frozen=True):
    """The addresses that have to be among a guest's hostdevs."""

    hostdevs: tuple[str, ...] = ()


class Declared(msgspec.Struct, frozen=True):
    """What a host is to pass through. `devices` None means: infer; empty means: none.

    `by` says who names the devices: `inventory`, or `option` for the command line. In a `survey`
    every endpoint is judged beside them as if it were to be passed through.
    """

    devices: tuple[WantedDevice, ...] | None = None
    guests: Mapping[str, WantedGuest] = msgspec.field(default_factory=lambda: MappingProxyType({}))
    protected: tuple[str, ...] = ()
    by: str = "inventory"
    survey: bool = False


class Waiver(msgspec.Struct, frozen=True):
    """A failure that is accepted until a day, for a reason."""

    check: str
    reason: str
    expires: datetime.date
    host: str | None = None
    subject: str | None = None

    def covers(self, check: str, host: str, subject: str, today: datetime.date) -> bool:
        """Whether it holds today (`expires` is the last day, UTC) for a finding."""
        return (
            self.check == check
            and self.host in (None, host)
            and self.subject in (None, subject)
            and today <= self.expires
        )
