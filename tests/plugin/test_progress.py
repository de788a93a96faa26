"""While hosts are read: who is waited for, how many failed, and for how long."""

from __future__ import annotations

import io
import re
import threading

import pytest
from rich.console import Console

from pytest_vfio.plugin import bar, progress
from pytest_vfio.sources import Target

A, B, C, D, E = (Target(name, "ssh") for name in "abcde")


def test_the_line_names_those_that_are_waited_for():
    """The longest first, and not the one that was begun last; failures are counted."""
    waiting = progress.Waiting(6)
    for target in (A, B, C, D, E):
        waiting.heard(target, "start")
    waiting.heard(B, "failed")

    assert re.fullmatch(
        r"reading: 1 of 6 hosts in 0 s; 1 failed; waiting for a, c and 2 more \(0 s\)", waiting.line
    )


def test_a_host_that_answered_is_waited_for_no_more():
    """In the end there is nobody left to name."""
    waiting = progress.Waiting(1)
    waiting.heard(A, "start")
    waiting.heard(A, "done")

    assert waiting.line == "reading: 1 of 1 hosts in 0 s"


def test_a_name_is_harmless():
    """It comes from a file name as well as from what was typed."""
    waiting = progress.Waiting(1)
    waiting.heard(Target("x\x9b31m", "ssh"), "start")

    assert "\x9b" not in waiting.line


def test_where_nobody_watches_a_line_is_written_now_and_then(monkeypatch):
    """CI shows it as it comes; what is over within that time says nothing."""
    monkeypatch.setattr(progress, "EVERY", 0.01)
    written, second = [], threading.Event()

    def write(line):
        written.append(line)
        if len(written) == 2:
            second.set()

    with progress.told(2, write) as watch:
        watch(A, "start")
        second.wait()

    assert all(line.startswith("reading: 0 of 2 hosts in ") for line in written)


@pytest.mark.parametrize("width", [40, 200])
def test_where_somebody_watches_it_is_a_bar(width):
    """It draws, and is gone in the end."""
    out = io.StringIO()
    with bar.watched(2, Console(file=out, force_terminal=True, width=width)) as watch:
        watch(A, "start")
        watch(A, "failed")
        watch(B, "start")

    assert "1/2" in out.getvalue()
