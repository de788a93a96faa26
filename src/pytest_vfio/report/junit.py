"""A run's result -> `junit.xml`, through junit-xml: one suite for each host under test.

The dialect is what Jenkins' XML Schema takes and dashboards show: what a person needs stands in
message and body, since most consumers drop properties. A suite's first case is the verdict, so
that a red line carries the root cause, and a host of unknowns is not green.
"""

from __future__ import annotations

import re
from xml.etree import ElementTree

from junit_xml import TestCase, TestSuite

from pytest_vfio.check import Outcome
from pytest_vfio.judge.result import FindingResult, HostResult, HostVerdict, RunResult
from pytest_vfio.printable import listed, printable
from pytest_vfio.report.words import grade, label, shown

#: Consumers put the message into one line of a table.
_MESSAGE = 200
#: What a case may carry along, in characters.
_BODY = 4000


def render(run: RunResult) -> bytes:
    """The document: `testsuites`, a `testsuite` for each host, a `testcase` for each finding."""
    root = ElementTree.Element("testsuites", name="pytest-vfio")
    for host in run.hosts:
        root.append(_suite(host, run))
    for count in ("tests", "failures", "errors"):
        root.set(count, str(sum(int(suite.get(count, "0")) for suite in root)))
    root.set("time", f"{run.duration_s:.3f}")
    ElementTree.indent(root)
    text: str = ElementTree.tostring(root, encoding="unicode")  # as bytes it takes twice as long
    return f"<?xml version='1.0' encoding='utf-8'?>\n{text}\n".encode()


def _suite(host: HostResult, run: RunResult) -> ElementTree.Element:
    cases = [_verdict(host), *(_case(one, host, run) for one in host.shown)]
    suite = TestSuite(
        printable(host.name),
        cases,
        hostname=printable(host.name),
        timestamp=run.started.removesuffix("Z"),
        properties={key: printable(text) for key, text in _properties(host, run).items()},
    )
    element: ElementTree.Element = suite.build_xml_doc()
    # junit-xml writes an attribute that no schema knows, a sum that is not rounded, and leaves out
    # a time of nothing, for which consumers ask.
    element.attrib.pop("disabled", None)
    element.set("time", f"{host.seconds:.3f}")
    for case in element.iter("testcase"):
        case.set("time", case.get("time", "0"))
    return element


def _properties(host: HostResult, run: RunResult) -> dict[str, str]:
    facts = {
        "product": run.product,
        "source": host.source.value,
        "collected": host.collected or "unknown",
        "verdict": host.verdict.value,
    }
    if host.facts is not None:
        facts["kernel"] = host.facts.kernel or "unknown"
        facts["cpu_vendor"] = host.facts.cpu_vendor or "unknown"
    return facts


def _verdict(host: HostResult) -> TestCase:
    """The whole host as one case: ready for assignment, or its first cause."""
    case = TestCase(
        f"{printable(host.name)}: ready for assignment",
        classname=f"{_package(host.name)}.host",
        elapsed_sec=0.0,
        allow_multiple_subelements=False,
    )
    causes = [f"{cause.id} {cause.message}" for cause in host.diagnosis]
    if host.reason:
        kind = "unjudged" if host.reachable else "unreachable"
        reason = printable(host.reason)
        case.add_error_info(
            _cut(reason, _MESSAGE), "\n".join([reason, *map(printable, causes)]), kind
        )
    elif host.verdict is HostVerdict.NOT_READY:
        body = printable("\n".join(causes))
        message = printable(f"not ready: {causes[0]}" if causes else "not ready")
        case.add_failure_info(_cut(message, _MESSAGE), body, "not ready")
    elif host.verdict is HostVerdict.CANNOT_TELL:
        names = [gap.name for gap in host.unread]
        why = f": {listed(names)} not read" if names else ""
        case.add_skipped_info(_cut(printable(f"cannot tell{why}"), _MESSAGE))
    return case


def _case(one: FindingResult, host: HostResult, run: RunResult) -> TestCase:
    check = run.checks[one.id]
    subject = f" {one.subject.words}" if one.subject.words else ""
    case = TestCase(
        printable(f"{one.id}{subject}: {check.title}"),
        classname=f"{_package(host.name)}.{_package(check.layer)}",
        elapsed_sec=0.0,
        allow_multiple_subelements=False,
    )
    message = _cut(printable(f"{label(one)}: {one.message}"), _MESSAGE)
    element = shown(one.outcome, gates=one.gates).junit
    if not element:
        return case
    body = _cut(printable("\n".join(_lines(one))), _BODY)
    if element == "failure":
        case.add_failure_info(_cut(printable(one.message), _MESSAGE), body, one.id)
    elif element == "error":
        case.add_error_info(_cut(printable(one.message), _MESSAGE), body, one.id)
    else:
        case.add_skipped_info(message, body)
    return case


def _lines(one: FindingResult) -> list[str]:
    lines = [one.message]
    if one.outcome in (Outcome.FAIL, Outcome.BLOCKED) and one.expected:
        lines += [f"actual:   {one.actual}", f"expected: {one.expected}"]
    lines += [f"evidence: {quote.place}: {quote.line}" for quote in one.evidence]
    lines += [f"missing:  {entry}" for entry in one.missing]
    lines += [
        f"blocked by: {key.id} {key.subject.kind} {key.subject.name}" for key in one.blocked_by
    ]
    if one.waiver is not None:
        lines.append(f"waived until {one.waiver.expires}: {one.waiver.reason}")
    if one.fix is not None:
        lines.append(f"fix ({grade(one.fix)}): {one.fix.title}")
        for step in one.fix.steps:
            lines += [f"  {line}" for line in (step.commands or (step.by_hand or step.title,))]
    if one.outcome is Outcome.ERROR:
        lines.append(one.actual)
    lines.append(f"severity: {one.severity}; who acts: {one.acts}")
    return lines


def _package(name: str) -> str:
    """A name without dots, which Jenkins takes for packages."""
    return re.sub(r"[.\s]", "_", printable(name))


def _cut(text: str, most: int) -> str:
    return text if len(text) <= most else f"{text[: most - 1]}…"
