"""Hosts that testinfra reaches and OpenSSH does not: containers, chroots, Ansible, and so on.

The same probe, in one command. The only place where testinfra is used to read a host.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Sequence
from dataclasses import replace
from importlib import resources
from typing import Any

import testinfra

from pytest_vfio.evidence import Evidence
from pytest_vfio.sources.errors import TargetError
from pytest_vfio.sources.recording import evidence_of, is_recording, parse
from pytest_vfio.sources.target import Target, Unreachable

_EXCERPT = 300


def expand(target: Target) -> list[Target]:
    """The hosts that a spec means: `ansible://group` may mean several. Raises TargetError."""
    try:
        hosts = _hosts(target)
    except Exception as error:
        raise TargetError(f"{target.spec}: {type(error).__name__}: {error}") from error
    if not hosts:
        raise TargetError(f"{target.spec} names no host")
    if len(hosts) == 1:
        return [target]
    return [
        replace(target, name=name, spec=f"{target.spec.partition('://')[0]}://{name}")
        for name in (str(host.backend.get_pytest_id().partition("://")[2]) for host in hosts)
    ]


async def read(target: Target, limit: float) -> Evidence | Unreachable:
    """Read a host within `limit` seconds; the command cannot be cut short, only given up on."""
    began = time.monotonic()
    try:
        result = await asyncio.wait_for(asyncio.to_thread(_run, target), limit)
    except TimeoutError:
        return _failed(target, f"did not answer within {limit:g} s", "timeout", began)
    except Exception as error:  # noqa: BLE001 - a backend may raise anything
        return _failed(target, f"{type(error).__name__}: {error}", "failed", began)
    if not is_recording(result.stdout_bytes):
        words = (result.stderr_bytes or result.stdout_bytes).decode("utf-8", "backslashreplace")
        told = " ".join(words.split())[:_EXCERPT] or f"exit status {result.rc}"
        return _failed(target, f"no shell, or no answer from it: {told}", "no-shell", began)
    stream = parse(result.stdout_bytes)
    return evidence_of(stream, target.name, "testinfra")


def _run(target: Target) -> Any:
    (host,) = _hosts(target)
    probe = (resources.files("pytest_vfio.sources") / "probe.sh").read_text()
    return host.run(probe)


def _hosts(target: Target) -> Sequence[Any]:
    options: dict[str, Any] = {"sudo": target.sudo}
    if target.sudo_user:
        options["sudo_user"] = target.sudo_user
    if target.ssh_config:
        options["ssh_config"] = target.ssh_config
    if target.ansible_inventory:
        options["ansible_inventory"] = target.ansible_inventory
    hosts: Sequence[Any] = testinfra.get_hosts([target.spec], **options)
    return hosts


def _failed(target: Target, words: str, kind: str, began: float) -> Unreachable:
    reason = f"{target.name}: {target.spec}: {words}"
    return Unreachable(target.name, reason, kind, time.monotonic() - began)
