"""A plan on the terminal: what would be done, in order, and what not, with the reasons."""

from __future__ import annotations

from collections.abc import Iterator

from pytest_vfio.judge.result import RemedyResult, RemedyState, RemedyStep

#: (indent, words and style of each part, whether it is to be pasted and must not wrap)
Line = tuple[int, tuple[tuple[str, str], ...], bool]

_STYLES = {
    RemedyState.PLANNED: "bold",
    RemedyState.REFUSED: "bold red",
    RemedyState.FAILED: "bold red",
    RemedyState.BY_HAND: "bold yellow",
}


def lines(remedy: RemedyResult) -> Iterator[Line]:
    """The plan, a step after the other."""
    if not remedy.steps and not remedy.journal:
        yield 2, (("plan: ", "cyan"), ("nothing to fix", "")), False
        return
    told = _counts(remedy) or str(remedy.state)
    word = "run" if remedy.journal else "plan"
    yield 2, ((f"{word} {remedy.run}", "bold cyan"), (f"  {told}", "dim")), False
    if remedy.before is not None and remedy.journal:
        yield 4, (("before: ", "dim"), (str(remedy.before.verdict), "")), False
        yield 4, (("take it back: ", "dim"), (f"--undo {remedy.run}", "bold")), False
    for line in remedy.journal if not remedy.steps else ():
        yield 4, ((line, ""),), False
    for step in remedy.steps:
        yield from _step(step)


def _counts(remedy: RemedyResult) -> str:
    states = [step.state for step in remedy.steps]
    return ", ".join(f"{states.count(state)} {state}" for state in dict.fromkeys(states))


def _step(step: RemedyStep) -> Iterator[Line]:
    told = step.state if not step.impacts else f"{step.state}, {', '.join(step.impacts)}"
    style = _STYLES.get(step.state, "")
    yield 4, ((f"{step.id} ", "bold"), (f"{told}: ", style), (step.title, "bold")), False
    names = ", ".join(f"{key.id} {key.subject.words}".strip() for key in step.findings)
    yield 7, ((f"for {names}: ", "dim"), (step.why, "")), False
    for words in step.proof:
        yield 7, (("idle: ", "green"), (words, "")), False
    for line in step.diff.splitlines()[2:]:
        if not line.startswith("@@"):
            yield 7, ((line, "green" if line.startswith("+") else "red"),), True
    for command in step.commands:
        yield 7, ((command, "bold"),), True
    for words in step.by_hand:
        yield 7, ((f"- {words}", ""),), False
