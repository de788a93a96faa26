"""`docs/evidence.md`: every item of evidence, and the layers whose checks use it.

What a check uses is seen, not declared: each check judges each recorded host on evidence that
notes what it is asked for.
"""

from __future__ import annotations

import contextlib
from collections.abc import Iterator

import msgspec

from pytest_vfio.check import Check
from pytest_vfio.evidence import Evidence, Item, Missing
from pytest_vfio.judge.judgement import Judgement, subjects_of
from pytest_vfio.judge.subjects import Subject
from pytest_vfio.judge.suite import LAYERS, layer
from pytest_vfio.sources.items import ROWS
from pytest_vfio.sources.row import FIRST
from pytest_vfio.sources.table import row_of
from tests.hosts.recorded import bundles, evidence, judge, whole_suite

_INTRO = """\
# What is read from a host

Made by `python -m tools.docs`. `pytest --print-probe` prints the script that reads all of it, in
one session, as root where it may be and else as whoever logs in; nothing on the host is changed.
An item that cannot be read is reported as such, and what would need it is *unknown*.

Items stand in the order in which they are read. What has no right and no limit is not read from a
host, but sent by somebody; *sent as* is the name by which a folder of loose files has it. A
sosreport has files under their own paths, and what commands print under the names that sos gives.
An item that came after release 0.1 says so: a recording made before could not ask for it, and the
checks that need it are left out for such a recording, which is neither pass nor unknown.

Passwords, their hashes, keys and tokens are left out of a kept recording (`--record`), by the shapes
that `pytest_vfio.redaction` knows. MAC addresses, serial numbers, UUIDs, host names and the machine-id
are kept: devices are told apart by them. Look at a recording before you hand it on.

*Used by* are the layers of the checks that were seen to ask for it on the recorded hosts in
`fixtures/`; what a check reads stands in [its page](checks.md). An item that no check uses yet is
kept in recordings for later ones.
"""


class Traced(Evidence, frozen=True):
    """Evidence that notes which items it was asked for."""

    asked: set[str] = msgspec.field(default_factory=set)

    @classmethod
    def of(cls, evidence: Evidence) -> Traced:
        """The same evidence, of which nothing was asked yet."""
        return cls(*(getattr(evidence, name) for name in evidence.__struct_fields__))

    def item(self, name: str) -> Item:
        """As of any evidence, with a note."""
        self.asked.add(name)
        return super().item(name)


def uses() -> dict[str, set[str]]:
    """The items that each check asked for, on any recorded host."""
    found: dict[str, set[str]] = {check.id: set() for check in whole_suite()}
    for host in bundles():
        for check in whole_suite():
            traced = Traced.of(evidence(host))
            judgement = judge(host, traced)
            for subject in subjects_of(check, judgement.subjects):
                if subject.kind == check.subject:
                    with contextlib.suppress(Missing):
                        _call(check, judgement, subject)
            found[check.id] |= traced.asked
    return found


def _call(check: Check, judgement: Judgement, subject: Subject) -> None:
    arguments = () if check.subject == "host" else (subject.value,)
    check.function(judgement.hypervisor, *arguments)


def page() -> str:
    """The whole page."""
    return "\n".join([_INTRO, *_rows()]) + "\n"


def _rows() -> Iterator[str]:
    used = uses()
    layers = {check.id: layer(check) for check in whole_suite()}
    yield "| item | read from | right | limit | sent as | used by |"
    yield "|---|---|---|---|---|---|"
    for row in ROWS:
        asked = {layers[id] for id, names in used.items() if any(row_of(n) is row for n in names)}
        name = f"`{row.name}`" if row.since == FIRST else f"`{row.name}` ({row.since})"
        right, limit = (row.right, f"{row.limit} s") if row.live else ("", "")
        loose = f"`{row.loose}`" if row.loose else ""
        users = "all" if len(asked) == len(LAYERS) else ", ".join(sorted(asked, key=LAYERS.index))
        yield f"| {name} | `{row.typed}` | {right} | {limit} | {loose} | {users} |"
