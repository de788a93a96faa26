"""What is built and installed."""

from __future__ import annotations

import subprocess
import sys
import zipfile
from importlib import metadata
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]


def test_metadata_says_what_a_pytest_plugin_says():
    """Name, licence, Python version and classifier are those of an installable plugin."""
    about = metadata.metadata("pytest-vfio")

    assert "pytest-vfio" == about["Name"]
    assert "Apache-2.0" == about["License-Expression"]
    assert ">=3.11" == about["Requires-Python"]
    assert "Framework :: Pytest" in about.get_all("Classifier")


def test_the_entry_point_bears_the_name_of_its_module():
    """Naming the plugin in `pytest_plugins` as well does not register it twice."""
    entries = metadata.distribution("pytest-vfio").entry_points.select(group="pytest11")

    assert [("pytest_vfio.plugin", "pytest_vfio.plugin")] == [(e.name, e.value) for e in entries]


@pytest.fixture(scope="module")
def wheel(tmp_path_factory):
    """The wheel, built from the checkout by the build backend itself."""
    out = tmp_path_factory.mktemp("wheel")
    subprocess.run([sys.executable, "-m", "hatchling", "build", "-t", "wheel", "-d", out],
                   cwd=ROOT, check=True, capture_output=True)  # fmt: skip
    (built,) = out.glob("*.whl")
    return built


def test_the_wheel_carries_code_checks_schemas_and_bmt(wheel):
    """An installed suite has the checks and the one host that the shipped inventory names."""
    inside = set(zipfile.ZipFile(wheel).namelist())
    checks = {f"pytest_vfio/{p.relative_to(ROOT)}" for p in (ROOT / "checks").rglob("*.py")}
    bmt = {
        f"pytest_vfio/{p.relative_to(ROOT)}"
        for p in (ROOT / "fixtures" / "hosts" / "bmt").rglob("*")
        if p.is_file()
    }

    assert checks <= inside
    assert bmt <= inside
    assert {
        "pytest_vfio/fixtures/inventory.toml",
        "pytest_vfio/schemas/results.json",
        "pytest_vfio/schemas/bundle.json",
        "pytest_vfio/schemas/inventory.json",
        "pytest_vfio/sources/probe/main.sh",
        "pytest_vfio/sources/probe/writer.awk",
        "pytest_vfio/py.typed",
    } <= inside


def test_the_wheel_carries_nothing_else(wheel):
    """No tests, no other recordings, no reports."""
    inside = {
        name
        for name in zipfile.ZipFile(wheel).namelist()
        if not name.startswith("pytest_vfio-") and not name.startswith("pytest_vfio/")
    }
    hosts = {
        name.split("/")[3]
        for name in zipfile.ZipFile(wheel).namelist()
        if name.startswith("pytest_vfio/fixtures/hosts/")
    }

    assert set() == inside - {"pytest_vfio"}
    assert {"bmt"} == hosts


def test_an_installed_wheel_judges_bmt(wheel, tmp_path):
    """`pytest --pyargs pytest_vfio.checks --host bmt` works far from any checkout."""
    home = tmp_path / "site"
    subprocess.run([sys.executable, "-m", "zipfile", "-e", wheel, home], check=True)
    # The unpacked wheel goes before the editable install, whose plugin it then is.
    script = (
        "import sys; sys.path.insert(0, sys.argv.pop(1)); import pytest, pytest_vfio;"
        "assert pytest_vfio.__file__.startswith(sys.path[0]), pytest_vfio.__file__;"
        "sys.exit(pytest.main())"
    )
    (tmp_path / "empty").mkdir()
    done = subprocess.run(
        [sys.executable, "-c", script, home, "--pyargs", "pytest_vfio.checks", "--host", "bmt",
         "--report-dir", "out", "-p", "no:randomly", "-p", "no:cacheprovider"],
        cwd=tmp_path / "empty", capture_output=True, text=True, check=False)  # fmt: skip

    assert 0 == done.returncode, done.stdout + done.stderr
    assert "cannot tell" in done.stdout
    assert (tmp_path / "empty" / "out" / "results.json").exists()
