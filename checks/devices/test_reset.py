"""Whether a device can be reset between two guests, and what went wrong when it was."""

from pytest_vfio.check import (
    ADVICE,
    BLOCKER,
    DEGRADED,
    Verdict,
    check,
    fails,
    passes,
    skips,
    unknown,
)
from pytest_vfio.cures import by_hand as cures
from pytest_vfio.facts.kernel import devicelog
from pytest_vfio.facts.tristate import require, search
from pytest_vfio.hypervisor.hypervisor import Hypervisor
from pytest_vfio.hypervisor.intent import IntendedDevice

#: AMD graphics of the Polaris, Vega and Navi 10 families by device id (F105).
_AMD_FAMILIES = (
    (0x67C0, 0x67FF), (0x6860, 0x687F), (0x6980, 0x699F), (0x66A0, 0x66AF), (0x7310, 0x731F),
    (0x7340, 0x734F), (0x7360, 0x7362),
)  # fmt: skip


@check("DEV012", severity=DEGRADED, needs=["DEV001", "DEV011"], refs=["F103", "F107"])
def test_kernel_can_reset_the_device(hypervisor: Hypervisor, device: IntendedDevice) -> Verdict:
    """Kernel can reset the device

    Checks:
        That /sys/bus/pci/devices/*/reset exists and reset_method was not emptied.
    Why it matters:
        Otherwise the device keeps its state between two starts of a guest: the second start finds
        it as the first one left it, and data of one guest can reach the next. A reset of the whole
        bus is still possible where everything on the bus is assigned together.
    Evidence:
        reset and reset_method in /sys/bus/pci/devices, the configuration bytes.
    Fix:
        Assign everything on the bus to one guest, or use a device with function level reset.
    Fix safety:
        Manual.
    References:
        F103, F107, S23; drivers/pci/pci.c, drivers/pci/quirks.c.
    """
    function = device.function
    if function.resettable:
        quote = function.quote("resettable")
        if function.knows("reset_methods"):
            quote = function.quote("reset_methods")
        return passes(f"{function.address} can be reset", evidence=quote)
    offered = function.config.reset_methods if function.knows("config") else None
    switched_off = function.knows("reset_methods") and function.reset_methods == ()
    why = "reset_method was emptied" if switched_off else "the kernel offers none"
    if offered and not switched_off:
        why = f"the hardware offers {', '.join(offered)}, which a quirk of the kernel forbids"
    return fails(
        f"{function.address} cannot be reset by itself: {why}",
        actual="no reset",
        expected="a function level reset",
        evidence=function.quote("resettable"),
        refs=["F107"] if offered and not switched_off else ["F103"],
        cure=cures.whole_bus(function.address),
    )


@check("DEV013", severity=DEGRADED, needs=["DEV001", "DEV011"], refs=["F98"])
def test_bus_reset_hits_only_its_own_group(
    hypervisor: Hypervisor, device: IntendedDevice
) -> Verdict:
    """Bus reset of the device hits only its own IOMMU group

    Checks:
        For a device that only a bus reset can reset: that no function of the same bus is outside
        its group.
    Why it matters:
        VFIO resets a bus only where it owns everything on it; otherwise the guest starts with
        `depends on group which is not owned` and without a reset.
    Evidence:
        reset and reset_method, the list of functions, their groups.
    Fix:
        Assign the whole bus to one guest, or move the card.
    Fix safety:
        Manual.
    References:
        F98; QEMU hw/vfio/pci.c, vfio_pci_pci_hot_reset.
    """
    function = device.function
    if function.physfn is not None:
        return skips(f"{function.address} is a VF: it has a function level reset")
    if function.resettable:
        return skips(
            f"{function.address} can be reset by itself", evidence=function.quote("resettable")
        )
    if function.parent is None:
        return skips(f"{function.address} is on a root bus, which cannot be reset")
    mates = hypervisor.pci.bus_mates(function)
    found = search(mates, lambda one: one.group != function.group)
    outside = found.known
    if outside:
        more = f" and {len(outside) - 3} more" if len(outside) > 3 else ""
        shown = ", ".join(one.address for one in outside[:3]) + more
        return fails(
            f"only a bus reset could reset {function.address}, and with it {shown}",
            actual=f"{shown} in other groups",
            expected="nothing else on the bus",
            evidence=[function.quote("resettable"), outside[0].quote("group")],
            cure=cures.whole_bus(function.address),
        )
    require(found, hypervisor.pci)  # only a whole list shows that there is nothing else
    return passes(f"a bus reset of {function.address} hits nothing outside its group")


@check("DEV014", severity=DEGRADED, needs=["DEV001"], refs=["F105"])
def test_amd_graphics_card_has_a_device_specific_reset(
    hypervisor: Hypervisor, device: IntendedDevice
) -> Verdict:
    """AMD graphics card has a device-specific reset

    Checks:
        For Polaris, Vega and Navi 10: that the device specific reset of vendor-reset comes first,
        before 5.15 that the module is loaded.
    Why it matters:
        Without it the card works once for each boot of the host; the next reset hangs it, and with
        it the IOMMU and the host.
    Evidence:
        vendor:device, reset_method, /sys/module.
    Fix:
        vendor-reset, clean shutdowns, amdgpu kept away.
    Fix safety:
        Manual: an out-of-tree module.
    References:
        F105; github.com/gnif/vendor-reset.
    """
    function = device.function
    if function.vendor != 0x1002 or not any(
        low <= function.device <= high for low, high in _AMD_FAMILIES
    ):
        return skips(f"{function.address} ({function.id}) is none of the affected models")
    able = function.resettable  # asked first: without sysfs nobody knows what the kernel would do
    if able and function.knows("reset_methods"):
        methods = function.reset_methods
        good = methods[:1] == ("device_specific",)
        shown, quote = " ".join(methods) or "none", function.quote("reset_methods")
    else:
        good = hypervisor.modules.loaded("vendor_reset")
        shown, quote = "vendor-reset loaded" if good else "vendor-reset not loaded", function.seen
    if good:
        return passes(f"{function.address} has a reset of its own ({shown})", evidence=quote)
    return fails(
        f"{function.address} is {function.id}, which hangs on reset: {shown}",
        actual=shown,
        expected="device_specific first",
        evidence=quote,
        cure=cures.device_specific_reset(function.address),
    )


@check("DEV015", severity=BLOCKER, needs=["DEV001"], refs=["F104", "F105"])
def test_kernel_log_reports_no_failed_reset(
    hypervisor: Hypervisor, device: IntendedDevice
) -> Verdict:
    """Kernel log reports no failed reset of the device

    Checks:
        That the kernel logged no timeout of a reset of the device in this boot.
    Why it matters:
        A device that does not come back is gone until the host is powered off; QEMU hangs in the
        kernel, and the host may follow.
    Evidence:
        The kernel log.
    Fix:
        Another reset method; update firmware or kernel.
    Fix safety:
        Manual.
    References:
        F104, F105; drivers/pci/pci.c, pci_dev_wait.
    """
    function = device.function
    for pattern, ref in ((devicelog.RESET_GAVE_UP, "F104"), (devicelog.DEVICE_SPECIFIC, "F105")):
        lines = hypervisor.devicelog.about(pattern, function.address)
        if lines:
            return fails(
                f"{function.address} did not come back from a reset",
                actual=lines[-1].text,
                expected="a device that answers after a reset",
                evidence=lines[-1].quote,
                refs=[ref],
                cure=cures.other_reset(function.address),
            )
    if hypervisor.klog.lacking:  # what a failed reset leaves behind is judged by state: DEV004
        return unknown(
            f"whether a reset of {function.address} failed is not known: {hypervisor.klog.lacking[0]}",
            missing=hypervisor.klog.lacking,
            severity=ADVICE,
        )
    return passes(f"the kernel logged no reset timeout for {function.address}")


@check("DEV028", severity=DEGRADED, needs=["DEV001"], refs=["F122"])
def test_kernel_log_reports_no_reset_in_use(
    hypervisor: Hypervisor, device: IntendedDevice
) -> Verdict:
    """Kernel log reports no reset of the device while it is in use

    Checks:
        That vfio-pci did not have to restore the BARs of the device.
    Why it matters:
        Otherwise something resets it without QEMU: the guest, a neighbour on the bus, an unstable
        link.
    Evidence:
        The kernel log.
    Fix:
        Assign the neighbours on the bus to the same guest; check power and link.
    Fix safety:
        Manual.
    References:
        F122; drivers/vfio/pci/vfio_pci_config.c.
    """
    function = device.function
    lines = hypervisor.devicelog.about(devicelog.RESTORED, function.address)
    if lines:
        return fails(
            f"vfio-pci restored the BARs of {function.address} {len(lines)} times after a reset",
            actual=f"{len(lines)} times",
            expected="never",
            evidence=lines[-1].quote,
            cure=cures.whole_bus(function.address),
        )
    require(hypervisor.klog)
    return passes(f"vfio-pci never had to restore the BARs of {function.address}")
