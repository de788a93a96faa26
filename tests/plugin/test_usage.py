"""What is wrong with what was typed is told in one line, before a host is read; exit 4."""

from __future__ import annotations

import pickle

import pytest

from pytest_vfio.evidence import Evidence, Item, Status
from pytest_vfio.plugin import workers
from pytest_vfio.sources import Unreachable
from tests.plugin.test_marks import mine
from tests.plugin.test_session import CHECKS, document, run  # noqa: F401 - a fixture

GROUPS = '[groups.some]\nhosts = ["sick"]\n'


def names(pytester):
    return [host["name"] for host in document(pytester)["hosts"]]


@pytest.fixture
def pool(pytester):
    path = pytester.path / "pool.txt"
    path.write_text("# mine\nsick\n\nbmt # recorded\n")
    return path


def test_hosts_come_from_a_file(run, pytester, pool):
    """One a line, with comments."""
    run(CHECKS, "--hosts-from", "pool.txt", "-k", "FW002")

    assert names(pytester) == ["sick", "bmt"]


def test_hosts_come_from_standard_input(run, pytester, pool, monkeypatch):
    """`-` is what a pipe says, though pytest gives tests an empty one."""
    popen = pytester.popen
    monkeypatch.setattr(
        pytester, "popen", lambda *a, **k: popen(*a, **{**k, "stdin": pool.open("rb")})
    )
    run(CHECKS, "--hosts-from", "-", "-k", "FW002")

    assert names(pytester) == ["sick", "bmt"]


@pytest.mark.parametrize(
    "how", [["--host", "@pool.txt"], ["--host=@pool.txt"], ["--host=bmt", "--host", "@pool.txt"]]
)
def test_a_file_after_an_at_is_refused(run, pool, how):
    """Pytest makes options of its lines; the words say what to type."""
    result = run(CHECKS, *how)

    assert result.ret == 4
    result.stderr.fnmatch_lines([f"*{how[-1].removeprefix('--host=')}*given as --hosts-from *"])


@pytest.mark.parametrize(
    ("word", "expected"),
    [("some", ["sick"]), ("all", ["sick", "away"]), ("some,bmt", ["sick", "bmt"])],
)
def test_a_group_of_the_inventory_is_its_hosts(run, pytester, word, expected):
    """`all` are those of one's own inventory, the shipped one's are named one by one."""
    with pytester.path.joinpath("inventory.toml").open("a") as file:
        file.write(GROUPS)
    run(CHECKS, "--host", word, "-k", "FW002")

    assert names(pytester) == expected


@pytest.mark.parametrize(
    ("given", "words"),
    [
        ("", "names no severity"),
        (" , ", "names no severity"),
        ("degrade", "known: *degraded*"),
    ],
)
def test_fail_on_names_severities(run, given, words):
    """An unset variable in CI must not turn a sick host green."""
    result = run(CHECKS, "--host", "sick", "--fail-on", given)

    assert result.ret == 4
    result.stderr.fnmatch_lines([f"*{words}*"])


def test_blockers_fail_the_run_whatever_fail_on_says(run, pytester):
    """Nor does the verdict depend on it."""
    assert run(CHECKS, "--host", "sick", "--fail-on", "advice").ret == 1
    assert document(pytester)["hosts"][0]["verdict"] == "not ready"


@pytest.mark.parametrize("extra", [[], ["-n", "2"]])
def test_a_run_without_checks_says_so_before_hosts_are_read(run, pytester, extra):
    """Nothing is announced, nothing recorded, no report folder made."""
    result = run("--host", "sick", "--record", "kept", *extra)

    assert result.ret == 4
    result.stderr.fnmatch_lines(["ERROR: no check to judge hosts by: *checks*--host ..."])
    assert "recording" not in result.stdout.str()
    assert not list(pytester.path.glob("kept")) + list(pytester.path.glob("reports"))


@pytest.mark.parametrize("extra", [[], ["-n", "2"]])
def test_tests_that_only_look_like_tests_of_a_host_are_found_out(run, pytester, extra):
    """Their `host` is a parameter of their own: told once all is collected."""
    pytester.makepyfile(
        "import pytest\n@pytest.mark.parametrize('host', 'ab')\ndef test_one(host): pass"
    )
    result = run("--host", "sick", *extra)

    assert result.ret == 4
    assert "no check to judge hosts by" in result.stdout.str() + result.stderr.str()


def test_a_report_folder_that_cannot_be_written_is_found_out_first(run, pytester):
    """A file is in its place: no host is read for nothing."""
    pytester.path.joinpath("out").write_text("")
    result = run(CHECKS, "--host", "sick", "--report-dir", "out")

    assert result.ret == 4
    result.stderr.fnmatch_lines(["ERROR: --report-dir out: *"])
    assert "recording" not in result.stdout.str()


def test_the_summary_is_told_though_a_report_cannot_be_written(run, pytester):
    """A folder bears the name of a report: its fault stands at the end, and exit is not 0."""
    pytester.path.joinpath("out", "results.json").mkdir(parents=True)
    result = run(CHECKS, "--host", "bmt", "--report-dir", "out")

    assert result.ret == 4
    result.stdout.fnmatch_lines(["bmt  cannot tell *", "ERROR: not every report was written: *"])


def test_the_inventory_that_is_read_is_named(run, pytester):
    """Intent and waivers come from it."""
    result = run(CHECKS, "--host", "sick", "-k", "FW002")

    result.stdout.fnmatch_lines([f"inventory: {pytester.path}/inventory.toml"])


def test_where_there_are_no_settings_all_belongs_to_the_folder_one_stands_in(run, pytester):
    """Whatever paths the command line holds: pytest takes them for its root."""
    pytester.path.joinpath("pyproject.toml").unlink()
    away = pytester.mkdir("away")
    pytester.path.joinpath("sick.vfio").rename(away / "sick.vfio")
    pytester.runpytest_subprocess(
        "--pyargs", "pytest_vfio.checks", "--bundle", str(away / "sick.vfio"), "-p", "no:randomly",
        "--ssh-config", str(away / "sick.vfio"), str(pytester.makepyfile("def test_x(hypervisor): pass"))
    )  # fmt: skip

    assert pytester.path.joinpath("reports").is_dir()
    assert not away.joinpath("reports").exists()


def test_a_mistake_that_workers_find_is_the_runs(run, pytester):
    """Under -n it is they who collect; xdist alone would say nothing."""
    result = run(*mine(pytester, above="@pytest.mark.parametrize('n', [1])"), "-n", "2")

    assert result.ret == 4
    result.stdout.fnmatch_lines(["ERROR: check MY001 *is marked parametrize: *"])


def test_what_workers_are_handed_is_never_a_file(run, pytester, monkeypatch):
    """It is as the host said it, with its secrets: a kill must not leave it behind."""
    private = pytester.mkdir("private")
    monkeypatch.setenv("TMPDIR", str(private))
    pytester.makepyfile(
        watcher="import os, pathlib\n"
        "def pytest_collection_finish(session):\n"
        "    if hasattr(session.config, 'workerinput'):\n"
        "        seen = [str(p) for p in pathlib.Path(os.environ['TMPDIR']).rglob('*')]\n"
        "        pathlib.Path('seen.txt').write_text(repr(seen))\n"
    )
    run(CHECKS, "--host", "sick", "-n", "2", "-k", "FW002", "-p", "watcher")

    assert names(pytester) == ["sick"]
    assert pytester.path.joinpath("seen.txt").read_text() == "[]"


def test_workers_judge_what_the_controller_read():
    """Names of files that are no text, controls, bytes: all comes over as it was."""
    odd = "etc/modprobe.d/\udcff\n\x1b.conf"
    evidence = Evidence(
        "h\udcff", "recording", {odd: Item(odd, Status.TRUNCATED, b"\0\xff\n", "why")}, None, True
    )
    readings = (evidence, Unreachable("h2", "r\0", "failed", 1.5))

    assert workers.unpacked(workers.packed(readings)) == readings
    with pytest.raises(pickle.UnpicklingError):
        workers.unpacked(workers.zlib.compress(b"junk"))
