"""--plan: what would mend a host, on the terminal, in results.json and as a script."""

from __future__ import annotations

import json
import subprocess
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]


@pytest.fixture
def plan(pytester, monkeypatch):
    """Run pytest on a recorded host with --plan; the result, and what results.json has of it."""
    monkeypatch.delenv("PYTEST_ADDOPTS", raising=False)
    pytester.path.joinpath("pyproject.toml").write_text("[tool.pytest]\nstrict = true\n")

    def plan(host, *arguments):
        result = pytester.runpytest_subprocess(
            *("-c", "pyproject.toml", "--import-mode=importlib"),
            *("-p", "no:randomly", "-p", "no:hypothesispytest"),
            *(str(ROOT / "checks"), "--inventory", str(ROOT / "fixtures/lab/inventory.toml")),
            *("--host", host, *arguments),
        )
        document = json.loads(pytester.path.joinpath("reports/results.json").read_text())
        return result, document["hosts"][0]

    return plan


def test_a_plan_is_shown_and_kept(pytester, plan):
    """Terminal, results.json and a script say the same; the exit code is that of the judging."""
    result, host = plan("intremap-off", "--plan")

    assert 1 == result.ret
    assert "planned" == host["remedy"]["state"]
    first = host["remedy"]["steps"][0]
    assert ("s1", "CMD024", "unsafe") == (first["id"], first["finding"]["id"], first["grade"])
    assert '-GRUB_CMDLINE_LINUX_DEFAULT="quiet intremap=off"' in first["diff"]
    result.stdout.fnmatch_lines(["*s1 planned, changes boot files: remove intremap=off*"])
    script = pytester.path.joinpath("reports/intremap-off.plan.sh").read_text()
    assert first["commands"][0] in script
    assert host["remedy"]["run"] in script
    done = subprocess.run(["sh", "-n"], input=script, text=True, capture_output=True, check=False)
    assert (0, "") == (done.returncode, done.stderr)


def test_a_sound_host_has_nothing_to_fix(pytester, plan):
    """An empty plan, exit 0."""
    result, host = plan("bookworm", "--plan")

    assert (0, []) == (result.ret, host["remedy"]["steps"])
    result.stdout.fnmatch_lines(["*plan: nothing to fix"])


def test_without_the_option_nothing_is_planned(pytester, plan):
    """No remedy in results.json, and no script."""
    _, host = plan("intremap-off")

    assert "remedy" not in host
    assert not list(pytester.path.joinpath("reports").glob("*.sh"))


def test_workers_change_no_plan(plan):
    """xdist's controller plans what its workers judge."""
    _, alone = plan("intremap-off", "--plan")
    _, spread = plan("intremap-off", "--plan", "-n", "2")

    assert alone["remedy"] == spread["remedy"]
