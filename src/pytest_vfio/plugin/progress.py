"""How far the reading of hosts has come, where somebody watches."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator

from rich import progress as bars
from rich.console import Console

from pytest_vfio.printable import printable
from pytest_vfio.sources import Progress, Target


@contextlib.contextmanager
def watched(hosts: int, console: Console) -> Iterator[Progress]:
    """A watcher that draws a bar while hosts are read."""
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
