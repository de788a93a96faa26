"""A run's result -> `summary.md`: verdicts, causes, steps, for CI summaries and tickets.

GitHub-flavoured Markdown. GitHub drops a summary of more than 1,024 kB whole, so it ends before.
Whatever came from a host is text: no markup, no mention, no link.
"""

from __future__ import annotations

import html
import re
from collections.abc import Iterator

from pytest_vfio.judge.result import CauseResult, HostResult, HostVerdict, RunResult
from pytest_vfio.printable import listed, printable
from pytest_vfio.report.words import counts, grade, verdict

#: The most bytes of a summary.
_MOST = 900_000
#: Of a host, so many causes are told in full.
_CAUSES = 12
_ORDER = (HostVerdict.NOT_READY, HostVerdict.CANNOT_TELL, HostVerdict.READY)


def render(run: RunResult) -> bytes:
    """The whole document."""
    document, left = _head(run), _MOST
    parts = [document]
    left -= len(document.encode("utf-8", "replace"))
    hosts = sorted(run.hosts, key=lambda host: (host.reachable, _ORDER.index(host.verdict)))
    sick = [host for host in hosts if host.verdict is not HostVerdict.READY]
    for number, host in enumerate(sick):
        part = "\n".join(_details(host)) + "\n"
        size = len(part.encode("utf-8", "replace"))
        if size > left:
            parts.append(f"\n... and {len(sick) - number} more hosts: see results.json\n")
            break
        parts.append(part)
        left -= size
    return "".join(parts).encode("utf-8", "replace")


def _head(run: RunResult) -> str:
    not_ready = sum(host.verdict is not HostVerdict.READY for host in run.hosts)
    title = f"{not_ready} of {len(run.hosts)} hosts not ready" if not_ready else "all hosts ready"
    if len(run.hosts) == 1:
        title = f"{_text(run.hosts[0].name)}: {verdict(run.hosts[0])}"
    lines = [f"## {title} for device assignment", ""]
    if not run.complete:
        lines += ["The run was stopped before its end.", ""]
    lines += ["| host | verdict | first cause | fix |", "| --- | --- | --- | --- |"]
    room = _MOST - 1000
    for number, host in enumerate(run.hosts):
        row = "| " + " | ".join(_row(host)) + " |"
        room -= len(row.encode("utf-8", "replace")) + 1
        if room < 0:
            lines += ["", f"... and {len(run.hosts) - number} more hosts: see results.json"]
            break
        lines.append(row)
    return "\n".join(lines) + "\n"


def _row(host: HostResult) -> tuple[str, str, str, str]:
    cause = host.diagnosis[0] if host.diagnosis else None
    if host.reason:
        return _text(host.name), verdict(host), _text(host.reason), ""
    if cause is None:
        names = [gap.name for gap in host.unread]
        why = f"{listed(names)} not read" if names and host.verdict is not HostVerdict.READY else ""
        return _text(host.name), verdict(host), _text(why), ""
    fix = host.finding_of(cause).fix
    told = f"{cause.id} {_text(cause.message)}"
    return _text(host.name), verdict(host), told, _text(fix.title) if fix else ""


def _details(host: HostResult) -> Iterator[str]:
    yield ""
    yield f"<details><summary><b>{_tag_free(host.name)}</b>: {verdict(host)}</summary>"
    yield ""
    if host.reason:
        yield _text(host.reason)
        yield ""
    for number, cause in enumerate(host.diagnosis[:_CAUSES], 1):
        yield from _cause(number, cause, host)
    if len(host.diagnosis) > _CAUSES:
        yield f"... and {len(host.diagnosis) - _CAUSES} more causes: see results.json"
        yield ""
    for device in host.facts.intended[:_CAUSES] if host.facts else ():
        yield f"- {_text(device.sentence)}"
    tally = ", ".join(f"{number} {word}" for word, number in counts(host.shown).items())
    if tally:
        yield ""
        yield tally
    yield ""
    yield "</details>"


def _cause(number: int, cause: CauseResult, host: HostResult) -> Iterator[str]:
    finding = host.finding_of(cause)
    yield f"{number}. **{finding.id}** {finding.severity}: {_text(finding.message)}"
    yield ""
    quotes = [f"{quote.place}: {quote.line}" for quote in finding.evidence[:3]]
    if quotes:
        yield _block("\n".join(quotes), "")
    fix = finding.fix
    if fix is None:
        return
    yield f"   Fix ({grade(fix)}): {_text(fix.title)}"
    yield ""
    commands = [command for step in fix.steps for command in step.commands]
    for step in fix.steps:
        if step.by_hand and not step.commands:
            yield f"   - {_text(step.by_hand)}"
    if commands:
        yield _block("\n".join(commands), "sh")


def _block(text: str, language: str) -> str:
    """A fenced block below a list's entry; its fence is longer than any run of ticks within."""
    safe = printable(text)[:4000]
    fence = "`" * max(3, *(len(run) + 1 for run in re.findall(r"`+", safe)), 3)
    lines = [f"{fence}{language}", *safe.split("\n"), fence, ""]
    return "\n".join(f"   {line}" if line else "" for line in lines)


def _text(words: str) -> str:
    """Words of a host as words: on one line, without markup, mentions or links."""
    return re.sub(r"([\\`*_{}\[\]()+!|~]|(?<!&)#)", r"\\\1", _tag_free(words))


def _tag_free(words: str) -> str:
    """The same for where HTML is read as it is."""
    safe = html.escape(printable(words)[:1500].replace("\n", " "), quote=False)
    return safe.replace("@", "&#64;").replace("://", ":&#47;&#47;").replace("www.", "www&#46;")
