"""What address translation and interrupt delivery cost."""

import re

from pytest_vfio.check import ADVICE, Verdict, check, fails, passes, skips
from pytest_vfio.cures import tuning
from pytest_vfio.evidence import Missing, Quote
from pytest_vfio.facts.pci.functions import PciFunction, is_vfio_driver
from pytest_vfio.hypervisor.groups import Group
from pytest_vfio.hypervisor.hypervisor import Hypervisor
from pytest_vfio.hypervisor.intent import IntendedDevice
from pytest_vfio.steps import Cure

PAYLOAD = (re.compile(r"can't set Max Payload Size to [0-9]+"),)
#: Before this version a group does not tell its domain type.
TYPE_FILE = (5, 11, 0)


@check("TUN004", severity=ADVICE, needs=["IOM001", "IOM002"], refs=["F183"])
def test_interrupts_not_posted(hypervisor: Hypervisor) -> Verdict:
    """Interrupts of assigned devices are not posted to running guests

    Checks:
        Intel: that all units can post interrupts (bit 59 of cap), `intremap=nopost` is not on the
        command line and KVM uses APICv. AMD: that KVM uses AVIC.
    Why it matters:
        Without it each interrupt of an assigned device stops the guest: an exit, a host thread, an
        injection.
    Evidence:
        sys/class/iommu, sys/module/kvm_intel, sys/module/kvm_amd, proc/cmdline.
    Fix:
        Load the KVM module with the option, switch on x2APIC in the firmware, or live with it:
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
        return _not_posted(nopost[0].text, nopost[0].quote, tuning.drop_word(nopost[0].text))
    for unit in hypervisor.iommu.seen_units:
        if unit.posts_interrupts is False:
            return _not_posted(f"{unit.name} cannot post interrupts", unit.quote_cap, None)
    value = hypervisor.modules.parameters(module).get(option)
    if value in ("N", "0"):
        quote = hypervisor.modules.parameter_quote(module, option)
        cure = tuning.module_option(module, f"{option}=1")
        return _not_posted(f"{module} has {option}={value}", quote, cure)
    _must_be_read(hypervisor, kind, value)
    if value is None:
        return skips(f"{module} is not loaded")
    return passes(
        f"interrupts are posted: {module} has {option}={value}",
        evidence=hypervisor.modules.parameter_quote(module, option),
    )


@check("TUN005", severity=ADVICE, needs=["IOM001"], refs=["F185"])
def test_host_devices_translated(hypervisor: Hypervisor) -> Verdict:
    """The host's own devices pay for translation

    Checks:
        That the groups of devices with a host driver have identity domains. Kernels before 5.11 do
        not tell; there the command line has to ask for it.
    Why it matters:
        Each DMA buffer of the host's NICs and disks is mapped and unmapped, for nothing that
        guests would gain: assigned devices are isolated either way.
    Evidence:
        type of each group in sys/kernel/iommu_groups, the drivers; else proc/cmdline.
    Fix:
        `iommu=pt` on x86, `iommu.passthrough=1` elsewhere.
    Fix safety:
        Unsafe: a boot file changes. Can be undone. It gives up protection from the host's own
        devices.
    References:
        F185, S07; drivers/iommu/iommu.c, iommu_get_default_domain_type.
    """
    if hypervisor.iommu.on is False:
        return skips("the IOMMU is off")
    if hypervisor.kernel.version < TYPE_FILE:
        return _by_command_line(hypervisor)
    groups = hypervisor.groups
    kinds = {group: _kind(group) for group in groups.known.values()}
    served = {group: [f for f in group.functions if _serves_host(f)] for group in kinds}
    translated = [group for group in kinds if served[group] and _translates(kinds[group])]
    if translated:
        first = translated[0]
        return fails(
            f"{sum(len(served[group]) for group in translated)} host devices are translated, such "
            f"as {served[first][0].address}",
            actual=kinds[first],
            expected="identity",
            evidence=groups.tree.quote(f"{first.number}/type"),
            cure=tuning.host_passthrough(_word(hypervisor)),
        )
    item = groups.tree.item
    if not item.whole or None in kinds.values():
        raise Missing(item)
    _ = hypervisor.pci.functions
    return passes(f"none of the {sum(map(len, served.values()))} host devices is translated")


@check("TUN006", severity=ADVICE, needs=["DEV001"], refs=["F186"])
def test_payload_size_mismatch(hypervisor: Hypervisor, device: IntendedDevice) -> Verdict:
    """The kernel could not match the device's payload size to its path

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
            cure=tuning.payload(),
        )
    hypervisor.klog.must_be_whole()
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


def _must_be_read(hypervisor: Hypervisor, kind: str, value: str | None) -> None:
    """Raise Missing where something that was not read may keep interrupts from being posted."""
    modules = hypervisor.evidence.item("sys/module")
    if value is None and not modules.whole:
        raise Missing(modules)
    if kind == "intel":
        hypervisor.cmdline.must_be_whole()
        if any(unit.posts_interrupts is None for unit in hypervisor.iommu.units):
            raise Missing(hypervisor.evidence.item("sys/class/iommu"))


def _by_command_line(hypervisor: Hypervisor) -> Verdict:
    found = hypervisor.cmdline.host_passthrough
    if found is not None and found[0]:
        return passes("host devices are not translated", evidence=found[1].quote)
    if found is not None:
        why, proof = found[1].text, found[1].quote
    else:
        hypervisor.kernel.config("IOMMU_DEFAULT_PASSTHROUGH")  # raises where it was not read
        if hypervisor.kernel.config("IOMMU_DEFAULT_PASSTHROUGH") == "y":
            return passes("the kernel was built not to translate host devices")
        why, proof = f"no {_word(hypervisor)} on the command line", hypervisor.cmdline.quote
    return fails(
        f"host devices are translated: {why}",
        actual=why,
        expected=_word(hypervisor),
        evidence=proof,
        cure=tuning.host_passthrough(_word(hypervisor)),
    )


def _kind(group: Group) -> str | None:
    try:
        return group.type
    except Missing:
        return None


def _translates(kind: str | None) -> bool:
    return kind is not None and kind.startswith("DMA")


def _serves_host(function: PciFunction) -> bool:
    """A driver of the host has it. A bridge does no DMA of its own."""
    if not function.knows("driver") or function.driver is None or function.is_bridge:
        return False
    return not is_vfio_driver(function.driver)


def _word(hypervisor: Hypervisor) -> str:
    """The spelling that this architecture reads."""
    return "iommu.passthrough=1" if hypervisor.cpu.is_x86 is False else "iommu=pt"
