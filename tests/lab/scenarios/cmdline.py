"""Words on the kernel command line, and the way from an editor to a running kernel."""

from tests.lab.fault import Fault
from tests.lab.parts import NIC, NIC_ID, define, grub_words, hostdev, kernel_words, write

UNMANAGED = define("g1", hostdev(NIC, managed="no"))
"""A guest whose device the command line is meant to set aside."""

FAULTS = (
    Fault(
        "off-comes-later",
        "trixie-server",
        kernel_words("intel_iommu=on iommu=pt intel_iommu=off"),
        reboot=True,
        refs=("F22",),
        quiet=("F03", "F21", "F31"),
        smoke=True,
    ),
    Fault(
        "iommu-off",
        "trixie-server",
        kernel_words("intel_iommu=on iommu=off"),
        reboot=True,
        refs=("F22",),
        quiet=("F03", "F21"),
    ),
    Fault(
        "token-behind-dashes",
        "classic",
        kernel_words("-- intel_iommu=on"),
        reboot=True,
        refs=("F39",),
        quiet=("F03", "F31", "F32"),
    ),
    Fault(
        "misspelt-token",
        "classic",
        kernel_words("intel_iommu=1"),
        reboot=True,
        refs=("F25",),
        quiet=("F03",),
    ),
    Fault(
        "wrong-vendor-token",
        "classic",
        kernel_words("amd_iommu=on"),
        reboot=True,
        refs=("F21", "F28", "F26"),
        quiet=("F03",),
    ),
    Fault(
        "configured-not-generated",
        "classic",
        grub_words("intel_iommu=on"),
        refs=("F31",),
        quiet=("F03", "F32"),
    ),
    Fault(
        "generated-not-booted",
        "classic",
        kernel_words("intel_iommu=on"),
        refs=("F32",),
        quiet=("F03", "F31"),
    ),
    Fault(
        "drop-in-overrides",
        "classic",
        write("/etc/default/grub.d/50-cloudimg.cfg", 'GRUB_CMDLINE_LINUX_DEFAULT="quiet"')
        + kernel_words("intel_iommu=on"),
        reboot=True,
        refs=("F37",),
        quiet=("F03", "F32"),
    ),
    Fault(
        "wrong-loader",
        "trixie-boot",
        write("/etc/default/grub", f'GRUB_CMDLINE_LINUX_DEFAULT="vfio-pci.ids={NIC_ID}"')
        + UNMANAGED,
        refs=("F33",),
    ),
    Fault(
        "loader-entry-not-regenerated",
        "trixie-boot",
        "sed -i 's/$/ intel_iommu=on iommu=pt vfio-pci.ids="
        + NIC_ID
        + "/' /etc/kernel/cmdline\n"
        + UNMANAGED,
        refs=("F31",),
        quiet=("F32",),
    ),
    Fault(
        "ids-with-a-dash",
        "trixie-server",
        kernel_words(f"vfio-pci-ids={NIC_ID}"),
        reboot=True,
        after=UNMANAGED,
        refs=("F40",),
    ),
    Fault(
        "ids-malformed",
        "classic",
        kernel_words("intel_iommu=on vfio-pci.ids=8086.10c9"),
        reboot=True,
        after=UNMANAGED,
        refs=("F41",),
        also=("F218",),  # the same, told of the device
        quiet=("F21",),
    ),
    Fault(
        "ids-given-twice",
        "classic",
        kernel_words(f"intel_iommu=on vfio-pci.ids={NIC_ID} vfio-pci.ids=8086:1572"),
        reboot=True,
        after=UNMANAGED,
        refs=("F42",),
        quiet=("F21",),
    ),
)
