"""Where the lab keeps what it builds; never inside the checkout."""

import fcntl
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path


def root() -> Path:
    """The lab's cache folder, made on first use."""
    base = os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache"
    folder = Path(base) / "pytest-vfio-lab"
    folder.mkdir(parents=True, exist_ok=True)
    return folder


def images() -> Path:
    """Disks, by image or host name."""
    return folder("images")


def state(slot: str, host: str) -> Path:
    """PID file, monitor socket, disk, console and SSH settings of one running host."""
    return folder(f"run/{slot}/{host}")


def folder(name: str) -> Path:
    """A folder of the cache, made on first use."""
    path = root() / name
    path.mkdir(parents=True, exist_ok=True)
    return path


@contextmanager
def alone(name: str) -> Iterator[None]:
    """Wait until nobody else makes the thing of this name."""
    with (folder("locks") / name).open("w") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        yield
