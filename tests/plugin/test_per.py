"""What is one item: a finding, a check on a host, or a host. The reports know every finding."""

from __future__ import annotations

import pytest

from tests.plugin.test_session import CHECKS, document, run  # noqa: F401 - a fixture

MANY = [f"--bundle=h{number}=sick.vfio" for number in range(21)]


def findings(pytester):
    return {
        (host["name"], one["id"], one["subject"]["name"]): (one["outcome"], one["gates"])
        for host in document(pytester)["hosts"]
        for one in host["findings"]
        if one["selected"]
    }


@pytest.mark.parametrize("per", ["host", "check"])
def test_reports_and_exit_code_are_those_of_single_findings(run, pytester, per):
    """Fewer items, the same findings, each of them selected; 1 where one of them gates."""
    single = run(CHECKS, "--host", "sick,bmt", "--per", "subject")
    each = findings(pytester)
    result = run(CHECKS, "--host", "sick,bmt", "--per", per)

    assert result.ret == single.ret == 1
    assert findings(pytester) == each
    assert sum(result.parseoutcomes().values()) < sum(single.parseoutcomes().values())


def test_more_than_twenty_hosts_are_one_item_each(run, pytester):
    """And the header says so; the item tells verdict and first gating finding."""
    result = run(CHECKS, *MANY, "-v")

    assert result.parseoutcomes()["failed"] == len(MANY)
    result.stdout.fnmatch_lines(["items: one a host *", "*collected 21 items", "*host::h0 FAIL *"])
    assert len(document(pytester)["hosts"]) == len(MANY)


@pytest.mark.parametrize(
    "selection",
    [["-k", "FW002"], ["-m", "firmware"], ["-x"], ["--lf"], ["-n", "2"], ["--deselect", "nothing"]],
    ids=" ".join,
)
def test_who_selects_findings_gets_findings(run, pytester, selection):
    """They are what is selected from."""
    result = run(CHECKS, *MANY[:2], "--per", "host", *selection)

    result.stdout.fnmatch_lines(["items: one a finding, not a host, since findings are selected"])
    assert not [line for line in result.outlines if "host::" in line]
    assert {"FW002"} <= {id for _, id, _ in findings(pytester)}


def test_a_host_of_which_nothing_can_be_said_is_one_error(run, pytester):
    """Under --strict-unknown bmt is none that passes, and is not told twice."""
    result = run(CHECKS, "--host", "bmt,away", "--strict-unknown", "--per", "host")

    assert result.ret == 1
    assert result.parseoutcomes() == {"errors": 2}
