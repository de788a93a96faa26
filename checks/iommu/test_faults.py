"""Accesses that the IOMMU refused, and commands that it did not finish."""

from pytest_vfio.check import BLOCKER, DEGRADED, Verdict, check, fails, passes
from pytest_vfio.cures import by_hand as cures
from pytest_vfio.evidence import Missing
from pytest_vfio.facts.iommu.faults import Fault
from pytest_vfio.facts.tristate import require
from pytest_vfio.hypervisor.hypervisor import Hypervisor
from pytest_vfio.hypervisor.intent import IntendedDevice

_STALLED = (
    r"AMD-Vi: Completion-Wait loop timed out|VT-d detected Invalidation (?:Time-out|Queue) Error"
    r"|Invalidation Time-out Error \(ITE\) cleared|AMD-Vi: Event logged \[IOTLB_INV_TIMEOUT"
    r"|arm-smmu[^\n]{0,80}: device has entered Service Failure Mode"
    r"|arm-smmu[^\n]{0,80}: CMD_SYNC timeout"
)
#: VT-d specification, table of fault reasons.
_REASONS = {
    0x01: "root entry not present",
    0x02: "context entry not present",
    0x05: "write not allowed",
    0x06: "read not allowed",
    0x0C: "non-zero reserved field in a page entry",
    0x22: "interrupt entry not present",
    0x25: "compatibility-format interrupt blocked",
    0x26: "source id refused",
}


@check("IOM007", severity=DEGRADED, needs=["DEV001"], refs=["F55", "F56", "F58", "S26"])
def test_device_causes_no_iommu_faults(hypervisor: Hypervisor, device: IntendedDevice) -> Verdict:
    """Device causes no IOMMU faults

    Checks:
        That the IOMMU refused no access of the device in this boot. VT-d's reasons are decimal
        up to 5.10 and hexadecimal from 5.15 on; its lines do not name the PCI segment.
    Why it matters:
        A device that does uses addresses that are not mapped for it: data is lost, and a storm of
        faults slows the host down.
    Evidence:
        The kernel log, `DMAR: [DMA Read]`, `AMD-Vi: Event logged`, SMMU events.
    Fix:
        Update the device's firmware and driver; reset the device before it changes hands.
    Fix safety:
        A reset interrupts the guest that has the device.
    References:
        F55, F56, F58, S26; drivers/iommu/intel/dmar.c, drivers/iommu/amd/iommu.c.
    """
    if device.address is None:
        raise Missing(hypervisor.evidence.item("sys/bus/pci/devices"))
    found = [fault for fault in hypervisor.iommu.faults if fault.of(device.address)]
    if found:
        return _faults(device.address, found)
    require(hypervisor.klog)
    return passes(f"the IOMMU refused no access of {device.address}")


@check("IOM008", severity=DEGRADED, refs=["F55", "F56", "F58", "S26"])
def test_none_of_the_host_own_devices_causes_iommu_faults(hypervisor: Hypervisor) -> Verdict:
    """None of the host's own devices causes IOMMU faults

    Checks:
        That the IOMMU refused no access of the host's other devices in this boot, once translation
        is on: before, the display may still read what firmware left it.
    Why it matters:
        A device that needs memory which is not mapped for it fails as soon as DMA is translated:
        often its firmware lacks an RMRR, or it uses another function's requester id.
    Evidence:
        The kernel log.
    Fix:
        Update the device's firmware, its driver, the machine's firmware.
    Fix safety:
        Nothing is changed.
    References:
        F55, F56, F58, F96, S26.
    """
    found = list(hypervisor.iommu.faults)
    if found:
        meant = [device.address for device in hypervisor.intent.known if device.address]
        found = [fault for fault in found if not any(map(fault.of, meant))]
    if found and all(fault.early for fault in found):
        return passes(
            f"{len(found)} IOMMU faults while translation came on, and none later: harmless",
            evidence=[fault.quote for fault in found[:3]],
        )
    if found:
        return _faults(found[0].device or "an SMMU's stream", found)
    require(hypervisor.klog)
    return passes("the IOMMU refused no access of any other device")


def _faults(name: str, found: list[Fault]) -> Verdict:
    first = found[0]
    at = "" if first.at is None else f" at {first.at:#x}"
    reason = "" if first.reason is None else f", reason {first.reason:#04x}"
    words = f" ({_REASONS[first.reason]})" if first.reason in _REASONS else ""
    by_kind = "F58" if first.kind.startswith("SMMU") else "F56"
    return fails(
        f"{name}: {len(found)} IOMMU faults, the first {first.kind}{at}{reason}{words}",
        actual=f"{len(found)} faults",
        expected="none",
        evidence=[fault.quote for fault in found[:3]],
        refs=["F55" if first.reason is not None else by_kind],
        cure=cures.quiet_device(name),
    )


@check("IOM009", severity=DEGRADED, refs=["F57", "F58"])
def test_no_device_stalls_the_iommu(hypervisor: Hypervisor) -> Verdict:
    """No device stalls the IOMMU

    Checks:
        That no invalidation timed out in this boot.
    Why it matters:
        Otherwise the IOMMU waits for a device that does not answer; guests and the host hang while
        it does.
    Evidence:
        The kernel log: Completion-Wait loop timed out, Invalidation Time-out Error,
        IOTLB_INV_TIMEOUT, Service Failure Mode.
    Fix:
        Shut the guest down and power-cycle; update or replace the device.
    Fix safety:
        A power cycle ends all guests.
    References:
        F57, F58; drivers/iommu/amd/iommu.c, drivers/iommu/intel/dmar.c.
    """
    said = hypervisor.klog.find(_STALLED)
    if said is None:
        return passes("no invalidation timed out")
    return fails(
        f"an invalidation of the IOMMU timed out: {said.text[:160]}",
        actual="invalidation timed out",
        expected="every device answers",
        evidence=said.quote,
        refs=["F58" if "arm-smmu" in said.text else "F57"],
        cure=cures.reset_stalled_device(),
        severity=BLOCKER,  # to say so needs one line; not to know needs no blocker
    )
