"""Hosts that only testinfra reaches: the same probe, one command, clear words."""

from __future__ import annotations

import asyncio
import os
import shutil
import subprocess
import time
from pathlib import Path

import pytest

from pytest_vfio.evidence import Status
from pytest_vfio.sources import TargetError, Unreachable, expand, gather_now, target
from pytest_vfio.sources.live import testinfra as bridge
from pytest_vfio.sources.live.patience import in_thread

CHECKS = Path(__file__).parents[3] / "checks/iommu"
BUSYBOX = shutil.which("busybox")
NEEDED = (
    "sh",
    "awk",
    "grep",
    "ls",
    "od",
    "sed",
    "cat",
    "date",
    "id",
    "timeout",
    "printf",
    "head",
    "tail",
    "sort",
    "tr",
    "uname",
    "zcat",
    "dmesg",
)


def absent(monkeypatch, *commands):
    """A machine without these commands."""
    which = shutil.which
    monkeypatch.setattr(
        bridge.shutil, "which", lambda name: None if name in commands else which(name)
    )


@pytest.fixture
def tree(tmp_path):
    """A tiny host: a static busybox, a few files, no /sys, no /proc, no /dev."""
    if os.geteuid() != 0 or BUSYBOX is None:
        pytest.skip("chroot(2) needs root, and the tree a busybox")
    linked = subprocess.run(["ldd", BUSYBOX], capture_output=True, check=False)
    if b"not a dynamic" not in linked.stderr:
        pytest.skip("the busybox here is not static")
    root = tmp_path / "root with 'odd' $(name)"
    for folder in ("bin", "etc/default", "etc/modprobe.d", "dev"):
        (root / folder).mkdir(parents=True)
    shutil.copy(BUSYBOX, root / "bin/busybox")
    for name in NEEDED:
        (root / "bin" / name).symlink_to("busybox")
    (root / "etc/default/grub").write_text('GRUB_CMDLINE_LINUX="intel_iommu=on"\n')
    (root / "etc/modprobe.d/vfio.conf").write_text("options vfio-pci ids=8086:1572\n")
    os.mknod(root / "dev/null", 0o20666, os.makedev(1, 3))
    return root


def test_a_chroot_is_read_by_the_probe(tree):
    """Files are evidence; what no kernel shows in a bare tree is not known to be absent."""
    (evidence,) = gather_now([target(f"chroot://{tree}")])

    assert (evidence.source, evidence.live) == ("testinfra", True)
    assert evidence.read("etc/default/grub") == 'GRUB_CMDLINE_LINUX="intel_iommu=on"\n'
    assert evidence.read("etc/modprobe.d/") == "vfio.conf\n"
    assert evidence.item("etc/crypttab").status is Status.ABSENT
    for name in ("sys/kernel/iommu_groups", "sys/bus/pci/devices", "proc/cmdline", "dev/kvm"):
        assert evidence.item(name).status is Status.NOT_COLLECTED


def test_a_chroot_is_judged_end_to_end(tree, pytester, monkeypatch):
    """`--host chroot:///path`: nothing is invented, and the verdict is that nobody can tell."""
    monkeypatch.delenv("PYTEST_ADDOPTS", raising=False)
    pytester.path.joinpath("pyproject.toml").write_text("[tool.pytest]\nstrict = true\n")
    result = pytester.runpytest_subprocess(
        *("-c", "pyproject.toml", "--import-mode=importlib", CHECKS),
        *("--host", f"chroot://{tree}", "-q"),
    )

    assert result.ret == 0
    result.stdout.fnmatch_lines(["chroot://*cannot tell*read by testinfra*"])


def test_a_path_that_is_no_tree_is_unreachable(tmp_path):
    """In the words of chroot(8)."""
    (reading,) = gather_now([target(f"chroot://{tmp_path}/nowhere", "")])

    assert isinstance(reading, Unreachable)
    assert f"{tmp_path}/nowhere" in reading.reason
    assert "\n" not in reading.reason


@pytest.mark.parametrize(
    ("spec", "command"),
    [
        ("docker://web", "docker"),
        ("podman://web", "podman"),
        ("kubectl://pod?namespace=x", "kubectl"),
        ("lxc://box", "lxc"),
        ("openshift://pod", "oc"),
    ],
)
def test_a_missing_tool_is_named(monkeypatch, spec, command):
    """Not testinfra's, not the shell's words."""
    absent(monkeypatch, command)
    (reading,) = gather_now([target(spec)])

    assert isinstance(reading, Unreachable)
    assert reading.reason == f"{spec} needs the command {command} here, and there is none"


def test_a_group_without_ansible_is_a_usage_error(monkeypatch):
    """Which hosts there are nobody can say."""
    absent(monkeypatch, "ansible-inventory")

    with pytest.raises(TargetError, match="ansible://web needs the command ansible-inventory here"):
        expand(target("ansible://web"))


def test_a_name_is_no_command(monkeypatch, tmp_path):
    """What stands in a spec reaches no shell."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(bridge, "_lacking", lambda _target: "")
    (reading,) = gather_now([target("docker://$(touch owned);touch owned")])

    assert isinstance(reading, Unreachable)
    assert not (tmp_path / "owned").exists()


def test_a_command_that_hangs_is_left_behind(monkeypatch, tmp_path):
    """The run goes on after the limit, and ends without waiting for it."""
    (tmp_path / "docker").write_text("#!/bin/sh\nexec sleep 20\n")
    (tmp_path / "docker").chmod(0o755)
    monkeypatch.setenv("PATH", f"{tmp_path}:{os.environ['PATH']}")
    began = time.monotonic()
    (reading,) = gather_now([target("docker://web")], timeout=0.5)

    assert isinstance(reading, Unreachable)
    assert (reading.kind, reading.reason) == (
        "timeout",
        "docker://web did not answer within 0.5 s",
    )
    assert time.monotonic() - began < 10


def test_an_answer_without_a_recording_is_told(monkeypatch, tmp_path):
    """A container without a shell says so in its own words, made harmless."""
    (tmp_path / "docker").write_text("#!/bin/sh\nprintf 'no \\033[31msh here\\n' >&2\nexit 126\n")
    (tmp_path / "docker").chmod(0o755)
    monkeypatch.setenv("PATH", f"{tmp_path}:{os.environ['PATH']}")
    (reading,) = gather_now([target("docker://web")])

    assert (reading.kind, reading.reason) == (
        "no-shell",
        "docker://web: no shell, or no answer from it: no ?[31msh here",
    )


def test_what_a_thread_raises_or_gives_is_handed_on():
    """The waiting side sees the same as a plain call would."""
    assert asyncio.run(in_thread(int, "7")) == 7
    with pytest.raises(ValueError, match="invalid literal"):
        asyncio.run(in_thread(int, "x"))
