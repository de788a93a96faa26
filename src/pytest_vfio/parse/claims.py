"""What a `<domain>` document needs the host to have: everything in it that names a thing there.

Follows libvirt's "Domain XML format" and what `qemuProcessStart` opens, asks or writes
(src/qemu/qemu_process.c, qemu_command.c, qemu_cgroup.c). What libvirt or QEMU make themselves
(sockets that they bind, logs, NVRAM from its template) is no claim; PCI functions are `hostdevs`.
"""

from __future__ import annotations

import enum
from collections.abc import Iterator

import msgspec

from pytest_vfio.evidence import Item, Quote
from pytest_vfio.parse.nodedevs import number
from pytest_vfio.parse.xmltext import Element


class Kind(enum.Enum):
    """What sort of thing is named."""

    FILE = "file"
    PROGRAM = "program"
    FOLDER = "folder"  # in which a file is made
    NETWORK = "network"
    BRIDGE = "bridge"
    NETDEV = "interface"
    POOL = "storage pool"
    CPUS = "CPUs"
    NODES = "NUMA nodes"
    ACCELERATOR = "accelerator"
    MACHINE = "machine type"
    SECURITY = "security model"
    CPU_MODEL = "CPU model"
    VCPUS = "number of vCPUs"
    ADDRESS = "address"
    VALUE = "value"  # that libvirt takes into a definition, and refuses at the start


class Claim(msgspec.Struct, frozen=True):
    """One thing that has to be there: its kind, its name, what it is for, and the line.

    `own` is a file that libvirt does not give to QEMU's user: it has to be readable as it is.
    """

    kind: Kind
    value: str
    what: str
    quote: Quote
    own: bool = False


def of(domain: Element, item: Item) -> tuple[Claim, ...]:
    """All claims of a document, in its order."""
    found = (
        *_machine(domain),
        *_placement(domain),
        *_boot(domain),
        *_devices(domain),
        *_values(domain),
    )
    return tuple(
        Claim(kind, value, what, item.quote(element.line), own)
        for kind, value, what, element, own in found
        if value and "\n" not in value
    )


_Found = tuple[Kind, str, str, Element, bool]


def _machine(domain: Element) -> Iterator[_Found]:
    if domain.get("type"):
        yield Kind.ACCELERATOR, domain.get("type"), "domain type", domain, False
    kind = domain.first("os", "type")
    if kind is not None and kind.get("machine"):
        yield Kind.MACHINE, kind.get("machine"), kind.get("arch"), kind, False
    for label in domain.all("seclabel"):
        if label.get("type") != "none" and label.get("model") not in ("", "none", "dac"):
            yield Kind.SECURITY, label.get("model"), "seclabel", label, False


def _placement(domain: Element) -> Iterator[_Found]:
    vcpu = domain.first("vcpu")
    if vcpu is not None:
        yield Kind.CPUS, vcpu.get("cpuset"), "vcpu", vcpu, False
        machine = domain.first("os", "type")
        yield Kind.VCPUS, vcpu.text, machine.get("machine") if machine else "", vcpu, False
    for tune in domain.all("cputune"):
        for pin in tune.children:
            if pin.tag in ("vcpupin", "emulatorpin", "iothreadpin"):
                yield Kind.CPUS, pin.get("cpuset"), pin.tag, pin, False
    for tune in domain.all("numatune"):
        for memory in tune.children:
            if memory.tag in ("memory", "memnode") and memory.get("placement") != "auto":
                yield Kind.NODES, memory.get("nodeset"), memory.tag, memory, False


def _boot(domain: Element) -> Iterator[_Found]:
    for name in ("loader", "kernel", "initrd", "dtb", "shim"):
        for element in domain.all("os", name):
            yield Kind.FILE, element.text, name, element, name in ("loader", "shim")
    for nvram in domain.all("os", "nvram"):
        yield Kind.FILE, nvram.get("template"), "template of nvram", nvram, False
        yield Kind.FOLDER, _above(nvram.text), "nvram", nvram, False
    for table in domain.all("os", "acpi", "table"):
        yield Kind.FILE, table.text, "ACPI table", table, False


def _devices(domain: Element) -> Iterator[_Found]:
    for devices in domain.all("devices"):
        for device in devices.children:
            if device.tag == "emulator":
                yield Kind.PROGRAM, device.text, "emulator", device, True
            for rom in device.all("rom"):
                yield Kind.FILE, rom.get("file"), "ROM", rom, True
            reader = _READERS.get(device.tag)
            if reader is not None:
                yield from reader(device)


def _disk(disk: Element) -> Iterator[_Found]:
    for source in disk.all("source"):
        if source.get("startupPolicy") in ("optional", "requisite"):
            continue
        for attribute in ("file", "dev", "dir"):
            if disk.get("type") != "network":
                yield Kind.FILE, source.get(attribute), "disk", source, False
        if disk.get("type") == "volume":
            yield Kind.POOL, source.get("pool"), "disk", source, False
        if disk.get("type") == "vhostuser":
            yield Kind.FILE, source.get("path"), "disk", source, False


def _interface(interface: Element) -> Iterator[_Found]:
    kinds = {"network": Kind.NETWORK, "bridge": Kind.BRIDGE, "direct": Kind.NETDEV}
    attributes = {"network": "network", "bridge": "bridge", "direct": "dev"}
    kind = kinds.get(interface.get("type"))
    for source in interface.all("source"):
        if kind is not None:
            name = source.get(attributes[interface.get("type")])
            yield kind, name, "interface", source, False
        elif interface.get("type") == "vhostuser" and source.get("mode") == "client":
            yield Kind.FILE, source.get("path"), "interface", source, False


def _filesystem(filesystem: Element) -> Iterator[_Found]:
    for source in filesystem.all("source"):
        for attribute in ("dir", "file", "dev"):
            yield Kind.FILE, source.get(attribute), "filesystem", source, False
    for binary in filesystem.all("binary"):
        yield Kind.PROGRAM, binary.get("path"), "filesystem", binary, False


def _character(device: Element) -> Iterator[_Found]:
    for source in device.all("source"):
        path, kind = source.get("path"), device.get("type")
        if kind in ("dev", "pipe") or (kind == "unix" and source.get("mode") == "connect"):
            yield Kind.FILE, path, device.tag, source, False
        elif kind in ("file", "unix"):
            yield Kind.FOLDER, _above(path), device.tag, source, False


def _hostdev(hostdev: Element) -> Iterator[_Found]:
    for source in hostdev.all("source"):
        for element in source.children:
            if element.tag in ("block", "char"):
                yield Kind.FILE, element.text, "hostdev", element, False


def _tpm(tpm: Element) -> Iterator[_Found]:
    for backend in tpm.all("backend"):
        if backend.get("type") == "emulator":
            yield Kind.PROGRAM, "/usr/bin/swtpm", "emulated TPM", backend, False
        for device in backend.all("device"):
            yield Kind.FILE, device.get("path"), "TPM", device, False


def _others(device: Element) -> Iterator[_Found]:
    """Random numbers, input devices, persistent memory."""
    for backend in device.all("backend"):
        if backend.get("model") == "random":
            yield Kind.FILE, backend.text, device.tag, backend, True
    for source in device.all("source"):
        for attribute in ("evdev", "dev"):
            yield Kind.FILE, source.get(attribute), device.tag, source, False
        for path in source.all("path"):
            yield Kind.FILE, path.text, device.tag, path, False


def _values(domain: Element) -> Iterator[_Found]:
    cpu = domain.first("cpu")
    if cpu is not None and cpu.get("mode") == "host-passthrough" and domain.get("type") == "qemu":
        yield Kind.VALUE, "host-passthrough", "CPU mode, which needs type kvm", cpu, False
    for model in domain.all("cpu", "model"):
        if domain.at("os", "type") == "hvm" and model.get("fallback") != "allow":
            yield Kind.CPU_MODEL, model.text, "cpu", model, False
    for graphics in domain.all("devices", "graphics"):
        port, kind = number(graphics.get("port", "-1")), graphics.get("type")
        fixed = port if port is not None and graphics.get("autoport") != "yes" else -1
        if kind == "vnc" and 0 < fixed < _FIRST_VNC_PORT:
            what = f"port of vnc, expected {_FIRST_VNC_PORT} to 65535"
            yield Kind.VALUE, str(fixed), what, graphics, False
        listens = [graphics.get("listen"), *(x.get("address") for x in graphics.all("listen"))]
        for address in dict.fromkeys(filter(None, listens)):
            yield Kind.ADDRESS, address, f"{kind} listens", graphics, False


#: QEMU counts displays from here.
_FIRST_VNC_PORT = 5900

_READERS = {
    "disk": _disk,
    "interface": _interface,
    "filesystem": _filesystem,
    "hostdev": _hostdev,
    "tpm": _tpm,
    **dict.fromkeys(("serial", "parallel", "console", "channel"), _character),
    **dict.fromkeys(("rng", "input", "memory"), _others),
}


def _above(path: str) -> str:
    """The folder of an absolute path; a relative one libvirt puts where it likes."""
    return path.rpartition("/")[0] if path.startswith("/") else ""
