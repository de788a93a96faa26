"""The whole table, in the order of its files: what is asked for most stands first."""

from __future__ import annotations

from pytest_vfio.parse.messages.row import Row
from pytest_vfio.parse.messages.rows import (
    iommu_other,
    libvirt_guests,
    libvirt_hostdev,
    pci_links,
    pci_resets,
    pci_resources,
    qemu_devices,
    qemu_groups,
    qemu_memory,
    qemu_other,
    shell,
    vfio_binding,
    vfio_use,
    vtd_faults,
    vtd_setup,
)

ROWS: tuple[Row, ...] = (
    *qemu_groups.ROWS,
    *qemu_devices.ROWS,
    *qemu_memory.ROWS,
    *qemu_other.ROWS,
    *libvirt_hostdev.ROWS,
    *libvirt_guests.ROWS,
    *vfio_binding.ROWS,
    *vfio_use.ROWS,
    *pci_resets.ROWS,
    *pci_resources.ROWS,
    *pci_links.ROWS,
    *vtd_faults.ROWS,
    *vtd_setup.ROWS,
    *iommu_other.ROWS,
    *shell.ROWS,
)
BY_ID = {row.id: row for row in ROWS}
