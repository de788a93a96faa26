"""A plan -> the script that carries it out on a host, and the host's answer -> states.

The script lays the plan down in a folder of its own on the host and starts the runner there,
detached from the session: a connection that is cut loses nothing. Pure; `hand` sends it.
"""

from __future__ import annotations

import re
import time
from collections.abc import Iterable, Iterator, Mapping
from importlib import resources

import msgspec
from msgspec.structs import replace

from pytest_vfio.judge.result import RemedyResult, RemedyState, RemedyStep
from pytest_vfio.remedy.plan import Plan
from pytest_vfio.steps import Reboot, Step
from pytest_vfio.steps.files import FileStep
from pytest_vfio.steps.shell import word

_END = "PYTEST_VFIO_END_OF_FILE"
RUN = re.compile(r"[0-9A-Za-z][0-9A-Za-z-]{1,80}")


class Where(msgspec.Struct, frozen=True):
    """Where a run keeps what it does, and how long a step and the whole may take, in seconds."""

    base: str = "/var/lib/pytest-vfio"
    lock: str = "/run/pytest-vfio.lock"
    limit: int = 900
    wait: int = 1800


def run_name(plan: Plan, now: float) -> str:
    """A name that sorts by time: `20261127T223000Z-6c0a05e8`."""
    stamp = time.strftime("%Y%m%dT%H%M%SZ", time.gmtime(now))
    return f"{stamp}-{plan.name.removeprefix('plan-')[:8]}"


def carried_out(plan: Plan) -> tuple[tuple[str, Step], ...]:
    """The steps that the runner carries out, with their ids: all but a reboot."""
    found = [(f"s{number}", one.step) for number, one in enumerate(plan.steps, 1)]
    return tuple((id, step) for id, step in found if not isinstance(step, Reboot))


def script(plan: Plan, run: str, where: Where | None = None) -> str:
    """What a root shell is fed to carry a plan out. Its answer ends with `%done` or `%running`."""
    where = where or Where()
    folder = f"{where.base}/{run}"
    steps = carried_out(plan)
    files = {
        "run.sh": resources.files("pytest_vfio.remedy").joinpath("runner.sh").read_text(),
        "lock": where.lock,
        "limit": str(where.limit),
        "order": "\n".join(id for id, _ in steps),
        "derived": "\n".join(id for id, step in steps if step.derived),
    }
    for id, step in steps:
        files |= {f"steps/{id}.{name}": text for name, text in _step(step).items()}
    refused = f"echo '%refused cannot write {where.base}: this needs root'; exit 0"
    who = '"$(date -u +%Y-%m-%dT%H:%M:%SZ)" "$(id -un)" "${SSH_CONNECTION:-here}"'
    lines = [
        "set -u; umask 077",
        f"mkdir -p {word(folder)}/steps 2>/dev/null || {{ {refused}; }}",
        f"chmod 0700 {word(where.base)}",
        *(line for name, text in files.items() for line in _file(f"{folder}/{name}", text)),
        f"printf '%s run by %s from %s\\n' {who} >{word(folder)}/journal",
    ]
    return "\n".join([*lines, *_start(folder, "", where)]) + "\n"


def undo_script(run: str, where: Where | None = None) -> str:
    """What a root shell is fed to take a run back. Raises ValueError for what is no run's name."""
    where = where or Where()
    if not RUN.fullmatch(run):
        raise ValueError(f"{run!r} is no name of a run")
    folder = f"{where.base}/{run}"
    missing = f"echo '%refused there is no run {run} on this host'; exit 0"
    first = f"[ -e {word(folder)}/run.sh ] || {{ {missing}; }}"
    return "\n".join([first, *_start(folder, "undo", where)]) + "\n"


def _start(folder: str, verb: str, where: Where) -> Iterator[str]:
    """Start the runner detached, wait for it, and print its journal."""
    yield f"dir={word(folder)}"
    yield 'rm -f "$dir/done"'
    unit = 'systemd-run --quiet --collect --unit="pytest-vfio-$(basename "$dir")"'
    yield f'[ -d /run/systemd/system ] && {unit} sh "$dir/run.sh" {verb} 2>/dev/null ||'
    yield f'    setsid sh "$dir/run.sh" {verb} </dev/null >/dev/null 2>&1 &'
    yield "waited=0"
    yield f'while [ ! -e "$dir/done" ] && [ "$waited" -lt {where.wait} ]; do'
    yield "    sleep 1; waited=$((waited + 1))"
    yield "done"
    yield 'cat "$dir/journal"'
    yield '[ -e "$dir/done" ] && echo %done || echo %running'


def _step(step: Step) -> dict[str, str]:
    """The files of one step. A file of the host is taken back from its kept copy."""
    own = isinstance(step, FileStep)
    back = () if own or step.undo is None else step.undo
    kept = step.files if own else ()
    return {
        "before": _tests(step.before),
        "after": _tests(step.after),
        "do": "\n".join(step.commands),
        "undo": "\n".join(line for one in back for line in one.commands),
        "files": "\n".join(kept),
    }


def _tests(tests: Iterable[str]) -> str:
    return "\n".join(f"{{ {test}; }} || exit 1" for test in tests)


def _file(path: str, text: str) -> Iterator[str]:
    """Lines that write a text as it is. No step's text has the end's word on a line."""
    if not text:
        yield f": >{word(path)}"
        return
    yield f"cat >{word(path)} <<'{_END}'"
    yield text.rstrip("\n")
    yield _END


_STATES: Mapping[str, RemedyState] = {
    "applied": RemedyState.APPLIED,
    "already": RemedyState.APPLIED,
    "failed": RemedyState.FAILED,
    "stuck": RemedyState.FAILED,
    "refused": RemedyState.REFUSED,
    "undone": RemedyState.UNDONE,
    "not": RemedyState.FAILED,
    "begin": RemedyState.FAILED,
    "undo": RemedyState.FAILED,
}
_LINE = re.compile(r"\S+Z (s\d+|end) (\w+) ?(.*)")


def after(planned: RemedyResult, run: str, answer: str) -> RemedyResult:
    """A plan with what became of its steps, by the host's answer."""
    told: dict[str, tuple[str, str]] = {}
    for line in answer.splitlines():
        match = _LINE.fullmatch(line)
        if match is not None and told.get(match[1], ("",))[0] not in ("failed", "stuck"):
            told[match[1]] = match[2], match[3]  # a failure stays one, also once it is taken back
    end, reason = told.get("end", ("", _refused(answer)))
    rolled = end == "rolled"
    steps = tuple(_became(step, told, rolled=rolled, reason=reason) for step in planned.steps)
    return RemedyResult(run, _state(end, steps), steps, _journal(answer))


def undone(run: str, answer: str) -> RemedyResult:
    """What became of a run that was to be taken back, by the host's answer."""
    done = any(line.endswith(" end undone") for line in answer.splitlines()[-3:])
    journal = _journal(answer) or (_refused(answer),)
    return RemedyResult(run, RemedyState.UNDONE if done else RemedyState.FAILED, (), journal)


def _journal(answer: str) -> tuple[str, ...]:
    return tuple(line for line in answer.splitlines() if _LINE.fullmatch(line))


def _refused(answer: str) -> str:
    match = re.search(r"^%refused (.*)$", answer, re.MULTILINE)
    return match[1] if match else "the host did not answer to the end: read its journal"


def _became(
    step: RemedyStep, told: Mapping[str, tuple[str, str]], *, rolled: bool, reason: str
) -> RemedyStep:
    if step.state is not RemedyState.PLANNED:
        return step
    if step.kind == "reboot":
        applied = told.get("end", ("",))[0] == "applied"
        return replace(step, state=RemedyState.PENDING_REBOOT if applied else RemedyState.PLANNED)
    word, rest = told.get(step.id, ("", ""))
    if not word:
        return replace(step, state=RemedyState.REFUSED, why=reason or "an earlier step failed")
    state = _STATES.get(word, RemedyState.FAILED)
    if rolled and state is RemedyState.UNDONE:
        state = RemedyState.ROLLED_BACK
    return replace(step, state=state, why=rest or step.why)


def _state(end: str, steps: Iterable[RemedyStep]) -> RemedyState:
    states = [step.state for step in steps]
    if RemedyState.PENDING_REBOOT in states:
        return RemedyState.PENDING_REBOOT
    ends = {"applied": RemedyState.APPLIED, "rolled": RemedyState.ROLLED_BACK,
            "undone": RemedyState.UNDONE, "refused": RemedyState.REFUSED}  # fmt: skip
    return ends.get(end, RemedyState.FAILED)
