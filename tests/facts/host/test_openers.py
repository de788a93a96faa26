"""Who holds VFIO's nodes open."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from pytest_vfio.facts.host import openers
from tests.hosts.plain import evidence

NODE = "/dev/vfio/7"


@given(st.integers(1, 4194304), st.from_regex(r"[!-~][ -~]{0,13}[!-~]", fullmatch=True))
def test_a_command_may_hold_blanks(pid, command):
    """The path is the last word, the number the first, whatever stands between."""
    read = evidence({openers.ITEM: f"{pid} {command} {NODE}\n{pid} {command} {NODE}0\n"})
    (found,) = openers.known(read, NODE)

    assert (pid, command) == (found.pid, found.command)


@given(st.text())
def test_garbage_holds_nothing(text):
    """No noise is a holder of a node that it does not name."""
    found = openers.known(evidence({openers.ITEM: text}), NODE)

    assert all(NODE in one.quote.line for one in found)
