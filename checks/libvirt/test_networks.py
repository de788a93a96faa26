"""Networks that assign VFs to guests need enough of them."""

import itertools

from pytest_vfio.check import BLOCKER, Verdict, check, fails, passes, skips
from pytest_vfio.cures import sriov as cures
from pytest_vfio.facts.tristate import require
from pytest_vfio.hypervisor import pools
from pytest_vfio.hypervisor.hypervisor import Hypervisor


@check("LIB008", severity=BLOCKER, needs=["LIB001"], refs=["F136"])
def test_every_network_that_assigns_vfs_has_enough(hypervisor: Hypervisor) -> Verdict:
    """Every network that assigns VFs has enough of them

    Checks:
        For each network with forward mode hostdev: that its VFs are at least as many as the
        interfaces that guests which run, or have autostart, take from it.
    Why it matters:
        Otherwise the guest that comes last does not start: "network requires exclusive access to
        interfaces, but none are available".
    Evidence:
        The networks, the guests' interfaces, the VFs of the pool's PF.
    Fix:
        Create more VFs, or let fewer guests have autostart.
    Fix safety:
        Unsafe: the number of VFs changes only through 0, which takes them from running guests.
    References:
        F136; libvirt src/network/bridge_driver.c, networkAllocatePort.
    """
    found = [pools.of(hypervisor, one) for one in hypervisor.libvirt.known_networks if one.is_pool]
    for pool in found:
        if pool.vfs is not None and len(pool.takers) > len(pool.vfs):
            takers = ", ".join(dict.fromkeys(pool.takers))
            return fails(
                f"network {pool.network.name} has {len(pool.vfs)} VFs, and {takers}"
                f" need {len(pool.takers)} at once",
                actual=f"{len(pool.vfs)} VFs",
                expected=f"{len(pool.takers)} VFs or more",
                evidence=pool.network.quote,
                acts="libvirt",
                cure=cures.more_vfs(pool.network.name, pool.network.pf),
            )
    if not any(network.is_pool for network in hypervisor.libvirt.networks):
        return skips("no network assigns VFs to guests")
    states = (one.lacks("running", "autostart") for one in hypervisor.guests.domains)
    require(*itertools.chain.from_iterable(states), *found)
    counts = [f"{pool.network.name} {len(pool.takers)} of {len(pool.vfs or ())}" for pool in found]
    return passes(
        f"VFs needed at once: {', '.join(counts)}", evidence=[p.network.quote for p in found]
    )
