"""Lines of the kernel log that are about one PCI function.

A line names it with its domain (`vfio-pci 0000:12:00.0: ...`) or without. Follows the messages of
`drivers/pci` and `drivers/vfio` from 4.15 to 6.12.
"""

from __future__ import annotations

import re

from pytest_vfio.facts.klog import KernelLog, LogLine
from pytest_vfio.facts.pciaddress import PATTERN, address

_ADDRESS = re.compile(rf"(?<![0-9a-fA-F:.])({PATTERN})(?![0-9a-fA-F])")

#: `pci_dev_wait` (drivers/pci/pci.c): the reset that a function did not come back from.
RESET_GAVE_UP = re.compile(
    r"not ready [0-9]+ms after (?:FLR|AF_FLR|PM D3(?:hot)?->D0|resume|(?:bus|slot|CXL) reset)"
    r"; giving up"
)
#: A function that cannot be woken, by kernel version (F106).
UNREACHABLE = re.compile(
    r"Unable to change power state from \S+ to D0, device inaccessible"
    r"|[Cc]an't change power state from \S+ to \S+ \(config space inaccessible\)"
    r"|Refused to change power state, currently in D3"
)
BAR_FAILED = re.compile(
    r"BAR [0-9]+(?: \[[^\]]{1,80}\])?: (?:failed to assign|can't assign)|BAR [0-9]+: no space for"
)
IOV_FAILED = re.compile(r"not enough MMIO resources for SR-IOV|SR-IOV: IOV BARS not allocated")
BUS_NUMBERS = re.compile(r"can't enable [0-9]+ VFs \(bus|SR-IOV: bus number out of range")
ROM_INVALID = re.compile(r"Invalid PCI ROM (?:header|data) signature")
BROKEN_INTX = re.compile(r"Masking broken INTx support|VF reports bogus INTx pin")
RESTORED = re.compile(r"reset recovery - restoring (?:BARs|bars)")
LINK_LOST = re.compile(r"Slot\([0-9-]+\): (?:Link Down|Card not present)")
DENIED = re.compile(r"exists in vfio-pci device denylist, driver probing disallowed")
CANNOT_RESERVE = re.compile(r"BAR [0-9]+(?: \[[^\]]{1,80}\])?: can't reserve")
DEVICE_SPECIFIC = re.compile(r"AMD_(?:POLARIS|VEGA|NAVI)[0-9]*: failed to reset device")


class DeviceLog:
    """The kernel log of one host, by function. Each pattern is searched for once."""

    def __init__(self, log: KernelLog) -> None:
        self._log = log
        self._found: dict[re.Pattern[str], dict[str, list[LogLine]]] = {}

    def about(self, pattern: re.Pattern[str], where: str) -> tuple[LogLine, ...]:
        """The kept lines of a pattern that name a function; none means nothing at all."""
        if pattern not in self._found:
            found: dict[str, list[LogLine]] = {}
            for line in self._log.seen(pattern):
                for named in set(addresses(line.text)):
                    found.setdefault(named, []).append(line)
            self._found[pattern] = found
        return tuple(self._found[pattern].get(where, ()))


def addresses(text: str) -> tuple[str, ...]:
    """Every PCI address that a line names.

    >>> addresses("vfio-pci 0000:12:00.0: not ready 65535ms after FLR; giving up")
    ('0000:12:00.0',)
    """
    return tuple(filter(None, map(address, _ADDRESS.findall(text))))
