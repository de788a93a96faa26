"""--plan: what would mend the hosts, in the reports and as a script. Nothing is written on a host."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

import pytest
from msgspec.structs import replace

if TYPE_CHECKING:
    from pytest_vfio.judge.result import HostResult, RemedyResult
    from pytest_vfio.plugin.run import Run


def pytest_addoption(parser: pytest.Parser) -> None:
    """The option."""
    parser.getgroup("vfio").addoption(
        "--plan",
        dest="vfio_plan",
        action="store_true",
        help="show what would mend each host: commands and diffs, in their order, and why; also in "
        "results.json and as HOST.plan.sh in the report folder; writes nothing on a host",
    )


def plans(config: pytest.Config, run: Run) -> Mapping[str, RemedyResult]:
    """The plan of each host that was read, where that is asked for; hosts are still whole."""
    if not config.option.vfio_plan:
        return {}
    from pytest_vfio.remedy import plan  # noqa: PLC0415 - most runs plan nothing

    found = {}
    for name in run.hosts:
        host = run.judge(name)
        causes = [(one.id, one.subject.kind, one.subject.name) for one in host.told.causes]
        made = plan.make(host.hypervisor, host.whole, causes)
        found[name] = plan.result(made, host.hypervisor)
    return found


def planned(
    hosts: tuple[HostResult, ...], plans: Mapping[str, RemedyResult]
) -> tuple[HostResult, ...]:
    """The hosts with their plans."""
    return tuple(
        replace(host, remedy=plans[host.name]) if host.name in plans else host for host in hosts
    )
