"""What the bench measures is what it says."""

from __future__ import annotations

import pytest

from bench.generated import host
from pytest_vfio.check import Outcome
from pytest_vfio.hypervisor.hypervisor import Hypervisor
from pytest_vfio.judge.judgement import Judgement
from tests.hosts.recorded import whole_suite


@pytest.mark.parametrize("devices", [1, 9, 300])
def test_a_generated_host_has_the_devices_that_it_is_to_have(devices):
    """Each is known, intended, bound and in a group of its own."""
    hypervisor = Hypervisor(host("generated", devices))

    assert devices == len(hypervisor.intent.known)
    assert {"vfio-pci"} == {one.function.driver for one in hypervisor.intent.known}
    assert devices == len({one.function.group for one in hypervisor.intent.known})


def test_a_generated_host_is_healthy():
    """Nothing fails on it, as far as is read, but what is advice."""
    judgement = Judgement(whole_suite(), Hypervisor(host("generated", 10)))

    assert [] == [
        finding.message
        for finding in judgement
        if finding.outcome in {Outcome.FAIL, Outcome.BLOCKED, Outcome.ERROR}
        and finding.severity in {"blocker", "security"}
    ]
