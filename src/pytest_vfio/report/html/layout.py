"""Boxes in boxes, side by side as far as they fit, then below: nothing is wider than what it is in.

Knows nothing of what a box stands for. Lengths are the picture's own units, text sizes too.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from typing import Generic, TypeVar

import msgspec
from msgspec.structs import replace

T = TypeVar("T")

GAP = 10
PAD = 12
#: The strip with a box's title.
TITLE = 27


class Wanted(msgspec.Struct, Generic[T], frozen=True):
    """A box that is to be placed: a tile of this size, or what holds others and is that wide."""

    what: T
    width: float = 0
    height: float = 0
    inner: tuple[Wanted[T], ...] = ()


class Placed(msgspec.Struct, Generic[T], frozen=True):
    """A box where it is drawn."""

    what: T
    x: float
    y: float
    width: float
    height: float


class _Sized(msgspec.Struct, Generic[T], frozen=True):
    """A box that knows its size, and where within it the others are."""

    what: T
    width: float
    height: float
    inner: tuple[tuple[float, float, _Sized[T]], ...] = ()


def place(
    boxes: Sequence[Wanted[T]], width: float, top: float = 0
) -> tuple[tuple[Placed[T], ...], float]:
    """The boxes and all in them, outer ones first; and how far down they reach.

    An outer one with a row of its own takes all of it.
    """
    row, _, height = _flow(boxes, width)
    beside = Counter(y for _, y, _ in row)
    placed: list[Placed[T]] = []
    for x, y, box in row:
        alone = box.inner and beside[y] == 1 and box.width > width / 2
        _put(replace(box, width=width) if alone else box, x, top + y, placed)
    return tuple(placed), top + height


def _put(box: _Sized[T], x: float, y: float, placed: list[Placed[T]]) -> None:
    placed.append(Placed(box.what, x, y, box.width, box.height))
    for dx, dy, inner in box.inner:
        _put(inner, x + dx, y + dy, placed)


def _size(box: Wanted[T], room: float) -> _Sized[T]:
    if not box.inner:
        return _Sized(box.what, min(box.width, room), box.height)
    inner, width, height = _flow(box.inner, room - 2 * PAD)
    return _Sized(
        box.what,
        min(room, max(width + 2 * PAD, box.width)),
        TITLE + height + PAD,
        tuple((PAD + x, TITLE + y, sized) for x, y, sized in inner),
    )


def _flow(
    boxes: Sequence[Wanted[T]], room: float
) -> tuple[list[tuple[float, float, _Sized[T]]], float, float]:
    """Boxes in rows: each with its place, and the width and height of all."""
    placed: list[tuple[float, float, _Sized[T]]] = []
    x = y = tallest = widest = 0.0
    for box in boxes:
        sized = _size(box, room)
        if x and x + sized.width > room:
            x, y, tallest = 0.0, y + tallest + GAP, 0.0
        placed.append((x, y, sized))
        x += sized.width + GAP
        widest = max(widest, x - GAP)
        tallest = max(tallest, sized.height)
    return placed, widest, y + tallest
