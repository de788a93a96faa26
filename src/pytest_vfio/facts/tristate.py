"""Three-valued logic: something holds, does not hold, or cannot be told for want of evidence.

A fact that cannot be told raises Missing. Here that is asked of many things at once, and asked of
what may have been read in part only.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Generic, ParamSpec, Protocol, TypeVar

import msgspec

from pytest_vfio.evidence import Lack, Missing

T = TypeVar("T")
P = ParamSpec("P")


class Partial(Protocol):
    """What may be known in part; `lacking` is what was not read of it, empty where it is whole."""

    @property
    def lacking(self) -> tuple[Lack, ...]:
        """What was not read of it."""


class Found(msgspec.Struct, Generic[T], frozen=True):
    """The things for which something is known to hold, and what was not read of the others."""

    known: tuple[T, ...]
    lacking: tuple[Lack, ...]


def search(things: Iterable[T], holds: Callable[[T], object]) -> Found[T]:
    """Ask of each thing whether something holds."""
    known: list[T] = []
    lacking: dict[Lack, None] = {}
    for thing in things:
        try:
            if holds(thing):
                known.append(thing)
        except Missing as missing:
            lacking.update(dict.fromkeys(missing.lacking))
    return Found(tuple(known), tuple(lacking))


def first(things: Iterable[T], holds: Callable[[T], object], *beside: Partial) -> T | None:
    """The first thing for which something is known to hold; None where it holds for none.

    Raises Missing, with all that was not read, where it is known of none and may hold for one;
    `beside` is what may hide further things.
    """
    lacking: list[Lack] = []
    for thing in things:
        try:
            if holds(thing):
                return thing
        except Missing as missing:
            lacking.extend(missing.lacking)
    require(*lacking, *beside)
    return None


def require(*parts: Partial) -> None:
    """Raise Missing, with all that was not read, unless every part is whole."""
    lacking = [lack for part in parts for lack in part.lacking]
    if lacking:
        raise Missing(*lacking)


def ask(
    question: Callable[P, T], *args: P.args, **kwargs: P.kwargs
) -> tuple[T | None, tuple[Lack, ...]]:
    """The answer; or None, and what would have to be read for one."""
    try:
        return question(*args, **kwargs), ()
    except Missing as missing:
        return None, missing.lacking


def known(question: Callable[P, T], *args: P.args, **kwargs: P.kwargs) -> T | None:
    """The answer; None also where it cannot be told. For words and tie-breaks, never for a pass."""
    return ask(question, *args, **kwargs)[0]
