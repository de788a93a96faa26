"""Text as it can be printed: harmless, and in characters that the user's locale has."""

from __future__ import annotations

import os
import re
from collections.abc import Sequence


def printable(text: str) -> str:
    """Text in which what a terminal or XML would act on is visible: `\\x1b` instead of ESC.

    Line feeds and tabs stay. XML 1.0, section 2.2, names the characters that may stand in it.
    """
    if text.isascii() and text.isprintable():
        return text  # as most of it is; to say so is much quicker
    return _HARMFUL.sub(_visible, text)


#: Controls, surrogates, what is no character (the last two of each plane), and marks that reorder
#: or hide the text around them (Unicode bidirectional controls, line separators).
_HARMFUL = re.compile(
    "[\x00-\x08\x0b-\x1f\x7f-\x9f\ud800-\udfff\u200e\u200f\u2028-\u202e\u2066-\u2069\ufeff"
    + "".join(chr(plane << 16 | last) for plane in range(17) for last in (0xFFFE, 0xFFFF))
    + "]"
)


def _visible(match: re.Match[str]) -> str:
    code = ord(match.group())
    if code < 0x100:
        return f"\\x{code:02x}"
    return f"\\u{code:04x}" if code < 0x10000 else f"\\U{code:08x}"


def ascii_only() -> bool:
    """Whether the user's locale is one that has no other characters (POSIX: C, POSIX)."""
    names = (os.environ.get(name) for name in ("LC_ALL", "LC_CTYPE", "LANG"))
    return next(filter(None, names), "") in ("C", "POSIX")


def listed(names: Sequence[str], most: int = 4) -> str:
    """`a, b and 3 more`."""
    if len(names) <= most:
        return ", ".join(names)
    return f"{', '.join(names[: most - 1])} and {len(names) - most + 1} more"
