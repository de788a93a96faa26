"""Names that change with what a thing is made of, and with nothing else."""

import hashlib
from dataclasses import MISSING, Field, fields, is_dataclass
from typing import Any


def differing(value: Any) -> Any:
    """A dataclass as the fields that are not at their default; anything else as it is.

    A field that is new leaves no trace in what does not use it, so nothing is built again for it.
    """
    if not is_dataclass(value) or isinstance(value, type):
        return value
    parts = ((item.name, getattr(value, item.name), _default(item)) for item in fields(value))
    return tuple((name, differing(given)) for name, given, usual in parts if given != usual)


def digest(*parts: object) -> str:
    """A short name for exactly these parts."""
    return hashlib.sha256(repr(parts).encode()).hexdigest()[:10]


def _default(item: "Field[Any]") -> Any:
    return item.default if item.default_factory is MISSING else item.default_factory()
