"""What gates: which findings make a run fail, and which are waived. Takes today's date.

Changes the exit code and the printed word, never what was found.
"""

from __future__ import annotations

import datetime
from collections.abc import Iterable

import msgspec
from msgspec.structs import replace

from pytest_vfio.check import Outcome, Severity, SubjectKind
from pytest_vfio.declared import Waiver
from pytest_vfio.judge.judgement import Finding, Key
from pytest_vfio.judge.suite import Suite


class Judged(msgspec.Struct, frozen=True):
    """A finding, whether it gates, and the waiver that covers it.

    `serious` says whether its severity is one that gates where the finding is a failure.
    """

    finding: Finding
    gates: bool
    waiver: Waiver | None = None
    serious: bool = True


class Policy(msgspec.Struct, frozen=True):
    """`fail_on` are the severities whose failures gate; `strict` also gates *cannot tell*.

    In a `survey` only what is wrong with the host itself gates: nobody asked for its devices.
    """

    fail_on: frozenset[Severity]
    strict: bool
    waivers: tuple[Waiver, ...]
    today: datetime.date
    survey: bool = False

    def following(self, suite: Suite) -> Policy:
        """The same policy, whose waivers of replaced checks hold for those in their place."""
        now = {old: check.id for old, check in suite.replaced.items()}
        waivers = (replace(one, check=now.get(one.check, one.check)) for one in self.waivers)
        return replace(self, waivers=tuple(waivers))

    def judge(self, findings: Iterable[Finding]) -> tuple[Judged, ...]:
        """Apply the policy to the findings of one host that are reported together.

        A blocked finding gates by its own severity unless a gating cause of it is among them.
        """
        judged = {finding.key: self._alone(finding) for finding in findings}
        gating = {key for key, one in judged.items() if one.gates}
        return tuple(self._blocked(one, gating) for one in judged.values())

    def lapsed(self, judged: Iterable[Judged]) -> tuple[Waiver, ...]:
        """The expired waivers that would cover one of the findings, each once."""
        sick = (Outcome.FAIL, Outcome.BLOCKED)
        bad = [one.finding for one in judged if one.finding.outcome in sick]
        return tuple(
            waiver
            for waiver in self.waivers
            if waiver.expires < self.today
            and any(waiver.covers(one.id, one.host, one.name, waiver.expires) for one in bad)
        )

    def _alone(self, finding: Finding) -> Judged:
        waiver = self._waiver(finding)
        if waiver is not None and finding.outcome is Outcome.FAIL:
            return _waived(finding, waiver)
        serious = finding.severity in self.fail_on and self._asked_for(finding)
        gates = finding.outcome is Outcome.ERROR or (serious and finding.outcome in self._gating)
        return Judged(finding, gates, serious=serious)

    def _asked_for(self, finding: Finding) -> bool:
        return not self.survey or finding.kind is SubjectKind.HOST

    @property
    def _gating(self) -> tuple[Outcome, ...]:
        return (Outcome.FAIL, Outcome.UNKNOWN) if self.strict else (Outcome.FAIL,)

    def _blocked(self, judged: Judged, gating: set[Key]) -> Judged:
        finding = judged.finding
        if finding.outcome is not Outcome.BLOCKED or not judged.serious:
            return judged
        waiver = self._waiver(finding)
        if waiver is not None:
            return _waived(finding, waiver)
        return replace(judged, gates=not gating.intersection(finding.blocked_by))

    def _waiver(self, finding: Finding) -> Waiver | None:
        for waiver in self.waivers:
            if waiver.covers(finding.id, finding.host, finding.name, self.today):
                return waiver
        return None


def _waived(finding: Finding, waiver: Waiver) -> Judged:
    return Judged(replace(finding, outcome=Outcome.WAIVED), gates=False, waiver=waiver)
