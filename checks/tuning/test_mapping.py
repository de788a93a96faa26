"""How well the guest's accesses to a device, and the device's to memory, are mapped."""

from pytest_vfio.check import ADVICE, Verdict, check, fails, passes, skips
from pytest_vfio.cures import by_hand as by_hand_cures
from pytest_vfio.cures import cmdline as cmdline_cures
from pytest_vfio.cures import modprobe as modprobe_cures
from pytest_vfio.evidence import Quote
from pytest_vfio.facts.tristate import ask, require, search
from pytest_vfio.hypervisor.hypervisor import Hypervisor
from pytest_vfio.hypervisor.intent import IntendedDevice
from pytest_vfio.parse.pciresource import ROM
from pytest_vfio.steps import Cure

PAGE = 4096


@check("TUN008", severity=ADVICE, needs=["DEV001"], refs=["F184"])
def test_every_small_bar_begins_at_a_page_boundary(
    hypervisor: Hypervisor,
    device: IntendedDevice,
) -> Verdict:
    """Every small memory BAR begins at a page boundary

    Checks:
        That each memory BAR that is smaller than a page of 4 KiB begins at one.
    Why it matters:
        Only whole pages can be mapped into the guest. Every access to a BAR inside a page is
        trapped and done by QEMU.
    Evidence:
        resource of the device in sysfs.
    Fix:
        `pci=resource_alignment=12@ADDRESS`, or a newer firmware of the card.
    Fix safety:
        Manual: a boot file changes, and the host reboots.
    References:
        F184, F108; drivers/vfio/pci/vfio_pci_core.c, vfio_pci_probe_mmaps.
    """
    function = device.function
    small = [
        region
        for region in function.resources[:ROM]
        if region.memory and 0 < region.size < PAGE and region.start % PAGE
    ]
    if not small:
        return passes(f"every memory BAR of {device.name} can be mapped")
    first = small[0]
    return fails(
        f"BAR {first.index} of {device.name} has {first.size} bytes at {first.start:#x}",
        actual=f"{first.start:#x}, inside a page",
        expected="the start of a page",
        evidence=function.quote("resources"),
        cure=by_hand_cures.mappable_bars(device.name),
    )


@check("TUN010", severity=ADVICE, needs=["IOM001"], refs=["F182"])
def test_vfio_can_map_guest_memory_in_large_pages(hypervisor: Hypervisor) -> Verdict:
    """VFIO can map guest memory in large pages

    Checks:
        That VFIO may use large pages (`disable_hugepages`), that `intel_iommu=sp_off` is not on
        the command line, and that Intel's units can map pages of 2 MiB or more.
    Why it matters:
        Otherwise a guest is mapped page by page: its start takes long and the IOMMU's cache misses
        more often.
    Evidence:
        /sys/module/vfio_iommu_type1, /proc/cmdline, cap in /sys/class/iommu.
    Fix:
        Remove the option or the parameter.
    Fix safety:
        Unsafe: a boot file or a module option changes. Can be undone.
    References:
        F182; drivers/vfio/vfio_iommu_type1.c; VT-d specification, CAP_REG.SLLPS.
    """
    modules = hypervisor.modules
    for word in hypervisor.cmdline.seen("intel_iommu"):
        if "sp_off" in word.pieces:
            return _small(
                word.text, word.quote, cmdline_cures.drop_piece(hypervisor.boot, word, "sp_off")
            )
    small = search(hypervisor.iommu.seen_units, lambda unit: unit.large_pages == ())
    for unit in small.known:
        return _small(f"{unit.name} has no large pages", unit.quote_cap, None)
    value, unread = ask(modules.parameter, "vfio_iommu_type1", "disable_hugepages")
    if value in ("Y", "1"):
        quote = modules.parameter_quote("vfio_iommu_type1", "disable_hugepages")
        cure = modprobe_cures.unset(hypervisor, "vfio_iommu_type1", "disable_hugepages", live=value)
        return _small("vfio_iommu_type1 has disable_hugepages=Y", quote, cure)
    require(*unread, hypervisor.cmdline, small, *hypervisor.iommu.unread_units)
    if value is None:
        return skips("vfio_iommu_type1 is not loaded")
    return passes("VFIO can map large pages")


def _small(why: str, quote: Quote, cure: Cure | None) -> Verdict:
    return fails(
        f"guests are mapped in small pages: {why}",
        actual=why,
        expected="large pages",
        evidence=quote,
        acts="os" if cure else "vendor",
        cure=cure,
    )
