"""What is done to a host or a guest, and the words that a right cause would name it by."""

from dataclasses import dataclass
from typing import Literal

Place = Literal["guest", "host", "boot"]
"""Where an edit acts: a guest's XML, the running host, or what the next boot reads."""


@dataclass(frozen=True)
class Edit:
    """One edit, as it was made."""

    kind: str
    blind: bool
    """Whether it was made without regard to meaning."""
    target: str
    """The guest, file or device."""
    what: str
    """What was changed, for a person."""
    names: tuple[str, ...]
    """Words of which the right cause holds at least one."""
