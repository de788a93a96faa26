"""One run: its hosts, read and not, and the suite by which they are judged. Knows no hooks."""

from __future__ import annotations

import datetime
from collections.abc import Iterable, Mapping
from functools import cached_property
from pathlib import Path

import msgspec
import pytest
from msgspec.structs import replace

from pytest_vfio.check import Check
from pytest_vfio.declared import Declared, Waiver, WantedDevice
from pytest_vfio.evidence import Evidence, Source
from pytest_vfio.inventory import Inventory, nearest
from pytest_vfio.judge import host_run
from pytest_vfio.judge import suite as suites
from pytest_vfio.judge.host_run import HostRun
from pytest_vfio.judge.judgement import Key
from pytest_vfio.judge.policy import Policy
from pytest_vfio.judge.result import HostResult
from pytest_vfio.judge.suite import Suite
from pytest_vfio.plugin.reading import Asked
from pytest_vfio.sources import Reading, Target, Unreachable


def policy_of(asked: Asked, config: pytest.Config) -> Policy:
    """What gates in this run, today."""
    option = config.option
    today = datetime.datetime.now(datetime.UTC).date()
    return Policy(
        asked.fail_on,
        option.vfio_strict_unknown,
        asked.inventory.waivers,
        today,
        survey=option.vfio_survey,
    )


class Run(msgspec.Struct, dict=True):
    """What one pytest process knows of its hosts. `targets` and `readings` stand in one order.

    `devices` are those of the command line.
    """

    inventory: Inventory
    policy: Policy
    targets: tuple[Target, ...]
    readings: tuple[Reading, ...] = ()
    devices: tuple[WantedDevice, ...] = ()
    collected: list[Check] = msgspec.field(default_factory=list)
    _suite: Suite | None = None

    @cached_property
    def hosts(self) -> Mapping[str, HostRun]:
        """The hosts that were read, by name, in the order in which they were named."""
        return {
            one.host: HostRun(one, self._declared(one.host), self.policy)
            for one in self.readings
            if isinstance(one, Evidence)
        }

    def _declared(self, host: str) -> Declared:
        """What the host is to pass through: `--device` says it in the inventory's place."""
        declared = self.inventory.declared(host)
        if self.devices:
            declared = replace(declared, devices=self.devices, by="option")
        return replace(declared, survey=self.policy.survey)

    @property
    def unreachable(self) -> tuple[Unreachable, ...]:
        """The hosts that were not."""
        return tuple(one for one in self.readings if isinstance(one, Unreachable))

    def collect(self, check: Check) -> None:
        """Take a collected check into the suite."""
        self.collected.append(check)
        self._suite = None

    @property
    def suite(self) -> Suite:
        """The packaged checks, overridden by the collected ones. Raises SuiteError."""
        if self._suite is None:
            self._suite = suites.combined(self.collected)
        return self._suite

    def judge(self, host: str) -> HostRun:
        """A host, judged by the suite as it is when first asked for."""
        run = self.hosts[host]
        run.judge(self.suite)
        return run

    def let_go(self) -> None:
        """Drop evidence and facts of the hosts. To be called once every host is judged."""
        for host in self.hosts.values():
            host.let_go()
        self.readings = tuple(
            one if isinstance(one, Unreachable) else Evidence(one.host, one.source)
            for one in self.readings
        )

    def results(self, selected: Mapping[str, Iterable[Key]]) -> tuple[HostResult, ...]:
        """What is to be reported of each host, of which the selected findings were asked for."""
        return tuple(
            self._unread(one)
            if isinstance(one, Unreachable)
            else self.judge(one.host).result(selected.get(one.host, ()))
            for one in self.readings
        )

    def _unread(self, one: Unreachable) -> HostResult:
        target = next((target for target in self.targets if target.name == one.host), None)
        return host_run.unreachable(one.host, _source(target), one.reason, one.seconds)

    def idle(self) -> tuple[str, ...]:
        """Sentences on waivers in force that cover nothing, or whose check was replaced."""
        used = {one.waiver for name in self.hosts for one in self.judge(name).whole}
        ruling = self.policy.following(self.suite)
        force = [one for one in ruling.waivers if one.expires >= self.policy.today]
        told = [(waiver, self._why_idle(waiver)) for waiver in force if waiver not in used]
        now = self.suite.replaced
        told += [
            (waiver, f"is one of {now[waiver.check].id}, which has replaced it")
            for waiver in self.policy.waivers
            if waiver.check in now
        ]
        return tuple(f"waiver of {w.check} ({w.reason}) {why}" for w, why in told if why)

    def _why_idle(self, waiver: Waiver) -> str:
        """Nothing where it may be for a host that this run does not know, or could not read."""
        of = f" of {waiver.subject}" if waiver.subject else ""
        if waiver.host is None:
            return "" if self.unreachable else f"covers nothing{of}"
        if waiver.host in self.hosts:
            return f"covers nothing{of} on {waiver.host}"
        known = {*self.inventory.hosts, *(one.host for one in self.readings)}
        hint = "" if waiver.host in known else nearest(waiver.host, known)
        return f"is for no known host, {waiver.host!r}{hint}" if "did you mean" in hint else ""


def _source(target: Target | None) -> Source:
    """The source of a host that gave no evidence to say it."""
    if target is None or target.kind == "bundle":
        return Source.RECORDING
    return Source(target.kind)


def load_checks(files: Iterable[str]) -> list[Check]:
    """The checks of files that were collected in other processes."""
    return [check for file in sorted(set(files)) for check in suites.checks_of_file(Path(file))]
