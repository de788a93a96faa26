"""A plan -> `HOST.plan.sh`, which a person can read and run, for hosts that no tool may touch.

Each step is tested before, skipped where it is done already, and tested after; the first that is
not as planned ends the script. A step that only a person can do stands as words. A reboot is left
to the person.
"""

from __future__ import annotations

import shlex
from collections.abc import Iterable, Iterator

from pytest_vfio.judge.result import HostResult, RemedyResult, RemedyState, RemedyStep, RunResult
from pytest_vfio.printable import printable

_HEAD = """\
#!/bin/sh
# Plan {run} for {host}, made by {product} at {started}.
# Read it before you run it, as root, on {host}. It stops at the first step that is not as planned.
set -eu
stop() {{ echo "step $1: $2; nothing after it was done" >&2; exit 1; }}
"""


def render(run: RunResult) -> bytes:
    """The script for each host of a run that has a plan."""
    texts = ["\n".join(_host(host, run)) + "\n" for host in run.hosts if host.remedy is not None]
    return "\n".join(texts).encode("utf-8", "replace")


def _host(host: HostResult, run: RunResult) -> Iterator[str]:
    remedy = host.remedy
    assert remedy is not None
    names = {"run": remedy.run, "host": _comment(host.name)}
    yield _HEAD.format(product=run.product, started=run.started, **names).rstrip()
    yield f'[ "$(id -u)" = 0 ] || stop 0 {shlex.quote("this needs root")}'
    planned = [step for step in remedy.steps if step.state is RemedyState.PLANNED]
    for step in planned:
        yield from _step(step)
    yield from _rest(remedy)
    done = "all steps are done" if planned else "there is nothing to do"
    if any(step.kind == "reboot" for step in planned):
        done += ": reboot when the guests can spare it"
    yield f"\necho {shlex.quote(f'{done}; then judge the host again')}"


def _step(step: RemedyStep) -> Iterator[str]:
    yield f"\n# {step.id}: {_comment(step.title)}"
    yield f"#   for {', '.join(f'{key.id} {key.subject.words}'.strip() for key in step.findings)}"
    yield f"#   because {_comment(step.why)}"
    yield from (f"#   {_comment(words)}" for words in (*step.impacts, *step.proof))
    yield from (f"#   {_comment(line)}" for line in step.diff.splitlines())
    if step.kind == "reboot":
        yield from (f"# {command}" for command in step.commands)
        return
    if step.after:
        yield f"if {_all(step.after)}; then echo {shlex.quote(f'{step.id}: already done')}; else"
    yield from _must(step.before, f"stop {step.id} 'the host is not as it was read'")
    yield f"echo {shlex.quote(f'{step.id}: {_comment(step.title)}')}"
    yield from step.commands
    yield from _must(step.after, f"stop {step.id} 'it had no effect'")
    if step.after:
        yield "fi"


def _must(tests: Iterable[str], otherwise: str) -> Iterator[str]:
    """Each test, and what happens where it fails."""
    return (f"{{ {test}; }} || {otherwise}" for test in tests)


def _all(tests: Iterable[str]) -> str:
    """All tests as one; what is not there is no mistake."""
    return " && ".join(f"{{ {test}; }} 2>/dev/null" for test in tests)


def _rest(remedy: RemedyResult) -> Iterator[str]:
    for step in remedy.steps:
        if step.state is RemedyState.PLANNED:
            continue
        yield f"\n# {step.id}, {step.state}: {_comment(step.title)}"
        yield f"#   because {_comment(step.why)}"
        yield from (f"#   - {_comment(words)}" for words in step.by_hand)


def _comment(text: str) -> str:
    """A text that cannot leave its line."""
    return printable(text).replace("\n", " ").replace("\t", " ")
