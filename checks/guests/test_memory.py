"""A guest's memory is pinned while it has a device: it has to be allowed, and to be available."""

from pytest_vfio.check import BLOCKER, DEGRADED, Verdict, check, fails, passes, skips
from pytest_vfio.cures import domain as domain_cures
from pytest_vfio.cures import memory as memory_cures
from pytest_vfio.facts.libvirt import layout
from pytest_vfio.facts.libvirt.guests import Domain
from pytest_vfio.facts.tristate import require
from pytest_vfio.hypervisor import hugepages
from pytest_vfio.hypervisor.hypervisor import Hypervisor


@check("GST010", severity=BLOCKER, refs=["F147", "S32"])
def test_guest_may_lock_enough_memory(hypervisor: Hypervisor, guest: Domain) -> Verdict:
    """Guest may lock enough memory for VFIO

    Checks:
        That a <hard_limit> leaves room for the guest's memory and 1 GiB; for each device, where
        the guest has an IOMMU of its own. Without <hard_limit> libvirt sets as much.
    Why it matters:
        Otherwise "VFIO_MAP_DMA failed: Cannot allocate memory": hard_limit replaces what libvirt
        calculates.
    Evidence:
        The guest's XML, live and stored.
    Fix:
        Remove <hard_limit>.
    Fix safety:
        Unsafe: the guest's definition changes. Can be undone.
    References:
        F147, S32; libvirt src/qemu/qemu_domain.c, qemuDomainGetMemLockLimitBytes.
    """
    seen = []
    for document in guest.documents:
        needed, limit = layout.memlock(document), document.hard_limit
        if needed is None:
            continue
        seen.append(document)
        if limit is not None and limit < needed:
            return fails(
                f"{guest.name} may lock {limit} KiB and needs {needed} KiB",
                actual=f"hard_limit {limit} KiB",
                expected=f"{needed} KiB or more, or no hard_limit",
                evidence=[document.quote("hard_limit"), document.quote("memory")],
                acts="libvirt",
                severity=DEGRADED if limit >= (document.memory or 0) else None,  # RAM itself fits
                cure=domain_cures.drop_hard_limit(guest, limit),
            )
    require(guest)
    if not seen:
        return skips(f"{guest.name} has no host device")
    return passes(f"{guest.name} may lock its memory", evidence=seen[0].quote("memory"))


@check("GST019", severity=DEGRADED, refs=["F161"])
def test_guest_does_not_rely_on_ballooning(hypervisor: Hypervisor, guest: Domain) -> Verdict:
    """Guest does not rely on memory ballooning

    Checks:
        That <currentMemory> is <memory> in a guest with host devices.
    Why it matters:
        All of <memory> is pinned when the guest starts: ballooning and overcommit save nothing,
        and the host may run out of memory at the guest's start.
    Evidence:
        The guest's XML, live and stored.
    Fix:
        Make both equal, as large as the host can spare.
    Fix safety:
        Unsafe: the guest's definition changes. Can be undone.
    References:
        F161; QEMU hw/vfio/container.c.
    """
    seen = [document for document in guest.documents if document.hostdevs]
    for document in seen:
        now, most = document.current_memory, document.memory
        if now is not None and most is not None and now < most:
            return fails(
                f"{guest.name} has currentMemory {now} KiB, and {most} KiB are pinned",
                actual=f"currentMemory {now} KiB",
                expected=f"{most} KiB",
                evidence=document.quote("memory"),
                acts="guest",
                cure=domain_cures.fit_memory(guest, most, now),
            )
    require(guest)
    if not seen:
        return skips(f"{guest.name} has no host device")
    return passes(f"{guest.name} has all of its memory", evidence=seen[0].quote("memory"))


@check("GST020", severity=BLOCKER, refs=["F167"])
def test_host_has_enough_hugepages(hypervisor: Hypervisor, guest: Domain) -> Verdict:
    """Host has enough hugepages for the guest

    Checks:
        That the host's pool of the page size which the guest requests can hold its memory.
    Why it matters:
        Otherwise the guest does not start: "unable to map backing store for guest RAM".
    Evidence:
        The guest's XML; the pools of /sys/devices/system/node and /proc/meminfo.
    Fix:
        Reserve hugepages at boot, on the right node.
    Fix safety:
        Unsafe: the memory is lost to the host. Can be undone.
    References:
        F167; kernel Documentation/admin-guide/mm/hugetlbpage.rst; QEMU util/oslib-posix.c.
    """
    backed = [document for document in guest.documents if document.hugepages and document.memory]
    if not backed:
        require(guest)
        return skips(f"{guest.name} does not request hugepages")
    for document in backed:
        need = hugepages.of(hypervisor, document)
        if need.there < need.wanted:
            return fails(
                f"{guest.name} needs {need.wanted} hugepages of {need.size} KiB, the host has"
                f" {need.there}",
                actual=f"{need.there} pages",
                expected=f"{need.wanted} pages",
                evidence=[document.quote("hugepages"), need.quote],
                cure=memory_cures.reserve_hugepages(
                    hypervisor.boot, need.size, need.wanted, need.there
                ),
            )
    require(guest)
    return passes(f"the host's hugepages hold {guest.name}", evidence=backed[0].quote("hugepages"))
