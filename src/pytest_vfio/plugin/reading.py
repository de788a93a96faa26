"""What comes before judging: the command line, the inventory, and the reading of the hosts.

Imports nothing that judges or reports: that is imported while the hosts answer.
"""

from __future__ import annotations

import contextlib
import time
from collections.abc import Callable
from pathlib import Path

import msgspec
import pytest

from pytest_vfio import sources
from pytest_vfio.check import Severity
from pytest_vfio.inventory import Inventory, InventoryError
from pytest_vfio.plugin import hosts
from pytest_vfio.printable import ascii_only, printable
from pytest_vfio.report import FORMATS
from pytest_vfio.sources import Reading, Target


class Asked(msgspec.Struct, frozen=True):
    """What was asked for: which hosts, what gates, which reports; `started` is a time.time()."""

    started: float
    inventory: Inventory
    fail_on: frozenset[Severity]
    reports: tuple[str, ...]
    targets: tuple[Target, ...]


def asked(config: pytest.Config) -> Asked:
    """Understand the command line and the inventory. Raises pytest.UsageError.

    A worker of xdist is asked for no host: it gets what the controller read.
    """
    started, option = time.time(), config.option
    try:
        inventory = hosts.inventory(option.vfio_inventory, config.rootpath)
        fail_on = _severities(option.vfio_fail_on)
        reports = _reports(option.vfio_reports)
        targets = () if _handed(config) else hosts.targets(config, inventory)
    except (InventoryError, sources.TargetError, hosts.HostError) as error:
        raise pytest.UsageError(printable(str(error))) from error
    if targets and option.vfio_parallel < 1:
        raise pytest.UsageError(f"--parallel-hosts {option.vfio_parallel}: at least 1")
    if targets and not option.vfio_timeout > 0:
        raise pytest.UsageError(f"--host-timeout {option.vfio_timeout}: more than 0 seconds")
    return Asked(started, inventory, fail_on, reports, targets)


def read(
    config: pytest.Config, asked: Asked, meanwhile: Callable[[], object]
) -> tuple[Reading, ...]:
    """Read the hosts, and do something else while they answer."""
    folder = _handed(config)
    if folder:
        return hosts.handed_over(Path(folder))
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


def _handed(config: pytest.Config) -> str:
    """The folder with the readings of the controller, in a worker."""
    return str(getattr(config, "workerinput", {}).get("vfio", ""))


def _watched(
    config: pytest.Config, number: int
) -> contextlib.AbstractContextManager[sources.Progress | None]:
    """Who is told how far the reading has come: nobody, unless somebody watches."""
    shown = config.pluginmanager.has_plugin("terminalreporter") and not ascii_only()
    if config.get_verbosity() < 0 or not shown or not config.get_terminal_writer().hasmarkup:
        return contextlib.nullcontext()
    from pytest_vfio.plugin import progress  # noqa: PLC0415 - slow to import, and seldom seen
    from pytest_vfio.plugin.console import console  # noqa: PLC0415 - as above

    return progress.watched(number, console(config))


def _severities(text: str) -> frozenset[Severity]:
    known = [severity.value for severity in Severity]
    words = list(filter(None, (word.strip() for word in text.split(","))))
    for word in words:
        if word not in known:
            raise pytest.UsageError(
                f"--fail-on {word}: no such severity; known: {', '.join(known)}"
            )
    return frozenset(Severity(word) for word in words)


def _reports(text: str) -> tuple[str, ...]:
    names = tuple(filter(None, text.split(",")))
    for name in names:
        if name not in FORMATS and name != "none":
            raise pytest.UsageError(
                f"--report {name}: no such report; known: {', '.join(FORMATS)}, none"
            )
    return tuple(name for name in names if name != "none")
