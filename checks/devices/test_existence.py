"""Devices to be passed through have to exist, to answer, and to be the ones that are named."""

from pytest_vfio.check import BLOCKER, Verdict, check, fails, passes, skips
from pytest_vfio.cures import by_hand as cures
from pytest_vfio.facts.kernel import devicelog
from pytest_vfio.facts.pci import identity
from pytest_vfio.facts.tristate import first, require
from pytest_vfio.hypervisor.hypervisor import Hypervisor
from pytest_vfio.hypervisor.intent import IntendedDevice


@check("DEV001", severity=BLOCKER, refs=["F19", "F145", "F20"])
def test_device_exists_on_the_host(hypervisor: Hypervisor, device: IntendedDevice) -> Verdict:
    """Device exists on the host

    Checks:
        That there is a PCI function at the address to be passed through, or one that has the id or
        the interface that is named.
    Why it matters:
        Addresses move when a card is added, a port is switched off or the firmware is updated. The
        guest does not start, or gets the device that is at the old address now.
    Evidence:
        The list of PCI functions: /sys/bus/pci/devices, libvirt's node devices, or all of lspci.
    Fix:
        Find the device and write its present address into the inventory and the guest.
    Fix safety:
        Manual: compare vendor, device, subsystem and serial number first.
    References:
        F19, F145, F20, S30; libvirt src/util/virpci.c.
    """
    pci = hypervisor.pci
    if device.address is None:
        return fails(
            f"no device of this host is {device.name}",
            actual="no such function",
            expected=device.name,
            evidence=pci.absence(device.name),
            refs=["F19"],
            cure=cures.find_again(device.name),
        )
    function = pci.get(device.address)
    if function is not None:
        return passes(f"{device.address} exists", evidence=function.seen)
    others = [one.address for one in pci.known.values() if one.same_slot(device.address)]
    ref = "F145" if device.intent_from == "hostdev" else "F20" if others else "F19"
    beside = f", although {others[0]} does" if others else ""
    return fails(
        f"{device.address} does not exist{beside}",
        actual="no such function",
        expected=device.address,
        evidence=pci.absence(device.address),
        refs=[ref],
        cure=cures.find_again(device.address),
    )


@check("DEV002", severity=BLOCKER, needs=["DEV001"], refs=["F19"])
def test_device_is_the_one_that_the_inventory_names(
    hypervisor: Hypervisor, device: IntendedDevice
) -> Verdict:
    """Device is the one that the inventory names

    Checks:
        That vendor:device, subsystem, interface, MAC and serial number are those of the inventory,
        as far as it names them.
    Why it matters:
        An address names a place. After a change of hardware or firmware another device is there,
        and with it the host's own disk or network can be passed through.
    Evidence:
        /sys/bus/pci/devices, libvirt's node devices or lspci -nn; /sys/class/net for MACs; the
        PCI serial number, which often holds the MAC, in the configuration bytes.
    Fix:
        Find out which device is there and correct the inventory, or the hardware.
    Fix safety:
        Manual: do not bind anything before this is clear.
    References:
        F19, F202, S30.
    """
    function = device.function
    if device.wanted is None:
        return skips("the inventory does not say what the device has to be")
    wanted = device.wanted
    names = ("id", "subsystem", "netdev", "mac", "serial")
    named = {name: getattr(wanted, name) for name in names if getattr(wanted, name) is not None}

    def answer(name: str) -> identity.Answer:
        return identity.answer(hypervisor.evidence, function, name, named[name])

    wrong = first(named, lambda name: not answer(name).agrees)
    if wrong is not None:
        found = answer(wrong)
        return fails(
            f"{function.address} has {wrong} {found.shown}, expected {named[wrong]}",
            actual=found.shown,
            expected=named[wrong],
            evidence=found.quote,
            cure=cures.compare_identity(function.address),
        )
    if not named:
        return skips("the inventory names nothing but the address")
    shown = ", ".join(f"{name} {expected}" for name, expected in named.items())
    return passes(f"{function.address} has {shown}")


@check("DEV011", severity=BLOCKER, needs=["DEV001"], refs=["F106", "F91", "F57"])
def test_device_answers_or_sleeps(hypervisor: Hypervisor, device: IntendedDevice) -> Verdict:
    """Device answers or sleeps

    Checks:
        That the configuration space does not read as ones only, and that the kernel did not fail
        to wake the device.
    Why it matters:
        A device that is off or has fallen off the bus stops the guest's start, and can hang the
        host when the IOMMU waits for it. The vendor file in sysfs is cached and proves nothing.
    Evidence:
        The first bytes of /sys/bus/pci/devices/*/config, else lspci; the kernel log for a device
        that sleeps and was therefore not read.
    Fix:
        Power cycle; remove and rescan only if nothing else hangs off the bridge.
    Fix safety:
        Manual: takes the host down.
    References:
        F106, F91, F57; drivers/pci/pci.c.
    """
    function = device.function
    if function.knows("config"):
        if not function.config.dead:
            return passes(f"{function.address} answers", evidence=function.quote("config"))
        return fails(
            f"{function.address} answers with ones only",
            actual="ff ff ff ff",
            expected=function.id if function.knows("device") else "vendor and device id",
            evidence=function.quote("config"),
            refs=["F106"],
            cure=cures.revive(function.address),
        )
    lines = hypervisor.devicelog.about(devicelog.UNREACHABLE, function.address)
    if lines:
        return fails(
            f"{function.address} could not be woken",
            actual=lines[-1].text,
            expected="a device that comes back to D0",
            evidence=lines[-1].quote,
            refs=["F106", "F91"],
            cure=cures.revive(function.address),
        )
    if not function.asleep:
        raise function.missing("config")
    require(hypervisor.klog)
    return passes(
        f"{function.address} sleeps, and the kernel never failed to wake it",
        evidence=function.quote("runtime_status"),
    )


@check("DEV026", severity=BLOCKER, needs=["DEV001"], refs=["F120"])
def test_device_is_an_endpoint(hypervisor: Hypervisor, device: IntendedDevice) -> Verdict:
    """Device is an endpoint

    Checks:
        That the function is an endpoint, not a bridge, a port or an event collector.
    Why it matters:
        vfio-pci refuses every function whose header type is not 0, libvirt and QEMU everything
        that is no endpoint. A bridge in a group is fine where it is.
    Evidence:
        The class of the function.
    Fix:
        Assign the functions below it.
    Fix safety:
        Manual: the inventory or the guest names the wrong address.
    References:
        F120, F101; vfio_pci_core_register_device; libvirt virPCIDeviceIsAssignable.
    """
    function = device.function
    kind = function.class_code >> 8
    if function.is_bridge or kind in (0x0607, 0x0807):
        what = "a bridge" if kind >> 8 == 0x06 else "an event collector"
        return fails(
            f"{function.address} is {what} (class {kind:04x}), expected an endpoint",
            actual=f"class {kind:04x}",
            expected="an endpoint",
            evidence=function.quote("class_code"),
            cure=cures.endpoint(function.address),
        )
    return passes(
        f"{function.address} is an endpoint (class {kind:04x})",
        evidence=function.quote("class_code"),
    )
