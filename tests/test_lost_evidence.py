"""Evidence that is missing never makes a host look better: unknown is never pass."""

from __future__ import annotations

from functools import cache

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pytest_vfio.evidence import Evidence
from tests.hosts.recorded import bundles, evidence, judge, lab_bundles
from tests.less import Told, changed, complaints, cut, denied, ended

NAMES = tuple(bundles())
SINGLES = [(name, item) for name in NAMES for item in evidence(name).items]
each_single = pytest.mark.parametrize(
    ("name", "item"), SINGLES, ids=[f"{name}-{item}" for name, item in SINGLES]
)


@cache
def before(name: str) -> Told:
    return Told(judge(name))


def better(name: str, less: Evidence) -> list[str]:
    """What looks better on less evidence than on all of it."""
    return complaints(before(name), Told(judge(name, less)))


def halved(name: str, item: str) -> Evidence:
    read = evidence(name)
    whole = read.item(item)
    return changed(read, cut(whole, len(whole.data) // 2))


def refused(name: str, item: str) -> Evidence:
    read = evidence(name)
    return changed(read, denied(read.item(item)))


@each_single
def test_an_item_less_is_never_better(name, item):
    """Without any one item, nothing that was bad is good, and no finding is gone."""
    assert [] == better(name, evidence(name).without([item]))


@each_single
def test_half_an_item_is_never_better(name, item):
    """An item whose transfer was cut in the middle proves what it shows, and no more."""
    assert [] == better(name, halved(name, item))


@each_single
def test_a_denied_item_is_never_better(name, item):
    """An item that the user may not read is known to exist, and no more."""
    assert [] == better(name, refused(name, item))


@pytest.mark.parametrize("name", NAMES)
@settings(max_examples=60, deadline=None)
@given(data=st.data())
def test_two_items_less_are_never_better(name, data):
    """Without any two items, nothing that was bad is good, and no finding is gone."""
    items = sorted(evidence(name).items)
    gone = data.draw(st.lists(st.sampled_from(items), min_size=2, max_size=2))

    assert [] == better(name, evidence(name).without(gone))


@pytest.mark.parametrize("name", lab_bundles())
@settings(max_examples=10, deadline=None)
@given(data=st.data())
def test_less_of_a_lab_host_is_never_better(name, data):
    """Broken or healthy: an item or two gone, one halved or denied, or the recording cut."""
    items = sorted(evidence(name).items)
    gone = data.draw(st.lists(st.sampled_from(items), min_size=1, max_size=2))
    less = data.draw(
        st.sampled_from(
            [
                evidence(name).without(gone),
                halved(name, gone[0]),
                ended(evidence(name), data.draw(st.floats(0, 1))),
                refused(name, gone[0]),
            ]
        )
    )

    assert [] == better(name, less)
