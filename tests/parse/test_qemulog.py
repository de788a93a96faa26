"""Known error lines in logs."""

from __future__ import annotations

import time

from hypothesis import given
from hypothesis import strategies as st

from pytest_vfio.evidence import Item, Status
from pytest_vfio.parse import qemulog

START = "2026-01-02 03:04:05.678+0000: starting up libvirt version: 11.3.0\n"


def item(text: str) -> Item:
    return Item("log", Status.PRESENT, text.encode("utf-8", "replace"))


@given(st.text())
def test_garbage_has_no_meaning(text):
    """No line of noise is a sign, and nothing is raised."""
    found = list(qemulog.signs(item(text), qemulog.QEMU + qemulog.LIBVIRT + qemulog.AUDIT))

    assert all(sign.known.mark.search(sign.quote.line) for sign in found)


def test_only_the_last_start_counts():
    """QEMU's log is one file over all starts of a guest."""
    log = qemulog.last_start(item(f"{START}old\n{START}new\n"))

    assert f"{START}new\n" == log.text


def test_a_log_cut_at_its_end_stays_cut():
    """The last start was not read to its end: silence is not proof."""
    cut = Item("log", Status.TRUNCATED, START.encode(), "connection lost")

    assert not qemulog.last_start(cut).whole


def test_a_line_is_quoted_as_far_as_it_can_be_shown():
    """A hostile line may be long."""
    (sign,) = qemulog.signs(item("group 1 is not viable" + "x" * 9000), qemulog.QEMU)

    assert qemulog.MAX_LINE == len(sign.quote.line)


def test_hostile_lines_cost_little():
    """No pattern goes back and forth over a long line."""
    lines = ["avc: denied " * 400, "/dev/vfio/" * 900, '" apparmor="DENIED"' * 300] * 30
    before = time.perf_counter()
    list(qemulog.signs(item("\n".join(lines)), qemulog.QEMU + qemulog.LIBVIRT + qemulog.AUDIT))

    assert time.perf_counter() - before < 2
