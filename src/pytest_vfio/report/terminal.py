"""Findings -> what a person reads first: verdict, causes with their proof and cure, devices.

Short for a healthy host, the cause first for a sick one. Whatever came from a host is printed as
text, never as markup, with control characters made visible.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from rich.console import Console
from rich.padding import Padding
from rich.table import Table
from rich.text import Text

from pytest_vfio.check import Outcome, Severity
from pytest_vfio.diagnosis import Cause, DeviceSentence, HostVerdict, counts, listed
from pytest_vfio.judgement import Finding
from pytest_vfio.policy import Judged
from pytest_vfio.report import HostResult, RunResult, printable
from pytest_vfio.report.results import ask, on_off

_STYLES = {
    HostVerdict.READY: "bold green",
    HostVerdict.NOT_READY: "bold red",
    HostVerdict.CANNOT_TELL: "bold yellow",
}
_ASSIGNABLE = {"yes": "green", "no": "red", "unknown": "yellow"}
_CAUSES = 12
_DEVICES = 16
_EVIDENCE = 3


def show(run: RunResult, console: Console, *, verbose: int, written: Sequence[str]) -> None:
    """Print the summary of a run. `written` are the names of the reports."""
    for host in run.hosts:
        _host(host, console, verbose)
    if len(run.hosts) > 1:
        _fleet(run.hosts, console)
    if written:
        console.print(Text(f"reports: {', '.join(written)}", style="dim"))


def _host(host: HostResult, console: Console, verbose: int) -> None:
    console.print()
    console.print(_headline(host))
    if host.diagnosis is None:
        _line(console, 2, (host.reason, "red"))
        return
    causes = host.diagnosis.causes
    for number, cause in enumerate(causes if verbose else causes[:_CAUSES], 1):
        _cause(number, cause, console, verbose)
    if len(causes) > _CAUSES and not verbose:
        _line(console, 2, (f"and {len(causes) - _CAUSES} more causes, see results.json or -v", "dim"))
    for one in host.shown:
        if one.finding.outcome is Outcome.ERROR:
            _line(console, 2, ("error ", "bold red"), (one.finding.message, ""))
    _devices(host.diagnosis.devices, console, verbose)
    _remarks(host, console, verbose)


def _headline(host: HostResult) -> Text:
    name = printable(host.name)
    if host.diagnosis is None or host.hypervisor is None:
        return Text.assemble((name, "bold"), "  ", ("unreachable", "bold red"))
    verdict = host.diagnosis.verdict
    hypervisor = host.hypervisor
    facts = [
        ask(lambda: hypervisor.kernel.release) and f"kernel {ask(lambda: hypervisor.kernel.release)}",
        f"IOMMU {on_off(ask(lambda: hypervisor.iommu.on))}",
        f"interrupt remapping {on_off(ask(lambda: hypervisor.iommu.interrupt_remapping))}",
        _origin(host),
    ]
    told = ", ".join(printable(fact) for fact in facts if fact)
    return Text.assemble((name, "bold"), "  ", (verdict.value, _STYLES[verdict]), f"  ({told})")


def _origin(host: HostResult) -> str:
    if host.live:
        return f"read by {host.source}"
    return f"{host.source} of {host.collected or 'unknown date'}"


def _cause(number: int, cause: Cause, console: Console, verbose: int) -> None:
    finding = cause.finding
    style = "bold red" if finding.severity in (Severity.BLOCKER, Severity.SECURITY) else "bold yellow"
    _line(
        console,
        2,
        (f"{number}. ", "bold"),
        (f"{finding.id} ", style),
        (f"{finding.severity.value}: ", style),
        (finding.message, "bold"),
    )
    for quote in finding.evidence[: None if verbose else _EVIDENCE]:
        lines = quote.line.split("\n")
        more = f" (and {len(lines) - 1} more lines)" if len(lines) > 1 else ""
        _line(console, 5, (f"{quote.source}: ", "dim"), (lines[0][:400], ""), (more, "dim"))
    if finding.cure is not None:
        grade = f"fix ({finding.cure.grade}{', reboot' if finding.cure.reboot else ''}): "
        _line(console, 5, (grade, "cyan"), (finding.cure.title, ""))
    if cause.explains:
        names = [f"{id} {name}" for id, _, name in cause.explains]
        _line(console, 5, (f"explains {len(names)}: {listed(names, 6)}", "dim"))


def _devices(devices: Sequence[DeviceSentence], console: Console, verbose: int) -> None:
    if not devices:
        _line(console, 2, ("no device is meant for a guest", "yellow"))
        return
    shown = devices if verbose else devices[:_DEVICES]
    for sentences in _alike(shown):
        for one in sentences:
            _line(console, 2, (_facts(one), "dim"), (one.sentence, _ASSIGNABLE[one.assignable]))
    if len(devices) > len(shown):
        _line(console, 2, (f"and {len(devices) - len(shown)} more devices, see results.json", "dim"))


def _alike(devices: Iterable[DeviceSentence]) -> list[list[DeviceSentence]]:
    """Those that cannot be assigned first, then those of which it cannot be told."""
    order = ("no", "unknown", "yes")
    every = list(devices)
    return [[one for one in every if one.assignable == kind] for kind in order]


def _facts(one: DeviceSentence) -> str:
    function = ask(lambda: one.device.function)
    if function is None:
        return ""
    driver = ask(lambda: function.driver or "no driver")
    group = ask(lambda: function.group)
    parts = [ask(lambda: function.id), driver, None if group is None else f"group {group}"]
    told = " ".join(part for part in parts if part)
    return f"[{told}] " if told else ""


def _remarks(host: HostResult, console: Console, verbose: int) -> None:
    """Advice, waivers, what was not read, and the count, as far as the run was asked."""
    advice = [
        one.finding
        for one in host.shown
        if one.finding.outcome is Outcome.FAIL and one.finding.severity is Severity.ADVICE
    ]
    for first, others in _merged(advice):
        more = f" (and so {listed([one.name for one in others])})" if others else ""
        _line(console, 2, (f"advice {first.id} ", "cyan"), (first.message, ""), (more, "dim"))
    for one in host.shown:
        if one.waiver is not None:
            waived = f"until {one.waiver.expires} ({one.waiver.reason}): {one.finding.message}"
            _line(console, 2, (f"waived {one.finding.id} ", "cyan"), (waived, ""))
    unread = _unread(host.shown)
    if unread:
        told = unread if verbose else unread[:8]
        more = "" if len(told) == len(unread) else f" and {len(unread) - len(told)} more"
        _line(console, 2, ("not read: ", "yellow"), ("; ".join(told) + more, ""))
    tally = counts(host.shown)
    told = ", ".join(f"{number} {outcome.value}" for outcome, number in tally.items() if number)
    _line(console, 2, (f"{len(host.shown)} findings: {told}", "dim"))


def _merged(findings: Iterable[Finding]) -> list[tuple[Finding, list[Finding]]]:
    """Each kind of finding told once, by its first, with the others."""
    kinds: dict[str, list[Finding]] = {}
    for finding in findings:
        kinds.setdefault(finding.message.replace(finding.name, "", 1), []).append(finding)
    return [(kind[0], kind[1:]) for kind in kinds.values()]


def _unread(shown: Iterable[Judged]) -> list[str]:
    """What was not read and why, each once, the most missed first."""
    missed: dict[str, int] = {}
    for one in shown:
        if one.finding.outcome is Outcome.UNKNOWN:
            for entry in one.finding.missing:
                missed[entry] = missed.get(entry, 0) + 1
    return sorted(missed, key=lambda entry: (-missed[entry], entry))


def _fleet(hosts: Sequence[HostResult], console: Console) -> None:
    table = Table(box=None, pad_edge=False, padding=(0, 2, 0, 0))
    for column in ("host", "verdict", "first cause"):
        table.add_column(column, overflow="fold")
    for host in hosts:
        if host.diagnosis is None:
            verdict, cause = Text("unreachable", style="bold red"), host.reason
        else:
            value = host.diagnosis.verdict
            verdict = Text(value.value, style=_STYLES[value])
            causes = host.diagnosis.causes
            cause = f"{causes[0].finding.id} {causes[0].finding.message}" if causes else ""
        table.add_row(Text(printable(host.name)), verdict, Text(printable(cause)))
    console.print()
    console.print(table)


def _line(console: Console, indent: int, *parts: tuple[str, str]) -> None:
    text = Text.assemble(*((printable(words).replace("\n", " "), style) for words, style in parts))
    if console.is_terminal:
        console.print(Padding(text, (0, 0, 0, indent)))
    else:  # nothing is cut or wrapped where it may be searched
        console.print(Text(" " * indent) + text, soft_wrap=True)
