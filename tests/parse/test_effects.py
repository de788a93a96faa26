"""What a command line does, and what of two lines is the better one."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pytest_vfio.parse.effects import compare, effects, relevant
from pytest_vfio.parse.words import parse


def change(here: str, there: str):
    return compare(parse(here.encode()), parse(there.encode()))


@pytest.mark.parametrize(
    ("here", "there", "arriving", "leaving"),
    [
        ("iommu=pt", "", True, False),
        ("", "iommu=pt", False, True),
        ("", "iommu=off", True, False),
        ("iommu=off", "", False, True),
        ("intel_iommu=off", "intel_iommu=on", False, True),
        ("intel_iommu=on", "intel_iommu=off", True, False),
        ("intel_iommu=on intel_iommu=off", "intel_iommu=off intel_iommu=on", False, True),
        ("intel_iommu=off intel_iommu=on", "intel_iommu=on intel_iommu=off", True, False),
        ("intel_iommu=on", "intel_iommu=1 intel_iommu=on", False, False),
        ("", "intremap=nosid", True, False),
        ("intremap=off intremap=on", "", False, False),
        ("", "pci=nomsi,realloc", True, True),
        ("", "amd_iommu=on", False, False),
        ("amd_iommu=on", "", False, False),
        ("-- intel_iommu=off", "", False, False),
        ("", "-- iommu=pt", False, False),
        ("vfio-pci.ids=8086:1572", "-- vfio-pci.ids=8086:1572", True, False),
        ("vfio-pci.ids=8086:1572", "vfio_pci.ids=8086:0x1572", False, False),
        ("vfio-pci.ids=8086:1572,10de:1b80", "vfio-pci.ids=10de:1b80", True, False),
        ("vfio-pci.ids=10de:1b80", "vfio-pci.ids=8086:1572", True, True),
        ("module_blacklist=vfio_pci", "", False, True),
        ("", "modprobe.blacklist=kvm-intel", True, False),
        ("modprobe.blacklist=nouveau", "", True, False),
        ("vfio_iommu_type1.allow_unsafe_interrupts=1", "", False, True),
        ("vfio_iommu_type1.allow_unsafe_interrupts=0", "", False, False),
        ("acpi=off", "acpi=force", False, True),
        ("quiet splash", "ro console=tty0", False, False),
    ],
)
def test_a_comparison_has_a_direction(here, there, arriving, leaving):
    """What the first line brings is good, what it takes is not; idle and late words do nothing."""
    found = change(here, there)

    assert (arriving, leaving) == (bool(found.arriving), bool(found.leaving))


def test_assignment_does_not_depend_on_every_effect():
    """iommu=pt is a matter of speed, an off of everything."""
    assert [False] == [effect.decides for effect in change("iommu=pt", "").arriving]
    assert [True] == [effect.decides for effect in change("", "iommu=off").arriving]
    assert [False] == [effect.decides for effect in change("pci=noaer", "").arriving]


def test_the_words_of_both_lines_are_shown_for_what_differs():
    """Also that one of them has none, and that one stands behind the dashes."""
    found = change("intel_iommu=on ro", "ro -- intel_iommu=on")

    assert ("intel_iommu=on", "-- intel_iommu=on") == found.worded(found.arriving)
    found = change("", "iommu=off")
    assert ("no iommu", "iommu=off") == found.worded(found.arriving)


def test_only_words_that_decide_about_assignment_count():
    """console= may differ."""
    assert relevant("vfio_pci.ids")
    assert not relevant("console")


WORDS = st.lists(
    st.sampled_from(
        (
            "intel_iommu=on",
            "intel_iommu=off",
            "iommu=pt",
            "iommu=off",
            "intremap=nosid",
            "--",
            "pci=nomsi,realloc",
            "amd_iommu=off",
            "vfio-pci.ids=8086:1572",
            "module_blacklist=vfio",
            "iommu.passthrough=0",
            "x",
        )
    )
).map(" ".join)


@given(WORDS, WORDS)
def test_the_other_way_round_what_arrives_leaves(here, there):
    """Gains are the other's losses, harm is what the other sheds; a line against itself is equal."""
    forth, back = change(here, there), change(there, here)
    keys = lambda found: {effect.key for effect in found if not effect.word.after_dashes}  # noqa: E731

    assert keys(back.losses) <= keys(forth.gains)
    assert keys(forth.harms) == keys(back.sheds)
    assert ((), ()) == (change(here, here).arriving, change(here, here).leaving)


@given(st.binary(max_size=200))
def test_any_line_has_effects(line):
    """Never an exception."""
    assert all(effect.key for effect in effects(parse(line)).values())
