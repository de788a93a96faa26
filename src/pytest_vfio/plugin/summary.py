"""What this run says on the terminal: of its hosts before, the page after, and nothing twice."""

from __future__ import annotations

from typing import Protocol

import pytest

from pytest_vfio.judge.result import RunResult
from pytest_vfio.plugin import per
from pytest_vfio.plugin.console import console
from pytest_vfio.plugin.run import Run
from pytest_vfio.printable import printable
from pytest_vfio.report import terminal, words


class Judging(Protocol):
    """What is to be told of a session, as far as it has come."""

    config: pytest.Config
    run: Run
    result: RunResult | None
    written: list[str]
    unwritten: str


class Summary:
    """Reads what the session knows; shows it, and tells pytest's own reporter what to leave out."""

    def __init__(self, session: Judging) -> None:
        self.session = session
        self.config = session.config
        self.run = session.run
        self._announce()

    def _announce(self) -> None:
        """Before anything else: what is a recording, so that nobody takes it for a live host."""
        for host in self.run.hosts.values():
            if not host.live:
                console(self.config).print(
                    f"{printable(host.name)}: a recording of "
                    f"{host.collected or 'unknown date'} ({host.source}), not a live host",
                    markup=False,
                    highlight=False,
                )

    def pytest_report_header(self) -> list[str]:
        """Which hosts are judged, how each was read, by which inventory, and what is an item."""
        if not self.run.readings:
            return []
        told = [f"{host.name} ({host.source})" for host in self.run.hosts.values()]
        told += [f"{host.host} (unreachable)" for host in self.run.unreachable]
        more = "" if len(told) <= 8 else f" and {len(told) - 8} more"
        file = self.run.inventory.file
        items = per.told(self.config, len(self.run.hosts))
        lines = (f"inventory: {file}", f"hosts: {', '.join(told[:8])}{more}", items)
        return [printable(line) for line in lines if line]

    @pytest.hookimpl(tryfirst=True)
    def pytest_sessionfinish(self) -> None:
        """Findings bring their own text: pytest's lists of failures would say it all again."""
        reporter = self.config.pluginmanager.get_plugin("terminalreporter")
        if reporter is None:
            return
        failed = [*reporter.stats.get("failed", ()), *reporter.stats.get("error", ())]
        if failed and all(hasattr(report, "vfio_shown") for report in failed):
            option = self.config.option
            option.tbstyle = "no" if option.tbstyle == "auto" else option.tbstyle
            reporter.reportchars = reporter.reportchars.replace("f", "").replace("E", "")

    def pytest_terminal_summary(self) -> None:
        """Our own summary, unless nobody wants one."""
        option = self.config.option
        result = self.session.result
        if result is not None and not option.no_summary and self.config.get_verbosity() > -2:
            verbose = self.config.get_verbosity()
            terminal.show(
                result, console(self.config), verbose=verbose > 0, written=self.session.written
            )
        if self.session.unwritten:
            told = f"ERROR: not every report was written: {self.session.unwritten}"
            console(self.config).print(told, style="red", markup=False)

    @pytest.hookimpl(tryfirst=True)
    def pytest_unconfigure(self) -> None:
        """Leave pytest's own words to whoever counts after us."""
        reporter = self.config.pluginmanager.get_plugin("terminalreporter")
        if reporter is not None:
            for word in words.OURS:
                reporter.stats.setdefault("skipped", []).extend(reporter.stats.pop(word, ()))
