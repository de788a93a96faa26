"""Hosts that testinfra reaches and OpenSSH does not: containers, chroots, Ansible, and so on.

The same probe, in one command. The only place where testinfra is used to read a host.
"""

from __future__ import annotations

import asyncio
import shutil
import time
from collections.abc import Mapping, Sequence
from importlib import util
from types import MappingProxyType
from typing import Any
from urllib.parse import parse_qs

import testinfra
from msgspec.structs import replace

from pytest_vfio.evidence import Evidence, Source
from pytest_vfio.sources.bundles.recording import evidence_of, is_recording, parse
from pytest_vfio.sources.errors import TargetError
from pytest_vfio.sources.live.patience import in_thread
from pytest_vfio.sources.live.process import printable
from pytest_vfio.sources.probe.text import probe_text
from pytest_vfio.sources.target import Target, Unreachable

#: What testinfra itself calls on this machine; it fails in less clear words.
_COMMANDS: Mapping[str, str] = MappingProxyType(
    {
        "ansible": "ansible-inventory",
        "chroot": "chroot",
        "docker": "docker",
        "kubectl": "kubectl",
        "lxc": "lxc",
        "openshift": "oc",
        "podman": "podman",
    }
)
_PACKAGES: Mapping[str, str] = MappingProxyType({"salt": "salt", "winrm": "winrm"})


def expand(target: Target) -> list[Target]:
    """The hosts that a spec means: `ansible://group` may mean several. Raises TargetError."""
    scheme, _, rest = target.spec.partition("://")
    if scheme not in {"ansible", "salt"}:
        return [target]
    lacking = _lacking(target)
    if lacking:
        raise TargetError(lacking)
    try:
        hosts = _hosts(target)
    except Exception as error:
        raise TargetError(f"{target.spec}: {_words(error)}") from error
    if not hosts:
        raise TargetError(f"{target.spec} names no host")
    if len(hosts) == 1:
        return [target]
    _, mark, query = rest.partition("?")
    return [
        replace(target, name=name, spec=f"{scheme}://{name}{mark}{query}")
        for name in (str(host.backend.get_pytest_id().partition("://")[2]) for host in hosts)
    ]


async def read(target: Target, limit: float) -> Evidence | Unreachable:
    """Read a host within `limit` seconds; the command cannot be cut short, only given up on."""
    began = time.monotonic()
    lacking = _lacking(target)
    if lacking:
        return _failed(target, lacking, "failed", began)
    try:
        result = await asyncio.wait_for(in_thread(_run, target), limit)
    except TimeoutError:
        return _failed(target, f"{target.spec} did not answer within {limit:g} s", "timeout", began)
    except Exception as error:  # noqa: BLE001 - a backend may raise anything
        return _failed(target, f"{target.spec}: {_words(error)}", "failed", began)
    if not is_recording(result.stdout_bytes):
        said = (result.stderr_bytes or result.stdout_bytes).decode("utf-8", "backslashreplace")
        told = printable(" ".join(said.split())) or f"exit status {result.rc}"
        return _failed(
            target, f"{target.spec}: no shell, or no answer from it: {told}", "no-shell", began
        )
    stream = parse(result.stdout_bytes)
    return evidence_of(stream, target.name, Source.TESTINFRA)


def _run(target: Target) -> Any:
    (host,) = _hosts(target)
    return host.run(probe_text())


def _hosts(target: Target) -> Sequence[Any]:
    options: dict[str, Any] = {"sudo": target.sudo}
    if target.sudo_user:
        options["sudo_user"] = target.sudo_user
    if target.ssh_config:
        options["ssh_config"] = target.ssh_config
    if target.ssh_identity:
        options["ssh_identity_file"] = target.ssh_identity
    if target.ansible_inventory:
        options["ansible_inventory"] = target.ansible_inventory
    spec = target.spec
    if spec.startswith("chroot://"):
        # testinfra takes what stands before the first slash for the host, and so no path at all
        spec, _, query = spec.removeprefix("chroot://").partition("?")
        options["connection"] = "chroot"
        options["sudo"] = target.sudo or parse_qs(query).get("sudo") == ["true"]
    hosts: Sequence[Any] = testinfra.get_hosts([spec], **options)
    return hosts


def _lacking(target: Target) -> str:
    """What this machine would need for the target's way, in words; empty where it is there."""
    scheme = target.spec.partition("://")[0]
    command = _COMMANDS.get(scheme)
    if command and not shutil.which(command):
        return f"{target.spec} needs the command {command} here, and there is none"
    package = _PACKAGES.get(scheme)
    if package and util.find_spec(package) is None:
        return f"{target.spec} needs the Python package {package} here, and there is none"
    return ""


def _words(error: Exception) -> str:
    """What a backend raised, in one line: testinfra raises whole command results."""
    return printable(" ".join(f"{type(error).__name__}: {error}".split()))


def _failed(target: Target, words: str, kind: str, began: float) -> Unreachable:
    reason = words if target.name == target.spec else f"{target.name}: {words}"
    return Unreachable(target.name, reason, kind, time.monotonic() - began)
