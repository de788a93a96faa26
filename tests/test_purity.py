"""Judging is pure: it reads evidence and nothing else."""

from __future__ import annotations

import sys

import pytest

from pytest_vfio.judge.diagnosis import diagnose
from tests.golden.matrix import POLICY
from tests.hosts.recorded import bundles, judge

_seen: list[str] | None = None


def _hook(event: str, args: tuple[object, ...]) -> None:
    if _seen is not None and event.startswith(("open", "subprocess.", "socket.", "os.", "pty.")):
        _seen.append(f"{event}{args}")


sys.addaudithook(_hook)


@pytest.mark.parametrize("name", bundles())
def test_judging_opens_nothing(name):
    """Judging and diagnosing a recorded host opens no file, process or socket."""
    global _seen  # noqa: PLW0603 - an audit hook cannot be taken off again
    tuple(judge(name))  # imports, once
    judgement = judge(name)
    _seen = []
    try:
        diagnose(judgement, POLICY.judge(judgement))
    finally:
        seen, _seen = _seen, None

    assert [] == seen
