"""One small run with every outcome, and with text in it that wants to break a report."""

from __future__ import annotations

import datetime

from pytest_vfio.check import ADVICE, BLOCKER, Check, Severity, fails, passes, skips
from pytest_vfio.declared import Declared, Waiver, WantedDevice
from pytest_vfio.evidence import Item, Missing, Quote, Source, Status
from pytest_vfio.judge import host_run
from pytest_vfio.judge.host_run import HostRun
from pytest_vfio.judge.policy import Policy
from pytest_vfio.judge.result import HostResult, RunResult
from pytest_vfio.judge.suite import Suite
from pytest_vfio.steps import Cure, Reboot
from pytest_vfio.steps.words import RemoveWords
from tests.hosts.plain import hypervisor

NASTY = "\x1b[31m<b>&[bold]\x00\ud800]]>\u202e$(reboot)"
DEVICE = "0000:01:00.0"
CURE = Cure(
    "remove intel_iommu=off",
    (RemoveWords("/etc/default/grub", ("intel_iommu=off",), "GRUB_CMDLINE_LINUX"), Reboot()),
)


def _missing(*_):
    raise Missing(Item("dmesg", Status.DENIED, detail=NASTY))


def _bad(*_):
    quote = Quote("proc/cmdline", f"quiet intel_iommu=off {NASTY}")
    return fails(
        f"it is {NASTY}", actual=NASTY, expected="on", evidence=quote, cure=CURE, refs=["F22"]
    )


def _check(id, function, subject="host", needs=(), severity=BLOCKER, layer="cmdline"):
    function.__doc__ = f"Title of {id}"
    return Check(id, severity, needs, ("F1",), subject, function, f"x/{layer}/t.py")


CHECKS = (
    _check("AAA001", lambda _: passes("fine")),
    _check("AAA002", lambda _: _bad()),
    _check("AAA003", lambda _, device: _bad(), "device", ("AAA002",), layer="devices"),
    _check("AAA004", lambda _: skips("not this one")),
    _check("AAA005", lambda _: _missing()),
    _check("AAA006", lambda _: 1 / 0),
    _check("AAA007", lambda _: _bad(), severity=ADVICE),
    _check("AAA008", lambda _: _bad()),
)
WAIVER = Waiver("AAA008", "TICKET-7", datetime.date(2027, 1, 31))
POLICY = Policy(
    frozenset((Severity.BLOCKER, Severity.SECURITY)), False, (WAIVER,), datetime.date(2026, 11, 22)
)


def host(name: str = "bmt.example.org", selected: tuple[str, ...] | None = None) -> HostResult:
    """A host with every outcome, of which the named checks were asked for."""
    declared = Declared((WantedDevice(address=DEVICE),))
    evidence = hypervisor({"sys/bus/pci/devices": f"{DEVICE}/vendor=0x8086"}, host=name).evidence
    run = HostRun(evidence, declared, POLICY, seconds=1.23456)
    run.judge(Suite(CHECKS))
    return run.result(
        one.finding.key for one in run.whole if selected is None or one.finding.id in selected
    )


def unreachable(name: str = "gone") -> HostResult:
    """A host that could not be reached."""
    return host_run.unreachable(name, Source.SSH, f"{name}: no route {NASTY}", 0.5)


def run(*hosts: HostResult) -> RunResult:
    """A finished run over hosts."""
    return RunResult(
        product="pytest-vfio 0",
        started="2026-11-22T12:00:00Z",
        duration_s=2.5,
        complete=True,
        fail_on=(Severity.BLOCKER, Severity.SECURITY),
        checks=host_run.checks_of(Suite(CHECKS)),
        hosts=hosts or (host(), host("healthy", ("AAA001",)), unreachable()),
    )
