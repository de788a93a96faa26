"""Cures for the kernel's side of the IOMMU. Command-line cures are in `cures.cmdline`."""

from __future__ import annotations

import shlex

from pytest_vfio.cures import MANUAL, SAFE, UNSAFE, told
from pytest_vfio.steps import Cure


def read_the_log() -> Cure:
    """The IOMMU is off although everything asks for it."""
    return told(
        MANUAL,
        "find in the kernel log why the IOMMU's driver gave up",
        ("dmesg | grep -iE 'DMAR|AMD-Vi|smmu|iommu'", "then a firmware update or a newer kernel"),
        reboot=True,
    )


def force_amd() -> Cure:
    """Linux refuses the IOMMU of a platform."""
    return told(
        MANUAL,
        "use another machine; amd_iommu=force_enable overrides the refusal at your own risk",
        reboot=True,
        undo=True,
    )


def split_memory_encryption() -> Cure:
    """SME and this IOMMU exclude each other."""
    return told(
        MANUAL,
        "take mem_encrypt=on off the kernel command line",
        ("this IOMMU cannot work with encrypted addresses",),
        reboot=True,
        undo=True,
    )


def restore_interrupt_remapping() -> Cure:
    """Interrupts are not remapped, and no cause was found."""
    return told(
        MANUAL,
        "get interrupt remapping to work",
        ("dmesg | grep -E 'DMAR-IR|AMD-Vi.*nterrupt remapping|x2apic'",
         "never allow unsafe interrupts instead"),
        reboot=True,
    )  # fmt: skip


def forbid_unsafe_interrupts(modules: tuple[str, ...]) -> Cure:
    """The override is on."""
    return told(
        SAFE,
        "forbid unsafe interrupts",
        (
            *(f"echo N > /sys/module/{m}/parameters/allow_unsafe_interrupts" for m in modules),
            "take allow_unsafe_interrupts out of /etc/modprobe.d and the command line",
        ),
        undo=True,
    )


def leave_noiommu_mode() -> Cure:
    """VFIO without an IOMMU."""
    return told(
        UNSAFE,
        "switch no-IOMMU mode off and use a real IOMMU",
        ("end the programs that use /dev/vfio/noiommu-*",
         "echo N > /sys/module/vfio/parameters/enable_unsafe_noiommu_mode",
         "take enable_unsafe_noiommu_mode out of /etc/modprobe.d and the command line"),
        undo=True,
    )  # fmt: skip


def quiet_device(address: str) -> Cure:
    """A device uses addresses that nobody gave it."""
    return told(
        MANUAL,
        f"stop {address} from reaching for memory that is not mapped",
        ("update its firmware and its driver, in the guest too",
         "reset it before it changes hands",
         "if the addresses belong to the firmware, update the machine's firmware"),
    )  # fmt: skip


def reset_stalled_device() -> Cure:
    """The IOMMU waits for a device that does not answer."""
    return told(
        MANUAL,
        "shut the guest down and power-cycle the machine; replace or update the device",
        reboot=True,
    )


def limit_guest_addresses(bits: int) -> Cure:
    """The IOMMU maps fewer bits than guests may use."""
    return told(
        UNSAFE,
        f"limit the guests' addresses to {bits} bits",
        (f"<cpu ...><maxphysaddr mode='emulate' bits='{bits}'/></cpu>, then restart the guest",),
        undo=True,
    )


def newer_machine(guest: str) -> Cure:
    """A machine type that places memory where the IOMMU maps nothing."""
    return told(
        UNSAFE,
        f"give {guest} a machine type of QEMU 7.1 or newer",
        (f"virsh edit {shlex.quote(guest)}: <type machine='pc-q35-7.1'>, then restart the guest",),
        undo=True,
    )


def update_kernel_or_firmware() -> Cure:
    """Units or groups of unlike features; nothing is lost but speed."""
    return told(MANUAL, "update the firmware, or leave it so: VFIO works", reboot=True)


def ask_for_iommu() -> Cure:
    """The IOMMU is on only because the firmware insists."""
    return told(
        MANUAL,
        "say intel_iommu=on instead of off, so that the line says what happens",
        reboot=True,
        undo=True,
    )


def sign_modules() -> Cure:
    """Lockdown refuses modules that are not signed."""
    return told(
        MANUAL,
        "sign the module and enrol the key (mokutil --import), or do without it",
        reboot=True,
        undo=True,
    )


def work_under_lockdown() -> Cure:
    """Some cures cannot work."""
    return told(
        MANUAL,
        "use ways that lockdown allows: sysfs, libvirt and the boot files; not setpci or /dev/mem",
    )


def reboot_after_crash() -> Cure:
    """The kernel reported a crash of its own."""
    return told(MANUAL, "read the first crash in the kernel log, then reboot", reboot=True)
