"""The whole lab, or the part of it that CI has time for: every scenario, judged over real SSH."""

import queue
import re
import subprocess
import time
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor, as_completed

from tests.hosts.recorded import bundles_of
from tests.lab import cache, lab, nested, witness
from tests.lab.again import judge_again
from tests.lab.fault import Fault, Scenario
from tests.lab.fixture import inventory
from tests.lab.hosts import HOSTS
from tests.lab.machine import Machine, running
from tests.lab.row import Row, kept, revision
from tests.lab.suite import Report, judge
from tests.lab.verdict import complaints

SLOW = 600.0
CHANGED = "changed: "
SLOTS = ("run1", "run2")
"""One machine in each: an emulated boot keeps little more than one core busy."""


def play(scenarios: Sequence[Scenario]) -> list[Row]:
    """Every scenario on its restored host, two at a time, those that boot first."""
    free: queue.SimpleQueue[str] = queue.SimpleQueue()
    for slot in SLOTS:
        free.put(slot)
    pool = ThreadPoolExecutor(len(SLOTS))
    ordered = sorted(scenarios, key=lambda s: (not _boots(s), s.host))
    games = [pool.submit(_one, scenario, free) for scenario in ordered]
    rows: list[Row] = []
    started = time.monotonic()
    try:
        for game in as_completed(games):
            rows.append(game.result())
            rows[-1].keep()
            minutes, seconds = divmod(int(time.monotonic() - started), 60)
            place = f"{minutes:2}:{seconds:02} {len(rows):2}/{len(games)}"
            print(f"{place} {rows[-1].line()}", flush=True)
    finally:  # left early, the threads end when their machines are gone
        pool.shutdown(wait=False, cancel_futures=True)
        while not all(game.done() for game in games):
            for machine in running():
                if machine.slot in SLOTS:
                    machine.stop()
            time.sleep(0.2)
    return rows


def replay(scenarios: Sequence[Scenario]) -> list[Row]:
    """Judge the last recordings again, without a host; what was measured on it stays."""
    rows = []
    last = inventory(cache.folder("recordings"), scenarios)
    for scenario in scenarios:
        if scenario.name not in bundles_of(last):
            continue
        report = judge_again(last, scenario.name)
        (was,) = kept([scenario.name]) or [_row(scenario, report, [], (), 0.0, 0.0)]
        said = complaints(scenario, report) + [one for one in was.complaints if CHANGED in one]
        rows.append(_row(scenario, report, said, was.validate, was.prepared, was.judged))
        rows[-1].keep()
        print(rows[-1].line(), flush=True)
    return rows


def _boots(scenario: Scenario) -> bool:
    return scenario.reboot or not HOSTS[scenario.host].snapshots


def _one(scenario: Scenario, free: queue.SimpleQueue[str]) -> Row:
    slot = free.get()
    started = time.monotonic()
    prepared = judged = 0.0
    report: Report | None = None
    validate: tuple[str, ...] = ()
    said: list[str] = []
    machine = Machine(scenario.host, slot)
    try:
        machine = lab.restore(HOSTS[scenario.host], slot=slot)
        _inject(machine, scenario)
        watched = scenario.smoke or scenario.witness
        before = witness.state(machine.shell) if watched else []
        prepared = time.monotonic() - started
        report = judge(machine, scenario)
        judged = time.monotonic() - started - prepared
        said = complaints(scenario, report)
        after = witness.state(machine.shell) if watched else []
        said += [f"{CHANGED}{line}" for line in witness.changes(before, after)]
        validate = _validate(machine)
    except (RuntimeError, TimeoutError, OSError, ValueError, subprocess.TimeoutExpired) as error:
        *_, last = str(error).strip().splitlines() or [""]  # a command's text stands before it
        said.append(f"{type(error).__name__}: {last}")
    finally:
        machine.stop()
        free.put(slot)
    return _row(scenario, report, said, validate, prepared, judged)


def _row(
    scenario: Scenario,
    report: Report | None,
    said: list[str],
    validate: tuple[str, ...],
    prepared: float,
    judged: float,
) -> Row:
    return Row(
        scenario.name,
        scenario.host,
        ", ".join(scenario.refs) if isinstance(scenario, Fault) else "",
        _cause(report),
        report.words if report else "",
        report.verdict if report else "none",
        tuple(said),
        validate,
        round(prepared, 1),
        round(judged, 1),
        revision(),
    )


def _cause(report: Report | None) -> str:
    check, refs = report.first_cause if report else ("", frozenset[str]())
    entries = ", ".join(sorted(refs - {check}))
    return f"{check} ({entries})" if entries else check


def _inject(machine: Machine, scenario: Scenario) -> None:
    shell = machine.shell
    if scenario.inject:
        shell.must(scenario.inject, timeout=SLOW)
    if scenario.reboot:
        shell.must("sync")
        machine.reboot(SLOW)
        shell.run("systemctl is-system-running --wait", timeout=SLOW)
    if scenario.after:
        shell.must(scenario.after, timeout=SLOW)
    if scenario.inside:
        seen = nested.proof(shell, "g1")
        if lacking := set(scenario.inside) - set(seen):
            raise RuntimeError(f"the guest does not see {lacking}, it sees {seen}")


def _validate(machine: Machine) -> tuple[str, ...]:
    return not_passed(machine.shell.run("LC_ALL=C virt-host-validate qemu 2>&1").stdout)


def not_passed(said: str) -> tuple[str, ...]:
    """What ``virt-host-validate`` warns of or fails, a line each.

    From libvirt 12 on it also prints what it found out, and empty lines, after a PASS.
    """
    lines = [" ".join(line.replace("QEMU:", "").split()) for line in said.splitlines()]
    return tuple(line for line in lines if re.search(r": (?!PASS)[A-Z]+\b", line))
