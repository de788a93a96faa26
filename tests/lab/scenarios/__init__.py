"""Every scenario of the lab, by layer.  A new one is one entry in one of these files."""

from tests.lab.fault import Fault, Healthy
from tests.lab.scenarios import (
    cmdline,
    drivers,
    groups,
    healthy,
    iommu,
    libvirt,
    places,
    safety,
    sriov,
)

FAULTS: tuple[Fault, ...] = (
    *iommu.FAULTS,
    *cmdline.FAULTS,
    *drivers.FAULTS,
    *groups.FAULTS,
    *sriov.FAULTS,
    *libvirt.FAULTS,
    *safety.FAULTS,
    *places.FAULTS,
)
HEALTHY: tuple[Healthy, ...] = (*healthy.HEALTHY, *places.HEALTHY)
