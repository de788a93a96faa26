"""How far the reading of hosts has come, where somebody watches."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn

from pytest_vfio.report import printable
from pytest_vfio.sources import Target

Watcher = Callable[[Target, str], None]


@contextlib.contextmanager
def watched(hosts: int, console: Console, *, quiet: bool) -> Iterator[Watcher | None]:
    """A watcher that draws a bar while hosts are read; None where nobody would see it."""
    if quiet or not console.is_terminal:
        yield None
        return
    columns = (
        TextColumn("reading"),
        BarColumn(),
        MofNCompleteColumn(),
        TimeElapsedColumn(),
        TextColumn("{task.fields[host]}", markup=False),
    )
    with Progress(*columns, console=console, transient=True) as progress:
        task = progress.add_task("", total=hosts, host="")

        def watch(target: Target, event: str) -> None:
            progress.update(task, advance=0 if event == "start" else 1, host=printable(target.name))

        yield watch
