"""A device has to be in the XML of the guest that is to have it, at its right address, once."""

from pytest_vfio.check import BLOCKER, DEGRADED, Verdict, check, fails, passes, skips
from pytest_vfio.cures import domain as cures
from pytest_vfio.facts.libvirt.guests import Domain
from pytest_vfio.facts.pci.functions import is_vfio_driver
from pytest_vfio.facts.tristate import require
from pytest_vfio.hypervisor.hypervisor import Hypervisor
from pytest_vfio.hypervisor.intent import IntendedDevice
from pytest_vfio.parse.domainxml import DomainXml
from pytest_vfio.parse.hostdevs import Hostdev


@check("GST001", severity=BLOCKER, needs=["LIB001"], refs=["F144", "F145"])
def test_guest_that_is_to_have_the_device_names_it(
    hypervisor: Hypervisor, device: IntendedDevice
) -> Verdict:
    """Guest that is to have the device names it in its XML

    Checks:
        That the guest exists and names the device among its host devices, in the XML of the
        running guest or in the stored one.
    Why it matters:
        Otherwise nothing fails and nothing is logged: the guest starts without its device.
    Evidence:
        The inventory; the guests' XML, live and stored.
    Fix:
        Add the hostdev to the stored XML, then stop and start the guest.
    Fix safety:
        Safe while the guest is off. Can be undone.
    References:
        F144, F145; libvirt, Domain XML format, Host device assignment.
    """
    if device.address is None:
        return skips(f"{device.name} is not on this host")
    wanted = hypervisor.declared.guests
    meant = [n for n in device.guests if n in wanted and device.address in wanted[n].hostdevs]
    names = meant or list(device.guests)
    if not names:
        require(hypervisor.guests)
        return skips(f"no guest is to have {device.name}")
    held = []
    for name in names:
        domain = hypervisor.guests.get(name)
        if domain is None:
            return _undefined(hypervisor, device, name)
        hostdev = domain.hostdev(device.address)
        if hostdev is None:
            require(domain)
            return _unnamed(hypervisor, device.address, domain)
        held.append(hostdev.quote)
    return passes(f"{', '.join(names)} names {device.address}", evidence=held)


def _undefined(hypervisor: Hypervisor, device: IntendedDevice, name: str) -> Verdict:
    refused = hypervisor.guests.refused.get(name)
    if refused is not None:
        file = f"/{refused.quote.source}"
        return fails(
            f"{device.address} is for guest {name}, and libvirt does not accept {file}: {refused.why}",
            actual=refused.why,
            expected=f"{file} as libvirt accepts it",
            evidence=[refused.quote, hypervisor.evidence.item("virsh/list").quote(f"(no {name})")],
            acts="libvirt",
            cure=cures.correct_file(name, file),
        )
    known = ", ".join(domain.name for domain in hypervisor.guests.known) or "none"
    return fails(
        f"{device.address} is for guest {name}, which is not defined; known: {known}",
        actual="no such guest",
        expected=f"guest {name} with {device.address}",
        evidence=hypervisor.evidence.item("virsh/list").quote(f"guests: {known}"[:400]),
        acts="libvirt",
        cure=cures.define(name),
    )


def _unnamed(hypervisor: Hypervisor, address: str, domain: Domain) -> Verdict:
    hint, quote, refs = "", domain.quote, ["F144"]
    for hostdev in domain.hostdevs:
        if hostdev.as_hex == address:
            hint = f"; {hostdev.raw} is {hostdev.address}, decimal"
        elif hostdev.address and hypervisor.pci.whole and not hypervisor.pci.get(hostdev.address):
            hint = f"; it names {hostdev.address}, which does not exist"
        else:
            continue
        quote, refs = hostdev.quote, ["F144", "F145"]
        break
    return fails(
        f"{domain.name} does not name {address}{hint}",
        actual=f"{len(domain.hostdevs)} other host devices",
        expected=f"{address} among them",
        evidence=quote,
        refs=refs,
        acts="libvirt",
        cure=cures.add_hostdev(domain.name, address, running=domain.running),
    )


@check("GST002", severity=BLOCKER, needs=["DEV001", "SRV001"], refs=["F145", "F19"])
def test_hostdev_names_an_address_that_exists_on_the_host(
    hypervisor: Hypervisor, hostdev: Hostdev
) -> Verdict:
    """Hostdev names a PCI address that exists on the host

    Checks:
        That the source address can be read, and that the host has a function there. Numbers
        without 0x are decimal.
    Why it matters:
        Otherwise the guest does not start: "Device ... not found". bus='12' is bus 0x0c.
    Evidence:
        The guest's XML; the list of PCI functions.
    Fix:
        Write the present address, in hexadecimal with 0x.
    Fix safety:
        Safe: the stored XML changes. Can be undone.
    References:
        F145, F19; libvirt src/util/virpci.c and src/conf/device_conf.c.
    """
    if hostdev.address is None:
        return fails(
            f"{hostdev.guest} names a source that is no PCI address: {hostdev.raw}",
            actual=hostdev.raw,
            expected="domain, bus <= 0xff, slot <= 0x1f, function <= 7",
            evidence=hostdev.quote,
            acts="libvirt",
            cure=cures.correct_address(hostdev.guest, hostdev.as_hex),
        )
    function = hypervisor.pci.get(hostdev.address)
    if function is not None:
        return passes(
            f"{hostdev.guest} names {hostdev.address}, which exists", evidence=hostdev.quote
        )
    meant = hostdev.as_hex if hostdev.as_hex in hypervisor.pci.known else None
    hint = f"; {hostdev.raw} read as hexadecimal is {meant}, which exists" if meant else ""
    return fails(
        f"{hostdev.guest} names {hostdev.address}, which does not exist{hint}",
        actual="no such function",
        expected=meant or "a function of this host",
        evidence=[hostdev.quote, hypervisor.pci.absence(hostdev.address)],
        acts="libvirt",
        cure=cures.correct_address(hostdev.guest, meant),
    )


@check("GST003", severity=BLOCKER, needs=["GST002"], refs=["F144", "F171"])
def test_running_guest_has_the_device(hypervisor: Hypervisor, hostdev: Hostdev) -> Verdict:
    """Running guest has the device

    Checks:
        For a guest that runs: that each stored host device is in its live XML too.
    Why it matters:
        A change of the stored XML acts at the next cold start. A reboot from inside the guest
        keeps the devices of its last start, so the guest seems to ignore the change.
    Evidence:
        The live and the stored XML of the guest.
    Fix:
        Shut the guest down and start it.
    Fix safety:
        Unsafe: the guest is interrupted.
    References:
        F144, F171; libvirt, virsh dumpxml --inactive.
    """
    domain = hypervisor.guests.owner(hostdev)
    if hostdev.live:
        return passes(f"the running {hostdev.guest} has {hostdev.address}", evidence=hostdev.quote)
    require(*domain.lacks("running", "live"))
    if not domain.running:
        return skips(f"{hostdev.guest} does not run")
    return fails(
        f"{hostdev.guest} runs without {hostdev.address}, which its stored XML names",
        actual="stored only",
        expected="in the live XML too",
        evidence=[hostdev.quote, domain.live.quote("domain") if domain.live else domain.quote],
        acts="guest",
        cure=cures.cold_start(hostdev.guest),
    )


@check("GST004", severity=DEGRADED, refs=["F144"])
def test_device_is_in_its_stored_xml_or_comes_from_a_network(
    hypervisor: Hypervisor, hostdev: Hostdev
) -> Verdict:
    """Guest's device is in its stored XML or comes from a network

    Checks:
        For a guest that runs and is stored: that each live host device is in the stored XML too. A
        VF that a network assigned is not expected there.
    Why it matters:
        A device attached with --live only works until the guest is started the next time.
    Evidence:
        The live and the stored XML of the guest; the networks.
    Fix:
        Attach it with --config too.
    Fix safety:
        Safe: the stored XML changes. Can be undone.
    References:
        F144; virsh attach-device.
    """
    domain = hypervisor.guests.owner(hostdev)
    if hostdev.stored:
        return passes(f"{hostdev.address} is stored in {hostdev.guest}", evidence=hostdev.quote)
    require(domain)
    if not hostdev.live:
        return skips(f"{hostdev.guest} does not have {hostdev.address} now")
    if domain.stored is None:
        return skips(f"{hostdev.guest} is transient: libvirt keeps no definition of it")
    if hostdev.kind != "hostdev" and _from_pool(hypervisor, domain.stored):
        return passes(f"{hostdev.address} was assigned by a network", evidence=hostdev.quote)
    return fails(
        f"{hostdev.guest} has {hostdev.address} now, and its stored XML does not name it",
        actual="live only",
        expected="in the stored XML too",
        evidence=[hostdev.quote, domain.stored.quote("name")],
        acts="libvirt",
        cure=cures.store(hostdev.guest, hostdev.address or hostdev.raw),
    )


def _from_pool(hypervisor: Hypervisor, stored: DomainXml) -> bool:
    """Whether the stored guest takes VFs from a network. Raises Missing where it is not known."""
    names = {name for name, _ in stored.networks}
    if any(
        network.is_pool for network in hypervisor.libvirt.known_networks if network.name in names
    ):
        return True
    return bool(names) and any(n.is_pool for n in hypervisor.libvirt.networks if n.name in names)


@check("GST005", severity=BLOCKER, refs=["F143"])
def test_guest_names_the_device_only_once(hypervisor: Hypervisor, hostdev: Hostdev) -> Verdict:
    """Guest names the device only once

    Checks:
        That no XML of a guest names one host function more than once.
    Why it matters:
        The second is refused when the guest starts: "Device ... is already in use".
    Evidence:
        The guest's XML, live and stored.
    Fix:
        Remove all but one.
    Fix safety:
        Safe: the stored XML changes. Can be undone.
    References:
        F143; libvirt src/hypervisor/virhostdev.c.
    """
    if hostdev.times > 1:
        return fails(
            f"{hostdev.guest} names {hostdev.address} {hostdev.times} times",
            actual=hostdev.times,
            expected=1,
            evidence=hostdev.quote,
            acts="libvirt",
            cure=cures.drop_duplicate(hostdev.guest, hostdev.address or hostdev.raw),
        )
    require(hypervisor.guests.owner(hostdev))
    return passes(f"{hostdev.guest} names {hostdev.address} once", evidence=hostdev.quote)


@check("GST006", severity=BLOCKER, needs=["GST002", "DEV003"], refs=["F142"])
def test_device_is_managed_by_libvirt_or_detached(
    hypervisor: Hypervisor, hostdev: Hostdev
) -> Verdict:
    """Device is managed by libvirt or detached from the host

    Checks:
        That a hostdev without managed='yes' is on a VFIO driver. Without managed= it is not
        managed.
    Why it matters:
        Otherwise the guest does not start: "Unmanaged PCI device ... must be manually detached from
        the host". A device without any driver is refused too.
    Evidence:
        The guest's XML; the driver of the function.
    Fix:
        Set managed='yes', or detach the device at each boot.
    Fix safety:
        Safe: the stored XML changes. Can be undone.
    References:
        F142; libvirt src/hypervisor/virhostdev.c, virHostdevPreparePCIDevicesImpl.
    """
    if hostdev.kind == "commandline":
        return skips(
            f"libvirt does not know that {hostdev.guest} uses {hostdev.address or hostdev.raw}"
        )
    if hostdev.managed:
        require(hypervisor.guests.owner(hostdev))
        return passes(
            f"libvirt detaches {hostdev.address} for {hostdev.guest}", evidence=hostdev.quote
        )
    function = hypervisor.pci.get(hostdev.address) if hostdev.address else None
    if function is None:
        return skips(f"{hostdev.address or hostdev.raw} does not exist")
    if is_vfio_driver(function.driver):
        return passes(
            f"{hostdev.address} is detached from the host", evidence=function.quote("driver")
        )
    shown = f"is bound to {function.driver}" if function.driver else "has no driver"
    return fails(
        f"{hostdev.address} {shown}, and {hostdev.guest} has it with managed='no'",
        actual=function.driver or "no driver",
        expected="managed='yes', or bound to vfio-pci",
        evidence=[hostdev.quote, function.quote("driver")],
        acts="libvirt",
        cure=cures.manage(hostdev.guest, function.address),
    )


@check("GST009", severity=BLOCKER, refs=["F146", "F152"])
def test_guest_gets_the_device_through_libvirt(hypervisor: Hypervisor, hostdev: Hostdev) -> Verdict:
    """Guest gets the device through libvirt

    Checks:
        That no <qemu:commandline> holds a vfio-pci device.
    Why it matters:
        For a raw QEMU argument libvirt sets no device cgroup, no namespace node, no owner, no label
        and no limit of locked memory: "Permission denied", "Cannot allocate memory".
    Evidence:
        The guest's XML.
    Fix:
        Use <hostdev>; further properties belong into <qemu:override>.
    Fix safety:
        Unsafe: the guest's definition changes. Can be undone.
    References:
        F146, F152; libvirt, QEMU command-line passthrough.
    """
    if hostdev.kind != "commandline":
        return passes(
            f"libvirt assigns {hostdev.address} to {hostdev.guest}", evidence=hostdev.quote
        )
    return fails(
        f"{hostdev.guest} gets {hostdev.address or hostdev.raw} by a raw QEMU argument",
        actual="vfio-pci in <qemu:commandline>",
        expected="a <hostdev>",
        evidence=hostdev.quote,
        refs=["F146"],
        acts="libvirt",
        severity=DEGRADED if hostdev.live else None,  # it did start, by whatever was done for it
        cure=cures.use_hostdev(hostdev.guest, hostdev.address),
    )


@check("GST022", severity=BLOCKER, refs=["F141", "F166"])
def test_host_has_the_backend_that_the_guest_requests(
    hypervisor: Hypervisor, hostdev: Hostdev
) -> Verdict:
    """Host has the VFIO backend that the guest requests

    Checks:
        That no host device requests the driver kvm, which left the kernel with 4.12, and that
        /dev/iommu exists where one requests iommufd.
    Why it matters:
        Otherwise the guest does not start: "host doesn't support legacy PCI passthrough", or QEMU
        cannot open /dev/iommu.
    Evidence:
        The guest's XML; /dev/iommu.
    Fix:
        Remove the <driver> element: libvirt then uses VFIO.
    Fix safety:
        Safe: the stored XML changes. Can be undone.
    References:
        F141, F166; libvirt, Domain XML format, driver of a hostdev.
    """
    if hostdev.model == "kvm":
        return fails(
            f"{hostdev.guest} requests legacy assignment of {hostdev.address}",
            actual="driver kvm",
            expected="driver vfio, or none named",
            evidence=hostdev.quote,
            refs=["F141"],
            acts="libvirt",
            cure=cures.vfio_driver(hostdev.guest),
        )
    if not hostdev.iommufd:
        require(hypervisor.guests.owner(hostdev))
        return passes(
            f"{hostdev.guest} takes {hostdev.address} by a VFIO group", evidence=hostdev.quote
        )
    node = hypervisor.evidence.item("dev/iommu")
    if node.data:
        return passes("/dev/iommu exists", evidence=node.quote(node.text[:200]))
    require(node)
    return fails(
        f"{hostdev.guest} requests {hostdev.address} by iommufd, and /dev/iommu does not exist",
        actual="no /dev/iommu",
        expected="/dev/iommu",
        evidence=[hostdev.quote, node.quote()],
        refs=["F166"],
        acts="os",
        cure=cures.group_interface(hostdev.guest),
    )
