"""Points in time as people and programs write them, in seconds since 1970, UTC; no clock is asked."""

from __future__ import annotations

import re

_STAMP = re.compile(
    r"(\d{4})-(\d\d)-(\d\d)[T ](\d\d):(\d\d):(\d\d)(?:\.\d{1,9})?\s?(Z|[+-]\d\d:?\d\d)?", re.ASCII
)


def seconds(text: str) -> int | None:
    """The first stamp in a text; one without a zone is taken for UTC.

    >>> seconds("2026-01-02 03:04:05.678+0000: starting up libvirt version: 11.3.0")
    1767323045
    >>> seconds("1970-01-01T01:00:00+01:00"), seconds("no stamp")
    (0, None)
    """
    found = _STAMP.search(text)
    if found is None:
        return None
    year, month, day, hour, minute, second = (int(part) for part in found.groups()[:6])
    zone = (found[7] or "Z").replace(":", "")
    shift = 0 if zone == "Z" else (int(zone[1:3]) * 60 + int(zone[3:])) * int(f"{zone[0]}60")
    return (_days(year, month, day) * 24 + hour) * 3600 + minute * 60 + second - shift


def _days(year: int, month: int, day: int) -> int:
    """Days since 1970-01-01 in the Gregorian calendar; years begin in March for the leap day."""
    year -= month <= 2
    month = (month + 9) % 12
    return (
        year * 365 + year // 4 - year // 100 + year // 400 + (month * 153 + 2) // 5 + day - 719469
    )
