"""What holds after the next boot is told beside what holds now."""

from __future__ import annotations

import datetime

import pytest

from pytest_vfio.check import BLOCKER, SECURITY
from pytest_vfio.hypervisor.hypervisor import Hypervisor
from pytest_vfio.judge.diagnosis import diagnose
from pytest_vfio.judge.judgement import Judgement
from pytest_vfio.judge.policy import Policy
from tests.hosts.recorded import evidence, lab_bundles, whole_suite

POLICY = Policy(frozenset({BLOCKER, SECURITY}), False, (), datetime.date(2026, 1, 1))


@pytest.mark.parametrize(
    ("name", "now", "later"),
    [
        ("managed-guest-off", "yes", "yes"),
        ("generated-not-booted", "no", "yes"),
        ("ids-catch-the-root-disk", "yes", "no"),
        ("stub-beside-it", "yes", "no"),
        ("iommu-off", "no", "no"),
        ("unprivileged-account", "unknown", "unknown"),
    ],
)
def test_a_device_is_told_for_now_and_for_the_next_boot(name, now, later):
    """A reboot may bring what waits, and may take what works."""
    judgement = Judgement(whole_suite(), Hypervisor(evidence(name), lab_bundles()[name][1]))
    told = diagnose(judgement, POLICY.judge(list(judgement))).devices[0]

    assert (now, later) == (str(told.assignable), str(told.next_boot))
