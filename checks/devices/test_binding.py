"""Which driver a device to be passed through is on, and what decides that."""

from pytest_vfio.check import ADVICE, BLOCKER, DEGRADED, Verdict, check, fails, passes, skips
from pytest_vfio.cures import by_hand as by_hand_cures
from pytest_vfio.cures import domain as domain_cures
from pytest_vfio.cures import override as override_cures
from pytest_vfio.cures import sriov as sriov_cures
from pytest_vfio.facts.kernel import devicelog
from pytest_vfio.facts.pci.functions import DISPLAY_CLASS, is_vfio_driver
from pytest_vfio.facts.tristate import first, require, search
from pytest_vfio.hypervisor import handover
from pytest_vfio.hypervisor.hypervisor import Hypervisor
from pytest_vfio.hypervisor.intent import IntendedDevice

#: `vfio_pci_is_denylisted` (drivers/vfio/pci/vfio_pci.c): Intel QAT, DSA and IAA, with their VFs.
DENYLIST = frozenset(
    {
        "8086:0435", "8086:0443", "8086:19e2", "8086:19e3", "8086:37c8", "8086:37c9",
        "8086:0b25", "8086:0cfe",
    }
)  # fmt: skip
DENYLIST_SINCE = (5, 9, 0)


@check(
    "DEV003",
    severity=BLOCKER,
    needs=[
        *("DEV001", "DEV002", "DEV004", "DEV007", "DEV010", "DEV030"),
        *("DRV001", "DRV002", "DRV003", "DRV005", "DRV012", "DRV013", "DRV014"),
        *("CMD010", "CMD011", "CMD012", "CMD014", "CMD020", "CMD021", "CMD022"),
        "SAF001",
        "SAF015",
    ],
    refs=["F71", "F78", "F89", "F146"],
)
def test_device_is_bound_to_a_vfio_driver_where_required(
    hypervisor: Hypervisor, device: IntendedDevice
) -> Verdict:
    """Device is bound to a VFIO driver where that is required

    Checks:
        That the device is on vfio-pci or a variant of it, unless libvirt will bind it: a managed
        hostdev of a guest that is off may rest on its host driver. A PF whose VFs are wanted is
        left out, it belongs to its host driver; so is a device that the inventory gives to a guest
        which does not name it yet: GST001 judges that.
    Why it matters:
        An unmanaged hostdev, a raw QEMU and a running guest need the VFIO driver now; pci-stub
        keeps the host's driver away and cannot be used by a guest.
    Evidence:
        The driver of the function; the hostdevs of all guests.
    Fix:
        Bind this one address with driver_override, or use a <hostdev> with managed='yes'.
    Fix safety:
        Unsafe where a host driver has it: whatever uses the device fails. Can be undone.
    References:
        F71, F78, F89, F146, S21, S22; libvirt src/hypervisor/virhostdev.c.
    """
    function = device.function
    if device.keeps_host_driver:
        return skips(f"{function.address} keeps its host driver: its VFs are what guests get")
    driver = function.driver
    if is_vfio_driver(driver):
        return passes(f"{function.address} is bound to {driver}", evidence=function.quote("driver"))
    when = handover.of(hypervisor, device)
    shown = f"is bound to {driver}" if driver else "has no driver"
    if when.now is None:
        return skips(f"{function.address} {shown}; {when.why}", evidence=function.quote("driver"))
    if not when.now:
        proofs = [function.quote("driver"), *when.quotes]
        return passes(f"{function.address} {shown}; {when.why}", evidence=proofs)
    refs = ["F89"] if driver == "pci-stub" else ["F71"] if driver else ["F71", "F78"]
    cure = override_cures.bind(hypervisor, function)
    if when.raw and when.guest:
        refs = ["F146", *refs]
        cure = domain_cures.use_hostdev(when.guest, function.address)
    return fails(
        f"{function.address} {shown}, expected vfio-pci: {when.why}",
        actual=driver or "no driver",
        expected="vfio-pci",
        evidence=[function.quote("driver"), *when.quotes],
        refs=refs,
        cure=cure,
    )


@check("DEV007", severity=DEGRADED, needs=["DEV001"], refs=["F79", "F89"])
def test_driver_override_is_unset_or_names_a_vfio_driver(
    hypervisor: Hypervisor, device: IntendedDevice
) -> Verdict:
    """driver_override is unset or names a VFIO driver

    Checks:
        That driver_override of the device is unset or names a VFIO driver.
    Why it matters:
        With an override only the named driver can bind. `none`, or a host driver's name left over
        from a test, makes every other bind fail silently. libvirt replaces it, tools do not.
    Evidence:
        driver_override in /sys/bus/pci/devices; `(null)` is unset.
    Fix:
        Write vfio-pci, or an empty line, into driver_override.
    Fix safety:
        Safe: nothing is unbound by it. Lost at the next reboot anyway.
    References:
        F79, F89, S22; Documentation/ABI/testing/sysfs-bus-pci.
    """
    function = device.function
    if device.keeps_host_driver:
        return skips(f"{function.address} keeps its host driver: its VFs are what guests get")
    override, quote = function.driver_override, function.quote("driver_override")
    if override is None or is_vfio_driver(override):
        return passes(
            f"{function.address} has driver_override {override or 'unset'}", evidence=quote
        )
    return fails(
        f"{function.address} has driver_override {override}, expected vfio-pci or none at all",
        actual=override,
        expected="vfio-pci or unset",
        evidence=quote,
        refs=["F79", "F89"] if override == "pci-stub" else ["F79"],
        cure=override_cures.clear_override(function),
    )


@check("DEV031", severity=DEGRADED, refs=["F79"])
def test_no_leftover_override_keeps_a_device_without_a_driver(hypervisor: Hypervisor) -> Verdict:
    """No leftover driver_override keeps a device without a driver

    Checks:
        That no function without a driver has a driver_override that keeps its host driver away,
        other than those to be passed through.
    Why it matters:
        After a device went back to the host the override of an earlier assignment still forbids
        its own driver: an interface or a disk is missing.
    Evidence:
        driver and driver_override of all functions in /sys/bus/pci/devices.
    Fix:
        Clear the override and let the kernel probe.
    Fix safety:
        Safe: the device has no driver that it could lose.
    References:
        F79, S22.
    """
    meant = {device.address for device in hypervisor.intent.known}
    others = (one for one in hypervisor.pci.known.values() if one.address not in meant)
    function = first(others, lambda one: one.driver_override and not one.driver)
    if function is not None:
        return fails(
            f"{function.address} has no driver, and its driver_override is"
            f" {function.driver_override}",
            actual=function.driver_override,
            expected="unset",
            evidence=function.quote("driver_override"),
            cure=override_cures.clear_override(function),
        )
    count = len(hypervisor.pci.functions)
    return passes(f"none of {count} functions lacks its driver because of an override")


@check("DEV008", severity=DEGRADED, needs=["DEV001"], refs=["F80"])
def test_no_persistent_override_gives_the_device_to_a_host_driver(
    hypervisor: Hypervisor, device: IntendedDevice
) -> Verdict:
    """No persistent override gives the device to a host driver

    Checks:
        That neither driverctl nor a udev rule overrides the driver of the address with a host
        driver.
    Why it matters:
        The override is applied again at every boot and hot-plug, whatever libvirt and the ids of
        vfio-pci do: the device goes back to its host driver.
    Evidence:
        /etc/driverctl.d/, /etc/udev/rules.d/.
    Fix:
        One owner for each device: change or remove the override.
    Fix safety:
        Unsafe: takes effect at boot. Can be undone.
    References:
        F80; driverctl(8).
    """
    function = device.function
    if device.keeps_host_driver:
        return skips(f"{function.address} keeps its host driver: its VFs are what guests get")
    pins = hypervisor.pins
    for pin in pins.known:
        if pin.address == function.address and not is_vfio_driver(pin.driver):
            return fails(
                f"{function.address} is given to {pin.driver} by a persistent override, expected"
                " vfio-pci",
                actual=pin.driver,
                expected="vfio-pci or no override",
                evidence=pin.quote,
                cure=override_cures.unpin(hypervisor, pin),
            )
    require(pins)
    ours = pins.of(function.address)
    if ours is None:
        return passes(f"{function.address} has no persistent override")
    return passes(
        f"{function.address} has a persistent override to {ours.driver}", evidence=ours.quote
    )


@check("DEV009", severity=ADVICE, needs=["DEV001"], refs=["F81"])
def test_no_function_of_the_graphics_card_stays_on_a_host_driver(
    hypervisor: Hypervisor, device: IntendedDevice
) -> Verdict:
    """No function of the graphics card stays on a host driver

    Checks:
        That the audio, USB and UCSI functions of a graphics card are not on host drivers while
        another function of the card is passed through. Ports of a network card are independent.
    Why it matters:
        The functions share power states and resets: a host driver on one of them wakes, resets or
        blocks the others, and the guest's driver may miss them.
    Evidence:
        Classes and drivers of all functions of the slot.
    Fix:
        Give all functions of the card to the same guest.
    Fix safety:
        Unsafe: the functions leave the host. Can be undone.
    References:
        F81; where they share a group, GRP001 judges.
    """
    function = device.function
    card = (function, *hypervisor.pci.siblings(function))
    if not any(one.base_class == DISPLAY_CLASS for one in card):
        require(hypervisor.pci)  # only a whole list shows that there is no other
        return skips(f"{function.address} is no part of a graphics card")
    found = search(
        (one for one in card if hypervisor.intent.get(one.address) is None),
        lambda one: one.driver and not is_vfio_driver(one.driver),
    )
    left = found.known
    if left:
        shown = ", ".join(f"{one.address} on {one.driver}" for one in left)
        return fails(
            f"only part of the card of {function.address} is passed through: {shown} stays",
            actual=shown,
            expected="all functions of the card for one guest",
            evidence=[one.quote("driver") for one in left],
            cure=domain_cures.whole_card(", ".join(one.address for one in left)),
        )
    require(found, hypervisor.pci)  # only a whole list shows that there is no other
    return passes(f"no function of the card of {function.address} stays on a host driver")


@check("DEV010", severity=BLOCKER, needs=["DEV001"], refs=["F83"])
def test_vfio_pci_does_not_refuse_the_device_model(
    hypervisor: Hypervisor, device: IntendedDevice
) -> Verdict:
    """vfio-pci does not refuse the device model

    Checks:
        That the device is none of the accelerators that vfio-pci does not assign: a guest could
        harm the host through them.
    Why it matters:
        For those the bind fails; switching the list off takes the risk instead of removing it.
    Evidence:
        vendor:device, and the kernel's own refusal in its log.
    Fix:
        Another device.
    Fix safety:
        Manual.
    References:
        F83; drivers/vfio/pci/vfio_pci.c.
    """
    function = device.function
    if function.id not in DENYLIST:
        proof = function.quote("device")
        return passes(f"{function.id} is not on the denylist of vfio-pci", evidence=proof)
    if is_vfio_driver(function.driver):
        proof = function.quote("driver")
        return passes(f"{function.id} is bound to {function.driver}", evidence=proof)
    lines = hypervisor.devicelog.about(devicelog.DENIED, function.address)
    if not lines and hypervisor.kernel.version < DENYLIST_SINCE:
        return skips(f"Linux {hypervisor.kernel.release} has no denylist")
    return fails(
        f"{function.address} is {function.id}, which vfio-pci refuses",
        actual=function.id,
        expected="a device that vfio-pci assigns",
        evidence=lines[-1].quote if lines else function.quote("device"),
        cure=by_hand_cures.deny_list(function.address),
    )


@check("DEV030", severity=BLOCKER, needs=["DEV001"], refs=["F82"])
def test_no_vf_keeps_the_device_from_a_vfio_driver(
    hypervisor: Hypervisor, device: IntendedDevice
) -> Verdict:
    """No VF keeps the device from a VFIO driver

    Checks:
        That a PF to be passed through, not bound to a VFIO driver yet, has no VFs.
    Why it matters:
        Otherwise vfio-pci refuses it: `Cannot bind to PF with SR-IOV enabled`, -16.
    Evidence:
        sriov_numvfs and driver in /sys/bus/pci/devices.
    Fix:
        Remove the VFs first, or assign VFs instead of the PF.
    Fix safety:
        Unsafe: VFs may be in use by guests.
    References:
        F82; vfio_pci_core_register_device.
    """
    function = device.function
    if device.keeps_host_driver:
        return skips(f"{function.address} stays with the host, its VFs go to guests")
    count, quote = function.numvfs, function.quote("numvfs")
    if not count:
        return passes(f"{function.address} has no VFs", evidence=quote)
    if is_vfio_driver(function.driver):
        return skips(f"{function.address} is on {function.driver} already: SRV007 judges")
    return fails(
        f"{function.address} is to be passed through while {count} VFs of it exist",
        actual=f"{count} VFs",
        expected="no VFs",
        evidence=quote,
        cure=sriov_cures.remove_vfs(function),
    )
