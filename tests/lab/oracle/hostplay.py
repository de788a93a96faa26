"""An edit of the host itself: two guests, judged and started, after a boot where the edit needs one."""

import subprocess
from collections.abc import Sequence
from dataclasses import replace

from tests.lab.machine import Machine
from tests.lab.oracle import cure, truth
from tests.lab.oracle.batch import furnished, scenario
from tests.lab.oracle.compare import Json, Part, part
from tests.lab.oracle.generate import BLIND, Blind, HostPlay, Typed
from tests.lab.oracle.ground import SETTINGS
from tests.lab.oracle.guest import Guest
from tests.lab.oracle.record import Played
from tests.lab.oracle.truth import Truth
from tests.lab.row import revision
from tests.lab.suite import judge

BOOT = 700.0
"""Seconds after which a host that was started anew is taken for lost."""
WORKS = Truth(starts=True, has=True, lives=True, said="every guest starts")
LOST = Truth(starts=False, has=False, lives=False, said="the host did not come back")


def play(seed: int, play_: HostPlay) -> Played:
    """Restore, edit, boot if need be, judge, ask."""
    judging = scenario(f"oracle-{seed}-{play_.number}", play_.guests)
    machine, _ = furnished((one.name, one.xml) for one in play_.guests)
    try:
        machine.shell.must(SETTINGS)
        edits = [_make(machine, step) for step in play_.steps]
        names = tuple(word for _, words in edits for word in words)
        before = judge(machine, judging).host if play_.boots else None
        back = not play_.boots or _boot(machine)
        host = before if before and not back else judge(machine, judging).host
        parts = [_part(machine, host, one, names, back=back) for one in play_.guests]
        if all(one.truth.works for one in parts):
            parts.append(part(host, "the host", (), WORKS, names))
        played = Played(
            seed,
            play_.number,
            "boot" if play_.boots else "host",
            tuple(step.kind for step in play_.steps),
            play_.steps[0].kind in BLIND,
            tuple(what for what, _ in edits),
            names,
            tuple(parts),
            host["verdict"],
            revision(),
            judging.name,
            foretold=_foretold(before) if before else "",
        )
        if machine.pid() is None or played.works or not cure.commands(played.worst.said.fix):
            return played
        return replace(played, cure=cure.tried(machine, played.worst))
    finally:
        machine.stop()


def _make(machine: Machine, step: Typed | Blind) -> tuple[str, tuple[str, ...]]:
    """What was edited, and the words of a right cause."""
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


def _foretold(host: Json) -> str:
    """What the suite said of the next boot before it: the worst of the devices."""
    devices = (host["facts"] or {}).get("devices", [])
    said = [one.get("next_boot", "") for one in devices if one["intended"]]
    return next((word for word in ("no", "unknown", "yes") if word in said), "")


def _part(machine: Machine, host: Json, guest: Guest, names: Sequence[str], *, back: bool) -> Part:
    alive = back and machine.pid() is not None
    found = truth.ask(machine, guest.name, guest.cards) if alive else LOST
    if alive and not found.lives:
        machine.stop()
    return part(host, guest.name, guest.cards, found, names)
