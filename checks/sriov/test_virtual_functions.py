"""Virtual functions: wanted, possible, created, and with which drivers."""

from pytest_vfio.check import ADVICE, BLOCKER, DEGRADED, Verdict, check, fails, passes, skips
from pytest_vfio.cures import override as override_cures
from pytest_vfio.cures import sriov as sriov_cures
from pytest_vfio.facts.kernel import devicelog
from pytest_vfio.facts.pci.functions import DISPLAY_CLASS, is_vfio_driver
from pytest_vfio.facts.tristate import require, search
from pytest_vfio.hypervisor.hypervisor import Hypervisor
from pytest_vfio.hypervisor.intent import IntendedDevice
from pytest_vfio.parse.pciaddress import split
from pytest_vfio.parse.pciresource import VF_BARS


def _wanted(device: IntendedDevice) -> int:
    """How many VFs the inventory wants of a device."""
    return (device.wanted.vfs or 0) if device.wanted is not None else 0


@check(
    "SRV001",
    severity=BLOCKER,
    needs=["DEV001", "SRV003", "SRV004", "SRV005", "SRV007"],
    refs=["F129"],
)
def test_pf_has_as_many_vfs_as_the_inventory_wants(
    hypervisor: Hypervisor, device: IntendedDevice
) -> Verdict:
    """PF has as many VFs as the inventory wants

    Checks:
        That the PF has as many VFs as the inventory wants.
    Why it matters:
        VFs do not survive a reboot by themselves: guests that name them do not start.
    Evidence:
        sriov_numvfs in /sys/bus/pci/devices, libvirt's node device.
    Fix:
        Write sriov_numvfs, and keep it over reboots.
    Fix safety:
        Unsafe: changes the PF under the host's own traffic. Can be undone.
    References:
        F129, F127, S28; drivers/pci/iov.c.
    """
    function = device.function
    wanted = _wanted(device)
    if not wanted:
        return skips(f"the inventory wants no VFs of {function.address}")
    now, quote = function.numvfs, function.quote("numvfs")
    if now >= wanted:
        return passes(f"{function.address} has {now} VFs, {wanted} are wanted", evidence=quote)
    return fails(
        f"{function.address} has {now} VFs, expected {wanted}",
        actual=now,
        expected=wanted,
        evidence=quote,
        cure=sriov_cures.make_vfs(function, wanted, now),
    )


@check("SRV002", severity=ADVICE, needs=["DEV001"], refs=["F132"])
def test_device_is_not_an_sr_iov_capable_pf(
    hypervisor: Hypervisor, device: IntendedDevice
) -> Verdict:
    """Device is not an SR-IOV capable PF

    Checks:
        That a device to be passed through is no PF that could create VFs.
    Why it matters:
        QEMU hides the SR-IOV capability of an assigned PF: inside the guest there is no
        sriov_totalvfs. VFs have to be created on the host and assigned instead.
    Evidence:
        sriov_totalvfs and sriov_numvfs in /sys/bus/pci/devices, virt_functions in libvirt's node
        device.
    Fix:
        Leave the PF on its host driver, create VFs, assign VFs. Nothing to do where the guest needs
        the whole port and no VFs.
    Fix safety:
        Manual: the device changes its owner.
    References:
        F132, S28; QEMU hw/vfio/pci.c, vfio_add_ext_cap.
    """
    function = device.function
    if _wanted(device):
        return skips(f"{function.address} stays with the host, its VFs go to guests")
    total, quote = function.totalvfs, function.quote("totalvfs")
    if not total:
        return passes(f"{function.address} has no SR-IOV", evidence=quote)
    enabled = f"{function.numvfs or 0} enabled" if function.knows("numvfs") else "enabled: not read"
    return fails(
        f"{function.address} supports {total} VFs ({enabled}); a guest that owns it cannot create"
        " them",
        actual=f"a PF with up to {total} VFs",
        expected="VFs created on the host, if VFs are wanted",
        evidence=quote,
        cure=sriov_cures.vfs_on_host(function.address),
    )


@check("SRV003", severity=BLOCKER, needs=["DEV001"], refs=["F125"])
def test_memory_space_is_reserved_for_the_vfs(
    hypervisor: Hypervisor, device: IntendedDevice
) -> Verdict:
    """Memory space is reserved for the BARs of the VFs

    Checks:
        Where VFs are wanted: that the kernel reserved room for their BARs.
    Why it matters:
        Otherwise writing sriov_numvfs fails with `Cannot allocate memory`.
    Evidence:
        Lines 8 to 13 of resource in /sys/bus/pci/devices, the kernel log.
    Fix:
        SR-IOV and Above 4G Decoding in the firmware, pci=realloc, fewer VFs.
    Fix safety:
        Manual: firmware setup, a reboot.
    References:
        F125; drivers/pci/iov.c, sriov_enable.
    """
    function = device.function
    if not _wanted(device):
        return skips(f"the inventory wants no VFs of {function.address}")
    if not function.totalvfs:
        return skips(
            f"{function.address} has no SR-IOV: SRV005 judges that",
            evidence=function.quote("totalvfs"),
        )
    rooms = [bar for bar in function.resources if bar.index in VF_BARS]
    quote = function.quote("resources")
    if function.numvfs or any(bar.size and not bar.unassigned for bar in rooms):
        return passes(f"there is room for the VFs of {function.address}", evidence=quote)
    lines = hypervisor.devicelog.about(devicelog.IOV_FAILED, function.address)
    return fails(
        f"there is no room for the BARs of the VFs of {function.address}",
        actual="no IOV resources",
        expected="IOV resources with addresses",
        evidence=[quote, *(line.quote for line in lines[-1:])],
        cure=sriov_cures.room_for_vfs(function.address),
    )


@check("SRV004", severity=BLOCKER, needs=["DEV001"], refs=["F126"])
def test_wanted_vfs_fit_into_the_bus_numbers(
    hypervisor: Hypervisor, device: IntendedDevice
) -> Verdict:
    """Wanted VFs fit into the bus numbers of the bridge

    Checks:
        That the address of the last wanted VF is on a bus below the bridge above the PF.
    Why it matters:
        Without ARI, VFs need more bus numbers: `can't enable VFs (bus out of range)`.
    Evidence:
        sriov_offset and sriov_stride, subordinate_bus_number of the bridge.
    Fix:
        ARI in the firmware, another slot.
    Fix safety:
        Manual: bus numbers may change, and addresses with them.
    References:
        F126; drivers/pci/iov.c, virtfn_max_buses.
    """
    function = device.function
    wanted = _wanted(device)
    if not wanted:
        return skips(f"the inventory wants no VFs of {function.address}")
    if function.numvfs >= wanted:
        return passes(
            f"{function.address} has {function.numvfs} VFs", evidence=function.quote("numvfs")
        )
    if function.parent is None:
        return skips(f"{function.address} is on a root bus")
    bridge = hypervisor.pci.get(function.parent)
    if bridge is None:
        raise function.missing("path")
    offset, stride = function.number("vf_offset"), function.number("vf_stride")
    last = bridge.number("subordinate_bus")
    if offset is None or stride is None or last is None:
        return skips(f"{function.address} has no SR-IOV: SRV005 judges that")
    _, bus, slot, part = split(function.address)
    needed = bus + (int(offset + stride * (wanted - 1)) + slot * 8 + part) // 256
    if needed <= last:
        return passes(f"the VFs of {function.address} end on bus {needed:02x} of {int(last):02x}")
    return fails(
        f"VF {wanted} of {function.address} would be on bus {needed:02x},"
        f" the bridge ends at {int(last):02x}",
        actual=f"bus {needed:02x}",
        expected=f"at most bus {int(last):02x}",
        evidence=[function.quote("vf_offset"), bridge.quote("subordinate_bus")],
        cure=sriov_cures.bus_numbers(function.address),
    )


@check("SRV005", severity=BLOCKER, needs=["DEV001"], refs=["F127", "F12"])
def test_adapter_offers_as_many_vfs_as_the_inventory_wants(
    hypervisor: Hypervisor, device: IntendedDevice
) -> Verdict:
    """Adapter offers as many VFs as the inventory wants

    Checks:
        That sriov_totalvfs is there and not below what the inventory wants. A driver may lower it.
    Why it matters:
        Otherwise `Numerical result out of range`; without the file SR-IOV is off in the adapter's
        firmware.
    Evidence:
        sriov_totalvfs in /sys/bus/pci/devices, libvirt's node device.
    Fix:
        SR-IOV in the adapter's firmware and the host's.
    Fix safety:
        Manual: firmware, power cycle.
    References:
        F127, F12, S28; drivers/pci/pci-sysfs.c, sriov_numvfs_store.
    """
    function = device.function
    wanted = _wanted(device)
    if not wanted:
        return skips(f"the inventory wants no VFs of {function.address}")
    total, quote = function.totalvfs, function.quote("totalvfs")
    if total is not None and total >= wanted:
        return passes(f"{function.address} offers {total} VFs, {wanted} are wanted", evidence=quote)
    offered = f"offers {total} VFs" if total is not None else "has no SR-IOV"
    return fails(
        f"{function.address} {offered}, expected {wanted}",
        actual=total if total is not None else "no sriov_totalvfs",
        expected=wanted,
        evidence=quote,
        refs=["F127"] if total is not None else ["F12"],
        cure=sriov_cures.enable_sriov(function.address),
    )


@check("SRV007", severity=BLOCKER, needs=["DEV001"], refs=["F131"])
def test_pf_is_not_on_a_vfio_driver_while_its_vfs_are_wanted(
    hypervisor: Hypervisor, device: IntendedDevice
) -> Verdict:
    """PF is not on a VFIO driver while its VFs are wanted

    Checks:
        That a PF whose VFs are wanted, or exist, is not on a VFIO driver.
    Why it matters:
        vfio-pci creates no VFs by itself (ENOENT), and a user space owner of the PF controls VFs
        that other guests have.
    Evidence:
        driver, sriov_numvfs in /sys/bus/pci/devices.
    Fix:
        Give the PF back to its host driver.
    Fix safety:
        Unsafe: stop what uses it. Can be undone.
    References:
        F131, F127; drivers/vfio/pci/vfio_pci_core.c.
    """
    function = device.function
    wanted = _wanted(device)
    if not wanted and not is_vfio_driver(function.driver):
        return skips(f"no VFs of {function.address} are wanted")
    if not is_vfio_driver(function.driver):
        return passes(
            f"{function.address} is on {function.driver or 'no driver'}",
            evidence=function.quote("driver"),
        )
    count = wanted or function.numvfs
    if not count:
        return skips(
            f"{function.address} has no VFs and none are wanted", evidence=function.quote("numvfs")
        )
    why = "are wanted" if wanted else "exist"
    return fails(
        f"{function.address} is on {function.driver}, and {count} VFs of it {why}",
        actual=function.driver,
        expected="its host driver",
        evidence=function.quote("driver"),
        cure=override_cures.host_driver(function),
    )


@check("SRV009", severity=DEGRADED, needs=["DEV001"], refs=["F140"])
def test_graphics_device_has_no_vfs(hypervisor: Hypervisor, device: IntendedDevice) -> Verdict:
    """Graphics device to be passed through has no VFs

    Checks:
        That a display device to be passed through has no VFs.
    Why it matters:
        The PF's driver runs the VFs; with the PF in a guest they vanish at its first start.
    Evidence:
        class and sriov_numvfs in /sys/bus/pci/devices.
    Fix:
        Assign only VFs.
    Fix safety:
        Manual.
    References:
        F140.
    """
    function = device.function
    if function.base_class != DISPLAY_CLASS:
        return skips(
            f"{function.address} is no display device", evidence=function.quote("class_code")
        )
    if _wanted(device):
        return skips(f"{function.address} stays with the host, its VFs go to guests")
    count, quote = function.numvfs, function.quote("numvfs")
    if not count:
        return passes(f"{function.address} has no VFs", evidence=quote)
    return fails(
        f"{function.address} is to be passed through while {count} VFs of it exist",
        actual=f"{count} VFs",
        expected="the VFs instead of the PF",
        evidence=quote,
        cure=sriov_cures.assign_vfs_only(function.address),
    )


@check("SRV006", severity=ADVICE, needs=["DEV001", "SRV001"], refs=["F130"])
def test_host_drivers_do_not_take_the_vfs(
    hypervisor: Hypervisor, device: IntendedDevice
) -> Verdict:
    """Host drivers do not take the VFs

    Checks:
        Where VFs are wanted for guests: that sriov_drivers_autoprobe is off, or that none of the
        VFs is on a host driver.
    Why it matters:
        Otherwise every VF becomes an interface of the host: DHCP, names, slow boots; a guest with
        managed='no' does not start.
    Evidence:
        sriov_drivers_autoprobe, the VFs' drivers.
    Fix:
        Switch autoprobe off before VFs are created, or use managed='yes'.
    Fix safety:
        Unsafe: acts on VFs created later. Can be undone.
    References:
        F130; drivers/pci/iov.c.
    """
    function = device.function
    if not _wanted(device):
        return skips(f"the inventory wants no VFs of {function.address}")
    if not function.vf_autoprobe:
        quote = function.quote("vf_autoprobe")
        return passes(f"host drivers do not take new VFs of {function.address}", evidence=quote)
    found = search(function.virtfns, lambda address: _on_host_driver(hypervisor, address))
    if found.known:
        held = hypervisor.pci.known[found.known[0]]
        return fails(
            f"{len(found.known)} VFs of {function.address} are on {held.driver}",
            actual=f"{held.address} on {held.driver}",
            expected="no host driver on VFs",
            evidence=[function.quote("vf_autoprobe"), held.quote("driver")],
            cure=sriov_cures.no_autoprobe(function.address),
        )
    require(found)
    return passes(f"no VF of {function.address} is on a host driver")


def _on_host_driver(hypervisor: Hypervisor, address: str) -> bool:
    function = hypervisor.pci.get(address)
    return (
        function is not None and function.driver is not None and not is_vfio_driver(function.driver)
    )
