"""Cures in the firmware's setup, or where a virtual machine is made: a person's, all of them.

Nothing here writes firmware. Menus are named as vendors name them.
"""

from __future__ import annotations

from pytest_vfio.steps import Cure, by_hand

#: What vendors call it, by the maker of the CPU.
_IOMMU_MENUS = {
    "intel": '"Intel VT for Directed I/O (VT-d)", on many boards below Chipset or System Agent; '
    "it may be hidden until VT-x is on",
    "amd": '"IOMMU" below AMD CBS > NBIO or North Bridge: Enabled, not Auto',
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
        return by_hand(
            "let the virtual machine see its CPU's virtualisation",
            "on the machine below: kvm_intel.nested=1 or kvm_amd.nested=1",
            "on the machine below: <cpu mode='host-passthrough'/> in the domain, then stop and start it",
            reboot=True,
        )
    menu = _CPU_MENUS.get(vendor, "the CPU's virtualisation")
    return by_hand(
        f"switch on {menu} in the firmware's setup",
        f"firmware setup, CPU or Advanced: {menu} enabled",
        "then power the machine off and on: the lock survives a warm reset",
        reboot=True,
    )


def enable_iommu(vendor: str) -> Cure:
    """The firmware describes no IOMMU."""
    menu = _IOMMU_MENUS.get(vendor, "the IOMMU")
    return by_hand(f"switch on {menu}, in the firmware's setup", reboot=True)


def give_guest_an_iommu() -> Cure:
    """The host is a virtual machine without a virtual IOMMU."""
    return by_hand(
        "give this virtual machine a virtual IOMMU",
        "on the machine below: a q35 machine with <features><ioapic driver='qemu'/></features> and "
        "<iommu model='intel'><driver intremap='on' caching_mode='on'/></iommu>",
        reboot=True,
    )


def leave_xen() -> Cure:
    """Xen keeps the IOMMU for itself."""
    return by_hand(
        "boot the kernel without Xen, or pass devices through Xen's own xen-pciback", reboot=True
    )


def update_firmware(reason: str) -> Cure:
    """A table is broken; only the vendor can repair it."""
    return by_hand(f"update the firmware: {reason}", reboot=True)


def advertise_interrupt_remapping() -> Cure:
    """DMAR or a unit says that interrupts cannot be remapped."""
    return by_hand(
        "switch on interrupt remapping in the firmware's setup, or update the firmware",
        'firmware setup: "Interrupt Remapping" beside VT-d or IOMMU enabled; else a firmware update',
        "do not allow unsafe interrupts instead: a guest could then forge the host's interrupts",
        reboot=True,
    )


def map_ioapic() -> Cure:
    """IVRS does not name an IOAPIC."""
    return by_hand(
        "update the firmware; until then name the IOAPIC's requester id with ivrs_ioapic=",
        "iasl -d on /sys/firmware/acpi/tables/IVRS shows the ids",
        "ivrs_ioapic=ID@SEGMENT:BUS:DEVICE.FUNCTION on the kernel command line",
        reboot=True,
    )


def allow_x2apic() -> Cure:
    """Firmware opts out of x2APIC."""
    return by_hand(
        "switch on x2APIC in the firmware's setup",
        'firmware setup: "X2APIC" or "Extended APIC" enabled, "X2APIC Opt Out" disabled',
        "if the vendor calls it safe: intremap=no_x2apic_optout on the kernel command line",
        reboot=True,
    )


def free_slot(address: str, vendor: str) -> Cure:
    """Firmware reserves memory for a device."""
    steps: tuple[str, ...] = ("ask the vendor for an option that stops monitoring the slot",)
    if vendor.lower().startswith(("hp", "hewlett")):
        steps = (
            "Gen8, Gen9: exclude the slot from shared memory (RBSU, or HPE's conrep profile)",
            "Gen10 and newer: the slot's option in the system utilities",
        )
    return by_hand(
        f"exclude the slot of {address} from RMRR in the firmware's setup, or use another slot",
        *steps,
        "never the relax_rmrr patch: the firmware goes on using that memory",
        reboot=True,
    )


def protect_ports() -> Cure:
    """Thunderbolt without DMA protection."""
    return by_hand(
        'switch on "Kernel DMA protection" and the IOMMU in the firmware\'s setup', reboot=True
    )


def other_display(address: str) -> Cure:
    """The host's console moves; that is a person's decision (F192)."""
    return by_hand(
        f"make another adapter than {address} the primary display in the firmware setup",
        "make sure that the host can be reached by SSH or a serial console before",
        'firmware setup: "Primary Display" or "Init Display First": integrated graphics or another '
        "slot; CSM off",
        reboot=True,
    )


def place_bars(address: str) -> Cure:
    """Room for large BARs."""
    return by_hand(
        f"give the BARs of {address} room in the firmware setup",
        'firmware setup: "Above 4G Decoding" or "Memory Mapped I/O above 4GB" enabled (boots by UEFI '
        "only)",
        "if that is set already: pci=realloc on the kernel command line",
        reboot=True,
    )


def reseat(address: str) -> Cure:
    """Slots, risers, bifurcation, link speed."""
    return by_hand(
        f"look at the slot of {address}: seating, riser, bifurcation, link speed in the firmware",
        "power off, reseat the card, try another slot",
        'firmware setup: the slot\'s "Link Speed" Auto, its bifurcation x8 or x16 as the card needs',
        reboot=True,
    )


def node_of_slot(address: str) -> Cure:
    """Only firmware can say where a slot is."""
    return by_hand(
        f"let the firmware name the NUMA node of {address}, and pin its guest by hand until then",
        "update the firmware; look for a NUMA or Sub-NUMA Clustering setting that hides the slot's node",
        "find the slot's socket in the board's manual, and pin vCPUs and memory of the guest there",
        reboot=True,
    )
