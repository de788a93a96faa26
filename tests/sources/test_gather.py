"""Many hosts at once, and how they are named."""

from __future__ import annotations

import asyncio
import time

import pytest

from pytest_vfio.evidence import Evidence, Item, Status
from pytest_vfio.sources import (
    Target,
    TargetError,
    Unreachable,
    bundle_target,
    dump_recording,
    expand,
    gather,
    gather_now,
    libvirt_target,
    target,
)
from pytest_vfio.sources.live import local


def test_readings_come_in_the_order_of_the_targets(tmp_path):
    """Good ones and bad ones, each in its place, and each told once."""
    good = tmp_path / "one.vfio"
    good.write_bytes(dump_recording(Evidence("x", "ssh", {"a": Item("a", Status.PRESENT, b"1\n")})))
    (tmp_path / "bad.txt").write_text("")
    targets = [bundle_target(tmp_path / name) for name in ("bad.txt", "one.vfio", "gone")]
    told = []
    readings = gather_now(targets, progress=lambda one, event: told.append((one.name, event)))
    assert [type(one) for one in readings] == [Unreachable, Evidence, Unreachable]
    assert readings[0].kind == readings[2].kind == "bundle"
    assert readings[1].host == "one"
    assert not readings[1].live
    assert sorted(told) == [
        ("bad", "failed"),
        ("bad", "start"),
        ("gone", "failed"),
        ("gone", "start"),
        ("one", "done"),
        ("one", "start"),
    ]


def test_something_else_is_done_while_hosts_answer(monkeypatch):
    """It begins after the host was spoken to, and ends before it has answered."""
    told = []

    async def slow(one, _limit):
        told.append("asked")
        await asyncio.sleep(0.3)
        told.append("answered")
        return Unreachable(one.name, "x", "failed")

    monkeypatch.setattr(local, "read", slow)
    (reading,) = gather_now([Target("h", "local")], meanwhile=lambda: told.append("meanwhile"))

    assert "h" == reading.host
    assert ["asked", "meanwhile", "answered"] == told


def test_what_fails_meanwhile_is_not_hidden(monkeypatch):
    """A module that cannot be imported is an error of ours, and no host's."""

    async def slow(one, _limit):
        await asyncio.sleep(5)
        return Unreachable(one.name, "x", "failed")

    def broken():
        raise ImportError("no such module")

    monkeypatch.setattr(local, "read", slow)
    began = time.monotonic()
    with pytest.raises(ImportError):
        gather_now([Target("h", "local")], meanwhile=broken)
    assert time.monotonic() - began < 5


@pytest.mark.parametrize("parallel", [1, 3])
def test_no_more_at_once_than_allowed(monkeypatch, parallel):
    """The bound holds, and within it hosts are read side by side."""
    running, most = 0, 0

    async def slow(one, _limit):
        nonlocal running, most
        running += 1
        most = max(most, running)
        await asyncio.sleep(0.02)
        running -= 1
        return Unreachable(one.name, "x", "failed")

    monkeypatch.setattr(local, "read", slow)
    targets = [Target(f"h{number}", "local") for number in range(9)]
    readings = gather_now(targets, parallel=parallel)
    assert [one.host for one in readings] == [one.name for one in targets]
    assert most == parallel


def test_one_host_does_not_take_the_others_with_it(monkeypatch):
    """An error of ours in reading one host is that host's failure."""

    async def broken(_one, _limit):
        raise ZeroDivisionError("oops")

    monkeypatch.setattr(local, "read", broken)
    (found,) = gather_now([Target("h", "local")])
    assert isinstance(found, Unreachable)
    assert found.kind == "failed"
    assert "oops" in found.reason


def test_hosts_over_ssh_side_by_side(sshd):
    """Four hosts that hang take as long as one."""
    one = target("vfio-hang", ssh_config=str(sshd.config))
    began = time.monotonic()
    readings = gather_now([one] * 4, timeout=2)
    assert all(isinstance(reading, Unreachable) for reading in readings)
    assert time.monotonic() - began < 7


def test_giving_up_ends_the_processes(sshd):
    """Ctrl-C while hosts are read: the ssh that was started ends."""

    async def interrupted():
        task = asyncio.create_task(gather([target("vfio-hang", ssh_config=str(sshd.config))]))
        await asyncio.sleep(1)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task

    began = time.monotonic()
    asyncio.run(interrupted())
    assert time.monotonic() - began < 8


@pytest.mark.parametrize(
    ("name", "connection", "kind", "spec", "port"),
    [
        ("local", "", "local", "", None),
        ("box", "local://", "local", "", None),
        ("bmt", "", "ssh", "bmt", None),
        ("root@bmt", "", "ssh", "root@bmt", None),
        ("bmt", "root@10.0.0.1", "ssh", "root@10.0.0.1", None),
        ("bmt", "ssh://root@bmt:2222", "ssh", "root@bmt", 2222),
        ("bmt", "paramiko://Bmt", "ssh", "Bmt", None),
        ("bmt", "ssh://[fe80::1]:22", "ssh", "fe80::1", 22),
        ("c", "docker://c", "testinfra", "docker://c", None),
        ("g", "ansible://g?x=1", "testinfra", "ansible://g?x=1", None),
    ],
)
def test_how_a_host_is_reached(name, connection, kind, spec, port):
    """Inventory words, OpenSSH aliases, testinfra's notation."""
    found = target(name, connection)
    assert (found.name, found.kind, found.spec, found.port) == (name, kind, spec, port)


@pytest.mark.parametrize(
    "word", ["-oProxyCommand=x", "", "a\nb", "telnet://x", "ssh://", "ssh://u:secret@h", "ssh://-x"]
)
def test_what_nobody_can_follow(word):
    """A usage error with words, and no password in them."""
    with pytest.raises(TargetError) as found:
        target(word)
    assert "\n" not in str(found.value)
    assert "secret" not in str(found.value)


def test_names_of_bundles_and_of_libvirt_hosts():
    """The last part of the path without suffixes; a URI's host or path."""
    assert bundle_target("a/sosreport-x.tar.xz").name == "sosreport-x"
    assert bundle_target("a/bmt/").name == "bmt"
    assert bundle_target("dmesg.txt", "web").name == "web"
    assert libvirt_target("qemu+ssh://root@kvm7/system").name == "kvm7"
    assert libvirt_target("test:///default").name == "test-default"
    with pytest.raises(TargetError):
        libvirt_target("no uri")
    assert expand(target("bmt")) == [target("bmt")]
