"""The page of one check, as `--explain` prints it, straight from its docstring."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

import pytest
from rich.console import Console
from rich.text import Text

from pytest_vfio import suite as suites
from pytest_vfio.check import HEADINGS, Check
from pytest_vfio.inventory import nearest


def show(id: str, arguments: Iterable[str], console: Console) -> None:
    """Print the page of a check of the packaged suite, or of the files and folders given.

    Raises pytest.UsageError where there is no such check.
    """
    checks = {check.id: check for check in suites.packaged()}
    if id.upper() not in checks:
        checks.update((check.id, check) for check in _own(arguments))
    check = checks.get(id.upper())
    if check is None:
        raise pytest.UsageError(f"--explain {id}: no such check{nearest(id.upper(), checks)}")
    console.print(_page(check))


def _own(arguments: Iterable[str]) -> Iterable[Check]:
    for argument in arguments:
        path = Path(argument.partition("::")[0])
        files = sorted(path.glob("**/test_*.py")) if path.is_dir() else [path]
        for file in files:
            if file.suffix == ".py" and "pytest_vfio" in file.read_text(errors="replace"):
                yield from suites.checks_of_file(file.resolve())


def _page(check: Check) -> Text:
    page = Text.assemble((f"{check.id}  ", "bold cyan"), (check.title, "bold"), "\n\n")
    needs = ", ".join(check.needs) or "nothing"
    page.append(
        f"{suites.layer(check)}, about a {check.subject}, {check.severity.value}; needs {needs}\n"
    )
    for line in check.doc.split("\n")[1:]:
        page.append(f"{line}\n", style="bold" if line.rstrip(":") in HEADINGS else "")
    return page
