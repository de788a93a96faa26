"""The page of one check, as `--explain` prints it, straight from its docstring."""

from __future__ import annotations

import re
import textwrap
from collections.abc import Iterable
from pathlib import Path

from rich.console import Console
from rich.text import Text

from pytest_vfio.check import HEADINGS, Check
from pytest_vfio.inventory import nearest
from pytest_vfio.judge import suite as suites
from pytest_vfio.mistakes import Mistake


def show(id: str, arguments: Iterable[str], console: Console) -> None:
    """Print the page of a check of the packaged suite, or of the files and folders given.

    A replaced id shows the page of the check that took its place. Raises Mistake where
    there is no such check.
    """
    checks = {check.id: check for check in suites.packaged()}
    replaced = {old: check for check in checks.values() for old in check.replaces}
    if id.upper() not in checks:
        checks.update((check.id, check) for check in _own(arguments))
    check = checks.get(id.upper(), replaced.get(id.upper()))
    if check is None:
        raise Mistake(f"--explain {id}: no such check{nearest(id.upper(), checks)}")
    if check.id != id.upper():
        console.print(f"{id.upper()} was replaced by {check.id}:", markup=False)
    for line in _page(check, console.width):
        console.print(line, markup=False, soft_wrap=True)


def _own(arguments: Iterable[str]) -> Iterable[Check]:
    for argument in arguments:
        path = Path(argument.partition("::")[0])
        files = sorted(path.glob("**/test_*.py")) if path.is_dir() else [path]
        for file in files:
            if file.suffix == ".py" and "pytest_vfio" in file.read_text(errors="replace"):
                yield from suites.checks_of_file(file.resolve())


def sections(check: Check) -> list[tuple[str, str]]:
    """The headings of a check's page, each with its text as one paragraph.

    What stands before the first heading has none.
    """
    parts = re.split(rf"^({'|'.join(HEADINGS)}):$", check.doc, flags=re.MULTILINE)
    texts = [" ".join(part.split()) for part in parts[2::2]]
    before = " ".join(parts[0].partition("\n")[2].split())
    return [*([("", before)] if before else []), *zip(parts[1::2], texts, strict=True)]


def _page(check: Check, width: int) -> Iterable[str | Text]:
    needs = ", ".join(check.needs) or "nothing"
    yield Text.assemble((f"{check.id}  ", "bold cyan"), (check.title, "bold"))
    yield ""
    layer, since = suites.layer(check), f"; since {check.since}" if check.since else ""
    yield f"{layer}, about a {check.subject}, {check.severity.value}; needs {needs}{since}"
    for heading, text in sections(check):
        yield ""
        if heading:
            yield Text(f"{heading}:", style="bold")
        indent = "    " if heading else ""
        yield textwrap.fill(text, width, initial_indent=indent, subsequent_indent=indent)
