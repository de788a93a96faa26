"""The lab's entries, without starting anything."""

from collections import Counter
from dataclasses import replace
from typing import Any

import pytest

from tests.lab.fault import Fault, Healthy, Scenario
from tests.lab.hosts import HOSTS
from tests.lab.scenarios import FAULTS, HEALTHY
from tests.lab.suite import Report
from tests.lab.verdict import complaints

EVERY: tuple[Scenario, ...] = (*FAULTS, *HEALTHY)
FAULT = Fault("f", "trixie-intel", refs=("F22",), quiet=("F03",))
HEALTHY_ONE = Healthy("h", "trixie-intel")


def _finding(*refs: str, gates: bool = True) -> dict[str, Any]:
    return {"id": "X", "refs": refs, "outcome": "fail", "gates": gates, "message": "m"}


def _report(*findings: dict[str, Any], verdict: str = "not ready", code: int = 1) -> Report:
    diagnosis = [{"id": f["id"], "refs": f["refs"]} for f in findings[:1]]
    host = {"verdict": verdict, "findings": findings, "diagnosis": diagnosis}
    return Report(host, code)


def test_names_are_unique() -> None:
    """A scenario is named once."""
    twice = [name for name, count in Counter(s.name for s in EVERY).items() if count > 1]

    assert [] == twice


@pytest.mark.parametrize("scenario", EVERY, ids=lambda s: s.name)
def test_host_is_known(scenario: Scenario) -> None:
    """A scenario names a host of the lab."""
    assert scenario.host in HOSTS


def test_enough_of_them() -> None:
    """There are the faults and healthy variants that the lab promises."""
    assert len(FAULTS) >= 35
    assert len(HEALTHY) >= 10


def test_smoke_is_one_server() -> None:
    """CI boots one host and has at least eight faults on it."""
    smoke = [scenario for scenario in EVERY if scenario.smoke]

    assert len({scenario.host for scenario in smoke}) == 1
    assert len([scenario for scenario in smoke if isinstance(scenario, Fault)]) >= 8


def test_right_cause_is_right() -> None:
    """A fault whose entry is the first cause has no complaint."""
    assert [] == complaints(FAULT, _report(_finding("F22")))


def test_consequence_as_first_cause_is_wrong() -> None:
    """A fault that is found, but not first, is told."""
    fault = replace(FAULT, also=("F49",))
    said = complaints(fault, _report(_finding("F49"), _finding("F22")))

    assert ["first cause is X, not F22"] == said


def test_noise_is_wrong() -> None:
    """An entry that must stay quiet is told, and whatever else gates and was not foreseen."""
    silent = _report(_finding("F22"), _finding("F03", gates=False))
    other = _report(_finding("F22"), _finding("F71"))

    assert ["X should be quiet: m"] == complaints(FAULT, silent) == complaints(FAULT, other)
    assert [] == complaints(replace(FAULT, also=("F71",)), other)


def test_missed_fault_is_wrong() -> None:
    """A host called ready in spite of its fault is told."""
    assert complaints(FAULT, _report(verdict="ready", code=0))


def test_gating_finding_on_a_healthy_host_is_wrong() -> None:
    """A healthy variant complains of what gates, and of nothing else."""
    advice = _finding("F48", gates=False)

    assert [] == complaints(HEALTHY_ONE, _report(advice, verdict="ready", code=0))
    assert complaints(HEALTHY_ONE, _report(_finding("F71")))
