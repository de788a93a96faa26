"""libvirt itself: which daemons run, versions, what it says of the host, settings, networks.

Follows libvirt's "Monolithic and modular daemons", "Capabilities XML", "Network XML format" and
`src/qemu/qemu.conf.in`. A daemon that is only socket-activated and does not run at the moment is
healthy; nobody may wake it to ask (that starts guests): what it would have said is not collected.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from functools import cached_property

import msgspec
from msgspec.structs import replace

from pytest_vfio.evidence import Evidence, Item, Lack, Missing, Quote, Status
from pytest_vfio.facts.tristate import require
from pytest_vfio.parse import nodedevs as nodes
from pytest_vfio.parse import xmltext
from pytest_vfio.parse.nodedevs import NodeDevice, attribute_address
from pytest_vfio.parse.xmltext import Element

DAEMONS = "libvirt/daemons"
VERSION = "virsh/version"
CAPABILITIES = "virsh/capabilities"
NETWORKS = "virsh/net-dumpxml"
NETWORK_FOLDER = "etc/libvirt/qemu/networks/"
QEMU_CONF = "etc/libvirt/qemu.conf"
GUESTS_CONF = ("etc/default/libvirt-guests", "etc/sysconfig/libvirt-guests")
LOGS = ("journal/libvirt", "libvirt.log")
QEMU_LOG_FOLDER = "var/log/libvirt/qemu/"
QEMU_LOG = "qemu.log"

#: Either of these drives QEMU guests.
QEMU_DAEMONS = ("virtqemud", "libvirtd")

_DAEMON = re.compile(
    r"\b(libvirtd|virt(?:qemu|nodedev|network|storage|proxy|log|lock|interface)d)\b"
)
_VERSIONS = re.compile(
    r"^(Using library|Running hypervisor|Running against daemon): .*?([\d.]+)\s*$", re.M
)
_SETTING = re.compile(r"[ \t]*([A-Za-z_][A-Za-z0-9_]*)[ \t]*=[ \t]*(.*)")
_STRING = re.compile(r'"([^"\n]*)"|\'([^\'\n]*)\'')


class Setting(msgspec.Struct, frozen=True):
    """One setting of qemu.conf: its values as strings, one unless it is a list."""

    name: str
    values: tuple[str, ...]
    quote: Quote


class Network(msgspec.Struct, frozen=True):
    """A libvirt network. `mode` is its forward mode; a pool of VFs has `hostdev`.

    `pf` is the netdev whose VFs it hands out, `addresses` the functions that it lists itself.
    """

    name: str
    mode: str | None
    managed: bool
    pf: str | None
    addresses: tuple[str, ...]
    quote: Quote

    @property
    def is_pool(self) -> bool:
        """It hands host functions to guests."""
        return self.mode == "hostdev"


class Libvirt:
    """libvirt on one host."""

    def __init__(self, evidence: Evidence) -> None:
        self._evidence = evidence

    # the daemon

    @cached_property
    def running_daemons(self) -> Mapping[str, Quote]:
        """The daemons that run, each with its line. Raises Missing where nobody looked."""
        item = self._evidence.item(DAEMONS)
        if item.status is Status.ABSENT:
            return {}
        require(item)
        return {name: quote for name, quote, runs in _daemons(item) if runs}

    @cached_property
    def waiting_daemons(self) -> Mapping[str, Quote]:
        """The daemons of which only the socket listens: started when somebody asks."""
        running = self.running_daemons
        found = _daemons(self._evidence.item(DAEMONS))
        return {name: quote for name, quote, runs in found if not runs and name not in running}

    @property
    def asleep(self) -> bool:
        """No daemon that drives QEMU runs, so that none was asked. Raises Missing."""
        return self.answered is None and not set(QEMU_DAEMONS).intersection(self.running_daemons)

    @property
    def answered(self) -> Quote | None:
        """A line that libvirt itself has printed, if any: then it runs and can be read."""
        names = (VERSION, CAPABILITIES, nodes.ITEM, NETWORKS, "virsh/list", "virsh/dumpxml")
        for name in names:
            item = self._evidence.item(name)
            first = next(
                (line.strip() for line in item.text[:2000].split("\n") if line.strip()), ""
            )
            if item.status is Status.PRESENT and first:
                return item.quote(first[: xmltext.MAX_LINE])
        return None

    @cached_property
    def versions(self) -> Mapping[str, tuple[int, ...]]:
        """`library`, `hypervisor` (QEMU) and `daemon`, as far as `virsh version` prints them."""
        text = self._evidence.text(VERSION)
        return {
            what.split()[-1]: tuple(int(part) for part in number.split(".") if part[:9].isdecimal())
            for what, number in _VERSIONS.findall(text)
        }

    @cached_property
    def iommu_support(self) -> tuple[bool, Quote] | None:
        """What `<iommu support=>` of the capabilities says; None where libvirt is too old."""
        text = self._evidence.text(CAPABILITIES)
        item = self._evidence.item(CAPABILITIES)
        for root in xmltext.stream(text).documents:
            iommu = root.first("host", "iommu")
            if iommu is not None:
                return iommu.get("support") == "yes", item.quote(iommu.line)
            if root.tag == "capabilities":
                return None
        raise Missing(replace(item, status=Status.FAILED, detail="no capabilities in it"))

    # node devices

    @cached_property
    def known_nodedevs(self) -> Mapping[str, NodeDevice]:
        """The PCI node devices that are known, by address."""
        return self._nodedevs.devices

    @property
    def nodedevs(self) -> Mapping[str, NodeDevice]:
        """All PCI node devices, by address. Raises Missing."""
        require(*self.unread_nodedevs)
        return self._nodedevs.devices

    @property
    def unread_nodedevs(self) -> tuple[Lack, ...]:
        """The list of node devices, where there may be others than were read."""
        item, broken = self._evidence.item(nodes.ITEM), self._nodedevs.broken
        if broken and not item.unread:
            return (Lack(item.name, Status.FAILED, broken[0]),)
        return item.unread

    @cached_property
    def _nodedevs(self) -> nodes.NodeDevices:
        return nodes.parse(self._evidence.item(nodes.ITEM))

    # settings

    @cached_property
    def qemu_conf(self) -> Mapping[str, Setting]:
        """What qemu.conf sets; comments are not settings. Empty where there is no such file."""
        text = self._evidence.read(QEMU_CONF)
        return {} if text is None else {s.name: s for s in settings(self._evidence.item(QEMU_CONF))}

    @cached_property
    def on_shutdown(self) -> tuple[str, Quote] | None:
        """What libvirt-guests does with running guests: its setting, else its commented default.

        Distributions differ in the default, and each ships it as a comment. None where there is no
        such file: libvirt-guests is not installed, or takes its built-in default.
        """
        found: tuple[str, Quote] | None = None
        for name in GUESTS_CONF:
            text = self._evidence.read(name)
            for line in (text or "").split("\n"):
                match = re.fullmatch(r"\s*(#?)\s*ON_SHUTDOWN=[\"']?(\w{1,20})[\"']?\s*", line[:200])
                if match and (not match[1] or found is None):
                    found = match[2], self._evidence.item(name).quote(line.strip())
        return found

    # networks

    @property
    def known_networks(self) -> tuple[Network, ...]:
        """The networks that are known: by `virsh`, else by libvirt's files."""
        return self._networks[0]

    @property
    def networks(self) -> tuple[Network, ...]:
        """All networks. Raises Missing."""
        found, lacking = self._networks
        require(*lacking)
        return found

    @cached_property
    def _networks(self) -> tuple[tuple[Network, ...], tuple[Lack, ...]]:
        printed = self._evidence.item(NETWORKS)
        found = {network.name: network for network in _read_networks(printed)}
        if not printed.unread and not _broken(printed):
            return tuple(found.values()), ()
        lacking: list[Lack] = []
        folder = self._evidence.item(NETWORK_FOLDER)
        lacking.extend(folder.lacking)
        for name in sorted(set(folder.text.split("\n"))):
            if not name.endswith(".xml"):
                continue
            item = self._evidence.item(NETWORK_FOLDER + name)
            if item.unread or _broken(item):
                lacking.append(item.lack)
            for network in _read_networks(item):
                found.setdefault(network.name, network)
        return tuple(found.values()), (printed.lack, *lacking) if lacking else ()

    # logs

    @property
    def logs(self) -> tuple[Item, ...]:
        """What there is of libvirt's own log."""
        return tuple(self._evidence.seen(*LOGS))

    @property
    def log_items(self) -> tuple[Item, ...]:
        """libvirt's log, read or not."""
        return tuple(self._evidence.item(name) for name in LOGS)

    def qemu_log(self, guest: str) -> Item:
        """QEMU's log of one guest, read or not; absent where the folder does not list it."""
        item = self._evidence.item(f"{QEMU_LOG_FOLDER}{guest}.log")
        folder = self._evidence.item(QEMU_LOG_FOLDER)
        if item.status is Status.NOT_COLLECTED and folder.whole:
            listed = folder.text.split("\n")
            return item if f"{guest}.log" in listed else replace(item, status=Status.ABSENT)
        return item

    @property
    def loose_qemu_log(self) -> Item:
        """A QEMU log of which nobody says to which guest it belongs."""
        return self._evidence.item(QEMU_LOG)


def settings(item: Item) -> Iterator[Setting]:
    """The settings of a libvirt configuration file, lists over several lines included."""
    lines = item.text.split("\n")
    at = 0
    while at < len(lines):
        match = _SETTING.match(lines[at])
        at += 1
        if match is None:
            continue
        value = match[2]
        first = lines[at - 1].strip()
        if value.startswith("["):
            parts = [value]
            while at < len(lines) and "]" not in parts[-1].partition("#")[0]:
                parts.append(lines[at])
                at += 1
            inside = "\n".join(part.partition("#")[0] for part in parts)
            values = tuple(a or b for a, b in _STRING.findall(inside))
        else:
            quoted = _STRING.match(value)
            plain = value.partition("#")[0].strip()
            values = ((quoted[1] or quoted[2] or "") if quoted else plain,)
        yield Setting(match[1], values, item.quote(first[: xmltext.MAX_LINE]))


def _daemons(item: Item) -> Iterator[tuple[str, Quote, bool]]:
    """(daemon, line, whether it runs): a line with `socket` in it is only a socket that listens."""
    for line in item.text.split("\n"):
        match = _DAEMON.search(line[:400])
        if match:
            yield (
                match[1],
                item.quote(line.strip()[:400]),
                "socket" not in line or " running" in line,
            )


def _broken(item: Item) -> bool:
    return bool(xmltext.stream(item.text).broken)


def _read_networks(item: Item) -> Iterator[Network]:
    for root in xmltext.stream(item.text).documents:
        # The status files below /run hold the network one level deeper.
        network = root.first("network") if root.tag == "networkstatus" else root
        if network is not None and network.tag == "network" and network.at("name"):
            yield _network(network, item)


def _network(network: Element, item: Item) -> Network:
    forward = network.first("forward")
    pf = network.first("forward", "pf")
    listed = (attribute_address(address) for address in network.all("forward", "address"))
    shown = forward if forward is not None else network.first("name")
    assert shown is not None
    return Network(
        name=network.at("name"),
        mode=None if forward is None else forward.get("mode", "nat"),
        managed=forward is not None and forward.get("managed") == "yes",
        pf=None if pf is None else pf.get("dev") or None,
        addresses=tuple(address for address in listed if address is not None),
        quote=item.quote(shown.line),
    )
