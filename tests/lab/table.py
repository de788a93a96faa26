"""``docs/lab.md``: what a run of the lab saw, as a page."""

from collections.abc import Iterable, Sequence

from tests.lab.row import Row

HEAD = """# The lab: real hypervisors, broken on purpose

Written by `python -m tests.lab run`. Hosts are whole Debian systems in QEMU without KVM, restored
from a snapshot, broken in one way each, and judged over SSH as any host is. *Fault* is the entry of
the failure catalogue that was injected, *named* the check that the suite named as the first cause
and the entries it is of, *said* its words. *Seconds* are those of the judging alone: a login, the
reading of an emulated machine and pytest; a machine busy with other work multiplies them. *Other*
is what `virt-host-validate` found on the same host: numbers are those of the notes below.

"""
NOTES = """
## What virt-host-validate says

The emulated CPU is an AMD one, on most hosts in a machine with Intel's IOMMU: what the emulation
alone makes it say is marked so.

"""
EMULATION = {
    "IVRS": "the emulation alone, but on a host without any IOMMU",
    "secure guest": "the emulation alone",
}


def page(rows: Iterable[Row], minutes: float | None = None) -> str:
    """The whole page; `minutes` is what a whole run took, where the rows are of one."""
    rows = list(rows)
    faults = sorted((row for row in rows if row.expected), key=_number)
    healthy = [row for row in rows if not row.expected]
    notes = _notes(rows)
    shown = [(row, _other(row, notes)) for row in (*faults, *healthy)]
    return "\n".join(
        [
            HEAD + _sum(faults, healthy) + _when(rows, minutes),
            "## Faults\n",
            _row("fault", "scenario", "host", "named", "said", "result", "seconds", "other"),
            "|---" * 8 + "|",
            *(_fault(row, other) for row, other in shown if row.expected),
            "\n## Healthy variants\n",
            _row("scenario", "host", "verdict", "result", "seconds", "other"),
            "|---" * 6 + "|",
            *(_healthy(row, other) for row, other in shown if not row.expected),
            NOTES + "\n".join(f"{number}. {_note(line)}" for line, number in notes.items()),
            "",
        ]
    )


def _number(row: Row) -> tuple[int, str]:
    first = row.expected.split(",")[0]
    return int(first[1:]) if first.startswith("F") else 1000, row.name


def _sum(faults: Sequence[Row], healthy: Sequence[Row]) -> str:
    right = sum(not row.complaints for row in faults)
    quiet = sum(not row.complaints for row in healthy)
    entries = {row.expected.split(",")[0] for row in faults}
    return (
        f"{right} of {len(faults)} faults ({len(entries)} entries of the catalogue) detected with "
        f"the right first cause, {quiet} of {len(healthy)} healthy variants quiet.\n"
    )


def _when(rows: Sequence[Row], minutes: float | None) -> str:
    revisions = dict.fromkeys(row.revision for row in rows)
    took = f", in {minutes:.0f} minutes for all on built hosts" if minutes else ""
    return f"Judged at revision {', '.join(revisions)}{took}.\n"


def _fault(row: Row, other: str) -> str:
    return _row(
        row.expected,
        row.name,
        row.host,
        row.diagnosed or "none",
        row.said,
        _result(row),
        _seconds(row),
        other,
    )


def _healthy(row: Row, other: str) -> str:
    return _row(row.name, row.host, row.verdict, _result(row), _seconds(row), other)


def _seconds(row: Row) -> str:
    return f"{row.judged:.0f}" if row.judged else "not kept"


def _result(row: Row) -> str:
    return "right" if not row.complaints else "; ".join(row.complaints)


def _notes(rows: Iterable[Row]) -> dict[str, int]:
    """Every line that it said of any host, numbered."""
    lines = dict.fromkeys(line for row in rows for line in row.validate)
    return {line: number for number, line in enumerate(lines, start=1)}


def _other(row: Row, notes: dict[str, int]) -> str:
    return ", ".join(str(notes[line]) for line in row.validate) or "nothing"


def _note(line: str) -> str:
    marks = [f" — {mark}" for word, mark in EMULATION.items() if word in line]
    return line + "".join(marks)


def _row(*cells: str) -> str:
    return "| " + " | ".join(cell.replace("|", "\\|").replace("\n", " ") for cell in cells) + " |"
