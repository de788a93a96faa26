"""Where assigned devices sit inside a guest, and what is still free there.

Follows libvirt's `src/conf/domain_addr.c` and QEMU's q35: bus 0 is the root complex, each
`pcie-root-port` makes a bus with one slot that takes a hot-plugged device; function 0 of a slot
announces the others, if it says multifunction.
"""

from __future__ import annotations

from collections.abc import Iterator

from pytest_vfio.facts.libvirt.guests import Domain
from pytest_vfio.parse.domainxml import DomainXml
from pytest_vfio.parse.hostdevs import GuestAddress, Hostdev


def free_ports(document: DomainXml) -> int | None:
    """How many root ports have nothing plugged in; None where libvirt has not placed them yet."""
    ports = [c.index for c in document.controllers if c.model in ("pcie-root-port", "ioh3420")]
    if None in ports or (not ports and not document.occupied):
        return None
    used = {address.bus for address in document.occupied}
    return sum(index not in used for index in ports)


def broken_slots(document: DomainXml) -> Iterator[tuple[str, str, Hostdev]]:
    """(slot, what is wrong, a hostdev in it) for each slot whose functions the guest cannot see."""
    slots: dict[tuple[int, int], list[GuestAddress]] = {}
    for address in document.occupied:
        slots.setdefault((address.bus, address.slot), []).append(address)
    for hostdev in document.hostdevs:
        at = hostdev.guest_address
        if at is None or at.function == 0:
            continue
        first = [one for one in slots.get((at.bus, at.slot), ()) if one.function == 0]
        slot = f"{at.bus:02x}:{at.slot:02x}"
        if not first:
            yield slot, "has no function 0", hostdev
        elif not any(one.multifunction for one in first):
            yield slot, "has a function 0 without multifunction='on'", hostdev


def memlock(document: DomainXml) -> int | None:
    """What libvirt would let QEMU lock, in KiB; None where no host device is assigned.

    qemuDomainGetMemLockLimitBytes(): memory, times the number of devices where the guest has an
    IOMMU of its own (each device then has an address space), plus 1 GiB.
    """
    devices = len(document.hostdevs)
    if not devices or document.memory is None:
        return None
    times = devices if document.viommu is not None and document.viommu.model != "virtio" else 1
    return document.memory * times + 1024 * 1024


def viommu_faults(document: DomainXml) -> Iterator[tuple[str, str]]:
    """(what is wrong, the setting that cures it) of a guest's own IOMMU under assigned devices."""
    iommu = document.viommu
    if iommu is None:
        return
    driver = iommu.driver
    if iommu.model == "amd":
        yield "an AMD IOMMU cannot have assigned devices below it", "model='intel'"
        return
    if iommu.model != "intel":
        return
    if driver.get("caching_mode") != "on":
        yield "caching_mode is off", "caching_mode='on'"
    if driver.get("intremap") == "on" and document.ioapic not in (None, "qemu"):
        yield f"intremap is on and the ioapic driver is {document.ioapic}", "ioapic driver='qemu'"
    if driver.get("eim") == "on" and driver.get("intremap") != "on":
        yield "eim is on without intremap", "intremap='on'"
    if (document.vcpus or 0) > 255 and driver.get("eim") != "on":
        yield f"{document.vcpus} vCPUs and eim is off", "intremap='on' eim='on'"


def together(domains: list[Domain]) -> tuple[list[Domain], str] | None:
    """Those of the guests that are on at the same time, and how; None where fewer than two are."""
    running = [domain for domain in domains if domain.running]
    if len(running) > 1:
        return running, "run"
    starting = [domain for domain in domains if domain.autostart]
    if len(starting) > 1:
        return starting, "start by themselves"
    return None
