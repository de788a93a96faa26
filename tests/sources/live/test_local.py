"""This machine as a source."""

from __future__ import annotations

import os
import time

import pytest

from pytest_vfio.evidence import Evidence, Status
from pytest_vfio.sources import Target, Unreachable, gather_now, target
from pytest_vfio.sources.live import local
from pytest_vfio.sources.live.process import Answer


def test_this_machine_is_read():
    """Without SSH, live, every item answered for."""
    (read,) = gather_now([target("local")])
    assert isinstance(read, Evidence)
    assert (read.host, read.source, read.live) == ("local", "local", True)
    assert read.text("proc/sys/kernel/osrelease").strip() == os.uname().release


def test_the_time_limit_is_kept():
    """A limit that is too short ends it, whatever was read by then."""
    began = time.monotonic()
    (read,) = gather_now([target("local")], timeout=0.01)
    assert time.monotonic() - began < 5
    if isinstance(read, Unreachable):
        assert read.kind == "timeout"
    else:
        assert read.item("initramfs").status is Status.NOT_COLLECTED


@pytest.mark.parametrize(
    ("one", "root", "words"),
    [
        (Target("h", "local"), False, ["sh", "-s"]),
        (Target("h", "local", sudo=True), False, ["sudo", "-n", "sh", "-s"]),
        (Target("h", "local", sudo=True), True, ["sh", "-s"]),
        (
            Target("h", "local", sudo=True, sudo_user="kvm"),
            True,
            ["sudo", "-n", "-u", "kvm", "sh", "-s"],
        ),
    ],
)
def test_sudo_never_asks(one, root, words):
    """`sudo -n`, and none at all where it would change nothing."""
    assert local.shell(one, root=root) == words


@pytest.mark.parametrize(
    ("said", "data", "code", "late", "kind"),
    [
        ("sudo: a password is required\n", b"", 1, False, "denied"),
        ("", b"", 0, False, "no-shell"),
        ("sh: not found\n", b"", 127, False, "no-shell"),
        ("", b"\x1b[31mwelcome\n", 0, False, "no-shell"),
        ("", b"", None, True, "timeout"),
    ],
)
def test_a_shell_that_gives_no_stream(said, data, code, late, kind):
    """One line of words, fit for a terminal, that begins with the host's name."""
    found = local.refusal(Target("h", "local"), Answer(data, said, code, late, 1.0))
    assert found.kind == kind
    assert found.reason.startswith("h: ")
    assert found.reason.isprintable()
