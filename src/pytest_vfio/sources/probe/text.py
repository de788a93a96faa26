"""The script that reads a host, as text."""

from __future__ import annotations

from functools import cache
from importlib import resources


@cache
def probe_text() -> str:
    """The whole of `probe.sh`."""
    return (resources.files("pytest_vfio.sources.probe") / "probe.sh").read_text("utf-8")
