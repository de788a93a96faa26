"""``docs/lab.md``: what a run of the lab saw, as a page."""

from collections.abc import Iterable

from tests.lab.row import Row

HEAD = """# The lab: real hypervisors, broken on purpose

Written by `python -m tests.lab run`; every row was seen, at the revision it names. Hosts are whole
Debian systems in QEMU without KVM, judged over SSH. *Expected* are entries of the failure
catalogue, any of which is right; *diagnosed* is the first cause that the suite named. Seconds are
those of the judging alone: gathering over SSH from an emulated machine, and pytest; a machine busy
with other work multiplies them.

"""
FOOT = """
`virt-host-validate` ran on the same hosts. The emulated CPU is an AMD one in a machine with Intel's
IOMMU, so what it says about *IVRS* (a table of AMD machines) is the emulation's doing and not
counted; *Secure Guest support* it says of every host.
"""
COMMON = ("result", "seconds", "virt-host-validate", "revision")
EMULATION = ("IVRS", "Secure Guest")


def page(rows: Iterable[Row]) -> str:
    """The whole page."""
    rows = list(rows)
    faults = [row for row in rows if row.expected]
    healthy = [row for row in rows if not row.expected]
    return "\n".join(
        [
            HEAD + _sum(faults, healthy),
            "## Faults\n",
            _row("fault", "host", "expected", "diagnosed", *COMMON),
            "|---" * (4 + len(COMMON)) + "|",
            *map(_fault, faults),
            "\n## Healthy variants\n",
            _row("variant", "host", "verdict", *COMMON),
            "|---" * (3 + len(COMMON)) + "|",
            *map(_healthy, healthy),
            FOOT,
        ]
    )


def _sum(faults: list[Row], healthy: list[Row]) -> str:
    right = sum(not row.complaints for row in faults)
    quiet = sum(not row.complaints for row in healthy)
    return (
        f"{right} of {len(faults)} faults detected with the right first cause, "
        f"{quiet} of {len(healthy)} healthy variants quiet.\n"
    )


def _fault(row: Row) -> str:
    return _cells(row, row.expected, row.diagnosed or "none")


def _healthy(row: Row) -> str:
    return _cells(row, row.verdict)


def _cells(row: Row, *own: str) -> str:
    common = (_result(row), f"{row.judged:.1f}", _other(row), row.revision)
    return _row(row.name, row.host, *own, *common)


def _result(row: Row) -> str:
    return "right" if not row.complaints else "; ".join(row.complaints)


def _other(row: Row) -> str:
    counted = [line for line in row.validate if not any(word in line for word in EMULATION)]
    return "; ".join(counted) or "nothing"


def _row(*cells: str) -> str:
    return "| " + " | ".join(cell.replace("|", "\\|").replace("\n", " ") for cell in cells) + " |"
