"""The page of the plays, and the lines that it is made of."""

from dataclasses import replace
from pathlib import Path

import pytest

from tests.lab.oracle import record
from tests.lab.oracle.page import page, summary
from tests.lab.oracle.record import Played

RIGHT = Played(
    7,
    0,
    "guest",
    ("guest: disk",),
    False,
    ("- a; + b",),
    ("a", "b"),
    works=True,
    lives=True,
    truth="",
    said="0000:01:10.0 can be assigned to g1",
    cause="",
    verdict="ready",
    outcome="agreement",
    revision="abc1234",
)
WRONG = replace(
    RIGHT,
    number=1,
    blind=True,
    works=False,
    truth="no | file",
    outcome="false ready",
    kinds=("XML: byte flipped",),
)


def test_a_disagreement_is_shown_whole() -> None:
    """What was edited, said and true stands in one row, and a cell is no border."""
    rows = [line for line in page([RIGHT, WRONG]).splitlines() if line.startswith("| 7/")]

    assert 1 == len(rows)
    assert "false ready" in rows[0]
    assert "no \\| file" in rows[0]


def test_figures_are_counted() -> None:
    """Agreement, false readies and the share of edits that change the truth."""
    text = summary([RIGHT, WRONG, replace(WRONG, number=2), replace(WRONG, number=3)])

    assert "1 of 4 (25 %) agree" in text
    assert "false ready: 3" in text
    assert "3 of 4 (75 %) (OUTSIDE 40 to 70 %)" in text


def test_a_play_is_kept_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A number that was played is not overwritten: nothing is played again."""
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    record.keep(RIGHT)
    record.keep(replace(RIGHT, outcome="false alarm"))
    record.keep(WRONG)

    assert [RIGHT, WRONG] == record.kept([7])
