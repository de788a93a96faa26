"""Findings -> `junit.xml`, through junit-xml: one suite for each host under test.

The dialect is what Jenkins' XML Schema takes and dashboards show: what a person needs stands in
message and body, since most consumers drop properties.
"""

from __future__ import annotations

import re
from xml.etree import ElementTree

from junit_xml import TestCase, TestSuite

from pytest_vfio.check import Outcome
from pytest_vfio.judge.policy import Judged
from pytest_vfio.judge.suite import Suite, layer
from pytest_vfio.printable import printable
from pytest_vfio.report import HostResult, RunResult
from pytest_vfio.report.results import ask
from pytest_vfio.report.words import label, shown

#: Consumers put the message into one line of a table.
_MESSAGE = 200
#: What a case may carry along, in characters.
_BODY = 4000


def to_xml(run: RunResult) -> bytes:
    """The document: `testsuites`, a `testsuite` for each host, a `testcase` for each finding."""
    root = ElementTree.Element("testsuites", name="pytest-vfio")
    for host in run.hosts:
        root.append(_suite(host, run))
    for count in ("tests", "failures", "errors"):
        root.set(count, str(sum(int(suite.get(count, "0")) for suite in root)))
    root.set("time", f"{run.seconds:.3f}")
    ElementTree.indent(root)
    text: bytes = ElementTree.tostring(root, encoding="utf-8", xml_declaration=True)
    return text + b"\n"


def _suite(host: HostResult, run: RunResult) -> ElementTree.Element:
    cases = [_case(one, host, run.suite) for one in host.shown]
    if host.reason:
        cases.append(_error(host))
    suite = TestSuite(
        printable(host.name),
        cases,
        hostname=printable(host.name),
        timestamp=run.started.removesuffix("Z"),
        properties={key: printable(text) for key, text in _properties(host, run).items()},
    )
    element: ElementTree.Element = suite.build_xml_doc()
    # junit-xml writes an attribute that no schema knows, and a sum that is not rounded.
    element.attrib.pop("disabled", None)
    element.set("time", f"{host.seconds:.3f}")
    return element


def _properties(host: HostResult, run: RunResult) -> dict[str, str]:
    hypervisor = host.hypervisor
    facts = {
        "product": run.product,
        "source": host.source,
        "collected": host.collected or "unknown",
        "verdict": host.diagnosis.verdict.value if host.diagnosis else "cannot tell",
    }
    if hypervisor is not None:
        facts["kernel"] = ask(lambda: hypervisor.kernel.release) or "unknown"
        facts["cpu_vendor"] = ask(lambda: hypervisor.cpu.vendor) or "unknown"
    return facts


def _case(one: Judged, host: HostResult, suite: Suite) -> TestCase:
    finding = one.finding
    check = suite[finding.id]
    subject = "" if finding.kind == "host" else f" {finding.kind} {finding.name}"
    case = TestCase(
        printable(f"{finding.id}{subject}: {check.title}"),
        classname=f"{_package(host.name)}.{_package(layer(check))}",
        elapsed_sec=0.0,
        allow_multiple_subelements=False,
    )
    message = _cut(printable(f"{label(one)}: {finding.message}"), _MESSAGE)
    body = _cut(printable("\n".join(_lines(one))), _BODY)
    element = shown(one).junit
    if element == "failure":
        case.add_failure_info(_cut(printable(finding.message), _MESSAGE), body, finding.id)
    elif element == "error":
        case.add_error_info(_cut(printable(finding.message), _MESSAGE), body, finding.id)
    elif element == "skipped":
        case.add_skipped_info(message, body)
    return case


def _error(host: HostResult) -> TestCase:
    """A host that is an error as such: unreachable, or read and not to be judged."""
    read = host.hypervisor is not None
    asked, kind = ("judged", "unjudged") if read else ("reachable", "unreachable")
    case = TestCase(f"{printable(host.name)}: {asked}", classname=f"{_package(host.name)}.host")
    reason = printable(host.reason)
    case.add_error_info(_cut(reason, _MESSAGE), reason, kind)
    return case


def _lines(one: Judged) -> list[str]:
    finding = one.finding
    lines = [finding.message]
    if finding.outcome in (Outcome.FAIL, Outcome.BLOCKED) and finding.expected:
        lines += [f"actual:   {finding.actual}", f"expected: {finding.expected}"]
    lines += [f"evidence: {quote.source}: {quote.line}" for quote in finding.evidence]
    lines += [f"missing:  {entry}" for entry in finding.missing]
    lines += [f"blocked by: {id} {kind} {name}" for id, kind, name in finding.blocked_by]
    if one.waiver is not None:
        lines.append(f"waived until {one.waiver.expires}: {one.waiver.reason}")
    if finding.cure is not None:
        reboot = ", needs a reboot" if finding.cure.reboot else ""
        lines.append(f"fix ({finding.cure.grade}{reboot}): {finding.cure.title}")
    if finding.outcome is Outcome.ERROR:
        lines.append(finding.actual)
    lines.append(f"severity: {finding.severity}; who acts: {finding.acts}")
    return lines


def _package(name: str) -> str:
    """A name without dots, which Jenkins takes for packages."""
    return re.sub(r"[.\s]", "_", printable(name))


def _cut(text: str, most: int) -> str:
    return text if len(text) <= most else f"{text[: most - 1]}…"
