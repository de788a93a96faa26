"""One run: which hosts, their readings, the suite, and the judgement of each host.

Lives in `config.stash`. Knows no hooks; `plugin` calls it.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from pathlib import Path

import msgspec

from pytest_vfio.check import Check, Outcome
from pytest_vfio.declared import Waiver
from pytest_vfio.evidence import Evidence
from pytest_vfio.hypervisor.hypervisor import Hypervisor
from pytest_vfio.inventory import Inventory, nearest
from pytest_vfio.judge import suite as suites
from pytest_vfio.judge.diagnosis import Diagnosis, HostVerdict, diagnose
from pytest_vfio.judge.judgement import Judgement, Key
from pytest_vfio.judge.policy import Judged, Policy
from pytest_vfio.judge.subjects import Subjects
from pytest_vfio.judge.suite import Suite
from pytest_vfio.report import HostResult
from pytest_vfio.sources import Reading, Target, Unreachable


class Run(msgspec.Struct):
    """What one pytest process knows of its hosts. `targets` and `readings` stand in one order."""

    inventory: Inventory
    policy: Policy
    targets: tuple[Target, ...]
    readings: tuple[Reading, ...] = ()
    collected: list[Check] = msgspec.field(default_factory=list)
    _suite: Suite | None = None
    _hypervisors: dict[str, Hypervisor] = msgspec.field(default_factory=dict)
    _subjects: dict[str, Subjects] = msgspec.field(default_factory=dict)
    _judgements: dict[str, Judgement] = msgspec.field(default_factory=dict)
    _wholes: dict[str, tuple[Judged, ...]] = msgspec.field(default_factory=dict)
    _diagnoses: dict[str, Diagnosis] = msgspec.field(default_factory=dict)

    @property
    def evidences(self) -> tuple[Evidence, ...]:
        """The hosts that were read."""
        return tuple(one for one in self.readings if isinstance(one, Evidence))

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

    @property
    def ruling(self) -> Policy:
        """The policy by the ids of the suite: a waiver of a replaced check follows it."""
        return self.policy.following({old: now.id for old, now in self.suite.replaced.items()})

    def hypervisor(self, host: str) -> Hypervisor:
        """The facts of a host that was read."""
        if host not in self._hypervisors:
            evidence = next(one for one in self.evidences if one.host == host)
            self._hypervisors[host] = Hypervisor(evidence, self.inventory.declared(host))
        return self._hypervisors[host]

    def subjects(self, host: str) -> Subjects:
        """What checks can be about on a host."""
        if host not in self._subjects:
            self._subjects[host] = Subjects(self.hypervisor(host))
        return self._subjects[host]

    def judgement(self, host: str) -> Judgement:
        """The findings of a host, by the suite as it is when first asked for."""
        if host not in self._judgements:
            subjects = self.subjects(host)
            self._judgements[host] = Judgement(self.suite, self.hypervisor(host), subjects)
        return self._judgements[host]

    def whole(self, host: str) -> tuple[Judged, ...]:
        """Every finding of a host, as if the whole suite had been selected."""
        if host not in self._wholes:
            self._wholes[host] = self.ruling.judge(self.judgement(host))
        return self._wholes[host]

    def diagnosis(self, host: str) -> Diagnosis:
        """What is the matter with a host, by the whole suite."""
        if host not in self._diagnoses:
            self._diagnoses[host] = diagnose(self.judgement(host), self.whole(host))
        return self._diagnoses[host]

    def ill_judged(self, host: str) -> str | None:
        """Why a host that was read counts as an error all the same, if it does."""
        judged = self.whole(host)
        told = {one.finding.outcome for one in judged}
        if not told & {Outcome.PASS, Outcome.FAIL, Outcome.BLOCKED, Outcome.WAIVED}:
            return f"{host}: nothing could be judged by what was read"
        strict = self.policy.strict
        if strict and self.diagnosis(host).verdict is HostVerdict.CANNOT_TELL:
            return f"{host}: cannot tell whether it is ready, and --strict-unknown was given"
        return None

    def result(self, reading: Reading, selected: Iterable[Key], seconds: float) -> HostResult:
        """What is to be reported of one host, of which the selected findings were asked for."""
        if isinstance(reading, Unreachable):
            return HostResult(
                reading.host, _source(self._target(reading.host)), None, live=True,
                hypervisor=None, reason=reading.reason, seconds=reading.seconds,
            )  # fmt: skip
        host = reading.host
        keys = frozenset(selected)
        judgement = self.judgement(host)
        chosen = {one.finding.key: one for one in self._choose(judgement, keys)}
        whole = self.whole(host)
        judged = tuple(chosen.get(one.finding.key, one) for one in whole)
        return HostResult(
            host,
            reading.source,
            reading.collected,
            reading.live,
            judgement.hypervisor,
            judged,
            keys,
            self.diagnosis(host),
            reason=self.ill_judged(host) or "",
            seconds=seconds,
            lapsed=self.ruling.lapsed(chosen.values()),
        )

    def idle(self) -> tuple[str, ...]:
        """Sentences on waivers in force that cover nothing, or whose check was replaced."""
        used = {one.waiver for read in self.evidences for one in self.whole(read.host)}
        force = [one for one in self.ruling.waivers if one.expires >= self.policy.today]
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
        if waiver.host in [one.host for one in self.evidences]:
            return f"covers nothing{of} on {waiver.host}"
        known = {*self.inventory.hosts, *(one.host for one in self.readings)}
        hint = "" if waiver.host in known else nearest(waiver.host, known)
        return f"is for no known host, {waiver.host!r}{hint}" if "did you mean" in hint else ""

    def _choose(self, judgement: Judgement, keys: frozenset[Key]) -> tuple[Judged, ...]:
        return self.ruling.judge(finding for finding in judgement if finding.key in keys)

    def selected(self, host: str, keys: Iterable[Key]) -> Mapping[Key, Judged]:
        """The findings of a host that are reported together, after policy."""
        chosen = self._choose(self.judgement(host), frozenset(keys))
        return {one.finding.key: one for one in chosen}

    def _target(self, host: str) -> Target | None:
        return next((target for target in self.targets if target.name == host), None)


def _source(target: Target | None) -> str:
    """The source word for a host that gave no evidence to say it."""
    if target is None or target.kind == "bundle":
        return "recording"
    return target.kind


def load_checks(files: Iterable[str]) -> list[Check]:
    """The checks of files that were collected in other processes."""
    return [check for file in sorted(set(files)) for check in suites.checks_of_file(Path(file))]
