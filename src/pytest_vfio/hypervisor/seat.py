"""The host's own screen and keyboard, where they are the only way in.

A host that is reached by SSH or by a serial console survives the loss of both; one that is not
would be lost with them (F192, F193). Sources: `boot_vga` and the drivers of the display functions,
`proc/bus/input/devices` (drivers/input/input.c, `input_devices_seq_show`), the command line, the
sockets of sshd.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from functools import cached_property

import msgspec

from pytest_vfio.evidence import Evidence, Item, Lack, Quote
from pytest_vfio.facts.host.carrier import Use, functions_in
from pytest_vfio.facts.host.network import Network
from pytest_vfio.facts.kernel.cmdline import Cmdline
from pytest_vfio.facts.pci.functions import DISPLAY_CLASS, Pci, PciFunction, is_vfio_driver
from pytest_vfio.facts.tristate import ask, require

USB_CLASS = 0x0C03
_INPUT = "proc/bus/input/devices"
_SERIAL = re.compile(r"tty(?:S|AMA|USB|MXS|LP|SC|XR)\d|hvc\d|xvc\d|uart")
#: EV_REP: the kernel repeats held keys, which it does for keyboards and not for power buttons.
_REPEATS = 1 << 20


class Keyboard(msgspec.Struct, frozen=True):
    """One keyboard: its name, the PCI functions that it hangs on, the line of its sysfs path."""

    name: str
    functions: tuple[str, ...]
    quote: Quote


class Console:
    """Screen and keyboard of one host."""

    def __init__(self, evidence: Evidence, pci: Pci, network: Network, cmdline: Cmdline) -> None:
        self._evidence, self._pci, self._network, self._cmdline = evidence, pci, network, cmdline

    @cached_property
    def uses(self) -> tuple[Use, ...]:
        """The functions without which nobody gets in, as far as that is known."""
        found = (ask(question)[0] for question in (self.screen, self.keyboard))
        return tuple(use for use in found if use is not None)

    @property
    def all_lacking(self) -> tuple[Lack, ...]:
        """What was not read of either."""
        return (*ask(self.screen)[1], *ask(self.keyboard)[1])

    def lacking(self, function: PciFunction) -> tuple[Lack, ...]:
        """What was not read, and could show that a function is the only way in."""
        if function.base_class == DISPLAY_CLASS:
            return ask(self.screen)[1]
        if function.class_code >> 8 == USB_CLASS:
            return ask(self.keyboard)[1]
        return ()

    def screen(self) -> Use | None:
        """The only display function that the host drives, where it is the only way in.

        Raises Missing.
        """
        if self.other_way is not None:
            return None
        shown = [one for one in self._displays() if not is_vfio_driver(one.driver)]
        driven = [one for one in shown if one.driver is not None] or shown
        if len(driven) != 1:
            return None
        return Use("screen", driven[0].address, "only screen", (), driven[0].quote("driver"))

    def keyboard(self) -> Use | None:
        """The only controller that keyboards hang on, where it is the only way in.

        Raises Missing.
        """
        if self.other_way is not None:
            return None
        require(self._evidence.item(_INPUT))
        below = {keyboard.functions for keyboard in self.keyboards}
        if len(below) != 1 or below == {()}:
            return None
        first = self.keyboards[0]
        return Use("keyboard", first.functions[-1], "only keyboard", (), first.quote)

    @cached_property
    def keyboards(self) -> tuple[Keyboard, ...]:
        """The keyboards that were seen."""
        item = self._evidence.item(_INPUT)
        blocks = item.text.split("\n\n")
        return tuple(found for block in blocks for found in _keyboards(item, block))

    @cached_property
    def other_way(self) -> Quote | None:
        """What proves a way in that needs neither: an SSH session, a serial console.

        Raises Missing where there may be one that was not read.
        """
        sockets = self._evidence.item("sockets/sshd")
        for session in self._network.sessions:
            return sockets.quote(session.line)
        for word in self._cmdline.seen("console"):
            if _SERIAL.match(word.value or ""):
                return word.quote
        require(*sockets.unread, self._cmdline)
        return None

    def _displays(self) -> Iterator[PciFunction]:
        for function in self._pci.functions.values():
            if function.base_class == DISPLAY_CLASS:
                yield function


def _keyboards(item: Item, block: str) -> Iterator[Keyboard]:
    """The keyboard that a block of the list describes, if it does.

    `S: Sysfs=/devices/pci0000:00/0000:00:14.0/usb1/1-1/1-1:1.0/0003:046D:C31C.0001/input/input3`
    """
    fields = {line[:1]: line for line in block.split("\n")}
    events = re.search(r"^B: EV=([0-9a-f]{1,16})$", block, re.MULTILINE)
    path = fields.get("S", "").partition("Sysfs=")[2]
    if events is None or not path or "kbd" not in fields.get("H", ""):
        return
    if int(events[1], 16) & _REPEATS:
        name = fields.get("N", "").partition('"')[2].rstrip('"')
        yield Keyboard(name, functions_in(path), item.quote(fields["S"]))
