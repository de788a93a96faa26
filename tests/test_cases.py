"""What people pasted, restated: the first cause of each case, its line, and what is not said."""

from __future__ import annotations

import tomllib
from datetime import date
from functools import cache
from pathlib import Path

import pytest

from pytest_vfio.check import Severity
from pytest_vfio.declared import Declared
from pytest_vfio.judge.host_run import HostRun
from pytest_vfio.judge.policy import Policy
from pytest_vfio.judge.result import HostResult, HostVerdict
from pytest_vfio.sources.bundles.bundle import read_bundle
from pytest_vfio.sources.bundles.paste import carve
from tests.hosts.recorded import whole_suite

CASES = Path(__file__).parents[1] / "fixtures" / "cases"
EXPECTED = tomllib.loads((CASES / "expected.toml").read_text())
FOUND = sorted(name for name, case in EXPECTED.items() if "open" not in case)
CAUSED = [name for name in FOUND if "cause" in EXPECTED[name]]
PASTED = [name for name in CAUSED if (CASES / name / "post.txt").exists()]
POLICY = Policy(frozenset({Severity.BLOCKER}), strict=False, waivers=(), today=date(2026, 11, 22))


def result(run: HostRun) -> HostResult:
    run.judge(whole_suite())
    return run.result(())


@cache
def judged(name: str) -> HostResult:
    post = CASES / name / "post.txt"
    bundle = read_bundle(post if post.exists() else CASES / name / "bundle", "post")
    return result(HostRun(bundle, Declared(), POLICY))


def meets(told: HostResult, expected: dict[str, str]) -> bool:
    """Whether the first cause, or a note, is what is expected."""
    if "note" in expected:
        return any(expected["note"] in note for note in told.notes) and not told.diagnosis
    if not told.diagnosis:
        return False
    first = told.diagnosis[0]
    finding = told.finding_of(first)
    return (
        (first.id, first.subject.name) == (expected["cause"], expected["subject"])
        and expected["words"] in finding.message
        and any(expected["line"] in quote.line for quote in finding.evidence)
        and expected.get("ref", "") in (*finding.refs, "")
    )


def test_every_case_says_what_is_expected_of_it():
    """No case is left out."""
    assert sorted(EXPECTED) == sorted(path.name for path in CASES.iterdir() if path.is_dir())


@pytest.mark.parametrize("name", FOUND)
def test_the_first_cause_of_a_case_is_found(name):
    """Check, subject, entry of the catalogue, line and words; or that nothing is wrong."""
    assert meets(judged(name), EXPECTED[name])


@pytest.mark.parametrize("name", sorted(EXPECTED))
def test_nothing_wrong_is_said_of_a_case(name):
    """What the post itself rules out is no cause."""
    assert {cause.id for cause in judged(name).diagnosis}.isdisjoint(EXPECTED[name]["not"])


@pytest.mark.parametrize("name", sorted(EXPECTED))
def test_a_case_that_is_open_is_not_called_ready(name):
    """Nobody may start a guest because of a text."""
    assert judged(name).verdict is not HostVerdict.READY


@pytest.mark.parametrize("name", FOUND)
def test_a_case_meets_the_expectations_of_no_other(name):
    """Each expectation tells its case apart; two cases without any group are of one kind."""
    same = {"09-kali-no-group-for-usb", "13-am3-plus-listing-with-a-star"}
    others = [one for one in FOUND if one != name and not {one, name} <= same]

    assert [] == [one for one in others if meets(judged(name), EXPECTED[one])]


def _quoted(text: str) -> str:
    return "".join(f"> {line}\n" for line in text.splitlines())


def _unstamped(text: str) -> str:
    return "".join(f"{line[line.find('] ') + 2:] if line.startswith('[ ') else line}\n"
                   for line in text.splitlines())  # fmt: skip


def _with_callers(text: str) -> str:
    return "".join(f"{line.replace('] ', '] [    T1] ', 1) if line.startswith('[ ') else line}\n"
                   for line in text.splitlines())  # fmt: skip


@pytest.mark.parametrize("change", [_quoted, _unstamped, _with_callers])
@pytest.mark.parametrize("name", PASTED)
def test_a_paste_that_was_changed_on_its_way_has_no_other_cause(name, change):
    """The same first cause, or none: never another."""
    text = change((CASES / name / "post.txt").read_text())
    told = result(HostRun(carve(text, "post"), Declared(), POLICY))
    causes = [(cause.id, cause.subject.name) for cause in told.diagnosis]
    first = (EXPECTED[name]["cause"], EXPECTED[name]["subject"])

    assert not causes or first in causes or causes[0][0] in {"MSG001", "MSG002"}
