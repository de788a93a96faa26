"""The short way of a check through pytest tells what the long one tells."""

from __future__ import annotations

import json
import re

import pytest

from tests.plugin.test_session import CHECKS, run  # noqa: F401 - a fixture

#: Somebody looks at each item, and so all go the long way.
WATCHER = "def pytest_runtest_setup(item): pass"
SKIPPER = """
import pytest
def pytest_runtest_setup(item):
    if "DEV003" in item.extra_keyword_matches:
        pytest.skip("not today")
"""

MINE = """
import pytest
from pytest_vfio.check import BLOCKER, check, passes
@check("MY001", severity=BLOCKER)
@pytest.mark.skip(reason="not yet")
def test_mine(hypervisor):
    '''One's own'''
    return passes("it is so")
"""


def told(result, pytester):
    """All that a run says, but for times."""
    report = pytester.path / "reports/junit.xml"
    text = re.sub(r' time(stamp)?="[^"]*"', "", report.read_text())
    document = json.loads((pytester.path / "reports/results.json").read_text())
    return (
        result.ret,
        [re.sub(r"in [0-9.]+s", "", x) for x in result.outlines],
        text,
        {key: document[key] for key in document if key not in {"started", "duration_s"}},
    )


@pytest.mark.parametrize(
    "arguments",
    [["-v", "-rA"], ["-vv"], ["-q", "-x"], ["--maxfail=2"], ["-k", "DEV or IOM"], ["--tb=long"]],
    ids=" ".join,
)
def test_both_ways_tell_the_same(run, pytester, arguments):
    """Words, letters, exit code, and every report."""
    every = [CHECKS, "--host", "sick", *arguments]
    short = told(run(*every), pytester)
    pytester.makeconftest(WATCHER)
    long = told(run(*every), pytester)

    assert short == long


def test_a_hook_of_the_users_is_called(run, pytester):
    """A plugin that skips a check has its way; the others are told as ever."""
    pytester.makepyfile(skipper=SKIPPER)
    result = run("-p", "skipper", CHECKS, "--host", "sick", "-v", "-k", "DEV003 or FW002")

    result.stdout.fnmatch_lines(["*:12:00.0[]] SKIPPED*", "*[[]sick[]] FAIL *"])


def test_a_mark_of_the_users_holds(run, pytester):
    """pytest.mark.skip on a check of one's own skips it."""
    pytester.makepyfile(test_mine=MINE)
    result = run("test_mine.py", "--host", "sick", "-v")

    result.stdout.fnmatch_lines(["*test_mine[[]sick] SKIPPED (not yet)*"])
