"""From the command line and the inventory to the hosts that are to be read, and to workers."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path

import pytest

from pytest_vfio import inventory as inventories
from pytest_vfio import sources
from pytest_vfio.inventory import Inventory, nearest
from pytest_vfio.sources import Reading, Target, Unreachable


class HostError(Exception):
    """A host was named in a way that nobody can follow; says what to type instead."""


def shipped_inventory() -> Path:
    """The inventory that comes with the suite: in the wheel beside this file, or the checkout's."""
    here = Path(__file__).resolve().parents[1]
    inside = here / "fixtures" / "inventory.toml"
    return inside if inside.is_file() else here.parents[1] / "fixtures" / "inventory.toml"


def inventory(given: str | None, root: Path) -> Inventory:
    """The user's inventory over the shipped one. Raises InventoryError."""
    shipped = inventories.load(shipped_inventory())
    own = Path(given) if given is not None else root / "inventory.toml"
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


def _named(config: pytest.Config, known: Inventory) -> Iterator[Target]:
    option = config.option
    for word in option.vfio_hosts:
        for name in _names(word):
            yield from sources.expand(_host(name, config, known))
    for given in option.vfio_bundles:
        name, mark, path = given.partition("=")
        if not mark or "/" in name:
            name, path = "", given
        yield sources.bundle_target(path, name)
    for uri in option.vfio_libvirt_uris:
        yield sources.libvirt_target(uri)


def _names(word: str) -> Iterator[str]:
    """The hosts of one --host: separated by commas, or one a line in a file after an @."""
    if word.startswith("@"):
        file = Path(word[1:])
        try:
            lines = file.read_text().splitlines()
        except (OSError, UnicodeDecodeError) as error:
            raise HostError(f"--host {word}: cannot read {file}: {error}") from error
        names = [line.partition("#")[0].strip() for line in lines]
    else:
        names = [name.strip() for name in word.split(",")]
    if not any(names):
        raise HostError(f"--host {word!r} names no host")
    yield from filter(None, names)


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


def testinfra_spec(target: Target) -> str | None:
    """How testinfra reaches the same host; None where it has no connection."""
    if target.kind == "local":
        return "local://"
    if target.kind == "ssh":
        return target.spec if "://" in target.spec else f"ssh://{target.spec}"
    return target.spec if target.kind == "testinfra" else None


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


def hand_over(readings: Sequence[Reading], folder: Path) -> None:
    """Write readings for other processes of this run, unredacted: the folder must be private."""
    for number, reading in enumerate(readings):
        path = folder / f"{number:06d}"
        if isinstance(reading, Unreachable):
            lines = (reading.host, reading.kind, str(reading.seconds), reading.reason)
            path.with_suffix(".unreachable").write_text("\0".join(lines))
        else:
            path.with_suffix(".vfio").write_bytes(sources.dump_recording(reading, redact=False))
            path.with_suffix(".name").write_text(reading.host)


def handed_over(folder: Path) -> tuple[Reading, ...]:
    """The readings that another process of this run wrote, in their order."""
    readings: list[Reading] = []
    for path in sorted(folder.iterdir()):
        if path.suffix == ".unreachable":
            host, kind, seconds, reason = path.read_text().split("\0")
            readings.append(Unreachable(host, reason, kind, float(seconds)))
        elif path.suffix == ".vfio":
            name = path.with_suffix(".name").read_text()
            readings.append(sources.load_recording(path.read_bytes(), name))
    return tuple(readings)
