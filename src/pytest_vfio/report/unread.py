"""What was not read of a host, by the reason, and what would let it be read."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from pytest_vfio.evidence import Source
from pytest_vfio.judge.result import HostResult

_PARTS = (Source.LOOSE, Source.PASTE, Source.SOSREPORT, Source.LIBVIRT)


def by_reason(host: HostResult) -> Mapping[str, Sequence[str]]:
    """{why: the items that were not read, the most missed first}, the weightiest reason first."""
    missed: dict[str, dict[str, int]] = {}
    for gap in host.unread:
        missed.setdefault(gap.why, {})[gap.name] = gap.findings
    reasons = sorted(missed, key=lambda why: (-sum(missed[why].values()), why))
    return {
        why: sorted(missed[why], key=lambda name: (-missed[why][name], name)) for why in reasons
    }


def hints(host: HostResult) -> Sequence[str]:
    """What a person can do so that more is read."""
    reasons = {gap.why for gap in host.unread}
    words = " ".join(reasons)
    told = []
    if host.live and "denied" in words:
        told.append("log in as root, or give --sudo")
    if host.live and "time limit" in words:
        told.append("give more time with --host-timeout")
    if host.source in _PARTS and reasons:
        told.append("judge the host itself with --host, or a recording that --print-probe makes")
    return told
