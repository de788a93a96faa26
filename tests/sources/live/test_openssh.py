"""Hosts behind a real sshd on loopback, through the system's ssh."""

from __future__ import annotations

import contextlib
import os
import shutil
import time
import uuid
from pathlib import Path

import pytest

from pytest_vfio.evidence import Evidence, Status
from pytest_vfio.sources import Target, TargetError, Unreachable, gather_now, target
from pytest_vfio.sources.live import openssh
from pytest_vfio.sources.table import PLAIN_NAMES
from tests.hosts.sshd import Sshd

pytestmark = pytest.mark.usefixtures("sshd")


def read(server: Sshd, alias: str, timeout: float = 30, **more):
    """One host, as the suite would read it."""
    one = target(alias, ssh_config=str(server.config), **more)
    return gather_now([one], timeout=timeout)[0]


def test_a_host_is_read_in_one_session(sshd):
    """Over real SSH: whole, live, and at a known time."""
    evidence = read(sshd, "vfio-root")
    assert isinstance(evidence, Evidence)
    assert (evidence.source, evidence.live) == ("ssh", True)
    assert evidence.collected
    assert set(PLAIN_NAMES) <= set(evidence.items)
    assert evidence.text("proc/cmdline").strip()


def test_a_user_without_rights_gets_no_secrets_and_says_so(sshd):
    """Denied items say that they are; nothing is invented."""
    evidence = read(sshd, "vfio-plain")
    assert isinstance(evidence, Evidence)
    for name in ("vfio/openers", "sockets/sshd"):
        assert evidence.item(name).status is Status.DENIED, name
    assert evidence.item("proc/iomem").status in {Status.DENIED, Status.ABSENT}


@pytest.mark.parametrize(
    ("alias", "kind", "word"),
    [
        ("vfio-stranger", "host-key", "host key is not known"),
        ("vfio-impostor", "host-key", "not the known one"),
        ("vfio-nobody", "denied", "login refused"),
        ("vfio-closed", "unreachable", "nothing listens"),
        ("vfio-nologin", "no-shell", "not available"),
        ("vfio-rubbish", "no-shell", "no POSIX shell answered"),
        ("no-such-host.invalid", "unresolved", "not resolved"),
    ],
)
def test_what_goes_wrong_is_said_in_words(sshd, alias, kind, word):
    """Every kind of failure has its own sentence, on one line, with the host's name first."""
    one = target(alias, ssh_config=str(sshd.config))
    answer = gather_now([one], timeout=20)[0]
    assert isinstance(answer, Unreachable), answer
    assert (answer.kind, answer.host) == (kind, alias)
    assert answer.reason.startswith(f"{alias}: ")
    assert word in answer.reason
    assert "\n" not in answer.reason


def test_noise_of_a_login_does_no_harm(sshd):
    """A banner before the stream, even one without a line feed at its end."""
    evidence = read(sshd, "vfio-banner")
    assert isinstance(evidence, Evidence)
    assert "no" not in evidence.items
    assert evidence.text("proc/cmdline").strip()


def test_a_hang_ends_at_the_limit(sshd):
    """A host that says nothing costs its own time and no more."""
    began = time.monotonic()
    answer = read(sshd, "vfio-hang", timeout=2)
    assert isinstance(answer, Unreachable)
    assert answer.kind == "timeout"
    assert time.monotonic() - began < 8


def test_what_came_before_a_hang_is_kept(sshd):
    """What hung is timed out and keeps its lines; later items are not collected, and say why."""
    alias = sshd.alias(
        "vfio-half",
        "printf '%s\\n' '%vfio-probe 1' '%item proc/cmdline' '|quiet' '%end present'"
        " '%item dmesg' '|first' '|sec'; sleep 30",
    )
    evidence = read(sshd, alias, timeout=2)
    assert isinstance(evidence, Evidence)
    assert evidence.text("proc/cmdline") == "quiet\n"
    assert evidence.item("dmesg").status is Status.TIMED_OUT
    assert evidence.item("dmesg").lines[0] == "first"
    later = evidence.item("virsh/list")
    assert later.status is Status.NOT_COLLECTED
    assert "time limit of 2 s" in later.detail
    assert "dmesg" in later.detail


def test_a_broken_transfer_is_noticed(sshd):
    """The connection ends in the middle: truncated, and everything after it not collected."""
    evidence = read(sshd, "vfio-cut")
    assert isinstance(evidence, Evidence)
    statuses = [item.status for item in evidence.items.values()]
    assert statuses.count(Status.TRUNCATED) <= 1
    assert Status.NOT_COLLECTED in statuses
    assert "broke off" in evidence.item("virsh/list").detail


def test_sudo_without_a_password(sshd):
    """`--sudo` is `sudo -n`: it works or it says so, and it never waits for a password."""
    answer = read(sshd, "vfio-plain", sudo=True)
    if isinstance(answer, Unreachable):
        assert answer.kind in {"denied", "no-shell"}
        assert "sudo" in answer.reason
    else:
        assert answer.item("vfio/openers").status is Status.PRESENT


@pytest.mark.skipif(shutil.which("sudo") is None, reason="no sudo here")
@pytest.mark.skipif(os.geteuid() != 0, reason="nobody else is sure to be allowed")
def test_sudo_where_it_is_allowed(sshd):
    """The whole session runs under one `sudo -n`."""
    evidence = read(sshd, "vfio-root", sudo=True)
    assert isinstance(evidence, Evidence)
    assert evidence.item("vfio/openers").status is Status.PRESENT


def test_a_name_that_looks_like_an_option_is_refused():
    """Neither by way of the command line nor of a Target made elsewhere."""
    with pytest.raises(TargetError):
        target("-oProxyCommand=x")
    with pytest.raises(TargetError):
        openssh.command(Target("x", "ssh", "-oProxyCommand=x"), 10)
    words = openssh.command(target("host", "ssh://root@host:2222", ssh_identity="k"), 10)
    assert words[words.index("--") + 1] == "root@host"
    assert words[words.index("-p") + 1] == "2222"


def test_host_keys_are_always_checked_as_the_user_says():
    """Nothing on ssh's command line weakens it."""
    words = " ".join(openssh.command(target("host"), 10))
    assert "StrictHostKeyChecking" not in words
    assert "UserKnownHostsFile" not in words
    assert "BatchMode=yes" in words


def test_nothing_stays_behind(sshd):
    """Neither here nor there: no ssh, no shell, no sleep."""
    mark = f"PYTEST_VFIO_MARK={uuid.uuid4()}"
    alias = sshd.alias("vfio-marked", f"{mark} exec sh -s")
    read(sshd, alias)
    for _ in range(50):
        left = _processes(mark, alias)
        if not left:
            return
        time.sleep(0.1)
    assert not left


def _processes(mark: str, alias: str) -> list[str]:
    """The processes that bear the mark in their environment, or the alias among their words."""
    found = []
    for folder in Path("/proc").glob("[0-9]*"):
        with contextlib.suppress(OSError):
            words = (folder / "cmdline").read_bytes().split(b"\0")
            if alias.encode() in words or mark.encode() in (folder / "environ").read_bytes():
                found.append(b" ".join(words).decode())
    return found
