"""Recordings of the lab judged in this process: no host, no second pytest."""

import datetime
import json
from functools import cache
from pathlib import Path

from pytest_vfio.check import Severity
from pytest_vfio.hypervisor.hypervisor import Hypervisor
from pytest_vfio.judge.diagnosis import diagnose
from pytest_vfio.judge.judgement import Judgement
from pytest_vfio.judge.policy import Policy
from pytest_vfio.report import HostResult, RunResult
from pytest_vfio.report.results import to_json
from pytest_vfio.sources import read_bundle
from tests.hosts.recorded import bundles_of, whole_suite
from tests.lab.suite import Report

FAIL_ON = (Severity.BLOCKER, Severity.SECURITY)
POLICY = Policy(frozenset(FAIL_ON), strict=False, waivers=(), today=datetime.date(2026, 1, 1))


@cache
def judge_again(inventory: Path, name: str) -> Report:
    """What `results.json` says of a recorded host now."""
    bundle, declared = bundles_of(inventory)[name]
    evidence = read_bundle(bundle, name)
    judgement = Judgement(whole_suite(), Hypervisor(evidence, declared))
    judged = POLICY.judge(judgement)
    host = HostResult(
        name,
        evidence.source,
        evidence.collected,
        live=False,
        hypervisor=judgement.hypervisor,
        judged=tuple(judged),
        diagnosis=diagnose(judgement, judged),
    )
    run = RunResult(whole_suite(), (host,), "", 0.0, complete=True, fail_on=FAIL_ON, product="")
    (told,) = json.loads(to_json(run))["hosts"]
    return Report(told, int(any(one.gates for one in judged)))
