"""The host's own drivers, and the kernel's driver of the IOMMU."""

from pytest_vfio.check import BLOCKER, DEGRADED, Verdict, check, fails, passes, skips
from pytest_vfio.cures import by_hand as by_hand_cures
from pytest_vfio.cures import modprobe as modprobe_cures
from pytest_vfio.facts.pci.functions import is_vfio_driver
from pytest_vfio.facts.tristate import require
from pytest_vfio.hypervisor.hypervisor import Hypervisor
from pytest_vfio.hypervisor.intent import IntendedDevice

#: By kind of IOMMU, the build options of which one has to be set.
DRIVERS = {
    "intel": ("INTEL_IOMMU",),
    "amd": ("AMD_IOMMU",),
    "smmu": ("ARM_SMMU_V3", "ARM_SMMU"),
}


@check("DRV011", severity=BLOCKER, needs=["FW002"], refs=["F51"])
def test_running_kernel_has_the_driver_of_its_iommu(hypervisor: Hypervisor) -> Verdict:
    """Running kernel has the driver of its IOMMU

    Checks:
        That the kernel's configuration has the driver of the IOMMU that the firmware describes, and
        on x86 interrupt remapping. An IOMMU that is on has one.
    Why it matters:
        No kernel parameter can switch on what was not built. Debian's cloud kernels leave AMD's
        out.
    Evidence:
        The firmware's tables; CONFIG_INTEL_IOMMU, CONFIG_AMD_IOMMU, CONFIG_ARM_SMMU_V3,
        CONFIG_IRQ_REMAP.
    Fix:
        Install the distribution's generic kernel and boot it.
    Fix safety:
        Another kernel boots; the old one stays in the boot menu.
    References:
        F51; drivers/iommu/Kconfig.
    """
    if hypervisor.iommu.proven_on and hypervisor.iommu.remapping_proven:
        return passes("the IOMMU is on and remaps interrupts", evidence=hypervisor.iommu.quote)
    kind, kernel = hypervisor.iommu.kind, hypervisor.kernel
    options = DRIVERS.get(kind or "", ())
    if not options:
        return skips(f"no IOMMU whose driver is known: {kind}")
    lacking = None
    if all(kernel.config(option) is None for option in options):
        lacking = options[0]
    elif kind in ("intel", "amd") and kernel.config("IRQ_REMAP") is None:
        lacking = "IRQ_REMAP"
    if lacking is None:
        quote = kernel.config_quote(options[0])
        return passes(f"the kernel has the driver of its {kind} IOMMU", evidence=quote)
    return fails(
        f"kernel {kernel.release} was built without CONFIG_{lacking}",
        actual=f"CONFIG_{lacking} is not set",
        expected=f"CONFIG_{lacking}=y",
        evidence=[kernel.config_quote(lacking), kernel.quote],
        cure=by_hand_cures.install_iommu_driver(kernel.release, lacking),
    )


@check("DRV007", severity=DEGRADED, needs=["DEV001"], refs=["F85"])
def test_no_blacklisted_driver_has_the_device(
    hypervisor: Hypervisor, device: IntendedDevice
) -> Verdict:
    """No blacklisted driver has the device

    Checks:
        That the driver which is bound to the device is not blacklisted.
    Why it matters:
        `blacklist` only stops loading by alias: an initramfs, a list of modules, a soft dependency
        or a program loads the driver all the same. And it affects all devices of the driver, not
        only this one.
    Evidence:
        The device's driver; modprobe.d, modprobe.blacklist= and module_blacklist=.
    Fix:
        Remove the line, and give the device to vfio-pci by its address or its id.
    Fix safety:
        The initramfs may hold a copy of the line: rebuild it. Can be undone.
    References:
        F85; modprobe.d(5).
    """
    driver, bound = device.function.driver, device.function.quote("driver")
    if driver is None or is_vfio_driver(driver):
        return passes(f"{device.name} is on {driver or 'no driver'}", evidence=bound)
    name, modules = driver.replace("-", "_"), hypervisor.modules
    quote = modules.known_blacklist.get(name)
    if quote is None:
        require(modules.modprobe, hypervisor.cmdline)
        return passes(f"{driver} is not blacklisted", evidence=bound)
    return fails(
        f"{driver} is blacklisted and has {device.name} all the same",
        actual=driver,
        expected="vfio-pci, without a blacklist",
        evidence=[bound, quote],
        cure=modprobe_cures.allow(hypervisor, name, quote),
    )
