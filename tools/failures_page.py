"""`docs/failures.md`: the catalogue of failures, what finds each, and where it was seen broken."""

from __future__ import annotations

import tomllib
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any

from pytest_vfio.check import Severity
from pytest_vfio.judge.suite import Suite
from tests.lab.scenarios import FAULTS
from tools.checks_page import cell

_SEVERITY = "severity"
CATALOGUE = Path(__file__).with_name("failures.toml")

_INTRO = """\
# The catalogue of failures

Made by `python -m tools.docs` from `tools/failures.toml`, the checks and the lab. What `refs` of a
report name: **F** is a failure of real hosts, **S** a thing that naive checkers get wrong. *Checks*
are those that say so where it is found; *lab* are the faults of [the lab](lab.md) that inject it on
a real host, and expect it, or what stands with it, as the first cause.
"""


def page(suite: Suite) -> str:
    """The whole page."""
    found = {ref: [c.id for c in suite if ref in c.refs] for c in suite for ref in c.refs}
    return "\n".join([_INTRO, *_tables(catalogue(), found)])


def catalogue() -> Mapping[str, Mapping[str, str]]:
    """The titles by number, by chapter."""
    return {name: part for name, part in _read().items() if name != _SEVERITY}


def severities() -> Mapping[str, Severity]:
    """How bad each entry is, of those that are always equally bad."""
    table = _read()[_SEVERITY]
    return {ref: Severity(word) for word, refs in table.items() for ref in refs}


def _read() -> Mapping[str, Mapping[str, Any]]:
    return tomllib.loads(CATALOGUE.read_text())


def _tables(
    chapters: Mapping[str, Mapping[str, str]], found: Mapping[str, Iterable[str]]
) -> Iterator[str]:
    for chapter, titles in chapters.items():
        yield f"## {chapter}\n"
        yield "| | what | checks | lab |"
        yield "|---|---|---|---|"
        for ref, title in titles.items():
            checks = ", ".join(found.get(ref, ()))
            lab = ", ".join(fault.name for fault in FAULTS if ref in fault.refs)
            yield f"| {ref} | {cell(title)} | {checks} | {lab} |"
        yield ""
