"""The words of outcomes, for every report: label, letter, count. One table."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping
from typing import Literal, Protocol

import msgspec

from pytest_vfio.check import Outcome
from pytest_vfio.judge.result import (
    Answer,
    Because,
    DeviceResult,
    FindingResult,
    FixResult,
    HostResult,
)
from pytest_vfio.steps import Grade


class Shown(msgspec.Struct, frozen=True):
    """How an outcome is shown.

    `report` is pytest's outcome (passed, skipped, failed), `category` the word that pytest counts
    it under, `junit` the element of a JUnit test case, empty for a pass.
    """

    report: Literal["passed", "skipped", "failed"]
    category: str
    letter: str
    word: str
    junit: str


_GATES = {
    Outcome.FAIL: Shown("failed", "failed", "F", "FAIL", "failure"),
    Outcome.BLOCKED: Shown("failed", "failed", "B", "BLOCKED", "failure"),
    Outcome.UNKNOWN: Shown("failed", "failed", "U", "UNKNOWN", "failure"),
    Outcome.ERROR: Shown("failed", "error", "E", "ERROR", "error"),
}
_PASSES_BY = {
    Outcome.PASS: Shown("passed", "passed", ".", "PASS", ""),
    Outcome.FAIL: Shown("skipped", "warn", "w", "WARN", "skipped"),
    Outcome.SKIP: Shown("skipped", "skipped", "s", "SKIP", "skipped"),
    Outcome.UNKNOWN: Shown("skipped", "unknown", "u", "UNKNOWN", "skipped"),
    Outcome.BLOCKED: Shown("skipped", "blocked", "b", "BLOCKED", "skipped"),
    Outcome.WAIVED: Shown("skipped", "waived", "x", "WAIVED", "skipped"),
}

#: The words under which pytest counts what it would itself call skipped.
OURS = tuple({one.category: one for one in _PASSES_BY.values() if one.category != one.report})
#: What the letters of a progress line mean, in the order in which they are told.
LEGEND = {one.letter: one.category for one in (*_PASSES_BY.values(), *_GATES.values())}


class Ended(Protocol):
    """What an outcome is shown by: a finding of a result."""

    @property
    def outcome(self) -> Outcome: ...
    @property
    def gates(self) -> bool: ...


def shown(outcome: Outcome, *, gates: bool) -> Shown:
    """How an outcome is shown, by whether it gates."""
    return (_GATES if gates else _PASSES_BY)[outcome]


def label(one: Ended) -> str:
    """The word for a finding: `warn` for a failure that does not gate."""
    return shown(one.outcome, gates=one.gates).word.lower()


def counts(findings: Iterable[FindingResult]) -> Mapping[str, int]:
    """How many findings there are of each of pytest's categories, as pytest counts them."""
    tally = Counter(shown(one.outcome, gates=one.gates).category for one in findings)
    order = dict.fromkeys(one.category for one in (*_GATES.values(), *_PASSES_BY.values()))
    return {category: tally[category] for category in order if tally[category]}


def verdict(host: HostResult) -> str:
    """The word for a host: its verdict, or `unreachable`."""
    return host.verdict.value if host.reachable else "unreachable"


def grade(fix: FixResult) -> str:
    """What carrying out a cure means for the host: `changes boot files, needs a reboot`."""
    if fix.grade is Grade.MANUAL:
        return ", ".join(["by hand", *(["needs a reboot"] if fix.reboot else [])])
    return ", ".join(fix.impacts) or fix.grade.value


def answer(device: DeviceResult) -> str:
    """Whether a device can be passed through, and what it takes, in the words of the survey."""
    together = f", only together with {', '.join(device.with_)}" if device.with_ else ""
    if device.assignable is Answer.YES:
        return f"yes, now{together}"
    why = device.sentence.partition(": ")[2]
    if device.assignable is Answer.UNKNOWN:
        return f"cannot tell: {device.sentence.partition('cannot tell: ')[2] or why}"
    if device.no_because is not Because.MUST_NOT and device.after:
        return f"yes, after: {', then '.join(device.after)}{together}"
    if device.no_because is Because.MUST_NOT and device.used_by:
        return f"no, the host uses it: {device.used_by[0]}"
    return f"no, {why}"
