"""A check as a pytest item, and the host as one. Knows pytest; judges nothing itself."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from typing import Any

import pytest

from pytest_vfio.check import Check
from pytest_vfio.judge import suite as suites
from pytest_vfio.judge.judgement import Key
from pytest_vfio.judge.policy import Judged
from pytest_vfio.judge.subjects import Subject
from pytest_vfio.printable import printable
from pytest_vfio.report.words import Shown, shown

#: Marks for which an item may end without having told its finding.
SILENCING = ("skip", "skipif", "xfail")


class Told(Exception):
    """Raised by an item to end with an outcome of ours; carries how it is shown and the words."""

    def __init__(self, how: Shown, message: str) -> None:
        self.how = how
        self.message = message
        super().__init__(message)


class CheckFile(pytest.File):
    """A file with nothing but checks. `collected` makes the items of one of them."""

    def __init__(
        self,
        *,
        collected: Callable[[pytest.Collector, str, Check], Iterable[pytest.Item]],
        **arguments: Any,
    ) -> None:
        super().__init__(**arguments)
        self._collected = collected

    def collect(self) -> Iterator[pytest.Item]:
        """The items of each check, in the order of the file."""
        for check in suites.checks_of_file(self.path):
            yield from self._collected(self, check.function.__name__, check)


class CheckItem(pytest.Item):
    """One check on one subject of one host."""

    def __init__(self, *, check: Check, host: str, subject: Subject, **arguments: Any) -> None:
        super().__init__(**arguments)
        self.check = check
        self.host = host
        self.subject = subject
        for mark in getattr(check.function, "pytestmark", ()):
            self.own_markers.append(mark)
            self.keywords[mark.name] = mark
        layer = suites.layer(check)
        layers = [layer] if layer in suites.LAYERS else []  # a user's own folder is no mark
        for name in (check.severity.value, check.subject.value, *layers):
            self.add_marker(name)
        self.extra_keyword_matches.update((check.id, *check.refs))
        self.judged: Judged | None = None

    @property
    def key(self) -> Key:
        """What its finding is called within the host."""
        return (self.check.id, *self.subject.key)

    @classmethod
    def of(
        cls,
        parent: pytest.Collector,
        name: str,
        check: Check,
        host: str,
        subjects: tuple[Subject, ...],
    ) -> Iterator[CheckItem]:
        """The items of a check on one host."""
        for subject in subjects:
            tail = "" if subject.kind == "host" else f"-{_id(subject.name)}"
            full = f"{name}[{_id(host)}{tail}]"
            yield cls.from_parent(
                parent,
                name=full,
                # As text: pytest 9.2 would take the brackets of a name for a part of the name,
                # and then not know the item again in what --lf and --sw remember.
                nodeid=f"{parent.nodeid}::{full}",
                check=check,
                host=host,
                subject=subject,
            )

    def runtest(self) -> None:
        """Raise Told, unless the finding is a pass."""
        if self.judged is None:
            raise RuntimeError(f"{self.nodeid} was run before it was judged")
        how = shown(self.judged.finding.outcome, gates=self.judged.gates)
        if how.report != "passed":
            raise Told(how, f"{how.word.lower()}: {self.judged.finding.message}")

    def repr_failure(self, excinfo: pytest.ExceptionInfo[BaseException], style: Any = None) -> Any:
        """The finding's own words."""
        if isinstance(excinfo.value, Told):
            return printable(excinfo.value.message)
        return super().repr_failure(excinfo)

    def reportinfo(self) -> tuple[Path, int, str]:
        """Where the check stands."""
        return self.path, self.check.function.__code__.co_firstlineno - 1, self.name


class HostItem(pytest.Item):
    """A host that could not be reached or judged: an error that no selection takes away."""

    def __init__(self, *, reason: str, **arguments: Any) -> None:
        super().__init__(**arguments)
        self.reason = reason

    def runtest(self) -> None:
        """Always raises."""
        raise Told(Shown("failed", "error", "E", "ERROR", "error"), self.reason)

    def repr_failure(self, excinfo: pytest.ExceptionInfo[BaseException], style: Any = None) -> Any:
        """The reason in words."""
        return printable(str(excinfo.value))

    def reportinfo(self) -> tuple[Path, int | None, str]:
        """A host stands in no file."""
        return self.path, None, self.nodeid


def _id(name: str) -> str:
    """A part of a node id: printable, without what separates the parts of a node id."""
    return (
        printable(name)
        .replace("\n", "\\n")
        .replace("::", ":\\:")
        .encode("ascii", "backslashreplace")
        .decode()
    )


def finish(item: pytest.Item, call: pytest.CallInfo[None], report: pytest.TestReport) -> None:
    """Give the report of one of our items the outcome that its finding has."""
    told = call.excinfo.value if call.excinfo is not None else None
    if isinstance(told, Told):
        report.outcome = told.how.report  # type: ignore[assignment]
        if told.how.report == "skipped":
            path, line, _ = item.reportinfo()
            report.longrepr = (str(path), (line or 0) + 1, printable(told.message))
        report.vfio_shown = [told.how.category, told.how.letter, told.how.word]  # type: ignore[attr-defined]
    if isinstance(item, CheckItem):
        # plain words: xdist carries nothing else
        report.vfio_finding = [item.host, *map(str, item.key), item.check.file]  # type: ignore[attr-defined]
