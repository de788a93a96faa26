"""Cures that somebody has to carry out in the firmware's setup, or where the machine is made.

All of them are manual: the plugin never writes firmware.
"""

from __future__ import annotations

from pytest_vfio.cures import MANUAL, told
from pytest_vfio.steps import Cure

#: What vendors call it, by the first word of the DMI's system vendor.
_IOMMU_MENUS = {
    "intel": '"Intel VT for Directed I/O (VT-d)", on many boards below Chipset or System Agent; '
    "it may be hidden until VT-x is on",
    "amd": '"IOMMU" below NBIO or North Bridge: Enabled, not Auto',
    "hygon": '"IOMMU" below NBIO: Enabled, not Auto',
    "arm": '"SMMU" or "IOMMU support"; some boards have none on the PCIe path',
}
_CPU_MENUS = {
    "intel": '"Intel Virtualization Technology (VMX)"',
    "amd": '"SVM Mode"',
    "hygon": '"SVM Mode"',
}


def enable_cpu_virtualization(vendor: str, *, nested: bool) -> Cure:
    """VT-x or SVM is off."""
    if nested:
        return told(
            MANUAL,
            "let the virtual machine see its CPU's virtualisation",
            ("on the machine below: <cpu mode='host-passthrough'/> in the domain",
             "and kvm_intel.nested=1 or kvm_amd.nested=1 there"),
            reboot=True,
            undo=True,
        )  # fmt: skip
    menu = _CPU_MENUS.get(vendor, "the CPU's virtualisation")
    return told(
        MANUAL,
        f"switch on {menu} in the firmware's setup",
        ("power the machine off and on: the lock survives a warm reset",),
        reboot=True,
        undo=True,
    )


def enable_iommu(vendor: str) -> Cure:
    """The firmware describes no IOMMU."""
    menu = _IOMMU_MENUS.get(vendor, "the IOMMU")
    return told(MANUAL, f"switch on {menu}, in the firmware's setup", reboot=True, undo=True)


def give_guest_an_iommu() -> Cure:
    """The host is a virtual machine without a virtual IOMMU."""
    return told(
        MANUAL,
        "give this virtual machine a virtual IOMMU",
        ("on the machine below: machine type q35, <ioapic driver='qemu'/>",
         "<iommu model='intel'><driver intremap='on' caching_mode='on'/></iommu>"),
        reboot=True,
        undo=True,
    )  # fmt: skip


def leave_xen() -> Cure:
    """Xen keeps the IOMMU for itself."""
    return told(
        MANUAL,
        "boot the kernel without Xen, or pass devices through Xen's own xen-pciback",
        reboot=True,
        undo=True,
    )


def update_firmware(reason: str) -> Cure:
    """A table is broken; only the vendor can mend it."""
    return told(MANUAL, f"update the firmware: {reason}", reboot=True)


def advertise_interrupt_remapping() -> Cure:
    """DMAR or a unit says that interrupts cannot be remapped."""
    return told(
        MANUAL,
        "switch on interrupt remapping in the firmware's setup, or update the firmware",
        ("never allow unsafe interrupts instead: a guest could then forge the host's interrupts",),
        reboot=True,
        undo=True,
    )


def map_ioapic() -> Cure:
    """IVRS does not name an IOAPIC."""
    return told(
        MANUAL,
        "update the firmware; until then name the IOAPIC's requester id with ivrs_ioapic=",
        ("iasl -d on the IVRS table shows the ids",
         "ivrs_ioapic=ID@SEGMENT:BUS:DEVICE.FUNCTION on the kernel command line"),
        reboot=True,
        undo=True,
    )  # fmt: skip


def allow_x2apic() -> Cure:
    """Firmware opts out of x2APIC."""
    return told(
        MANUAL,
        "switch on x2APIC in the firmware's setup",
        ("if the vendor calls it safe, intremap=no_x2apic_optout overrides the firmware",),
        reboot=True,
        undo=True,
    )


def free_slot(address: str, vendor: str) -> Cure:
    """Firmware reserves memory for a device."""
    steps: tuple[str, ...]
    if vendor.lower().startswith(("hp", "hewlett")):
        steps = (
            "Gen8, Gen9: exclude the slot from shared memory (RBSU, or HPE's conrep profile)",
            "Gen10 and newer: the slot's option in the system utilities",
        )
    else:
        steps = ("ask the vendor for an option that stops monitoring the slot",)
    return told(
        MANUAL,
        f"let the firmware keep its hands off {address}, or move the card to another slot",
        (*steps, "never the relax_rmrr patch: the firmware goes on using that memory"),
        reboot=True,
        undo=True,
    )


def protect_ports() -> Cure:
    """Thunderbolt without DMA protection."""
    return told(
        MANUAL,
        'switch on "Kernel DMA protection" and the IOMMU in the firmware\'s setup',
        reboot=True,
        undo=True,
    )
