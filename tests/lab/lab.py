"""Build a host once, snapshot it running, restore it in seconds."""

import time
from pathlib import Path

from tests.lab import cache, nested, workshop
from tests.lab.board import BOARDS
from tests.lab.hardware import PLAIN
from tests.lab.hosts import Host, variables
from tests.lab.image import FINISH, Image, unfinished
from tests.lab.local import run, say
from tests.lab.machine import Machine

READY = "ready"
WARM_LIBVIRT = "virsh -c qemu:///system capabilities; systemctl stop libvirtd"
"""Libvirt probes every QEMU binary once, slow under emulation, and remembers the answers."""
ROOM = "12G"
"""A host's disk: its image and as much again, for hosts that partition what is free."""
SLOW = 600.0
"""Seconds allowed for a boot under emulation on a busy machine; an idle one needs 45."""


def installed(image: Image) -> Path:
    """The image's disk, built and made bootable if it is not there yet."""
    with cache.alone(f"image-{image.name}"):
        if not image.disk.exists():
            _install(image)
    return image.disk


def _install(image: Image) -> None:
    say(f"building the image {image.name}")
    raw, kernel, initrd = unfinished(image)
    machine = Machine(image.name, "image")
    disk = image.disk.with_suffix(".part")
    run("qemu-img", "convert", "-O", "qcow2", raw, disk)
    raw.unlink()
    _new_variables(image, disk)
    boot = ("-kernel", str(kernel), "-initrd", str(initrd))
    words = ("-append", f"root=LABEL=root rw {BOARDS[image.arch].cmdline}")
    machine.start(Host(image.name, image, hardware=PLAIN).command(disk, *boot, *words))
    try:
        machine.wait(SLOW)
        machine.shell.must(FINISH[image.loader], timeout=SLOW)
        machine.shell.run(WARM_LIBVIRT, timeout=SLOW)
        _power_off(machine)
    finally:
        machine.stop()
    if image.uefi:
        variables(disk).rename(variables(image.disk))
    disk.rename(image.disk)
    for stale in (kernel, initrd):
        stale.unlink()


def _overlay(host: Host) -> Path:
    """The host's own layer over the image, without a snapshot yet."""
    base = installed(host.image)
    disk = _disk(host)
    disk.unlink(missing_ok=True)
    run("qemu-img", "create", "-q", "-f", "qcow2", "-F", "qcow2", "-b", base, disk, ROOM)
    if host.image.uefi:
        _copy(variables(base), variables(disk))
    return disk


def _disk(host: Host) -> Path:
    return cache.images() / f"host-{host.name}-{host.recipe}.qcow2"


def _new_variables(image: Image, disk: Path) -> None:
    template = BOARDS[image.arch].variables
    if image.uefi:
        run("qemu-img", "convert", "-f", "raw", "-O", "qcow2", template, variables(disk))


def _copy(source: Path, target: Path) -> None:
    run("cp", "--reflink=auto", "--sparse=always", source, target)


def prepare(host: Host) -> Path:
    """The host's disk with a snapshot of it running, made if it is not there yet."""
    workshop.board(host.image.arch)
    disk = _disk(host)
    with cache.alone(f"host-{host.name}"):
        if not (disk.exists() and disk.with_suffix(".ready").exists()):
            _prepare(host)
    return disk


def _prepare(host: Host) -> None:
    disk = _overlay(host)
    say(f"setting up the host {host.name}")
    machine = Machine(host.name, "build")
    machine.start(host.command(disk))
    try:
        machine.wait(SLOW)
        if host.guests:
            nested.install(machine.shell)
        if host.setup:
            machine.shell.must(host.setup, timeout=SLOW)
        if host.reboot:
            machine.reboot(SLOW)
        _settle(machine)
        if host.snapshots:
            said = machine.monitor.type(f"savevm {READY}")
            if said.strip():
                raise RuntimeError(f"savevm: {said}")
        else:
            _power_off(machine)
    finally:
        machine.stop()
    disk.with_suffix(".ready").touch()


def restore(host: Host, *, slot: str = "kept") -> Machine:
    """The host running as it was when its snapshot was made, on a disk of its own."""
    disk = prepare(host)
    machine = Machine(host.name, slot)
    machine.stop()
    scratch = machine.folder / "disk.qcow2"
    _copy(disk, scratch)
    if host.image.uefi:
        _copy(variables(disk), variables(scratch))
    words = ("-loadvm", READY) if host.snapshots else ()
    machine.start(host.command(scratch, *words))
    machine.wait(SLOW)
    return machine


def _settle(machine: Machine) -> None:
    """Wait until systemd has nothing left to start, so that snapshots are alike."""
    machine.shell.run("systemctl is-system-running --wait", timeout=SLOW)
    machine.shell.must("sync; journalctl --sync")


def _power_off(machine: Machine) -> None:
    machine.shell.run("systemctl poweroff", timeout=30)
    if not machine.finished(120):
        raise TimeoutError(f"{machine.name} did not power off")


def timed(label: str, started: float) -> str:
    """How long something took, for a person."""
    minutes, seconds = divmod(round(time.monotonic() - started), 60)
    return f"{label} in {minutes} min {seconds} s" if minutes else f"{label} in {seconds} s"
