"""Who holds VFIO's device nodes open: `PID COMMAND PATH` for each descriptor in /proc/*/fd.

A device that is held cannot be detached: the writer of `unbind` waits in the kernel until its user
lets go (`drivers/vfio/vfio_main.c`, vfio_unregister_group_dev).
"""

from __future__ import annotations

import re

import msgspec

from pytest_vfio.evidence import Evidence, Lack, Quote

ITEM = "vfio/openers"
_LINE = re.compile(r"([0-9]{1,10}) (.{1,64}) (/dev/\S{1,200})")


class Opener(msgspec.Struct, frozen=True):
    """One process that has a node open. `command` is its short name, which threads may change."""

    pid: int
    command: str
    path: str
    quote: Quote

    @property
    def is_qemu(self) -> bool:
        """The name is one that QEMU is installed under."""
        return self.command.startswith(("qemu", "kvm"))


def known(evidence: Evidence, path: str) -> tuple[Opener, ...]:
    """Those that are known to hold a node, whether or not there are others."""
    item = evidence.item(ITEM)
    found = (_LINE.fullmatch(line[:400].strip()) for line in item.text.split("\n"))
    return tuple(
        Opener(int(match[1]), match[2], match[3], item.quote(match[0]))
        for match in found
        if match is not None and match[3] == path
    )


def lacking(evidence: Evidence) -> tuple[Lack, ...]:
    """The list, unless every process was looked into."""
    return evidence.item(ITEM).unread
