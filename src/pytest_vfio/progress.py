"""How far the reading of hosts has come, where somebody watches."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator

from rich.console import Console

from pytest_vfio.report import printable
from pytest_vfio.sources import Target

Watcher = Callable[[Target, str], None]


@contextlib.contextmanager
def watched(hosts: int, console: Console, *, quiet: bool) -> Iterator[Watcher | None]:
    """A watcher that draws a bar while hosts are read; None where nobody would see it."""
    if quiet or not console.is_terminal:
        yield None
        return
    from rich import progress as bars  # noqa: PLC0415 - slow to import, and seldom seen

    columns = (
        bars.TextColumn("reading"),
        bars.BarColumn(),
        bars.MofNCompleteColumn(),
        bars.TimeElapsedColumn(),
        bars.TextColumn("{task.fields[host]}", markup=False),
    )
    with bars.Progress(*columns, console=console, transient=True) as progress:
        task = progress.add_task("", total=hosts, host="")

        def watch(target: Target, event: str) -> None:
            progress.update(task, advance=0 if event == "start" else 1, host=printable(target.name))

        yield watch
