"""`--libvirt-uri`: a host that offers libvirt and no shell, read through libvirt's own API.

Read-only (virConnectOpenReadOnly). The items are those that the probe gets from `virsh -r`, in the
same shapes, so that the same facts read both. Where libvirt-python is not installed, a local
`virsh` does the same.
"""

from __future__ import annotations

import asyncio
import shutil
import time
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from types import MappingProxyType, ModuleType
from typing import Any

from pytest_vfio.evidence import Evidence, Item, Source, Status
from pytest_vfio.sources.live.patience import in_thread
from pytest_vfio.sources.target import Target, Unreachable

_NEITHER = (
    "reading libvirt's API needs libvirt-python, or else virsh: pip install "
    "'pytest-vfio[libvirt]' (with gcc, pkg-config and libvirt's headers), or a virtual environment "
    "with --system-site-packages and the distribution's python3-libvirt, or libvirt-clients"
)
_STATES = (
    "no state",
    "running",
    "idle",
    "paused",
    "in shutdown",
    "shut off",
    "crashed",
    "pmsuspended",
)


async def read(target: Target, limit: float) -> Evidence | Unreachable:
    """Read a host by its libvirt URI within `limit` seconds."""
    began = time.monotonic()
    libvirt = _binding()
    try:
        async with asyncio.timeout(limit):
            if libvirt is not None:
                items = await in_thread(_by_binding, libvirt, target.spec)
            elif shutil.which("virsh"):
                items = await _by_virsh(target.spec)
            else:
                return Unreachable(target.name, f"{target.name}: {_NEITHER}", "failed")
    except TimeoutError:
        reason = f"{target.name}: {target.spec} did not answer within {limit:g} s"
        return Unreachable(target.name, reason, "timeout", time.monotonic() - began)
    except _Refused as error:
        reason = f"{target.name}: {target.spec}: {error}"
        return Unreachable(target.name, reason, "unreachable", time.monotonic() - began)
    stamp = datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
    known = MappingProxyType({item.name: item for item in items})
    return Evidence(target.name, Source.LIBVIRT, known, stamp, live=True)


class _Refused(Exception):
    """libvirt's own words why it cannot be connected to."""


def _binding() -> ModuleType | None:
    try:
        import libvirt  # noqa: PLC0415 - an optional part, and slow
    except ImportError:
        return None
    libvirt.registerErrorHandler(lambda _context, _error: None, None)  # else it prints by itself
    return libvirt  # type: ignore[no-any-return]


def _by_binding(libvirt: ModuleType, uri: str) -> tuple[Item, ...]:
    try:
        connection = libvirt.openReadOnly(uri)
    except libvirt.libvirtError as error:
        raise _Refused(str(error)) from error
    try:
        return tuple(_items(libvirt, connection))
    finally:
        connection.close()


def _items(libvirt: ModuleType, connection: Any) -> Iterator[Item]:
    """The items, each by itself: one that is refused leaves the others."""
    inactive = libvirt.VIR_DOMAIN_XML_INACTIVE
    pci = libvirt.VIR_CONNECT_LIST_NODE_DEVICES_CAP_PCI_DEV
    asked: dict[str, Callable[[], list[str]]] = {
        "virsh/version": lambda: [_version(connection)],
        "virsh/capabilities": lambda: [connection.getCapabilities()],
        "virsh/list": lambda: _list(connection),
        "virsh/list-autostart": lambda: [
            domain.name() for domain in connection.listAllDomains() if domain.autostart()
        ],
        "virsh/dumpxml": lambda: [
            domain.XMLDesc(0) for domain in connection.listAllDomains() if domain.isActive()
        ],
        "virsh/dumpxml-inactive": lambda: [
            domain.XMLDesc(inactive)
            for domain in connection.listAllDomains()
            if domain.isPersistent()
        ],
        "virsh/nodedev-dumpxml": lambda: [d.XMLDesc(0) for d in connection.listAllDevices(pci)],
        "virsh/net-dumpxml": lambda: [net.XMLDesc(0) for net in connection.listAllNetworks()],
    }
    for name, question in asked.items():
        try:
            text = "\n".join(question())
        except libvirt.libvirtError as error:
            yield Item(name, Status.FAILED, detail=" ".join(str(error).split()))
        else:
            yield Item(name, Status.PRESENT, text.encode("utf-8", "surrogateescape"))


def _version(connection: Any) -> str:
    def dotted(number: int) -> str:
        return f"{number // 1_000_000}.{number // 1000 % 1000}.{number % 1000}"

    return (
        f"Using library: libvirt {dotted(connection.getLibVersion())}\n"
        f"Running hypervisor: {connection.getType()} {dotted(connection.getVersion())}"
    )


def _list(connection: Any) -> list[str]:
    rows = [" Id   Name   State", "-" * 24]
    for domain in connection.listAllDomains():
        number = domain.ID() if domain.isActive() else "-"
        state = domain.state()[0]
        word = _STATES[state] if 0 <= state < len(_STATES) else "no state"
        rows.append(f" {number}   {domain.name()}   {word}")
    return rows


_TABLES = {
    "virsh/version": "version",
    "virsh/capabilities": "capabilities",
    "virsh/list": "list --all",
    "virsh/list-autostart": "list --all --name --autostart",
}
#: Item -> how virsh lists the names, and how it prints the document of one.
_DOCUMENTS = {
    "virsh/dumpxml": ("list --name", "dumpxml"),
    "virsh/dumpxml-inactive": ("list --all --name --persistent", "dumpxml --inactive"),
    "virsh/nodedev-dumpxml": ("nodedev-list --cap pci", "nodedev-dumpxml"),
    "virsh/net-dumpxml": ("net-list --all --name", "net-dumpxml"),
}


async def _by_virsh(uri: str) -> tuple[Item, ...]:
    """The same by `virsh -r`: the names of a kind first, then all its documents at once."""
    first = await _virsh(uri, "uri")
    if first.status is not Status.PRESENT:
        raise _Refused(first.detail)
    items = [await _virsh(uri, command, name) for name, command in _TABLES.items()]
    for name, (listing, dump) in _DOCUMENTS.items():
        listed = await _virsh(uri, listing, name)
        names = [line.strip() for line in listed.text.splitlines() if line.strip()]
        if listed.status is Status.PRESENT and names:
            listed = await _virsh(uri, "; ".join(f"{dump} {_quoted(one)}" for one in names), name)
        items.append(listed)
    return tuple(items)


def _quoted(name: str) -> str:
    """A name as one word of virsh's own command language."""
    return "'" + name.replace("'", "'\\''") + "'"


async def _virsh(uri: str, command: str, name: str = "virsh") -> Item:
    process = await asyncio.create_subprocess_exec(
        *("virsh", "-q", "-r", "-c", uri, command),
        stdin=asyncio.subprocess.DEVNULL,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
    )
    try:
        output, errors = await process.communicate()
    finally:
        if process.returncode is None:
            process.kill()
    if process.returncode:
        words = " ".join(errors.decode("utf-8", "replace").split())
        return Item(name, Status.FAILED, output, words)
    return Item(name, Status.PRESENT, output)
