"""The generator of edits: pure, even, and never idle."""

import xml.etree.ElementTree as ET
from collections import Counter
from random import Random

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.lab.oracle.bytewise import TEXT_EDITS
from tests.lab.oracle.generate import BLIND, TYPED, GuestPlay, edited, kinds, place, plays
from tests.lab.oracle.ground import CARDS
from tests.lab.oracle.guest import guest

SEEDS = st.integers(0, 2**31)
NUMBERS = st.integers(0, 2000)


@settings(max_examples=15)
@given(SEEDS)
def test_a_seed_is_one_series_of_plays(seed: int) -> None:
    """Who has the seed can play it again, and more of it begins the same."""
    assert plays(seed, 12) == plays(seed, 20)[:12]


@settings(max_examples=15)
@given(SEEDS)
def test_every_edit_of_a_guest_changes_it(seed: int) -> None:
    """A play never hands over the guest as it was, but for edits that undo each other."""
    for play in plays(seed, 20):
        if isinstance(play, GuestPlay):
            assert 1 <= len(play.edits) <= 3
            assert play.xml != play.guest.xml or len(play.edits) > 1


@settings(max_examples=15)
@given(SEEDS)
def test_guests_of_a_batch_share_nothing(seed: int) -> None:
    """Guests that follow each other have cards of their own, as many as the host has."""
    guests = [play.guest for play in plays(seed, 40) if isinstance(play, GuestPlay)]

    for first in range(0, len(guests), len(CARDS)):
        cards = [card for one in guests[first : first + len(CARDS)] for card in one.cards]
        assert len(cards) == len(set(cards))


@given(SEEDS, NUMBERS)
def test_edits_of_one_play_are_in_one_place(seed: int, number: int) -> None:
    """A guest's XML, the running host, or what its next boot reads."""
    assert 1 == len({place(kind) for kind in kinds(seed, number)})


@settings(max_examples=15)
@given(SEEDS)
def test_kinds_take_turns(seed: int) -> None:
    """In a whole round every kind comes first as often as any other of its half."""
    rounds = len(BLIND) * len(TYPED)
    first = Counter(kinds(seed, number)[0] for number in range(2 * rounds))

    assert {len(TYPED)} == {first[kind] for kind in BLIND}
    assert {len(BLIND)} == {first[kind] for kind in TYPED}


@given(SEEDS)
def test_half_of_the_plays_are_blind(seed: int) -> None:
    """Every second play does not know what it edits."""
    first = [kinds(seed, number)[0] in BLIND for number in range(100)]

    assert sum(first) == 50


@given(SEEDS, st.sampled_from(CARDS))
def test_an_unedited_guest_names_its_cards(seed: int, cards: tuple[str, ...]) -> None:
    """The guest that is edited is XML, with a hostdev for each function."""
    root = ET.fromstring(guest(Random(seed), "g", cards).xml)

    assert len(root.findall("devices/hostdev")) == len(cards)


@given(SEEDS, st.text(), st.sampled_from(sorted(TEXT_EDITS)))
def test_no_text_is_too_strange_for_a_blind_edit(seed: int, text: str, kind: str) -> None:
    """A byte, a line or a number of any text can be edited."""
    assert isinstance(TEXT_EDITS[kind](Random(seed), text), str)


@pytest.mark.parametrize("kind", [kind for kind in (*BLIND, *TYPED) if place(kind) == "guest"])
@settings(max_examples=15)
@given(SEEDS, st.sampled_from(["", "<domain", "<domain/>", "<domain><devices/></domain>"]))
def test_an_edit_can_follow_any_other(kind: str, seed: int, xml: str) -> None:
    """What an edit before it left is edited too."""
    assert isinstance(edited(Random(seed), kind, xml), str)
