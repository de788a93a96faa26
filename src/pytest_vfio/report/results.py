"""Findings -> `results.json`, the contract of section 9 of the design.

The JSON Schema that ships as `schemas/results.json` describes what is written here.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any, TypeVar

import msgspec

from pytest_vfio.evidence import Missing
from pytest_vfio.facts.pci.functions import PciFunction
from pytest_vfio.hypervisor.hypervisor import Hypervisor
from pytest_vfio.judge.diagnosis import Cause, Diagnosis
from pytest_vfio.judge.judgement import Key
from pytest_vfio.judge.policy import Judged
from pytest_vfio.judge.suite import layer
from pytest_vfio.report import HostResult, RunResult

T = TypeVar("T")
Json = dict[str, Any]


def to_json(run: RunResult) -> bytes:
    """The whole document, UTF-8, indented by two."""
    document = {
        "schema": 1,
        "product": run.product,
        "started": run.started,
        "duration_s": round(run.seconds, 3),
        "complete": run.complete,
        "fail_on": [severity.value for severity in run.fail_on],
        "checks": {
            check.id: {
                "title": check.title,
                "layer": layer(check),
                "severity": check.severity.value,
                "refs": list(check.refs),
                "needs": list(check.needs),
            }
            for check in run.suite
        },
        "hosts": [_host(host) for host in run.hosts],
    }
    # A name given on the command line can hold bytes that are not UTF-8, which JSON cannot carry.
    text = json.dumps(document, ensure_ascii=False).encode("utf-8", "replace")
    return msgspec.json.format(text, indent=2) + b"\n"


def _host(host: HostResult) -> Json:
    diagnosis = host.diagnosis
    return {
        "name": host.name,
        "source": host.source,
        "collected": host.collected,
        "reachable": host.hypervisor is not None,
        "verdict": diagnosis.verdict.value if diagnosis else "cannot tell",
        "facts": _facts(host.hypervisor, diagnosis) if host.hypervisor and diagnosis else None,
        "findings": [_finding(one, host) for one in host.judged],
        "diagnosis": [_cause(cause) for cause in diagnosis.causes] if diagnosis else [],
        **({"reason": host.reason} if host.reason else {}),
    }


def _facts(hypervisor: Hypervisor, diagnosis: Diagnosis) -> Json:
    return {
        "kernel": ask(lambda: hypervisor.kernel.release),
        "cpu_vendor": ask(lambda: hypervisor.cpu.vendor),
        "iommu": on_off(ask(lambda: hypervisor.iommu.on)),
        "interrupt_remapping": on_off(ask(lambda: hypervisor.iommu.interrupt_remapping)),
        "devices": _devices(hypervisor, diagnosis),
    }


def _devices(hypervisor: Hypervisor, diagnosis: Diagnosis) -> list[Json]:
    intended = {one.device.name: one for one in diagnosis.devices}
    functions = hypervisor.pci.known
    devices = []
    for name in sorted({*functions, *intended}):
        sentence = intended.get(name)
        devices.append(
            {
                "address": name,
                **_function(functions.get(name)),
                "intended": sentence is not None,
                "intent_from": sentence.device.intent_from if sentence else None,
                "guest": sentence.device.guest if sentence else None,
                "assignable": sentence.assignable if sentence else "unknown",
                "sentence": sentence.sentence if sentence else f"{name} is not meant for a guest",
            }
        )
    return devices


def _function(function: PciFunction | None) -> Json:
    if function is None:
        return {"id": None, "driver": None, "group": None}
    return {
        "id": ask(lambda: function.id),
        "driver": ask(lambda: function.driver),
        "group": ask(lambda: function.group),
    }


def _finding(one: Judged, host: HostResult) -> Json:
    finding, cure, waiver = one.finding, one.finding.cure, one.waiver
    return {
        "id": finding.id,
        "refs": list(finding.refs),
        "subject": {"kind": finding.kind, "name": finding.name},
        "outcome": finding.outcome.value,
        "severity": finding.severity.value,
        "gates": one.gates,
        "selected": finding.key in host.selected,
        "message": finding.message,
        "actual": finding.actual,
        "expected": finding.expected,
        "evidence": [
            {"source": quote.source, "status": quote.status, "line": quote.line}
            for quote in finding.evidence
        ],
        "missing": list(map(str, finding.missing)),
        "blocked_by": [_key(key) for key in finding.blocked_by],
        "waiver": waiver and {"reason": waiver.reason, "expires": waiver.expires.isoformat()},
        "acts": finding.acts,
        "fix": cure
        and {
            "grade": cure.grade.value,
            "title": cure.title,
            "reboot": cure.reboot,
            "undo": cure.undo,
        },
    }


def _cause(cause: Cause) -> Json:
    finding = cause.finding
    return {
        **_key(finding.key),
        "refs": list(finding.refs),
        "message": finding.message,
        "explains": [_key(key) for key in cause.explains],
    }


def _key(key: Key) -> Json:
    return {"id": key[0], "subject": {"kind": key[1], "name": key[2]}}


def ask(question: Callable[[], T]) -> T | None:
    """A fact, or None where nobody knows."""
    try:
        return question()
    except Missing:
        return None


def on_off(fact: bool | None) -> str:
    """on, off or unknown."""
    return {True: "on", False: "off", None: "unknown"}[fact]
