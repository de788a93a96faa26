"""`docs/messages.md`: the known messages, what each means, and what it is a sign of."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import groupby

from pytest_vfio.parse.messages import ROWS, Row, Weight
from tools.checks_page import cell

_INTRO = """\
# Known messages

Made by `python -m tools.docs` from `src/pytest_vfio/parse/messages/rows`. What people paste when
something fails, by who says it; `pytest --explain 'THE MESSAGE'` prints all that is known of one.
*Sign of* are entries of [the catalogue of failures](failures.md), the likeliest first.
"""


def page() -> str:
    """The whole page."""
    return "\n".join([_INTRO, *_tables()])


def _tables() -> Iterator[str]:
    told = sorted(
        (row for row in ROWS if row.weight is not Weight.PASSED), key=lambda row: row.says.value
    )
    for speaker, rows in groupby(told, key=lambda row: row.says):
        yield f"## {speaker.value}\n"
        yield "| message | means | sign of |"
        yield "|---|---|---|"
        for row in rows:
            yield f"| {cell(_said(row))} | {_means(row)} | {', '.join(row.refs)} |"
        yield ""


def _said(row: Row) -> str:
    return f"`{row.forms[0].examples[0].strip()}`"


def _means(row: Row) -> str:
    return f"{'*harmless:* ' * (row.weight is Weight.HARMLESS)}{cell(row.means)}"
