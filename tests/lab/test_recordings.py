"""The lab's recordings, judged without starting anything: every check on every recorded fault."""

from __future__ import annotations

import pytest

from tests.golden.digest import INVENTORY, digest, digest_file, names
from tests.lab.again import judge_again
from tests.lab.fixture import FOLDER
from tests.lab.scenarios import FAULTS, HEALTHY
from tests.lab.verdict import complaints

SCENARIOS = {scenario.name: scenario for scenario in (*FAULTS, *HEALTHY)}
LARGEST = 20_000_000
"""Bytes of all recordings together, which a checkout has to carry."""

each = pytest.mark.parametrize("name", names())


@each
def test_the_injected_fault_is_the_first_cause(name):
    """What the lab demanded of the host when it ran still holds for its recording."""
    assert [] == complaints(SCENARIOS[name], judge_again(INVENTORY, name))


@each
def test_a_recording_is_judged_as_it_was(name):
    """What is said of a recording changes only on purpose: `python -m tests.golden`."""
    assert digest_file(name).read_text() == digest(name)


def test_none_is_left_over():
    """Each recording belongs to a scenario, and each kept text to a recording."""
    kept = {path.stem for path in digest_file("x").parent.glob("*.txt")}

    assert kept == set(names()) <= set(SCENARIOS)


def test_they_stay_small():
    """All recordings together."""
    assert sum(path.stat().st_size for path in FOLDER.iterdir()) < LARGEST
