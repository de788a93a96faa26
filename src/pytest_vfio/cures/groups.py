"""Cures of IOMMU groups."""

from __future__ import annotations

from collections.abc import Iterable

from pytest_vfio.cures import MANUAL, SAFE, UNSAFE, told
from pytest_vfio.steps import Cure


def free_members(addresses: Iterable[str]) -> Cure:
    """The rest of the group goes with the device, or goes without a driver.

    What the host lives on is never detached: the safety checks say so.
    """
    names = tuple(addresses)
    nodes = [f"pci_{name.replace(':', '_').replace('.', '_')}" for name in names]
    return told(
        UNSAFE,
        f"give {', '.join(names)} to the same guest, or detach them from the host",
        (
            *(f"virsh nodedev-detach {node}" for node in nodes),
            "only if the host can do without them; otherwise use another slot",
        ),
        undo=True,
    )


def free_bridge(address: str, driver: str) -> Cure:
    """A bridge needs pcieport, or no driver."""
    return told(
        UNSAFE,
        f"unbind {driver} from the bridge {address}",
        (f"echo {address} > /sys/bus/pci/drivers/{driver}/unbind",),
        undo=True,
    )


def separate() -> Cure:
    """Isolation comes from hardware."""
    return told(
        MANUAL,
        "give all members to one guest, or move the card to a slot that isolates",
        (
            "firmware: ACS and ARI enabled (AMD: AER as well)",
            "a slot at the CPU instead of the chipset",
            "a kernel that knows the part's own isolation",
            "never pcie_acs_override: it only hides that there is none",
        ),
        reboot=True,
    )


def vfio_node(number: int) -> Cure:
    """udev makes the node."""
    return told(
        SAFE,
        f"let udev make /dev/vfio/{number} again",
        ("udevadm trigger --subsystem-match=vfio", f"ls -l /dev/vfio/{number}"),
    )


def real_iommu() -> Cure:
    """No-IOMMU mode is of no use to guests."""
    return told(
        MANUAL,
        "switch no-IOMMU mode off and enable a real IOMMU",
        (
            "remove enable_unsafe_noiommu_mode from modprobe.d and the command line",
            "enable VT-d, AMD-Vi or the SMMU in the firmware and the kernel",
        ),
        reboot=True,
    )
