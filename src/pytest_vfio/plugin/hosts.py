"""From the command line and the inventory to the hosts that are to be read."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from pytest_vfio import inventory as inventories
from pytest_vfio import sources
from pytest_vfio.inventory import Inventory, nearest
from pytest_vfio.mistakes import Mistake
from pytest_vfio.plugin import usage
from pytest_vfio.printable import listed
from pytest_vfio.sources import Reading, Target, Unreachable


class HostError(Mistake):
    """A host was named in a way that nobody can follow; says what to type instead."""


def shipped_inventory() -> Path:
    """The inventory that comes with the suite: in the wheel beside this file, or the checkout's."""
    here = Path(__file__).resolve().parents[1]
    inside = here / "fixtures" / "inventory.toml"
    return inside if inside.is_file() else here.parents[1] / "fixtures" / "inventory.toml"


def home(config: pytest.Config) -> Path:
    """Where inventory.toml is looked for and reports go: beside pytest's own settings.

    Where there are none, the folder one stands in: pytest's root is then made of whatever paths
    the command line holds.
    """
    return config.invocation_params.dir if config.inipath is None else config.rootpath


def inventory(given: str | None, home: Path) -> Inventory:
    """The user's inventory over the shipped one. Raises InventoryError."""
    shipped = inventories.load(shipped_inventory())
    own = Path(given) if given is not None else home / "inventory.toml"
    if given is None and not own.is_file():
        return shipped
    return inventories.load(own).over(shipped)


def targets(config: pytest.Config, known: Inventory) -> tuple[Target, ...]:
    """The hosts to read, in the order in which they were named, each once.

    Raises HostError and TargetError.
    """
    found: dict[str, Target] = {}
    for target in _named(config, known):
        other = found.setdefault(target.name, target)
        if other != target:
            raise HostError(f"two hosts are called {target.name!r}: give one another name")
    return tuple(found.values())


def pool(config: pytest.Config) -> str:
    """What the hosts of this run are called together: groups and names, as they were given."""
    option = config.option
    files = (Path(file).stem for file in option.vfio_hosts_from)
    words = [*option.vfio_hosts, *files, *option.vfio_bundles, *option.vfio_libvirt_uris]
    return listed(words, 3)


def _named(config: pytest.Config, known: Inventory) -> Iterator[Target]:
    option = config.option
    for name in _names(config):
        for host in known.groups.get(name, (name,)):
            yield from sources.expand(_host(host, config, known))
    for given in option.vfio_bundles:
        name, mark, path = given.partition("=")
        if not mark or "/" in name:
            name, path = "", given
        yield sources.bundle_target(path, name)
    for uri in option.vfio_libvirt_uris:
        yield sources.libvirt_target(uri)


def _names(config: pytest.Config) -> Iterator[str]:
    """The words for hosts: separated by commas after --host, or one a line with --hosts-from."""
    for word in config.option.vfio_hosts:
        names = [name.strip() for name in word.split(",")]
        usage.must_name_no_file(word)
        if not any(names):
            raise HostError(f"--host {word!r} names no host")
        yield from filter(None, names)
    for file in config.option.vfio_hosts_from:
        names = [line.partition("#")[0].strip() for line in _lines(file, config)]
        if not any(names):
            raise HostError(f"--hosts-from {file}: names no host")
        yield from filter(None, names)


def _lines(file: str, config: pytest.Config) -> list[str]:
    """The lines of a file of hosts, `-` being standard input."""
    try:
        if file != "-":
            return Path(file).read_text("utf-8-sig").splitlines()
        capture = config.pluginmanager.get_plugin("capturemanager")
        if capture is not None:
            capture.suspend_global_capture(in_=True)  # it gives tests an empty one
        lines = sys.stdin.read().splitlines()
        if capture is not None:
            capture.resume_global_capture()
    except (OSError, UnicodeDecodeError) as error:
        raise HostError(f"--hosts-from {file}: cannot be read: {error}") from error
    return lines


def _host(name: str, config: pytest.Config, known: Inventory) -> Target:
    option = config.option
    host = known.hosts.get(name)
    if host is not None and host.bundle is not None:
        return sources.bundle_target(host.bundle, name)
    connection = host.connection if host is not None and host.connection is not None else ""
    return sources.target(
        name,
        connection,
        sudo=getattr(option, "sudo", False),
        sudo_user=getattr(option, "sudo_user", None),
        ssh_config=getattr(option, "ssh_config", None),
        ssh_identity=getattr(option, "ssh_identity_file", None),
        ansible_inventory=getattr(option, "ansible_inventory", None),
    )


def explained(reading: Reading, known: Inventory) -> Reading:
    """An unreachable host whose name is not in the inventory, with the names that are."""
    if (
        isinstance(reading, Unreachable)
        and reading.kind == "unresolved"
        and reading.host not in known.hosts
    ):
        hint = nearest(reading.host, known.hosts)
        reason = f"{reading.reason}; no such host in the inventory{hint}"
        return Unreachable(reading.host, reason, reading.kind, reading.seconds)
    return reading
