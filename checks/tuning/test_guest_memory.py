"""Guests and what their memory and vCPUs cost the assigned devices."""

from pytest_vfio.check import (
    ADVICE,
    BLOCKER,
    DEGRADED,
    Severity,
    Verdict,
    check,
    fails,
    passes,
    skips,
)
from pytest_vfio.cures import domain as cures
from pytest_vfio.evidence import Lack, Missing, Status
from pytest_vfio.facts.host.memory import cpuset
from pytest_vfio.facts.libvirt.guests import Domain
from pytest_vfio.facts.tristate import require
from pytest_vfio.hypervisor.demand import GIB, MIB
from pytest_vfio.hypervisor.hypervisor import Hypervisor
from pytest_vfio.parse.domainxml import DomainXml
from pytest_vfio.parse.hostdevs import Hostdev

#: From this size on, pinning and mapping 4 KiB pages is felt.
BIG = 16 * GIB


@check("TUN002", severity=DEGRADED, needs=["DEV001"], refs=["F181"])
def test_guest_is_placed_on_the_numa_node_of_its_device(
    hypervisor: Hypervisor, hostdev: Hostdev
) -> Verdict:
    """Guest is placed on the NUMA node of its device

    Checks:
        That at least one vCPU may run on the device's NUMA node, and that memory may come from it.
        A guest that is pinned nowhere is reported as advice.
    Why it matters:
        Otherwise every DMA and every interrupt crosses the sockets.
    Evidence:
        numa_node of the device, the CPUs of the nodes, vcpupin and numatune of the guest.
    Fix:
        Pin the guest to the node, or give it a device of its own node.
    Fix safety:
        Safe: takes effect at the guest's next start. Can be undone.
    References:
        F181; libvirt "Domain XML format", CPU Tuning, NUMA Node Tuning.
    """
    function = hypervisor.pci.get(hostdev.address) if hostdev.address else None
    if function is None:
        return skips(f"{hostdev.name} names no device of this host")
    node, nodes = function.numa_node, hypervisor.memory.nodes
    if node < 0 or len(nodes) == 1 or node not in nodes:
        return skips(f"{hostdev.address} is on node {node}, the host has {len(nodes)}")
    guest = next(one for one in hypervisor.guests.known if one.name == hostdev.guest)
    for domain in _documents(guest):
        what, severity = _apart(domain, node, nodes[node].cpus)
        if what:
            return fails(
                f"{hostdev.address} is on node {node}, and {hostdev.guest}'s {what}",
                actual=what,
                expected=f"node {node}",
                evidence=[domain.quote("vcpu"), function.quote("numa_node")],
                acts="libvirt",
                cure=cures.pin_guest(hostdev.guest, node),
                severity=severity,
            )
    require(guest)
    return passes(f"{hostdev.guest} is on node {node}, as is {hostdev.address}")


@check("TUN003", severity=ADVICE, refs=["F182"])
def test_large_guest_uses_hugepages(
    hypervisor: Hypervisor,
    guest: Domain,
) -> Verdict:
    """Large guest with assigned devices uses hugepages

    Checks:
        That a guest of more than 16 GiB with an assigned device has its memory in hugepages.
    Why it matters:
        Otherwise all of its memory is pinned and mapped at start, page by page: the start takes
        long, and the IOMMU's cache misses more often.
    Evidence:
        memory and memoryBacking of the guest.
    Fix:
        Reserve hugepages on the device's node and back the guest with them.
    Fix safety:
        Unsafe: pages of 1 GiB are reserved at boot. Can be undone.
    References:
        F182; Documentation/admin-guide/mm/hugetlbpage.rst.
    """
    size = hypervisor.demand.of(guest) if guest.hostdevs else 0
    for domain in _documents(guest) if size > BIG else ():
        if not domain.hugepages:
            return fails(
                f"{guest.name} has {size // GIB} GiB in 4 KiB pages",
                actual=f"{size // GIB} GiB without hugepages",
                expected="hugepages",
                evidence=domain.quote("memory"),
                acts="libvirt",
                cure=cures.hugepages(guest.name),
            )
    require(guest)
    if not guest.hostdevs:
        return skips(f"{guest.name} has no device of the host")
    if size <= BIG:
        return skips(f"{guest.name} has {size // GIB} GiB, which 4 KiB pages can serve")
    return passes(f"{guest.name} has its {size // GIB} GiB in hugepages")


@check("TUN009", severity=BLOCKER, refs=["F189"])
def test_pinned_memory_of_the_guests_fits_into_the_host_memory(
    hypervisor: Hypervisor, guest: Domain
) -> Verdict:
    """Pinned memory of the guests fits into the host's memory

    Checks:
        That the guest's memory fits into the host's memory: alone, and beside the guests with
        assigned devices that run now or have autostart as it does. The 1 GiB that libvirt adds is
        room in a limit, and not pinned.
    Why it matters:
        Memory of a guest with an assigned device is pinned whole. It is never swapped, shared or
        ballooned: the start fails, or the host kills what it needs.
    Evidence:
        MemTotal in /proc/meminfo; the memory of each guest that has an assigned device.
    Fix:
        Smaller guests, fewer at once, or more memory.
    Fix safety:
        Manual.
    References:
        F189, S32; libvirt src/qemu/qemu_domain.c, qemuDomainGetMemLockLimitBytes.
    """
    if not guest.hostdevs:
        require(guest)
        return skips(f"{guest.name} has no device of the host")
    demand, total = hypervisor.demand, hypervisor.memory.total
    need, others = demand.of(guest), demand.beside(guest)
    together = need + sum(map(demand.of, others))
    if together < total:
        require(demand)
        return passes(f"{guest.name} and those beside it pin {together // MIB} MiB")
    alone = need >= total
    names = "" if alone else f" beside {', '.join(other.name for other in others)}"
    return fails(
        f"{guest.name} pins {need // MIB} MiB{names}, the host has {total // MIB} MiB",
        actual=f"{(need if alone else together) // MIB} MiB pinned",
        expected=f"less than {total // MIB} MiB",
        evidence=[guest.documents[0].quote("memory"), hypervisor.memory.total_quote],
        acts="libvirt",
        cure=cures.smaller_guests(),
        severity=None if alone else DEGRADED,
    )


def _apart(domain: DomainXml, node: int, cpus: frozenset[int]) -> tuple[str, Severity | None]:
    """What keeps a guest off a node, in prose, and the severity; nothing where it is on it."""
    pinned = frozenset().union(*map(cpuset, domain.vcpupin.values()))
    strict = [cpuset(nodeset) for mode, nodeset in domain.numatune if mode == "strict" and nodeset]
    if pinned and not pinned & cpus:
        return f"vCPUs are pinned off node {node}", None
    if strict and node not in frozenset().union(*strict):
        return f"memory is kept off node {node}", None
    if not pinned and not any(nodeset for _, nodeset in domain.numatune):
        return "vCPUs and memory are pinned to no node", ADVICE
    return "", None


def _documents(guest: Domain) -> tuple[DomainXml, ...]:
    """Every description of the guest: as it runs, as it is stored, as it was pasted."""
    if not guest.documents:
        require(guest)
        raise Missing(Lack("virsh/dumpxml", Status.FAILED, f"nothing of {guest.name}"))
    return guest.documents
