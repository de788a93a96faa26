"""Who binds a device to a VFIO driver, and when: now, or libvirt when a guest starts.

libvirt detaches a managed hostdev from whatever driver it has at the guest's start
(`virHostdevPreparePCIDevices`, `src/hypervisor/virhostdev.c`), so a device of a guest that is off
may rest on its host driver (S21). An unmanaged one, and any device of a running guest, may not.
Nobody binds what a guest takes by a raw QEMU argument, past libvirt (F146). Where the inventory
names a guest that does not name the device yet, it depends on how that guest will.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import msgspec

from pytest_vfio.evidence import Quote
from pytest_vfio.facts.tristate import known

if TYPE_CHECKING:
    from pytest_vfio.facts.libvirt.guests import Domain
    from pytest_vfio.hypervisor.hypervisor import Hypervisor
    from pytest_vfio.hypervisor.intent import IntendedDevice
    from pytest_vfio.parse.hostdevs import Hostdev


class Handover(msgspec.Struct, frozen=True):
    """When the device has to be on a VFIO driver. `guest` is the one that decides it, if any.

    `now` is None where the guest is yet to be given the device. `raw`: it is taken past libvirt.
    """

    now: bool | None
    why: str
    guest: str | None = None
    quotes: tuple[Quote, ...] = ()
    raw: bool = False


def of(hypervisor: Hypervisor, device: IntendedDevice) -> Handover:
    """When the device has to be bound. Raises Missing where a guest that was not read decides."""
    takers = hypervisor.guests.holding(device.address) if device.address else ()
    for domain, hostdev in takers:
        verdict = _must(domain, hostdev)
        if verdict is not None:
            return verdict
    wanted = device.wanted.managed if device.wanted is not None else None
    if wanted is False:
        return Handover(True, "the inventory says managed = false")
    domains = hypervisor.guests.domains
    if takers:
        name, quote = takers[0][0].name, takers[0][1].quote
        return Handover(False, f"libvirt binds it when {name} starts", name, (quote,))
    if wanted:
        return Handover(False, "the inventory says that libvirt manages it")
    if device.guest:
        why = f"{device.guest}, which is to have it, does not name it yet"
        return Handover(None, why, device.guest)
    for domain in domains:
        for hostdev in domain.hostdevs if device.address else ():
            if hostdev.address and known(hypervisor.pci.get, hostdev.address) is None:
                why = f"{domain.name} names {hostdev.address}, which does not exist"
                return Handover(None, why, domain.name, (hostdev.quote,))
    return Handover(
        True, "no guest has it as a managed hostdev" if domains else "there is no guest"
    )


def _must(domain: Domain, hostdev: Hostdev) -> Handover | None:
    """What one guest demands now; None where libvirt will see to it at the guest's start."""
    if hostdev.kind == "commandline":
        why = f"{domain.name} takes it by a raw QEMU argument, for which nobody binds it"
        return Handover(True, why, domain.name, (hostdev.quote,), raw=True)
    if not hostdev.managed:
        why = f"{domain.name} has it with managed='no'"
        return Handover(True, why, domain.name, (hostdev.quote,))
    if hostdev.live:
        return Handover(True, f"{domain.name} runs with it", domain.name, (hostdev.quote,))
    return None


def released(hypervisor: Hypervisor, where: str) -> bool:
    """libvirt detaches the function when a guest that has other members of its group starts.

    True where some known guest has it as a managed hostdev.
    """
    return any(hostdev.managed for _, hostdev in hypervisor.guests.holding(where))
