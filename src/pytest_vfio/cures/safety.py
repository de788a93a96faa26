"""Cures that keep a host from losing what it lives on. Most are a person's decision.

None of them detaches a device that the host uses: the answer to that is another device.
"""

from __future__ import annotations

from collections.abc import Iterable

from pytest_vfio.cures import MANUAL, SAFE, UNSAFE, told
from pytest_vfio.steps import Cure


def another_device(address: str) -> Cure:
    """Nothing makes a device free that the host lives on."""
    return told(
        MANUAL,
        f"choose another device than {address}, or move what the host has on it elsewhere",
        (
            "move addresses, routes, mounts or swap to a device that stays with the host",
            "check again; only then take the device away from the host",
        ),
    )


def another_slot(addresses: Iterable[str]) -> Cure:
    """A group is given away as a whole."""
    return told(
        MANUAL,
        "move the card to a slot whose group holds nothing of the host",
        (
            "power off, move the card, boot, and look at the groups again",
            f"never detach {', '.join(addresses)} to make the group viable",
        ),
    )


def pin_by_address(address: str, source: str) -> Cure:
    """One address instead of every device of an id."""
    return told(
        UNSAFE,
        f"take the id out of {source} and pin addresses instead",
        (
            f"remove the id from {source} and generate boot files or initramfs again",
            "pin each intended function by its address: driverctl set-override ADDRESS vfio-pci",
            f"leave {address} out",
        ),
        reboot=True,
        undo=True,
    )


def unblacklist(module: str, source: str) -> Cure:
    """Bind by device, never by driver."""
    return told(
        UNSAFE,
        f"take {module} off the blacklist in {source}",
        (
            f"remove the line of {module} from {source}",
            "generate the initramfs again",
            "bind the intended functions alone, by driver_override",
        ),
        reboot=True,
        undo=True,
    )


def no_autostart(guest: str) -> Cure:
    """Held until somebody has decided about the device."""
    return told(
        SAFE,
        f"switch off the automatic start of {guest}",
        (f"virsh autostart --disable {guest}",),
        undo=True,
    )


def detach_from_guest(guest: str, address: str) -> Cure:
    """A stored guest that names a device of the host is a mistake waiting for its start."""
    return told(
        MANUAL,
        f"remove {address} from the stored definition of {guest}",
        (f"virsh edit {guest}",),
        undo=True,
    )


def remove_pin(address: str, source: str) -> Cure:
    """A pin outlives the card that it was made for."""
    return told(
        UNSAFE,
        f"remove the pin of {address} from {source}",
        (f"remove {source}", "compare vendor, device and serial of what is at the address now"),
        undo=True,
    )


def keep_binding(address: str) -> Cure:
    """What was done by hand is gone after a reboot."""
    return told(
        SAFE,
        f"make the binding of {address} outlast a reboot",
        (
            f"driverctl set-override {address} vfio-pci",
            "or give the guest's hostdev managed='yes', and libvirt binds it at each start",
        ),
        undo=True,
    )


def no_sleep() -> Cure:
    """A hypervisor with assigned devices does not sleep."""
    targets = "sleep.target suspend.target hibernate.target hybrid-sleep.target"
    return told(SAFE, "mask the sleep targets", (f"systemctl mask {targets}",), undo=True)


def keep_denylist(source: str) -> Cure:
    """The kernel's list names devices that break the host when they are assigned."""
    return told(
        UNSAFE,
        "let vfio-pci keep its list of devices that must not be assigned",
        (f"remove disable_denylist from {source}", "generate the initramfs again"),
        reboot=True,
        undo=True,
    )


def fixed_vfs(address: str) -> Cure:
    """A change of the number of VFs resets the port of many adapters."""
    return told(
        MANUAL,
        f"settle the number of VFs of {address} before the host depends on it",
        (
            "make the VFs at boot, before the network is up (SR-IOVVirtualFunctions= in a .link)",
            "change the number only from the console",
        ),
    )


def free_device(address: str, what: str) -> Cure:
    """The host lets go of what it does not need."""
    return told(
        MANUAL,
        f"take {what} off {address} before a guest gets it",
        ("remove the address, bridge port, volume group or RAID member from the host's settings",),
    )
