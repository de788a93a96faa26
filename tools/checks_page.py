"""`docs/checks.md`: the catalogue of all checks, from their docstrings."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

from pytest_vfio.check import Check
from pytest_vfio.judge.suite import LAYERS, Suite, layer
from pytest_vfio.plugin.explain import sections

_INTRO = """\
# The checks

Made by `python -m tools.docs` from the docstrings in `checks/`; `pytest --explain ID` prints the
same. Layers stand in the order in which to act: firmware before kernel, kernel before driver,
driver before libvirt, libvirt before guest. A failure becomes *blocked* where a check that it
needs has failed.

A **blocker** stops the assignment of a device, **security** endangers the host or its guests,
**degraded** works, worse than it could, and **advice** is a thing to know. The first two make a
run fail, unless `--fail-on` says otherwise.
"""


def page(suite: Suite) -> str:
    """The whole page."""
    return "\n".join([_INTRO, *_index(suite), *_layers(suite)])


def _index(suite: Suite) -> Iterator[str]:
    yield "| id | what must hold | about a | severity | needs |"
    yield "|---|---|---|---|---|"
    for check in suite:
        needs = " ".join(_link(need, suite) for need in check.needs)
        yield (
            f"| {_link(check.id, suite)} | {cell(check.title)} | {check.subject} "
            f"| {check.severity} | {needs} |"
        )
    yield ""


def _layers(suite: Suite) -> Iterator[str]:
    for name in LAYERS:
        yield f"## {name.capitalize()}\n"
        for check in suite:
            if layer(check) == name:
                yield from _check(check)


def _check(check: Check) -> Iterator[str]:
    file = Path(check.file)
    yield f"### {check.id}: {check.title}\n"
    where = f"`checks/{file.parent.name}/{file.name}`"
    since = f"; since {check.since}" if check.since else ""
    since += f"; in place of {', '.join(check.replaces)}" if check.replaces else ""
    yield f"{check.severity.capitalize()}, about a {check.subject}; {where}{since}\n"
    for heading, text in sections(check):
        yield f"- **{heading}:** {_text(text)}"
    yield ""


def _link(id: str, suite: Suite) -> str:
    """A link to a check's heading, as Markdown viewers make its anchor."""
    heading = f"{id}: {suite[id].title}".lower()
    return f"[{id}](#{re.sub(r'[^a-z0-9 _-]', '', heading).replace(' ', '-')})"


def _text(text: str) -> str:
    """Prose in which nothing is markup but what stands in backquotes."""
    parts = re.split(r"(`[^`]*`)", text)
    return "".join(p if p.startswith("`") else re.sub(r"([*_<\[\]\\])", r"\\\1", p) for p in parts)


def cell(text: str) -> str:
    """Prose as the cell of a table."""
    return _text(text).replace("|", "\\|")
