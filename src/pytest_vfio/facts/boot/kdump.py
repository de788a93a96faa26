"""The words that a crash kernel gets: /etc/default/kdump-tools, evaluated and never run."""

from __future__ import annotations

import msgspec

from pytest_vfio.evidence import Evidence, Lack, Quote, Status
from pytest_vfio.parse import shellvars
from pytest_vfio.parse.words import Word, parse

FILE = "etc/default/kdump-tools"
VARIABLES = ("KDUMP_CMDLINE", "KDUMP_CMDLINE_APPEND")


class CrashLine(msgspec.Struct, frozen=True):
    """The known words, and what stands in the way of knowing all of them.

    `quote` is None where no crash kernel is configured.
    """

    words: tuple[Word, ...]
    missing: tuple[Lack, ...]
    quote: Quote | None


def read(evidence: Evidence) -> CrashLine:
    """What kdump-tools is configured with."""
    item = evidence.item(FILE)
    if item.status is Status.ABSENT:
        return CrashLine((), (), None)
    shell = shellvars.evaluate([item])
    words: list[Word] = []
    for name in VARIABLES:
        value = shell.values.get(name)
        if value is not None:
            line = " ".join(value.words).encode("utf-8", "surrogateescape")
            words.extend(parse(line, value.quote))
    missing = item.lacking
    if not missing and not all(shell.certain(name) for name in VARIABLES):
        missing = (Lack(FILE, Status.FAILED, detail="not a plain assignment"),)
    return CrashLine(tuple(words), missing, item.quote())
