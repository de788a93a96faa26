"""Rows that a loosely typed text is most likely about: part of a message, other numbers, a typo.

A text is compared by its words with the examples of every wording; a word counts for more the fewer
wordings have it. Numbers, addresses and paths say nothing.
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

_WORD = re.compile(r"[a-z][a-z']*[a-z]|(?<!\S)-\d{1,3}\b")
_NO_WORDS = re.compile(r"\S*[/\\]\S*|(?<!-)\b(?:0x)?[0-9a-f]*\d[0-9a-f:.\-]*\b")
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
    return _alike(_words(text))


def _alike(typed: frozenset[str]) -> tuple[Row, ...]:
    weights = _weights()
    unknown = sum(weights.values()) / len(weights)
    meant = {
        next(iter(difflib.get_close_matches(word, weights, 1, _CLOSE)), word) for word in typed
    }
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
    return _words(example[match.start() :] if match else example) | _words(form.need.literal)


def _words(text: str) -> frozenset[str]:
    return frozenset(_WORD.findall(_NO_WORDS.sub(" ", text.lower())))
