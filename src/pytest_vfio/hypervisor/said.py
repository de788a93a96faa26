"""Which known message is about which intended device, and which about the host as a whole."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import TYPE_CHECKING

from pytest_vfio.facts.host.messages import Said
from pytest_vfio.facts.tristate import known
from pytest_vfio.hypervisor.groups import blocks
from pytest_vfio.parse.messages import Speaker, Weight

if TYPE_CHECKING:
    from pytest_vfio.hypervisor.hypervisor import Hypervisor

_WEIGHTS = tuple(Weight)
#: Who tells the reason, and who tells only that something failed for one.
_LAST = (
    *(Speaker.QEMU, Speaker.LIBVIRT, Speaker.VIRT_MANAGER, Speaker.PROXMOX),
    *(Speaker.CONTAINER, Speaker.KUBERNETES, Speaker.SHELL),
)


def about(hypervisor: Hypervisor, device: str | None) -> tuple[Said, ...]:
    """The harmful messages about a device, or about the host; the one that tells most first."""
    found = [
        said
        for said in hypervisor.messages.harmful
        if subject(hypervisor, said) == device and not while_it_comes_on(hypervisor, said)
    ]
    return tuple(sorted(found, key=_tells))


def while_it_comes_on(hypervisor: Hypervisor, said: Said) -> bool:
    """A fault of a device that firmware left running, in the moment when translation comes on."""
    at = said.message.names.get("at")
    if said.message.row.id != "dmar-fault" or at is None:
        return False
    of_it = [one for one in hypervisor.iommu.faults if one.of(said.message.device or "")]
    return bool(of_it) and all(one.early for one in of_it)


def subject(hypervisor: Hypervisor, said: Said) -> str | None:
    """The intended device that a message is about, as it says or as all points to; None: the host."""
    message, intent = said.message, hypervisor.intent
    if message.device is not None:
        return message.device if intent.get(message.device) else None
    member = None if message.group is None else _member(hypervisor, message.group)
    if member is None and said.for_guests:
        return _only(device.address for device in intent.known if device.address)
    return member


def behind(hypervisor: Hypervisor, said: Said) -> Iterator[str]:
    """In words, what the text shows behind a message: who of its card is on a host driver."""
    device = said.message.device
    if said.message.row.id != "group-not-viable" or device is None:
        return
    slot = device.rpartition(".")[0]
    for function in hypervisor.pci.known.values():
        driver = known(lambda: function.driver)  # noqa: B023 - asked at once
        same = function.address.rpartition(".")[0] == slot and function.address != device
        if same and driver and blocks(function, driver, hypervisor.kernel):
            yield f"; {function.address} of the same card is on {driver}"


def _member(hypervisor: Hypervisor, number: int) -> str | None:
    """The first intended device of a group."""
    group = hypervisor.groups.known.get(number)
    members = group.members if group is not None else ()
    return next((one for one in members if hypervisor.intent.get(one)), None)


def _only(addresses: Iterable[str]) -> str | None:
    """The device, where all are functions of one: its first."""
    ordered = sorted(addresses)
    slots = {one.rpartition(".")[0] for one in ordered}
    return ordered[0] if len(slots) == 1 else None


def _tells(said: Said) -> tuple[int, int]:
    row = said.message.row
    return _WEIGHTS.index(row.weight), _LAST.index(row.says) + 1 if row.says in _LAST else 0
