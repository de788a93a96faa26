"""libvirt's view of the host's devices has to exist and to agree with the kernel's."""

from pytest_vfio.check import ADVICE, DEGRADED, Verdict, check, fails, passes, skips
from pytest_vfio.cures import libvirt as cures
from pytest_vfio.evidence import Lack, Missing, Status
from pytest_vfio.facts.pci.functions import PciFunction
from pytest_vfio.facts.pci.views import SYSFS
from pytest_vfio.facts.tristate import first, require
from pytest_vfio.hypervisor.hypervisor import Hypervisor
from pytest_vfio.hypervisor.intent import IntendedDevice
from pytest_vfio.parse import nodedevs
from pytest_vfio.parse.nodedevs import NodeDevice

#: What is compared: the kernel's fields, and what libvirt calls them.
_VIEWS = {"driver": "driver", "group": "group", "totalvfs": "max_vfs"}


@check("LIB003", severity=DEGRADED, needs=["LIB001", "DEV001"], refs=["F165"])
def test_libvirt_knows_the_device(hypervisor: Hypervisor, device: IntendedDevice) -> Verdict:
    """libvirt knows the device

    Checks:
        That libvirt lists a node device at the device's address.
    Why it matters:
        virsh nodedev-detach, nodedev-reattach and pools of VFs work on node devices only.
    Evidence:
        virsh nodedev-dumpxml of all PCI devices.
    Fix:
        Have libvirt read the devices again.
    Fix safety:
        Unsafe: its daemon is restarted. Running guests go on.
    References:
        F165; libvirt, Node devices XML format.
    """
    if device.address is None:
        return skips("the device is not on this host")
    known = hypervisor.libvirt.known_nodedevs.get(device.address)
    if known is not None:
        return passes(
            f"libvirt knows {device.address} as {known.name}", evidence=known.quote("name")
        )
    listed = hypervisor.libvirt.nodedevs
    return fails(
        f"{device.address} is not among the {len(listed)} PCI devices that libvirt knows",
        actual="no node device",
        expected=f"a node device for {device.address}",
        evidence=hypervisor.evidence.item(nodedevs.ITEM).quote(f"no {device.address}"),
        acts="libvirt",
        cure=cures.refresh_node_devices(hypervisor.libvirt),
    )


@check("LIB004", severity=ADVICE, needs=["LIB003"], refs=["F165"])
def test_libvirt_and_the_kernel_agree_on_the_device(
    hypervisor: Hypervisor, device: IntendedDevice
) -> Verdict:
    """libvirt and the kernel agree on the device

    Checks:
        That driver, IOMMU group and the greatest number of VFs are the same in libvirt's node
        device and in /sys. Where they differ, /sys holds.
    Why it matters:
        Where they differ libvirt has missed an event of the kernel, and acts on an old state of the
        device.
    Evidence:
        virsh nodedev-dumpxml, /sys/bus/pci/devices.
    Fix:
        Have libvirt read the devices again.
    Fix safety:
        Unsafe: its daemon is restarted. Running guests go on.
    References:
        F165; libvirt src/node_device/node_device_udev.c.
    """
    if device.address is None:
        return skips("the device is not on this host")
    listed = hypervisor.libvirt.known_nodedevs.get(device.address)
    if listed is None:
        require(*hypervisor.libvirt.unread_nodedevs)
        return skips(f"libvirt has no view of {device.address}")
    function = device.function
    field = first(_VIEWS, lambda field: _differs(hypervisor, function, listed, field))
    if field is None:
        same = ", ".join(f"{field} {function.ask(field).value}" for field in _VIEWS)
        return passes(f"libvirt and /sys agree on {device.address}: {same}")
    theirs, seen = getattr(listed, _VIEWS[field]), function.ask(field)
    return fails(
        f"libvirt has {field} {theirs} for {device.address}, the kernel {seen.value}",
        actual=f"{field} {theirs}",
        expected=f"{field} {seen.value}",
        evidence=[listed.quote(_VIEWS[field]), seen.quote],
        acts="libvirt",
        cure=cures.refresh_node_devices(hypervisor.libvirt),
    )


def _differs(hypervisor: Hypervisor, function: PciFunction, listed: NodeDevice, field: str) -> bool:
    """libvirt and sysfs differ in a field. Raises Missing where it was not read from sysfs."""
    seen = function.ask(field)
    if not seen.quote.source.startswith("sys/"):
        tree = hypervisor.evidence.item(SYSFS)
        status = Status.NOT_COLLECTED if tree.whole else tree.status
        raise Missing(Lack(f"{SYSFS}/{function.address}/{field}", status))
    return (seen.value or None) != (getattr(listed, _VIEWS[field]) or None)
