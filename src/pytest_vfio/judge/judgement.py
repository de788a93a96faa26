"""Judges one host by a suite: (suite, hypervisor) -> findings. Knows no pytest, does no I/O.

Every (check, subject) is judged once, on its own evidence, in whatever order it is asked for.
What a check lacks makes it *unknown*; where it lacks only what the host's recording is too old to
have (`evidence.asked`), it is left out. Only then a *fail or unknown* becomes *blocked*, where a
check that it needs failed or is blocked on a subject that it stands on. A pass stays a pass; an
unknown prerequisite blocks nothing. No secret leaves with a finding.
"""

from __future__ import annotations

import traceback
from collections.abc import Iterator, Mapping
from functools import cached_property

import msgspec
from msgspec.structs import replace

from pytest_vfio.check import Acts, Check, Outcome, Proof, Severity, SubjectKind, Verdict
from pytest_vfio.evidence import Lack, Missing, Quote, asked
from pytest_vfio.hypervisor.hypervisor import Hypervisor
from pytest_vfio.judge.subjects import Kind, Subject, Subjects
from pytest_vfio.judge.suite import STANDS_ON, Suite
from pytest_vfio.redaction import redacted
from pytest_vfio.steps import Cure

#: (check id, subject kind, subject name): what a finding is called within one host.
Key = tuple[str, SubjectKind, str]

#: What becomes blocked where a needed check failed.
_RANK = tuple(Severity)
_MASKED = frozenset((Outcome.FAIL, Outcome.UNKNOWN))


class Finding(msgspec.Struct, frozen=True):
    """What is to be said of one check on one subject of one host."""

    id: str
    host: str
    kind: SubjectKind
    name: str
    outcome: Outcome
    severity: Severity
    message: str
    actual: str = ""
    expected: str = ""
    evidence: tuple[Proof, ...] = ()
    missing: tuple[Lack, ...] = ()
    blocked_by: tuple[Key, ...] = ()
    refs: tuple[str, ...] = ()
    acts: Acts = Acts.OS
    cure: Cure | None = None

    @property
    def key(self) -> Key:
        """Check and subject."""
        return self.id, self.kind, self.name


class Judgement:
    """The findings of one host, made on demand and remembered."""

    def __init__(
        self, suite: Suite, hypervisor: Hypervisor, subjects: Subjects | None = None
    ) -> None:
        self.suite = suite
        self.hypervisor = hypervisor
        self.subjects = subjects if subjects is not None else Subjects(hypervisor)
        self._verdicts: dict[Key, Verdict] = {}
        self._roots: dict[Key, tuple[Key, ...]] = {}

    def __iter__(self) -> Iterator[Finding]:
        """Every finding of the host, in the order of the suite."""
        for check in self.suite:
            for subject in subjects_of(check, self.subjects):
                yield self.finding(check, subject)

    def finding(self, check: Check, subject: Subject) -> Finding:
        """What is to be said of a check on a subject."""
        verdict = self._verdict(check, subject)
        roots = self._blocked_by(check, subject) if verdict.outcome in _MASKED else ()
        outcome = Outcome.BLOCKED if roots else verdict.outcome
        return Finding(
            id=check.id,
            host=self.hypervisor.name,
            kind=subject.kind,
            name=subject.name,
            outcome=outcome,
            severity=verdict.severity or check.severity,
            message=redacted(verdict.message),
            actual=redacted(verdict.actual),
            expected=redacted(verdict.expected),
            evidence=tuple(map(_without_secrets, verdict.evidence)),
            missing=tuple(map(_named_without_secrets, verdict.missing)),
            blocked_by=roots,
            refs=verdict.refs or (check.refs if verdict.outcome is Outcome.FAIL else ()),
            acts=verdict.acts,
            cure=verdict.cure,
        )

    @cached_property
    def _nobody(self) -> Mapping[str, Verdict]:
        """What the host is told where it stands in for the subjects of a kind."""
        return {kind: _nobody(kind, self.subjects.of(kind)) for kind in SubjectKind}

    def _verdict(self, check: Check, subject: Subject) -> Verdict:
        key = (check.id, *subject.key)
        if key not in self._verdicts:
            self._verdicts[key] = self._judge(check, subject)
        return self._verdicts[key]

    def _judge(self, check: Check, subject: Subject) -> Verdict:
        if check.subject != "host" and subject.kind == "host":
            return self._nobody[check.subject]
        arguments = () if check.subject == "host" else (subject.value,)
        try:
            verdict = check.function(self.hypervisor, *arguments)
        except Missing as missing:
            lacking = asked(missing.lacking)
            if missing.lacking and not lacking:
                return _not_asked(subject, missing)
            words = "; ".join(map(str, lacking))
            message = f"{_about(subject)}cannot tell: {words}"
            return Verdict(Outcome.UNKNOWN, message, missing=lacking)
        except Exception as error:  # a mistake in a check must not hide the other findings
            return Verdict(
                Outcome.ERROR,
                f"{check.id} failed itself: {type(error).__name__}: {error}",
                actual=traceback.format_exc(),
            )
        if not isinstance(verdict, Verdict):
            return Verdict(
                Outcome.ERROR,
                f"{check.id} returned {verdict!r}, not passes(), fails(), skips() or unknown()",
            )
        return verdict

    def _blocked_by(self, check: Check, subject: Subject) -> tuple[Key, ...]:
        """The root findings for which this one is a consequence; empty where there are none."""
        verdict = self._verdict(check, subject)
        if verdict.outcome not in _MASKED:
            return ()
        roots: dict[Key, None] = dict.fromkeys(self._explaining(verdict, subject))
        for need in check.needs:
            roots.update(dict.fromkeys(self._roots_of(self.suite[need], subject)))
        return tuple(roots)

    def _explaining(self, sign: Verdict, subject: Subject) -> Iterator[Key]:
        """The roots of what a verdict is but a sign of, on what its subject stands on."""
        signs = frozenset(sign.signs)
        for check in self.suite if signs else ():
            if signs.isdisjoint(check.refs) or check.subject not in STANDS_ON[subject.kind]:
                continue
            for under in self._below(check, subject):
                found = self._verdict(check, under)
                of_these = not signs.isdisjoint(found.refs or check.refs)
                worth = _RANK.index(found.severity or check.severity) <= _RANK.index(
                    sign.severity or check.severity
                )
                if found.outcome is Outcome.FAIL and of_these and worth and not found.signs:
                    yield from self._blocked_by(check, under) or ((check.id, *under.key),)

    def _roots_of(self, need: Check, subject: Subject) -> tuple[Key, ...]:
        """The roots that a needed check has on what the subject stands on."""
        key = (need.id, *subject.key)
        if key not in self._roots:
            self._roots[key] = tuple(self._find_roots(need, subject))
        return self._roots[key]

    def _find_roots(self, need: Check, subject: Subject) -> Iterator[Key]:
        below = tuple(self._below(need, subject))
        if not below:
            for deeper in need.needs:
                yield from self._roots_of(self.suite[deeper], subject)
        for under in below:
            blocked_by = self._blocked_by(need, under)
            if blocked_by:
                yield from blocked_by
            elif self._verdict(need, under).outcome is Outcome.FAIL:
                yield (need.id, *under.key)

    def _below(self, need: Check, subject: Subject) -> Iterator[Subject]:
        """The subjects of the needed check's kind that a subject stands on, or is."""
        if need.subject == "host":
            yield self.subjects.host
            return
        for key in (subject.key, *subject.stands_on):
            below = self.subjects.get(key) if key[0] == need.subject else None
            if below is not None:
                yield below


def subjects_of(check: Check, subjects: Subjects) -> tuple[Subject, ...]:
    """What a check is asked about on one host.

    Where it is not known which subjects there are, the host stands in for those that may be
    missing, and where there are none, for none: a finding never vanishes with its evidence.
    """
    kind = subjects.of(check.subject)
    if check.subject == "host":
        return kind.known
    if kind.unread or not kind.known:
        return (*kind.known, subjects.host)
    return kind.known


def _nobody(subject: str, kind: Kind) -> Verdict:
    """The verdict on the host where it stands in for subjects that are not known, or not there."""
    if kind.unread:
        there = f"are more {subject}s" if kind.known else f"is a {subject}"
        return Verdict(
            Outcome.UNKNOWN,
            f"cannot tell whether there {there} to judge: {'; '.join(map(str, kind.unread))}",
            missing=kind.unread,
        )
    return Verdict(Outcome.SKIP, f"there is no {subject} to judge")


def _without_secrets(proof: Proof) -> Proof:
    """A finding may be told to everybody: a whole command line stands in its proof."""
    line = redacted(proof.line)
    return proof if line == proof.line else Quote(proof.source, line, proof.status)


def _named_without_secrets(lack: Lack) -> Lack:
    """What a command said of itself, where it could not be read."""
    detail = redacted(lack.detail)
    return lack if detail == lack.detail else replace(lack, detail=detail)


def _not_asked(subject: Subject, missing: Missing) -> Verdict:
    """The check is younger than the recording: left out, and what it would need is named."""
    return Verdict(
        Outcome.SKIP,
        f"{_about(subject)}not judged: {missing}",
        missing=missing.lacking,
    )


def _about(subject: Subject) -> str:
    return "" if subject.kind == "host" else f"{subject.kind} {subject.name}: "
