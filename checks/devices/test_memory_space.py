"""The device's memory space: BARs, boot framebuffers, option ROMs."""

from collections.abc import Iterator

from pytest_vfio.check import BLOCKER, DEGRADED, Verdict, check, fails, passes, skips
from pytest_vfio.cures import by_hand as by_hand_cures
from pytest_vfio.cures import firmware as firmware_cures
from pytest_vfio.evidence import Quote
from pytest_vfio.facts.kernel import devicelog, iomem
from pytest_vfio.facts.pci.functions import DISPLAY_CLASS, PciFunction
from pytest_vfio.facts.tristate import require
from pytest_vfio.hypervisor.hypervisor import Hypervisor
from pytest_vfio.hypervisor.intent import IntendedDevice
from pytest_vfio.parse.pciconfig import EXT_REBAR

#: vfio-pci evicts the firmware's framebuffer from VGA devices since (F108).
EVICTS_SINCE = (6, 1, 0)
#: What a display device has without Resizable BAR, and any guest firmware can place.
SMALL_BAR = 256 * 2**20


@check("DEV016", severity=DEGRADED, needs=["DEV001"], refs=["F14"])
def test_device_is_not_the_boot_display(hypervisor: Hypervisor, device: IntendedDevice) -> Verdict:
    """Device is not the firmware's boot display

    Checks:
        That a display device to be passed through is not the one that the firmware booted on.
    Why it matters:
        The ROM of the boot display was run and shadowed by the firmware and its memory holds the
        boot framebuffer: the guest's screen stays black, or the BAR cannot be reserved.
    Evidence:
        boot_vga in /sys/bus/pci/devices.
    Fix:
        Another primary display in the firmware setup.
    Fix safety:
        Manual: the host's console moves.
    References:
        F14, F108, F110; drivers/gpu/vga/vgaarb.c.
    """
    function = device.function
    if function.base_class != DISPLAY_CLASS:
        return skips(
            f"{function.address} is no display device", evidence=function.quote("class_code")
        )
    quote = function.quote("boot_vga")
    if not function.boot_vga:
        return passes(f"{function.address} is not the boot display", evidence=quote)
    return fails(
        f"{function.address} is the display that the firmware booted on",
        actual="boot_vga 1",
        expected="boot_vga 0",
        evidence=quote,
        cure=firmware_cures.other_display(function.address),
    )


@check("DEV017", severity=BLOCKER, needs=["DEV001"], refs=["F108"])
def test_no_boot_framebuffer_stays_in_the_bars(
    hypervisor: Hypervisor, device: IntendedDevice
) -> Verdict:
    """No boot framebuffer stays in the BARs of the device

    Checks:
        That no efifb, vesafb, simplefb or BOOTFB lies in a BAR of a display device to be passed
        through. vfio-pci removes it from VGA devices by itself since 6.1.
    Why it matters:
        Otherwise `BAR 0: can't reserve`: QEMU cannot map the BAR and the guest stays black.
    Evidence:
        /proc/iomem as root, resource in /sys/bus/pci/devices, the kernel log.
    Fix:
        Another primary display; or the framebuffer switched off, at the cost of the console.
    Fix safety:
        Manual.
    References:
        F108, S29; drivers/firmware/sysfb.c, drivers/vfio/pci/vfio_pci_core.c.
    """
    function = device.function
    if function.base_class != DISPLAY_CLASS:
        return skips(
            f"{function.address} is no display device", evidence=function.quote("class_code")
        )
    bars = [bar for bar in function.resources if bar.memory and bar.size]
    for held in iomem.known(hypervisor.evidence):
        inside = any(bar.start <= held.start <= bar.end for bar in bars)
        if held.framebuffer and inside and not _evicted(hypervisor, function):
            return fails(
                f"{held.name} holds memory of {function.address}",
                actual=held.name,
                expected="no framebuffer in its BARs",
                evidence=held.quote,
                cure=firmware_cures.other_display(function.address),
            )
    iomem.ranges(hypervisor.evidence)
    return passes(f"no boot framebuffer stays in the BARs of {function.address}")


def _evicted(hypervisor: Hypervisor, function: PciFunction) -> bool:
    """vfio-pci removes the framebuffer when it binds."""
    vga = function.class_code >> 8 == 0x0300
    return vga and function.driver != "vfio-pci" and hypervisor.kernel.version >= EVICTS_SINCE


@check("DEV018", severity=BLOCKER, needs=["DEV001", "DEV011"], refs=["F10", "F109"])
def test_every_memory_bar_has_an_address(hypervisor: Hypervisor, device: IntendedDevice) -> Verdict:
    """Every memory BAR of the device has an address

    Checks:
        That every memory BAR that the device implements was given a place. A VF has no BARs of its
        own; I/O ports are not needed.
    Why it matters:
        Otherwise the guest's driver cannot reach the device; large BARs need decoding above 4 GiB.
    Evidence:
        resource in /sys/bus/pci/devices, the configuration bytes, the kernel log.
    Fix:
        Above 4G Decoding in the firmware; pci=realloc.
    Fix safety:
        Manual: firmware setup, a reboot.
    References:
        F10, F109, F139; drivers/pci/setup-res.c.
    """
    function = device.function
    if function.physfn is not None:
        return skips(f"{function.address} is a VF: its BARs are those of its PF")
    resources = function.resources
    lost = [bar.index for bar in resources[:6] if bar.unassigned]
    quote, sure = function.quote("resources"), False
    if function.knows("config") and function.config.bars is not None:
        sure = True
        there = [n for n in _implemented(function.config.bars) if n < len(resources)]
        lost += [number for number in there if not resources[number].used]
    if not lost:
        if not sure:
            _log_is_silent(hypervisor, function)
        return passes(f"all memory BARs of {function.address} have addresses", evidence=quote)
    shown = ", ".join(f"BAR {number}" for number in sorted(set(lost)))
    return fails(
        f"{shown} of {function.address} has no address",
        actual="unassigned",
        expected="an address",
        evidence=Quote(quote.source, quote.line.split("\n")[min(lost)], quote.status),
        cure=firmware_cures.place_bars(function.address),
    )


def _log_is_silent(hypervisor: Hypervisor, function: PciFunction) -> None:
    """For a device that sleeps, so that its registers were not read, the kernel's log has to do."""
    lines = hypervisor.devicelog.about(devicelog.BAR_FAILED, function.address)
    if lines or not function.asleep:
        raise function.missing("config")
    require(hypervisor.klog)


def _implemented(bars: tuple[int, ...]) -> Iterator[int]:
    """The memory BARs whose register is not empty; the upper half of a 64-bit one is no BAR."""
    index = 0
    while index < len(bars):
        register = bars[index]
        if register > 1 and not register & 1:
            yield index
        index += 2 if register & 0x7 == 0x4 else 1


@check("DEV019", severity=DEGRADED, needs=["DEV001"], refs=["F110"])
def test_kernel_log_reports_no_invalid_option_rom(
    hypervisor: Hypervisor, device: IntendedDevice
) -> Verdict:
    """Kernel log reports no invalid option ROM of the device

    Checks:
        That the kernel logged no invalid ROM signature. The ROM itself is never read here.
    Why it matters:
        A GPU without its ROM shows nothing in the guest; for other devices the ROM is of no use.
    Evidence:
        The kernel log.
    Fix:
        A ROM file, or no ROM.
    Fix safety:
        Manual: the guest's XML.
    References:
        F110, F124; drivers/pci/rom.c.
    """
    function = device.function
    lines = hypervisor.devicelog.about(devicelog.ROM_INVALID, function.address)
    if lines:
        return fails(
            f"the option ROM of {function.address} cannot be read",
            actual=lines[-1].text,
            expected="a ROM that begins with 55 aa",
            evidence=lines[-1].quote,
            cure=by_hand_cures.rom(function.address),
        )
    require(hypervisor.klog)
    return passes(f"the kernel logged no invalid option ROM of {function.address}")


@check("DEV032", severity=DEGRADED, needs=["DEV001"], refs=["F11"])
def test_no_bar_is_enlarged_by_resizable_bar(
    hypervisor: Hypervisor, device: IntendedDevice
) -> Verdict:
    """No BAR is enlarged beyond 256 MiB by Resizable BAR

    Checks:
        That no BAR of a display device to be passed through was enlarged beyond 256 MiB by
        Resizable BAR.
    Why it matters:
        The guest's firmware has to place an enlarged BAR: SeaBIOS cannot, OVMF needs a large enough
        64-bit window. Some cards do not go back to the host before Resizable BAR is off.
    Evidence:
        resource in /sys/bus/pci/devices, extended capabilities in the configuration bytes.
    Fix:
        A guest with OVMF and a wide window; or a smaller BAR.
    Fix safety:
        Manual: the guest's XML, or the firmware setup.
    References:
        F11, F172; PCI Express Base Specification 7.8.6.
    """
    function = device.function
    if function.base_class != DISPLAY_CLASS:
        quote = function.quote("class_code")
        return skips(f"{function.address} is no display device", evidence=quote)
    quote = function.quote("resources")
    largest = max((bar.size for bar in function.resources[:6] if bar.memory), default=0)
    if largest <= SMALL_BAR:
        return passes(f"no BAR of {function.address} is larger than 256 MiB", evidence=quote)
    extended = function.config.extended
    if extended is None:
        raise function.missing("config")
    size = f"{largest // 2**20} MiB"
    if EXT_REBAR not in extended:
        return passes(f"{function.address} has a BAR of {size} by its nature", evidence=quote)
    return fails(
        f"{function.address} has a BAR of {size} by Resizable BAR",
        actual=size,
        expected="256 MiB, or a guest with room for it",
        evidence=quote,
        cure=by_hand_cures.room_in_guest(function.address, size),
    )
