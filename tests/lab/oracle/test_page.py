"""The page of the plays, and the lines that it is made of."""

from dataclasses import replace
from pathlib import Path

import pytest

from tests.lab.oracle import record
from tests.lab.oracle.compare import Part, Said
from tests.lab.oracle.page import page, summary
from tests.lab.oracle.record import Played, judged_again
from tests.lab.oracle.truth import Truth

SAID = Said("yes", "", "0000:01:10.0 can be assigned to g1", "", "")
WORKS = Truth(starts=True, has=True, lives=True, said="")
FAILS = Truth(starts=False, has=False, lives=True, said="no | file")
PART = Part("g1", ("0000:01:10.0",), SAID, WORKS, "agreement")
RIGHT = Played(
    7,
    0,
    "guest",
    ("guest: disk",),
    False,
    ("- a; + b",),
    ("a", "b"),
    (PART,),
    "ready",
    "abc1234",
    "oracle-7-0",
)
FALSE_READY = replace(PART, truth=FAILS, outcome="false ready")
WRONG = replace(RIGHT, number=1, blind=True, parts=(FALSE_READY,), kinds=("guest: byte flipped",))


def test_a_disagreement_is_shown_whole() -> None:
    """What was edited, said and true stands in one row, and a cell is no border."""
    rows = [line for line in page([RIGHT, WRONG]).splitlines() if line.startswith("| 7/")]

    assert 1 == len(rows)
    assert "false ready" in rows[0]
    assert "no \\| file" in rows[0]


def test_figures_are_counted() -> None:
    """Agreement, false readies and the share of edits that change the truth."""
    text = summary([RIGHT, WRONG, replace(WRONG, number=2), replace(WRONG, number=3)])

    assert "agreement: 1 of 4 (25 %)" in text
    assert "false ready: 3" in text
    assert "3 of 4 (75 %), OUTSIDE 40 to 70 %" in text


def test_a_play_is_kept_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A number that was played is not overwritten: nothing is played again."""
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    record.keep(RIGHT)
    record.keep(replace(RIGHT, verdict="not ready"))
    record.keep(WRONG)

    assert [RIGHT, WRONG] == record.kept([7])


def test_the_worst_guest_tells_a_play() -> None:
    """Of several guests on an edited host one that is judged wrong is enough."""
    both = replace(RIGHT, parts=(PART, FALSE_READY))

    assert "false ready" == both.outcome
    assert not both.works


def test_another_verdict_meets_the_same_truth() -> None:
    """A recording that is judged again is compared with what the host once said."""
    device = {"address": "0000:01:10.0", "intended": True, "assignable": "no", "sentence": "no"}
    host = {"facts": {"devices": [device]}, "findings": [], "diagnosis": [], "verdict": "not ready"}

    assert "false alarm" == judged_again(RIGHT, host, "def").outcome
    assert "wrong cause" == judged_again(WRONG, host, "def").outcome
