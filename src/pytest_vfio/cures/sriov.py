"""Cures of SR-IOV: virtual functions are made on the host, by the host's driver."""

from __future__ import annotations

from pytest_vfio.cures import MANUAL, UNSAFE, told
from pytest_vfio.steps import Cure

_SYS = "/sys/bus/pci/devices"


def make_vfs(address: str, wanted: int, now: int) -> Cure:
    """0 between two numbers, and only while no guest has a VF (F127, F128)."""
    path = f"{_SYS}/{address}/sriov_numvfs"
    steps = [f"echo 0 > {path}   # no guest may have one of them"] if now else []
    steps.append(f"echo {wanted} > {path}")
    steps.append(
        "keep it over reboots: a udev rule, or a unit before libvirtd.service and virtqemud"
    )
    return told(UNSAFE, f"make {wanted} VFs on {address}", tuple(steps), undo=True)


def vfs_on_host(address: str) -> Cure:
    """What to do instead of SR-IOV inside a guest."""
    return told(
        MANUAL,
        f"to use VFs, leave {address} on its host driver and assign its VFs",
        (
            f"take {address} out of the ids of vfio-pci and away from the guest",
            f"echo N > {_SYS}/{address}/sriov_numvfs",
            "give the guest VFs: <interface type='hostdev'>, or a network of VFs",
        ),
    )


def room_for_vfs(address: str) -> Cure:
    """Memory space for the VFs' BARs."""
    return told(
        MANUAL,
        f"give the VFs of {address} room in the firmware setup",
        (
            "SR-IOV Support: enabled; Above 4G Decoding: enabled",
            "pci=realloc on the kernel command line",
            "fewer VFs in the adapter's own firmware",
        ),
        reboot=True,
    )


def bus_numbers(address: str) -> Cure:
    """VFs beyond the bridge's bus range."""
    return told(
        MANUAL,
        f"enable ARI for the slot of {address}, or use another slot",
        (
            "firmware: ARI Forwarding enabled",
            "pci=assign-busses renumbers buses, and with them addresses: a last resort",
        ),
        reboot=True,
    )


def enable_sriov(address: str) -> Cure:
    """The adapter offers less than is wanted."""
    return told(
        MANUAL,
        f"enable SR-IOV in the firmware of the adapter {address} and of the host",
        (
            "host: SR-IOV Support enabled, globally and for the slot",
            "adapter: its own setup (mlxconfig SRIOV_EN, NUM_OF_VFS), then power off and on",
        ),
        reboot=True,
    )


def no_autoprobe(address: str) -> Cure:
    """Takes effect on VFs that are made later."""
    return told(
        UNSAFE,
        f"keep host drivers off the VFs of {address}",
        (
            f"echo 0 > {_SYS}/{address}/sriov_drivers_autoprobe   # before sriov_numvfs",
            "or give the VFs with managed='yes'",
        ),
        undo=True,
    )


def host_driver(address: str) -> Cure:
    """A PF whose VFs are wanted belongs to the host."""
    return told(
        UNSAFE,
        f"give {address} back to its host driver",
        (
            f"echo > {_SYS}/{address}/driver_override",
            f"echo {address} > /sys/bus/pci/drivers/vfio-pci/unbind",
            f"echo {address} > /sys/bus/pci/drivers_probe",
        ),
        undo=True,
    )


def remove_vfs(address: str) -> Cure:
    """vfio-pci refuses a PF that has VFs."""
    return told(
        UNSAFE,
        f"remove the VFs of {address} before it is bound to vfio-pci",
        (
            "stop the guests that have one of them",
            f"echo 0 > {_SYS}/{address}/sriov_numvfs",
        ),
        undo=True,
    )


def bring_up(interface: str) -> Cure:
    """A VF has a link only while its PF is up."""
    return told(
        UNSAFE,
        f"bring {interface} up, now and at boot",
        (f"ip link set {interface} up", "and in the host's network configuration"),
        undo=True,
    )


def set_policy(interface: str, vf: int, word: str) -> Cure:
    """Set on the PF, since a guest cannot be trusted with it."""
    return told(
        UNSAFE,
        f"set {word} of VF {vf} on {interface}",
        (f"ip link set {interface} vf {vf} {word}",),
        undo=True,
    )


def assign_vfs_only(address: str) -> Cure:
    """The PF of a GPU that has VFs stays."""
    return told(
        MANUAL,
        f"assign the VFs of {address} and leave the PF to the host",
        (f"take {address} out of the guest and out of the inventory",),
    )
