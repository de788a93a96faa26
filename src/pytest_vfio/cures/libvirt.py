"""Cures for what libvirt itself lacks: its daemon, its settings, its networks."""

from __future__ import annotations

from pytest_vfio.cures import MANUAL, SAFE, UNSAFE, told
from pytest_vfio.steps import Cure


def start_daemon() -> Cure:
    """The sockets are enough: they start the daemon when somebody asks."""
    return told(
        MANUAL,
        "enable libvirt's sockets",
        (
            "modular daemons: systemctl enable --now virtqemud.socket virtnodedevd.socket",
            "one daemon: systemctl enable --now libvirtd.socket",
            "the first connection starts guests marked for autostart: look at them before",
        ),
    )


def load_vfio() -> Cure:
    """libvirt looks for a group and for /dev/vfio/vfio."""
    return told(
        SAFE,
        "load vfio-pci, and have it loaded at boot",
        ("modprobe vfio-pci", "echo vfio-pci > /etc/modules-load.d/vfio-pci.conf"),
        undo=True,
    )


def refresh_node_devices() -> Cure:
    """libvirt reads the devices again when its node device daemon starts."""
    return told(
        UNSAFE,
        "have libvirt read the host's devices again",
        (
            "systemctl restart virtnodedevd.service, or libvirtd.service where there is one daemon",
            "running guests go on; guests marked for autostart that are off may start",
        ),
    )


def own_the_node() -> Cure:
    """QEMU's user has to be able to open /dev/vfio/N."""
    return told(
        UNSAFE,
        "let libvirt hand device nodes to QEMU's user",
        (
            "take dynamic_ownership = 0 out of /etc/libvirt/qemu.conf",
            'or add a udev rule: SUBSYSTEM=="vfio", GROUP="kvm", MODE="0660"',
            "restart virtqemud or libvirtd; running guests go on",
        ),
        undo=True,
    )


def more_vfs(network: str, pf: str | None) -> Cure:
    """A pool holds as many guests as it has VFs."""
    where = pf or "the PF of the pool"
    return told(
        UNSAFE,
        f"give network {network} more VFs",
        (
            f"stop the guests that use VFs of {where}",
            f"write 0, then the number wanted, to sriov_numvfs of {where}, and make it last",
        ),
        undo=True,
    )


def look_into_log() -> Cure:
    """A line of a log says what happened, not that it still holds."""
    return told(
        MANUAL,
        "cure what the log names, then start the guest again",
        ("read the lines around it: journalctl -u virtqemud -u libvirtd -b",),
    )


def allow_node(name: str) -> Cure:
    """A local rule; the policy stays on."""
    steps = {
        "F150": (
            "use a hostdev: virt-aa-helper makes the rules from the guest's XML",
            "otherwise add the node to /etc/apparmor.d/local/abstractions/libvirt-qemu",
        ),
        "F151": (
            "restorecon -v /dev/vfio /dev/vfio/*",
            "keep ROM files where libvirt's policy expects them: /usr/share, /var/lib/libvirt",
        ),
    }
    return told(UNSAFE, "let QEMU open the VFIO node", steps.get(name, ()), undo=True)


def stop_holder(command: str, pid: int) -> Cure:
    """Nothing can take a device from a process that uses it."""
    return told(
        MANUAL,
        f"stop {command}, or take its device out of its settings",
        (
            f"see what it is: ps -fp {pid}",
            "never unbind a device that is held: the shell that does it cannot be killed",
        ),
    )


def mend_hook(path: str) -> Cure:
    """A hook that ends with an error at every start."""
    return told(
        MANUAL,
        f"let {path} end with 0 where a guest may start",
        (f"correct {path}, or take its execute permission away: chmod -x {path}",),
    )


def existing_user(name: str) -> Cure:
    """qemu.conf names a user that the host does not have."""
    return told(
        MANUAL,
        "let qemu.conf name a user that exists",
        (f'remove user = "{name}" from /etc/libvirt/qemu.conf, and restart libvirt',),
    )
