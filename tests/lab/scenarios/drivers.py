"""The wrong driver has the device, and the many reasons why."""

from tests.lab.fault import Fault, Intent
from tests.lab.parts import NIC, NIC_ID, bind, define, device, hostdev, kernel_words, write

UNMANAGED = define("g1", hostdev(NIC, managed="no"))
RAW = Intent(f'{{address = "{NIC}", managed = false}}')
MODPROBE_IDS = write(
    "/etc/modprobe.d/vfio.conf", f"options vfio-pci ids={NIC_ID}\nsoftdep igb pre: vfio-pci"
)

FAULTS = (
    Fault(
        "never-detached",
        "trixie-server",
        UNMANAGED,
        refs=("F142", "F71"),
        quiet=("F31", "F74"),
        smoke=True,
    ),
    Fault(
        "never-detached-seen-without-rights",
        "trixie-server",
        UNMANAGED,
        account="viewer",
        refs=("F142", "F71"),
        quiet=("F03", "F21", "F74"),
        witness=True,
    ),
    Fault(
        "walk-through-on-bullseye",
        "bullseye",
        kernel_words(f"intel_iommu=on iommu=pt vfio-pci.ids={NIC_ID}"),
        reboot=True,
        after=UNMANAGED,
        refs=("F74", "F75"),
        quiet=("F21", "F41"),
    ),
    Fault(
        "options-not-in-initramfs",
        "trixie-server",
        MODPROBE_IDS,
        reboot=True,
        after=UNMANAGED,
        refs=("F74",),
    ),
    Fault(
        "modprobe-d-for-a-built-in",
        "classic",
        kernel_words("intel_iommu=on") + MODPROBE_IDS,
        reboot=True,
        after=UNMANAGED,
        refs=("F73",),
        quiet=("F74",),
    ),
    Fault(
        "vfio-forbidden",
        "trixie-server",
        write("/etc/modprobe.d/no-vfio.conf", "blacklist vfio-pci\ninstall vfio-pci /bin/false")
        + define("g1", NIC),
        refs=("F72",),
        smoke=True,
    ),
    Fault(
        "stale-override",
        "trixie-server",
        f"echo none >{device(NIC)}/driver_override; echo {NIC} >{device(NIC)}/driver/unbind\n"
        + UNMANAGED,
        refs=("F79",),
        smoke=True,
    ),
    Fault(
        "stub-on-the-target",
        "trixie-server",
        bind(NIC, "pci-stub") + UNMANAGED,
        refs=("F89",),
    ),
    Fault(
        "blacklist-only",
        "trixie-server",
        write("/etc/modprobe.d/no-igb.conf", "blacklist igb") + UNMANAGED,
        intent=RAW,
        refs=("F142", "F71", "F85"),
    ),
)
