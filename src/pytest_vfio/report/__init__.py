"""Findings -> terminal, JUnit, JSON: one file each. Nothing here judges anything."""

from __future__ import annotations

import contextlib
import os
import tempfile
from collections.abc import Iterator
from functools import cached_property
from pathlib import Path

import msgspec

from pytest_vfio.check import Severity
from pytest_vfio.declared import Waiver
from pytest_vfio.hypervisor.hypervisor import Hypervisor
from pytest_vfio.judge.diagnosis import Diagnosis
from pytest_vfio.judge.judgement import Key
from pytest_vfio.judge.policy import Judged
from pytest_vfio.judge.suite import Suite


class HostResult(msgspec.Struct, frozen=True, dict=True):
    """All that is to be reported of one host.

    `hypervisor` and `diagnosis` are None for an unreachable host, and `reason` says why it is one;
    it also says why a host that was read is an error all the same.
    `selected` are the findings that this run was asked for; `judged` are all of the suite.
    `lapsed` are expired waivers that would cover one of them.
    """

    name: str
    source: str
    collected: str | None
    live: bool
    hypervisor: Hypervisor | None
    judged: tuple[Judged, ...] = ()
    selected: frozenset[Key] = frozenset()
    diagnosis: Diagnosis | None = None
    reason: str = ""
    seconds: float = 0.0
    lapsed: tuple[Waiver, ...] = ()

    @cached_property
    def shown(self) -> tuple[Judged, ...]:
        """The findings that this run was asked for."""
        return tuple(one for one in self.judged if one.finding.key in self.selected)


class RunResult(msgspec.Struct, frozen=True):
    """All that is to be reported of one run. `started` is UTC, `YYYY-MM-DDTHH:MM:SSZ`.

    `idle` are sentences on waivers that cover nothing.
    """

    suite: Suite
    hosts: tuple[HostResult, ...]
    started: str
    seconds: float
    complete: bool
    fail_on: tuple[Severity, ...]
    product: str
    idle: tuple[str, ...] = ()


def write_atomically(path: Path, data: bytes) -> None:
    """Write a file so that a reader sees the old one or the new one, and never half of one.

    Raises OSError where the folder cannot be made or written.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    with _scratch(path) as (handle, name):
        with os.fdopen(handle, "wb") as file:
            file.write(data)
            file.flush()
            os.fsync(file.fileno())
        Path(name).chmod(0o666 & ~_umask())
        Path(name).replace(path)


@contextlib.contextmanager
def _scratch(path: Path) -> Iterator[tuple[int, str]]:
    handle, name = tempfile.mkstemp(prefix=f".{path.name}.", dir=path.parent)
    try:
        yield handle, name
    except BaseException:
        Path(name).unlink(missing_ok=True)
        raise


def _umask() -> int:
    mask = os.umask(0)
    os.umask(mask)
    return mask
