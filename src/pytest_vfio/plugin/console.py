"""Pytest's own output as a console of rich's."""

from __future__ import annotations

import pytest
from rich.console import Console


def console(config: pytest.Config) -> Console:
    """Where this run prints; nowhere with `-p no:terminal`."""
    if config.pluginmanager.get_plugin("terminalreporter") is None:
        return Console(quiet=True)
    writer = config.get_terminal_writer()
    return Console(
        file=writer._file,  # noqa: SLF001 - the one public way would capture nothing of it
        width=writer.fullwidth,
        force_terminal=writer.hasmarkup,
        no_color=not writer.hasmarkup,
        highlight=False,
        soft_wrap=not writer.hasmarkup,
    )
