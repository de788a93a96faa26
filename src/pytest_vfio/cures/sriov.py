"""Cures of SR-IOV: virtual functions are made on the host, by the host's driver."""

from __future__ import annotations

from pytest_vfio.facts.pci.functions import PciFunction
from pytest_vfio.steps import Cure, Step, by_hand
from pytest_vfio.steps.files import WriteFile
from pytest_vfio.steps.host import DEVICES, Run, SetVfs, WriteSysfs


def make_vfs(function: PciFunction, wanted: int, now: int) -> Cure:
    """Now, and whenever the PF's driver has bound; host drivers leave them alone (F127 to F130)."""
    quiet = () if _autoprobe_is_off(function) else (_no_autoprobe(function.address),)
    steps = (*quiet, SetVfs(function.address, wanted, now), _rule(function, wanted))
    return Cure(f"make {wanted} VFs on {function.address}, now and at every boot", steps)


def make_vfs_early(pf: str, function: PciFunction | None) -> Cure:
    """udev acts when the PF's driver has bound; libvirt starts much later."""
    number = function.numvfs if function is not None and function.knows("numvfs") else 0
    if function is None or not number:
        return by_hand(
            f"have udev make the VFs of {pf}",
            f"write a rule that sets sriov_numvfs of {pf} as soon as its driver has bound, or order "
            "the unit that makes the VFs Before=virtqemud.service libvirtd.service",
        )
    return Cure(f"make the {number} VFs of {pf} by a udev rule", (_rule(function, number),))


def no_autoprobe(address: str) -> Cure:
    """Takes effect on VFs that are made later; those that are there keep their driver."""
    return Cure(f"keep host drivers off new VFs of {address}", (_no_autoprobe(address),))


def remove_vfs(function: PciFunction) -> Cure:
    """vfio-pci refuses a PF that has VFs."""
    now = function.numvfs
    title = f"remove the {now} VFs of {function.address} before it is bound to vfio-pci"
    return Cure(title, (SetVfs(function.address, 0, now),))


def bring_up(interface: str, pf: str) -> Cure:
    """A VF has a link only while its PF is up."""
    line = ("ip", "link", "set", "dev", interface)
    rule = f'ACTION=="add", SUBSYSTEM=="net", KERNELS=="{pf}", RUN+="/sbin/ip link set dev %k up"'
    steps = (
        Run(f"bring {interface} up", (*line, "up"), (*line, "down")),
        WriteFile(_file(pf, "up"), (rule,)),
    )
    return Cure(f"bring {interface} up, now and at every boot", steps)


def set_policy(interface: str, vf: int, wanted: str, now: str) -> Cure:
    """`trust off` or `spoofchk on`: set on the PF, since a guest cannot be trusted with it."""
    line = ("ip", "link", "set", "dev", interface, "vf", str(vf))
    what = f"set {wanted} for VF {vf} of {interface}"
    return Cure(what, (Run(what, (*line, *wanted.split()), (*line, *now.split())),))


def set_mac(interface: str, vf: int, guest: str) -> Cure:
    """Which address is free on the network, only its owner knows."""
    return by_hand(
        f"give VF {vf} of {interface} a MAC address of its own",
        f"choose a free address and set it: ip link set dev {interface} vf {vf} mac ADDRESS (gone "
        "with the VF: repeat it where the VFs are made)",
        f"or give {guest} the VF as <interface type='hostdev' managed='yes'> with <mac address=.../>",
    )


def vfs_on_host(address: str) -> Cure:
    """What to do instead of SR-IOV inside a guest."""
    return by_hand(
        f"to use VFs, leave {address} on its host driver and assign its VFs",
        f"take {address} out of the guest, of the ids of vfio-pci and of any pin",
        f"write in the inventory how many VFs of {address} are wanted (vfs = N), and give the guests "
        "VFs: <interface type='hostdev'>, or a network of VFs",
    )


def room_for_vfs(address: str) -> Cure:
    """Memory space for the VFs' BARs."""
    return by_hand(
        f"give the VFs of {address} room in the firmware setup",
        "firmware setup: SR-IOV Support enabled; Above 4G Decoding (Memory Mapped I/O above 4 GB) "
        "enabled",
        "if both are enabled: pci=realloc on the kernel command line, or fewer VFs in the adapter's "
        "own firmware",
        reboot=True,
    )


def bus_numbers(address: str) -> Cure:
    """VFs beyond the bridge's bus range."""
    return by_hand(
        f"enable ARI for the slot of {address}, or use another slot",
        "firmware setup: ARI Forwarding (ARI Support) enabled, on the adapter's root port too",
        "or a slot directly at the CPU; pci=assign-busses renumbers buses, and with them addresses",
        reboot=True,
    )


def enable_sriov(address: str) -> Cure:
    """The adapter offers less than is wanted."""
    return by_hand(
        f"enable SR-IOV in the firmware of the adapter {address} and of the host",
        "host's firmware setup: SR-IOV Support (SR-IOV Global Enable) enabled, and for the slot",
        "adapter: its own setup (Mellanox: mlxconfig set SRIOV_EN=1 NUM_OF_VFS=N; Intel, Broadcom: "
        "the device's page in the firmware setup), then power the host off and on",
        reboot=True,
    )


def more_vfs(network: str, pf: str | None) -> Cure:
    """A pool holds as many guests as it has VFs. A change of the number takes all that exist."""
    where = pf or "the PF of the pool"
    return by_hand(
        f"give network {network} more VFs",
        f"shut down every guest that has a VF of {where}",
        f"write 0 and then the number wanted to /sys/class/net/{pf or 'PF'}/device/sriov_numvfs, and "
        "the same number into the inventory (vfs = N)",
    )


def assign_vfs_only(address: str) -> Cure:
    """The PF of a GPU that has VFs stays."""
    return by_hand(
        f"assign the VFs of {address} and leave the PF to the host",
        f"take {address} out of the guest and out of the inventory's devices, and name its VFs",
    )


def _rule(function: PciFunction, number: int) -> Step:
    """A net adapter is ready when its interface appears, another function when it was added."""
    address = function.address
    net = bool(function.knows("netdevs") and function.netdevs)
    where = f'SUBSYSTEM=="net", KERNELS=="{address}"'
    path = "device/" if net else ""
    if not net:
        where = f'SUBSYSTEM=="pci", KERNEL=="{address}"'
    sets = f'ATTR{{{path}sriov_drivers_autoprobe}}="0", ATTR{{{path}sriov_numvfs}}="{number}"'
    action = "add" if net else "add|bind"
    return WriteFile(_file(address, "vfs"), (f'ACTION=="{action}", {where}, {sets}',))


def _file(address: str, what: str) -> str:
    name = address.replace(":", "-").replace(".", "-")
    return f"/etc/udev/rules.d/80-pytest-vfio-{what}-{name}.rules"


def _no_autoprobe(address: str) -> Step:
    return WriteSysfs(f"{DEVICES}/{address}/sriov_drivers_autoprobe", "0", "1")


def _autoprobe_is_off(function: PciFunction) -> bool:
    return function.knows("vf_autoprobe") and not function.vf_autoprobe
