"""A run that CI ends leaves nothing behind."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from tests.plugin.test_session import CHECKS

needs_ssh = pytest.mark.skipif(shutil.which("ssh") is None, reason="no ssh here")


def talking(config):
    """The processes that were started with this ssh_config."""
    found = []
    for file in Path("/proc").glob("[0-9]*/cmdline"):
        try:
            words = file.read_bytes().split(b"\0")
        except OSError:
            continue
        if words[0].endswith(b"ssh") and os.fsencode(config) in words:
            found.append(int(file.parent.name))
    return found


def wait_for(true):
    """Wait for something that is to happen; the tests' own time limit is the only one."""
    while not true():
        time.sleep(0.05)


@needs_ssh
@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGHUP, signal.SIGINT])
@pytest.mark.parametrize("ignored", [False, True], ids=["", "in the background"])
def test_a_run_that_is_told_to_end_leaves_no_ssh(tmp_path, number, ignored):
    """Exit 2, as pytest's own interrupt, and the conversation with a silent host is over."""
    if ignored and number is signal.SIGINT:
        pytest.skip("then nobody is told")
    config = tmp_path / "ssh_config"
    config.write_text("Host silent\n  ProxyCommand sleep 1000\n")
    trap = ["sh", "-c", 'trap "" INT; exec "$@"', "sh"] if ignored else []
    run = subprocess.Popen(
        [*trap, sys.executable, "-m", "pytest", CHECKS, "--host", "silent", "--ssh-config", config,
         "--report-dir", "reports", "-p", "no:cacheprovider", "-p", "no:randomly"],
        cwd=tmp_path, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True,
    )  # fmt: skip
    wait_for(lambda: talking(config) or run.poll() is not None)
    run.send_signal(number)
    said = run.communicate()[0]

    assert run.returncode == pytest.ExitCode.INTERRUPTED, said
    assert talking(config) == []
