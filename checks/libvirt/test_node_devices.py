"""libvirt's view of the host's devices has to exist and to agree with the kernel's."""

from pytest_vfio.check import ADVICE, DEGRADED, Verdict, check, fails, passes, skips
from pytest_vfio.cures import libvirt as cures
from pytest_vfio.evidence import Item, Missing, Quote, Status
from pytest_vfio.facts.pci.views import SYSFS, Known
from pytest_vfio.hypervisor.hypervisor import Hypervisor
from pytest_vfio.hypervisor.intent import IntendedDevice
from pytest_vfio.parse import nodedevs


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
        cure=cures.refresh_node_devices(),
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
        libvirt missed an event of the kernel: it acts on an old state of the device.
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
    known = hypervisor.libvirt.known_nodedevs.get(device.address)
    if known is None:
        hypervisor.libvirt.nodedevs  # noqa: B018  raises where the list is not whole
        return skips(f"libvirt has no view of {device.address}")
    function = device.function
    unread: list[Item] = []
    same: list[str] = []
    views = (("driver", "driver"), ("group", "group"), ("totalvfs", "max_vfs"))
    for field, theirs in views:
        try:
            seen = function.ask(field)
        except Missing as missing:
            unread.extend(missing.items)
            continue
        if not seen.quote.source.startswith("sys/"):
            unread.append(_sysfs(hypervisor, device.address, field))
        elif (seen.value or None) != (getattr(known, theirs) or None):
            return _differs(
                device.address, field, getattr(known, theirs), seen, known.quote(theirs)
            )
        else:
            same.append(f"{field} {seen.value}")
    if unread:
        raise Missing(*unread)
    return passes(f"libvirt and /sys agree on {device.address}: {', '.join(same)}")


def _sysfs(hypervisor: Hypervisor, address: str, field: str) -> Item:
    tree = hypervisor.evidence.item(SYSFS)
    return Item(
        f"{SYSFS}/{address}/{field}", tree.status if not tree.whole else Status.NOT_COLLECTED
    )


def _differs(address: str, field: str, theirs: object, seen: Known, quote: Quote) -> Verdict:
    return fails(
        f"libvirt has {field} {theirs} for {address}, the kernel {seen.value}",
        actual=f"{field} {theirs}",
        expected=f"{field} {seen.value}",
        evidence=[quote, seen.quote],
        acts="libvirt",
        cure=cures.refresh_node_devices(),
    )
