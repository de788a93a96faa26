"""The session as pytest sees it: collecting checks, judging, reporting.

Hosts are read once, in the controller, before collection and before xdist starts its workers.
"""

from __future__ import annotations

import gc
import importlib.metadata
import os
import time
from collections.abc import Generator, Iterable, Mapping
from typing import Any

import pytest

from pytest_vfio.check import Check, Severity
from pytest_vfio.inventory import must_know_checks
from pytest_vfio.judge.host_run import checks_of
from pytest_vfio.judge.judgement import Key, subjects_of
from pytest_vfio.judge.result import RemedyResult, RunResult
from pytest_vfio.mistakes import Mistake
from pytest_vfio.plugin import (
    bridge,
    per,
    protocol,
    recording,
    remedy,
    seeking,
    usage,
    workers,
)
from pytest_vfio.plugin.hosts import HostError
from pytest_vfio.plugin.items import (
    ALONE,
    CheckItem,
    HostItem,
    Ours,
    finish,
    is_silenced,
    must_bear,
)
from pytest_vfio.plugin.reading import Asked, report_folder
from pytest_vfio.plugin.run import Run, load_checks, policy_of
from pytest_vfio.plugin.summary import Summary
from pytest_vfio.report import write
from pytest_vfio.sources import Reading


class Session:
    """The hooks of one pytest process, and what they share."""

    def __init__(
        self,
        config: pytest.Config,
        asked: Asked,
        readings: tuple[Reading, ...],
        mended: Mapping[str, RemedyResult] | None = None,
    ) -> None:
        self.config = config
        self.asked = asked
        policy = policy_of(asked, config)
        self.run = Run(asked.inventory, policy, asked.targets, readings, asked.devices)
        self.reported: dict[str, set[Key]] = {}
        self.files: set[str] = set()
        self.blocked: set[str] = set()
        self.per = per.decided(config, len(self.run.hosts))
        self.whole: dict[str, per.ManyItem] = {}
        self.written: list[str] = []
        self.unwritten = ""
        self.plans: Mapping[str, RemedyResult] = mended or {}
        self.result: RunResult | None = None

    def start(self) -> None:
        """Say what was read, keep it where asked, and let testinfra reach the same hosts."""
        bridge.connect(self.config, self.run.targets)
        if hasattr(self.config, "workerinput"):
            return
        self.config.pluginmanager.register(Summary(self), "vfio-summary")
        evidences = (host.evidence for host in self.run.hosts.values())
        self.written += recording.record(self.config, evidences)
        workers.hand_over(self.config, self.run.readings)

    def collected(self, collector: pytest.Collector, name: str, check: Check) -> list[Ours]:
        """A check as items, one for each host and subject, or fewer for more.

        Raises SuiteError where it bears a mark that has no meaning for it.
        """
        if check.file != str(collector.path):
            return []  # imported from the file that defines it
        must_bear(collector, check)
        self.run.collect(check)
        single = self.per == "subject" or is_silenced(collector, check)
        found: list[Ours] = []
        for host in self.run.hosts.values():
            subjects = subjects_of(check, host.subjects)
            if single:
                found += CheckItem.of(collector, name, check, host.name, subjects)
                continue
            many = self.whole.get(host.name)
            if many is None:
                many = per.ManyItem.of(collector, host.name, name if self.per == "check" else "")
                found.append(many)
                if self.per == "host":
                    self.whole[host.name] = many
            many.add([(check.id, *subject.key) for subject in subjects], check.file)
        return found

    @pytest.hookimpl(wrapper=True, tryfirst=True)
    def pytest_collection_modifyitems(
        self, session: pytest.Session, items: list[pytest.Item]
    ) -> Generator[None, None, None]:
        """After everybody's selection: add the hosts that are errors, and judge what is left."""
        about = any(map(seeking.is_about_a_host, items))
        yield
        run = self.run
        try:
            if run.readings and not run.collected and not about and not session.testsfailed:
                raise seeking.nothing()
            if not run.collected:
                return
            if not run.readings:
                raise HostError(self._no_host_message())
            must_know_checks(run.inventory, [*run.suite.checks, *run.suite.replaced])
        except Mistake as mistake:
            usage.keep(self.config, mistake)
            usage.tell(self.config, items)
            return
        items.extend(self._host_items(session))
        chosen: dict[str, list[CheckItem | per.ManyItem]] = {}
        for item in items:
            if isinstance(item, (CheckItem, per.ManyItem)):
                chosen.setdefault(item.host, []).append(item)
        for host, own in chosen.items():
            self._judge(host, own)
        self.plans = self.plans or remedy.plans(self.config, run)
        if not any("hypervisor" in getattr(item, "fixturenames", ()) for item in items):
            run.let_go()
        gc.freeze()  # all of this stays to the end: nobody need look for garbage in it

    def _judge(self, host: str, items: Iterable[CheckItem | per.ManyItem]) -> None:
        loud = [item for item in items if not (isinstance(item, CheckItem) and item.silenced)]
        told = [key for item in loud for key in item.keys]
        run = self.run.judge(host)
        judged = run.selected(told)
        for item in items:
            if isinstance(item, per.ManyItem):
                item.judge(run, [judged[key] for key in item.keys])
            else:
                alone = judged.get(item.key) or run.selected([*told, item.key])[item.key]
                item.judge(alone)

    def _host_items(self, session: pytest.Session) -> list[HostItem]:
        sick = {host.host: host.reason for host in self.run.unreachable}
        for name in self.run.hosts:
            reason = self.run.judge(name).ill_judged()
            if reason is not None and name not in self.whole:
                sick[name] = reason
        return [HostItem.of(session, host, reason) for host, reason in sick.items()]

    def _no_host_message(self) -> str:
        known = ", ".join(self.run.inventory.hosts)
        return (
            "no host to judge: name one with --host NAME (a name in the inventory, local, an "
            "OpenSSH alias or user@host, a testinfra spec), or a recording with --bundle PATH; "
            f"the inventory has: {known}"
        )

    def pytest_collection_finish(self, session: pytest.Session) -> None:
        """Where there is nothing but checks, neither files nor letters say anything."""
        alone = all(isinstance(item, Ours) for item in session.items)
        self.config.stash[ALONE] = alone
        reporter = self.config.pluginmanager.get_plugin("terminalreporter")
        if reporter is not None and alone:
            reporter.showfspath = False

    @pytest.hookimpl(tryfirst=True)
    def pytest_runtestloop(self, session: pytest.Session) -> bool | None:
        """Once all is collected: the short way, where nobody would see the difference."""
        return protocol.run(session) if protocol.unwatched(session, self) else None

    @pytest.hookimpl(wrapper=True)
    def pytest_runtest_makereport(
        self, item: pytest.Item, call: pytest.CallInfo[None]
    ) -> Generator[None, pytest.TestReport, pytest.TestReport]:
        """Give the report of one of our items our outcome, and the name of its finding."""
        report = yield
        if isinstance(item, Ours) and call.when == "call":
            finish(item, call, report)
        return report

    def pytest_runtest_logreport(self, report: Any) -> None:
        """Remember which findings were reported, here or by a worker."""
        for host, id, kind, name, file in getattr(report, "vfio_findings", ()):
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
        last_failed = self.config.pluginmanager.get_plugin("lfplugin")
        if last_failed is not None:
            last_failed.lastfailed.update(dict.fromkeys(self.blocked, True))
        complete = exitstatus in (0, 1) and not session.shouldstop and not session.shouldfail
        if self.config.option.collectonly or not (self.reported or self.run.unreachable):
            return
        self.result = self._result(complete=complete)
        self._write(self.result)
        mended = remedy.writes(self.config) and any(map(remedy.failed, self.plans.values()))
        if mended and exitstatus == pytest.ExitCode.OK:
            session.exitstatus = pytest.ExitCode.TESTS_FAILED
        if self.unwritten and exitstatus == pytest.ExitCode.OK:
            session.exitstatus = pytest.ExitCode.USAGE_ERROR

    def _result(self, *, complete: bool) -> RunResult:
        run = self.run
        plans = self.plans or remedy.plans(self.config, run)
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
            hosts=remedy.planned(run.results(self.reported), plans),
            idle=run.idle(),
            pool=self.asked.pool,
            survey=run.policy.survey,
        )

    def _write(self, result: RunResult) -> None:
        folder = report_folder(self.config)
        try:
            words = (*self.asked.reports, *(("plan",) if self.config.option.vfio_plan else ()))
            written = write(result, words, folder)
        except OSError as error:
            self.unwritten = f"--report-dir {folder}: {error}"
            return
        here = self.config.invocation_params.dir
        self.written += [os.path.relpath(path, here) for path in written]
