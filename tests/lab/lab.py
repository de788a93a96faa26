"""Build a host once, snapshot it running, restore it in seconds."""

import subprocess
import time
from pathlib import Path

from tests.lab import cache
from tests.lab.hosts import Host
from tests.lab.image import FINISH, Image, unfinished
from tests.lab.machine import Machine

READY = "ready"
SLOW = 600.0
"""Seconds allowed for a boot under emulation on a busy machine; an idle one needs 45."""


def installed(image: Image) -> Path:
    """The image's disk, built and made bootable if it is not there yet."""
    if image.disk.exists():
        return image.disk
    raw, kernel, initrd = unfinished(image)
    host = Host("workshop", image)
    machine = Machine("workshop")
    disk = image.disk.with_suffix(".part")
    _run("qemu-img", "convert", "-O", "qcow2", raw, disk)
    raw.unlink()
    boot = ("-kernel", str(kernel), "-initrd", str(initrd))
    words = ("-append", "root=LABEL=root rw console=ttyS0,115200")
    machine.start(host.command(str(disk), *boot, *words))
    try:
        machine.shell.wait(SLOW)
        machine.shell.must(FINISH[image.loader], timeout=SLOW)
        machine.shell.run("virsh -c qemu:///system capabilities; systemctl stop libvirtd", timeout=SLOW)
        _power_off(machine)
    finally:
        machine.stop()
    disk.rename(image.disk)
    for stale in (kernel, initrd):
        stale.unlink()
    return image.disk


def _overlay(host: Host) -> Path:
    """The host's own layer over the image, without a snapshot yet."""
    base = installed(host.image)
    disk = _disk(host)
    disk.unlink(missing_ok=True)
    _run("qemu-img", "create", "-q", "-f", "qcow2", "-F", "qcow2", "-b", base, disk)
    return disk


def _disk(host: Host) -> Path:
    return cache.images() / f"host-{host.name}-{_recipe(host)}.qcow2"


def _recipe(host: Host) -> str:
    import hashlib

    text = repr((host, host.image.recipe))
    return hashlib.sha256(text.encode()).hexdigest()[:10]


def prepare(host: Host) -> Path:
    """The host's disk with a snapshot of it running, made if it is not there yet."""
    disk = _disk(host)
    mark = disk.with_suffix(".ready")
    if mark.exists() and disk.exists():
        return disk
    _overlay(host)
    machine = Machine(host.name)
    machine.start(host.command(str(disk)))
    try:
        machine.shell.wait(SLOW)
        if host.setup:
            machine.shell.must(host.setup, timeout=SLOW)
        if host.reboots:
            machine.shell.reboot(SLOW)
        _settle(machine)
        if host.snapshots:
            said = machine.monitor.type(f"savevm {READY}")
            if said.strip():
                raise RuntimeError(f"savevm: {said}")
        else:
            _power_off(machine)
    finally:
        machine.stop()
    mark.touch()
    return disk


def restore(host: Host, *, kept: bool = False) -> Machine:
    """The host running as it was when its snapshot was made."""
    disk = prepare(host)
    machine = Machine(host.name)
    if host.snapshots:
        machine.start(host.command(str(disk), "-loadvm", READY), kept=kept)
    else:
        scratch = machine.folder / "scratch.qcow2"
        scratch.unlink(missing_ok=True)
        _run("qemu-img", "create", "-q", "-f", "qcow2", "-F", "qcow2", "-b", disk, scratch)
        machine.start(host.command(str(scratch)), kept=kept)
    machine.shell.wait(SLOW)
    return machine


def _settle(machine: Machine) -> None:
    """Wait until systemd has nothing left to start, so that snapshots are alike."""
    machine.shell.run("systemctl is-system-running --wait", timeout=SLOW)
    machine.shell.must("sync; journalctl --sync")


def _power_off(machine: Machine) -> None:
    machine.shell.run("systemctl poweroff", timeout=30)
    if not machine.finished(120):
        raise TimeoutError(f"{machine.name} did not power off")


def _run(*words: str | Path) -> None:
    subprocess.run([str(word) for word in words], check=True)


def timed(label: str, started: float) -> str:
    """How long something took, for a person."""
    return f"{label} in {time.monotonic() - started:.1f} s"
