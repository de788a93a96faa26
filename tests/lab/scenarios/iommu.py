"""Firmware without tables, an IOMMU left off, interrupts that cannot be isolated, no-IOMMU mode."""

from tests.lab.fault import Fault
from tests.lab.parts import NIC, define, kernel_words

FAULTS = (
    Fault(
        "no-viommu",
        "trixie-bare",
        define("g1", NIC),
        refs=("F03", "F65"),
        quiet=("F21", "F31", "F71"),
    ),
    Fault("default-off", "classic", refs=("F21",), quiet=("F03", "F31", "F32")),
    Fault(
        "no-iommu-mode",
        "classic",
        f"""
        echo Y >/sys/module/vfio/parameters/enable_unsafe_noiommu_mode
        echo vfio-pci >/sys/bus/pci/devices/{NIC}/driver_override
        echo {NIC} >/sys/bus/pci/devices/{NIC}/driver/unbind
        echo {NIC} >/sys/bus/pci/drivers_probe
        test "$(cat /sys/kernel/iommu_groups/*/name)" = vfio-noiommu
        """,
        refs=("F62", "F21"),
    ),
    Fault(
        "intremap-off",
        "trixie-server",
        kernel_words("intremap=off"),
        reboot=True,
        after=define("g1", NIC),
        refs=("F44",),
        quiet=("F03", "F08"),
    ),
    Fault(
        "amd-iommu-off",
        "trixie-amd",
        kernel_words("amd_iommu=off"),
        reboot=True,
        after=define("g1", NIC),
        refs=("F22",),
        quiet=("F04", "F21"),
    ),
    Fault(
        "words-that-do-nothing-on-amd",
        "trixie-amd",
        kernel_words("amd_iommu=on intel_iommu=on"),
        reboot=True,
        after=define("g1", NIC),
        refs=("F26",),
        gates=False,
    ),
    Fault(
        "unsafe-interrupts-live",
        "trixie-server",
        define("g1", NIC) + "modprobe vfio_iommu_type1\n"
        "echo Y >/sys/module/vfio_iommu_type1/parameters/allow_unsafe_interrupts\n",
        refs=("F54", "F47"),
        gates=False,  # interrupts are remapped, so that nothing is open
        smoke=True,
    ),
    Fault(
        "unsafe-interrupts-configured",
        "trixie-server",
        kernel_words("vfio_iommu_type1.allow_unsafe_interrupts=1"),
        reboot=True,
        after=define("g1", NIC),
        refs=("F47", "F54"),
        gates=False,  # as above
    ),
)
