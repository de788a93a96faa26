"""Cures in the host's memory and interrupts: hugepages, affinity."""

from __future__ import annotations

from pytest_vfio.boot.stacks import stack_of
from pytest_vfio.facts.boot.chain import Boot
from pytest_vfio.steps import ByHand, Cure, Reboot, Step
from pytest_vfio.steps.host import WriteSysfs

_GIB = 1 << 20


def reserve_hugepages(boot: Boot, size: int, count: int, now: int) -> Cure:
    """Small ones now and at boot; of 1 GiB only at boot, before memory is in pieces."""
    path = f"/sys/kernel/mm/hugepages/hugepages-{size}kB/nr_hugepages"
    unit = f"{size // _GIB}G" if size >= _GIB else f"{size // 1024}M"
    words = (f"hugepagesz={unit}", f"hugepages={count}")
    stack = stack_of(boot)
    lasting: tuple[Step, ...] = (*stack.add(words), *stack.generate())
    here = (Reboot(),) if size >= _GIB else (WriteSysfs(path, str(count), str(now)),)
    return Cure(f"reserve {count} hugepages of {size} KiB", (*lasting, *here))


def local_interrupts(address: str, node: int) -> Cure:
    """Takes effect at once, until the guest starts again."""
    words = (
        f"write the CPUs of node {node} to /proc/irq/N/smp_affinity_list for each vfio interrupt of "
        f"{address} in /proc/interrupts, and keep irqbalance from moving them (--banirq N)"
    )
    return Cure(f"handle the interrupts of {address} on CPUs of node {node}", (ByHand(words),))
