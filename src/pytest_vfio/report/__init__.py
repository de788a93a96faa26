"""Findings -> terminal, JUnit, JSON: one file each. Nothing here judges anything."""

from __future__ import annotations

import contextlib
import os
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from pytest_vfio.check import Severity
from pytest_vfio.diagnosis import Diagnosis
from pytest_vfio.facts.hypervisor import Hypervisor
from pytest_vfio.judgement import Key
from pytest_vfio.policy import Judged
from pytest_vfio.suite import Suite


@dataclass(frozen=True)
class HostResult:
    """All that is to be reported of one host.

    `hypervisor` and `diagnosis` are None for an unreachable host, and `reason` says why it is one.
    `selected` are the findings that this run was asked for; `judged` are all of the suite.
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

    @property
    def shown(self) -> tuple[Judged, ...]:
        """The findings that this run was asked for."""
        return tuple(one for one in self.judged if one.finding.key in self.selected)


@dataclass(frozen=True)
class RunResult:
    """All that is to be reported of one run. `started` is UTC, `YYYY-MM-DDTHH:MM:SSZ`."""

    suite: Suite
    hosts: tuple[HostResult, ...]
    started: str
    seconds: float
    complete: bool
    fail_on: tuple[Severity, ...]
    product: str


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


def printable(text: str) -> str:
    """Text in which what a terminal or XML would act on is visible: `\\x1b` instead of ESC.

    Line feeds and tabs stay. XML 1.0, section 2.2, names the characters that may stand in it.
    """
    return "".join(char if _harmless(char) else _visible(char) for char in text)


def _harmless(char: str) -> bool:
    if char in "\n\t":
        return True
    code = ord(char)
    if code < 0x20 or 0x7F <= code < 0xA0 or 0xD800 <= code < 0xE000 or code & 0xFFFE == 0xFFFE:
        return False
    return code not in _REORDERING


#: Marks that reorder or hide text around them (Unicode bidirectional controls, line separators).
_REORDERING = frozenset((0x200E, 0x200F, 0x2028, 0x2029, *range(0x202A, 0x202F), *range(0x2066, 0x206A), 0xFEFF))


def _visible(char: str) -> str:
    code = ord(char)
    if code < 0x100:
        return f"\\x{code:02x}"
    return f"\\u{code:04x}" if code < 0x10000 else f"\\U{code:08x}"
