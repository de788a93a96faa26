"""--plan, --fix and --undo: what would mend the hosts, and the mending of them.

A plan writes nothing. A fix comes between reading and judging: read, judge, mend, read again; what
pytest reports is the state after.
"""

from __future__ import annotations

import sys
import time
from collections.abc import Mapping
from typing import TYPE_CHECKING

import pytest
from msgspec.structs import replace

from pytest_vfio.evidence import Evidence
from pytest_vfio.mistakes import Mistake
from pytest_vfio.printable import printable

if TYPE_CHECKING:
    from pytest_vfio.judge.host_run import HostRun
    from pytest_vfio.judge.result import HostResult, RemedyResult
    from pytest_vfio.plugin.reading import Asked
    from pytest_vfio.plugin.run import Run
    from pytest_vfio.remedy.plan import Plan
    from pytest_vfio.sources import Reading, Target
    from pytest_vfio.steps import Grade

#: Where a run's end is waited for, a little longer than the host itself waits.
_PATIENCE = 1860
#: What selects a part of the findings: a fix is made for all of them, or not at all.
_SELECTING = ("keyword", "markexpr", "lf", "numprocesses")


def pytest_addoption(parser: pytest.Parser) -> None:
    """The options."""
    group = parser.getgroup("vfio")
    group.addoption(
        "--plan",
        dest="vfio_plan",
        action="store_true",
        help="show what would mend each host: commands and diffs, in their order, and why; also in "
        "results.json and as HOST.plan.sh in the report folder; writes nothing on a host",
    )
    group.addoption(
        "--fix",
        dest="vfio_fix",
        action="store_true",
        help="carry out the safe steps of the plan on the hosts, then judge them again",
    )
    group.addoption(
        "--fix-unsafe",
        dest="vfio_fix_unsafe",
        action="store_true",
        help="also those that change boot files or take a device from its driver; never reboots; "
        "asks for the host's name",
    )
    group.addoption(
        "--yes",
        dest="vfio_yes",
        action="store_true",
        help="consent to --fix-unsafe without being asked",
    )
    group.addoption(
        "--undo",
        dest="vfio_undo",
        metavar="RUN",
        help="take back what an earlier run of --fix did on the hosts, then judge them again",
    )


def plans(config: pytest.Config, run: Run) -> Mapping[str, RemedyResult]:
    """The plan of each host that was read, where that is asked for; hosts are still whole."""
    if not config.option.vfio_plan:
        return {}
    from pytest_vfio.remedy import plan  # noqa: PLC0415 - most runs plan nothing

    found = {}
    for name in run.hosts:
        host = run.judge(name)
        found[name] = plan.result(_plan(host), host.hypervisor)
    return found


def planned(
    hosts: tuple[HostResult, ...], plans: Mapping[str, RemedyResult]
) -> tuple[HostResult, ...]:
    """The hosts with their plans, or with what was done to them."""
    return tuple(
        replace(host, remedy=plans[host.name]) if host.name in plans else host for host in hosts
    )


def writes(config: pytest.Config) -> bool:
    """Whether something is to be changed on the hosts."""
    option = config.option
    return bool(option.vfio_fix or option.vfio_fix_unsafe or option.vfio_undo)


def must_be_possible(config: pytest.Config, asked: Asked) -> None:
    """Raise Mistake for what is never fixed: a part of the findings, a recording, a worker's host."""
    option = config.option
    if not writes(config):
        return
    if getattr(option, "vfio_survey", False):
        raise Mistake("--fix and --undo: --survey asks what could be, and changes nothing")
    for name in _SELECTING:
        if getattr(option, name, None):
            raise Mistake("--fix and --undo go with no selection (-k, -m, --lf) and without -n")
    if option.vfio_undo and (option.vfio_fix or option.vfio_fix_unsafe):
        raise Mistake("--undo takes back: give it without --fix")
    if option.vfio_fix_unsafe and not option.vfio_yes and not sys.stdin.isatty():
        raise Mistake("--fix-unsafe asks for the host's name: give --yes where nobody can answer")
    for target in asked.targets:
        if target.kind not in ("local", "ssh"):
            raise Mistake(
                f"--fix: {target.name} is a {target.kind}, and only live hosts behind OpenSSH and "
                "this machine are changed: --plan shows what to do"
            )


def mend(
    config: pytest.Config, asked: Asked, readings: tuple[Reading, ...]
) -> Mapping[str, RemedyResult]:
    """Change the hosts, one after the other, up to the first that fails; what became of each."""
    found: dict[str, RemedyResult] = {}
    for target, reading in zip(asked.targets, readings, strict=True):
        if not isinstance(reading, Evidence):
            continue
        done = (
            _undo(config, target)
            if config.option.vfio_undo
            else _fix(config, asked, target, reading)
        )
        found[target.name] = done
        if failed(done):
            break
    return found


def failed(remedy: RemedyResult) -> bool:
    """Something was not done as it was meant: the run fails by it."""
    from pytest_vfio.judge.result import RemedyState  # noqa: PLC0415 - as above

    bad = (RemedyState.FAILED, RemedyState.ROLLED_BACK, RemedyState.REFUSED)
    return any(state in bad for state in (remedy.state, *(step.state for step in remedy.steps)))


def _undo(config: pytest.Config, target: Target) -> RemedyResult:
    from pytest_vfio.remedy import apply, hand  # noqa: PLC0415 - as above

    run = config.option.vfio_undo
    try:
        script = apply.undo_script(run)
    except ValueError as error:
        raise Mistake(f"--undo {error}") from error
    return apply.undone(run, hand.carry_out(target, script, _PATIENCE))


def _fix(config: pytest.Config, asked: Asked, target: Target, evidence: Evidence) -> RemedyResult:
    from pytest_vfio.judge.result import BeforeResult  # noqa: PLC0415 - as above
    from pytest_vfio.plugin.run import Run, policy_of  # noqa: PLC0415 - as above
    from pytest_vfio.remedy import apply, hand, plan  # noqa: PLC0415 - as above
    from pytest_vfio.steps import Grade  # noqa: PLC0415 - as above

    policy = policy_of(asked, config)
    run = Run(asked.inventory, policy, asked.targets, (evidence,), asked.devices)
    host = run.judge(evidence.host)
    made = _plan(host, Grade.UNSAFE if config.option.vfio_fix_unsafe else Grade.SAFE)
    shown = plan.result(made, host.hypervisor)
    before = BeforeResult(host.told.verdict, host.told.causes)
    if not made.steps:
        return replace(shown, before=before)
    if config.option.vfio_fix_unsafe and not config.option.vfio_yes:
        _must_consent(config, target, shown)
    name = apply.run_name(made, time.time())
    answer = hand.carry_out(target, apply.script(made, name), _PATIENCE)
    return replace(apply.after(shown, name, answer), before=before)


def _plan(host: HostRun, most: Grade | None = None) -> Plan:
    from pytest_vfio.remedy import plan  # noqa: PLC0415 - as above
    from pytest_vfio.steps import Grade  # noqa: PLC0415 - as above

    causes = [(one.id, one.subject.kind, one.subject.name) for one in host.told.causes]
    return plan.make(host.hypervisor, host.whole, causes, most or Grade.UNSAFE)


def _must_consent(config: pytest.Config, target: Target, shown: RemedyResult) -> None:
    """Show the plan and ask for the host's name. Raises Mistake for any other answer."""
    from pytest_vfio.report import plan_lines  # noqa: PLC0415 - as above

    capture = config.pluginmanager.get_plugin("capturemanager")
    if capture is not None:
        capture.suspend_global_capture(in_=True)
    try:
        for indent, parts, _ in plan_lines.lines(shown):
            sys.stdout.write(" " * indent + printable("".join(words for words, _ in parts)) + "\n")
        sys.stdout.write(f"To carry this out, type the host's name ({printable(target.name)}): ")
        sys.stdout.flush()
        answer = sys.stdin.readline().strip()
    finally:
        if capture is not None:
            capture.resume_global_capture()
    if answer != target.name:
        raise Mistake(f"--fix-unsafe: {answer!r} is not {target.name!r}: nothing was changed")
