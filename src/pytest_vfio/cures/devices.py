"""Cures of single devices: finding, binding, waking, resetting, and moving them."""

from __future__ import annotations

from pytest_vfio.cures import MANUAL, SAFE, UNSAFE, told
from pytest_vfio.steps import Cure

_SYS = "/sys/bus/pci/devices"


def find_again(name: str) -> Cure:
    """A device that is not where it should be."""
    return told(
        MANUAL,
        f"find out where {name} went and write its address where the old one stands",
        (
            "lspci -Dnn",
            "look for the same vendor:device, subsystem and serial number at another address",
            "a missing card: slot power, bifurcation and option ROM settings of the slot",
            "change the inventory and the guests' <hostdev> addresses",
        ),
    )


def compare_identity(address: str) -> Cure:
    """The address names another device than it did."""
    return told(
        MANUAL,
        f"confirm what stands at {address} before anything is done to it",
        (f"lspci -Dnnvs {address}", "change the inventory or the guests' <hostdev> addresses"),
    )


def bind(address: str, driver: str | None) -> Cure:
    """Bind by address; the other devices of the model stay where they are."""
    steps = [f"echo vfio-pci > {_SYS}/{address}/driver_override"]
    if driver is not None:
        steps.append(f"echo {address} > {_SYS}/{address}/driver/unbind")
    steps.append(f"echo {address} > /sys/bus/pci/drivers_probe")
    steps.append(
        f"readlink {_SYS}/{address}/driver   # drivers_probe says nothing if it did not bind"
    )
    title = f"bind {address} to vfio-pci with driver_override"
    return told(SAFE if driver is None else UNSAFE, title, tuple(steps), undo=True)


def clear_override(address: str) -> Cure:
    """An empty line clears it; nothing is unbound by that (S22)."""
    return told(
        SAFE,
        f"clear driver_override of {address}",
        (
            f"echo > {_SYS}/{address}/driver_override",
            f"echo {address} > /sys/bus/pci/drivers_probe",
        ),
        undo=True,
    )


def pin_to_vfio(address: str) -> Cure:
    """One owner for each device (F80)."""
    return told(
        UNSAFE,
        f"let the pin of {address} say vfio-pci, or remove it",
        (f"driverctl set-override {address} vfio-pci", f"driverctl unset-override {address}"),
        undo=True,
    )


def narrow_id(id: str, source: str) -> Cure:
    """Addresses instead of a model."""
    return told(
        UNSAFE,
        f"take {id} out of {source} and pin the intended addresses instead",
        (
            f"remove {id} from the ids of vfio-pci in {source}",
            "driverctl set-override ADDRESS vfio-pci, for each intended function",
        ),
        reboot=True,
        undo=True,
    )


def give_or_release(address: str) -> Cure:
    """A device on vfio-pci that nobody uses serves neither host nor guest."""
    return told(
        MANUAL,
        f"give {address} to a guest, or leave it to the host",
        (
            "name the device in the inventory's guests, or add it to a guest as <hostdev>",
            "or pin the intended functions by address and take the id out of the list",
        ),
    )


def whole_card(addresses: str) -> Cure:
    """The functions of one card go together."""
    return told(
        UNSAFE,
        f"give all functions of the card to the same guest: {addresses}",
        (f"add <hostdev> entries for {addresses}",),
        undo=True,
    )


def no_group(address: str, why: str) -> Cure:
    """Without a group there is no isolation and no VFIO."""
    return told(
        MANUAL,
        f"let the IOMMU translate for {address}",
        (why, "a kernel or firmware that puts the device into an IOMMU's scope"),
        reboot=True,
    )


def deny_list(address: str) -> Cure:
    """Never by switching the list off."""
    return told(
        MANUAL,
        f"use another device than {address}: the kernel refuses to hand this model out",
        ("a later generation of the accelerator, or its VFs where the list does not name them",),
    )


def revive(address: str) -> Cure:
    """Only a power cycle is sure to help."""
    return told(
        MANUAL,
        f"power the host off and on to bring {address} back",
        (
            "stop the guest that has it",
            "where nothing else hangs off its bridge:",
            f"echo 1 > {_SYS}/{address}/remove; echo 1 > /sys/bus/pci/rescan",
            "otherwise power off, wait, power on",
            "if it comes back only sometimes: vfio-pci.disable_idle_d3=1",
        ),
        reboot=True,
    )


def whole_bus(address: str) -> Cure:
    """A bus reset needs everything on the bus in one hand."""
    return told(
        MANUAL,
        f"give everything on the bus of {address} to one guest, or move the card to its own slot",
        ("without a reset the guest's next start finds the device as the last one left it",),
    )


def device_specific_reset(address: str) -> Cure:
    """vendor-reset, an out-of-tree module."""
    return told(
        MANUAL,
        f"install vendor-reset and let {address} use its device specific reset",
        (
            "install the vendor-reset module (signed, where Secure Boot is on) and load it at boot",
            f"echo device_specific > {_SYS}/{address}/reset_method",
            "shut the guest down cleanly; do not let amdgpu touch the card first",
        ),
    )


def other_reset(address: str) -> Cure:
    """A method that the function survives."""
    return told(
        MANUAL,
        f"choose another reset for {address}, or do not restart its guest without the host",
        (
            f"cat {_SYS}/{address}/reset_method",
            f"echo bus > {_SYS}/{address}/reset_method",
            "look for a firmware or kernel update",
        ),
    )


def other_display(address: str) -> Cure:
    """The host's console moves; that is a person's decision (F192)."""
    return told(
        MANUAL,
        f"make another adapter than {address} the primary display in the firmware setup",
        (
            "Primary Display / Init Display First: integrated graphics or another slot; CSM off",
            "make sure that the host can be reached by SSH or a serial console before",
        ),
        reboot=True,
    )


def place_bars(address: str) -> Cure:
    """Room for large BARs."""
    return told(
        MANUAL,
        f"give the BARs of {address} room in the firmware setup",
        (
            "Above 4G Decoding / Memory Mapped I/O above 4GB: enabled (boots by UEFI only)",
            "if that is set already: pci=realloc on the kernel command line",
        ),
        reboot=True,
    )


def room_in_guest(address: str, size: str) -> Cure:
    """Firmware that places large BARs."""
    return told(
        MANUAL,
        f"give the guest of {address} OVMF and a 64-bit window for {size}, or shrink the BAR",
        (
            "guest: OVMF, <cpu mode='host-passthrough'/> with the host's address width",
            f"or, with the device unbound: echo 8 > {_SYS}/{address}/resource1_resize (256 MiB)",
            "or switch Resizable BAR off in the firmware setup",
        ),
    )


def rom(address: str) -> Cure:
    """A ROM that cannot be read is replaced or left out."""
    return told(
        MANUAL,
        f"give {address} a ROM file in the guest's XML, or none",
        (
            "NIC or HBA: <rom bar='off'/>",
            "GPU: <rom file='...'/> with a dump of this very card's ROM",
        ),
    )


def share_no_line(address: str) -> Cure:
    """INTx that cannot be masked must be alone on its line."""
    return told(
        MANUAL,
        f"put {address} into a slot with an interrupt line of its own",
        ("or unbind the driver that shares the line", "drop vfio-pci.nointxmask=1 if it is set"),
    )


def message_interrupts(subject: str) -> Cure:
    """MSI in the guest."""
    return told(
        MANUAL,
        f"let the guest use MSI for {subject}",
        (
            "guest kernel without pci=nomsi; Windows: MSISupported=1",
            "another slot if it has no MSI",
        ),
        reboot=True,
    )


def reseat(address: str) -> Cure:
    """Slots, risers, bifurcation, link speed."""
    return told(
        MANUAL,
        f"look at the slot of {address}: seating, riser, bifurcation, link speed in the firmware",
        (
            "power off, reseat the card, try another slot",
            "firmware: link speed Auto, slot x8 or x16",
        ),
        reboot=True,
    )


def ats(address: str) -> Cure:
    """Broken address translation services."""
    return told(
        MANUAL,
        f"switch ATS off for {address} with pci=noats, or use a kernel that does it by itself",
        ("add pci=noats to the kernel command line",),
        reboot=True,
    )


def endpoint(address: str) -> Cure:
    """Bridges stay with the host."""
    return told(
        MANUAL,
        f"assign the functions below {address} instead of it",
        (
            "lspci -t shows what is below",
            "take the bridge out of the inventory and out of <hostdev>",
        ),
    )


def nothing_to_do(what: str) -> Cure:
    """A limit to know of."""
    return told(MANUAL, what)
