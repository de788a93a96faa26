"""A run's result -> what the templates print: things alike put together, in the order of reading."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import msgspec

from pytest_vfio.check import Outcome, Severity, SubjectKind
from pytest_vfio.judge.result import (
    Answer,
    CauseResult,
    DeviceResult,
    FindingResult,
    HostResult,
    HostVerdict,
    KeyResult,
    RunResult,
)
from pytest_vfio.report.alike import alike, nameless, said
from pytest_vfio.report.unread import by_reason, hints
from pytest_vfio.report.words import counts, label, verdict

#: In the order in which they are read: the worst first.
_ANSWERS = (Answer.NO, Answer.UNKNOWN, Answer.YES)
_OUTCOMES = (
    Outcome.ERROR,
    Outcome.FAIL,
    Outcome.BLOCKED,
    Outcome.UNKNOWN,
    Outcome.WAIVED,
    Outcome.SKIP,
    Outcome.PASS,
)
#: Of more hosts than these, what is well is counted, not listed.
_MANY = 100
_VERDICTS = (HostVerdict.NOT_READY, HostVerdict.CANNOT_TELL, HostVerdict.READY)
#: Where nothing is to be done about a finding.
_QUIET = (Outcome.PASS, Outcome.SKIP)


class Cause(msgspec.Struct, frozen=True):
    """A root cause: its finding, the other subjects of which the same is said, what follows."""

    finding: FindingResult
    others: tuple[str, ...]
    explains: tuple[str, ...]


class Row(msgspec.Struct, frozen=True):
    """Findings of one check of which the same is said. `label` is the outcome's word."""

    first: FindingResult
    title: str
    label: str
    findings: tuple[FindingResult, ...]

    @property
    def quiet(self) -> bool:
        """Nothing is to be done about it."""
        return self.first.outcome in _QUIET

    @property
    def subjects(self) -> tuple[str, ...]:
        """What it is said of; nothing where that is the host."""
        return tuple(one.subject.words for one in self.findings if one.subject.words)


class Host(msgspec.Struct, frozen=True):
    """One host. `anchor` names its place in the page; `devices` are those to be passed through."""

    result: HostResult
    anchor: str
    causes: tuple[Cause, ...]
    devices: tuple[tuple[DeviceResult, ...], ...]
    rows: tuple[Row, ...]
    counts: Mapping[str, int]
    unread: Mapping[str, Sequence[str]]
    hints: tuple[str, ...]

    @property
    def errors(self) -> tuple[FindingResult, ...]:
        """The checks that failed by a mistake of their own."""
        return tuple(one for one in self.result.findings if one.outcome is Outcome.ERROR)

    @property
    def order(self) -> int:
        """Where it stands among hosts: the worst first."""
        return 0 if not self.result.reachable else 1 + _VERDICTS.index(self.result.verdict)

    @property
    def brief(self) -> str:
        """Its first cause, or what else is to be said of it, in one line."""
        if self.result.reason:
            return self.result.reason.removeprefix(f"{self.result.name}: ")
        if self.causes:
            return f"{self.causes[0].finding.id} {self.causes[0].finding.message}"
        names = [gap.name for gap in self.result.unread]
        if names and self.result.verdict is not HostVerdict.READY:
            return f"{names[0]} and {len(names) - 1} more not read" if names[1:] else names[0]
        return ""


class Shared(msgspec.Struct, frozen=True):
    """A root cause, and the hosts that have it."""

    finding: FindingResult
    hosts: tuple[Host, ...]


class Page(msgspec.Struct, frozen=True):
    """The whole page. `labels` and `severities` are what findings can be filtered by."""

    run: RunResult
    title: str
    hosts: tuple[Host, ...]
    shared: tuple[Shared, ...]
    tally: Mapping[str, int]
    labels: tuple[str, ...]
    severities: tuple[str, ...]

    @property
    def fleet(self) -> bool:
        """There are several hosts."""
        return len(self.hosts) > 1

    @property
    def brief(self) -> bool:
        """There are so many hosts that what is well is counted, not listed."""
        return len(self.hosts) > _MANY


def page(run: RunResult) -> Page:
    """What is to be printed of a run."""
    hosts = tuple(_host(host, run, f"host{number}") for number, host in enumerate(run.hosts, 1))
    worst_first = tuple(sorted(hosts, key=lambda host: host.order))
    listed = [row for host in hosts for row in host.rows if len(hosts) <= _MANY or not row.quiet]
    tally = dict.fromkeys(map(verdict, (host.result for host in worst_first)), 0)
    for host in hosts:
        tally[verdict(host.result)] += 1
    return Page(
        run,
        _title(hosts),
        worst_first,
        _shared(worst_first),
        tally,
        tuple(dict.fromkeys(row.label for row in sorted(listed, key=_outcome))),
        tuple(dict.fromkeys(str(row.first.severity) for row in listed)),
    )


def _title(hosts: Sequence[Host]) -> str:
    if len(hosts) == 1:
        return f"{hosts[0].result.name}: {verdict(hosts[0].result)}"
    ready = sum(host.result.verdict is HostVerdict.READY for host in hosts)
    return f"{ready} of {len(hosts)} hosts ready"


def _host(host: HostResult, run: RunResult, anchor: str) -> Host:
    devices = host.facts.intended if host.facts else ()
    ordered = [one for answer in _ANSWERS for one in devices if one.assignable is answer]
    groups = alike(ordered, lambda one: (one.assignable, one.sentence, one.label))
    return Host(
        result=host,
        anchor=anchor,
        causes=tuple(_cause(causes, host) for causes in alike(_causes(host, run), said)),
        devices=tuple(map(tuple, groups)),
        rows=_rows(host, run),
        counts=counts(host.shown),
        unread=by_reason(host),
        hints=tuple(hints(host)),
    )


def _causes(host: HostResult, run: RunResult) -> Sequence[CauseResult]:
    """The root causes; of a survey those of the host itself: its table tells of the devices."""
    of_host = [cause for cause in host.diagnosis if cause.subject.kind is SubjectKind.HOST]
    return of_host if run.survey else host.diagnosis


def _cause(causes: Sequence[CauseResult], host: HostResult) -> Cause:
    explains = dict.fromkeys(key for cause in causes for key in cause.explains)
    return Cause(
        host.finding_of(causes[0]),
        tuple(cause.subject.name for cause in causes[1:]),
        tuple(map(_name, explains)),
    )


def _name(key: KeyResult) -> str:
    return f"{key.id} {key.subject.name}" if key.subject.words else key.id


def _rows(host: HostResult, run: RunResult) -> tuple[Row, ...]:
    """The findings that the run was asked for, the worst first, in the order of the suite."""
    groups = alike(
        host.shown,
        lambda one: (f"{one.id} {label(one)} {one.severity}", _told(one), one.subject.name),
    )
    rows = [
        Row(group[0], run.checks[group[0].id].title, label(group[0]), tuple(group))
        for group in groups
    ]
    return tuple(sorted(rows, key=_outcome))


def _told(one: FindingResult) -> str:
    """What makes two findings different: nobody reads on to what a pass or a skip says."""
    return "" if one.outcome in _QUIET else one.message


def _outcome(row: Row) -> tuple[int, bool]:
    return _OUTCOMES.index(row.first.outcome), not row.first.gates


def _shared(hosts: Sequence[Host]) -> tuple[Shared, ...]:
    """The root causes over all hosts: what stops or endangers first, then by number of hosts."""
    found: dict[tuple[str, str], list[tuple[FindingResult, Host]]] = {}
    for host in hosts:
        for cause in host.causes:
            finding = cause.finding
            words = nameless(finding.message.replace(finding.subject.name, "\0"))
            found.setdefault((finding.id, words), []).append((finding, host))
    shared = [
        Shared(pairs[0][0], tuple({host.anchor: host for _, host in pairs}.values()))
        for pairs in found.values()
    ]
    hurts = (Severity.BLOCKER, Severity.SECURITY)
    return tuple(
        sorted(shared, key=lambda one: (one.finding.severity not in hurts, -len(one.hosts)))
    )
