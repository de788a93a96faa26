"""Cures for what libvirt itself lacks: its daemon, its settings, its rights."""

from __future__ import annotations

from pytest_vfio.cures.modprobe import comment_out
from pytest_vfio.evidence import Evidence, Missing, Quote
from pytest_vfio.facts.libvirt.daemon import Libvirt
from pytest_vfio.steps import ByHand, Cure, Impact, Step, by_hand
from pytest_vfio.steps.host import Run


def start_daemon() -> Cure:
    """The sockets are enough: they start the daemon when somebody asks."""
    return by_hand(
        "enable libvirt's sockets",
        "look at the guests that start by themselves first (ls /etc/libvirt/qemu/autostart): the first "
        "connection starts them",
        "modular daemons: systemctl enable --now virtqemud.socket virtnodedevd.socket; one daemon: "
        "systemctl enable --now libvirtd.socket",
    )


def refresh_node_devices(libvirt: Libvirt) -> Cure:
    """libvirt reads the devices again when its node device daemon starts."""
    return Cure("have libvirt read the host's devices again", (_restart(libvirt, "virtnodedevd"),))


def own_the_node(evidence: Evidence, libvirt: Libvirt, quote: Quote) -> Cure:
    """QEMU's user has to be able to open /dev/vfio/N. Running guests go on."""
    steps = (comment_out(evidence, quote), _restart(libvirt, "virtqemud"))
    return Cure("let libvirt hand device nodes to QEMU's user", steps)


def look_into_log() -> Cure:
    """A line of a log says what happened, not that it still holds."""
    look = ByHand(
        "read the lines around it",
        argv=("journalctl", "-u", "virtqemud", "-u", "libvirtd", "-b", "--no-pager"),
    )
    then = ByHand("cure what the log names, then start the guest again")
    return Cure("cure what the log names, then start the guest again", (look, then))


def allow_node(name: str) -> Cure:
    """A local rule; the policy stays on."""
    title = "let QEMU open the VFIO node"
    if name == "F151":
        label = Run("restore the SELinux labels of /dev/vfio", ("restorecon", "-Rv", "/dev/vfio"))
        keep = ByHand(
            "keep ROM files where libvirt's policy expects them: /usr/share or /var/lib/libvirt"
        )
        return Cure(title, (label, keep))
    return by_hand(
        title,
        "use a <hostdev>: virt-aa-helper makes the AppArmor rules from the guest's XML",
        "otherwise add the node to /etc/apparmor.d/local/abstractions/libvirt-qemu",
    )


def stop_holder(command: str, pid: int) -> Cure:
    """Nothing can take a device from a process that uses it."""
    look = ByHand(f"see what {command} ({pid}) is", argv=("ps", "-fp", str(pid)))
    then = ByHand(
        f"stop {command}, or take the device out of its settings; never unbind a device that is held: "
        "the shell that does it cannot be killed"
    )
    return Cure(f"stop {command}, or take its device out of its settings", (look, then))


def vfio_node(number: int) -> Cure:
    """udev makes the node."""
    what = f"let udev make /dev/vfio/{number} again"
    return Cure(what, (Run(what, ("udevadm", "trigger", "--subsystem-match=vfio")),))


def no_sleep() -> Cure:
    """A hypervisor with assigned devices does not sleep."""
    units = ("sleep.target", "suspend.target", "hibernate.target", "hybrid-sleep.target")
    step = Run(
        "mask the sleep targets",
        ("systemctl", "mask", *units),
        ("systemctl", "unmask", *units),
    )
    return Cure("mask the sleep targets", (step,))


def _restart(libvirt: Libvirt, daemon: str) -> Step:
    """The daemon that does it here; guests marked for autostart that are off may start."""
    try:
        known = {*libvirt.running_daemons, *libvirt.waiting_daemons}
    except Missing:
        known = set()
    unit = daemon if daemon in known or "libvirtd" not in known else "libvirtd"
    what = f"restart {unit} (guests go on; those that are off and start by themselves may start)"
    return Run(what, ("systemctl", "restart", f"{unit}.service"), effects=(Impact.SERVICE,))


def mend_hook(path: str) -> Cure:
    """A hook that ends with an error at every start."""
    return by_hand(
        f"let {path} end with 0 where a guest may start",
        f"correct {path}, or take its execute permission away: chmod -x {path}",
    )


def existing_user(name: str) -> Cure:
    """qemu.conf names a user that the host does not have."""
    return by_hand(
        "let qemu.conf name a user that exists",
        f'remove user = "{name}" from /etc/libvirt/qemu.conf, and restart libvirt',
    )
