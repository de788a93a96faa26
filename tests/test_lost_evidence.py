"""Evidence that is missing never makes a host look better: unknown is never pass."""

from __future__ import annotations

from functools import cache
from types import MappingProxyType

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from msgspec import structs

from pytest_vfio.check import Outcome
from pytest_vfio.evidence import Evidence, Status
from pytest_vfio.judge.diagnosis import HostVerdict, diagnose
from pytest_vfio.judge.judgement import Finding, Judgement, Key
from tests.golden.matrix import POLICY
from tests.hosts.recorded import bundles, evidence, judge, lab_bundles

BAD = {Outcome.FAIL, Outcome.UNKNOWN, Outcome.BLOCKED}
GOOD = {Outcome.PASS, Outcome.SKIP}

NAMES = tuple(bundles())
SINGLES = [(name, item) for name in NAMES for item in evidence(name).items]
each_single = pytest.mark.parametrize(
    ("name", "item"), SINGLES, ids=[f"{name}-{item}" for name, item in SINGLES]
)


def findings(judgement: Judgement) -> dict[Key, Finding]:
    return {finding.key: finding for finding in judgement}


@cache
def before(name: str) -> dict[Key, Finding]:
    return findings(judge(name))


def verdict(judgement: Judgement) -> HostVerdict:
    return diagnose(judgement, POLICY.judge(judgement)).verdict


def complaints(name: str, less: Evidence) -> list[str]:
    """Where less evidence made something look better, or go away."""
    judgement = judge(name, less)
    after = findings(judgement)
    found = []
    for key, was in before(name).items():
        # A subject that is no longer known is stood in for by the host.
        now = after.get(key) or after.get((was.id, "host", name))
        if now is None:
            found.append(f"{key}: {was.outcome} has vanished")
        elif now.key != key and now.outcome in GOOD:
            found.append(f"{key}: {was.outcome} has vanished, and the host says {now.message}")
        elif was.outcome in BAD and now.outcome in GOOD:
            found.append(
                f"{key}: {was.outcome} ({was.message}) became {now.outcome} ({now.message})"
            )
    found += [
        f"{f.key}: {f.message}\n{f.actual}" for f in after.values() if f.outcome is Outcome.ERROR
    ]
    if verdict(judgement) is HostVerdict.READY and verdict(judge(name)) is not HostVerdict.READY:
        found.append("the host became ready")
    return found


def changed(name: str, item: str, status: Status, data: bytes) -> Evidence:
    read = evidence(name)
    worse = structs.replace(read.item(item), status=status, data=data)
    return structs.replace(read, items=MappingProxyType({**read.items, item: worse}))


def halved(name: str, item: str) -> Evidence:
    data = evidence(name).item(item).data
    return changed(name, item, Status.TRUNCATED, data[: len(data) // 2])


@each_single
def test_an_item_less_is_never_better(name, item):
    """Without any one item, nothing that was bad is good, and no finding is gone."""
    assert [] == complaints(name, evidence(name).without([item]))


@each_single
def test_half_an_item_is_never_better(name, item):
    """An item whose transfer was cut in the middle proves what it shows, and no more."""
    assert [] == complaints(name, halved(name, item))


@each_single
def test_a_denied_item_is_never_better(name, item):
    """An item that the user may not read is known to exist, and no more."""
    assert [] == complaints(name, changed(name, item, Status.DENIED, b""))


@pytest.mark.parametrize("name", NAMES)
@settings(max_examples=60, deadline=None)
@given(data=st.data())
def test_two_items_less_are_never_better(name, data):
    """Without any two items, nothing that was bad is good, and no finding is gone."""
    items = sorted(evidence(name).items)
    gone = data.draw(st.lists(st.sampled_from(items), min_size=2, max_size=2))

    assert [] == complaints(name, evidence(name).without(gone))


@pytest.mark.parametrize("name", lab_bundles())
@settings(max_examples=10, deadline=None)
@given(data=st.data())
def test_less_of_a_lab_host_is_never_better(name, data):
    """Broken or healthy, without an item or two, with half of one, or with one denied."""
    items = sorted(evidence(name).items)
    gone = data.draw(st.lists(st.sampled_from(items), min_size=1, max_size=2))
    less = data.draw(
        st.sampled_from(
            [
                evidence(name).without(gone),
                halved(name, gone[0]),
                changed(name, gone[0], Status.DENIED, b""),
            ]
        )
    )

    assert [] == complaints(name, less)
