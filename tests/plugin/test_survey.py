"""`--survey` and `--device`: what can be passed through, without an inventory."""

from __future__ import annotations

import json

import pytest

from tests.hosts.recorded import FIXTURES, ROOT

CHECKS = str(ROOT / "checks")
LAB = str(FIXTURES / "lab" / "inventory.toml")


@pytest.fixture
def judged(pytester):
    """Judge a recorded host of the lab; its part of results.json, the exit code, and the screen."""

    def judge(host, *options):
        recording = f"{FIXTURES / 'lab' / host}.vfio.xz"
        run = pytester.runpytest_subprocess(
            "-c", str(ROOT / "pyproject.toml"), "--rootdir", str(pytester.path), CHECKS,
            "--bundle", recording, "--report-dir", "reports", *options,
        )  # fmt: skip
        (told,) = json.loads((pytester.path / "reports/results.json").read_text())["hosts"]
        return told, run.ret, run.stdout.str()

    return judge


def test_a_survey_answers_for_every_endpoint(judged):
    """Bridges and the chipset are left out; each other function has an answer, and why."""
    host, exit_code, screen = judged("bookworm", "--survey")
    devices = {d["address"]: d for d in host["facts"]["devices"] if d["intended"]}

    assert exit_code == 0
    assert host["verdict"] == "ready"
    assert {d["intent_from"] for d in devices.values()} == {"hostdev", "survey"}
    assert {a for a, d in devices.items() if d["assignable"] == "yes"} == {
        "0000:01:00.0", "0000:03:01.0", "0000:03:02.0", "0000:04:00.0", "0000:04:00.1",
        "0000:05:00.0",
    }  # fmt: skip
    assert devices["0000:03:01.0"]["with"] == ["0000:03:02.0"]
    assert "yes, now, only together with 0000:03:02.0" in screen


def test_what_the_host_uses_is_not_offered(judged):
    """The root disk and the management NIC are a no, with the path."""
    host, _, screen = judged("bookworm", "--survey")
    disk = next(d for d in host["facts"]["devices"] if d["address"] == "0000:00:03.0")

    assert (disk["assignable"], disk["no_because"]) == ("no", "must not")
    assert "no, the host uses it: vda3 -> / -> 0000:00:03.0" in screen


def test_nothing_of_the_chipset_is_taken_for_a_device(judged):
    """The SATA controller beside the LPC bridge is a no that no machine cures."""
    host, _, _ = judged("bookworm", "--survey")
    sata = next(d for d in host["facts"]["devices"] if d["address"] == "0000:00:1f.2")

    assert (sata["assignable"], sata["after"]) == ("no", [])


def test_only_the_host_itself_fails_a_survey(judged):
    """With the IOMMU off nothing can be passed through, and that is the host's fault."""
    host, exit_code, _ = judged("iommu-off", "--survey")

    assert exit_code == 1
    assert host["verdict"] == "not ready"
    assert {f["subject"]["kind"] for f in host["findings"] if f["gates"]} == {"host"}


def test_a_device_of_the_command_line_is_the_intent(judged):
    """`--device` stands in place of an inventory and of what would be inferred."""
    host, _, _ = judged("bookworm", "--device", "01:00.0", "--device", "8086:10d3")
    intended = {d["address"]: d["intent_from"] for d in host["facts"]["devices"] if d["intended"]}

    assert intended == dict.fromkeys(
        ["0000:01:00.0", "0000:03:01.0", "0000:03:02.0", "0000:04:00.0", "0000:04:00.1"], "option"
    )


def test_a_device_that_is_none_is_a_usage_error(pytester):
    """What was given, and what can be."""
    run = pytester.runpytest_subprocess(
        "-c", str(ROOT / "pyproject.toml"), CHECKS, "--host", "bmt", "--device", "the big one"
    )

    assert run.ret == 4
    run.stderr.fnmatch_lines(["*--device 'the big one' is no address*no id*no interface*"])
