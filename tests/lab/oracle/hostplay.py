"""An edit of the host itself: three guests, judged and started, after a boot where the edit needs one."""

import subprocess
from dataclasses import asdict, dataclass, replace
from typing import Any

from tests.lab.fault import Scenario
from tests.lab.machine import Machine
from tests.lab.oracle import cure, truth
from tests.lab.oracle.batch import furnished, intent
from tests.lab.oracle.compare import OUTCOMES, Outcome, Said, judged, said_of
from tests.lab.oracle.generate import BLIND, Blind, HostPlay
from tests.lab.oracle.ground import NAME
from tests.lab.oracle.guest import Guest
from tests.lab.oracle.record import Played
from tests.lab.oracle.truth import Truth
from tests.lab.row import revision
from tests.lab.suite import judge

BOOT = 420.0
"""Seconds after which a host that was started anew is taken for lost."""
LOST = Truth(starts=False, has=False, lives=False, said="the host did not come back")


@dataclass(frozen=True)
class _Part:
    """What was said and what is true of one guest."""

    guest: Guest
    said: Said
    truth: Truth
    outcome: Outcome


def play(seed: int, play_: HostPlay) -> Played:
    """Restore, edit, boot if need be, judge, ask."""
    name = f"oracle-{seed}-{play_.number}"
    scenario = Scenario(name, NAME, intent=intent(play_.guests))
    machine, _ = furnished((one.name, one.xml) for one in play_.guests)
    try:
        edits = [_make(machine, step) for step in play_.steps]
        names = tuple(word for _, words in edits for word in words)
        foretold, back = "", True
        host: Any = None
        if play_.boots:
            host = judge(machine, scenario).host
            foretold = _foretold(host)
            back = _boot(machine)
        if back:
            host = judge(machine, scenario).host
        parts = [_part(machine, host, one, names, back=back) for one in play_.guests]
        played = _told(seed, play_, [what for what, _ in edits], names, host, parts, foretold)
        worst = _worst(parts)
        if machine.pid() is None or worst.truth.works or not cure.commands(worst.said.fix):
            return played
        guest = worst.guest
        return replace(
            played, cure=cure.tried(machine, worst.said.fix or {}, guest.name, guest.cards)
        )
    finally:
        machine.stop()


def _make(machine: Machine, step: Any) -> tuple[str, tuple[str, ...]]:
    if isinstance(step, Blind):
        return step.edit.play(machine.shell)
    machine.shell.run(step.script, timeout=900)
    return " ".join(step.script.split()), step.names


def _boot(machine: Machine) -> bool:
    """Whether the host comes back."""
    machine.shell.run("sync", timeout=120)
    try:
        machine.reboot(BOOT)
        machine.shell.run("systemctl is-system-running --wait", timeout=BOOT)
    except (TimeoutError, RuntimeError, subprocess.TimeoutExpired):
        return False
    return True


def _foretold(host: Any) -> str:
    """What the suite said of the next boot before it: the worst of the devices."""
    said = [
        d.get("next_boot", "") for d in (host["facts"] or {}).get("devices", []) if d["intended"]
    ]
    return next((word for word in ("no", "unknown", "yes") if word in said), "")


def _part(
    machine: Machine, host: Any, guest: Guest, names: tuple[str, ...], *, back: bool
) -> _Part:
    said = said_of(host, guest.name, guest.cards)
    alive = back and machine.pid() is not None
    found = truth.ask(machine, guest.name, guest.cards) if alive else LOST
    if alive and not found.lives:
        machine.stop()
    return _Part(guest, said, found, judged(said, found, names))


def _worst(parts: list[_Part]) -> _Part:
    return min(parts, key=lambda part: (OUTCOMES.index(part.outcome), part.truth.works))


def _told(
    seed: int,
    play_: HostPlay,
    what: list[str],
    names: tuple[str, ...],
    host: Any,
    parts: list[_Part],
    foretold: str,
) -> Played:
    worst = _worst(parts)
    return Played(
        seed,
        play_.number,
        "boot" if play_.boots else "host",
        tuple(step.kind for step in play_.steps),
        play_.steps[0].kind in BLIND,
        tuple(what),
        names,
        all(part.truth.works for part in parts),
        all(part.truth.lives for part in parts),
        worst.truth.said,
        worst.said.sentence,
        f"{worst.said.cause}: {worst.said.words}" if worst.said.cause else "",
        host["verdict"],
        worst.outcome,
        foretold=foretold,
        revision=revision(),
        seconds=sum(part.truth.seconds for part in parts),
        guests=tuple(
            {"guest": p.guest.name, "outcome": p.outcome} | asdict(p.said) | asdict(p.truth)
            for p in parts
        ),
    )
