"""The suite as a user runs it: one command line against one host, and what its report says."""

import json
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tests.lab import cache
from tests.lab.fault import Scenario
from tests.lab.machine import Machine

PATIENCE = ("--host-timeout", "500")
"""An emulated host on a busy machine is slow; that is not what the lab judges."""
CHECKOUT = Path(__file__).parents[2]


@dataclass(frozen=True)
class Report:
    """``reports/results.json`` of one host."""

    host: Mapping[str, Any]
    exit_code: int

    @property
    def verdict(self) -> str:
        """Ready, not ready or cannot tell."""
        return str(self.host["verdict"])

    @property
    def first_cause(self) -> tuple[str, frozenset[str]]:
        """The first diagnosis: its check, which counts as an entry, and entries; else nothing."""
        for cause in self.host["diagnosis"]:
            return str(cause["id"]), frozenset((*cause["refs"], cause["id"]))
        return "", frozenset()

    @property
    def words(self) -> str:
        """What the first diagnosis says; empty if there is none."""
        return next((str(cause["message"]) for cause in self.host["diagnosis"]), "")

    def failing(self, refs: Iterable[str] | None = None) -> list[Mapping[str, Any]]:
        """Findings that say something is wrong, all or those of the catalogue entries given."""
        wanted = None if refs is None else frozenset(refs)
        return [
            finding
            for finding in self.host["findings"]
            if finding["outcome"] == "fail"
            and (wanted is None or wanted & {*finding["refs"], finding["id"]})
        ]

    def gating(self) -> list[Mapping[str, Any]]:
        """Findings that turn the exit code."""
        return [finding for finding in self.host["findings"] if finding["gates"]]


def judge(machine: Machine, scenario: Scenario) -> Report:
    """Run the suite over SSH and read its report; what was read stays as a recording."""
    name = machine.name if scenario.account == "root" else f"{machine.name}-{scenario.account}"
    with tempfile.TemporaryDirectory() as scratch:
        folder = Path(scratch)
        inventory = folder / "inventory.toml"
        inventory.write_text(scenario.intent.toml(name))
        command = [
            *(sys.executable, "-m", "pytest", "checks", "-q", "-p", "no:cacheprovider"),
            *("--host", name, "--ssh-config", str(machine.config), *PATIENCE),
            *("--inventory", str(inventory), "--record", scratch),
            *("--report", "json", "--report-dir", scratch),
        ]
        done = subprocess.run(
            command, cwd=CHECKOUT, capture_output=True, text=True, timeout=600, check=False
        )
        results = folder / "results.json"
        if not results.exists():
            raise RuntimeError(f"no report, exit {done.returncode}: {done.stdout}{done.stderr}")
        (host,) = json.loads(results.read_text())["hosts"]
        shutil.move(folder / f"{name}.vfio", recording(scenario))
    return Report(host, done.returncode)


def recording(scenario: Scenario) -> Path:
    """Where the last recording of a scenario is kept."""
    return cache.folder("recordings") / f"{scenario.name}.vfio"
