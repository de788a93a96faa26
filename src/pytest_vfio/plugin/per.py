"""--per: what is one item of pytest's: a finding, a check on a host, or a whole host.

The findings are in the reports either way. A fleet's 250 items a host tell pytest nothing that its
user would ask pytest for: of more hosts than 20 each is one item, unless findings are selected.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

import pytest

from pytest_vfio.check import Outcome
from pytest_vfio.judge.host_run import HostRun
from pytest_vfio.judge.judgement import Key
from pytest_vfio.judge.policy import Judged
from pytest_vfio.judge.result import HostVerdict
from pytest_vfio.plugin.items import Ours, node_name
from pytest_vfio.printable import printable
from pytest_vfio.report.words import Shown, shown

#: Of more hosts than these each is one item.
_MANY = 20
#: Options that select findings, or go by them.
_SELECTING = (
    "keyword", "markexpr", "deselect", "lf", "failedfirst", "stepwise", "maxfail", "numprocesses",
)  # fmt: skip
#: The worst first: what one item says of many findings.
_WORST = (
    Outcome.ERROR, Outcome.FAIL, Outcome.BLOCKED, Outcome.UNKNOWN, Outcome.WAIVED, Outcome.PASS,
    Outcome.SKIP,
)  # fmt: skip
_VERDICTS = {
    HostVerdict.READY: Outcome.PASS,
    HostVerdict.CANNOT_TELL: Outcome.UNKNOWN,
    HostVerdict.NOT_READY: Outcome.FAIL,
}


def decided(config: pytest.Config, hosts: int) -> str:
    """What is one item in this run."""
    if _selects(config):
        return "subject"
    return str(config.option.vfio_per or ("host" if hosts > _MANY else "subject"))


def told(config: pytest.Config, hosts: int) -> str:
    """A line for the header, where it is not a finding or was asked to be another."""
    per, asked = decided(config, hosts), config.option.vfio_per
    if asked and per != asked:
        return f"items: one a finding, not a {asked}, since findings are selected"
    return "" if per == "subject" else f"items: one a {per} (--per subject: one a finding)"


def _selects(config: pytest.Config) -> bool:
    ids = any("::" in argument for argument in config.args)
    by = any(getattr(config.option, name, None) for name in _SELECTING)
    return ids or by or hasattr(config, "workerinput")


class ManyItem(Ours):
    """Many findings of one host: those of a check, or all of them (`whole`)."""

    def __init__(self, *, host: str, whole: bool, **arguments: Any) -> None:
        super().__init__(**arguments)
        self.host = host
        self.whole = whole
        self.keys: list[Key] = []
        self._files: list[str] = []
        self._end: tuple[Shown, str] | None = None

    @classmethod
    def of(cls, parent: pytest.Collector, host: str, function: str = "") -> ManyItem:
        """The item of a host, or of a check's function on a host."""
        name = f"{function}[{node_name(host)}]" if function else node_name(host)
        nodeid = f"{parent.nodeid}::{name}" if function else f"host::{name}"
        return cls.from_parent(parent, name=name, nodeid=nodeid, host=host, whole=not function)

    def add(self, keys: Sequence[Key], file: str) -> None:
        """Take findings of a check, which stands in a file."""
        self.keys += keys
        self._files += [file] * len(keys)

    def judge(self, run: HostRun, judged: Iterable[Judged]) -> None:
        """Say of all findings what is to be said of the worst, or of the host its verdict."""
        found = sorted(judged, key=lambda one: (not one.gates, _WORST.index(one.finding.outcome)))
        worst, verdict = found[0].finding, run.told.verdict
        alike = sum(
            one.gates == found[0].gates and one.finding.outcome is worst.outcome for one in found
        )
        how = shown(worst.outcome, gates=found[0].gates)
        message = worst.message if alike == 1 else f"{worst.message}, and {alike - 1} more"
        if self.whole and not found[0].gates:
            how, message = shown(_VERDICTS[verdict], gates=False), verdict.value
        elif self.whole:
            message = f"{verdict.value}: {worst.id} {message}"
        reason = run.ill_judged() if self.whole else None
        if reason is not None:
            how, message = shown(Outcome.ERROR, gates=True), reason
        self._end = how, printable(f"{how.word.lower()}: {message}")
        if not self.whole:
            self.user_properties.append(("vfio_check", worst.id))
        self.user_properties += [
            ("vfio_host", self.host),
            ("vfio_severity", worst.severity.value),
            ("vfio_outcome", how.word.lower()),
        ]

    def end(self) -> tuple[Shown, str]:
        """By the worst of its findings, or the host's verdict."""
        if self._end is None:
            raise RuntimeError(f"{self.nodeid} was run before it was judged")
        return self._end

    def findings(self) -> list[list[str]]:
        """All that it stands for."""
        told = zip(self.keys, self._files, strict=True)
        return [[self.host, *map(str, key), file] for key, file in told]

    def reportinfo(self) -> tuple[Path, int, str]:
        """A host stands in no file; a check's function is told by the item's name."""
        return self.path, 0, self.nodeid if self.whole else self.name
