"""What the suite says of one recording of the lab, in a few lines that a person can review.

The causes and the devices in full; of the other findings, which checks did not pass.
"""

from __future__ import annotations

from collections import Counter
from pathlib import Path

from tests.hosts.recorded import bundles_of
from tests.lab.again import judge_again
from tests.lab.fixture import FOLDER

INVENTORY = FOLDER / "inventory.toml"
OUTCOMES = ("fail", "blocked", "unknown", "error")


def names() -> tuple[str, ...]:
    """The recordings of the lab."""
    return tuple(bundles_of(INVENTORY)) if INVENTORY.exists() else ()


def digest_file(name: str) -> Path:
    """Where a recording's lines are kept."""
    return Path(__file__).parent / "lab" / f"{name}.txt"


def digest(name: str) -> str:
    """What the suite says of a recording now."""
    report = judge_again(INVENTORY, name)
    lines = [f"verdict: {report.verdict}, exit {report.exit_code}"]
    for cause in report.host["diagnosis"]:
        subject = cause["subject"]
        where = "" if subject["kind"] == "host" else f" {subject['kind']} {subject['name']}"
        lines.append(
            f"cause: {cause['id']} ({', '.join(cause['refs'])}){where}: {cause['message']}"
        )
        lines += [f"    explains {one['id']}" for one in cause["explains"]]
    for device in report.host["facts"]["devices"]:
        if device["intended"]:
            lines.append(f"device: {device['sentence']}")
    for outcome in OUTCOMES:
        ids = Counter(f["id"] for f in report.host["findings"] if f["outcome"] == outcome)
        if ids:
            told = (f"{id} x{count}" if count > 1 else id for id, count in sorted(ids.items()))
            lines.append(f"{outcome}: {' '.join(told)}")
    return "\n".join(lines) + "\n"
