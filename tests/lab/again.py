"""Recordings of the lab judged in this process: no host, no second pytest."""

import datetime
import json
from functools import cache
from pathlib import Path

from pytest_vfio.check import Severity
from pytest_vfio.judge.host_run import HostRun
from pytest_vfio.judge.policy import Policy
from pytest_vfio.judge.result import HostResult, RunResult
from pytest_vfio.report.results import render
from pytest_vfio.sources import read_bundle
from tests.hosts.recorded import bundles_of, whole_suite
from tests.lab.suite import Report

FAIL_ON = (Severity.BLOCKER, Severity.SECURITY)
POLICY = Policy(frozenset(FAIL_ON), strict=False, waivers=(), today=datetime.date(2026, 1, 1))


@cache
def judge_again(inventory: Path, name: str) -> Report:
    """What `results.json` says of a recorded host now."""
    bundle, declared = bundles_of(inventory)[name]
    run = HostRun(read_bundle(bundle, name), declared, POLICY)
    run.judge(whole_suite())
    (told,) = json.loads(render(_run(run.result(()))))["hosts"]
    return Report(told, int(any(one.gates for one in run.whole)))


def _run(host: HostResult) -> RunResult:
    return RunResult(
        product="again",
        started="2026-01-01T00:00:00Z",
        duration_s=0.0,
        complete=True,
        fail_on=FAIL_ON,
        checks={},
        hosts=(host,),
    )
