"""Ask one check by its id, as the engine does, without masking."""

from __future__ import annotations

from functools import cache

from pytest_vfio.check import Check, Outcome, Verdict
from pytest_vfio.evidence import Missing
from pytest_vfio.hypervisor.hypervisor import Hypervisor
from pytest_vfio.judge import suite
from pytest_vfio.steps import steps_of


@cache
def _checks() -> dict[str, Check]:
    return {check.id: check for check in suite.packaged()}


def ask(id: str, hypervisor: Hypervisor, subject: object = None) -> Verdict:
    """What a check says of a host, or of one of its subjects; Missing becomes unknown."""
    subjects = () if subject is None else (subject,)
    try:
        return _checks()[id].function(hypervisor, *subjects)
    except Missing as missing:
        return Verdict(
            Outcome.UNKNOWN,
            "evidence is missing",
            missing=missing.lacking,
        )


def what_to_do(verdict: Verdict) -> tuple[str, ...]:
    """What a person pastes or does, in order: commands, and words where there are none."""
    rows = () if verdict.cure is None else steps_of(verdict.cure)
    return tuple(text for row in rows for text in (row.commands or (row.by_hand,)))
