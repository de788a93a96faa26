"""Findings -> what a person reads first: verdict, causes with their proof and cure, devices.

Short for a healthy host, the cause first for a sick one. Whatever came from a host is printed as
text, never as markup, with control characters made visible.
"""

from __future__ import annotations

from collections.abc import Sequence

from rich.console import Console
from rich.padding import Padding
from rich.table import Table
from rich.text import Text

from pytest_vfio.check import Outcome, Severity, SubjectKind
from pytest_vfio.evidence import Source
from pytest_vfio.judge.result import (
    Answer,
    CauseResult,
    DeviceResult,
    FactsResult,
    FixResult,
    HostResult,
    HostVerdict,
    RunResult,
)
from pytest_vfio.printable import ascii_only, listed, printable
from pytest_vfio.report import plan_lines
from pytest_vfio.report.alike import alike, said
from pytest_vfio.report.survey import HEAD, rows
from pytest_vfio.report.unread import by_reason, hints
from pytest_vfio.report.words import counts, grade

_STYLES = {
    HostVerdict.READY: "bold green",
    HostVerdict.NOT_READY: "bold red",
    HostVerdict.CANNOT_TELL: "bold yellow",
}
_ASSIGNABLE = {Answer.NO: "red", Answer.UNKNOWN: "yellow", Answer.YES: "green"}
_CAUSES = 12
#: Of more hosts than these, each is told in brief.
_FEW = 4
_BRIEF_CAUSES = 2
_DEVICES = 16
_EVIDENCE = 3
_UNREAD = 4
#: What wraps goes on so many columns to the right of where it began.
_HANG = 3


def show(run: RunResult, console: Console, *, verbose: int, written: Sequence[str]) -> None:
    """Print the summary of a run. `written` are the names of the reports."""
    page = _Page(console)
    brief = len(run.hosts) > _FEW and not verbose
    for host in run.hosts:
        _host(host, page, verbose, brief=brief, survey=run.survey)
    if len(run.hosts) > 1:
        _fleet(run.hosts, page)
    for words in run.idle:
        page.line(0, (words, "yellow"))
    if written:
        page.line(0, (f"reports: {', '.join(written)}", "dim"))


#: More characters of one text are not printed.
_LONG = 1500


class _Page:
    """Where lines go: wrapped on a terminal, whole where they may be searched."""

    def __init__(self, console: Console) -> None:
        self.console = console
        self.ascii = ascii_only() or not console.encoding.lower().startswith("utf")

    def text(self, *parts: tuple[str, str]) -> Text:
        """Words with their styles, as one line that is harmless to print."""
        return Text.assemble(*((self.shown(words), style) for words, style in parts))

    def shown(self, words: str) -> str:
        """Words as they can be printed here, on one line."""
        if len(words) > _LONG:  # a name may be as long as a host likes; the reports have all of it
            words = f"{words[:_LONG]}..."
        safe = printable(words).translate({9: " ", 10: " "})
        return safe.encode("ascii", "backslashreplace").decode() if self.ascii else safe

    def line(self, indent: int, *parts: tuple[str, str], paste: bool = False) -> None:
        """Print a line; what wraps is indented further, save what is to be pasted."""
        text = self.text(*parts)
        if paste or not self.console.is_terminal:
            self.console.print(Text(" " * indent) + text, soft_wrap=True)
            return
        lines = text.wrap(self.console, max(20, self.console.width - indent - _HANG))
        for number, line in enumerate(lines):
            line.rstrip()
            self.console.print(Text(" " * (indent + (_HANG if number else 0))) + line, no_wrap=True)

    def blank(self) -> None:
        """Print an empty line."""
        self.console.print()

    def rows(self, indent: int, rows: Sequence[Sequence[tuple[str, str]]]) -> None:
        """Print columns, each as wide as its widest cell; the last one wraps."""
        table = Table.grid(padding=(0, 2, 0, 0))
        texts = [[self.text(cell) for cell in row] for row in rows]
        wide = self.console.is_terminal
        for number, column in enumerate(zip(*texts, strict=True)):
            last = number == len(texts[0]) - 1
            widest = max(cell.cell_len for cell in column)
            folds = last and wide
            table.add_column(no_wrap=not folds, overflow="fold", min_width=min(widest, 20))
        for row in texts:
            table.add_row(*row)
        if wide:
            self.console.print(Padding(table, (0, 0, 0, indent)))
            return
        widths = [max(len(cell.plain) for cell in column) for column in zip(*texts, strict=True)]
        for row in texts:
            cells = [cell.plain.ljust(width) for cell, width in zip(row, widths, strict=True)]
            line = (" " * indent + "  ".join(cells)).rstrip()
            self.console.print(line, soft_wrap=True, markup=False)


def _host(host: HostResult, page: _Page, verbose: int, *, brief: bool, survey: bool) -> None:
    page.blank()
    page.line(0, *_headline(host))
    if host.facts is None:
        page.line(2, (host.reason, "red"))
        return
    of_host = [cause for cause in host.diagnosis if cause.subject.kind is SubjectKind.HOST]
    causes = alike(of_host if survey and not verbose else host.diagnosis, said)
    most = len(causes) if verbose else _BRIEF_CAUSES if brief else _CAUSES
    for number, same in enumerate(causes[:most], 1):
        _cause(number, same, host, page, verbose)
    if len(causes) > most:
        page.line(2, (f"and {len(causes) - most} more causes, see results.json or -v", "dim"))
    for one in host.shown:
        if one.outcome is Outcome.ERROR:
            page.line(2, ("error ", "bold red"), (one.message, ""))
    if host.reason:
        page.line(2, ("error ", "bold red"), (host.reason, ""))
    if survey:
        cells = [[(cell, "") for cell in row] for row in rows(host.facts)]
        page.rows(2, [[(cell, "bold") for cell in HEAD], *cells])
    else:
        _devices(host.facts, page, verbose, brief=brief)
    _said(host, page)
    if host.remedy is not None:
        for indent, parts, paste in plan_lines.lines(host.remedy):
            page.line(indent, *parts, paste=paste)
    if not brief:
        _remarks(host, page, verbose)


def _said(host: HostResult, page: _Page) -> None:
    """What a text says that is harmless, and what to paste where it does not tell enough."""
    for note in host.notes:
        page.line(2, (note, "green"))
    if host.would_decide:
        page.line(2, ("to decide it, paste what these print:", "cyan"))
    for command in host.would_decide:
        page.line(5, (command, "bold"), paste=True)


def _headline(host: HostResult) -> list[tuple[str, str]]:
    if host.facts is None:
        return [(host.name, "bold"), ("  ", ""), ("unreachable", "bold red")]
    since = host.collected or "unknown date"
    facts = [
        f"kernel {host.facts.kernel}" if host.facts.kernel else "",
        f"IOMMU {host.facts.iommu}",
        f"interrupt remapping {host.facts.interrupt_remapping}",
        f"read by {host.source}" if host.live else f"{host.source} of {since}",
    ]
    told = ", ".join(filter(None, facts))
    return [
        (host.name, "bold"),
        ("  ", ""),
        (host.verdict.value, _STYLES[host.verdict]),
        (f"  ({told})", ""),
    ]


def _cause(
    number: int, causes: Sequence[CauseResult], host: HostResult, page: _Page, verbose: int
) -> None:
    """A cause, with those that say the same of other subjects."""
    finding = host.finding_of(causes[0])
    hurts = finding.severity in (Severity.BLOCKER, Severity.SECURITY)
    style = "bold red" if hurts else "bold yellow"
    page.line(
        2,
        (f"{number}. ", "bold"),
        (f"{finding.id} ", style),
        (f"{finding.severity.value}: ", style),
        (finding.message, "bold"),
        (_and_so([cause.subject.name for cause in causes[1:]]), "dim"),
    )
    for quote in finding.evidence[: None if verbose else _EVIDENCE]:
        lines = quote.line.split("\n")
        more = f" (and {len(lines) - 1} more lines)" if len(lines) > 1 else ""
        page.line(5, (f"{quote.place}: ", "dim"), (lines[0][:400], ""), (more, "dim"))
    if finding.fix is not None:
        _fix(finding.fix, page, first=number == 1 or bool(verbose))
    explains = dict.fromkeys(key for cause in causes for key in cause.explains)
    if explains:
        names = [
            f"{key.id} {key.subject.name}" if key.subject.words else key.id for key in explains
        ]
        page.line(5, (f"also causes {len(names)}: {listed(names, 6)}", "dim"))


def _fix(fix: FixResult, page: _Page, *, first: bool) -> None:
    """What to do, and for the causes to begin with, how: ready to paste."""
    page.line(5, (f"fix ({grade(fix)}): ", "cyan"), (fix.title, ""))
    for step in fix.steps if first else ():
        for command in step.commands:
            page.line(7, (command, "bold"), paste=True)
        if not step.commands:
            page.line(7, (step.by_hand or step.title, ""))


def _devices(facts: FactsResult, page: _Page, verbose: int, *, brief: bool) -> None:
    """A sentence for each device, those alike together, and the worst first."""
    devices, unread = facts.intended, facts.devices_unread
    if not devices and not unread:
        page.line(2, ("no device is to be passed through", "yellow"), (_free(facts), ""))
    if unread:
        told = "there may be more devices" if devices else "there may be devices"
        page.line(2, (f"{told} to pass through: {listed(unread)} not read", "yellow"))
    ordered = [one for kind in _ASSIGNABLE for one in devices if one.assignable == kind]
    shown = ordered if verbose or brief else ordered[:_DEVICES]
    for same in alike(shown, lambda one: (one.assignable, one.sentence, one.label)):
        first = same[0]
        name, rest = first.label, first.sentence.removeprefix(first.label)
        style = _ASSIGNABLE[first.assignable]
        if len(same) == 1:
            known = " ".join(filter(None, _facts(first)))
            page.line(2, (first.sentence, style), (f"  [{known}]" if known else "", "dim"))
            continue
        if brief:
            names = _and_so([one.label for one in same[1:]])
            page.line(2, (first.sentence, style), (names, "dim"))
            continue
        if name in rest:
            page.line(2, (first.sentence, style), (", and so:", "dim"))
        else:
            page.line(2, (f"{len(same)} devices{rest}", style))
        named = [[(one.label, ""), *((fact, "dim") for fact in _facts(one))] for one in same]
        page.rows(5, named)
    if len(devices) > len(shown):
        left = len(devices) - len(shown)
        page.line(2, (f"and {left} more devices, see results.json or -v", "dim"))


def _free(facts: FactsResult) -> str:
    """What there would be to pass through, and what to type next."""
    free = [one.label for one in facts.devices if not one.used_by and one.endpoint]
    found = f"; {listed(free)} {'is' if len(free) == 1 else 'are'} not in use" if free else ""
    return f"{found}: --survey shows what could be, --device ADDRESS judges one"


def _facts(one: DeviceResult) -> tuple[str, str, str]:
    """Id, driver and group of a device, as far as they are known."""
    group = "" if one.group is None else f"group {one.group}"
    return one.id or "", one.driver or "", group


def _remarks(host: HostResult, page: _Page, verbose: int) -> None:
    """Advice, waivers, what was not read, and the count, as far as the run was asked."""
    advice = [
        one for one in host.shown if one.outcome is Outcome.FAIL and one.severity is Severity.ADVICE
    ]
    for same in alike(advice, said):
        others = _and_so([one.subject.name for one in same[1:]])
        page.line(2, (f"advice {same[0].id} ", "cyan"), (same[0].message, ""), (others, "dim"))
    for one in host.shown:
        if one.waiver is not None:
            waived = f"until {one.waiver.expires} ({one.waiver.reason}): {one.message}"
            page.line(2, (f"waived {one.id} ", "cyan"), (waived, ""))
    for waiver in host.lapsed:
        told = f"has expired on {waiver.expires} ({waiver.reason})"
        page.line(2, (f"waiver of {waiver.check} ", "yellow"), (told, ""))
    if host.source is not Source.PASTE or verbose:
        _unread(host, page, verbose)
    told = ", ".join(f"{number} {word}" for word, number in counts(host.shown).items())
    chosen, every = len(host.shown), len(host.findings)
    number = f"{every} findings" if chosen == every else f"{chosen} of {every} findings selected"
    page.line(2, (f"{number}: {told}" if told else number, "dim"))


def _unread(host: HostResult, page: _Page, verbose: int) -> None:
    """What was not read, by the reason, the most missed first; and what would let it be read."""
    reasons = by_reason(host)
    for why in reasons if verbose else [*reasons][:_UNREAD]:
        most = reasons[why]
        told = listed(most, len(most) if verbose else 6)
        page.line(2, ("not read: ", "yellow"), (told, ""), (f": {why}" if why else "", "dim"))
    if len(reasons) > _UNREAD and not verbose:
        rest = sum(len(reasons[why]) for why in [*reasons][_UNREAD:])
        page.line(2, ("not read: ", "yellow"), (f"{rest} more, see results.json or -v", "dim"))
    for hint in hints(host):
        page.line(5, ("to read more: ", "cyan"), (hint, ""))


def _and_so(names: Sequence[str]) -> str:
    return f" (and so {listed(names)})" if names else ""


def _fleet(hosts: Sequence[HostResult], page: _Page) -> None:
    """One table of many hosts: verdict and first cause."""
    rows = [[("host", "bold"), ("verdict", "bold"), ("first cause", "bold")]]
    for host in hosts:
        if host.facts is None:
            reason = host.reason.removeprefix(f"{host.name}: ")
            rows.append([(host.name, ""), ("unreachable", "bold red"), (reason, "")])
            continue
        cause = next((f"{cause.id} {cause.message}" for cause in host.diagnosis), "")
        if host.verdict is HostVerdict.CANNOT_TELL and host.unread:
            cause = f"{listed([gap.name for gap in host.unread])} not read"
        rows.append([(host.name, ""), (host.verdict.value, _STYLES[host.verdict]), (cause, "")])
    page.blank()
    page.rows(0, rows)
