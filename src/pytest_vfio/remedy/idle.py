"""Whether a PCI function may be taken away: proved idle, or not.

Idle is what nothing of the host stands on and no guest and no process has open; and the same for
what goes with it: the other functions of the card, its group, its own VFs. What cannot be resolved
is not idle.
"""

from __future__ import annotations

from collections.abc import Iterator

import msgspec

from pytest_vfio.evidence import Missing
from pytest_vfio.facts.host import openers
from pytest_vfio.facts.pci.functions import PciFunction
from pytest_vfio.facts.tristate import require
from pytest_vfio.hypervisor import holding
from pytest_vfio.hypervisor.hypervisor import Hypervisor


class Proof(msgspec.Struct, frozen=True):
    """Whether a function is idle, and in words by what, or why not."""

    idle: bool
    words: str


def prove(hypervisor: Hypervisor, address: str) -> Proof:
    """Prove that a function may be touched, with all that goes along with it."""
    try:
        for one in _with(hypervisor, address):
            use = _use(hypervisor, one)
            if use is not None:
                return Proof(False, use if one == address else f"{one} goes along: {use}")
    except Missing as missing:
        return Proof(False, f"cannot tell whether {address} is in use: {missing}")
    return Proof(
        True,
        f"nothing of the host's network, storage or console stands on {address}, no running guest "
        "has it, and no process holds its VFIO group open",
    )


def _with(hypervisor: Hypervisor, address: str) -> Iterator[str]:
    """The function, its VFs, the other functions of its card, and its group. Raises Missing."""
    yield address
    function = hypervisor.pci.get(address)
    if function is None:
        return
    yield from function.virtfns
    yield from (one.address for one in hypervisor.pci.siblings(function))
    number = function.group
    group = hypervisor.groups.known.get(number) if number is not None else None
    if group is not None:
        yield from (one for one in group.all_members if one != address)


def _use(hypervisor: Hypervisor, address: str) -> str | None:
    """Who uses a function, in words; None for nobody. Raises Missing where nobody can tell."""
    path = hypervisor.protected.path(address)
    if path is not None:
        return f"the host uses it: {path}"
    function = hypervisor.pci.get(address)
    if function is None:
        return None
    if not function.is_bridge:
        for one in holding.held(hypervisor, address):
            return f"the host has something on it: {one.what}"
    return _guest(hypervisor, address) or _process(hypervisor, function)


def _guest(hypervisor: Hypervisor, address: str) -> str | None:
    for domain, hostdev in hypervisor.guests.holding(address):
        require(*domain.lacks("running", "live"))
        if domain.running and hostdev.live:
            return f"the running guest {domain.name} has it"
    return None


def _process(hypervisor: Hypervisor, function: PciFunction) -> str | None:
    number = function.group
    if number is None or function.driver is None:
        return None
    for one in openers.known(hypervisor.evidence, f"/dev/vfio/{number}"):
        return f"{one.command} ({one.pid}) has {one.path} open"
    if function.driver.startswith("vfio"):
        require(*openers.lacking(hypervisor.evidence))
    return None
