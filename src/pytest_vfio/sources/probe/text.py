"""The script that reads a host, as text: its parts, joined, and what the table of items has it read."""

from __future__ import annotations

import textwrap
from collections.abc import Iterable, Iterator
from functools import cache
from importlib import resources
from itertools import groupby

from pytest_vfio.sources import age
from pytest_vfio.sources.items import ROWS
from pytest_vfio.sources.row import How, Row

#: The parts, in the order in which they stand; each is read by a person as a file of its own.
_BEFORE = ("process.sh", "files.sh", "trees.sh", "pci.sh", "firmware.sh", "processes.sh",
           "paths.sh", "libvirt.sh", "logs.sh", "initramfs.sh")  # fmt: skip
#: These are looked for first, and then all that were found are read by one process.
_TOGETHER = frozenset({How.FILE, How.FOLDER, How.LISTING, How.KERNEL})
#: So long is waited for all that wait for one lock, in seconds: more than for one of them.
_PATIENCE = 12
#: How the probe calls the names of files that are read for each PCI device.
_EACH = {"awake": "AWAKE_FILES", "locked": "LOCKED_FILES"}


@cache
def probe_text() -> str:
    """The whole script."""
    return script(ROWS)


def script(rows: Iterable[Row]) -> str:
    """The script that reads these items; only its last lines do anything."""
    rows = tuple(row for row in rows if row.live)
    return "\n".join(
        (
            _part("head.sh"),
            f"WRITER='{_part('writer.awk')}'\n",
            *map(_part, _BEFORE),
            "# -- what is read, as the table of items has it " + "-" * 50 + "\n",
            f"KNOWN='{age.known(rows)}'\n",
            *_groups(rows),
            "read_items() {\n  FOUND=",
            *_reading(rows),
            "}\n",
            _part("main.sh"),
        )
    )


def _part(name: str) -> str:
    return (resources.files("pytest_vfio.sources.probe") / name).read_text("utf-8")


def _reading(rows: tuple[Row, ...]) -> Iterator[str]:
    for together, some in groupby(rows, lambda row: row.how in _TOGETHER):
        for (waits, *_), alike in groupby(some, lambda row: (row.waits, row.how, row.function)):
            if not waits:
                yield from _lines(tuple(alike))
        if together:
            yield "  with_found read_files"
    for lock, names in _waiting(rows).items():
        words = " ".join(row.name for row in names)
        yield f"  guarded {_PATIENCE} wait_for_{lock} ||\n    say late {_PATIENCE} {words}"


def _waiting(rows: tuple[Row, ...]) -> dict[str, list[Row]]:
    """The items that may wait inside the kernel, by what they wait for."""
    waiting: dict[str, list[Row]] = {}
    for row in rows:
        if row.waits:
            waiting.setdefault(row.waits, []).append(row)
    return waiting


def _groups(rows: tuple[Row, ...]) -> Iterator[str]:
    """A function for those that wait for the same."""
    for lock, names in _waiting(rows).items():
        yield f"wait_for_{lock}() {{"
        yield '  IN_TIME=${LIMITER:+"timeout -k 1 5"}'
        for row in names:
            yield from _lines((row,))
        yield "  return 0\n}\n"


def _lines(rows: tuple[Row, ...]) -> Iterator[str]:
    """The shell's lines for rows that are read in the same way."""
    first = rows[0]
    if first.how is How.FILE:
        names = textwrap.wrap(" ".join(row.name for row in rows), 90, break_on_hyphens=False)
        yield "  for f in \\"
        yield " \\\n".join(f"    {line}" for line in names)
        yield '  do\n    add_file "$f"\n  done'
    elif first.how is How.OWN:
        for mode, paths in _by_mode(first):
            yield f"  {mode}='{paths}'"
        yield f"  {first.function}"
    elif first.how is How.KERNEL:
        yield f"  {first.function}"
    else:
        write = {How.FOLDER: _folder, How.LISTING: _listing, How.TREE: _tree, How.COMMAND: _command}
        for row in rows:
            yield from write[first.how](row)


def _by_mode(row: Row) -> Iterator[tuple[str, str]]:
    """The patterns of each mode, as the probe's function finds them in a variable."""
    for mode in dict.fromkeys(part.mode for part in row.parts):
        paths = [path for part in row.parts if part.mode == mode for path in part.paths]
        if mode in _EACH:
            paths = [path.removeprefix("*/") for path in paths]
        yield _EACH.get(mode, mode.upper()), " ".join(paths)


def _folder(row: Row) -> Iterator[str]:
    yield f"  list_dir {row.name}" + ("" if row.pattern == "*" else f" '{row.pattern}'")


def _listing(row: Row) -> Iterator[str]:
    yield f"  list_dir {row.name} -"


def _tree(row: Row) -> Iterator[str]:
    calls = {"values": "values ''", "flat": "values flat"}
    yield f"  if tree {row.name}; then"
    for part in row.parts:
        yield f"    {calls.get(part.mode, part.mode)} {' '.join(part.paths)}"
    yield "    say end present\n  fi"


def _command(row: Row) -> Iterator[str]:
    run = f"run {row.name} {row.limit} {row.source}"
    if row.ok:
        run = f"OK='{row.ok}'; {run}; OK="
    if row.only:
        yield f'  if [ -d "$R/run/{row.only}/system" ]; then'
        yield f"    {run}"
        yield f"  else\n    without {row.name} 'not collected no {row.only}'\n  fi"
    else:
        yield f"  {run}"
