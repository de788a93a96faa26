"""Hosts behind the system's own `ssh`: its configuration, its agent, its known hosts."""

from __future__ import annotations

import shlex

from pytest_vfio.evidence import Evidence, Source
from pytest_vfio.sources.errors import TargetError
from pytest_vfio.sources.live.local import evidence, refusal, shell
from pytest_vfio.sources.live.process import Answer, converse
from pytest_vfio.sources.probe.text import probe_text
from pytest_vfio.sources.target import Target, Unreachable

#: Nobody is there to answer a question, and nothing but the stream is wanted. Host keys are
#: checked as the user's configuration says: an unknown one ends the attempt, as BatchMode has it.
OPTIONS = (
    "BatchMode=yes",
    "ServerAliveInterval=5",
    "ServerAliveCountMax=3",
    "LogLevel=ERROR",
    "ControlMaster=no",  # a master of ours would stay behind; the user's own is welcome
    "ClearAllForwardings=yes",
    "ForwardAgent=no",
    "ForwardX11=no",
    "PermitLocalCommand=no",
    "RemoteCommand=none",
    "RequestTTY=no",
    "Compression=yes",  # configuration space is mostly zeros
)

#: What ssh(1) says -> kind of failure, and in our words.
_FAILURES = (
    ("Could not resolve hostname", "unresolved", "name not resolved"),
    ("HOST IDENTIFICATION HAS CHANGED", "host-key", "its host key is not the known one"),
    ("Host key verification failed", "host-key", "its host key is not known yet: ssh there once"),
    ("host key is known for", "host-key", "its host key is not known yet: ssh there once"),
    ("Permission denied", "denied", "login refused"),
    ("Too many authentication failures", "denied", "login refused"),
    ("no such identity", "denied", "login refused"),
    ("Connection refused", "unreachable", "nothing listens there"),
    ("No route to host", "unreachable", "no way to it"),
    ("Network is unreachable", "unreachable", "no way to it"),
    ("timed out", "unreachable", "no answer"),
    ("Timeout", "unreachable", "no answer"),
    ("Connection closed", "unreachable", "the connection was closed"),
    ("Connection reset", "unreachable", "the connection was closed"),
    ("banner exchange", "unreachable", "what listens there does not speak SSH"),
)


async def read(target: Target, limit: float) -> Evidence | Unreachable:
    """Read a host in one session and one command, for at most so many seconds."""
    try:
        answer = await converse(command(target, limit), probe_text().encode(), limit)
    except OSError as error:
        reason = f"{target.name}: cannot start ssh: {error.strerror}"
        return Unreachable(target.name, reason, "failed")
    return evidence(target, answer, Source.SSH, limit) or explained(target, answer, limit)


def command(target: Target, limit: float) -> list[str]:
    """The argument list of ssh(1). Raises TargetError for a name that would be an option."""
    if target.spec.startswith("-") or not target.spec:
        raise TargetError(f"{target.spec!r} cannot be a host's name")
    words = ["ssh"]
    if target.ssh_config is not None:
        words += ["-F", target.ssh_config]
    if target.ssh_identity is not None:
        words += ["-i", target.ssh_identity]
    if target.port is not None:
        words += ["-p", str(target.port)]
    for option in (*OPTIONS, f"ConnectTimeout={max(1, min(15, int(limit)))}"):
        words += ["-o", option]
    return [*words, "--", target.spec, f"exec {shlex.join(shell(target))}"]


def explained(target: Target, answer: Answer, limit: float) -> Unreachable:
    """Why there was no stream, in words."""
    name = target.name
    if not answer.late and answer.code == 255:
        line = _telling(answer)
        for sign, kind, words in _FAILURES:
            if sign in answer.said:
                return Unreachable(name, f"{name}: {words} ({line})", kind, answer.seconds)
        if not line:
            lost = f"the connection was lost before the login, after {answer.seconds:.0f} s"
            return Unreachable(name, f"{name}: {lost}", "unreachable", answer.seconds)
        return Unreachable(name, f"{name}: ssh failed ({line})", "failed", answer.seconds)
    return refusal(target, answer, limit)


def _telling(answer: Answer) -> str:
    """The line of ssh's that says most: the one with the sign, else the last."""
    lines = answer.said.splitlines()
    for sign, _, _ in _FAILURES:
        for line in lines:
            if sign in line and "@@@" not in line and "HAS CHANGED" not in line:
                return line.strip()[:300]
    return answer.last_word
