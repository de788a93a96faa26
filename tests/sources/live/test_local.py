"""This machine as a source."""

from __future__ import annotations

import asyncio
import os
import subprocess
import sys
import time
from pathlib import Path

import pytest

from pytest_vfio.evidence import Evidence, Status
from pytest_vfio.sources import Target, Unreachable, gather_now, target
from pytest_vfio.sources.live import local, openssh
from pytest_vfio.sources.live.process import Answer, converse


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
    found = local.refusal(Target("h", "local"), Answer(data, said, code, late, 1.0), 60)
    assert found.kind == kind
    assert found.reason.startswith("h: ")
    assert found.reason.isprintable()


def test_a_greeting_that_looks_like_an_end_is_none():
    """A line `%done 3` before the stream begins is somebody's greeting."""
    stream = (
        "echo 'Welcome' '%done 3'; echo '%done 3'; sleep 0.3; printf '%vfio-probe 1\\n%%done 0\\n'"
    )
    command = ["sh", "-c", stream.replace("%vfio", "%%vfio")]
    answer = asyncio.run(converse(command, b"", 20))
    assert answer.stream() is not None
    assert answer.stream().done


def test_what_was_started_ends_with_us(tmp_path):
    """Nothing stays behind of a run that is killed, not even by SIGKILL."""
    mark = tmp_path / "pid"
    script = (
        "import asyncio, sys\n"
        "from pytest_vfio.sources.live.process import converse\n"
        f"asyncio.run(converse(['sh', '-c', 'echo $$ >{mark}; exec sleep 300'], b'', 300))\n"
    )
    with subprocess.Popen([sys.executable, "-c", script]) as process:
        for _ in range(200):
            if mark.exists() and mark.read_text().strip():
                break
            time.sleep(0.05)
        process.kill()
    child = int(mark.read_text())
    for _ in range(100):
        if not alive(child):
            break
        time.sleep(0.05)
    assert not alive(child)


def alive(pid: int) -> bool:
    """A zombie that nobody waits for is not."""
    try:
        return " Z " not in f" {Path('/proc', str(pid), 'stat').read_text().rpartition(')')[2]} "
    except OSError:
        return False


def test_a_limit_is_told_as_it_was_set():
    """Not as the time that it took to give up."""
    late = Answer(b"", "", None, late=True, seconds=77.3)
    assert local.refusal(Target("h", "local"), late, 60).reason == (
        "h: no answer within the time limit of 60 s"
    )
    stopped = local.refusal(Target("h", "local"), Answer(b"x", "", None, late=False, seconds=1), 60)
    assert "exit None" not in stopped.reason


def test_ssh_that_ends_without_a_word():
    """A connection that breaks off during the exchange of keys."""
    found = openssh.explained(
        Target("h", "ssh", "h"), Answer(b"", "", 255, late=False, seconds=15), 60
    )
    assert (found.kind, found.reason) == (
        "unreachable",
        "h: the connection was lost before the login, after 15 s",
    )
