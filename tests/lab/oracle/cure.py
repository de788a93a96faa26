"""A cure is tried: its steps are typed into a root shell, and the guest must start, and nothing else move."""

import re
from collections.abc import Mapping, Sequence
from typing import Any

from tests.lab import witness
from tests.lab.machine import Machine
from tests.lab.oracle import truth
from tests.lab.oracle.compare import Part

BOOT = 700.0
MOVES = re.compile(r"^[-+] ([a-z0-9_]+|[0-9a-f-]{36}|(Id|ActiveState)=.*|/tmp/.*|vfio)$|console")
"""Modules, a new boot's id and daemons come and go with a start."""


def commands(fix: Mapping[str, Any] | None) -> list[str]:
    """What is typed; empty where there is no cure, or a part of it is not for a shell."""
    steps = (fix or {}).get("steps") or []
    if any(step.get("by_hand") for step in steps):
        return []
    typed = [list(step.get("commands") or ()) for step in steps]
    return [line for lines in typed for line in lines] if all(typed) else []


def tried(machine: Machine, part: Part) -> str:
    """What came of it: starts, refused, fails, hurts, or starts and more moved."""
    fix = part.said.fix or {}
    lines = commands(fix)
    before = witness.state(machine.shell)
    done = machine.shell.run("set -e\n" + "\n".join(lines), timeout=900)
    if done.returncode:
        return f"refused: {' '.join(done.stderr.split())[-200:]}"
    if fix.get("reboot"):
        machine.reboot(BOOT)
    found = truth.ask(machine, part.guest, part.cards)
    if not found.lives:
        return "hurts"
    if not found.works:
        return f"fails: {found.said[:200]}"
    moved = others(witness.changes(before, witness.state(machine.shell)), lines, part.cards)
    return f"starts, and more moved: {'; '.join(moved)[:300]}" if moved else "starts"


def others(changes: Sequence[str], lines: Sequence[str], cards: Sequence[str]) -> list[str]:
    """What changed beside what the steps name, the cards, and what every start moves."""
    words = {word.rpartition("/")[2] for line in lines for word in re.findall(r"[\w./:-]+", line)}
    named = {word for word in words if len(word) > 3} | set(cards)
    return [
        line
        for line in changes
        if not MOVES.search(line) and not any(word in line for word in named)
    ]
