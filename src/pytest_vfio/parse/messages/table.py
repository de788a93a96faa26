"""The whole table, in the order of its files: what is asked for most stands first."""

from __future__ import annotations

from pytest_vfio.parse.messages.row import Row
from pytest_vfio.parse.messages.rows import (
    access,
    containers,
    gpus,
    host_devices,
    iommu_other,
    kvm_and_modules,
    libvirt_guests,
    libvirt_hostdev,
    libvirt_xml,
    nics,
    pci_links,
    pci_resets,
    pci_resources,
    proxmox,
    qemu_devices,
    qemu_groups,
    qemu_memory,
    qemu_other,
    shell,
    tools_and_scripts,
    vfio_binding,
    vfio_use,
    vtd_faults,
    vtd_setup,
)

_FILES = (
    *(qemu_groups, qemu_devices, qemu_memory, qemu_other),
    *(libvirt_hostdev, libvirt_guests, libvirt_xml),
    *(vfio_binding, vfio_use, pci_resets, pci_resources, pci_links),
    *(vtd_faults, vtd_setup, iommu_other),
    *(nics, gpus, host_devices, kvm_and_modules, access),
    *(proxmox, containers, shell, tools_and_scripts),
)

ROWS: tuple[Row, ...] = tuple(row for file in _FILES for row in file.ROWS)
BY_ID = {row.id: row for row in ROWS}
