"""A run's result -> `vfio.prom`, for node_exporter's textfile collector.

Prometheus' text format: one HELP and TYPE for each family, gauges only, no timestamps in the file,
a line feed at the end. No label has values without bound: no device, no message, no evidence.
Zeros are written wherever an alert has to clear by itself.
"""

from __future__ import annotations

import datetime
from collections import Counter
from collections.abc import Iterable, Iterator

from pytest_vfio.check import Outcome, Severity
from pytest_vfio.judge.result import Answer, HostResult, HostVerdict, RunResult
from pytest_vfio.printable import printable

#: Of a host, so many gating causes are told; the reports have all.
_CAUSES = 5

Sample = tuple[dict[str, str], float]


def render(run: RunResult) -> bytes:
    """The whole file."""
    return "".join(_families(run)).encode("utf-8", "replace")


def _families(run: RunResult) -> Iterator[str]:
    hosts = run.hosts
    yield _family("vfio_host_info", "What kind of host it is.", (_info(host) for host in hosts))
    yield _family(
        "vfio_host_up",
        "Whether the host was read.",
        ((_labels(host), float(host.reachable)) for host in hosts),
    )
    yield _family(
        "vfio_host_verdict",
        "The verdict on the host by the whole suite: 1 for the one that holds.",
        (one for host in hosts for one in _verdict(host)),
    )
    yield _family(
        "vfio_host_findings",
        "How many findings of the whole suite ended so, by severity of the check.",
        (one for host in hosts for one in _findings(host)),
    )
    yield _family(
        "vfio_host_devices",
        "How many devices to be passed through can be assigned.",
        (one for host in hosts for one in _devices(host)),
    )
    yield _family(
        "vfio_host_cause",
        f"The first {_CAUSES} checks whose failure is a root cause and fails the run.",
        (one for host in hosts for one in _causes(host)),
    )
    yield _family(
        "vfio_host_read_timestamp_seconds",
        "When the evidence of the host was read, in seconds since 1970.",
        ((_labels(host), _seconds(host.collected)) for host in hosts if host.collected),
    )
    pool = {"pool": run.pool}
    for name, help_text, number in (
        ("vfio_run_timestamp_seconds", "When the run began, since 1970.", _seconds(run.started)),
        ("vfio_run_duration_seconds", "How long the run took.", run.duration_s),
        ("vfio_run_complete", "Whether the run came to its end.", float(run.complete)),
    ):
        yield _family(name, help_text, [(pool, number)])


def _labels(host: HostResult, **more: str) -> dict[str, str]:
    return {"hypervisor": host.name, **more}


def _info(host: HostResult) -> Sample:
    facts = host.facts
    kernel = (facts.kernel if facts else None) or "unknown"
    vendor = (facts.cpu_vendor if facts else None) or "unknown"
    return _labels(host, source=host.source.value, kernel=kernel, cpu_vendor=vendor), 1.0


def _verdict(host: HostResult) -> Iterator[Sample]:
    for verdict in HostVerdict:
        word = verdict.value.replace(" ", "_")
        yield _labels(host, verdict=word), float(host.verdict is verdict)


def _findings(host: HostResult) -> Iterator[Sample]:
    tally = Counter((one.outcome, one.severity) for one in host.findings)
    for severity in Severity:
        tally[Outcome.FAIL, severity] += 0
    for (outcome, severity), number in sorted(tally.items()):
        yield _labels(host, outcome=outcome.value, severity=severity.value), float(number)


def _devices(host: HostResult) -> Iterator[Sample]:
    tally = (
        Counter(device.assignable for device in host.facts.intended) if host.facts else Counter()
    )
    for answer in Answer:
        yield _labels(host, assignable=answer.value), float(tally[answer])


def _causes(host: HostResult) -> Iterator[Sample]:
    gating = dict.fromkeys(cause.id for cause in host.diagnosis if host.finding_of(cause).gates)
    for id in list(gating)[:_CAUSES]:
        yield _labels(host, check=id), 1.0


def _family(name: str, help_text: str, samples: Iterable[Sample]) -> str:
    lines = [f"# HELP {name} {help_text}", f"# TYPE {name} gauge"]
    for labels, number in samples:
        told = ",".join(f'{label}="{_escaped(text)}"' for label, text in labels.items())
        lines.append(f"{name}{{{told}}} {number:.10g}")
    return "\n".join(lines) + "\n" if len(lines) > 2 else ""


def _escaped(text: str) -> str:
    return printable(text).replace("\\", "\\\\").replace('"', '\\"').replace("\n", "\\n")


def _seconds(time: str) -> float:
    return datetime.datetime.fromisoformat(time).timestamp()
