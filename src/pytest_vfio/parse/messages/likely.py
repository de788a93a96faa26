"""Rows that a loosely typed text is most likely about: part of a message, other numbers, a typo.

A text is compared by its words with the examples of every wording; a word counts for more the fewer
wordings have it. Addresses say nothing, and numbers only where a message always has them, such as an
error's.
"""

from __future__ import annotations

import difflib
import math
import re
from collections import Counter
from functools import cache

from pytest_vfio.parse.messages.recognise import recognise
from pytest_vfio.parse.messages.row import Form, Row
from pytest_vfio.parse.messages.table import ROWS

_WORD = re.compile(r"[a-z][a-z_']*[a-z]|(?<![\w.:])-?\d{2,3}(?![\w.:])")
_PART = re.compile(r"[a-z][a-z']*[a-z]")
_ADDRESS = re.compile(r"\b(?:0x[0-9a-f]+|[0-9a-f:.]*\d[0-9a-f:.]*[:.][0-9a-f]+)\b")
_CLOSE = 0.8  # how alike a mistyped word must be (difflib's ratio)
_ENOUGH = 0.55  # how much of a text a wording must explain
_TELLING = 4.0  # weight below which a text says nothing, such as "no"
_MOST = 3  # rows that are named for one text


def explain(text: str) -> tuple[Row, ...]:
    """The rows that a text is about, the likeliest first; none where it is like none.

    What is recognised word for word stands alone.
    """
    exact = tuple(dict.fromkeys(message.row.id for message in recognise(text.splitlines())))
    if exact:
        return tuple(row for id in exact for row in ROWS if row.id == id)
    return _alike(_meant(text))


def _meant(text: str) -> set[str]:
    """The words of a text, each as the table has it: put right, whole or in parts."""
    weights = _weights()
    typed: set[str] = set()
    for word in _typed(text):
        if word in weights:
            typed.add(word)
        elif close := difflib.get_close_matches(word, weights, 1, _CLOSE):
            typed.add(close[0])
        else:
            typed.update(_PART.findall(word))
    return typed


def _alike(meant: set[str]) -> tuple[Row, ...]:
    weights = _weights()
    unknown = sum(weights.values()) / len(weights)
    total = sum(weights.get(word, unknown) for word in meant)
    scored = []
    for row in ROWS:
        best = max((_likeness(meant, words) for words in _said(row)), default=(0.0, 0.0))
        if best[0] >= max(_ENOUGH * total, _TELLING):
            scored.append((best, row))
    scored.sort(key=lambda entry: entry[0], reverse=True)
    return tuple(row for (score, _), row in scored[:_MOST] if score >= 0.9 * scored[0][0][0])


def _likeness(typed: set[str], said: frozenset[str]) -> tuple[float, float]:
    """How much weight both have, and how much of the wording that is."""
    weights = _weights()
    shared = sum(weights[word] for word in typed & said)
    return shared, shared / sum(weights[word] for word in said)


@cache
def _weights() -> dict[str, float]:
    """How telling each word of the table is."""
    all_said = [words for row in ROWS for words in _said(row)]
    counts = Counter(word for words in all_said for word in words)
    return {word: math.log(1 + len(all_said) / count) for word, count in counts.items()}


@cache
def _said(row: Row) -> tuple[frozenset[str], ...]:
    return tuple(
        words
        for form in row.forms
        for example in form.examples
        if (words := _said_by(form, example))
    )


def _said_by(form: Form, example: str) -> frozenset[str]:
    """The words of an example, without the driver's and the program's name before the message."""
    match = form.pattern.search(example)
    said = _words(example[match.start() :] if match else example) | _words(form.need.literal)
    return said | {word for word in _words(example) if "_" in word}


def _typed(text: str) -> list[str]:
    return _WORD.findall(_ADDRESS.sub(" ", text.lower()))


def _words(text: str) -> frozenset[str]:
    words = _typed(text)
    return frozenset(words) | frozenset(part for word in words for part in _PART.findall(word))
