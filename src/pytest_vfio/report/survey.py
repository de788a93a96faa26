"""The survey of a host as a table: every endpoint by IOMMU group, and what passing it through takes."""

from __future__ import annotations

from pytest_vfio.judge.result import DeviceResult, FactsResult
from pytest_vfio.report.words import answer

HEAD = ("group", "address", "id", "driver", "what it is", "can it be passed through")


def rows(facts: FactsResult) -> list[tuple[str, ...]]:
    """The cells of each endpoint, by group and address, as `HEAD` names them."""
    endpoints = sorted(facts.intended, key=lambda one: (one.group is None, one.group, one.label))
    return [
        (
            "" if one.group is None else str(one.group),
            one.label,
            one.id or "",
            one.driver or "no driver",
            _what(one),
            answer(one),
        )
        for one in endpoints
    ]


def _what(one: DeviceResult) -> str:
    """Name, interfaces, node, link, SR-IOV and reset, as far as they are known."""
    reset = None if one.reset is None else ", ".join(one.reset) or "none"
    parts = (
        one.name or "",
        " ".join(one.netdevs),
        f"VF of {one.physfn}" if one.physfn else "",
        f"{one.vfs} VFs" if one.vfs else "",
        f"node {one.numa_node}" if one.numa_node is not None else "",
        one.link or "",
        f"reset: {reset}" if reset else "",
    )
    return ", ".join(filter(None, parts))
