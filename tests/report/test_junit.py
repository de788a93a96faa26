"""junit.xml is read by what real dashboards read it with."""

from __future__ import annotations

import subprocess
import sys
import tarfile
from pathlib import Path
from xml.etree import ElementTree

import junitparser
import pytest
import xmlschema

from pytest_vfio.report import junit
from tests.report import sample


@pytest.fixture(scope="session")
def schema(tmp_path_factory) -> xmlschema.XMLSchema:
    """Jenkins' XML Schema, which pytest's source distribution carries for its own tests."""
    folder = tmp_path_factory.mktemp("pytest-source")
    download = [
        sys.executable,
        "-m",
        "pip",
        "download",
        "--quiet",
        "--no-deps",
        "--no-binary=pytest",
    ]
    got = subprocess.run([*download, f"pytest=={pytest.__version__}"], cwd=folder, check=False)
    archives = list(folder.glob("pytest-*.tar.gz"))
    if got.returncode or not archives:
        pytest.skip("pytest's source distribution cannot be had here")
    with tarfile.open(archives[0]) as archive:
        (name,) = [name for name in archive.getnames() if name.endswith("junit-10.xsd")]
        source = archive.extractfile(name)
        assert source is not None
        return xmlschema.XMLSchema(source.read().decode())


def suites(*hosts) -> dict[str, ElementTree.Element]:
    root = ElementTree.fromstring(junit.render(sample.run(*hosts)))
    return {suite.get("name", ""): suite for suite in root}


def test_jenkins_schema_takes_it(schema):
    """Every outcome, an unreachable host and hostile text stay within the schema."""
    schema.validate(ElementTree.ElementTree(ElementTree.fromstring(junit.render(sample.run()))))


def test_each_host_under_test_has_a_suite_of_its_name():
    """`hostname` is the host under test, not the machine that ran the tests."""
    found = suites()

    assert set(found) == {"bmt.example.org", "healthy", "gone"}
    assert {name: suite.get("hostname") for name, suite in found.items()} == {n: n for n in found}


def test_outcomes_are_what_gates():
    """Failures and errors are what makes the run fail; everything else is skipped or passed."""
    cases = {
        case.get("name", "")[:6]: [child.tag for child in case]
        for case in suites()["bmt.example.org"].iter("testcase")
    }

    assert cases == {
        "bmt.ex": ["failure"],  # the verdict
        "AAA001": [],
        "AAA002": ["failure"],
        "AAA003": ["skipped"],
        "AAA004": ["skipped"],
        "AAA005": ["skipped"],
        "AAA006": ["error"],
        "AAA007": ["skipped"],
        "AAA008": ["skipped"],
    }


def test_a_failure_carries_all_that_a_person_needs():
    """Type is the check, message one line, the body has evidence, cure and who acts."""
    _, failure = suites()["bmt.example.org"].iter("failure")

    assert failure.get("type") == "AAA002"
    assert "\n" not in failure.get("message", "\n")
    assert len(failure.get("message", "")) <= 200
    for words in (
        "evidence: /proc/cmdline: quiet intel_iommu=off",
        "fix (changes boot files, needs a reboot): remove intel_iommu=off",
        "expected: on",
        "who acts: os",
    ):
        assert words in (failure.text or "")


def test_the_first_case_of_a_suite_is_the_verdict():
    """A red line carries the root cause; a host of which nothing is known is not green."""
    ready, gone = suites()["healthy"][1], suites()["gone"][1]
    failure = ready.find("failure")

    assert ready.get("name") == "healthy: ready for assignment"
    assert failure is not None
    assert (failure.get("message") or "").startswith("not ready: AAA002 it is ")
    assert gone.get("name") == "gone: ready for assignment"
    assert [child.tag for child in gone] == ["error"]


def test_what_xml_cannot_carry_is_made_visible():
    """A control character is shown, not dropped."""
    text = junit.render(sample.run()).decode()

    assert "\\x1b[31m&lt;b&gt;&amp;[bold]\\x00\\ud800]]&gt;\\u202e$(reboot)" in text


def test_an_unreachable_host_is_one_error():
    """It is never absent."""
    gone = suites()["gone"]

    assert (gone.get("tests"), gone.get("errors")) == ("1", "1")
    assert "no route" in (gone.find("testcase/error").get("message") or "")


def test_names_are_unique_and_packages_have_no_dots_of_their_own():
    """GitLab counts the first of equal names; Jenkins splits at dots."""
    names = [
        (c.get("classname"), c.get("name"))
        for suite in suites().values()
        for c in suite.iter("testcase")
    ]

    assert len(names) == len(set(names))
    assert {classname.count(".") for classname, _ in names} == {1}


def test_junitparser_reads_the_same_numbers(tmp_path):
    """A real reader counts what we wrote."""
    file = tmp_path / "junit.xml"
    file.write_bytes(junit.render(sample.run()))
    xml = junitparser.JUnitXml.fromfile(str(file))
    counted = [case for suite in xml for case in suite]

    assert (xml.tests, xml.failures, xml.errors) == (12, 3, 2)
    assert len(counted) == 12
    assert sum(case.is_failure for case in counted) == 3


def test_a_real_viewer_renders_it(tmp_path):
    """junit2html makes a page that shows hosts and findings."""
    file = tmp_path / "junit.xml"
    file.write_bytes(junit.render(sample.run()))
    page = tmp_path / "page.html"
    viewer = Path(sys.executable).with_name("junit2html")
    subprocess.run([viewer, file, page], check=True)

    for words in ("bmt.example.org", "gone", "AAA002", "remove intel_iommu=off"):
        assert words in page.read_text()
    assert "<b>&" not in page.read_text()
