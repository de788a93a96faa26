"""Finding -> pytest's report, letter and word, and JUnit's kind. One table."""

from __future__ import annotations

import msgspec

from pytest_vfio.check import Outcome
from pytest_vfio.judge.policy import Judged


class Shown(msgspec.Struct, frozen=True):
    """How an outcome is shown.

    `report` is pytest's outcome (passed, skipped, failed), `category` the word that pytest counts
    it under, `junit` the element of a JUnit test case, empty for a pass.
    """

    report: str
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


def shown(judged: Judged) -> Shown:
    """How a finding is shown, by its outcome and whether it gates."""
    return (_GATES if judged.gates else _PASSES_BY)[judged.finding.outcome]


def label(judged: Judged) -> str:
    """The word for a finding: `warn` for a failure that does not gate."""
    return shown(judged).word.lower()
