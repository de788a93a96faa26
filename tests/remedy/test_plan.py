"""Plans of all recorded hosts: nothing of the host is touched, nothing is written twice."""

from __future__ import annotations

import subprocess
from functools import cache

import pytest

from pytest_vfio.check import Outcome
from pytest_vfio.hypervisor.hypervisor import Hypervisor
from pytest_vfio.judge.diagnosis import diagnose
from pytest_vfio.judge.judgement import Judgement
from pytest_vfio.judge.result import RemedyState
from pytest_vfio.remedy import guard, merge
from pytest_vfio.remedy.plan import Plan, make, result
from pytest_vfio.steps import Reboot, Step
from pytest_vfio.steps.files import AddLine, WriteFile
from pytest_vfio.steps.host import Bind, Regenerate, SetVfs, WriteSysfs
from pytest_vfio.steps.words import AddWords, RemoveWords, ReplaceWord
from tests.golden.matrix import POLICY
from tests.hosts.recorded import bundles, evidence, judge, lab_bundles, whole_suite

NAMES = (*bundles(), *lab_bundles())
RELEASES = ("remove_words", "comment_out", "delete_file", "remove_line", "detach_device")


def plan_of(judgement: Judgement) -> tuple[Plan, list]:
    judged = POLICY.judge(judgement)
    causes = [cause.finding.key for cause in diagnose(judgement, judged).causes]
    return make(judgement.hypervisor, judged, causes), list(judged)


@cache
def planned(name: str) -> tuple[Plan, list, Hypervisor]:
    judgement = judge(name)
    return *plan_of(judgement), judgement.hypervisor


def fresh(name: str) -> Hypervisor:
    declared = {**bundles(), **lab_bundles()}[name][1]
    return Hypervisor(evidence(name), declared)


@pytest.mark.parametrize("name", NAMES)
def test_no_plan_names_what_the_host_uses(name):
    """Nor anything of which that cannot be told, save to take it out of a list."""
    plan, _, hypervisor = planned(name)
    for one in plan.steps:
        for address in () if one.step.kind in RELEASES else guard.addresses(one.step):
            assert hypervisor.protected.path(address) is None, one.step.title


@pytest.mark.parametrize("name", NAMES)
def test_no_plan_writes_anything_twice(name):
    """Each step once, each file of ours once, each word once, and none that is there already."""
    plan, _, hypervisor = planned(name)
    steps = [one.step for one in plan.steps]
    assert len(steps) == len(set(steps))
    files = [step.path for step in steps if isinstance(step, WriteFile)]
    assert len(files) == len(set(files))
    for step in steps:
        if isinstance(step, WriteFile):
            assert len(step.lines) == len(set(step.lines))
        if isinstance(step, AddWords):
            there = hypervisor.evidence.item(step.path.lstrip("/")).text.split()
            assert not set(step.words) & set(there)


@pytest.mark.parametrize("name", NAMES)
def test_a_plan_is_the_same_for_the_same_evidence(name):
    """Whoever makes it, and in whatever order the facts are asked."""
    plan, _, _ = planned(name)
    again, _ = plan_of(Judgement(whole_suite(), fresh(name)))

    assert (plan.name, plan.steps) == (again.name, again.steps)


@pytest.mark.parametrize("name", NAMES)
def test_every_failure_is_planned_or_declined_with_a_reason(name):
    """An empty plan belongs to a host without a failure that a machine could mend."""
    plan, judged, _ = planned(name)
    failures = {
        one.finding.key
        for one in judged
        if one.gates and one.finding.outcome is Outcome.FAIL and one.finding.cure is not None
    }
    mended = {finding.key for one in plan.steps for finding in one.findings}
    declined = {one.finding.key for one in plan.declined}

    assert failures == mended | declined
    assert not mended & declined
    assert all(one.why for one in plan.declined)


@pytest.mark.parametrize("name", NAMES)
def test_a_plan_is_plain_values_with_diffs_and_proofs(name):
    """What changes in a file is shown; what leaves its driver is proved idle."""
    plan, _, hypervisor = planned(name)
    for one, row in zip(plan.steps, result(plan, hypervisor).steps, strict=False):
        assert row.state is RemedyState.PLANNED
        if isinstance(one.step, (WriteFile, RemoveWords, ReplaceWord, AddLine)):
            assert [line for line in row.diff.splitlines()[2:] if line[0] in "+-"], row.title
        if isinstance(one.step, Bind) and one.step.old is not None:
            assert row.proof


def test_a_root_disk_is_refused_with_its_path():
    """The refusal names the way from the file system down to the device."""
    hypervisor = fresh("guest-takes-the-root-disk")
    step = Bind("0000:00:03.0", "virtio-pci", "vfio-pci", "", "vfio-pci")

    assert "vda3 -> / -> 0000:00:03.0" in (guard.refusal(hypervisor, [step]) or "")


@pytest.mark.parametrize(
    "step",
    [
        AddWords("/etc/kernel/cmdline", ("vfio-pci.ids=1b36:0010",)),
        ReplaceWord("/etc/default/grub", "x", "vfio-pci.ids=8086:1,1b36:0010", "V"),
        WriteFile("/etc/modprobe.d/x.conf", ("options vfio-pci ids=1b36:0010",)),
        WriteFile("/etc/default/grub.d/x.cfg", ('V="$V vfio-pci.ids=1b36:0010"',)),
        WriteFile("/etc/udev/rules.d/x.rules", ('KERNEL=="0000:00:03.0", ATTR{x}="y"',)),
        SetVfs("0000:00:03.0", 2, 0),
    ],
)
def test_ids_and_rules_that_would_take_the_root_disk_are_refused(step):
    """Whatever file they stand in: the twin of a guest's NVMe carries the host."""
    assert "0000:00:03.0" in (guard.refusal(fresh("ids-catch-the-root-disk"), [step]) or "")


def test_a_reboot_into_a_worse_state_is_refused():
    """Ids that wait for the next boot would take the NIC by which the host is reached."""
    hypervisor = fresh("ids-catch-the-management-nic")
    mended = RemoveWords("/etc/default/grub", ("vfio-pci.ids=1af4:1041",), "V")

    assert "0000:00:02.0" in (guard.refusal(hypervisor, [Reboot()]) or "")
    assert guard.refusal(hypervisor, [mended, Reboot()]) is None
    unread = Hypervisor(
        evidence("ids-catch-the-management-nic").without(["sys/class/net", "ip/addr", "ip/route4"])
    )
    assert "cannot tell" in (guard.refusal(unread, [Reboot()]) or "")


def test_an_unread_host_is_refused():
    """What cannot be told is no permission."""
    hypervisor = Hypervisor(evidence("never-detached").without(["sys/class/net"]))
    step = Bind("0000:01:00.0", "igb", "vfio-pci", "", "vfio-pci")

    assert "cannot tell" in (guard.refusal(hypervisor, [step]) or "")


def test_a_device_of_a_running_guest_is_not_idle():
    """Nor is any function of its card."""
    step = Bind("0000:01:00.0", "vfio-pci", "*", "", "")

    assert "running guest" in (guard.refusal(fresh("guest-running"), [step]) or "")


def test_the_order_is_at_once_then_files_then_what_is_made_of_them():
    """A host that is lost on the way comes back with a reset as it was."""
    file = AddLine("/etc/initramfs-tools/modules", "vfio-pci")
    image = Regenerate("the initramfs", ("update-initramfs", "-u"))
    menu = Regenerate("grub.cfg", ("update-grub",))
    live = WriteSysfs("/sys/x", "1")
    steps: list[Step] = [Reboot(), menu, file, image, live, file, Reboot()]

    assert (live, file, image, menu, Reboot()) == merge.merged(steps)


def test_words_and_lines_of_one_file_become_one_edit():
    """One edit of a file, whoever asks for it."""
    one, two = (WriteFile("/etc/x.cfg", (line,)) for line in "ab")
    first, second = (AddWords("/etc/y", (word, "c"), "V") for word in "ab")

    assert (WriteFile("/etc/x.cfg", ("a", "b")),) == merge.merged([one, two, one])
    assert (AddWords("/etc/y", ("a", "c", "b"), "V"),) == merge.merged([first, second])


@pytest.mark.parametrize(
    ("one", "other"),
    [
        (AddWords("/etc/y", ("a",)), RemoveWords("/etc/y", ("a",))),
        (ReplaceWord("/etc/y", "a", "b"), RemoveWords("/etc/y", ("a",))),
        (ReplaceWord("/etc/y", "a", "b"), ReplaceWord("/etc/y", "a", "c")),
        (SetVfs("0000:01:00.0", 2, 0), SetVfs("0000:01:00.0", 4, 0)),
        (Bind("0000:01:00.0", "igb", "vfio-pci"), Bind("0000:01:00.0", "igb", None)),
    ],
)
def test_steps_that_work_against_each_other_are_found(one, other):
    """The later one is not planned with the earlier one."""
    assert merge.opposite([one], [other]) is not None
    assert merge.opposite([one], [one]) is None


def test_every_plan_as_a_script_is_a_shells(tmp_path):
    """`sh -n` takes the script of every recorded host."""
    from pytest_vfio.judge.host_run import checks_of  # noqa: PLC0415
    from pytest_vfio.judge.result import HostResult, HostVerdict, RunResult  # noqa: PLC0415
    from pytest_vfio.report import plan_script  # noqa: PLC0415

    hosts = tuple(
        HostResult(
            name=f"{name}\n$(reboot)",
            source="recording",
            collected=None,
            reachable=True,
            verdict=HostVerdict.NOT_READY,
            facts=None,
            remedy=result(*planned(name)[::2]),
        )
        for name in NAMES
    )
    run = RunResult(
        product="x 1", started="2026-01-01T00:00:00Z", duration_s=0, complete=True, fail_on=(),
        checks=checks_of(whole_suite()), hosts=hosts,
    )  # fmt: skip
    script = plan_script.render(run)
    done = subprocess.run(["sh", "-n"], input=script, capture_output=True, check=False)

    assert (0, b"") == (done.returncode, done.stderr)
    assert b"\n$(reboot)" not in script
