"""What address translation and interrupt delivery cost."""

import re

from pytest_vfio.check import (
    ADVICE,
    DEGRADED,
    Verdict,
    check,
    fails,
    passes,
    skips,
)
from pytest_vfio.cures import cmdline as cmdline_cures
from pytest_vfio.cures import modprobe as modprobe_cures
from pytest_vfio.evidence import Quote
from pytest_vfio.facts.tristate import require, search
from pytest_vfio.hypervisor.hypervisor import Hypervisor
from pytest_vfio.hypervisor.intent import IntendedDevice
from pytest_vfio.steps import Cure

PAYLOAD = (re.compile(r"can't set Max Payload Size to [0-9]+"),)


@check("TUN004", severity=ADVICE, needs=["IOM001", "IOM002"], refs=["F183"])
def test_interrupts_are_posted_to_running_guests(hypervisor: Hypervisor) -> Verdict:
    """Interrupts of assigned devices are posted to running guests

    Checks:
        Intel: that all units can post interrupts (bit 59 of cap), `intremap=nopost` is not on the
        command line and KVM uses APICv. AMD: that KVM uses AVIC.
    Why it matters:
        Without it each interrupt of an assigned device stops the guest: an exit, a host thread, an
        injection.
    Evidence:
        /sys/class/iommu, /sys/module/kvm_intel, /sys/module/kvm_amd, /proc/cmdline.
    Fix:
        Load the KVM module with the option, switch on x2APIC in the firmware, or accept it:
        older units cannot do it.
    Fix safety:
        Unsafe: the module is loaded anew. Can be undone.
    References:
        F183; drivers/iommu/intel/irq_remapping.c, set_irq_posting_cap.
    """
    kind = hypervisor.iommu.kind
    if kind not in ("intel", "amd"):
        return skips(f"the IOMMU is of kind {kind or 'none'}, which is neither Intel's nor AMD's")
    module, option = ("kvm_intel", "enable_apicv") if kind == "intel" else ("kvm_amd", "avic")
    nopost = [word for word in hypervisor.cmdline.seen("intremap") if "nopost" in word.pieces]
    if kind == "intel" and nopost:
        return _not_posted(
            nopost[0].text,
            nopost[0].quote,
            cmdline_cures.drop_piece(hypervisor.boot, nopost[0], "nopost"),
        )
    unable = search(hypervisor.iommu.seen_units, lambda unit: unit.posts_interrupts is False)
    for unit in unable.known:
        return _not_posted(f"{unit.name} cannot post interrupts", unit.quote_cap, None)
    value = hypervisor.modules.parameter(module, option)
    if value in ("N", "0"):
        quote = hypervisor.modules.parameter_quote(module, option)
        cure = modprobe_cures.set_option(module, f"{option}=1")
        return _not_posted(f"{module} has {option}={value}", quote, cure)
    if kind == "intel":
        require(hypervisor.cmdline, unable, *hypervisor.iommu.unread_units)
    if value is None:
        return skips(f"{module} is not loaded")
    return passes(
        f"interrupts are posted: {module} has {option}={value}",
        evidence=hypervisor.modules.parameter_quote(module, option),
    )


@check("TUN006", severity=DEGRADED, needs=["DEV001"], refs=["F186"])
def test_kernel_log_reports_no_payload_size_mismatch(
    hypervisor: Hypervisor, device: IntendedDevice
) -> Verdict:
    """Kernel log reports no payload size mismatch of the device

    Checks:
        That the kernel has not logged `can't set Max Payload Size` for the device.
    Why it matters:
        Packets larger than a port on the way accepts are errors; smaller ones than needed waste
        the link.
    Evidence:
        The kernel log of this boot.
    Fix:
        `pci=pcie_bus_safe`, and a report to the vendor of the board.
    Fix safety:
        Unsafe: a boot file changes. Can be undone.
    References:
        F186; drivers/pci/probe.c, pci_configure_mps.
    """
    lines = hypervisor.devicelog.about(PAYLOAD, device.name)
    if lines:
        return fails(
            f"{device.name}: the kernel could not set the payload size of the path",
            actual=lines[0].quote.line,
            expected="one payload size on the whole path",
            evidence=lines[0].quote,
            acts="firmware",
            cure=cmdline_cures.add(hypervisor.boot, "pci=pcie_bus_safe"),
        )
    require(hypervisor.klog)
    return passes(f"the kernel has set the payload size of {device.name}")


def _not_posted(why: str, quote: Quote, cure: Cure | None) -> Verdict:
    return fails(
        f"interrupts are not posted: {why}",
        actual=why,
        expected="interrupts posted to running guests",
        evidence=quote,
        acts="os" if cure else "vendor",
        cure=cure,
    )
