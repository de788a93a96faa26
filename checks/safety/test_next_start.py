"""What happens at the next start of a guest or of the host, or after the host slept."""

from pytest_vfio.check import ADVICE, BLOCKER, DEGRADED, Verdict, check, fails, passes, skips
from pytest_vfio.cures import domain as domain_cures
from pytest_vfio.cures import libvirt as libvirt_cures
from pytest_vfio.cures import override as override_cures
from pytest_vfio.evidence import Lack, Missing, Status
from pytest_vfio.facts.libvirt.guests import Domain
from pytest_vfio.facts.pci.functions import is_vfio_driver
from pytest_vfio.facts.tristate import require
from pytest_vfio.hypervisor.hypervisor import Hypervisor
from pytest_vfio.hypervisor.intent import IntendedDevice
from pytest_vfio.parse.hostdevs import Hostdev


@check("SAF006", severity=BLOCKER, refs=["F203"])
def test_autostart_guest_takes_no_device_the_host_depends_on(
    hypervisor: Hypervisor, guest: Domain
) -> Verdict:
    """Autostart guest takes no device that the host depends on

    Checks:
        That no guest with autostart names, with managed='yes', a function that carries the
        network, the storage or the console of the host.
    Why it matters:
        libvirt detaches a managed device without asking. The host would boot well, and lose its
        disk or its network some seconds later, at every boot.
    Evidence:
        The stored definition of the guest, its autostart mark, and what SAF001 reads.
    Fix:
        Switch off autostart before the next boot; then remove the device from the guest.
    Fix safety:
        Safe: the guest goes on as it is. Can be undone.
    References:
        F203; libvirt src/hypervisor/virhostdev.c, virHostdevPreparePCIDevices.
    """
    taken = {h.address: h for h in guest.hostdevs if h.stored and h.managed and h.address}
    for address, hostdev in taken.items() if guest.autostart else ():
        path = hypervisor.protected.known.get(address)
        if path is not None:
            return fails(
                f"{guest.name} has autostart and takes {address}, and the host depends on it:"
                f" {path}",
                actual=f"autostart with {address}",
                expected="no autostart with a device that the host depends on",
                evidence=[
                    guest.autostart_quote,
                    hostdev.quote,
                    *hypervisor.protected.quotes(address),
                ],
                acts="libvirt",
                cure=domain_cures.no_autostart(guest.name),
            )
    require(*guest.lacks("autostart", "stored"))
    if not guest.autostart:
        return skips(f"{guest.name} has no autostart")
    for address in taken:
        hypervisor.protected.path(address)  # raises where it is not known
    return passes(f"{guest.name} has autostart and takes nothing that the host depends on")


@check("SAF007", severity=ADVICE, needs=["SAF001"], refs=["F203"])
def test_host_does_not_depend_on_the_guest_device(
    hypervisor: Hypervisor, hostdev: Hostdev
) -> Verdict:
    """Host does not depend on the guest's device

    Checks:
        That no definition of a guest, autostart or not, names a function that carries the network,
        the storage or the console of the host.
    Why it matters:
        Otherwise the first `virsh start` takes it from the host.
    Evidence:
        The definition of the guest, and what SAF001 reads.
    Fix:
        Remove the hostdev from the definition.
    Fix safety:
        Manual: it may be there for a reason.
    References:
        F203.
    """
    if hostdev.address is None:
        return skips(f"{hostdev.name} names no address")
    path = hypervisor.protected.path(hostdev.address)
    if path is None:
        return passes(f"the host does not depend on {hostdev.address}")
    return fails(
        f"{hostdev.guest} would take {hostdev.address}, which the host depends on: {path}",
        actual=path,
        expected="guests that name only what the host does not depend on",
        evidence=[hostdev.quote, *hypervisor.protected.quotes(hostdev.address)],
        acts="libvirt",
        cure=domain_cures.detach_from_guest(hostdev.guest, hostdev.address, path),
    )


@check("SAF012", severity=DEGRADED, refs=["F69"])
def test_host_cannot_sleep_while_devices_are_assigned(hypervisor: Hypervisor) -> Verdict:
    """Host cannot sleep while devices are assigned

    Checks:
        That the sleep targets of systemd are masked while a guest runs with an assigned device.
    Why it matters:
        The state of an assigned device is not saved. After the resume the device is gone or dead,
        and its guest with it.
    Evidence:
        The running guests, and the states of systemd's sleep targets.
    Fix:
        Mask the targets.
    Fix safety:
        Safe: takes effect at once. Can be undone.
    References:
        F69; systemd.special(7), sleep.target.
    """
    running = [g for g in hypervisor.guests.known if g.running and any(h.live for h in g.hostdevs)]
    item = hypervisor.evidence.item("systemd/sleep-targets")
    states = [line.strip() for line in item.lines if line.strip()]
    open_to = [state for state in states if not state.startswith("masked")]
    if running and open_to:
        return fails(
            f"the host may sleep while {running[0].name} runs with an assigned device",
            actual=f"a sleep target is {open_to[0]}",
            expected="masked",
            evidence=[item.quote(open_to[0]), running[0].quote],
            cure=libvirt_cures.no_sleep(),
        )
    if not running:
        require(hypervisor.guests)
        require(*(lack for domain in hypervisor.guests.known for lack in domain.lacks("running")))
        return skips("no guest runs with an assigned device")
    if not states or not item.whole:
        raise Missing(item)
    return passes("the sleep targets are masked", evidence=item.quote(states[0]))


@check("SAF013", severity=DEGRADED, needs=["DEV001", "DEV003"], refs=["F71", "S22"])
def test_binding_to_vfio_is_configured_persistently(
    hypervisor: Hypervisor, device: IntendedDevice
) -> Verdict:
    """Binding of the device to VFIO is configured persistently

    Checks:
        That the binding is configured: by an id for vfio-pci, a persistent override of its address
        (driverctl, udev), or a guest that names the device with managed='yes'.
    Why it matters:
        driver_override, new_id and `virsh nodedev-detach` are gone with the reboot: the host's
        driver takes the device back, and the guest does not start.
    Evidence:
        driver of the device; the command line, modprobe.d, /etc/driverctl.d/, /etc/udev/rules.d/,
        the definitions of all guests.
    Fix:
        Override the driver of the address persistently, or let libvirt bind it: managed='yes'.
    Fix safety:
        Safe: changes nothing until the next boot. Can be undone.
    References:
        F71, S21, S22; Documentation/ABI/testing/sysfs-bus-pci, driver_override.
    """
    function, where = device.function, device.name
    pin = hypervisor.pins.of(where)
    if pin is not None and is_vfio_driver(pin.driver):
        return passes(f"{where} has a persistent override to {pin.driver}", evidence=pin.quote)
    for _, hostdev in hypervisor.guests.holding(where):
        if hostdev.managed:
            return passes(f"libvirt binds {where} for {hostdev.guest}", evidence=hostdev.quote)
    for pattern in hypervisor.modules.configured_vfio_ids:
        if pattern.catches(function):
            return passes(
                f"vfio-pci id {pattern.text} matches {where} at boot", evidence=pattern.quote
            )
    if not is_vfio_driver(function.driver):
        return skips(f"{where} is bound to {function.driver or 'no driver'}")
    if function.physfn is not None:
        return skips(f"{where} is a VF, which is created anew after each boot")
    _everything_was_read(hypervisor)
    return fails(
        f"{where} is bound to {function.driver}, and nothing binds it again at the next boot",
        actual="no id, no persistent override, no guest with managed='yes'",
        expected="a binding that outlasts a reboot",
        evidence=function.quote("driver"),
        cure=override_cures.pin(hypervisor, function),
    )


def _everything_was_read(hypervisor: Hypervisor) -> None:
    """Raise Missing unless every place that could bind a device at boot was read."""
    require(*hypervisor.modules.configured_ids_missing)
    for line in hypervisor.modules.modprobe.of("install"):
        if line.module.startswith("vfio"):
            detail = f"a command of its own loads {line.module}, and may bind anything"
            raise Missing(Lack(line.quote.source, Status.FAILED, detail))
    require(hypervisor.pins, hypervisor.guests)
