"""The page of a known message: what it means, what decides between its causes, what cures it."""

from __future__ import annotations

import textwrap
from collections.abc import Iterable, Iterator, Mapping

from rich.text import Text

from pytest_vfio.check import Check
from pytest_vfio.parse.messages import Row, Weight, explain, recognise

_EFFECT = {
    Weight.STOPS: "the device cannot be used like this",
    Weight.HURTS: "it works, badly or in part",
    Weight.EXPOSES: "it works, and isolation is weaker than it looks",
    Weight.HARMLESS: "harmless",
    Weight.PASSED: "all is well",
}


def pages(text: str, checks: Iterable[Check], width: int) -> list[str | Text]:
    """The pages of the rows that a text is about; none where it is like no message."""
    said = recognise(text.splitlines())
    names: dict[str, str] = {}
    for message in said:
        names |= message.names
    rows = explain(text)
    lines: list[str | Text] = []
    if rows and not said:
        lines += ["No known message has just these words. Most alike:", ""]
    for number, row in enumerate(rows):
        lines += [""] * (number > 0)
        lines += _page(row, names, checks, width)
    return lines


def _page(
    row: Row, names: Mapping[str, str], checks: Iterable[Check], width: int
) -> Iterator[str | Text]:
    refs = f"; {', '.join(row.refs)}" if row.refs else ""
    yield Text.assemble((row.id, "bold cyan"), f"  said by {row.says.value}{refs}")
    yield ""
    yield Text(_fill(row.means, width, ""), style="bold")
    yield f"({_EFFECT[row.weight]})"
    yield from _part("Said as", [form.examples[0] for form in row.forms], width)
    yield from _part("Decides between its causes", row.commands(names), width, whole=True)
    yield from _part("Cure", [row.cure] if row.cure else [], width)
    judged = [check for check in checks if set(check.refs) & set(row.refs)]
    judged.sort(key=lambda check: min(map(row.refs.index, set(check.refs) & set(row.refs))))
    yield from _part("Checks", [f"{check.id}  {check.title}" for check in judged], width)


def _part(
    heading: str, texts: Iterable[str], width: int, *, whole: bool = False
) -> Iterator[str | Text]:
    """A heading and what stands under it, a line each; a command stays whole to be copied."""
    shown = list(texts)
    if shown:
        yield ""
        yield Text(f"{heading}:", style="bold")
    for text in shown:
        yield f"    {text}" if whole else _fill(text, width, "    ")


def _fill(text: str, width: int, indent: str) -> str:
    return textwrap.fill(text, width, initial_indent=indent, subsequent_indent=indent)
