"""Lines of the kernel log that are about one PCI function.

A line names it with its domain (`vfio-pci 0000:12:00.0: ...`) or without. Follows the messages of
`drivers/pci` and `drivers/vfio` from 4.15 to 6.12.
"""

from __future__ import annotations

import re

from pytest_vfio.facts.kernel.log import KernelLog, LogLine
from pytest_vfio.parse.pciaddress import PATTERN, address

_ADDRESS = re.compile(rf"(?<![0-9a-fA-F:.])({PATTERN})(?![0-9a-fA-F])")

#: What is looked for: patterns that mean the same in different versions. Each begins with plain
#: letters, which makes searching a long log cheap.
Patterns = tuple[re.Pattern[str], ...]


def _patterns(*texts: str) -> Patterns:
    return tuple(map(re.compile, texts))


#: `pci_dev_wait` (drivers/pci/pci.c): the reset that a function did not come back from.
RESET_GAVE_UP = _patterns(
    r"not ready [0-9]+ms after (?:FLR|AF_FLR|PM D3(?:hot)?->D0|resume|(?:bus|slot|CXL) reset)"
    r"; giving up"
)
#: A function that cannot be woken, by kernel version (F106).
UNREACHABLE = _patterns(
    r"Unable to change power state from \S+ to D0, device inaccessible",
    r"an't change power state from \S+ to \S+ \(config space inaccessible\)",
    r"Refused to change power state, currently in D3",
)
BAR_FAILED = _patterns(
    r"BAR [0-9]+(?: \[[^\]]{1,80}\])?: (?:failed to assign|can't assign|no space for)"
)
IOV_FAILED = _patterns(r"not enough MMIO resources for SR-IOV", r"SR-IOV: IOV BARS not allocated")
ROM_INVALID = _patterns(r"Invalid PCI ROM (?:header|data) signature")
BROKEN_INTX = _patterns(r"Masking broken INTx support", r"VF reports bogus INTx pin")
RESTORED = _patterns(r"reset recovery - restoring (?:BARs|bars)")
LINK_LOST = _patterns(r"Slot\([0-9-]+\): (?:Link Down|Card not present)")
LINK_BACK = _patterns(r"Slot\([0-9-]+\): (?:Link Up|Card present)")
DENIED = _patterns(r"exists in vfio-pci device denylist, driver probing disallowed")
DEVICE_SPECIFIC = _patterns(r"AMD_(?:POLARIS|VEGA|NAVI)[0-9]*: failed to reset device")


class DeviceLog:
    """The kernel log of one host, by function. Each kind of line is searched for once."""

    def __init__(self, log: KernelLog) -> None:
        self._log = log
        self._found: dict[Patterns, dict[str, list[LogLine]]] = {}

    def about(self, patterns: Patterns, where: str) -> tuple[LogLine, ...]:
        """The kept lines of a kind that name a function; none means nothing at all."""
        if patterns not in self._found:
            found: dict[str, list[LogLine]] = {}
            for line in (line for pattern in patterns for line in self._log.seen(pattern)):
                for named in set(addresses(line.text)):
                    found.setdefault(named, []).append(line)
            self._found[patterns] = found
        return tuple(self._found[patterns].get(where, ()))


def addresses(text: str) -> tuple[str, ...]:
    """Every PCI address that a line names.

    >>> addresses("vfio-pci 0000:12:00.0: not ready 65535ms after FLR; giving up")
    ('0000:12:00.0',)
    """
    return tuple(filter(None, map(address, _ADDRESS.findall(text))))
