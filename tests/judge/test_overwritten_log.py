"""A host that has run for so long that the kernel log has lost its beginning."""

from __future__ import annotations

import datetime
from types import MappingProxyType

import pytest
from msgspec.structs import replace

from pytest_vfio.check import BLOCKER, SECURITY, Outcome
from pytest_vfio.evidence import Evidence
from pytest_vfio.hypervisor.hypervisor import Hypervisor
from pytest_vfio.judge.diagnosis import HostVerdict, diagnose
from pytest_vfio.judge.judgement import Judgement
from pytest_vfio.judge.policy import Policy
from tests.hosts.recorded import evidence, lab_bundles, whole_suite

STRICT = Policy(frozenset({BLOCKER, SECURITY}), True, (), datetime.date(2026, 1, 1))


def overwritten(read: Evidence) -> Evidence:
    """The same host, of whose log only the last tenth is kept."""
    items = dict(read.items)
    for name in ("dmesg", "journal/kernel", "var/log/dmesg"):
        if name in items:
            lines = items[name].data.split(b"\n")
            items[name] = replace(items[name], data=b"\n".join(lines[len(lines) * 9 // 10 :]))
    return replace(read, items=MappingProxyType(items))


@pytest.mark.parametrize(
    "name", ["amd", "arm", "managed-guest-off", "vfs-for-guests", "whole-card"]
)
def test_a_healthy_host_with_an_overwritten_log_is_ready(name):
    """Also where what is not known gates: state proves it, and only what a log tells is lost."""
    found = Hypervisor(overwritten(evidence(name)), lab_bundles()[name][1])
    judgement = Judgement(whole_suite(), found)
    judged = STRICT.judge(list(judgement))

    assert HostVerdict.READY == diagnose(judgement, judged).verdict
    assert [] == [one.finding.id for one in judged if one.gates]
    assert any(one.finding.outcome is Outcome.UNKNOWN for one in judged)
