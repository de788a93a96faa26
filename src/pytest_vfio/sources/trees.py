"""The rows of the table of items that are trees: folders of small files, read in one go.

A file that is read besides is one more `part(..., since=...)` of its tree.
"""

from __future__ import annotations

from pytest_vfio.sources.row import Row, own, part, tree

TREES: tuple[Row, ...] = (
    tree(
        "sys/class/iommu",
        secrets=False,
        parts=(part("links", "./* ./*/devices/*"), part("values", "*/intel-iommu/* */amd-iommu/*")),
    ),
    tree(
        "sys/kernel/iommu_groups",
        secrets=False,
        parts=(
            part("names", "*/"),
            part("values", "*/type */name */reserved_regions"),
            part("links", "./*/devices/*"),
        ),
    ),
    own(
        "sys/bus/pci/devices",
        limit=5,
        function="pci_devices",
        secrets=False,
        parts=(
            part(
                "values",
                """
                */vendor */device */subsystem_vendor */subsystem_device */class */revision */irq
                */numa_node */local_cpulist */modalias */resource */enable */boot_vga */msi_bus
                */power_state */power/runtime_status */power/control */d3cold_allowed
                */ari_enabled */broken_parity_status */sriov_totalvfs */sriov_offset
                */sriov_stride */sriov_vf_device */sriov_drivers_autoprobe
                */aer_dev_correctable */aer_dev_fatal */aer_dev_nonfatal""",
            ),
            part("links", "*/driver */iommu_group */iommu */physfn */virtfn* */subsystem"),
            part(
                "names",
                """
                */reset */rom */vpd */net/* */msi_irqs/* */vfio-dev/* */mdev_supported_types/*
                */drm/* */nvme/*""",
            ),
            part(
                "awake",
                """
                */max_link_speed */max_link_width */current_link_speed */current_link_width
                */secondary_bus_number */subordinate_bus_number""",
            ),
            part("locked", "*/driver_override */sriov_numvfs */reset_method"),
        ),
    ),
    tree("sys/bus/pci/drivers", secrets=False, parts=(part("names", "*"),)),
    tree(
        "sys/module",
        sos=("sys/module/",),
        parts=(
            part("names", "*"),
            part(
                "values",
                """
                */initstate vfio*/parameters/* kvm*/parameters/* iommu*/parameters/*
                pci*/parameters/* irqbypass/parameters/* intel_iommu/parameters/*""",
            ),
        ),
    ),
    tree(
        "sys/class/dmi/id",
        secrets=False,
        sos=("sys/class/dmi/id/", "sys/devices/virtual/dmi/id/"),
        parts=(
            part(
                "flat",
                """
                bios_* board_name board_vendor board_version chassis_type chassis_vendor
                product_name product_version product_family product_sku sys_vendor""",
            ),
        ),
    ),
    tree(
        "sys/hypervisor",
        parts=(
            part("flat", "type uuid"),
            part("values", "version/* properties/capabilities properties/features"),
        ),
    ),
    tree(
        "sys/devices/system/node",
        sos=("sys/devices/system/node/",),
        parts=(
            part("flat", "online possible has_cpu has_memory"),
            part(
                "values",
                """
                node*/cpulist node*/meminfo node*/distance
                node*/hugepages/*/nr_hugepages node*/hugepages/*/free_hugepages""",
            ),
        ),
    ),
    tree(
        "sys/bus/thunderbolt/devices",
        secrets=False,
        parts=(
            part("names", "*"),
            part(
                "values",
                """
                */security */iommu_dma_protection */authorized */device_name */vendor_name""",
            ),
        ),
    ),
    tree(
        "sys/class/block",
        secrets=False,
        parts=(
            part("links", "./*"),
            part(
                "values",
                """
                */dev */size */partition */removable */ro */dm/name */dm/uuid */md/level
                */md/array_state */loop/backing_file""",
            ),
            part("names", "*/slaves/* */holders/*"),
        ),
    ),
)
#: Apart, for it waits for the lock of all interfaces.
INTERFACES = tree(
    "sys/class/net",
    secrets=False,
    waits="rtnl",
    parts=(
        part("links", "./* ./*/master ./*/device ./*/lower_* ./*/upper_* ./*/device/physfn"),
        part(
            "values",
            """
            */address */operstate */flags */mtu */ifindex */type */addr_assign_type */dev_id
            */bonding/mode */bonding/slaves */bonding/active_slave */bridge/bridge_id
            */bridge/stp_state""",
        ),
        part("names", "*/lower_* */upper_* */brif/* */bridge */bonding"),
    ),
)
