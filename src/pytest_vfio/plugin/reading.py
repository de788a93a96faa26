"""What comes before judging: the command line, the inventory, and the reading of the hosts.

Imports nothing that judges or reports: that is imported while the hosts answer.
"""

from __future__ import annotations

import contextlib
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

import msgspec
import pytest

from pytest_vfio import sources
from pytest_vfio.check import Severity
from pytest_vfio.declared import WantedDevice
from pytest_vfio.inventory import Inventory, option_devices
from pytest_vfio.mistakes import Mistake
from pytest_vfio.plugin import hosts, progress, workers
from pytest_vfio.printable import ascii_only
from pytest_vfio.report import FORMATS
from pytest_vfio.sources import Reading, Target


class Asked(msgspec.Struct, frozen=True):
    """What was asked for: which hosts, what gates, which reports; `started` is a time.time()."""

    started: float
    inventory: Inventory
    fail_on: frozenset[Severity]
    reports: tuple[str, ...]
    targets: tuple[Target, ...]
    devices: tuple[WantedDevice, ...] = ()
    pool: str = ""


def asked(config: pytest.Config) -> Asked:
    """Understand the command line and the inventory. Raises Mistake.

    A worker of xdist is asked for no host: it gets what the controller read.
    """
    started, option = time.time(), config.option
    inventory = hosts.inventory(option.vfio_inventory, hosts.home(config))
    fail_on = _severities(option.vfio_fail_on)
    reports = _reports(option.vfio_reports)
    if reports and not option.collectonly and _handed(config) is None:
        _must_be_writable(report_folder(config))
    targets = () if _handed(config) is not None else hosts.targets(config, inventory)
    if targets and option.vfio_parallel < 1:
        raise Mistake(f"--parallel-hosts {option.vfio_parallel}: at least 1")
    if targets and not option.vfio_timeout > 0:
        raise Mistake(f"--host-timeout {option.vfio_timeout}: more than 0 seconds")
    devices = option_devices(option.vfio_devices)
    return Asked(started, inventory, fail_on, reports, targets, devices, hosts.pool(config))


def read(
    config: pytest.Config, asked: Asked, meanwhile: Callable[[], object]
) -> tuple[Reading, ...]:
    """Read the hosts, and do something else while they answer."""
    given = _handed(config)
    if given is not None:
        return workers.unpacked(given)
    if not asked.targets:
        return ()
    with _watched(config, len(asked.targets)) as progress:
        readings = sources.gather_now(
            asked.targets,
            parallel=config.option.vfio_parallel,
            timeout=config.option.vfio_timeout,
            progress=progress,
            meanwhile=meanwhile,
        )
    return tuple(hosts.explained(one, asked.inventory) for one in readings)


def _handed(config: pytest.Config) -> bytes | None:
    """The readings of the controller, in a worker."""
    given: bytes | None = getattr(config, "workerinput", {}).get("vfio")
    return given


def _watched(
    config: pytest.Config, number: int
) -> contextlib.AbstractContextManager[sources.Progress | None]:
    """Who is told how far the reading has come: nobody, where nobody wants to be told."""
    reporter = config.pluginmanager.get_plugin("terminalreporter")
    if config.get_verbosity() < 0 or reporter is None:
        return contextlib.nullcontext()
    if not config.get_terminal_writer().hasmarkup or ascii_only():
        return progress.told(number, reporter.write_line)
    from pytest_vfio.plugin import bar  # noqa: PLC0415 - slow to import, and seldom seen
    from pytest_vfio.plugin.console import console  # noqa: PLC0415 - as above

    return bar.watched(number, console(config))


def report_folder(config: pytest.Config) -> Path:
    """Where reports go."""
    return Path(config.option.vfio_report_dir or hosts.home(config) / "reports")


def _must_be_writable(folder: Path) -> None:
    """Raise Mistake where no report could be written: before hosts are read for nothing."""
    try:
        folder.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryFile(dir=folder):
            pass
    except OSError as error:
        raise Mistake(f"--report-dir {folder}: {error.strerror}") from error


def _severities(text: str) -> frozenset[Severity]:
    """What makes the run fail: the severities named, and blockers in any case."""
    known = [severity.value for severity in Severity]
    words = list(filter(None, (word.strip() for word in text.split(","))))
    if not words:
        raise Mistake(f"--fail-on {text!r}: names no severity; known: {', '.join(known)}")
    for word in words:
        if word not in known:
            raise Mistake(f"--fail-on {word}: no such severity; known: {', '.join(known)}")
    return frozenset(Severity(word) for word in words) | {Severity.BLOCKER}


def _reports(text: str) -> tuple[str, ...]:
    names = tuple(filter(None, (name.strip() for name in text.split(","))))
    known = [*FORMATS, "none"]
    if not names:
        raise Mistake(f"--report {text!r}: names no report; known: {', '.join(known)}")
    for name in names:
        if name not in known:
            raise Mistake(f"--report {name}: no such report; known: {', '.join(known)}")
    return tuple(name for name in names if name != "none")
