"""Things of which the same is said but for their names are told together, in every report."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable
from typing import Protocol, TypeVar

from pytest_vfio.judge.result import SubjectResult

T = TypeVar("T")

_ADDRESS = r"(?:\0|\b[0-9a-f]{4}:[0-9a-f]{2}:[0-9a-f]{2}\.[0-7]\b)"
_ADDRESSES = re.compile(rf"{_ADDRESS}(?:, {_ADDRESS})*")


class _Said(Protocol):
    """A finding or a cause."""

    @property
    def id(self) -> str: ...
    @property
    def message(self) -> str: ...
    @property
    def subject(self) -> SubjectResult: ...


def alike(things: Iterable[T], told: Callable[[T], tuple[str, str, str]]) -> list[list[T]]:
    """Things of which the same is said but for their names. `told` gives kind, words and name.

    The neighbours that a device is told with are names as well.
    """
    kinds: dict[tuple[str, str], list[T]] = {}
    for thing in things:
        kind, words, name = told(thing)
        same = nameless(words.replace(name, "\0"))
        kinds.setdefault((kind, same), []).append(thing)
    return list(kinds.values())


def nameless(words: str) -> str:
    """Words without the PCI addresses in them."""
    return _ADDRESSES.sub("\0", words)


def said(one: _Said) -> tuple[str, str, str]:
    """What `alike` compares of a finding or a cause."""
    return one.id, one.message, one.subject.name
