"""What somebody types of a message, from memory, finds its row."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pytest_vfio.parse.messages import ROWS, explain


@pytest.mark.parametrize(
    ("typed", "meant"),
    [
        ("group 1 is not viable", "group-not-viable"),
        ("not viable", "group-not-viable"),
        ("group 7 is not vialbe", "group-not-viable"),
        ("VFIO_MAP_DMA cannot allocate memory", "memory-not-locked"),
        ("dma map = -12", "memory-not-locked"),
        ("unknown pci header type 127", "pci-header-type-127"),
        ("no iommu group found", "no-iommu-group"),
        ("unmanaged pci device must be detached manually", "unmanaged-not-detached"),
        ("probe failed with error -22", "vfio-probe-22"),
        ("BAR 1: can't reserve mem", "bar-reserved-elsewhere"),
        ("not enough mmio resources for sriov", "vf-no-mmio"),
        ("stuck in D3", "stuck-in-d3"),
        ("numerical result out of range", "write-erange"),
        ("cannot reset device", "no-reset"),
        ("not ready after FLR giving up", "reset-gave-up"),
        ("vfio_bar_restore", "bars-restored"),
        ("code 43", "code-43"),
        ("Device or resource busy /dev/vfio", "vfio-node-busy"),
    ],
)
def test_part_of_a_message_finds_its_row(typed: str, meant: str):
    """Other numbers, other case, a letter too few: the first row is the one that is meant."""
    assert explain(typed)[0].id == meant


@pytest.mark.parametrize(
    "typed",
    ["", "no", "hello world", "the weather is nice today", "kernel panic not syncing"],
)
def test_what_is_like_no_message_finds_none(typed: str):
    """Nothing is guessed for a text of something else."""
    assert explain(typed) == ()


@given(st.text())
def test_any_text_can_be_asked_about(text: str):
    """What is found is of the table, each row once."""
    found = explain(text)

    assert set(found) <= set(ROWS)
    assert len(set(found)) == len(found)
