"""--plan: what would mend a host, on the terminal, in results.json and as a script."""

from __future__ import annotations

import json
import subprocess
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]


@pytest.fixture
def typed(pytester, monkeypatch):
    """Run pytest on a recorded host."""
    monkeypatch.delenv("PYTEST_ADDOPTS", raising=False)
    pytester.path.joinpath("pyproject.toml").write_text("[tool.pytest]\nstrict = true\n")

    def typed(host, *arguments):
        return pytester.runpytest_subprocess(
            *("-c", "pyproject.toml", "--import-mode=importlib"),
            *("-p", "no:randomly", "-p", "no:hypothesispytest"),
            *(str(ROOT / "checks"), "--inventory", str(ROOT / "fixtures/lab/inventory.toml")),
            *("--host", host, *arguments),
        )

    return typed


@pytest.fixture
def plan(typed, pytester):
    """The same with what results.json has of the host."""

    def plan(host, *arguments):
        result = typed(host, *arguments)
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


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["--fix"], "is a bundle, and only live hosts"),
        (["--undo", "20260101T000000Z-abc"], "is a bundle, and only live hosts"),
        (["--fix", "-k", "CMD024"], "go with no selection"),
        (["--fix", "-m", "blocker"], "go with no selection"),
        (["--fix", "-n", "2"], "go with no selection"),
        (["--fix", "--undo", "x1"], "give it without --fix"),
        (["--fix-unsafe"], "give --yes where nobody can answer"),
    ],
)
def test_what_is_never_fixed_is_a_usage_error(typed, pytester, arguments, words):
    """A recording, a part of the findings, several processes, nobody who consents: exit 4."""
    result = typed("intremap-off", *arguments)

    assert 4 == result.ret
    assert words in result.stdout.str() + result.stderr.str()
    assert not pytester.path.joinpath("reports/results.json").exists()


@pytest.mark.parametrize("arguments", [["--fix"], ["--fix-unsafe", "--yes"]])
def test_a_host_that_was_not_reached_is_not_fixed(pytester, monkeypatch, arguments):
    """It stays one error, exit 1, and nothing is tried."""
    monkeypatch.delenv("PYTEST_ADDOPTS", raising=False)
    pytester.path.joinpath("inventory.toml").write_text(
        '[hosts.away]\nconnection = "ssh://nobody@127.0.0.1:1"\n'
    )
    result = pytester.runpytest_subprocess(
        *("--import-mode=importlib", "-p", "no:randomly", "-p", "no:hypothesispytest"),
        *(str(ROOT / "checks"), "--inventory", "inventory.toml", "--host", "away", *arguments),
        *("--rootdir", str(pytester.path)),
    )

    assert 1 == result.ret
    result.stdout.fnmatch_lines(["*away*unreachable*"])
