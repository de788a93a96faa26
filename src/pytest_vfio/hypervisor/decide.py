"""What a person pastes next, where a text does not tell enough; and what it says that is harmless."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

from pytest_vfio.facts.host.messages import PASTE
from pytest_vfio.hypervisor.said import while_it_comes_on
from pytest_vfio.parse.messages import Speaker

if TYPE_CHECKING:
    from pytest_vfio.hypervisor.hypervisor import Hypervisor

MOST = 3
NOTHING = "nothing in this text says anything about passthrough"
_EARLY = "faults while translation came on, and none later: what firmware left running, such as the display"
#: What the last start said; nobody is asked to start a guest in order to be judged.
_LAST_START = "tail -n 30 /var/log/libvirt/qemu/GUEST.log"


def notes(hypervisor: Hypervisor) -> tuple[str, ...]:
    """Sentences on what is said and harmless, or that nothing was said; for texts alone."""
    messages = hypervisor.messages
    if not messages.are_all_there_is:
        return ()
    if set(hypervisor.evidence.items) == {PASTE} and not messages.said:
        return (NOTHING,)
    told: dict[str, list[str]] = {}
    early = [one for one in messages.harmful if while_it_comes_on(hypervisor, one)]
    for one in early:
        told.setdefault(_EARLY, []).append(one.message.device or "")
    for one in messages.harmless:
        if one.for_guests or one.message.row.says is Speaker.PCI:
            about = told.setdefault(one.message.row.means, [])
            about.extend([one.message.device] if one.message.device else [])
    return tuple(map(_note, told.items()))


def _note(told: tuple[str, list[str]]) -> str:
    means, about = told
    named = ", ".join(dict.fromkeys(about))
    return f"harmless: {named}: {means}" if named else f"harmless: {means}"


def commands(hypervisor: Hypervisor) -> tuple[str, ...]:
    """The commands whose output would decide, the most telling first; for texts alone."""
    if not hypervisor.messages.are_all_there_is:
        return ()
    return tuple(dict.fromkeys(_telling(hypervisor)))[:MOST]


def _telling(hypervisor: Hypervisor) -> Iterator[str]:
    """What tells the causes of a message apart, then what tells most of a host."""
    for said in hypervisor.messages.harmful:
        if while_it_comes_on(hypervisor, said):
            continue
        yield from said.message.commands
    have = hypervisor.evidence.items
    if not hypervisor.messages.said:
        yield _LAST_START
    if not hypervisor.groups.known:
        yield "find /sys/kernel/iommu_groups -type l"
    if "lspci" not in have:
        yield "lspci -nnk"
    if "proc/cmdline" not in have:
        yield "cat /proc/cmdline"
    yield "dmesg | grep -e DMAR -e AMD-Vi -e iommu -e vfio"
