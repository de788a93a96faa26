"""The runner, on this machine's own shell and files: applied, verified, undone, never half."""

from __future__ import annotations

import os
import signal
import subprocess
import time

import pytest

from pytest_vfio.check import Outcome, Severity, SubjectKind
from pytest_vfio.hypervisor.hypervisor import Hypervisor
from pytest_vfio.judge.judgement import Finding
from pytest_vfio.judge.result import RemedyState
from pytest_vfio.remedy import apply
from pytest_vfio.remedy.plan import Plan, Planned, result
from pytest_vfio.steps import Reboot
from pytest_vfio.steps.files import AddLine, WriteFile
from pytest_vfio.steps.host import Regenerate, Run
from pytest_vfio.steps.words import RemoveWords, ReplaceWord
from tests.hosts.plain import hypervisor

FINDING = Finding("AAA001", "h", SubjectKind.HOST, "h", Outcome.FAIL, Severity.BLOCKER, "it is bad")
RUN = "20260101T000000Z-abc"


@pytest.fixture
def host(tmp_path):
    """A folder that stands for a host's, with one file of somebody else in it."""
    (tmp_path / "list").write_text('one\nV="a b"\n')
    (tmp_path / "list").chmod(0o640)
    return tmp_path


def where(host, **more) -> apply.Where:
    return apply.Where(str(host / "runs"), str(host / "lock"), **{"limit": 20, "wait": 30, **more})


def sh(script: str, **more) -> str:
    done = subprocess.run(
        ["sh", "-s"], input=script.encode(), capture_output=True, check=False, **more
    )
    assert b"" == done.stderr
    return done.stdout.decode()


def plan(*steps) -> Plan:
    return Plan("h", tuple(Planned(step, (FINDING,)) for step in steps), ())


def carried(host, *steps, **more):
    """What became of a plan."""
    made = plan(*steps)
    answer = sh(apply.script(made, RUN, where(host, **more)))
    return apply.after(result(made, Hypervisor(hypervisor({}).evidence)), RUN, answer), answer


def states(remedy) -> list[str]:
    return [step.state.value for step in remedy.steps]


def undone(host) -> str:
    return sh(apply.undo_script(RUN, where(host)))


def test_steps_are_applied_in_order_and_taken_back(host):
    """Files come back byte for byte with their mode; what was not there is gone again."""
    path, new = str(host / "list"), str(host / "made/new")
    before = (host / "list").read_bytes(), (host / "list").stat().st_mode
    copy = Regenerate("copy", ("cp", path, str(host / "copy")))
    steps = (
        AddLine(path, "two"),
        RemoveWords(path, ("b",), "V"),
        WriteFile(new, ("x",), folder=True),
        copy,
    )
    remedy, _ = carried(host, *steps)

    assert (RemedyState.APPLIED, ["applied"] * 4) == (remedy.state, states(remedy))
    assert 'one\nV="a "\ntwo\n' == (host / "copy").read_text()
    assert "x\n" == (host / "made/new").read_text()
    assert undone(host).endswith("%done\n")
    assert before == ((host / "list").read_bytes(), (host / "list").stat().st_mode)
    assert not (host / "made").exists()
    assert before[0] == (host / "copy").read_bytes()  # made again of what is back
    assert not (host / "lock").exists()


def test_a_second_run_changes_nothing(host):
    """What is done already is said so."""
    step = AddLine(str(host / "list"), "two")
    carried(host, step)
    text = (host / "list").read_text()
    remedy, answer = carried(host, step)

    assert ["applied"] == states(remedy)
    assert "s1 already" in answer
    assert text == (host / "list").read_text()


def test_a_step_that_fails_takes_the_run_back(host):
    """What was applied before it is as it was; what comes after it never began."""
    before = (host / "list").read_bytes()
    bad = Run("fail", ("false",), ("true",))
    remedy, _ = carried(
        host, AddLine(str(host / "list"), "two"), bad, AddLine(str(host / "list"), "3")
    )

    assert ["rolled back", "failed", "refused"] == states(remedy)
    assert RemedyState.ROLLED_BACK is remedy.state
    assert before == (host / "list").read_bytes()


def test_a_host_that_is_not_as_it_was_read_is_not_touched(host):
    """The tests before a step are made again on the host, right before it."""
    path = str(host / "list")
    remedy, _ = carried(host, ReplaceWord(path, "gone", "new", "V"), AddLine(path, "x"))

    assert RemedyState.REFUSED is remedy.steps[0].state
    assert "not as it was read" in remedy.steps[0].why
    assert 'one\nV="a b"\n' == (host / "list").read_text()


def test_what_another_hand_changed_stays(host):
    """An undo refuses that file, with a diff, and takes the others back."""
    carried(host, AddLine(str(host / "list"), "two"), WriteFile(str(host / "new"), ("x",)))
    with (host / "list").open("a") as file:
        file.write("theirs\n")
    answer = undone(host)

    assert "s1 not undone" in answer
    assert "s2 undone" in answer
    assert "theirs" in (host / "list").read_text()
    assert "+theirs" in (host / "runs" / RUN / "s1.diff").read_text()


def test_a_step_that_hangs_ends_the_run_and_nothing_more_is_touched(host):
    """Not even what was applied before is taken back: whoever waits in the kernel may hold it."""
    remedy, _ = carried(
        host, AddLine(str(host / "list"), "two"), Run("hang", ("sleep", "15"), ("true",)), limit=1
    )

    assert ["applied", "failed"] == states(remedy)
    assert "waits in the kernel" in remedy.steps[1].why
    assert "two" in (host / "list").read_text()


def test_a_run_goes_on_when_its_connection_is_cut(host):
    """The session is killed while a step runs; the journal tells the end."""
    made = plan(Run("wait", ("sleep", "2"), ("true",)), AddLine(str(host / "list"), "two"))
    session = subprocess.Popen(["sh", "-s"], stdin=subprocess.PIPE, stdout=subprocess.DEVNULL,
                               start_new_session=True)  # fmt: skip
    session.stdin.write(apply.script(made, RUN, where(host)).encode())
    session.stdin.close()
    journal = host / "runs" / RUN / "journal"
    _wait_for(lambda: journal.exists() and "s1 begin" in journal.read_text())
    os.killpg(session.pid, signal.SIGKILL)
    session.wait()
    _wait_for((host / "runs" / RUN / "done").exists)

    assert "end applied" in journal.read_text()
    assert "two" in (host / "list").read_text()


def test_a_runner_that_is_killed_can_be_taken_back(host):
    """The journal says what began; the kept copy restores it, and the stale lock is no obstacle."""
    before = (host / "list").read_bytes()
    made = plan(AddLine(str(host / "list"), "two"), Run("wait", ("sleep", "20"), ("true",)))
    session = subprocess.Popen(["sh", "-s"], stdin=subprocess.PIPE, stdout=subprocess.DEVNULL,
                               start_new_session=True)  # fmt: skip
    session.stdin.write(apply.script(made, RUN, where(host)).encode())
    session.stdin.close()
    journal = host / "runs" / RUN / "journal"
    _wait_for(lambda: journal.exists() and "s2 begin" in journal.read_text())
    os.kill(int((host / "lock" / "pid").read_text()), signal.SIGKILL)
    os.killpg(session.pid, signal.SIGKILL)
    session.wait()

    assert b"two" in (host / "list").read_bytes()
    assert "s1 undone" in undone(host)
    assert before == (host / "list").read_bytes()


def test_two_runs_never_work_at_once(host):
    """The second one is refused, and says who holds the lock."""
    (host / "lock").mkdir()
    (host / "lock" / "pid").write_text(str(os.getpid()))
    (host / "lock" / "run").write_text("another")
    remedy, _ = carried(host, AddLine(str(host / "list"), "two"))

    assert RemedyState.REFUSED is remedy.state
    assert "another" in remedy.steps[0].why
    assert "two" not in (host / "list").read_text()


def test_a_reboot_is_left_to_a_person(host):
    """The plan ends pending, and nothing boots."""
    remedy, _ = carried(host, AddLine(str(host / "list"), "two"), Reboot())

    assert (RemedyState.PENDING_REBOOT, ["applied", "pending reboot"]) == (
        remedy.state,
        states(remedy),
    )


def test_a_host_that_cannot_be_written_is_refused(host):
    """Without rights nothing begins."""
    (host / "runs").write_text("a file in the way")
    remedy, _ = carried(host, AddLine(str(host / "list"), "two"))

    assert ["refused"] == states(remedy)
    assert "needs root" in remedy.steps[0].why


@pytest.mark.parametrize("name", ["../x", "", "a b", "$(id)", "-rf"])
def test_only_names_of_runs_are_taken_back(name):
    """What is typed after --undo becomes no path and no command."""
    with pytest.raises(ValueError, match="no name of a run"):
        apply.undo_script(name)


def _wait_for(happened) -> None:
    for _ in range(300):
        if happened():
            return
        time.sleep(0.1)
    raise AssertionError("it never happened")
