"""Evidence that was cut never makes a host look better, wherever the cut goes through.

On hosts on which everything is wrong: what is right cannot get better.
"""

from __future__ import annotations

from functools import cache

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pytest_vfio.evidence import Evidence, Item, Status
from pytest_vfio.hypervisor.hypervisor import Hypervisor
from pytest_vfio.judge.judgement import Judgement
from pytest_vfio.judge.suite import layer
from pytest_vfio.sources.bundles.recording import dump_recording, load_recording
from tests.hosts.all_wrong import WORLDS, world
from tests.hosts.recorded import whole_suite
from tests.less import Told, changed, complaints, cut, denied, ended

ITEMS = [(name, item) for name in WORLDS for item in world(name)[0].items]
each_item = pytest.mark.parametrize(
    ("name", "item"), ITEMS, ids=[f"{name}-{item}" for name, item in ITEMS]
)


def told(name: str, evidence: Evidence) -> Told:
    return Told(Judgement(whole_suite(), Hypervisor(evidence, world(name)[1])))


@cache
def before(name: str) -> Told:
    return told(name, world(name)[0])


def better(name: str, evidence: Evidence) -> list[str]:
    """What looks better on this evidence than on all of it."""
    return complaints(before(name), told(name, evidence))


def places(item: Item) -> list[int]:
    """Where to cut: behind every line, and at many places in what has but a line or two."""
    lines = item.data.split(b"\n")
    found = [0]
    for line in lines[:-1]:
        found.append(found[-1] + len(line) + 1)
    few = range(0, len(item.data), len(item.data) // 12 + 1) if len(lines) < 4 else ()
    return sorted({*found, *few})


@each_item
def test_no_cut_makes_anything_better(name, item):
    """Cut at any line of any item, nothing that was bad is good, and no finding is gone."""
    evidence = world(name)[0]
    read = evidence.item(item)
    cuts = {at: changed(evidence, cut(read, at)) for at in places(read)} if read.data else {}

    assert {} == {at: found for at, less in cuts.items() if (found := better(name, less))}


@each_item
def test_a_file_of_the_kernel_that_lost_its_end_makes_nothing_better(name, item):
    """Nobody says that it was cut: it has no line feed at its end, which the kernel never omits."""
    evidence = world(name)[0]
    data = evidence.item(item).data if item.startswith(("proc/", "sys/")) else b""
    for at in range(1, len(data) - 1, len(data) // 5 + 1):
        part = Item(item, Status.PRESENT, data[:at].rstrip(b"\n"))
        kept = dump_recording(changed(evidence, part))
        assert [] == better(name, load_recording(kept, name))


@each_item
def test_an_item_that_was_not_read_makes_nothing_better(name, item):
    """Not asked for by anybody, or denied."""
    evidence = world(name)[0]
    for less in (evidence.without([item]), changed(evidence, denied(evidence.item(item)))):
        assert [] == better(name, less)


@pytest.mark.parametrize("name", WORLDS)
@settings(max_examples=40, deadline=None)
@given(share=st.floats(0, 1))
def test_a_recording_that_ends_early_makes_nothing_better(name, share):
    """Cut at any byte."""
    assert [] == better(name, ended(world(name)[0], share))


def test_everything_is_wrong_on_these_hosts():
    """Of all checks, few find nothing on any of them.

    Those of known messages are left out: they judge only where no state was read.
    """
    judged = {check.id for check in whole_suite() if layer(check) != "messages"}
    bad = {one.id for name in WORLDS for one in before(name).findings.values() if _bad(one)}

    assert len(bad & judged) >= 0.85 * len(judged)


def _bad(finding) -> bool:
    return finding.outcome in {"fail", "blocked"}
