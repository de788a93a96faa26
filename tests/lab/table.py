"""``docs/lab.md``: what a run of the lab saw, as a page."""

from collections.abc import Iterable

from tests.lab.fault import Fault
from tests.lab.run import Row

HEAD = """# The lab: real hypervisors, broken on purpose

Written by `tox -e lab`; what stands here was seen by that run. Hosts are whole Debian systems in
QEMU without KVM, judged over SSH. *Expected* are entries of the failure catalogue, any of which is
right; *diagnosed* is the first cause that the suite named. Seconds are those of the judging alone:
gathering over SSH from an emulated machine, and pytest.

"""
FOOT = """
`virt-host-validate` ran on the same hosts. The emulated CPU is an AMD one in a machine with Intel's
IOMMU, so what it says about *IVRS* (a table of AMD machines) is the emulation's doing and not
counted; *Secure Guest support* it says of every host.
"""
EMULATION = ("IVRS", "Secure Guest")


def page(rows: Iterable[Row]) -> str:
    """The whole page."""
    rows = list(rows)
    faults = [row for row in rows if isinstance(row.scenario, Fault)]
    healthy = [row for row in rows if not isinstance(row.scenario, Fault)]
    return "\n".join(
        [
            HEAD + _sum(faults, healthy),
            "## Faults\n",
            "| fault | host | expected | diagnosed | result | seconds | virt-host-validate |",
            "|---|---|---|---|---|---|---|",
            *map(_fault, faults),
            "\n## Healthy variants\n",
            "| variant | host | verdict | result | seconds | virt-host-validate |",
            "|---|---|---|---|---|---|",
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
    fault = row.scenario
    expected = ", ".join(fault.refs) if isinstance(fault, Fault) else ""
    check, refs = row.report.first_cause if row.report else ("", frozenset[str]())
    diagnosed = f"{check} ({', '.join(sorted(refs))})" if check else "none"
    cells = (fault.name, fault.host, expected, diagnosed, _result(row), f"{row.judged:.1f}")
    return _row(*cells, _other(row))


def _healthy(row: Row) -> str:
    verdict = row.report.verdict if row.report else "none"
    cells = (row.scenario.name, row.scenario.host, verdict, _result(row), f"{row.judged:.1f}")
    return _row(*cells, _other(row))


def _result(row: Row) -> str:
    return "right" if not row.complaints else "; ".join(row.complaints)


def _other(row: Row) -> str:
    counted = [line for line in row.validate if not any(word in line for word in EMULATION)]
    return "; ".join(counted) or "nothing"


def _row(*cells: str) -> str:
    return "| " + " | ".join(cell.replace("|", "\\|").replace("\n", " ") for cell in cells) + " |"
