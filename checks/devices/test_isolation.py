"""A device needs an IOMMU group before anything else can be done with it."""

from pytest_vfio.check import BLOCKER, Verdict, check, fails, passes
from pytest_vfio.cures import by_hand as cures
from pytest_vfio.facts.pci.functions import DISPLAY_CLASS
from pytest_vfio.hypervisor.hypervisor import Hypervisor
from pytest_vfio.hypervisor.intent import IntendedDevice
from pytest_vfio.parse.pciaddress import split


@check("DEV004", severity=BLOCKER, needs=["DEV001", "IOM001"], refs=["F49", "F17", "F23"])
def test_device_has_an_iommu_group(hypervisor: Hypervisor, device: IntendedDevice) -> Verdict:
    """Device has an IOMMU group

    Checks:
        That the kernel put the device into an IOMMU group.
    Why it matters:
        No IOMMU translates for a device without one: vfio-pci refuses it with -22. Where all
        devices lack a group the IOMMU is off; where one does, something excludes it: Intel VMD,
        an integrated GPU switched out by igfx_off, firmware that leaves the slot out.
    Evidence:
        The iommu_group link in /sys/bus/pci/devices, libvirt's node device, lspci -v.
    Fix:
        Remove what excludes the device.
    Fix safety:
        Manual: firmware or boot files, a reboot.
    References:
        F49, F17, F23, F24; drivers/vfio/group.c.
    """
    function = device.function
    group = function.group
    if group is not None:
        return passes(f"{function.address} is in group {group}", evidence=function.quote("group"))
    ref, why = "F49", "look for the device in the scopes of the firmware's IOMMU table"
    if split(function.address)[0] > 0xFFFF:
        ref, why = "F17", "switch Intel VMD off for this port, or pass the VMD controller itself"
    elif function.base_class == DISPLAY_CLASS and split(function.address)[:3] == (0, 0, 2):
        ref, why = "F23", "remove igfx_off or intgpu_off from the command line"
    return fails(
        f"{function.address} has no IOMMU group",
        actual="no group",
        expected="an IOMMU group",
        evidence=function.quote("group"),
        refs=[ref],
        cure=cures.no_group(function.address, why),
    )
