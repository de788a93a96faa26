"""One host's findings as text: a line for the verdict, each cause, each device and each finding."""

from __future__ import annotations

import datetime
from pathlib import Path

from pytest_vfio.check import Outcome, Severity
from pytest_vfio.judge.diagnosis import diagnose
from pytest_vfio.judge.policy import Policy
from tests.hosts.recorded import judge

POLICY = Policy(
    fail_on=frozenset({Severity.BLOCKER, Severity.SECURITY}),
    strict=False,
    waivers=(),
    today=datetime.date(2026, 1, 1),
)


def file(name: str) -> Path:
    """Where a host's text is kept."""
    return Path(__file__).parent / f"{name}.txt"


def matrix(name: str) -> str:
    """What the suite says of a host now."""
    judgement = judge(name)
    judged = POLICY.judge(judgement)
    diagnosis = diagnose(judgement, judged)
    lines = [f"verdict: {diagnosis.verdict}"]
    lines += [f"cause: {cause.finding.id} {cause.finding.message}" for cause in diagnosis.causes]
    lines += [f"device: {device.sentence}" for device in diagnosis.devices]
    for one in judged:
        finding = one.finding
        if finding.outcome is Outcome.SKIP and finding.missing:
            continue  # the recording is older than what the check asks for
        subject = "" if finding.kind == "host" else f" {finding.kind} {finding.name}"
        lines.append(f"{finding.id}{subject}: {finding.outcome}: {finding.message}")
    return "\n".join(lines) + "\n"
