"""Drivers of graphics cards, on the host and in guests.

Wordings: drivers/gpu/drm/{amd/amdgpu,i915,nouveau} of Linux 6.1; NVIDIA's open kernel modules and its
tools.
"""

from __future__ import annotations

from pytest_vfio.parse.messages.row import HURTS, Row, Speaker, form
from pytest_vfio.parse.messages.words import OF_DEVICE

GPU = Speaker.GPU

ROWS = (
    Row(
        "nvidia-owned-by-other",
        GPU,
        "Another driver has the card (nouveau, or vfio-pci, which is right for a card that is to be "
        "passed through), so NVIDIA's does not get it.",
        (
            form(
                r"NVRM: The NVIDIA probe routine was not called for <count> device",
                "NVRM: The NVIDIA probe routine was not called for 1 device(s).",
            ),
            form(
                r"NVRM: This can occur when (?:a driver such as|another driver was loaded)",
                "NVRM: This can occur when a driver such as:",
                "NVRM: This can occur when another driver was loaded and",
            ),
            form(
                r"NVRM: No NVIDIA (?:devices probed|graphics adapter probed|GPU found)",
                "NVRM: No NVIDIA devices probed.",
                "NVRM: No NVIDIA graphics adapter probed!",
                "NVRM: No NVIDIA GPU found.",
            ),
        ),
        refs=("F71", "F85"),
        weight=HURTS,
        decide=("lspci -nnk -d 10de:",),
        cure="Nothing on the host if the card is for a guest; keep NVIDIA's driver from loading "
        "(softdep, or leave it out).",
    ),
    Row(
        "nvidia-in-use",
        GPU,
        "NVIDIA's driver is asked to let the card go while somebody uses it; that hangs.",
        (
            form(
                r"NVRM: Attempting to remove (?:minor )?device <device:rest> with non-zero usage count",
                "NVRM: Attempting to remove device 0000:01:00.0 with non-zero usage count!",
            ),
        ),
        refs=("F84",),
        decide=(
            "sudo fuser -v /dev/nvidia*",
            "systemctl status nvidia-persistenced display-manager",
        ),
        cure="Stop the display manager, nvidia-persistenced and containers first; often only a reboot "
        "helps now.",
    ),
    Row(
        "nvidia-bar-invalid",
        GPU,
        "The card's BARs have no place: in a guest its firmware has too little 64-bit space, on a host "
        "Above 4G decoding is off.",
        (
            form(
                r"NVRM: This PCI I/O region assigned to your NVIDIA device is invalid",
                "NVRM: This PCI I/O region assigned to your NVIDIA device is invalid:",
            ),
            form(
                r"NVRM: BAR<bar> is 0M @ 0x0",
                "NVRM: BAR1 is 0M @ 0x0 (PCI:0000:01:00.0)",
            ),
        ),
        refs=("F172", "F10"),
        decide=("lspci -vvs <device> | grep Region",),
        cure="In a guest OVMF, q35 and host-passthrough CPU, a larger pci-mmio64 window; on a host Above "
        "4G decoding.",
        acts="guest",
    ),
    Row(
        "nvidia-init-failed",
        GPU,
        "NVIDIA's driver cannot start the card: it was not reset, has no usable ROM, or lacks power.",
        (
            form(
                r"RmInitAdapter failed!",
                "NVRM: GPU 0000:01:00.0: RmInitAdapter failed! (0x24:0xffff:1211)",
            ),
            form(
                r"NVRM: rm_init_adapter failed",
                "NVRM: rm_init_adapter failed for device bearing minor number 0",
            ),
        ),
        refs=("F173", "F103", "F110"),
        decide=("dmesg | grep -e NVRM -e vfio", "cat /sys/bus/pci/devices/<device>/reset_method"),
        cure="Power-cycle the host; a ROM file of the card; not the boot display; a newer driver.",
        acts="guest",
    ),
    Row(
        "nvidia-fell-off",
        GPU,
        "The card fell off its bus: power, slot, riser or heat.",
        (
            form(
                r"GPU has fallen off the bus",
                "NVRM: Xid (PCI:0000:01:00): 79, pid=1234, GPU has fallen off the bus.",
                "NVRM: GPU 0000:01:00.0: GPU has fallen off the bus.",
            ),
            form(
                r"Unable to determine the device handle for GPU",
                "Unable to determine the device handle for GPU 0000:01:00.0: GPU is lost.  Reboot the "
                "system to recover this GPU",
            ),
        ),
        refs=("F106", "F117"),
        decide=(OF_DEVICE, "dmesg | grep -e AER -e NVRM"),
        cure="Power-cycle; power cables, riser, slot, temperature.",
        acts="vendor",
    ),
    Row(
        "nvidia-smi-no-driver",
        GPU,
        "nvidia-smi finds no driver: not loaded, or the card is on vfio-pci, where it has to be for a "
        "guest.",
        (
            form(
                r"NVIDIA-SMI has failed because it couldn't communicate with the NVIDIA driver",
                "NVIDIA-SMI has failed because it couldn't communicate with the NVIDIA driver. Make sure "
                "that the latest NVIDIA driver is installed and running.",
            ),
            form(
                r"nvml error: driver not loaded",
                "nvidia-container-cli: initialization error: nvml error: driver not loaded: unknown",
            ),
        ),
        refs=("F71", "F170"),
        weight=HURTS,
        decide=("lspci -nnk -d 10de:", "lsmod | grep nvidia"),
        cure="On a host whose card is for a guest this is right; in the guest install the driver.",
    ),
    Row(
        "code-43",
        GPU,
        "Windows shut the device down after its driver reported a failure.",
        (
            form(
                r"Windows has stopped this device because it has reported problems\. \(Code 43\)",
                "Windows has stopped this device because it has reported problems. (Code 43)",
            ),
            form(r"\(Code 43\)", "This device has a problem (Code 43)"),
        ),
        refs=("F173", "F110", "F103"),
        decide=(
            "virsh dumpxml GUEST | grep -e '<hidden' -e '<rom' -e machine=",
            "dmesg | grep vfio",
        ),
        cure="A newer driver; a ROM file and another boot display; q35 with UEFI; <kvm><hidden "
        "state='on'/> only for old drivers.",
        acts="guest",
    ),
    Row(
        "code-12",
        GPU,
        "Windows finds no room for the device's memory: the guest's firmware has too small a window.",
        (
            form(
                r"This device cannot find enough free resources that it can use\. \(Code 12\)",
                "This device cannot find enough free resources that it can use. (Code 12)",
            ),
            form(r"\(Code 12\)", "the GPU shows (Code 12) in the device manager"),
        ),
        refs=("F172", "F11"),
        decide=("lspci -vvs <device> | grep Region",),
        cure="OVMF, q35, host-passthrough CPU with its real address bits; a smaller BAR (ReBAR off).",
        acts="guest",
    ),
    Row(
        "amdgpu-init-failed",
        GPU,
        "amdgpu cannot start the card: it was not reset, or its firmware is in an unknown state.",
        (
            form(
                r"Fatal error during GPU init",
                "amdgpu 0000:03:00.0: amdgpu: Fatal error during GPU init",
            ),
            form(
                r"GPU reset retry is beyond the retry limit",
                "[drm:amdgpu_device_resume [amdgpu]] *ERROR* GPU reset retry is beyond the retry limit",
            ),
            form(
                r"hw_init of IP block \<<block:word>\> failed -<code:count>",
                "[drm:amdgpu_device_ip_init [amdgpu]] *ERROR* hw_init of IP block <psp> failed -22",
            ),
            form(
                r"trn=<count> ACK should not assert! wait again",
                "amdgpu 0000:03:00.0: trn=2 ACK should not assert! wait again !",
            ),
        ),
        refs=("F105", "F103"),
        decide=("dmesg | grep amdgpu", OF_DEVICE),
        cure="Power-cycle the host; then the card to vfio-pci before amdgpu sees it, or vendor-reset.",
        acts="vendor",
    ),
    Row(
        "amdgpu-no-rom",
        GPU,
        "amdgpu finds no ROM of the card; in a guest it must be given as a file.",
        (
            form(
                r"Unable to locate a BIOS ROM",
                "amdgpu 0000:03:00.0: amdgpu: Unable to locate a BIOS ROM",
            ),
        ),
        refs=("F110", "F14"),
        decide=("virsh dumpxml GUEST | grep '<rom'", "dmesg | grep ROM"),
        cure="<rom file=.../> with the card's own ROM, or another boot display on the host.",
        acts="guest",
    ),
    Row(
        "nouveau-dead-card",
        GPU,
        "The card answers all ones to its driver.",
        (
            form(
                r"nouveau <device>: unknown chipset \(ffffffff\)",
                "nouveau 0000:01:00.0: unknown chipset (ffffffff)",
            ),
        ),
        refs=("F106",),
        decide=(OF_DEVICE,),
        cure="Power-cycle the host.",
        acts="vendor",
    ),
    Row(
        "nouveau-unknown-card",
        GPU,
        "The card is too new for this kernel's nouveau; for passthrough that does not matter.",
        (
            form(
                r"nouveau <device>: unknown chipset \((?!ffffffff)<chip:number>\)",
                "nouveau 0000:01:00.0: unknown chipset (194000a1)",
            ),
        ),
        refs=("F71",),
        weight=HURTS,
        decide=(OF_DEVICE,),
        cure="vfio-pci for the card.",
    ),
    Row(
        "i915-vfs-refused",
        GPU,
        "The integrated GPU's VFs could not be made; the error in brackets is why (-ENOMEM: no room for "
        "their BARs).",
        (
            form(
                r"ailed to enable <count> VFs \(-<code:word>\)",
                "i915 0000:00:02.0: [drm] *ERROR* Failed to enable 2 VFs (-ENOMEM)",
            ),
        ),
        refs=("F125", "F140"),
        decide=("dmesg | grep <device>",),
        cure="Above 4G decoding and SR-IOV in the firmware's setup, pci=realloc, fewer VFs.",
        acts="firmware",
    ),
)
