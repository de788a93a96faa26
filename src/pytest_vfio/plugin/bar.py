"""How far the reading of hosts has come, as a bar, where somebody watches."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator

from rich import progress as bars
from rich.console import Console
from rich.text import Text

from pytest_vfio.plugin.progress import Waiting
from pytest_vfio.sources import Progress, Target


@contextlib.contextmanager
def watched(hosts: int, console: Console) -> Iterator[Progress]:
    """A watcher that draws a bar, and takes it away in the end."""
    waiting = Waiting(hosts)
    columns = (
        bars.TextColumn("reading"),
        bars.BarColumn(),
        bars.MofNCompleteColumn(),
        bars.TimeElapsedColumn(),
        _Words(waiting),
    )
    with bars.Progress(*columns, console=console, transient=True) as progress:
        task = progress.add_task("", total=hosts)

        def watch(target: Target, event: str) -> None:
            waiting.heard(target, event)
            progress.update(task, completed=waiting.done)

        yield watch


class _Words(bars.ProgressColumn):
    def __init__(self, waiting: Waiting) -> None:
        super().__init__()
        self.waiting = waiting

    def render(self, _task: bars.Task) -> Text:
        return Text(self.waiting.words)
