"""The short way of a check through pytest, where nobody looks at the long one.

An item of ours has no fixtures, and its finding is known before it runs: capturing, logging and
looking for leaks around each of its phases find nothing, and cost more than all the judging. Where
every item is ours, and nobody but pytest itself hooks in around the phases, they are left out.
Reports are the same, and go to the same hooks.
"""

from __future__ import annotations

from types import ModuleType
from typing import Literal

import pytest

from pytest_vfio.plugin.items import SILENCING, CheckItem, HostItem, finish

#: What others can hook in around the phases of an item.
_HOOKS = (
    "pytest_runtest_protocol",
    "pytest_runtest_setup",
    "pytest_runtest_call",
    "pytest_runtest_teardown",
    "pytest_runtest_makereport",
    "pytest_exception_interact",
)
#: Options that stop at, or show, the phases of an item.
_OPTIONS = ("usepdb", "trace", "setupshow", "setuponly", "setupplan")


def unwatched(session: pytest.Session, ours: object) -> bool:
    """Whether nobody but pytest and `ours` would see a difference."""
    return (
        not any(session.config.getoption(name, False) for name in _OPTIONS)
        and all(_plain(item) for item in session.items)
        and all(
            implementation.plugin is ours or _module(implementation.plugin).startswith("_pytest.")
            for name in _HOOKS
            for implementation in getattr(session.config.hook, name).get_hookimpls()
        )
    )


def _plain(item: pytest.Item) -> bool:
    if isinstance(item, CheckItem):
        return not any(map(item.get_closest_marker, SILENCING))
    return isinstance(item, HostItem)


def _module(plugin: object) -> str:
    return plugin.__name__ if isinstance(plugin, ModuleType) else type(plugin).__module__


def run(item: CheckItem | HostItem) -> None:
    """Report an item, phase by phase."""
    hook = item.ihook
    hook.pytest_runtest_logstart(nodeid=item.nodeid, location=item.location)
    for when in ("setup", "call", "teardown"):
        hook.pytest_runtest_logreport(report=_report(item, when))
    hook.pytest_runtest_logfinish(nodeid=item.nodeid, location=item.location)


def _report(
    item: CheckItem | HostItem, when: Literal["setup", "call", "teardown"]
) -> pytest.TestReport:
    call = pytest.CallInfo.from_call(
        item.runtest if when == "call" else _nothing,
        when,
        reraise=(pytest.exit.Exception, KeyboardInterrupt),
    )
    report = pytest.TestReport.from_item_and_call(item, call)
    if when == "call":
        finish(item, call, report)
    return report


def _nothing() -> None:
    """There is nothing to set up, or to tear down."""
