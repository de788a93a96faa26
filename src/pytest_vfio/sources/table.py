"""What is asked of the table of items by name."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType

from pytest_vfio.sources.items import ROWS
from pytest_vfio.sources.row import MOST, Row

BY_NAME: Mapping[str, Row] = MappingProxyType({row.name: row for row in ROWS})
#: The items that every whole reading has, present or not.
PLAIN_NAMES: tuple[str, ...] = tuple(row.name for row in ROWS if row.live)

#: Why a file of the kernel's is not whole although nobody says so.
NO_END = "its last line has no end"


def row_of(name: str) -> Row | None:
    """The row of an item, or of the folder whose file it is."""
    return BY_NAME.get(name) or BY_NAME.get(name[: name.rfind("/") + 1])


def most_of(name: str) -> int:
    """So much of an item is kept, in bytes."""
    row = row_of(name)
    return MOST if row is None else row.most


def has_end(name: str, data: bytes) -> bool:
    """Whether an item that calls itself whole can be: the kernel ends each line of its files.

    Its binary files aside, the firmware's tables.
    """
    ours = name.startswith(("proc/", "sys/")) and not name.endswith("/")
    return not (ours and data) or data.endswith(b"\n") or name.startswith("sys/firmware/acpi/")


def item_name(name: str) -> str:
    """A file's name as a part of an item's: what is no text, or would act on a terminal, is `\\xNN`.

    A file system takes any bytes for a name, and Python hands on those that are no UTF-8 as halves
    of characters, which nothing can write.
    """
    text = name.encode("utf-8", "surrogateescape").decode("utf-8", "backslashreplace")
    if text.isprintable():
        return text
    return "".join(char if char.isprintable() else f"\\x{ord(char):02x}" for char in text)
