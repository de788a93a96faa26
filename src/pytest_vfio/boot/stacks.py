"""Which boot stack a host has: the only place that tells one from another."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from types import MappingProxyType

from pytest_vfio.boot.bls import Bls
from pytest_vfio.boot.grub import Grub
from pytest_vfio.boot.ostree import Ostree
from pytest_vfio.boot.other import Other
from pytest_vfio.boot.proxmox import Proxmox, manages
from pytest_vfio.boot.stack import Stack
from pytest_vfio.boot.systemd_boot import SystemdBoot
from pytest_vfio.boot.uki import Uki
from pytest_vfio.evidence import Missing
from pytest_vfio.facts.boot import chain
from pytest_vfio.facts.boot.chain import Boot

_STACKS: Mapping[str, Callable[[Boot], Stack]] = MappingProxyType(
    {
        chain.GRUB: Grub,
        chain.GRUB_BLS: Bls,
        chain.SYSTEMD_BOOT: SystemdBoot,
        chain.OSTREE: Ostree,
        chain.UKI: Uki,
    }
)
#: Those whose files proxmox-boot-tool makes.
_BY_PROXMOX = frozenset({chain.GRUB, chain.SYSTEMD_BOOT})


def stack_of(boot: Boot) -> Stack:
    """The stack that boots the host; words for a person where nobody knows which it is."""
    try:
        kind = boot.loader.kind
    except Missing:
        kind = chain.GRUB if boot.by_grub else ""
    if kind not in _STACKS:
        return Other()
    stack = _STACKS[kind](boot)
    return Proxmox(stack) if kind in _BY_PROXMOX and manages(boot.evidence) else stack
