"""What others make of a run: four recorded hosts, told the same by whoever reports tests.

`tox -e ecosystem` has the plugins; without them, only what pytest itself writes is held to it.
"""

from __future__ import annotations

import importlib.util
import json
import os
import re
import subprocess
import sys
from collections import Counter
from pathlib import Path
from xml.etree import ElementTree

import pytest

ROOT = Path(__file__).parents[2]
HOSTS = ("iommu-off", "bookworm", "group-mate-on-host-driver", "unprivileged-account")
PLUGINS = {
    "allure_pytest": ["--alluredir=allure"],
    "pytest_html": ["--html=page.html", "--self-contained-html"],
    "pytest_jsonreport": ["--json-report", "--json-report-file=report.json"],
    "pytest_md_report": ["--md-report", "--md-report-output=report.md"],
}
THERE = {name for name in PLUGINS if importlib.util.find_spec(name)}


def judged(folder, *arguments, stdin=""):
    """Run pytest on the four hosts in a folder; what it printed."""
    command = [
        *(sys.executable, "-m", "pytest", ROOT / "checks", "--rootdir", folder, "-v"),
        *("-p", "no:randomly", "-p", "no:hypothesispytest", "-p", "no:cacheprovider"),
        *("--inventory", ROOT / "fixtures/lab/inventory.toml", "--host", ",".join(HOSTS)),
    ]
    clean = {name: text for name, text in os.environ.items() if not name.startswith("PYTEST_")}
    done = subprocess.run(
        [*map(str, command), *arguments],
        cwd=folder, env=clean, input=stdin, capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert done.returncode == 1, done.stdout + done.stderr
    return done.stdout


@pytest.fixture(scope="module", params=[[], ["-n", "2"]], ids=["alone", "workers"])
def run(request, tmp_path_factory):
    """The folder of one run, with all that was written there."""
    folder = tmp_path_factory.mktemp("run")
    options = [option for name in THERE for option in PLUGINS[name]]
    judged(folder, "--junitxml=own.xml", *options, *request.param)
    return folder


def counted(run):
    """How many findings passed, gate, and neither, by our own report."""
    hosts = json.loads((run / "reports/results.json").read_text())["hosts"]
    tally = Counter(
        "failed" if one["gates"] else "passed" if one["outcome"] == "pass" else "skipped"
        for host in hosts
        for one in host["findings"]
        if one["selected"]
    )
    assert all(tally[kind] for kind in ("passed", "failed", "skipped"))
    return tally


def needs(name):
    return pytest.mark.skipif(name not in THERE, reason=f"{name}: tox -e ecosystem has it")


def test_pytests_own_xml_counts_as_we_do(run):
    """Failures are what gates."""
    (suite,) = ElementTree.parse(run / "own.xml").getroot()
    told = {name: int(suite.get(name)) for name in ("tests", "failures", "skipped", "errors")}
    ours = counted(run)

    assert told == {
        "tests": ours.total(), "failures": ours["failed"], "skipped": ours["skipped"], "errors": 0,
    }  # fmt: skip


def test_a_case_names_its_finding(run):
    """Check, host, severity, outcome and cause are properties of each case, by the workers too."""
    cases = ElementTree.parse(run / "own.xml").getroot().iter("testcase")
    named = {
        case.get("name"): [(p.get("name"), p.get("value")) for p in case.iter("property")]
        for case in cases
    }
    (blocked,) = [
        told for name, told in named.items()
        if name.startswith("test_") and ("vfio_check", "IOM001") in told
        and ("vfio_host", "iommu-off") in told
    ]  # fmt: skip

    assert blocked == [
        ("vfio_check", "IOM001"),
        ("vfio_host", "iommu-off"),
        ("vfio_severity", "blocker"),
        ("vfio_outcome", "blocked"),
        ("vfio_cause", "CMD004 host iommu-off"),
    ]
    assert all(dict(told).keys() >= {"vfio_check", "vfio_host"} for told in named.values())


def test_the_debugger_stops_at_what_gates(tmp_path):
    """--pdb opens at a failure; not at what is skipped, unknown, blocked or a warning."""
    said = judged(tmp_path, "--pdb", stdin="continue\n" * 99)

    assert said.count("entering PDB") == counted(tmp_path)["failed"]


@needs("allure_pytest")
def test_allure_counts_as_we_do(run):
    """Nothing is *broken*."""
    files = (run / "allure").glob("*-result.json")

    assert Counter(json.loads(file.read_text())["status"] for file in files) == counted(run)


@needs("pytest_html")
def test_html_counts_as_we_do(run):
    """Its boxes for failed, passed and skipped."""
    page = (run / "page.html").read_text()
    told = {word.lower(): int(n) for n, word in re.findall(r"(\d+) (Failed|Passed|Skipped)", page)}

    assert told == counted(run)


@needs("pytest_jsonreport")
def test_json_report_counts_as_we_do(run):
    """It keeps our words for what is neither passed nor failed."""
    told = json.loads((run / "report.json").read_text())["summary"]
    ours = counted(run)

    assert told["total"] == ours.total()
    assert (told["passed"], told["failed"]) == (ours["passed"], ours["failed"])
    assert {"unknown", "warn", "blocked"} <= told.keys()


@needs("pytest_md_report")
def test_md_report_counts_as_we_do(run):
    """Its last row has every finding."""
    last = (run / "report.md").read_text().strip().splitlines()[-1]
    ours = counted(run)
    words = ("passed", "failed", "skipped")

    assert list(map(int, re.findall(r"\d+", last))) == [*(ours[w] for w in words), ours.total()]
