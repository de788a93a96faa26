"""Judging is pure: it reads evidence and nothing else. Who may know what, by room."""

from __future__ import annotations

import ast
import sys
from pathlib import Path

import pytest

from pytest_vfio import parse
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


ROOM = Path(parse.__path__[0])
PARSERS = sorted(str(file.relative_to(ROOM)) for file in ROOM.rglob("*.py"))


@pytest.mark.parametrize("file", PARSERS)
def test_parsers_know_no_host(file):
    """They take text, or one item, and give quotes: what was read of a host is not theirs."""
    imports = [
        node for node in ast.walk(ast.parse((ROOM / file).read_text())) if _from_evidence(node)
    ]
    names = {alias.name for node in imports for alias in node.names}

    assert names <= {"Item", "Quote", "Status"}


CHECKS = Path(__file__).parents[1] / "checks"


@pytest.mark.parametrize("file", sorted(str(p.relative_to(CHECKS)) for p in CHECKS.rglob("*.py")))
def test_checks_catch_no_missing_evidence(file):
    """`facts/tristate.py` has the words for that: a loop of one's own forgets a case."""
    caught = [
        node.lineno
        for node in ast.walk(ast.parse((CHECKS / file).read_text()))
        if isinstance(node, ast.ExceptHandler) and "Missing" in ast.dump(node.type or node)
    ]

    assert [] == caught


def _from_evidence(node: ast.AST) -> bool:
    return isinstance(node, ast.ImportFrom) and node.module == "pytest_vfio.evidence"
