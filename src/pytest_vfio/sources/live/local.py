"""This machine as a source: the same script, without SSH."""

from __future__ import annotations

import os

from pytest_vfio.evidence import Evidence, Source
from pytest_vfio.sources.bundles import recording
from pytest_vfio.sources.errors import TargetError
from pytest_vfio.sources.live.process import Answer, converse
from pytest_vfio.sources.probe.text import probe_text
from pytest_vfio.sources.target import Target, Unreachable


async def read(target: Target, limit: float) -> Evidence | Unreachable:
    """Read this machine, for at most so many seconds."""
    command = shell(target, root=os.geteuid() == 0)
    try:
        answer = await converse(command, probe_text().encode(), limit)
    except OSError as error:
        reason = f"{target.name}: cannot start {command[0]}: {error.strerror}"
        return Unreachable(target.name, reason, "no-shell")
    return evidence(target, answer, Source.LOCAL, limit) or refusal(target, answer, limit)


def shell(target: Target, *, root: bool = False) -> list[str]:
    """The command that reads the script from its standard input."""
    if target.sudo_user and target.sudo_user.startswith("-"):
        raise TargetError(f"--sudo-user {target.sudo_user}: begins with a dash")
    if target.sudo and target.sudo_user:
        return ["sudo", "-n", "-u", target.sudo_user, "sh", "-s"]
    if target.sudo and not root:
        return ["sudo", "-n", "sh", "-s"]
    return ["sh", "-s"]


def evidence(target: Target, answer: Answer, source: Source, limit: float) -> Evidence | None:
    """The evidence in an answer, None where it has none: said in words where it ends early."""
    stream = answer.stream()
    if stream is None:
        return None
    why = ""
    if answer.late:
        why = f"the host's time limit of {limit:g} s was reached"
    elif not stream.done:
        why = "the transfer broke off" + (f": {answer.last_word}" if answer.last_word else "")
    if why and stream.last:
        why = f"{why} at {stream.last}"
    return recording.evidence_of(stream, target.name, source, why_cut=why)


def refusal(target: Target, answer: Answer, limit: float) -> Unreachable:
    """Why a shell that was reached gave no stream."""
    name, said, seconds = target.name, answer.last_word, answer.seconds
    if answer.late:
        reason = f"{name}: no answer within the time limit of {limit:g} s"
        return Unreachable(name, reason, "timeout", seconds)
    if "sudo:" in answer.said:
        reason = f"{name}: sudo without a password is not allowed ({said})"
        return Unreachable(name, reason, "denied", seconds)
    words = said or answer.first_rubbish
    end = "it was stopped" if answer.code is None else f"exit {answer.code}"
    told = f": {words}" if words else ", and said nothing"
    reason = f"{name}: no POSIX shell answered the probe ({end}{told})"
    return Unreachable(name, reason, "no-shell", seconds)
