"""What a host's logs, or a text that somebody pasted, say in words that are known.

A pasted text is read as a whole: an error line is evidence wherever it stands. Where the state of
the devices was read, logs are history, and what they name is judged by that state.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from functools import cached_property

import msgspec

from pytest_vfio.evidence import Evidence, Item, Lack, Quote
from pytest_vfio.parse import qemulog
from pytest_vfio.parse.messages import Message, Speaker, Weight, recognise, standing
from pytest_vfio.parse.pciaddress import PATTERN, address

PASTE = "paste"
LOGS = ("dmesg", "journal/kernel", "qemu.log", "libvirt.log", "journal/libvirt")
_DEVICES = "sys/bus/pci/devices"

#: Who speaks of a device only because somebody wants it in a guest.
_FOR_GUESTS = frozenset(
    {
        *(Speaker.VFIO, Speaker.QEMU, Speaker.LIBVIRT, Speaker.VIRT_MANAGER),
        *(Speaker.CONTAINER, Speaker.KUBERNETES, Speaker.PROXMOX),
    }
)
_OF_VFIO = re.compile(r"vfio|\bVFs?\b|SR-IOV|sriov", re.IGNORECASE)
_ARGUMENT = re.compile(
    rf"vfio-pci\\*\"?,\\*\"?host\\*\"?[=:]\s*\\*\"?({PATTERN})(?![0-9a-fA-F])"
    rf"|\bhostpci\d+:\s*(?:host=)?({PATTERN})(?![0-9a-fA-F])"
)
_CAP = 400


class Said(msgspec.Struct, frozen=True):
    """A known message that stands, and its line as proof."""

    message: Message
    quote: Quote

    @property
    def for_guests(self) -> bool:
        """It is about passing a device through, whoever says it."""
        spoken = self.message.row.says in _FOR_GUESTS
        return spoken or _OF_VFIO.search(self.message.line[:_CAP]) is not None

    @property
    def wants(self) -> str | None:
        """The device that somebody wants in a guest, as the message tells."""
        row, line = self.message.row, self.message.line[:_CAP]
        if row.says in _FOR_GUESTS or "vfio" in line:
            return self.message.device
        return None


class Messages:
    """The known messages of one host."""

    def __init__(self, evidence: Evidence) -> None:
        self._evidence = evidence

    @property
    def are_all_there_is(self) -> bool:
        """Nobody read the state of the devices: what is said is the best that is known."""
        return not self._evidence.item(_DEVICES).data

    @cached_property
    def items(self) -> tuple[Item, ...]:
        """The texts that may hold messages: the paste, else the logs."""
        pasted = tuple(self._evidence.seen(PASTE))
        return pasted or tuple(self._evidence.seen(*LOGS))

    @property
    def lacking(self) -> tuple[Lack, ...]:
        """What may hold more of them."""
        if self.items:
            return tuple(lack for item in self.items for lack in item.lacking)
        return tuple(self._evidence.item(name).lack for name in LOGS[:1])

    @cached_property
    def said(self) -> tuple[Said, ...]:
        """Every message that stands, in the order of the texts."""
        return tuple(said for item in self.items for said in _said(item))

    @cached_property
    def harmful(self) -> tuple[Said, ...]:
        """Those that stop, hurt or expose."""
        return tuple(one for one in self.said if one.message.row.weight is not Weight.HARMLESS)

    @cached_property
    def harmless(self) -> tuple[Said, ...]:
        """Those that sound bad, and are not."""
        return tuple(one for one in self.said if one.message.row.weight is Weight.HARMLESS)

    @cached_property
    def arguments(self) -> tuple[str, ...]:
        """The devices that a command line of QEMU, or a guest's file of Proxmox, names."""
        found = (
            address(hit[1] or hit[2])
            for item in self.items
            for hit in _ARGUMENT.finditer(item.text)
        )
        return tuple(dict.fromkeys(filter(None, found)))

    @cached_property
    def devices(self) -> tuple[str, ...]:
        """The devices that somebody wants in a guest, as messages tell."""
        return tuple(dict.fromkeys(filter(None, (one.wants for one in self.said))))


def _said(item: Item) -> Iterator[Said]:
    """What stands in one text; of a guest's log only its last start counts."""
    text = qemulog.last_start(item).text if item.name == "qemu.log" else item.text
    for message in standing(recognise(text.split("\n"))):
        yield Said(message, item.quote(message.line.strip()[:_CAP]))
