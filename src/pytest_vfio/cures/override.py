"""Cures that change a function's driver by its address: now, and at every boot.

A lasting binding is a udev rule of our own that checks what stands at the address before it acts:
addresses move when cards do. A pin that somebody made (driverctl, udev) is respected and told.
"""

from __future__ import annotations

from collections.abc import Iterable
from contextlib import suppress

from pytest_vfio.cures import cmdline, modprobe
from pytest_vfio.cures.modprobe import comment_out
from pytest_vfio.evidence import Missing
from pytest_vfio.facts import tristate
from pytest_vfio.facts.drivers.pins import Pin
from pytest_vfio.facts.pci.functions import PciFunction
from pytest_vfio.hypervisor.hypervisor import Hypervisor
from pytest_vfio.parse.vfioids import IdPattern
from pytest_vfio.steps import ByHand, Cure, Reboot, Step, by_hand
from pytest_vfio.steps.files import AddLine, DeleteFile, WriteFile
from pytest_vfio.steps.host import ANY_DRIVER, Bind, Identity, Regenerate, SetOverride

_DRIVERCTL = "etc/driverctl.d/"


def bind(hypervisor: Hypervisor, function: PciFunction) -> Cure:
    """Bind by address; the other devices of the model stay where they are."""
    title = f"bind {function.address} to vfio-pci by its address"
    lasting = () if _lasts(hypervisor, function) else _pin(hypervisor, function)
    return Cure(title, (*lasting, _to_vfio(function)))


def pin(hypervisor: Hypervisor, function: PciFunction) -> Cure:
    """Give one device to vfio-pci by its address at every boot, which beats any other driver."""
    title = f"bind {function.address} to vfio-pci by its address at every boot"
    steps = _pin(hypervisor, function)
    return Cure(title, (*steps, Reboot()) if _on_host_driver(function) else steps)


def take(hypervisor: Hypervisor, functions: Iterable[PciFunction]) -> Cure:
    """The rest of a group leaves the host, as a whole; what the host depends on never does.

    Nor does a part of the chipset (LPC, SMBus, a bridge): what the firmware does with it nobody
    sees, and no guest has a use for it.
    """
    found = tuple(functions)
    names = ", ".join(one.address for one in found)
    for one in found:
        path = hypervisor.protected.known.get(one.address)
        if path is None and not tristate.known(_is_endpoint, one):
            path = "it is a part of the chipset"
        if path is not None:
            return by_hand(
                "move the card to a slot whose IOMMU group holds nothing of the host",
                f"the group holds {one.address}, which the host uses: {path}",
                f"power off, move the card, boot, and look at the groups again; do not detach {names}",
                reboot=True,
            )
    steps = [step for one in found for step in (*_pin(hypervisor, one), _to_vfio(one))]
    return Cure(f"take {names} from the host with the device", tuple(dict.fromkeys(steps)))


def unbind_bridge(address: str, driver: str) -> Cure:
    """A bridge needs pcieport, or no driver."""
    return Cure(f"unbind {driver} from the bridge {address}", (Bind(address, driver, None),))


def host_driver(function: PciFunction) -> Cure:
    """A PF whose VFs are wanted belongs to the host."""
    old, override = _driver(function), _override(function)
    step = Bind(function.address, old, ANY_DRIVER, override, "", _identity(function))
    return Cure(f"give {function.address} back to its host driver", (step,))


def clear_override(function: PciFunction) -> Cure:
    """Nothing is unbound by that (S22)."""
    title = f"clear driver_override of {function.address}"
    return Cure(title, (SetOverride(function.address, _override(function), ""),))


def give_back(function: PciFunction) -> Cure:
    """An override that was left over keeps a function of the host without a driver."""
    step = Bind(function.address, None, ANY_DRIVER, _override(function), "", _identity(function))
    return Cure(f"clear driver_override of {function.address} and let its driver bind", (step,))


def unpin(hypervisor: Hypervisor, pin: Pin) -> Cure:
    """A pin outlives the card that it was made for. The running driver stays until the reboot."""
    source = pin.quote.source
    if source.startswith(_DRIVERCTL):
        lines = tuple(line for line in hypervisor.evidence.item(source).text.split("\n") if line)
        step: Step = DeleteFile(f"/{source}", lines)
    else:
        step = comment_out(hypervisor.evidence, pin.quote)
    return Cure(f"remove the pin of {pin.address} to {pin.driver} from /{source}", (step,))


def narrow(hypervisor: Hypervisor, pattern: IdPattern) -> Cure:
    """Addresses instead of a model: the id goes, the intended functions are pinned.

    A function that libvirt binds for its guest (managed='yes') needs no pin.
    """
    pinned: list[Step] = []
    for device in hypervisor.intent.known:
        if device.address is None or device.managed or device.keeps_host_driver:
            continue
        with suppress(Missing):
            function = hypervisor.pci.get(device.address)
            if function is not None and pattern.catches(function):
                pinned += _pin(hypervisor, function)
    steps = (*pinned, *modprobe.without(hypervisor, pattern))  # never a boot without either
    instead = ", and bind the devices of guests by their addresses" if pinned else ""
    title = f"take the id {pattern.text} out of the ids of vfio-pci{instead}"
    words = [word.text for word in hypervisor.boot.running_words if pattern.text in word.pieces]
    waits: tuple[Step, ...] = (Reboot(),) if pattern.origin == "modprobe" else ()
    waits = waits or cmdline.if_it_runs(hypervisor.boot, *words)
    return Cure(title, (*modprobe.last_once(steps), *waits))


def _pin(hypervisor: Hypervisor, function: PciFunction) -> tuple[Step, ...]:
    """A udev rule with the device's identity; in the initramfs too, where its driver is there."""
    address = function.address
    known = hypervisor.pins.of(address)
    if known is not None:
        return ()  # somebody's pin: it is told, and not written again
    name = address.replace(":", "-").replace(".", "-")
    tests = [f'ATTR{{{file}}}=="{value}"' for file, value in _identity(function).attributes]
    rule = ", ".join(
        (
            'ACTION=="add"',
            'SUBSYSTEM=="pci"',
            f'KERNEL=="{address}"',
            *tests,
            'ATTR{driver_override}="vfio-pci"',
            'RUN{builtin}+="kmod load vfio-pci"',
        )
    )
    path = f"/etc/udev/rules.d/70-pytest-vfio-{name}.rules"
    return (WriteFile(path, (rule,)), *_in_initramfs(hypervisor, function, name))


def _in_initramfs(hypervisor: Hypervisor, function: PciFunction, name: str) -> tuple[Step, ...]:
    """Where the initramfs has the host driver, that one binds before any rule of the host runs."""
    driver = _driver(function)
    try:
        if not driver or not hypervisor.modules.initramfs.holds(driver):
            return ()
    except Missing:
        return ()
    if not hypervisor.evidence.item("etc/initramfs-tools/modules").data:
        return (
            ByHand(
                f"the initramfs holds {driver}, which binds {function.address} before udev's rules "
                "are read: have the image set driver_override first (a pre-udev hook of dracut)"
            ),
        )
    device = f"/sys/bus/pci/devices/{function.address}"
    tests = [
        f'[ "$(cat {device}/{file})" = {value} ] || exit 0'
        for file, value in _identity(function).attributes
    ]
    script = (
        "#!/bin/sh",
        '[ "$1" = prereqs ] && exit 0',
        f"[ -e {device} ] || exit 0",
        *tests,
        f"echo vfio-pci > {device}/driver_override",
        "modprobe -q vfio-pci",
    )
    path = f"/etc/initramfs-tools/scripts/init-top/00-pytest-vfio-{name}"
    lines = [line.split() for line in hypervisor.evidence.item("etc/initramfs-tools/modules").lines]
    listed = any(words and words[0].replace("-", "_") == "vfio_pci" for words in lines)
    held = () if listed else (AddLine("/etc/initramfs-tools/modules", "vfio-pci"),)
    build = Regenerate("the initramfs of every kernel", ("update-initramfs", "-u", "-k", "all"))
    return (WriteFile(path, script, runs=True), *held, build)


def _to_vfio(function: PciFunction) -> Step:
    old, override = _driver(function), _override(function)
    return Bind(function.address, old, "vfio-pci", override, "vfio-pci", _identity(function))


def _lasts(hypervisor: Hypervisor, function: PciFunction) -> bool:
    """Something binds the function at boot already, or is meant to."""
    if hypervisor.pins.of(function.address) is not None or _physical(function) is not None:
        return True
    try:
        return any(one.catches(function) for one in hypervisor.modules.configured_vfio_ids)
    except Missing:
        return False


def _physical(function: PciFunction) -> str | None:
    try:
        return function.physfn
    except Missing:
        return None


def _on_host_driver(function: PciFunction) -> bool:
    return _driver(function) not in (None, "vfio-pci")


def _driver(function: PciFunction) -> str | None:
    return function.driver if function.knows("driver") else None


def _override(function: PciFunction) -> str:
    return (function.driver_override or "") if function.knows("driver_override") else ""


def _identity(function: PciFunction) -> Identity:
    """What can be read of a device before a driver binds."""
    try:
        return Identity(function.id, function.subsystem)
    except Missing:
        return Identity(function.id if function.knows("device") else None)


def _is_endpoint(function: PciFunction) -> bool:
    return function.is_endpoint
