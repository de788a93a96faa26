"""Whether the suite said the right thing about a scenario."""

from tests.lab.fault import Fault, Healthy, Scenario
from tests.lab.suite import Report


def complaints(scenario: Scenario, report: Report) -> list[str]:
    """What is wrong with the report, nothing if it is right."""
    match scenario:
        case Fault():
            return [*_missed(scenario, report), *_noise(scenario, report)]
        case Healthy():
            return _false_alarms(scenario, report)
        case _:
            raise TypeError(scenario)


def _missed(fault: Fault, report: Report) -> list[str]:
    wanted = "/".join(fault.refs)
    if not report.failing(fault.refs):
        return [f"{wanted} not found"]
    if not fault.gates:
        return [f"{f['id']} gates" for f in report.gating()]
    said = []
    check, refs = report.first_cause
    if not refs & frozenset(fault.refs):
        said.append(f"first cause is {check or 'missing'}, not {wanted}")
    if report.verdict != "not ready" or report.exit_code != 1:
        said.append(f"verdict {report.verdict}, exit {report.exit_code}")
    return said


def _noise(fault: Fault, report: Report) -> list[str]:
    allowed = frozenset((*fault.refs, *fault.also))
    loud = [f for f in report.gating() if f["outcome"] == "fail" and not allowed & set(f["refs"])]
    loud += report.failing(fault.quiet) if fault.quiet else []
    return [f"{finding['id']} should be quiet: {finding['message']}" for finding in loud]


def _false_alarms(healthy: Healthy, report: Report) -> list[str]:
    gating = report.gating()
    allowed = {"ready"}
    if healthy.unknown:
        allowed.add("cannot tell")
        gating = [finding for finding in gating if finding["outcome"] == "fail"]
    said = [f"{f['id']} {f['outcome']}: {f['message']}" for f in gating]
    if report.verdict not in allowed:
        said.append(f"verdict {report.verdict}")
    return said
