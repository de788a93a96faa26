"""The page that a run of the lab writes."""

from __future__ import annotations

from dataclasses import replace

import pytest

from tests.lab.row import Row
from tests.lab.run import not_passed
from tests.lab.table import page

FAULT = Row(
    "off-comes-later",
    "trixie-server",
    "F22",
    "CMD004 (F22)",
    "intel_iommu=off comes after intel_iommu=on",
    "not ready",
    (),
    ("Checking for secure guest support: WARN", "Checking for X: FAIL"),
    40.0,
    20.4,
    "abc1234",
)
FIRST = replace(FAULT, name="no-viommu", expected="F03, F65", validate=())
HEALTHY = replace(
    FAULT, name="quiet", expected="", verdict="ready", validate=("Checking for X: FAIL",)
)


def _rows(text: str) -> list[list[str]]:
    return [line.strip("| ").split(" | ") for line in text.splitlines() if line.startswith("| ")]


def test_rows_stand_by_the_entry_that_was_injected():
    """A reader looks for a fault of the catalogue."""
    faults = [row[0] for row in _rows(page([FAULT, FIRST, HEALTHY])) if row[0].startswith("F")]

    assert ["F03, F65", "F22"] == faults


def test_what_another_tool_says_stands_once():
    """The lines of virt-host-validate are notes, and the emulation's own are marked."""
    text = page([FAULT, FIRST, HEALTHY])

    others = {row[1]: row[-1] for row in _rows(text) if row[0].startswith("F")}
    assert {"off-comes-later": "1, 2", "no-viommu": "nothing"} == others
    assert "1. Checking for secure guest support: WARN — the emulation alone" in text
    assert text.count("Checking for X: FAIL") == 1


@pytest.mark.parametrize(
    "said",
    [
        "  QEMU: Checking for a  : PASS\n  QEMU: Checking for b : WARN (no b)\n",
        "QEMU: Checking for a : PASS\n  (SVM)\n\nQEMU: Checking for b : WARN (no b)\n",
    ],
    ids=["libvirt 7", "libvirt 12"],
)
def test_what_passes_is_no_note(said: str):
    """Of virt-host-validate's words only warnings and failures are kept."""
    assert ("Checking for b : WARN (no b)",) == not_passed(said)


def test_one_revision_is_told_once():
    """Rows of more than one revision are told too."""
    assert "Judged at revision abc1234, in 31 minutes for all on built hosts." in page(
        [FAULT, HEALTHY], 31.2
    )
    assert "Judged at revision abc1234, def." in page([FAULT, replace(HEALTHY, revision="def")])


def test_a_wrong_row_is_not_called_right():
    """What a run complained of stands in the page, and in its sum."""
    wrong = replace(FAULT, complaints=("first cause is X, not F22",))
    text = page([wrong, FIRST, HEALTHY])

    assert "1 of 2 faults (2 entries of the catalogue)" in text
    assert "first cause is X, not F22" in text
