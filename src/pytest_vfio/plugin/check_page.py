"""What `--explain` prints: the page of a check, the list of a layer, what an error message means."""

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
from pytest_vfio.plugin import message_page

_ID = re.compile(r"[A-Z]{2,8}\d{3,}")


def show(what: str, arguments: Iterable[str], console: Console) -> None:
    """Print what there is to say: of a check's id, of a layer's prefix or name, of a message.

    Checks are those of the packaged suite, or of the files and folders given. A replaced id shows
    the page of the check that took its place. Raises Mistake where nothing is known.
    """
    checks = {check.id: check for check in suites.packaged()}
    id = what.strip().upper()
    if id not in checks:
        checks.update((check.id, check) for check in _own(arguments))
    for line in _answer(what.strip(), checks, console.width):
        console.print(line, markup=False, soft_wrap=True)


def _answer(what: str, checks: dict[str, Check], width: int) -> Iterable[str | Text]:
    id = what.upper()
    replaced = {old: check for check in checks.values() for old in check.replaces}
    if id in checks:
        return _page(checks[id], width)
    if id in replaced:
        check = replaced[id]
        return [f"{id} was replaced by {check.id}:", *_page(check, width)]
    if layer := [check for check in checks.values() if _is_of(check, what)]:
        return _list(layer)
    if _ID.fullmatch(id):
        raise Mistake(f"--explain {what}: no such check{nearest(id, checks)}")
    if page := message_page.pages(what, checks.values(), width):
        return page
    raise Mistake(
        f"--explain {what}: no known message is like it; try more of its words, a check's id "
        f"(CMD004), or a layer's prefix (CMD)"
    )


def _is_of(check: Check, layer: str) -> bool:
    """A layer goes by the prefix of its checks (CMD) and by its folder (cmdline)."""
    return layer.upper() == check.id.rstrip("0123456789") or layer.lower() == suites.layer(check)


def _list(checks: Iterable[Check]) -> Iterable[Text]:
    for check in sorted(checks, key=lambda check: check.id):
        yield Text.assemble((f"{check.id}  ", "bold cyan"), check.title)


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
