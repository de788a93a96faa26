"""The PCI Express link of a device, and the errors on it."""

from pytest_vfio.check import (
    ADVICE,
    BLOCKER,
    DEGRADED,
    Verdict,
    check,
    fails,
    passes,
    skips,
)
from pytest_vfio.cures import by_hand as by_hand_cures
from pytest_vfio.cures import firmware as firmware_cures
from pytest_vfio.evidence import Missing
from pytest_vfio.facts.kernel import devicelog
from pytest_vfio.facts.kernel.log import LogLine
from pytest_vfio.facts.pci.functions import DISPLAY_CLASS, PciFunction
from pytest_vfio.facts.tristate import require
from pytest_vfio.hypervisor.hypervisor import Hypervisor
from pytest_vfio.hypervisor.intent import IntendedDevice
from pytest_vfio.parse.pciconfig import EXT_ATS, EXT_PASID, EXT_PRI

#: Corrected errors an hour that are no noise any more; a healthy link has none for days.
CORRECTED_AN_HOUR = 100
#: AMD graphics whose address translation services are broken (drivers/pci/quirks.c, F118).
BROKEN_ATS = frozenset(
    {
        "1002:98e4", "1002:6900", "1002:7310", "1002:7312", "1002:7318", "1002:7319", "1002:731a",
        "1002:731b", "1002:731e", "1002:731f", "1002:7340", "1002:7341", "1002:7347", "1002:154f",
        "1002:15d8",
    }
)  # fmt: skip


@check("DEV023", severity=DEGRADED, needs=["DEV001", "DEV011"], refs=["F114"])
def test_link_of_the_device_is_not_degraded(
    hypervisor: Hypervisor, device: IntendedDevice
) -> Verdict:
    """Link of the device is not degraded

    Checks:
        That the PCI Express link has the speed and width that the device and the port above it
        have in common. VFs have no link; the speed of a display device drops while it is idle.
    Why it matters:
        A card that trained x4 instead of x8, or 2.5 instead of 8 GT/s, loses half of its
        throughput and more; mostly it is the seat, a riser or bifurcation.
    Evidence:
        current_link_*, max_link_* in /sys/bus/pci/devices, else libvirt's node device.
    Fix:
        Reseat, another slot, bifurcation.
    Fix safety:
        Manual.
    References:
        F114, S24, F20; drivers/pci/pci-sysfs.c.
    """
    function = device.function
    if function.knows("physfn") and function.physfn is not None:
        return skips(f"{function.address} is a VF: it has no link of its own")
    if function.knows("power_state") and function.power_state in ("D3cold", "unknown"):
        return skips(f"{function.address} is powered off: its link is not trained")
    speed, width = function.number("link_speed"), function.number("link_width")
    if not speed or not width or width == 255:
        return skips(f"{function.address} has no PCI Express link")
    idle = function.base_class == DISPLAY_CLASS
    below = []
    for name, actual in (("link_width", width), ("link_speed", speed)):
        best = _best(hypervisor, function, name, actual)
        if actual < best and not (idle and name == "link_speed"):
            below.append((name, actual, best))
    quotes = [function.quote("link_speed"), function.quote("link_width")]
    shown = f"{speed:g} GT/s x{width:g}"
    if not below:
        return passes(f"the link of {function.address} is at {shown}", evidence=quotes)
    wanted = ", ".join(f"x{b:g}" if n == "link_width" else f"{b:g} GT/s" for n, _, b in below)
    return fails(
        f"the link of {function.address} is at {shown}, both ends can {wanted}",
        actual=shown,
        expected=wanted,
        evidence=quotes,
        cure=firmware_cures.reseat(function.address),
    )


def _best(hypervisor: Hypervisor, function: PciFunction, name: str, actual: float) -> float:
    """What both ends can; the port is only asked where it matters."""
    ours = function.number(f"max_{name}") or 0
    if actual >= ours or function.parent is None:
        return min(ours, actual) if function.parent is None else ours
    port = hypervisor.pci.get(function.parent)
    if port is None:
        raise function.missing(f"max_{name}")
    return min(ours, port.number(f"max_{name}") or ours)


@check("DEV024", severity=DEGRADED, needs=["DEV001"], refs=["F115"])
def test_link_has_no_fatal_and_few_corrected_errors(
    hypervisor: Hypervisor, device: IntendedDevice
) -> Verdict:
    """Link of the device has no fatal and few corrected errors

    Checks:
        That neither the device nor the port above it counted fatal errors, and that corrected ones
        are rare: fewer than 100 an hour since boot.
    Why it matters:
        A fatal error stops the guest; a storm of corrected ones costs throughput and announces it.
    Evidence:
        aer_dev_* in /sys/bus/pci/devices (4.19 and newer), /proc/uptime.
    Fix:
        Seat, riser, cable, power; ASPM off as a test.
    Fix safety:
        Manual.
    References:
        F115; Documentation/ABI/testing/sysfs-bus-pci-devices-aer_stats.
    """
    function = device.function
    ends = [function]
    if function.parent is not None and (port := hypervisor.pci.get(function.parent)):
        ends.append(port)
    counted = False
    for end in ends:
        fatal = end.counters("aer_fatal").get("TOTAL_ERR_FATAL", 0)
        corrected = end.counters("aer_correctable").get("TOTAL_ERR_COR", 0)
        counted = counted or bool(end.counters("aer_correctable"))
        hours = 1.0 if not corrected else _hours(hypervisor)
        if fatal or corrected > CORRECTED_AN_HOUR * max(hours, 1.0):
            name = "aer_fatal" if fatal else "aer_correctable"
            said = (
                f"{fatal} fatal errors"
                if fatal
                else f"{corrected} corrected errors in {hours:.0f} h"
            )
            return fails(
                f"{end.address} counted {said}",
                actual=said,
                expected=f"no fatal errors, at most {CORRECTED_AN_HOUR} corrected ones an hour",
                evidence=end.quote(name),
                cure=firmware_cures.reseat(function.address),
            )
    if not counted:
        return skips(f"the kernel counts no errors of {function.address}")
    return passes(f"the link of {function.address} has no fatal and few corrected errors")


def _hours(hypervisor: Hypervisor) -> float:
    """Hours since boot, from /proc/uptime."""
    text = hypervisor.evidence.text("proc/uptime").split(" ")[0]
    try:
        return float(text) / 3600
    except ValueError:
        raise Missing(hypervisor.evidence.item("proc/uptime")) from None


@check("DEV029", severity=DEGRADED, needs=["DEV001"], refs=["F117"])
def test_kernel_log_reports_no_lost_link(hypervisor: Hypervisor, device: IntendedDevice) -> Verdict:
    """Kernel log reports no lost link of the device

    Checks:
        That hot-plug reported neither a lost link nor a missing card for the device or its port. A
        blocker where it did not come back.
    Why it matters:
        A surprise removal takes the device from the running guest: cable, power or hot-plug.
    Evidence:
        The kernel log.
    Fix:
        Cabling and power; hot-plug off for the slot.
    Fix safety:
        Manual.
    References:
        F117; drivers/pci/hotplug/pciehp_ctrl.c.
    """
    function = device.function
    slots = {function.address, function.parent} if function.knows("path") else {function.address}
    for where in filter(None, slots):
        lines = hypervisor.devicelog.about(devicelog.LINK_LOST, where)
        if lines:
            return fails(
                f"the link of {function.address} went down in this boot",
                actual=lines[-1].text,
                expected="a device that stays",
                evidence=lines[-1].quote,
                severity=None if _came_back(hypervisor, where, lines[-1]) else BLOCKER,
                cure=firmware_cures.reseat(function.address),
            )
    function.quote("path")
    require(hypervisor.klog)
    return passes(f"the link of {function.address} never went down in this boot")


def _came_back(hypervisor: Hypervisor, where: str, lost: LogLine) -> bool:
    """A later line of the same slot reports the link or the card again."""
    again = hypervisor.devicelog.about(devicelog.LINK_BACK, where)
    known = [line.seconds for line in again if line.seconds is not None]
    return lost.seconds is not None and any(seconds >= lost.seconds for seconds in known)


@check("DEV025", severity=BLOCKER, needs=["DEV001", "DEV011"], refs=["F118"])
def test_ats_is_off_where_it_is_broken(hypervisor: Hypervisor, device: IntendedDevice) -> Verdict:
    """ATS is off where it is known to be broken

    Checks:
        For the AMD graphics that are known for it: that ATS is off.
    Why it matters:
        Otherwise the IOMMU waits for an answer that never comes, and the host freezes.
    Evidence:
        vendor:device, ATS control in the configuration bytes.
    Fix:
        A kernel with the quirk, or pci=noats.
    Fix safety:
        Manual: a reboot.
    References:
        F118, F57; drivers/pci/quirks.c, quirk_amd_harvest_no_ats.
    """
    function = device.function
    if function.id not in BROKEN_ATS:
        return skips(
            f"ATS of {function.id} is not known to be broken", evidence=function.quote("device")
        )
    enabled = function.config.ats_enabled
    if enabled is None:
        raise function.missing("config")
    if not enabled:
        return passes(f"ATS of {function.address} is off", evidence=function.quote("config"))
    return fails(
        f"ATS of {function.address} ({function.id}) is on",
        actual="on",
        expected="off",
        evidence=function.quote("config"),
        cure=by_hand_cures.ats(function.address),
    )


@check("DEV027", severity=ADVICE, needs=["DEV001", "DEV011"], refs=["F121"])
def test_vfio_hides_no_pasid_or_pri_capability(
    hypervisor: Hypervisor, device: IntendedDevice
) -> Verdict:
    """VFIO hides no PASID or PRI capability of the device from the guest

    Checks:
        That the device has neither PASID nor PRI: VFIO hides shared virtual addressing from guests.
        SR-IOV, which guests do not see either, has its own check.
    Why it matters:
        Drivers that rely on it fall back or refuse to work in the guest.
    Evidence:
        Extended capabilities in the configuration bytes.
    Fix:
        None: use the device without.
    Fix safety:
        Manual.
    References:
        F121; drivers/vfio/pci/vfio_pci_config.c, pci_ext_cap_length.
    """
    function = device.function
    found = function.config.extended
    if found is None:
        raise function.missing("config")
    hidden = [name for number, name in ((EXT_PRI, "PRI"), (EXT_PASID, "PASID")) if number in found]
    if not hidden:
        ats = " (ATS it does)" if EXT_ATS in found else ""
        return passes(f"{function.address} has no capability that a guest would miss{ats}")
    return fails(
        f"the guest will not see {', '.join(hidden)} of {function.address}",
        actual=", ".join(hidden),
        expected="nothing hidden",
        evidence=function.quote("config"),
        cure=by_hand_cures.live_with(
            f"use {function.address} without {', '.join(hidden)} in the guest"
        ),
    )
