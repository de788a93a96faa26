"""The host's network: interfaces, what stands on what, and the PCI functions below.

Sources: the tree `sys/class/net` first, then `ip -j -d link` and `ip -j -d addr`; routes of all
tables from `ip -j route`, control paths from the live sockets of sshd (not from SSH_CONNECTION,
which sudo drops). Kernel: `Documentation/ABI/testing/sysfs-class-net` (`lower_*`, `upper_*`).

`uses` is what was seen, `lacking` what would have to be read before one may say that there is
nothing else: presence may come from a part of the evidence, absence needs all of it.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from functools import cached_property
from ipaddress import ip_network

import msgspec

from pytest_vfio.evidence import Evidence, Lack, Quote, Status, Tree
from pytest_vfio.facts.host.carrier import Use, descend, functions_in
from pytest_vfio.facts.tristate import require
from pytest_vfio.parse import iproute

_ROUTES = ("ip/route4", "ip/route6")
#: Interfaces that lead to no wire and to no other interface.
_INERT = frozenset({"dummy", "ifb", "nlmon", "vrf", "bridge", "bond", "team", "loopback"})
#: Folders in sysfs that only interfaces of one kind have.
_FOLDERS = {"bridge": "bridge", "bonding": "bond"}
#: Kinds whose packets leave inside of others.
_TUNNELS = frozenset(
    [
        "amt",
        "bareudp",
        "erspan",
        "geneve",
        "gre",
        "gretap",
        "gtp",
        "ip6erspan",
        "ip6gre",
        "ip6gretap",
        "ip6tnl",
        "ipip",
        "l2tp",
        "ovpn",
        "ppp",
        "sit",
        "vti",
        "vti6",
        "vxlan",
        "wireguard",
        "xfrm",
    ]
)


class Interface(msgspec.Struct, frozen=True):
    """One network interface. `lowers` are the interfaces that it stands on."""

    name: str
    kind: str
    addresses: tuple[str, ...]
    lowers: tuple[str, ...]
    functions: tuple[str, ...]
    hardware: bool

    @property
    def routable(self) -> tuple[str, ...]:
        """Its addresses, but for those that every interface gets by itself."""
        return tuple(address for address in self.addresses if _routable(address))

    @property
    def tunnel(self) -> bool:
        """Its packets leave inside of others, by whatever card leads to the other end."""
        return not self.hardware and not self.lowers and self.kind in _TUNNELS

    @property
    def inert(self) -> bool:
        """Nothing goes out of the host by this interface itself."""
        return self.name == "lo" or (not self.hardware and self.kind in _INERT)


class Purpose(msgspec.Struct, frozen=True):
    """Why the host needs an interface, and the line that says so."""

    interface: str
    purpose: str
    quote: Quote


class Network:
    """Interfaces, routes and control paths of one host."""

    def __init__(self, evidence: Evidence) -> None:
        self._evidence = evidence

    @property
    def interfaces(self) -> Mapping[str, Interface]:
        """All interfaces by name. Raises Missing unless all are known."""
        require(*self._lacking_interfaces)
        return self.known

    @cached_property
    def known(self) -> Mapping[str, Interface]:
        """The interfaces that were seen anywhere, by name."""
        names = dict.fromkeys((*self._links, *self._lowers, *self._in_sysfs))
        return {name: self._interface(name) for name in names}

    @cached_property
    def routes(self) -> tuple[iproute.Route, ...]:
        """The routes of all tables that were seen, IPv4 first."""
        return tuple(route for name in _ROUTES for route in self._routes[name][0])

    @cached_property
    def sessions(self) -> tuple[iproute.Socket, ...]:
        """The established connections of sshd that were seen."""
        return iproute.sockets("\n".join(self._evidence.item("sockets/sshd").lines))

    @cached_property
    def purposes(self) -> tuple[Purpose, ...]:
        """The interfaces that the host needs: default routes and SSH sessions."""
        return (*self._default_routes(), *self._control_paths())

    @cached_property
    def uses(self) -> tuple[Use, ...]:
        """What stands on which PCI function, as far as it was seen."""
        return tuple(use for purpose in self.purposes for use in self.below(purpose))

    @property
    def lacking(self) -> tuple[Lack, ...]:
        """What was not read, or could not be resolved; empty where `uses` is all that there is."""
        return (*self.unread, *self.unresolved)

    @cached_property
    def unread(self) -> tuple[Lack, ...]:
        """What was not read to its end, or does not fit together: nothing is free before it is."""
        names = ("ip/addr", *_ROUTES, "sockets/sshd")
        items = [self._evidence.item(name) for name in names]
        whole = {name: self._routes[name][1] for name in _ROUTES}
        whole["ip/addr"] = iproute.links(self._evidence.item("ip/addr").text)[1]
        found = list(self._lacking_interfaces)
        for item in items:
            found.extend(item.unread)
            if not item.unread and not whole.get(item.name, True):
                found.append(_failed(item.name))
        return tuple(dict.fromkeys((*found, *self._strays())))

    @cached_property
    def active(self) -> frozenset[str]:
        """The functions whose interfaces have an address or belong to another interface.

        What the host sends by ways that nobody resolved leaves by one of these.
        """
        links = (link for link in self.known.values() if self.uppers(link.name) or link.routable)
        return frozenset(function for link in links for function in link.functions)

    def on(self, function: str) -> tuple[Interface, ...]:
        """The interfaces that are known to be directly on a function."""
        return tuple(self._on.get(function, ()))

    def uppers(self, name: str) -> tuple[str, ...]:
        """The interfaces that are known to stand directly on one."""
        return tuple(self._uppers.get(name, ()))

    def below(self, purpose: Purpose) -> Iterator[Use]:
        """The PCI functions that an interface stands on, each with the way to it."""
        for name, way in self._descend(purpose.interface).items():
            for function in self._functions(name):
                yield Use("network", function, purpose.purpose, way, purpose.quote)

    def reaching(self, host: str) -> tuple[str, ...]:
        """The interfaces by which packets to an IP address may leave: each table's best route."""
        target = iproute.address(host)
        best: dict[str, tuple[int, tuple[str, ...]]] = {}
        for route in self.routes:
            length = _matches(route, target)
            if length > best.get(route.table, (-1, ()))[0]:
                best[route.table] = (length, route.devices)
        return tuple(dict.fromkeys(name for _, names in best.values() for name in names))

    @cached_property
    def _on(self) -> Mapping[str, list[Interface]]:
        found: dict[str, list[Interface]] = {}
        for link in self.known.values():
            for function in link.functions:
                found.setdefault(function, []).append(link)
        return found

    @cached_property
    def _uppers(self) -> Mapping[str, list[str]]:
        found: dict[str, list[str]] = {}
        for upper, lowers in self._lowers.items():
            for lower in lowers:
                found.setdefault(lower, []).append(upper)
        return found

    @cached_property
    def _tree(self) -> Tree:
        return Tree.of(self._evidence.item("sys/class/net"))

    @cached_property
    def _in_sysfs(self) -> tuple[str, ...]:
        return tuple(name for name in self._tree.links if "/" not in name)

    @cached_property
    def _links(self) -> Mapping[str, iproute.Link]:
        """By name; the one with addresses holds where both items show an interface."""
        names = ("ip/link", "ip/addr")
        found = [iproute.links(self._evidence.item(name).text)[0] for name in names]
        return {link.name: link for links in found for link in links}

    @cached_property
    def _routes(self) -> Mapping[str, tuple[tuple[iproute.Route, ...], bool]]:
        return {name: iproute.routes(self._evidence.item(name).text) for name in _ROUTES}

    @cached_property
    def _lowers(self) -> Mapping[str, tuple[str, ...]]:
        """Interface -> those that it stands on, from sysfs and from rtnetlink together."""
        found: dict[str, dict[str, None]] = {}
        for path in (*self._tree.links, *self._tree.values):
            name, _, entry = path.partition("/")
            if entry.startswith("lower_"):
                found.setdefault(name, {})[entry.removeprefix("lower_")] = None
        for path, target in self._tree.links.items():
            name, _, entry = path.partition("/")
            if entry == "master":
                found.setdefault(target.rpartition("/")[2], {})[name] = None
        for link in self._links.values():
            if link.master:
                found.setdefault(link.master, {})[link.name] = None
            if link.parent and link.parent in self._links:
                found.setdefault(link.name, {})[link.parent] = None
            if link.master and link.kind == "veth":
                # Its peer's packets come out here, and go on by the bridge's other ports.
                found.setdefault(link.name, {})[link.master] = None
        switches = [name for name, link in self._links.items() if link.kind == "openvswitch"]
        # Open vSwitch links its ports to the datapath device, and its internal ports to nothing:
        # whatever port the datapath has may carry them.
        ports = [low for name in switches for low in found.get(name, {})]
        for name in switches:
            found.setdefault(name, {}).update(dict.fromkeys(ports))
        return {name: tuple(lowers) for name, lowers in found.items()}

    @cached_property
    def _lacking_interfaces(self) -> tuple[Lack, ...]:
        return self._tree.item.unread

    @cached_property
    def unresolved(self) -> tuple[Lack, ...]:
        """What the host needs, and leaves by a card that the graph does not name."""
        known = (purpose for purpose in self.purposes if purpose.interface in self.known)
        return tuple(dict.fromkeys(filter(None, map(self._loose, known))))

    def _strays(self) -> Iterator[Lack]:
        """What the host needs, by an interface or an address that was not seen at all."""
        for purpose in self.purposes:
            if purpose.interface not in self.known:
                detail = f"{purpose.purpose} goes by {purpose.interface}, which is not in it"
                yield _failed("sys/class/net", detail)
        yield from self._homeless()

    def _loose(self, purpose: Purpose) -> Lack | None:
        """Something for it if nobody knows by which device its packets leave.

        Taps and veths among the ports of a bridge lead to guests and containers, not out of the
        host. A tunnel does lead out, by a card that the graph does not name.
        """
        below = [self.known.get(name) for name in self._descend(purpose.interface)]
        links = [link for link in below if link is not None]
        tunnels = [link.name for link in links if link.tunnel]
        if not tunnels and any(link.functions or link.hardware or link.inert for link in links):
            return None
        name = tunnels[0] if tunnels else purpose.interface
        detail = f"{purpose.purpose} goes by {name}, and nothing says by which device"
        return _failed("sys/class/net", detail)

    def _homeless(self) -> Iterator[Lack]:
        """Sessions whose local address is on no interface that was seen."""
        for session in self.sessions:
            if not session.local.is_loopback and not self._owners(session.local):
                detail = f"an SSH session ends at {session.local}, which no interface has"
                yield _failed("ip/addr", detail)

    def _default_routes(self) -> Iterator[Purpose]:
        for name in _ROUTES:
            for route in self._routes[name][0]:
                if route.target in {"default", "0.0.0.0/0", "::/0"}:
                    quote = self._evidence.item(name).quote(route.text)
                    for device in route.devices:
                        yield Purpose(device, "default route", quote)

    def _control_paths(self) -> Iterator[Purpose]:
        item = self._evidence.item("sockets/sshd")
        for session in self.sessions:
            if session.local.is_loopback:
                continue
            names = (*self._owners(session.local), *self.reaching(str(session.peer)))
            for name in dict.fromkeys(names):
                yield Purpose(name, f"SSH session from {session.peer}", item.quote(session.line))

    def _owners(self, address: iproute.Address) -> tuple[str, ...]:
        return tuple(
            link.name
            for link in self._links.values()
            if any(iproute.address(one.partition("/")[0]) == address for one in link.addresses)
        )

    def _descend(self, name: str) -> Mapping[str, tuple[str, ...]]:
        return descend((name,), lambda upper: self._lowers.get(upper, ()))

    def _functions(self, name: str) -> tuple[str, ...]:
        path = self._tree.links.get(name)
        if path is not None:
            return functions_in(path)
        link = self._links.get(name)
        return functions_in(link.function) if link is not None else ()

    def _interface(self, name: str) -> Interface:
        link = self._links.get(name, iproute.Link(name))
        path = self._tree.links.get(name, "")
        functions = self._functions(name)
        return Interface(
            name=name,
            kind=link.kind or self._kinds.get(name, ""),
            addresses=link.addresses,
            lowers=self._lowers.get(name, ()),
            functions=functions,
            hardware=bool(functions) or ("/devices/" in path and "/devices/virtual/" not in path),
        )

    @cached_property
    def _kinds(self) -> Mapping[str, str]:
        """What sysfs alone tells: folders that only one kind has."""
        found: dict[str, str] = {}
        for path in self._tree.values:
            name, _, entry = path.partition("/")
            kind = _FOLDERS.get(entry.partition("/")[0])
            if kind is not None:
                found[name] = kind
        return found


def _routable(text: str) -> bool:
    found = iproute.address(text.partition("/")[0])
    return found is not None and not (found.is_link_local or found.is_loopback)


def _matches(route: iproute.Route, target: iproute.Address | None) -> int:
    """The length of the prefix by which a route reaches an address, -1 where it does not."""
    if target is None:
        return -1
    if route.target == "default":
        return 0
    try:
        prefix = ip_network(route.target, strict=False)
    except ValueError:
        return -1
    return prefix.prefixlen if target in prefix else -1


def _failed(name: str, detail: str = "not in the form that `ip -j` prints") -> Lack:
    return Lack(name, Status.FAILED, detail=detail)
