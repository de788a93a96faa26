"""How much memory guests with assigned devices pin, and which of them do so at the same time.

VFIO pins all of a guest's memory. The 1 GiB that libvirt reckons on top is room in the limit of
locked memory (S32; libvirt `qemuDomainGetMemLockLimitBytes`), and nothing that is pinned: a guest
of nearly all of the host's memory starts. Sizes are KiB.
"""

from __future__ import annotations

from functools import cached_property

from pytest_vfio.evidence import Lack, Missing, Status
from pytest_vfio.facts.libvirt.guests import Domain, Guests
from pytest_vfio.facts.tristate import require

MIB = 1024
GIB = 1024 * MIB


class Demand:
    """The pinned memory of one host's guests."""

    def __init__(self, guests: Guests) -> None:
        self._guests = guests

    def of(self, guest: Domain) -> int:
        """What a guest pins when it runs: the most that any of its descriptions says.

        Raises Missing where one does not say.
        """
        if not guest.documents:
            require(guest)
            raise Missing(Lack("virsh/dumpxml", Status.FAILED, detail=f"nothing of {guest.name}"))
        sizes = [document.memory for document in guest.documents]
        if None in sizes:
            detail = f"{guest.name}: no memory size"
            raise Missing(Lack(guest.documents[0].source, Status.FAILED, detail=detail))
        return max(size for size in sizes if size is not None)

    def beside(self, guest: Domain) -> tuple[Domain, ...]:
        """The other guests that are known to hold pinned memory when this one starts.

        Those that run; and, for a guest that starts by itself, those that do as well.
        """
        others = dict.fromkeys((*self._running, *(self._starting if guest.autostart else ())))
        return tuple(other for other in others if other is not guest)

    @cached_property
    def lacking(self) -> tuple[Lack, ...]:
        """What was not read, so that there may be other guests beside any."""
        states = (lack for one in self._guests.known for lack in one.lacks("running", "autostart"))
        return tuple(dict.fromkeys((*self._guests.lacking, *states)))

    @cached_property
    def _running(self) -> tuple[Domain, ...]:
        return tuple(guest for guest in self._holders if guest.running)

    @cached_property
    def _starting(self) -> tuple[Domain, ...]:
        return tuple(guest for guest in self._holders if guest.autostart)

    @cached_property
    def _holders(self) -> tuple[Domain, ...]:
        return tuple(guest for guest in self._guests.known if guest.hostdevs)
