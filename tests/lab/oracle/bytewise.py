"""Edits that do not know what a text means: a byte, a line, a number.

Every function takes a text and returns another; equal only where the text offers nothing to edit.
"""

import re
import string
from collections.abc import Callable
from random import Random

TextEdit = Callable[[Random, str], str]
_TYPED = string.ascii_letters + string.digits + "-_=.,:;/'\"<> #"
_NUMBER = re.compile(r"0x[0-9a-fA-F]+|\d+")


def flip_byte(random: Random, text: str) -> str:
    """One character becomes another."""
    if not text:
        return text
    at = random.randrange(len(text))
    other = random.choice([letter for letter in _TYPED if letter != text[at]])
    return text[:at] + other + text[at + 1 :]


def delete_byte(random: Random, text: str) -> str:
    """One character is lost."""
    at = random.randrange(max(1, len(text)))
    return text[:at] + text[at + 1 :]


def insert_byte(random: Random, text: str) -> str:
    """One character slips in."""
    at = random.randrange(len(text) + 1)
    return text[:at] + random.choice(_TYPED) + text[at:]


def delete_line(random: Random, text: str) -> str:
    """One line is lost; empty ones and comments are not worth an edit."""
    lines = text.splitlines(keepends=True)
    worth = _worth(lines)
    if not worth:
        return text
    del lines[random.choice(worth)]
    return "".join(lines)


def repeat_line(random: Random, text: str) -> str:
    """One line stands once more, somewhere."""
    lines = text.splitlines(keepends=True)
    worth = _worth(lines)
    if not worth:
        return text
    line = lines[random.choice(worth)]
    lines.insert(random.randrange(len(lines) + 1), line.rstrip("\n") + "\n")
    return "".join(lines)


def swap_lines(random: Random, text: str) -> str:
    """Two lines change places."""
    lines = text.splitlines(keepends=True)
    worth = [n for n in _worth(lines) if n + 1 < len(lines) and lines[n] != lines[n + 1]]
    if not worth:
        return text
    at = random.choice(worth)
    lines[at], lines[at + 1] = lines[at + 1], lines[at]
    return "".join(lines)


def change_number(random: Random, text: str) -> str:
    """One number becomes another: next to it, a digit more or less, none, huge."""
    found = list(_NUMBER.finditer(text))
    if not found:
        return text
    match = random.choice(found)
    old = match.group()
    hexadecimal = old.startswith("0x")
    value = int(old, 16 if hexadecimal else 10)
    values = {value + 1, max(0, value - 1), value * 16 if hexadecimal else value * 10, 0, 2**31}
    new = random.choice(sorted(values - {value}))
    written = f"0x{new:0{len(old) - 2}x}" if hexadecimal else str(new)
    return text[: match.start()] + written + text[match.end() :]


def _worth(lines: list[str]) -> list[int]:
    return [n for n, line in enumerate(lines) if line.strip() and not line.lstrip().startswith("#")]


TEXT_EDITS: dict[str, TextEdit] = {
    "byte flipped": flip_byte,
    "byte deleted": delete_byte,
    "byte inserted": insert_byte,
    "line deleted": delete_line,
    "line repeated": repeat_line,
    "lines swapped": swap_lines,
    "number changed": change_number,
}
