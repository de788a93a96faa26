"""What of pytest's own a check may bear, and what is refused in words."""

from __future__ import annotations

import pytest

from tests.plugin.test_session import CHECKS, document, run  # noqa: F401 - a fixture

MINE = """
import pytest
from pytest_vfio.check import BLOCKER, check, fails
from pytest_vfio.evidence import Quote
{above}
@check("MY001", severity=BLOCKER)
{below}
def test_mine(hypervisor{more}):
    '''One's own'''
    return fails("it is not so", actual=1, expected=2, evidence=())
"""


def mine(pytester, above="", below="", more=""):
    pytester.makepyfile(test_mine=MINE.format(above=above, below=below, more=more))
    return "test_mine.py", "--host", "sick"


@pytest.mark.parametrize("place", ["above", "below"])
@pytest.mark.parametrize(
    ("mark", "words"),
    [
        ("@pytest.mark.parametrize('n', [1, 2])", "is marked parametrize: a check is asked once"),
        ("@pytest.mark.usefixtures('tmp_path')", "is marked usefixtures: a check is a function"),
        ("@pytest.mark.xfail", "is marked xfail: *[[][[]waivers]]"),
        ("pytestmark = pytest.mark.usefixtures('tmp_path')", "is marked usefixtures: *"),
    ],
)
def test_a_mark_without_a_meaning_is_refused(run, pytester, mark, words, place):
    """One line with check, file and what to do instead; exit 4."""
    if "pytestmark" in mark and place == "below":
        pytest.skip("a module's mark stands above")
    result = run(*mine(pytester, **{place: mark}))

    assert result.ret == 4
    result.stderr.fnmatch_lines([f"*check MY001 (*test_mine.py) {words}*"])


def test_a_fixture_is_refused(run, pytester):
    """A check is a function of facts."""
    result = run(*mine(pytester, more=", tmp_path"))

    assert result.ret == 2
    result.stdout.fnmatch_lines(["*check MY001: test_mine(hypervisor, tmp_path): expected*"])


@pytest.mark.parametrize(
    ("mark", "ran"),
    [
        ("@pytest.mark.skip(reason='not yet')", False),
        ("@pytest.mark.skipif(True, reason='not yet')", False),
        ("@pytest.mark.skipif(False, reason='not yet')", True),
    ],
)
def test_what_is_skipped_tells_nothing(run, pytester, mark, ran):
    """A check that is marked so is none of this run's findings; the verdict has it all the same."""
    result = run(*mine(pytester, above=mark), CHECKS, "-k", "MY001 or FW001")
    (own,) = [f for f in document(pytester)["hosts"][0]["findings"] if f["id"] == "MY001"]

    assert (result.ret, own["selected"]) == ((1, True) if ran else (0, False))
    assert own["outcome"] == "fail"
