"""How the guest's machine has to be built for an assigned device."""

from pytest_vfio.check import ADVICE, BLOCKER, DEGRADED, Verdict, check, fails, passes, skips
from pytest_vfio.cures import domain as cures
from pytest_vfio.facts.libvirt import layout
from pytest_vfio.facts.libvirt.guests import Domain
from pytest_vfio.facts.tristate import require
from pytest_vfio.hypervisor.hypervisor import Hypervisor
from pytest_vfio.parse.domainxml import DomainXml
from pytest_vfio.parse.hostdevs import Hostdev


def _assigned(guest: Domain) -> list[DomainXml]:
    """The guest's descriptions that have host devices."""
    return [document for document in guest.documents if document.hostdevs]


def _none(guest: Domain) -> Verdict:
    """No host device in what was read. Raises Missing where there may be one."""
    require(guest)
    return skips(f"{guest.name} has no host device")


@check("GST012", severity=ADVICE, refs=["F154"])
def test_guest_machine_type_is_not_i440fx(hypervisor: Hypervisor, guest: Domain) -> Verdict:
    """Guest's machine type is not i440fx

    Checks:
        That the machine type of a guest with host devices is not pc or pc-i440fx.
    Why it matters:
        On i440fx a device is conventional PCI: no extended configuration space, no link, no AER.
        Some GPU drivers refuse that, and there is no IOMMU for the guest.
    Evidence:
        The guest's XML.
    Fix:
        Use q35.
    Fix safety:
        Manual: to an installed guest that is other hardware.
    References:
        F154; QEMU docs/pcie.txt.
    """
    seen = _assigned(guest)
    for document in seen:
        if document.i440fx:
            return fails(
                f"{guest.name} has host devices on a {document.machine} machine",
                actual=document.machine,
                expected="q35",
                evidence=document.quote("machine"),
                acts="guest",
                cure=cures.q35(guest.name),
            )
    if not seen:
        return _none(guest)
    require(guest)
    return passes(f"{guest.name} is a {seen[0].machine} machine", evidence=seen[0].quote("machine"))


@check("GST013", severity=ADVICE, refs=["F155"])
def test_device_is_not_on_bus_0_of_the_guest(hypervisor: Hypervisor, hostdev: Hostdev) -> Verdict:
    """Device is not on bus 0 of the guest

    Checks:
        That a host device of a q35 guest is not placed on pcie.0 itself.
    Why it matters:
        There it would be an integrated endpoint: no link, no hot-unplug, a shared INTx.
    Evidence:
        The guest-side <address> of the hostdev.
    Fix:
        Place it behind a pcie-root-port of its own.
    Fix safety:
        Unsafe: the device moves inside the guest. Can be undone.
    References:
        F155; QEMU docs/pcie.txt.
    """
    domain = hypervisor.guests.owner(hostdev)
    placed = next(
        (d for d in domain.documents if hostdev.name in {h.name for h in d.hostdevs}), None
    )
    if placed is None or not placed.q35:
        require(domain)
        return skips(f"{hostdev.guest} has no PCI Express root")
    if hostdev.guest_address is None:
        require(domain)
        return skips(f"libvirt has not placed {hostdev.address or hostdev.raw} yet")
    if hostdev.guest_address.bus == 0:
        return fails(
            f"{hostdev.address} is at {hostdev.guest_address} in {hostdev.guest}, on pcie.0",
            actual="bus 0",
            expected="behind a pcie-root-port",
            evidence=hostdev.quote,
            acts="guest",
            cure=cures.root_port(hostdev.guest),
        )
    require(domain)
    return passes(f"{hostdev.address} is at {hostdev.guest_address} in {hostdev.guest}")


@check("GST014", severity=ADVICE, refs=["F156"])
def test_running_guest_has_a_free_root_port(hypervisor: Hypervisor, guest: Domain) -> Verdict:
    """Running guest has a free root port

    Checks:
        That a running q35 guest with host devices has an empty pcie-root-port.
    Why it matters:
        A device can be plugged into an empty root port only, and ports can be added only to a guest
        that is off: "No more available PCI slots".
    Evidence:
        The controllers and addresses of the live XML.
    Fix:
        Add spare root ports before the next start.
    Fix safety:
        Unsafe: the guest's definition changes. Can be undone.
    References:
        F156; libvirt src/conf/domain_addr.c.
    """
    require(*guest.lacks("running"))
    if not guest.running:
        return skips(f"{guest.name} does not run")
    require(*guest.lacks("live"))
    live = guest.live
    if live is None or not live.hostdevs or not live.q35:
        return skips(f"{guest.name} has no host device behind a PCI Express root")
    free = layout.free_ports(live)
    if free:
        return passes(f"{guest.name} has {free} free root ports", evidence=live.quote("name"))
    return fails(
        f"{guest.name} has no free root port",
        actual="0 free root ports",
        expected="one or more",
        evidence=live.quote("name"),
        acts="guest",
        cure=cures.spare_ports(guest.name),
    )


@check("GST015", severity=DEGRADED, refs=["F157"])
def test_every_assigned_function_is_visible_to_the_guest(
    hypervisor: Hypervisor, guest: Domain
) -> Verdict:
    """Every assigned function is visible to the guest

    Checks:
        That each host device on function 1 to 7 of a guest slot has a function 0 beside it with
        multifunction='on'.
    Why it matters:
        The guest looks at function 0 first, and at the others only if it announces them. GPU
        drivers look for their audio function at .1.
    Evidence:
        The guest-side addresses in the guest's XML.
    Fix:
        Give the first device function 0 and multifunction='on'.
    Fix safety:
        Unsafe: devices move inside the guest. Can be undone.
    References:
        F157; PCI Local Bus 3.0, 6.2.1, header type.
    """
    seen = _assigned(guest)
    for document in seen:
        for slot, fault, hostdev in layout.broken_slots(document):
            return fails(
                f"{hostdev.address} is invisible in {guest.name}: its guest slot {slot} {fault}",
                actual=fault,
                expected="a function 0 with multifunction='on'",
                evidence=hostdev.quote,
                acts="guest",
                cure=cures.multifunction(guest.name, slot),
            )
    require(guest)
    if not seen:
        return _none(guest)
    return passes(f"{guest.name} sees all functions", evidence=seen[0].hostdevs[0].quote)


@check("GST016", severity=BLOCKER, refs=["F158"])
def test_guest_own_iommu_allows_assigned_devices(hypervisor: Hypervisor, guest: Domain) -> Verdict:
    """Guest's own IOMMU allows assigned devices

    Checks:
        In a guest with host devices and an IOMMU of its own: caching_mode on, for intremap the
        ioapic of QEMU, for eim intremap, eim for more than 255 vCPUs, and no AMD model.
    Why it matters:
        Otherwise QEMU refuses: "We need to set caching-mode=on for intel-iommu to enable device
        assignment".
    Evidence:
        The guest's XML.
    Fix:
        Set what is missing, or remove the guest's IOMMU.
    Fix safety:
        Unsafe: the guest's definition changes. Can be undone.
    References:
        F158; QEMU hw/i386/intel_iommu.c, amd_iommu.c; libvirt src/qemu/qemu_validate.c.
    """
    seen = [(document, document.viommu) for document in _assigned(guest) if document.viommu]
    for document, viommu in seen:
        for fault, setting in layout.viommu_faults(document):
            return fails(
                f"{guest.name} cannot have host devices below its IOMMU: {fault}",
                actual=fault,
                expected=setting,
                evidence=viommu.quote,
                acts="guest",
                cure=cures.viommu(guest.name, setting),
            )
    require(guest)
    if not seen:
        return skips(f"{guest.name} has no IOMMU of its own over host devices")
    return passes(f"the IOMMU of {guest.name} allows host devices", evidence=seen[0][1].quote)


@check("GST017", severity=ADVICE, refs=["F01"])
def test_guest_is_not_emulated(hypervisor: Hypervisor, guest: Domain) -> Verdict:
    """Guest is not emulated

    Checks:
        That the domain type of a guest with host devices is kvm.
    Why it matters:
        An emulated guest is slower by tens of times; the device does not help.
    Evidence:
        The guest's XML.
    Fix:
        Set the type to kvm.
    Fix safety:
        Unsafe: the guest's definition changes. Can be undone.
    References:
        F01; libvirt, Domain XML format.
    """
    seen = _assigned(guest)
    for document in seen:
        if document.type == "qemu":
            return fails(
                f"{guest.name} has host devices and runs by emulation",
                actual="type qemu",
                expected="type kvm",
                evidence=document.quote("domain"),
                acts="libvirt",
                cure=cures.kvm(guest.name),
            )
    require(guest)
    if not seen:
        return _none(guest)
    return passes(f"{guest.name} is of type {seen[0].type}", evidence=seen[0].quote("domain"))


@check("GST018", severity=BLOCKER, refs=["F168"])
def test_guest_does_not_mix_two_forms_of_boot_order(
    hypervisor: Hypervisor, guest: Domain
) -> Verdict:
    """Guest does not mix two forms of boot order

    Checks:
        That no host device has <boot order=> beside <boot dev=> in <os>.
    Why it matters:
        Otherwise libvirt refuses the guest: "per-device boot elements cannot be used together with
        os/boot elements".
    Evidence:
        The guest's XML.
    Fix:
        Keep one of them.
    Fix safety:
        Safe: the stored XML changes. Can be undone.
    References:
        F168; libvirt src/conf/domain_postparse.c.
    """
    seen = _assigned(guest)
    for document in seen:
        ordered = [hostdev for hostdev in document.hostdevs if hostdev.boot_order is not None]
        if document.os_boot and ordered:
            return fails(
                f"{guest.name} has a boot order in <os> and one at {ordered[0].address}",
                actual="both forms of boot order",
                expected="one of them",
                evidence=[document.quote("boot"), ordered[0].quote],
                acts="libvirt",
                cure=cures.one_boot_order(guest.name),
            )
    require(guest)
    if not seen:
        return _none(guest)
    return passes(f"{guest.name} has one form of boot order", evidence=seen[0].quote("name"))
