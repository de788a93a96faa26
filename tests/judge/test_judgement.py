"""Findings are the same in whatever order they are asked for, and name the cause."""

from __future__ import annotations

import datetime
import random

import pytest
from msgspec import structs

from pytest_vfio.check import (
    ADVICE,
    BLOCKER,
    Check,
    Outcome,
    Severity,
    Verdict,
    fails,
    passes,
    skips,
)
from pytest_vfio.declared import Declared, Waiver, WantedDevice
from pytest_vfio.evidence import Item, Missing, Status
from pytest_vfio.judge.diagnosis import diagnose
from pytest_vfio.judge.judgement import Judgement, subjects_of
from pytest_vfio.judge.policy import Policy
from pytest_vfio.judge.result import HostVerdict
from pytest_vfio.judge.suite import Suite
from tests.hosts.plain import hypervisor

GOOD = "0000:01:00.0"
BAD = "0000:02:00.0"
TODAY = datetime.date(2026, 11, 22)
TREE = "\n".join(
    f"{address}/{line}"
    for number, address in enumerate((GOOD, BAD))
    for line in (
        "vendor=0x8086",
        "device=0x1572",
        f"iommu_group->../../../../kernel/iommu_groups/{number}",
    )
)
ITEMS = {"sys/bus/pci/devices": TREE, "sys/kernel/iommu_groups": "0/type=DMA\n1/type=DMA"}


def failing(*_):
    return fails("it is bad", actual="bad", expected="good", evidence=())


def missing(*_):
    raise Missing(Item("dmesg", Status.DENIED, detail="ask root"))


def make(id, function, subject="host", needs=(), severity=BLOCKER, layer="iommu", refs=()):
    return Check(id, severity, needs, refs, subject, function, f"x/{layer}/t.py")


def only_bad(_, device):
    return failing() if device.name == BAD else passes("fine")


def judge(*checks, declared=None, items=ITEMS):
    if declared is None:
        declared = Declared((WantedDevice(address=GOOD), WantedDevice(address=BAD)))
    return Judgement(Suite(checks), hypervisor(items, declared))


def outcomes(judgement):
    return {(one.id, one.name): one.outcome for one in judgement}


def test_a_failure_is_not_a_cause_where_what_it_needs_failed():
    """A fail becomes blocked, and names the root."""
    judgement = judge(make("AAA001", failing), make("BBB001", failing, needs=("AAA001",)))
    blocked = next(one for one in judgement if one.id == "BBB001")

    assert blocked.outcome is Outcome.BLOCKED
    assert blocked.blocked_by == (("AAA001", "host", "testhost"),)


def test_a_chain_of_failures_names_the_first():
    """blocked_by holds roots only."""
    judgement = judge(
        make("AAA001", failing),
        make("BBB001", failing, needs=("AAA001",)),
        make("CCC001", missing, needs=("BBB001",)),
    )

    assert [one.blocked_by for one in judgement][2] == (("AAA001", "host", "testhost"),)


def test_a_pass_stays_a_pass():
    """What is fine on its own evidence is fine whatever failed before it."""
    judgement = judge(
        make("AAA001", failing), make("BBB001", lambda _: passes("fine"), needs=("AAA001",))
    )

    assert outcomes(judgement)["BBB001", "testhost"] is Outcome.PASS


def test_an_unknown_prerequisite_blocks_nothing():
    """What could not be read is no cause."""
    judgement = judge(make("AAA001", missing), make("BBB001", failing, needs=("AAA001",)))

    assert outcomes(judgement)["BBB001", "testhost"] is Outcome.FAIL


def test_a_device_is_blocked_only_by_what_it_stands_on():
    """The failure of another device is none of its business."""
    judgement = judge(
        make("AAA001", only_bad, "device"),
        make("BBB001", failing, "device", needs=("AAA001",)),
    )

    assert outcomes(judgement)["BBB001", BAD] is Outcome.BLOCKED
    assert outcomes(judgement)["BBB001", GOOD] is Outcome.FAIL


def test_a_device_stands_on_its_group():
    """The device of a bad group is blocked, the other is not."""

    def bad_group(_, group):
        return failing() if group.number == 1 else passes("fine")

    judgement = judge(
        make("AAA001", bad_group, "group"), make("BBB001", failing, "device", needs=("AAA001",))
    )

    assert outcomes(judgement)["BBB001", BAD] is Outcome.BLOCKED
    assert outcomes(judgement)["BBB001", GOOD] is Outcome.FAIL


def test_where_there_is_no_subject_between_the_needs_below_it_count():
    """A device without a group is still blocked by what the group's check needs of the host."""
    items = {"sys/bus/pci/devices": f"{BAD}/vendor=0x8086\n{BAD}/device=0x1572"}
    judgement = judge(
        make("AAA001", failing),
        make("BBB001", failing, "group", needs=("AAA001",)),
        make("CCC001", failing, "device", needs=("BBB001",)),
        declared=Declared((WantedDevice(address=BAD),)),
        items=items,
    )

    assert outcomes(judgement)["CCC001", BAD] is Outcome.BLOCKED


def test_missing_evidence_is_unknown_and_named():
    """A fact that raises makes an unknown that says what was not read, and why."""
    finding = next(iter(judge(make("AAA001", missing))))

    assert finding.outcome is Outcome.UNKNOWN
    assert ["dmesg: denied (ask root)"] == [str(lack) for lack in finding.missing]
    assert "dmesg: denied" in finding.message


@pytest.mark.parametrize("result", [None, True, "fine"])
def test_returning_no_verdict_is_an_error(result):
    """A check that forgets its verdict does not pass."""
    finding = next(iter(judge(make("AAA001", lambda _: result))))

    assert finding.outcome is Outcome.ERROR
    assert repr(result) in finding.message


def test_a_mistake_in_a_check_is_an_error_of_that_check_alone():
    """Other findings are judged all the same, and the traceback is kept."""
    judgement = judge(make("AAA001", lambda _: 1 / 0), make("BBB001", lambda _: passes("fine")))
    error, fine = judgement

    assert error.outcome is Outcome.ERROR
    assert "ZeroDivisionError" in error.actual
    assert fine.outcome is Outcome.PASS


def test_no_device_is_one_skip():
    """Where there is nothing to judge, one finding says so."""
    judgement = judge(make("AAA001", failing, "device"), declared=Declared(()))

    assert outcomes(judgement) == {("AAA001", "testhost"): Outcome.SKIP}


def test_devices_that_nobody_could_list_are_one_unknown():
    """Where it is not known which subjects there are, one finding says that."""
    judgement = judge(
        make("AAA001", failing, "device"),
        declared=Declared((WantedDevice(id="8086:1572"),)),
        items={},
    )

    assert outcomes(judgement) == {("AAA001", "testhost"): Outcome.UNKNOWN}


def test_the_order_of_asking_changes_nothing():
    """Findings are the same whichever is asked for first, or alone."""
    checks = (
        make("AAA001", failing),
        make("BBB001", only_bad, "device", needs=("AAA001",)),
        make("CCC001", missing, "group", needs=("AAA001",)),
        make("DDD001", failing, "device", needs=("CCC001", "BBB001")),
    )
    expected = {one.key: one for one in judge(*checks)}
    for seed in range(5):
        judgement = judge(*checks)
        pairs = [(c, s) for c in judgement.suite for s in subjects_of(c, judgement.subjects)]
        random.Random(seed).shuffle(pairs)

        assert {one.key: one for one in (judgement.finding(c, s) for c, s in pairs)} == expected


def policy(fail_on=("blocker", "security"), strict=False, waivers=(), today=TODAY):
    return Policy(frozenset(Severity(word) for word in fail_on), strict, waivers, today)


def test_a_consequence_gates_where_its_cause_is_not_reported():
    """-k of a consequence alone does not turn a sick host green; beside its cause it is silent."""
    findings = list(judge(make("AAA001", failing), make("BBB001", failing, needs=("AAA001",))))
    together = policy().judge(findings)
    alone = policy().judge(findings[1:])

    assert [one.gates for one in together] == [True, False]
    assert [one.gates for one in alone] == [True]


def test_only_the_severities_of_fail_on_gate():
    """Advice fails without gating, unless it is asked for."""
    findings = list(judge(make("AAA001", failing, severity=ADVICE)))

    assert [one.gates for one in policy().judge(findings)] == [False]
    assert [one.gates for one in policy(fail_on=("advice",)).judge(findings)] == [True]


def test_unknown_gates_only_under_strict():
    """--strict-unknown makes an unknown of a gating severity gate."""
    findings = list(judge(make("AAA001", missing)))

    assert [one.gates for one in policy().judge(findings)] == [False]
    assert [one.gates for one in policy(strict=True).judge(findings)] == [True]


def test_an_error_always_gates():
    """A broken check is never green."""
    findings = list(judge(make("AAA001", lambda _: None, severity=ADVICE)))

    assert [one.gates for one in policy().judge(findings)] == [True]


def test_a_waiver_covers_until_its_last_day():
    """A waived failure is told as waived and does not gate; an expired waiver does nothing."""
    findings = list(judge(make("AAA001", failing)))
    waiver = Waiver("AAA001", "TICKET-7", TODAY, host="testhost")
    (waived,) = policy(waivers=(waiver,)).judge(findings)
    (late,) = policy(waivers=(waiver,), today=TODAY + datetime.timedelta(1)).judge(findings)

    assert (waived.finding.outcome, waived.gates, waived.waiver) == (Outcome.WAIVED, False, waiver)
    assert (late.finding.outcome, late.gates) == (Outcome.FAIL, True)


def test_causes_come_in_the_order_in_which_to_act():
    """Firmware before the command line before devices, and what hurts before what slows."""
    judgement = judge(
        make("DEV001", failing, layer="devices"),
        make("FWW001", failing, layer="firmware", severity=Severity.DEGRADED),
        make("CMD001", failing, layer="cmdline"),
        make("FWW002", failing, layer="firmware"),
    )
    diagnosis = diagnose(judgement, policy().judge(judgement))

    assert [cause.finding.id for cause in diagnosis.causes] == [
        "FWW002",
        "CMD001",
        "DEV001",
        "FWW001",
    ]


def test_a_waiver_of_a_replaced_check_covers_the_one_in_its_place():
    """By the ids that the suite says it replaced."""
    waiver = Waiver("OLD001", "TICKET-7", TODAY)
    now = structs.replace(make("AAA001", failing), replaces=("OLD001",))
    followed = policy(waivers=(waiver,)).following(Suite([now]))

    assert followed.waivers == (Waiver("AAA001", "TICKET-7", TODAY),)


def test_a_cause_lists_what_it_explains():
    """Each consequence stands under its root."""
    judgement = judge(make("AAA001", failing), make("BBB001", failing, "device", needs=("AAA001",)))
    (cause,) = diagnose(judgement, policy().judge(judgement)).causes

    assert cause.explains == (("BBB001", "device", GOOD), ("BBB001", "device", BAD))


def test_each_device_has_a_sentence():
    """Assignable, not assignable with the reason, or not to be told with what was not read."""

    def verdict(_, device) -> Verdict:
        return failing() if device.name == BAD else passes("fine")

    judgement = judge(make("AAA001", verdict, "device"))
    diagnosis = diagnose(judgement, policy().judge(judgement))

    assert [one.sentence for one in diagnosis.devices] == [
        f"{GOOD} can be assigned",
        f"{BAD} cannot be assigned: it is bad",
    ]
    assert diagnosis.verdict is HostVerdict.NOT_READY


def test_what_was_not_read_makes_the_verdict_cannot_tell():
    """An unknown blocker on a device leaves the host undecided."""
    judgement = judge(make("AAA001", missing))
    diagnosis = diagnose(judgement, policy().judge(judgement))

    assert diagnosis.verdict is HostVerdict.CANNOT_TELL
    assert {one.assignable for one in diagnosis.devices} == {"unknown"}
    assert diagnosis.devices[0].sentence == f"{GOOD}: cannot tell: dmesg not read"


def test_a_host_for_nothing_cannot_be_told():
    """Where nothing is intended there is nothing to be ready for."""
    judgement = judge(make("AAA001", lambda _: skips("nothing")), declared=Declared(()))

    assert diagnose(judgement, policy().judge(judgement)).verdict is HostVerdict.CANNOT_TELL


def test_a_host_is_ready_when_all_its_devices_are():
    """All pass, so the host is ready."""
    judgement = judge(make("AAA001", lambda *_: passes("fine"), "device"))

    assert diagnose(judgement, policy().judge(judgement)).verdict is HostVerdict.READY


def test_a_danger_to_the_host_does_not_say_that_a_device_cannot_be_assigned():
    """What the next boot takes from the host makes it not ready; the device is assignable."""
    judgement = judge(make("SAF004", failing, layer="safety"))
    diagnosis = diagnose(judgement, policy().judge(judgement))

    assert {one.assignable for one in diagnosis.devices} == {"yes"}
    assert diagnosis.verdict is HostVerdict.NOT_READY


def test_a_device_that_the_host_lives_on_cannot_be_assigned():
    """A danger on the device itself does stop it."""
    judgement = judge(make("SAF001", failing, "device", layer="safety"))

    assert {one.assignable for one in diagnose(judgement, policy().judge(judgement)).devices} == {
        "no"
    }


@pytest.mark.parametrize(
    ("severity", "layer", "verdict"),
    [
        (BLOCKER, "safety", HostVerdict.CANNOT_TELL),
        (Severity.SECURITY, "iommu", HostVerdict.CANNOT_TELL),
        (Severity.DEGRADED, "iommu", HostVerdict.READY),
    ],
)
def test_a_host_is_not_ready_where_a_danger_cannot_be_told(severity, layer, verdict):
    """Evidence that is lost never makes a host ready that was not."""
    judgement = judge(make("AAA001", missing, severity=severity, layer=layer))

    assert diagnose(judgement, policy().judge(judgement)).verdict is verdict
