"""Interrupts of assigned devices: message signalled, or a line of their own."""

import re

from pytest_vfio.check import (
    ADVICE,
    BLOCKER,
    Verdict,
    check,
    fails,
    passes,
    skips,
    unknown,
)
from pytest_vfio.cures import by_hand as cures
from pytest_vfio.evidence import Lack, Status
from pytest_vfio.facts.iommu import irqlines
from pytest_vfio.facts.kernel import devicelog
from pytest_vfio.facts.pci.views import CONFIG
from pytest_vfio.facts.tristate import require
from pytest_vfio.hypervisor.hypervisor import Hypervisor
from pytest_vfio.hypervisor.intent import IntendedDevice

_NOBODY_CARED = re.compile(r"irq ([0-9]+): nobody cared")


@check("DEV020", severity=BLOCKER, needs=["DEV001"], refs=["F111"])
def test_vfio_can_use_the_interrupts_of_the_device(
    hypervisor: Hypervisor, device: IntendedDevice
) -> Verdict:
    """VFIO can use the interrupts of the device

    Checks:
        For a device without MSI and MSI-X: that no other device uses its interrupt line, or that it
        can mask INTx, which every PCI Express device can.
    Why it matters:
        vfio-pci needs a line that cannot be masked for itself alone: QEMU stops with `Device or
        resource busy`.
    Evidence:
        The configuration bytes, irq in /sys/bus/pci/devices, /proc/interrupts.
    Fix:
        Another slot, or unbind the device that shares the line.
    Fix safety:
        Manual.
    References:
        F111, F139; drivers/vfio/pci/vfio_pci_intrs.c.
    """
    function = device.function
    if function.physfn is not None:
        return skips(f"{function.address} is a VF: it has no INTx")
    if function.asleep and function.express:
        quote = function.quote("express")
        return passes(f"{function.address} is PCI Express: it signals by messages", evidence=quote)
    config = function.config
    if config.message_interrupts is None:
        raise function.missing("config")
    if config.message_interrupts or not config.intx_pin:
        return passes(f"{function.address} signals by messages", evidence=function.quote("config"))
    line = irqlines.line(hypervisor.evidence, function.irq)
    others = [user for user in line.users if function.address not in user] if line else []
    if line is None or not others:
        return passes(f"{function.address} has interrupt {function.irq} for itself")
    broken = hypervisor.devicelog.about(devicelog.BROKEN_INTX, function.address)
    if not broken and hypervisor.modules.parameter("vfio_pci", "nointxmask") != "Y":
        require(hypervisor.klog)
        if config.express:
            return passes(f"{function.address} can mask INTx on its line with {', '.join(others)}")
        why = "it is not known whether INTx can be masked (PCI 2.3)"
        lack = Lack(f"{CONFIG}/{function.address}", Status.PRESENT, why)
        return unknown(f"{function.address} shares interrupt {line.number}", missing=[lack])
    return fails(
        f"{function.address} has only INTx {line.number}, shared with {', '.join(others)}",
        actual=f"shared with {', '.join(others)}",
        expected="a line of its own",
        evidence=[line.quote, *(found.quote for found in broken[:1])],
        cure=cures.share_no_line(function.address),
    )


@check("DEV021", severity=ADVICE, needs=["DEV001"], refs=["F112"])
def test_kernel_log_reports_no_broken_intx(
    hypervisor: Hypervisor, device: IntendedDevice
) -> Verdict:
    """Kernel log reports no broken INTx of the device

    Checks:
        That the kernel did not have to hide INTx of the device.
    Why it matters:
        Otherwise a guest driver that needs INTx gets no interrupts.
    Evidence:
        The kernel log.
    Fix:
        MSI in the guest.
    Fix safety:
        Manual.
    References:
        F112; drivers/vfio/pci/vfio_pci_core.c.
    """
    function = device.function
    lines = hypervisor.devicelog.about(devicelog.BROKEN_INTX, function.address)
    if lines:
        return fails(
            f"INTx of {function.address} is broken and hidden from the guest",
            actual=lines[-1].text,
            expected="working INTx masking",
            evidence=lines[-1].quote,
            cure=cures.message_interrupts(function.address),
        )
    require(hypervisor.klog)
    return passes(f"the kernel found nothing wrong with INTx of {function.address}")


@check("DEV022", severity=BLOCKER, refs=["F113"])
def test_kernel_log_reports_no_interrupt_line_shut_down(hypervisor: Hypervisor) -> Verdict:
    """Kernel log reports no interrupt line that was shut down

    Checks:
        That no line was disabled because no driver handled its interrupts.
    Why it matters:
        Whatever else is on such a line is dead until the next boot: a USB controller, a disk.
    Evidence:
        The kernel log.
    Fix:
        MSI in the guest, another slot; irqpoll does not fix it.
    Fix safety:
        Manual.
    References:
        F113; kernel/irq/spurious.c.
    """
    found = hypervisor.klog.first(_NOBODY_CARED)
    if found is None and hypervisor.klog.lacking:
        return unknown(
            f"whether a line was shut down is not known: {hypervisor.klog.lacking[0]}",
            missing=hypervisor.klog.lacking,
            severity=ADVICE,
        )
    if found is None:
        return passes("no interrupt line was shut down")
    match = _NOBODY_CARED.search(found.text)
    number = match.group(1) if match else "?"
    return fails(
        f"interrupt {number} was shut down: no driver handled it",
        actual=found.text,
        expected="no disabled line",
        evidence=found.quote,
        cure=cures.message_interrupts(f"the devices on interrupt {number}"),
    )
