"""Can this guest start? What its definition names, against what the host is known to have.

Each claim is answered alone: it holds, it does not (with words and proof), or evidence is missing
by name. Reads the domain as libvirt and QEMU will (`qemuProcessStart` and its kin).
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from types import MappingProxyType
from typing import TYPE_CHECKING

import msgspec

from pytest_vfio.evidence import Missing, Quote, Status
from pytest_vfio.facts.host.memory import cpuset
from pytest_vfio.facts.host.paths import User
from pytest_vfio.facts.libvirt.guests import Domain
from pytest_vfio.facts.tristate import require
from pytest_vfio.parse.claims import Claim, Kind
from pytest_vfio.parse.domainxml import DomainXml

if TYPE_CHECKING:
    from pytest_vfio.hypervisor.hypervisor import Hypervisor

#: Whom QEMU runs as where qemu.conf does not say.
DEFAULT_USERS = ("libvirt-qemu", "qemu")
_ACTIVE_NETWORKS = "run/libvirt/network/"
_POOLS = "virsh/pool-list"
_EVERYWHERE = re.compile(r"0\.0\.0\.0|::1?|127\..*")
_CPU_MODELS = "usr/share/libvirt/cpu_map/"


class Unmet(msgspec.Struct, frozen=True):
    """A claim that the host does not meet: in words, and what proves it."""

    claim: Claim
    words: str
    quote: Quote


def document(guest: Domain) -> DomainXml | None:
    """What the next start is made from. Raises Missing where that was not read."""
    if guest.stored is not None:
        return guest.stored
    if guest.loose:
        return guest.loose[-1]
    require(*guest.lacks("stored"))
    return None


def claims(hypervisor: Hypervisor, found: DomainXml, *kinds: Kind) -> tuple[Claim, ...]:
    """The claims of these kinds that can be answered here.

    What another QEMU than the one that libvirt knows can do is not known: its machine types are
    left out. Raises Missing.
    """
    chosen = tuple(claim for claim in found.claims if claim.kind in kinds)
    if Kind.MACHINE not in kinds:
        return chosen
    of_machine = (Kind.MACHINE, Kind.VCPUS)
    programs = {one.program for one in hypervisor.capabilities.emulators.values()}
    own = [c.value for c in found.claims if c.kind is Kind.PROGRAM and c.what == "emulator"]
    if not own or programs.issuperset(own):
        return chosen
    return tuple(claim for claim in chosen if claim.kind not in of_machine)


def unmet(hypervisor: Hypervisor, claim: Claim) -> Unmet | None:
    """What the host lacks of a claim; None where it has it. Raises Missing."""
    return _ANSWERS[claim.kind](hypervisor, claim)


def user(hypervisor: Hypervisor) -> User | None:
    """Whom QEMU runs as; None where the user does not exist. Raises Missing."""
    users = hypervisor.paths.users
    setting = hypervisor.libvirt.qemu_conf.get("user")
    names = setting.values if setting is not None and any(setting.values) else DEFAULT_USERS
    return next((users[n.lstrip("+")] for n in names if n.lstrip("+") in users), None)


def unreadable(hypervisor: Hypervisor, claim: Claim) -> Unmet | None:
    """What keeps QEMU's user from a file: a folder on the way, or the file's own mode.

    Raises Missing.
    """
    paths, who = hypervisor.paths, user(hypervisor)
    if claim.kind not in (Kind.FILE, Kind.PROGRAM) or not claim.value.startswith("/"):
        return None
    if claim.value.startswith("/dev/") and not claim.own:
        return None  # libvirt makes device nodes for QEMU's user
    node = paths.node(claim.value)
    if node is None or who is None:
        return None
    closed = paths.closed(claim.value, who)
    if closed is not None:
        words = f"/{closed.path} is {closed.mode}, and QEMU runs as {who.name}"
        return Unmet(claim, words, closed.quote)
    letter = "x" if claim.kind is Kind.PROGRAM else "r"
    if claim.own and not node.lets(who, letter):
        return Unmet(claim, f"it is {node.mode}, and QEMU runs as {who.name}", node.quote)
    return None


def _file(hypervisor: Hypervisor, claim: Claim) -> Unmet | None:
    if not claim.value.startswith("/"):
        return None  # QEMU looks for it in its own folders
    paths = hypervisor.paths
    node = paths.node(claim.value)
    if node is None:
        return Unmet(claim, f"{claim.value} does not exist", paths.absence(claim.value))
    if claim.kind is Kind.FOLDER and not node.is_folder:
        return Unmet(claim, f"{claim.value} is no folder", node.quote)
    if claim.kind is Kind.PROGRAM and (node.is_folder or "x" not in node.mode):
        return Unmet(claim, f"{claim.value} cannot be run", node.quote)
    name = claim.value.rpartition("/")[2]
    if claim.what == "emulator" and not ("qemu" in name or "kvm" in name):
        return Unmet(claim, f"{claim.value} is no QEMU", node.quote)
    return None


def _network(hypervisor: Hypervisor, claim: Claim) -> Unmet | None:
    libvirt, active = hypervisor.libvirt, hypervisor.evidence.item(_ACTIVE_NETWORKS)
    if f"{claim.value}.xml" in active.lines:
        return None
    if not any(network.name == claim.value for network in libvirt.known_networks):
        names = ", ".join(network.name for network in libvirt.networks) or "none"
        words = f"no network is called {claim.value}: {names}"
        return Unmet(claim, words, hypervisor.evidence.item("virsh/net-dumpxml").quote(names[:400]))
    if not active.whole:
        raise Missing(active)
    words = f"network {claim.value} is not active"
    return Unmet(claim, words, active.quote(f"(no {claim.value}.xml)"))


def _pool(hypervisor: Hypervisor, claim: Claim) -> Unmet | None:
    """` lab    active   yes`, or no such line."""
    item = hypervisor.evidence.item(_POOLS)
    if item.unread:
        raise Missing(item)
    states = {line.split()[0]: line.strip() for line in item.lines[2:] if line.strip()}
    line = states.get(claim.value)
    if line is not None and line.split()[1:2] == ["active"]:
        return None
    state = "is not active" if line is not None else "does not exist"
    words = f"storage pool {claim.value} {state}"
    return Unmet(claim, words, item.quote(line or f"(no {claim.value})"))


def _netdev(hypervisor: Hypervisor, claim: Claim) -> Unmet | None:
    item = hypervisor.evidence.item("sys/class/net")
    if any(line.startswith((f"{claim.value}->", f"{claim.value}=")) for line in item.lines):
        return None
    if item.status is not Status.PRESENT or not item.whole:
        raise Missing(item)
    words = f"there is no {claim.kind.value} {claim.value}"
    return Unmet(claim, words, item.quote(f"(no {claim.value})"))


def _cpus(hypervisor: Hypervisor, claim: Claim) -> Unmet | None:
    nodes = hypervisor.memory.nodes
    there = frozenset().union(*(node.cpus for node in nodes.values()))
    wanted = cpuset(claim.value)
    lacking = sorted(wanted - there)
    if not there or not lacking:
        return None
    words = f"CPU {lacking[0]} of {claim.value} is not on a host of {len(there)} CPUs"
    return Unmet(claim, words, hypervisor.memory.online)


def _nodes(hypervisor: Hypervisor, claim: Claim) -> Unmet | None:
    lacking = sorted(cpuset(claim.value) - set(hypervisor.memory.nodes))
    if not lacking:
        return None
    words = f"NUMA node {lacking[0]} does not exist"
    return Unmet(claim, words, hypervisor.memory.online)


def _accelerator(hypervisor: Hypervisor, claim: Claim) -> Unmet | None:
    if claim.value != "kvm":
        return None
    node = hypervisor.evidence.item("dev/kvm")
    if node.data:
        return None
    if not node.whole:
        raise Missing(node)
    return Unmet(claim, "/dev/kvm does not exist", node.quote("(absent)"))


def _machine(hypervisor: Hypervisor, claim: Claim) -> Unmet | None:
    emulators = hypervisor.capabilities.emulators
    found = emulators.get(claim.what)
    if claim.what and found is None:
        words = f"no QEMU for {claim.what} is installed"
        return Unmet(claim, words, _listed(hypervisor, ", ".join(emulators)))
    known = [found] if found is not None else list(emulators.values())
    if not known or any(claim.value in one.machines for one in known):
        return None
    return Unmet(claim, f"QEMU has no machine type {claim.value}", known[0].quote)


def _vcpus(hypervisor: Hypervisor, claim: Claim) -> Unmet | None:
    emulators = hypervisor.capabilities.emulators.values()
    most = [one.machines[claim.what] for one in emulators if one.machines.get(claim.what)]
    if not most or not claim.value.isdecimal() or int(claim.value) <= (most[0] or 0):
        return None
    words = f"machine type {claim.what} takes at most {most[0]} vCPUs"
    return Unmet(claim, words, next(iter(emulators)).quote)


def _cpu_model(hypervisor: Hypervisor, claim: Claim) -> Unmet | None:
    listing = hypervisor.evidence.item(_CPU_MODELS)
    if listing.status is not Status.PRESENT or not listing.whole:
        raise Missing(listing)
    if any(line.endswith(f"_{claim.value}.xml") for line in listing.lines):
        return None
    words = f"libvirt knows no CPU model {claim.value}"
    return Unmet(claim, words, listing.quote(f"(no x86_{claim.value}.xml)"))


def _address(hypervisor: Hypervisor, claim: Claim) -> Unmet | None:
    if _EVERYWHERE.fullmatch(claim.value):
        return None
    if not re.fullmatch(r"[0-9.]+|[0-9a-fA-F:.]+", claim.value):
        return None  # a name, which is looked up at the start
    item = hypervisor.evidence.item("ip/addr")
    if item.status is not Status.PRESENT or not item.whole:
        raise Missing(item)
    if f'"{claim.value.lower()}"' in item.text:
        return None
    words = f"{claim.value} is no address of this host"
    return Unmet(claim, words, item.quote(f"(no {claim.value})"))


def _value(_: Hypervisor, claim: Claim) -> Unmet | None:
    return Unmet(claim, f"libvirt refuses {claim.value} at the start", claim.quote)


def _security(hypervisor: Hypervisor, claim: Claim) -> Unmet | None:
    models = hypervisor.capabilities.security
    if claim.value in models:
        return None
    words = f"libvirt does not use the security model {claim.value}"
    return Unmet(claim, words, _listed(hypervisor, ", ".join(models)))


def _listed(hypervisor: Hypervisor, words: str) -> Quote:
    return hypervisor.evidence.item("virsh/capabilities").quote(f"({words or 'none'})"[:400])


_ANSWERS: Mapping[Kind, Callable[[Hypervisor, Claim], Unmet | None]] = MappingProxyType(
    {
        Kind.FILE: _file,
        Kind.PROGRAM: _file,
        Kind.FOLDER: _file,
        Kind.NETWORK: _network,
        Kind.BRIDGE: _netdev,
        Kind.NETDEV: _netdev,
        Kind.POOL: _pool,
        Kind.CPUS: _cpus,
        Kind.NODES: _nodes,
        Kind.ACCELERATOR: _accelerator,
        Kind.MACHINE: _machine,
        Kind.SECURITY: _security,
        Kind.VCPUS: _vcpus,
        Kind.CPU_MODEL: _cpu_model,
        Kind.ADDRESS: _address,
        Kind.VALUE: _value,
    }
)
