"""The command `vfio-check HOST...`: `pytest --pyargs pytest_vfio.checks --host HOST...`.

For those who install a tool, not a plugin. Options are pytest's, and stand behind the hosts.
"""

from __future__ import annotations

import itertools
import sys

import pytest

from pytest_vfio.judge.suite import packaged_folder


def main() -> int:
    """Run pytest on the packaged suite; its exit code."""
    folder = packaged_folder()
    inside = folder.parent.name == "pytest_vfio"
    suite = ["--pyargs", "pytest_vfio.checks"] if inside else [str(folder)]
    words = sys.argv[1:]
    hosts = list(itertools.takewhile(lambda word: not word.startswith("-"), words))
    named = [option for host in hosts for option in ("--host", host)]
    return int(pytest.main([*suite, *named, *words[len(hosts) :]]))
