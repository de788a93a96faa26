"""What README tells a newcomer to type works after plain `./setup`: without the dev group."""

from __future__ import annotations

import contextlib
import os
import re
import subprocess
import venv
from importlib import metadata
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]


def required(name, found):
    """The distributions that one needs to run, itself included, by name."""
    if name.lower() not in found:
        found[name.lower()] = dist = metadata.distribution(name)
        for line in dist.requires or ():
            word = re.match(r"[\w.-]+", line)
            if "extra ==" not in line and word:
                # not for this Python or system
                with contextlib.suppress(metadata.PackageNotFoundError):
                    required(word.group(), found)
    return found


@pytest.fixture(scope="module")
def python(tmp_path_factory):
    """The Python of an environment that has the project and what it needs, and nothing more."""
    place = tmp_path_factory.mktemp("env")
    venv.create(place, with_pip=False)
    (site,) = place.glob("lib/python*/site-packages")
    for dist in required("pytest-vfio", {}).values():
        for entry in {file.parts[0] for file in dist.files or ()} - {"..", "__pycache__"}:
            original = Path(dist.locate_file(entry))
            if not (site / entry).exists() and original.suffix != ".pth":
                (site / entry).symlink_to(original)
    (site / "project.pth").write_text(f"{ROOT / 'src'}\n")
    return place / "bin" / "python"


def typed(python, *arguments, cwd=ROOT):
    clean = {name: text for name, text in os.environ.items() if not name.startswith("PYTEST_")}
    return subprocess.run([python, "-m", "pytest", *arguments], cwd=cwd, env=clean, text=True,
                          capture_output=True, check=False)  # fmt: skip


def test_the_dev_group_is_not_there(python):
    """Otherwise nothing is tried here."""
    code = "import importlib.util as u; print(u.find_spec('hypothesis'), u.find_spec('xdist'))"
    done = subprocess.run([python, "-c", code], capture_output=True, text=True, check=True)

    assert done.stdout == "None None\n"


@pytest.mark.parametrize(
    ("arguments", "first"),
    [
        (["--print-probe"], "#!/bin/sh"),
        (["--explain", "DEV003"], "DEV003"),
        (["--markers"], "\n@pytest.mark.blocker"),
        (["checks/", "--host", "bmt", "--report", "none"], "bmt: a recording"),
    ],
    ids=" ".join,
)
def test_it_works_in_the_clone(python, arguments, first):
    """Exit 0, and what was asked for."""
    done = typed(python, *arguments)

    assert done.returncode == 0, done.stdout + done.stderr
    assert first in done.stdout


def test_who_forgets_the_checks_is_told(python):
    """`pytest --host bmt` would collect the tests of the project."""
    done = typed(python, "--host", "bmt")

    assert done.returncode == 4
    assert "no check to judge hosts by: name the checks as well, pytest checks/" in done.stderr


def test_the_probe_is_printed_whatever_stands_in_the_folder(python, tmp_path):
    """Its output goes into a pipe, whose exit code is that of the last command."""
    tmp_path.joinpath("conftest.py").write_text("import nothing_of_that_name\n")
    tmp_path.joinpath("pytest.ini").write_text("[pytest]\naddopts = --strict-markers\n")

    assert typed(python, "--print-probe", cwd=tmp_path).stdout.startswith("#!/bin/sh")


def test_the_command_is_pytest_on_the_packaged_checks(python, tmp_path):
    """`vfio-check bmt -q -k FW001`: hosts first, then options of pytest."""
    code = "import sys; from pytest_vfio.plugin.command import main; sys.exit(main())"
    done = subprocess.run(
        [python, "-c", code, "bmt", "-q", "-k", "FW001", "--report", "none", "-p", "no:cacheprovider"],
        cwd=tmp_path, capture_output=True, text=True, check=False,
    )  # fmt: skip

    assert done.returncode == 0, done.stdout + done.stderr
    assert "bmt  cannot tell" in done.stdout


def test_the_command_is_installed():
    """Where there is none, pipx and `uv tool install` refuse."""
    (script,) = metadata.entry_points(group="console_scripts", name="vfio-check")

    assert script.value == "pytest_vfio.plugin.command:main"
