"""Kernel parameters that leave graphics devices without translation."""

from pytest_vfio.check import BLOCKER, Verdict, check, fails, passes, skips
from pytest_vfio.cures import cmdline as cures
from pytest_vfio.facts.tristate import require
from pytest_vfio.hypervisor.hypervisor import Hypervisor
from pytest_vfio.hypervisor.intent import IntendedDevice
from pytest_vfio.parse import switches

#: Intel's integrated graphics is always here.
INTEGRATED = "0000:00:02."


@check("CMD006", severity=BLOCKER, needs=["CMD010", "CMD011", "CMD014", "IOM001", "DEV001"],
       refs=["F23", "F24", "S02"])  # fmt: skip
def test_integrated_graphics_is_not_excluded(
    hypervisor: Hypervisor, device: IntendedDevice
) -> Verdict:
    """Integrated graphics is not excluded from DMA translation

    Checks:
        That the device is not an integrated GPU on a host whose command line (`igfx_off`,
        `intgpu_off`) or whose kernel leaves it out of translation. These options do not switch the
        IOMMU off: other devices are not affected.
    Why it matters:
        A device without translation has no IOMMU group and cannot be assigned.
    Evidence:
        The device's address and group; /proc/cmdline; the kernel's configuration.
    Fix:
        Remove the option; on Debian's kernels add intel_iommu=on, which switches graphics on too.
    Fix safety:
        Boot files change and a reboot is needed; some old chipsets are left out for a reason. Can
        be undone.
    References:
        F23, F24, S02; init_no_remapping_devices, intel_iommu_setup.
    """
    off = switches.intel(hypervisor.boot.spoken).graphics_off
    if not (device.address or "").startswith(INTEGRATED):
        said = f", {off[-1].word.text} concerns only that" if off else ""
        return skips(f"{device.name} is no integrated graphics{said}")
    function = device.function
    if function.knows("group") and function.group is not None:
        quote = function.quote("group")
        return passes(f"{device.name} is in IOMMU group {function.group}", evidence=quote)
    if function.vendor != 0x8086:
        return skips(f"{device.name} is not Intel's", evidence=function.quote("vendor"))
    if off:
        return fails(
            f"{off[-1].word.text} leaves {device.name} without translation",
            actual=off[-1].word.text,
            expected="no such option",
            evidence=off[-1].word.quote,
            refs=["F23"],
            cure=cures.drop_piece(hypervisor.boot, off[-1].word, off[-1].piece),
        )
    cmdline = hypervisor.cmdline
    require(cmdline)
    if cmdline.intel.on or hypervisor.kernel.config("INTEL_IOMMU_DEFAULT_ON_INTGPU_OFF") != "y":
        return passes(f"nothing on the command line leaves {device.name} out")
    return fails(
        f"this kernel leaves {device.name} without translation unless intel_iommu=on is given",
        actual="no intel_iommu=on",
        expected="intel_iommu=on",
        evidence=hypervisor.kernel.config_quote("INTEL_IOMMU_DEFAULT_ON_INTGPU_OFF"),
        refs=["F24"],
        cure=cures.add(hypervisor.boot, "intel_iommu=on"),
    )
