"""Parsers for what `ip -j` and `ss -tnp` print: links, addresses, routes, sockets.

Pure text to values; nothing here knows of PCI. Formats: iproute2's `ip-address(8)`,
`ip-route(8)`, `ss(8)`. What cannot be parsed is left out, and `whole` says that something was.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from ipaddress import IPv4Address, IPv6Address, ip_address
from typing import Any

import msgspec

Address = IPv4Address | IPv6Address

#: Routes of these types lead nowhere.
_NOWHERE = frozenset({"unreachable", "blackhole", "prohibit", "throw", "local", "broadcast"})
_ENDPOINT = re.compile(r"(?:\[([^\]\s]{1,80})\]|([0-9a-zA-Z.:*%_-]{1,80})):(\d{1,5})")


class Link(msgspec.Struct, frozen=True):
    """One network interface as `ip -j -d link` or `ip -j -d addr` shows it.

    `kind` is rtnetlink's IFLA_INFO_KIND (`bridge`, `vlan`, `openvswitch`), empty for hardware.
    `parent` is the interface that a VLAN or macvlan stands on, `function` the PCI address that
    newer iproute2 prints as parentdev.
    """

    name: str
    kind: str = ""
    master: str = ""
    parent: str = ""
    function: str = ""
    addresses: tuple[str, ...] = ()
    altnames: tuple[str, ...] = ()
    flags: tuple[str, ...] = ()


class Route(msgspec.Struct, frozen=True):
    """One route. `target` is `default` or a prefix, `devices` the interfaces that it leaves by."""

    target: str
    devices: tuple[str, ...]
    table: str = "main"
    gateway: str = ""

    @property
    def text(self) -> str:
        """The route as `ip route` prints it."""
        via = f" via {self.gateway}" if self.gateway else ""
        table = "" if self.table == "main" else f" table {self.table}"
        return f"{self.target}{via} dev {' '.join(self.devices)}{table}"


class Socket(msgspec.Struct, frozen=True):
    """One established TCP connection: both addresses, and the line that shows it."""

    local: Address
    peer: Address
    line: str


def elements(text: str) -> tuple[list[dict[str, Any]], bool]:
    """The objects of a JSON list, and whether the list was read to its end.

    A list that was cut keeps the objects before the cut.
    """
    decoder = json.JSONDecoder()
    found: list[dict[str, Any]] = []
    at = _blank(text, 0)
    if at == len(text):
        return found, True  # `ip -j route` prints nothing where there is no route
    if text[at] != "[":
        return found, False
    at = _blank(text, at + 1)
    while at < len(text) and text[at] != "]":
        try:
            value, at = decoder.raw_decode(text, at)
        except (ValueError, RecursionError):
            return found, False
        if isinstance(value, dict) and value:
            found.append(value)
        at = _blank(text, at)
        if at < len(text) and text[at] == ",":
            at = _blank(text, at + 1)
    return found, at < len(text)


def links(text: str) -> tuple[tuple[Link, ...], bool]:
    """The interfaces of `ip -j -d link` or `ip -j -d addr`, and whether these are all."""
    found, whole = elements(text)
    parsed = [link for link in map(_link, found) if link is not None]
    return tuple(parsed), whole and len(parsed) == len(found)


def routes(text: str) -> tuple[tuple[Route, ...], bool]:
    """The routes of `ip -j route show table all` that lead anywhere, and whether these are all."""
    found, whole = elements(text)
    parsed: list[Route] = []
    for value in found:
        if value.get("type") in _NOWHERE:
            continue
        route = _route(value)
        if route is None:
            whole = False
        else:
            parsed.append(route)
    return tuple(parsed), whole


def sockets(text: str) -> tuple[Socket, ...]:
    """The established connections of sshd in the output of `ss -tnp`.

    A line that names no process counts too: only root sees the processes of others.
    """
    return tuple(_sockets(text))


def address(text: str) -> Address | None:
    """An IP address without its scope; an IPv4 address mapped into IPv6 as the IPv4 one."""
    try:
        found = ip_address(text.partition("%")[0])
    except ValueError:
        return None
    mapped = found.ipv4_mapped if isinstance(found, IPv6Address) else None
    return mapped or found


def _sockets(text: str) -> Iterator[Socket]:
    for line in text.split("\n"):
        words = line.split(None, 7)
        if not words or (words[0].isupper() and words[0] != "ESTAB"):
            continue  # LISTEN, TIME-WAIT and the like
        if "users:(" in line and '"sshd' not in line:
            continue
        ends = [end for end in map(_endpoint, words[:6]) if end is not None]
        if len(ends) >= 2:
            yield Socket(ends[0], ends[1], line.strip())


def _endpoint(word: str) -> Address | None:
    match = _ENDPOINT.fullmatch(word)
    return address(match[1] or match[2]) if match else None


def _link(value: dict[str, Any]) -> Link | None:
    name = _text(value.get("ifname"))
    if not name:
        return None
    info = value.get("linkinfo")
    inets = value.get("addr_info")
    return Link(
        name=name,
        kind=_text(info.get("info_kind")) if isinstance(info, dict) else "",
        master=_text(value.get("master")),
        parent=_text(value.get("link")),
        function=_text(value.get("parentdev")) if value.get("parentbus") == "pci" else "",
        addresses=tuple(_inets(inets)) if isinstance(inets, list) else (),
        altnames=_texts(value.get("altnames")),
        flags=_texts(value.get("flags")),
    )


def _inets(values: list[Any]) -> Iterator[str]:
    for value in values:
        if isinstance(value, dict) and _text(value.get("local")):
            yield f"{value['local']}/{value.get('prefixlen', '')}"


def _route(value: dict[str, Any]) -> Route | None:
    target = _text(value.get("dst"))
    if not target:
        return None
    hops = value.get("nexthops")
    ways = (
        [value, *(hop for hop in hops if isinstance(hop, dict))]
        if isinstance(hops, list)
        else [value]
    )
    devices = tuple(dict.fromkeys(filter(None, (_text(way.get("dev")) for way in ways))))
    gateways = [gateway for way in ways if (gateway := _text(way.get("gateway")))]
    if not devices:
        return None
    return Route(
        target, devices, _text(value.get("table")) or "main", gateways[0] if gateways else ""
    )


def _text(value: object) -> str:
    return value if isinstance(value, str) else ""


def _texts(value: object) -> tuple[str, ...]:
    return tuple(filter(None, map(_text, value))) if isinstance(value, list) else ()


def _blank(text: str, at: int) -> int:
    while at < len(text) and text[at] in " \t\r\n":
        at += 1
    return at
