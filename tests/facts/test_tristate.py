"""Something holds, does not hold, or cannot be told."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pytest_vfio.evidence import Item, Lack, Missing, Status
from pytest_vfio.facts.tristate import ask, first, known, require, search

DMESG = Lack("dmesg", Status.DENIED, "run as root")
UNAME = Lack("uname", Status.TIMED_OUT)


def holds(answer: bool | Lack) -> bool:
    """The answer itself, or that it cannot be told."""
    if isinstance(answer, Lack):
        raise Missing(answer)
    return answer


def test_the_first_that_holds_is_found_although_an_earlier_one_was_not_read():
    """What is certain does not wait for the rest."""
    assert first([DMESG, False, True], holds) is True


def test_that_none_holds_needs_each_to_be_known():
    """The exception names all that was not read."""
    assert first([False, False], holds) is None
    with pytest.raises(Missing) as caught:
        first([DMESG, False, UNAME], holds)
    assert (DMESG, UNAME) == caught.value.lacking


def test_that_none_holds_needs_all_things_to_be_known():
    """A list that was cut may have had others."""
    with pytest.raises(Missing, match="uname: timed out"):
        first([False], holds, UNAME)


@given(st.lists(st.sampled_from([True, False, DMESG, UNAME])))
def test_search_leaves_no_thing_out(answers):
    """Each is known to hold, known not to, or told to be lacking."""
    found = search(answers, holds)

    assert answers.count(True) == len(found.known)
    assert set(found.lacking) == {answer for answer in answers if isinstance(answer, Lack)}


@given(st.lists(st.sampled_from([True, False, DMESG, UNAME])))
def test_less_evidence_never_turns_the_answer(answers):
    """A thing that is not known any more makes *none* unknown, and *some* at most unknown."""
    told, _ = ask(first, answers, holds)
    for at in range(len(answers)):
        less, lacking = ask(first, [*answers[:at], DMESG, *answers[at + 1 :]], holds)
        assert less == told or lacking or told is True


def test_whole_parts_are_required_in_vain():
    """An absent item is whole: that it is not there is known."""
    require(Item("a", Status.PRESENT, b"x"), Item("b", Status.ABSENT))
    with pytest.raises(Missing, match=r"^a: denied; dmesg: denied \(run as root\)$"):
        require(Item("a", Status.DENIED), DMESG, DMESG)


def test_an_answer_that_cannot_be_told_is_none():
    """With what would have to be read for it."""
    assert (True, ()) == ask(holds, True)
    assert (None, (DMESG,)) == ask(holds, DMESG)
    assert known(holds, DMESG) is None
