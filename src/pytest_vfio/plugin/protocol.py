"""The short way of a check through pytest, where nobody looks at the long one.

An item of ours has no fixtures, and its finding is known before it runs: capturing, logging and
looking for leaks around each of its three phases, and three reports of it, find nothing and cost
ten times the judging. Where every item is ours, and nobody but pytest itself hooks in, there is
one report, made of the finding. It is what pytest would have made of the exception.
"""

from __future__ import annotations

import time
from types import ModuleType

import pytest

from pytest_vfio.plugin.items import CheckItem, Ours, mark

#: What others can hook in around the phases of an item, and where they hear of them.
_HOOKS = (
    "pytest_runtestloop",
    "pytest_runtest_protocol",
    "pytest_runtest_logstart",
    "pytest_runtest_setup",
    "pytest_runtest_call",
    "pytest_runtest_teardown",
    "pytest_runtest_makereport",
    "pytest_runtest_logreport",
    "pytest_runtest_logfinish",
    "pytest_exception_interact",
)
#: Options that stop at, show, or write down the phases of an item.
_OPTIONS = ("usepdb", "trace", "setupshow", "setuponly", "setupplan", "collectonly", "xmlpath")


def unwatched(session: pytest.Session, ours: object) -> bool:
    """Whether nobody but pytest and `ours` would see a difference."""
    return (
        not session.testsfailed  # in collecting: pytest decides what becomes of the rest
        and not any(session.config.getoption(name, False) for name in _OPTIONS)
        and all(_plain(item) for item in session.items)
        and all(
            implementation.plugin is ours or _module(implementation.plugin).startswith("_pytest.")
            for name in _HOOKS
            for implementation in getattr(session.config.hook, name).get_hookimpls()
        )
    )


def _plain(item: pytest.Item) -> bool:
    return isinstance(item, Ours) and not (isinstance(item, CheckItem) and item.silenced)


def _module(plugin: object) -> str:
    return plugin.__name__ if isinstance(plugin, ModuleType) else type(plugin).__module__


def run(session: pytest.Session) -> bool:
    """Report every item, as pytest's own loop does, until somebody has had enough."""
    report = session.config.hook.pytest_runtest_logreport
    for item in session.items:
        assert isinstance(item, Ours)
        report(report=_report(item))
        if session.shouldfail:
            raise session.Failed(session.shouldfail)
        if session.shouldstop:
            raise session.Interrupted(session.shouldstop)
    return True


def _report(item: Ours) -> pytest.TestReport:
    how, message = item.end()
    longrepr: str | tuple[str, int, str] | None = None
    if how.report == "failed":
        longrepr = message
    elif how.report == "skipped":
        path, line, _ = item.reportinfo()
        longrepr = (str(path), (line or 0) + 1, message)
    now = time.time()
    report = pytest.TestReport(
        item.nodeid,
        item.location,
        {},
        how.report,
        longrepr,
        "call",
        start=now,
        stop=now,
        user_properties=item.user_properties,
    )
    mark(report, item, how)
    return report
