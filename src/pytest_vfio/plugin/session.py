"""The session as pytest sees it: reading hosts, collecting checks, judging, reporting.

Hosts are read once, in the controller, before collection and before xdist starts its workers; to
a worker every host is a recording in a private folder.
"""

from __future__ import annotations

import datetime
import gc
import importlib.metadata
import os
import shutil
import tempfile
import time
from collections.abc import Generator, Iterable
from pathlib import Path
from typing import Any

import pytest

from pytest_vfio import sources
from pytest_vfio.check import Check, Severity
from pytest_vfio.inventory import InventoryError, must_know_checks
from pytest_vfio.judge.host_run import checks_of
from pytest_vfio.judge.judgement import Key, subjects_of
from pytest_vfio.judge.policy import Policy
from pytest_vfio.judge.result import RunResult
from pytest_vfio.judge.suite import SuiteError
from pytest_vfio.plugin import hosts, protocol
from pytest_vfio.plugin.console import console
from pytest_vfio.plugin.items import SILENCING, CheckItem, HostItem, finish, must_bear
from pytest_vfio.plugin.reading import Asked
from pytest_vfio.plugin.run import Run, load_checks
from pytest_vfio.printable import printable
from pytest_vfio.report import terminal, words, write
from pytest_vfio.sources import Reading


class Session:
    """The hooks of one pytest process, and what they share."""

    def __init__(self, config: pytest.Config, asked: Asked, readings: tuple[Reading, ...]) -> None:
        self.config = config
        self.asked = asked
        policy = Policy(
            asked.fail_on,
            config.option.vfio_strict_unknown,
            asked.inventory.waivers,
            datetime.datetime.now(datetime.UTC).date(),
        )
        self.run = Run(asked.inventory, policy, asked.targets, readings)
        self.reported: dict[str, set[Key]] = {}
        self.files: set[str] = set()
        self.blocked: set[str] = set()
        self.written: list[str] = []
        self.no_host = False
        self.unwatched = False
        self.private: Path | None = None

    def start(self) -> None:
        """Say what was read, keep it where asked, and let testinfra reach the same hosts."""
        given = getattr(self.config, "workerinput", {})
        if "vfio" in given:
            self.config.option.hosts = given["vfio_testinfra"]
            return
        self._announce()
        self._record()
        self._bridge_testinfra()

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

    def _record(self) -> None:
        if not self.config.option.vfio_record:
            return
        folder = Path(self.config.option.vfio_record)
        for host in self.run.hosts.values():
            path = sources.recording_path(folder, host.name)
            try:
                sources.write_recording(host.evidence, path)
            except OSError as error:
                raise pytest.UsageError(f"--record {folder}: {error}") from error
            self.written.append(str(path))

    def _bridge_testinfra(self) -> None:
        """Let testinfra's own `host` fixture reach the same hosts, unless --hosts says which."""
        option = self.config.option
        if hasattr(option, "hosts") and option.hosts is None:
            specs = [hosts.testinfra_spec(target) for target in self.run.targets]
            option.hosts = ",".join(filter(None, specs)) or None

    @pytest.hookimpl(optionalhook=True)
    def pytest_configure_node(self, node: Any) -> None:
        """xdist: hand the readings to a worker, through a private folder."""
        if self.private is None:
            self.private = Path(tempfile.mkdtemp(prefix="pytest-vfio-"))
            hosts.hand_over(self.run.readings, self.private)
        node.workerinput["vfio"] = str(self.private)
        node.workerinput["vfio_testinfra"] = getattr(self.config.option, "hosts", None)

    @pytest.hookimpl(tryfirst=True)
    def pytest_unconfigure(self) -> None:
        """Take the private folder away, and leave pytest's own words to who counts after us."""
        reporter = self.config.pluginmanager.get_plugin("terminalreporter")
        if reporter is not None:
            for word in words.OURS:
                reporter.stats.setdefault("skipped", []).extend(reporter.stats.pop(word, ()))
        if self.private is not None:
            shutil.rmtree(self.private, ignore_errors=True)

    def collected(self, collector: pytest.Collector, name: str, check: Check) -> list[CheckItem]:
        """A check as items, one for each host and subject.

        Raises SuiteError where it bears a mark that has no meaning for it.
        """
        if check.file != str(collector.path):
            return []  # imported from the file that defines it
        must_bear(collector, check)
        self.run.collect(check)
        return [
            item
            for host in self.run.hosts.values()
            for item in CheckItem.of(
                collector, name, check, host.name, subjects_of(check, host.subjects)
            )
        ]

    @pytest.hookimpl(wrapper=True, tryfirst=True)
    def pytest_collection_modifyitems(
        self, session: pytest.Session, items: list[pytest.Item]
    ) -> Generator[None, None, None]:
        """After everybody's selection: add the hosts that are errors, and judge what is left."""
        self._skip_without_connection(items)
        yield
        run = self.run
        if not run.collected:
            return
        if not run.readings:
            self._no_host(items)
            return
        try:
            must_know_checks(run.inventory, [*run.suite.checks, *run.suite.replaced])
        except (SuiteError, InventoryError) as error:
            raise pytest.UsageError(printable(str(error))) from error
        items.extend(self._host_items(session))
        chosen: dict[str, list[CheckItem]] = {}
        for item in items:
            if isinstance(item, CheckItem):
                chosen.setdefault(item.host, []).append(item)
        for host, own in chosen.items():
            self._judge(host, own)
        if not any("hypervisor" in getattr(item, "fixturenames", ()) for item in items):
            run.let_go()
        gc.freeze()  # all of this stays to the end: nobody need look for garbage in it

    def _judge(self, host: str, items: Iterable[CheckItem]) -> None:
        told = [i.key for i in items if not any(i.get_closest_marker(m) for m in SILENCING)]
        run = self.run.judge(host)
        judged = run.selected(told)
        for item in items:
            alone = judged.get(item.key) or run.selected([*told, item.key])[item.key]
            item.judge(alone)

    def _host_items(self, session: pytest.Session) -> list[HostItem]:
        sick = {host.host: host.reason for host in self.run.unreachable}
        for name in self.run.hosts:
            reason = self.run.judge(name).ill_judged()
            if reason is not None:
                sick[name] = reason
        return [
            HostItem.from_parent(session, name=name, nodeid=f"host::{name}", reason=reason)
            for name, reason in sick.items()
        ]

    def _no_host(self, items: list[pytest.Item]) -> None:
        """Checks were collected and there is nothing to judge: a usage error, also in a worker."""
        if hasattr(self.config, "workeroutput"):
            self.config.workeroutput["vfio_no_host"] = True
            items.clear()
            return
        raise pytest.UsageError(self._no_host_message())

    def _no_host_message(self) -> str:
        known = ", ".join(self.run.inventory.hosts)
        return (
            "no host to judge: name one with --host NAME (a name in the inventory, local, an "
            "OpenSSH alias or user@host, a testinfra spec), or a recording with --bundle PATH; "
            f"the inventory has: {known}"
        )

    def _skip_without_connection(self, items: Iterable[pytest.Item]) -> None:
        """Testinfra takes the local machine where it has no host: skip such tests instead."""
        if not self.run.readings or getattr(self.config.option, "hosts", None):
            return  # nothing was named, or --hosts or the bridge says where to go
        reason = "no host with a connection, and testinfra's `host` would be this machine"
        for item in items:
            if "_testinfra_host" in getattr(item, "fixturenames", ()):
                item.add_marker(pytest.mark.skip(reason=reason))

    def pytest_collection_finish(self, session: pytest.Session) -> None:
        """Where there is nothing but checks, dots alone show how far it is: files say no more."""
        reporter = self.config.pluginmanager.get_plugin("terminalreporter")
        if reporter is not None and all(
            isinstance(i, (CheckItem, HostItem)) for i in session.items
        ):
            reporter.showfspath = False

    @pytest.hookimpl(tryfirst=True)
    def pytest_runtestloop(self, session: pytest.Session) -> None:
        """Find out, once all is collected, which way the items go."""
        self.unwatched = protocol.unwatched(session, self)

    @pytest.hookimpl(tryfirst=True)
    def pytest_runtest_protocol(self, item: pytest.Item) -> bool | None:
        """Send an item of ours the short way where nobody would see the difference."""
        if not self.unwatched or not isinstance(item, (CheckItem, HostItem)):
            return None
        protocol.run(item)
        return True

    @pytest.hookimpl(wrapper=True)
    def pytest_runtest_makereport(
        self, item: pytest.Item, call: pytest.CallInfo[None]
    ) -> Generator[None, pytest.TestReport, pytest.TestReport]:
        """Give the report of one of our items our outcome, and the name of its finding."""
        report = yield
        if isinstance(item, (CheckItem, HostItem)) and call.when == "call":
            finish(item, call, report)
        return report

    def pytest_runtest_logreport(self, report: Any) -> None:
        """Remember which findings were reported, here or by a worker."""
        if hasattr(report, "vfio_finding"):
            host, id, kind, name, file = report.vfio_finding
            self.reported.setdefault(host, set()).add((id, kind, name))
            self.files.add(file)
            if getattr(report, "vfio_shown", [""])[0] == "blocked":
                self.blocked.add(report.nodeid)

    @pytest.hookimpl(tryfirst=True)
    def pytest_sessionfinish(self, session: pytest.Session, exitstatus: int) -> None:
        """In the controller: write the reports.

        What is blocked is run again by --lf: once its cause is cured, it must show what it is.
        """
        if hasattr(self.config, "workerinput"):
            return
        if self.no_host:
            session.exitstatus = pytest.ExitCode.USAGE_ERROR
            return
        self._quieten()
        last_failed = self.config.pluginmanager.get_plugin("lfplugin")
        if last_failed is not None:
            last_failed.lastfailed.update(dict.fromkeys(self.blocked, True))
        complete = exitstatus in (0, 1) and not session.shouldstop and not session.shouldfail
        if self.config.option.collectonly or not (self.reported or self.run.unreachable):
            return
        self.result = self._result(complete=complete)
        self._write()

    def _quieten(self) -> None:
        """Findings bring their own text: pytest's lists of failures would say it all again."""
        reporter = self.config.pluginmanager.get_plugin("terminalreporter")
        if reporter is None:
            return
        failed = [*reporter.stats.get("failed", ()), *reporter.stats.get("error", ())]
        if failed and all(hasattr(report, "vfio_shown") for report in failed):
            option = self.config.option
            option.tbstyle = "no" if option.tbstyle == "auto" else option.tbstyle
            reporter.reportchars = reporter.reportchars.replace("f", "").replace("E", "")

    def _result(self, *, complete: bool) -> RunResult:
        run = self.run
        own = {check.file for check in run.collected}
        for check in load_checks(self.files - own):
            run.collect(check)
        return RunResult(
            product=f"pytest-vfio {importlib.metadata.version('pytest-vfio')}",
            started=time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(self.asked.started)),
            duration_s=round(time.time() - self.asked.started, 3),
            complete=complete,
            fail_on=tuple(s for s in Severity if s in run.policy.fail_on),
            checks=checks_of(run.suite),
            hosts=run.results(self.reported),
            idle=run.idle(),
        )

    def _write(self) -> None:
        folder = Path(self.config.option.vfio_report_dir or self.config.rootpath / "reports")
        try:
            written = write(self.result, self.asked.reports, folder)
        except OSError as error:
            raise pytest.UsageError(f"--report-dir {folder}: {error}") from error
        here = self.config.invocation_params.dir
        self.written += [os.path.relpath(path, here) for path in written]

    def pytest_terminal_summary(self) -> None:
        """Our own summary, unless nobody wants one."""
        if self.no_host:
            console(self.config).print(
                f"ERROR: {self._no_host_message()}", style="red", markup=False
            )
        option = self.config.option
        if hasattr(self, "result") and not option.no_summary and self.config.get_verbosity() > -2:
            verbose = self.config.get_verbosity()
            terminal.show(
                self.result, console(self.config), verbose=verbose > 0, written=self.written
            )

    def pytest_report_header(self) -> str | None:
        """Which hosts are judged, and how each was read."""
        if not self.run.readings:
            return None
        told = [f"{host.name} ({host.source})" for host in self.run.hosts.values()]
        told += [f"{host.host} (unreachable)" for host in self.run.unreachable]
        more = "" if len(told) <= 8 else f" and {len(told) - 8} more"
        return printable(f"hosts: {', '.join(told[:8])}{more}")
