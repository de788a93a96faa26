"""Builders for libvirt's XML in tests: what `virsh` prints, as short as a scenario needs it."""

from __future__ import annotations


def source(address: str) -> str:
    domain, bus, rest = address.split(":")
    slot, function = rest.split(".")
    return (
        f"<source>\n      <address domain='0x{domain}' bus='0x{bus}' slot='0x{slot}'"
        f" function='0x{function}'/>\n    </source>"
    )


def hostdev(address: str, *, managed: str = "yes", inside: str = "", extra: str = "") -> str:
    """A `<hostdev>`; `inside` is `bus:slot.function` in the guest, with `+` for multifunction."""
    placed = ""
    if inside:
        bus, rest = inside.rstrip("+").split(":")
        slot, function = rest.split(".")
        many = " multifunction='on'" if inside.endswith("+") else ""
        placed = (
            f"<address type='pci' domain='0x0000' bus='0x{bus}' slot='0x{slot}'"
            f" function='0x{function}'{many}/>"
        )
    return (
        f"  <hostdev mode='subsystem' type='pci' managed='{managed}'>\n    "
        f"{source(address)}\n    {extra}\n    {placed}\n  </hostdev>"
    )


def domain(
    name: str,
    *devices: str,
    id: int | None = None,
    machine: str = "pc-q35-8.2",
    memory: str = "<memory unit='GiB'>4</memory><currentMemory unit='GiB'>4</currentMemory>",
    body: str = "",
    os: str = "",
    type: str = "kvm",
) -> str:
    """A `<domain>`; with an `id` it is the XML of a running guest."""
    number = "" if id is None else f" id='{id}'"
    return (
        f"<domain type='{type}'{number}>\n<name>{name}</name>\n{memory}\n"
        f"<os>\n<type arch='x86_64' machine='{machine}'>hvm</type>\n{os}\n</os>\n{body}\n"
        f"<devices>\n" + "\n".join(devices) + "\n</devices>\n</domain>\n\n"
    )


def table(**states: str) -> str:
    """What `virsh list --all` prints."""
    rows = [
        f" {at if state != 'shut off' else '-'}    {name}   {state}"
        for at, (name, state) in enumerate(states.items(), start=1)
    ]
    return "\n".join([" Id   Name   State", "-" * 24, *rows]) + "\n\n"


def host(
    *stored: str,
    live: tuple[str, ...] = (),
    autostart: str = "",
    states: dict[str, str] | None = None,
) -> dict[str, str]:
    """Everything that `virsh` says of guests. What is live replaces what is stored in dumpxml."""
    names = {xml.split("<name>")[1].split("<")[0]: xml for xml in stored}
    running = {xml.split("<name>")[1].split("<")[0]: xml for xml in live}
    shown = {name: "running" if name in running else "shut off" for name in {**names, **running}}
    return {
        "virsh/list": table(**{**shown, **(states or {})}),
        "virsh/dumpxml": "".join({**names, **running}.values()),
        "virsh/dumpxml-inactive": "".join(stored),
        "virsh/list-autostart": "".join(f"{name}\n" for name in autostart.split()),
    }


def nodedev(
    address: str,
    *,
    driver: str | None = "vfio-pci",
    group: int = 1,
    vfs: int | None = None,
    physfn: str = "",
) -> str:
    """A PCI node device, in libvirt's decimal numbers."""
    domain, bus, rest = address.split(":")
    slot, function = rest.split(".")
    bound = f"<driver>\n<name>{driver}</name>\n</driver>\n" if driver else ""
    many = f"<capability type='virt_functions' maxCount='{vfs}'/>\n" if vfs else ""
    if physfn:
        where = source(physfn).removeprefix("<source>").removesuffix("</source>")
        many += f"<capability type='phys_function'>{where}</capability>\n"
    return (
        f"<device>\n<name>pci_{domain}_{bus}_{slot}_{function}</name>\n{bound}"
        f"<capability type='pci'>\n<class>0x020000</class>\n<domain>{int(domain, 16)}</domain>\n"
        f"<bus>{int(bus, 16)}</bus>\n<slot>{int(slot, 16)}</slot>\n"
        f"<function>{int(function, 16)}</function>\n<product id='0x1572'/>\n"
        f"<vendor id='0x8086'/>\n{many}<iommuGroup number='{group}'>\n</iommuGroup>\n"
        "</capability>\n</device>\n\n"
    )
