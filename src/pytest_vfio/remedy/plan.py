"""What would mend a host: all fixable failures in one ordered plan, with reasons and refusals.

Fixable is a failure that makes the run fail and whose cure a machine can carry out; the rest is a
person's, or is left alone: what works is not changed. A step that the host could be lost by is
refused, with the path that forbids it.
"""

from __future__ import annotations

import difflib
import hashlib
from collections.abc import Iterable, Sequence

import msgspec

from pytest_vfio.check import Outcome
from pytest_vfio.evidence import Status
from pytest_vfio.hypervisor.hypervisor import Hypervisor
from pytest_vfio.judge.judgement import Finding, Key
from pytest_vfio.judge.policy import Judged
from pytest_vfio.judge.result import (
    KeyResult,
    RemedyResult,
    RemedyState,
    RemedyStep,
    SubjectResult,
)
from pytest_vfio.remedy import guard, merge
from pytest_vfio.steps import Cure, Grade, Step
from pytest_vfio.steps.files import FileStep


class Planned(msgspec.Struct, frozen=True):
    """A step of the plan, and the failures that it is for."""

    step: Step
    findings: tuple[Finding, ...]


class Declined(msgspec.Struct, frozen=True):
    """A failure that the plan does not mend: a person's, or refused, and why."""

    finding: Finding
    cure: Cure
    why: str
    by_hand: bool


class Plan(msgspec.Struct, frozen=True):
    """What would be done to one host, and what not."""

    host: str
    steps: tuple[Planned, ...]
    declined: tuple[Declined, ...]

    @property
    def name(self) -> str:
        """A name that is the same for the same steps on the same host."""
        text = repr((self.host, [planned.step for planned in self.steps]))
        return f"plan-{hashlib.sha256(text.encode('utf-8', 'replace')).hexdigest()[:12]}"


def make(
    hypervisor: Hypervisor,
    judged: Iterable[Judged],
    causes: Sequence[Key],
    most: Grade = Grade.UNSAFE,
) -> Plan:
    """The plan for the failures of a host; `causes` is the order in which a person would act.

    A cure is planned whole or not at all; none whose grade is worse than `most` is.
    """
    rank = {key: number for number, key in enumerate(causes)}
    failures = [one.finding for one in judged if one.gates and one.finding.outcome is Outcome.FAIL]
    failures.sort(key=lambda finding: rank.get(finding.key, len(rank)))
    taken: list[tuple[Finding, Step]] = []
    declined: list[Declined] = []
    for finding in failures:
        cure = finding.cure
        if cure is None:
            continue
        why = _why_not(hypervisor, cure, [step for _, step in taken], most)
        if why is None:
            taken.extend((finding, step) for step in cure.steps)
        else:
            declined.append(Declined(finding, cure, why, cure.grade is Grade.MANUAL))
    steps = merge.merged([step for _, step in taken])
    return Plan(
        hypervisor.name,
        tuple(Planned(step, _for(step, taken)) for step in steps),
        tuple(declined),
    )


def _why_not(hypervisor: Hypervisor, cure: Cure, before: Sequence[Step], most: Grade) -> str | None:
    """Why a cure is not planned; None where it is."""
    if cure.grade is Grade.MANUAL:
        return cure.title
    if most < cure.grade:
        impacts = ", ".join(impact.value for impact in cure.impacts)
        return f"needs more consent (--fix-unsafe): it {impacts}"
    against = merge.opposite(before, cure.steps)
    if against is not None:
        return f"works against another step ({against[0].title}): plan again once that is done"
    return guard.refusal(hypervisor, cure.steps)


def _for(step: Step, taken: Iterable[tuple[Finding, Step]]) -> tuple[Finding, ...]:
    """The failures that a merged step is for, each once."""
    found = {finding.key: finding for finding, part in taken if merge.joins(part, step)}
    return tuple(found.values())


def result(plan: Plan, hypervisor: Hypervisor) -> RemedyResult:
    """A plan as reports have it: plain values, with diffs and the proofs of idleness."""
    rows = [_row(number, one, hypervisor) for number, one in enumerate(plan.steps, 1)]
    rows += [_declined(len(rows) + number, one) for number, one in enumerate(plan.declined, 1)]
    states = [row.state for row in rows]
    for state in (RemedyState.PLANNED, RemedyState.REFUSED, RemedyState.BY_HAND):
        if state in states:
            return RemedyResult(plan.name, state, tuple(rows))
    return RemedyResult(plan.name, RemedyState.PLANNED, ())


def _row(number: int, planned: Planned, hypervisor: Hypervisor) -> RemedyStep:
    step, first = planned.step, planned.findings[0]
    return RemedyStep(
        id=f"s{number}",
        title=step.title,
        finding=_key(first),
        state=RemedyState.PLANNED,
        why="; ".join(dict.fromkeys(finding.message for finding in planned.findings)),
        kind=step.kind,
        grade=step.grade,
        impacts=tuple(sorted(impact.value for impact in step.impacts)),
        diff=_diff(step, hypervisor),
        commands=step.commands,
        before=step.before,
        after=step.after,
        proof=guard.proofs(hypervisor, step),
        findings=tuple(map(_key, planned.findings)),
    )


def _declined(number: int, one: Declined) -> RemedyStep:
    words = tuple(step.by_hand or step.title for step in one.cure.steps)
    return RemedyStep(
        id=f"s{number}",
        title=one.cure.title,
        finding=_key(one.finding),
        state=RemedyState.BY_HAND if one.by_hand else RemedyState.REFUSED,
        why=one.finding.message if one.by_hand else one.why,
        kind="by_hand" if one.by_hand else "refused",
        grade=one.cure.grade,
        impacts=tuple(impact.value for impact in one.cure.impacts),
        by_hand=words if one.by_hand else (),
        findings=(_key(one.finding),),
    )


def _diff(step: Step, hypervisor: Hypervisor) -> str:
    """What changes in a file, as far as its text was read."""
    if not isinstance(step, FileStep):
        return ""
    name = step.path.lstrip("/")
    item = hypervisor.evidence.item(name)
    new = step.kind == "write_file"
    if not new and item.status is not Status.PRESENT:
        return ""
    text = "" if new else item.text
    after = step.edited(text)
    lines = difflib.unified_diff(
        text.splitlines(), after.splitlines(), f"a/{name}", f"b/{name}", n=0, lineterm=""
    )
    return "\n".join(lines)


def _key(finding: Finding) -> KeyResult:
    return KeyResult(finding.id, SubjectResult(finding.kind, finding.name))
