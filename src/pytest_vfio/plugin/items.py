"""A check as a pytest item, and the host as one. Knows pytest; judges nothing itself.

An item ends with pytest's own exceptions: what gates with that of `pytest.fail`, all else but a
pass with that of `pytest.skip`. So whatever counts, stops at or reports the outcomes of tests is
right about checks, and what a finding is called stands in the item's `user_properties`.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from functools import cache, cached_property
from pathlib import Path
from typing import Any

import pytest

from pytest_vfio.check import Check
from pytest_vfio.judge import suite as suites
from pytest_vfio.judge.judgement import Key
from pytest_vfio.judge.policy import Judged
from pytest_vfio.judge.subjects import Subject
from pytest_vfio.judge.suite import SuiteError
from pytest_vfio.printable import printable
from pytest_vfio.report.words import Shown, shown

#: Marks for which an item may end without having told its finding.
SILENCING = ("skip", "skipif")

#: Whether a collector bears one of them, or stands in one that does.
_SILENT = pytest.StashKey[bool]()

#: Marks that a check cannot bear, and what to do instead.
_REFUSED = {
    "parametrize": "a check is asked once about each subject of each host; ask in a loop, or "
    "write a check for each value",
    "usefixtures": "a check is a function of facts and takes no fixture; what needs one is an "
    "ordinary test with the `hypervisor` fixture",
    "xfail": "a failure that is to be put up with is waived in the inventory, by [[waivers]]",
}


class Gates(pytest.fail.Exception):  # type: ignore[name-defined,misc]
    """Raised by an item whose finding makes the run fail; carries how it is shown."""

    def __init__(self, how: Shown, message: str) -> None:
        self.how = how
        super().__init__(message, pytrace=False)


class Told(pytest.skip.Exception):  # type: ignore[name-defined,misc]
    """Raised by an item whose finding is no pass and does not gate; carries how it is shown."""

    def __init__(self, how: Shown, message: str) -> None:
        self.how = how
        super().__init__(message, _use_item_location=True)


def must_bear(collector: pytest.Collector, check: Check) -> None:
    """Raise SuiteError where a check bears a mark that has no meaning for it."""
    marks = [*getattr(check.function, "pytestmark", ()), *collector.iter_markers()]
    for mark in marks:
        if mark.name in _REFUSED:
            raise SuiteError(
                f"check {check.id} ({check.file}) is marked {mark.name}: {_REFUSED[mark.name]}"
            )


def is_silenced(collector: pytest.Collector, check: Check) -> bool:
    """Whether a check bears a mark for which it may tell nothing, its own or its file's."""
    return _are_silent(getattr(check.function, "pytestmark", ())) or _silences(collector)


def _are_silent(marks: Iterable[pytest.Mark]) -> bool:
    return any(mark.name in SILENCING for mark in marks)


def _silences(collector: Any) -> bool:
    if _SILENT not in collector.stash:
        collector.stash[_SILENT] = _are_silent(collector.iter_markers())
    return bool(collector.stash[_SILENT])


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


@cache
def _marks(check: Check) -> dict[str, pytest.Mark]:
    """The marks of a check: its author's, its severity, its kind of subject, its layer."""
    layer = suites.layer(check)
    layers = [layer] if layer in suites.LAYERS else []  # a user's own folder is no mark
    names = (check.severity.value, check.subject.value, *layers)
    own = getattr(check.function, "pytestmark", ())
    return {mark.name: mark for mark in (*own, *(getattr(pytest.mark, n).mark for n in names))}


class Ours(pytest.Item):
    """An item that ends by what was found, known before it runs."""

    def end(self) -> tuple[Shown, str]:
        """How it is shown, and in which words, harmless."""
        raise NotImplementedError

    def findings(self) -> list[list[str]]:
        """What it tells: host, check, kind and name of the subject, file; as xdist carries it."""
        return []

    def runtest(self) -> None:
        """Raise Gates or Told, unless it is a pass."""
        how, message = self.end()
        if how.report != "passed":
            raise (Gates if how.report == "failed" else Told)(how, message)

    def repr_failure(self, excinfo: pytest.ExceptionInfo[BaseException], style: Any = None) -> Any:
        """The finding's own words."""
        told = isinstance(excinfo.value, Gates)
        return str(excinfo.value) if told else super().repr_failure(excinfo)


class CheckItem(Ours):
    """One check on one subject of one host. `key` is what its finding is called within the host."""

    def __init__(
        self, *, check: Check, host: str, key: Key, alike: CheckItem | None, **arguments: Any
    ) -> None:
        super().__init__(**arguments)
        self._alike = alike
        self.check = check
        self.host = host
        self.key = key  # and not the subject, from which a whole host hangs
        marks = _marks(check)
        self.own_markers += marks.values()
        self.keywords.update(marks)
        self.extra_keyword_matches.update((check.id, *check.refs))
        self.judged: Judged | None = None

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
        first: CheckItem | None = None
        host_name = node_name(host)
        for subject in subjects:
            tail = "" if subject.kind == "host" else f"-{node_name(subject.name)}"
            full = f"{name}[{host_name}{tail}]"
            item = cls.from_parent(
                parent,
                name=full,
                # As text: pytest 9.2 would take the brackets of a name for a part of the name,
                # and then not know the item again in what --lf and --sw remember.
                nodeid=f"{parent.nodeid}::{full}",
                check=check,
                host=host,
                key=(check.id, *subject.key),
                alike=first,
            )
            first = first or item
            yield item

    @property
    def silenced(self) -> bool:
        """Whether it bears a mark for which it may tell nothing, its own or its file's."""
        above = self.parent is not None and _silences(self.parent)
        return above or _are_silent(self.own_markers)

    def judge(self, judged: Judged) -> None:
        """Take the finding, and name it to whatever reports tests."""
        self.judged = judged
        finding = judged.finding
        self.user_properties += [
            ("vfio_check", finding.id),
            ("vfio_host", finding.host),
            ("vfio_severity", finding.severity.value),
            ("vfio_outcome", finding.outcome.value),
            *(("vfio_cause", f"{id} {kind} {name}") for id, kind, name in finding.blocked_by),
        ]

    def end(self) -> tuple[Shown, str]:
        """How its finding is shown, and the finding's words, harmless."""
        if self.judged is None:
            raise RuntimeError(f"{self.nodeid} was run before it was judged")
        how = shown(self.judged.finding.outcome, gates=self.judged.gates)
        return how, printable(f"{how.word.lower()}: {self.judged.finding.message}")

    @property
    def keys(self) -> tuple[Key, ...]:
        """What is judged together with it."""
        return (self.key,)

    def findings(self) -> list[list[str]]:
        """Its one finding."""
        return [[self.host, *map(str, self.key), self.check.file]]

    @cached_property
    def location(self) -> tuple[str, int | None, str]:
        """Where pytest says it stands: for all subjects of a check the same, but for the name."""
        if self._alike is None:
            return super().location
        return (*self._alike.location[:2], self.name)

    def reportinfo(self) -> tuple[Path, int, str]:
        """Where the check stands."""
        return self.path, self.check.function.__code__.co_firstlineno - 1, self.name


class HostItem(Ours):
    """A host that could not be reached or judged: an error that no selection takes away."""

    def __init__(self, *, reason: str, **arguments: Any) -> None:
        super().__init__(**arguments)
        self.reason = reason

    @classmethod
    def of(cls, session: pytest.Session, host: str, reason: str) -> HostItem:
        """The item of a host, and why it is an error."""
        name = node_name(host)
        return cls.from_parent(session, name=name, nodeid=f"host::{name}", reason=reason)

    def end(self) -> tuple[Shown, str]:
        """Always an error."""
        return Shown("failed", "error", "E", "ERROR", "error"), printable(self.reason)

    def reportinfo(self) -> tuple[Path, int | None, str]:
        """A host stands in no file."""
        return self.path, None, self.nodeid


def node_name(name: str) -> str:
    """A part of a node id: printable, without what separates the parts of a node id."""
    return (
        printable(name)
        .replace("\n", "\\n")
        .replace("::", ":\\:")
        .encode("ascii", "backslashreplace")
        .decode()
    )


#: Whether a session has nothing but items of ours.
ALONE = pytest.StashKey[bool]()


def mark(report: pytest.TestReport, item: Ours, how: Shown) -> None:
    """Give the report of one of our items our word and letter, and the names of its findings.

    Where there is nothing but checks no letters are printed: all is judged before the first
    would be, and there is nothing to wait for.
    """
    letter = "" if item.config.stash.get(ALONE, False) else how.letter
    word = "PASSED" if how.report == "passed" else how.word  # as pytest's own
    report.vfio_shown = [how.category, letter, word]  # type: ignore[attr-defined]
    report.vfio_findings = item.findings()  # type: ignore[attr-defined]


def finish(item: Ours, call: pytest.CallInfo[None], report: pytest.TestReport) -> None:
    """The same for a report that pytest made."""
    told = call.excinfo.value if call.excinfo is not None else None
    if isinstance(told, Told) and isinstance(report.longrepr, tuple):
        report.longrepr = (*report.longrepr[:2], str(told))  # not the name of our class as well
    if told is None or isinstance(told, (Gates, Told)):
        mark(report, item, item.end()[0])
