"""How far the reading of hosts has come: a bar where somebody watches, else a line now and then.

A run over many hosts is silent for minutes otherwise; what is worth knowing then is who is waited
for, not who was begun last.
"""

from __future__ import annotations

import contextlib
import threading
import time
from collections.abc import Callable, Iterator

from pytest_vfio.printable import listed, printable
from pytest_vfio.sources import Progress, Target

#: Seconds between two lines where nobody watches.
EVERY = 10.0
_NAMES = 3


class Waiting:
    """Which hosts are being read, since when, and what became of the others."""

    def __init__(self, hosts: int) -> None:
        self.hosts = hosts
        self.done = 0
        self.failed = 0
        self._began = time.monotonic()
        self._since: dict[str, float] = {}

    def heard(self, target: Target, event: str) -> None:
        """Take what is told of a host: start, done or failed."""
        if event == "start":
            self._since[target.name] = time.monotonic()
            return
        self._since.pop(target.name, None)
        self.done += 1
        self.failed += event == "failed"

    @property
    def words(self) -> str:
        """How many failed, and who is waited for, the longest first."""
        failed = [f"{self.failed} failed"] if self.failed else []
        since = dict(self._since)  # another thread may be asking
        names = [printable(name) for name in since]
        longest = time.monotonic() - min(since.values()) if since else 0.0
        waiting = [f"waiting for {listed(names, _NAMES)} ({longest:.0f} s)"] if names else []
        return "; ".join(failed + waiting)

    @property
    def line(self) -> str:
        """The same with how many are read, and for how long that takes."""
        seconds = time.monotonic() - self._began
        read = f"reading: {self.done} of {self.hosts} hosts in {seconds:.0f} s"
        return "; ".join(filter(None, (read, self.words)))


@contextlib.contextmanager
def told(hosts: int, write: Callable[[str], None]) -> Iterator[Progress]:
    """A watcher that writes a line every ten seconds."""
    waiting, over = Waiting(hosts), threading.Event()

    def tell() -> None:
        while not over.wait(EVERY):
            write(waiting.line)

    telling = threading.Thread(target=tell, daemon=True)
    telling.start()
    try:
        yield waiting.heard
    finally:
        over.set()
        telling.join()
