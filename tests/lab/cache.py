"""Where the lab keeps what it builds; never inside the checkout."""

import os
from pathlib import Path


def root() -> Path:
    """The lab's cache folder, made on first use."""
    base = os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache"
    folder = Path(base) / "pytest-vfio-lab"
    folder.mkdir(parents=True, exist_ok=True)
    return folder


def images() -> Path:
    """Disks, by image or host name."""
    return _folder("images")


def state(slot: str, host: str) -> Path:
    """PID file, monitor socket, disk, console and SSH settings of one running host."""
    return _folder(f"run/{slot}/{host}")


def _folder(name: str) -> Path:
    folder = root() / name
    folder.mkdir(parents=True, exist_ok=True)
    return folder
