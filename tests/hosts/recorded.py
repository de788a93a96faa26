"""The recorded hosts of `fixtures/`, each with what it is meant for."""

from __future__ import annotations

from functools import cache
from pathlib import Path

from pytest_vfio.declared import Declared
from pytest_vfio.evidence import Evidence
from pytest_vfio.hypervisor.hypervisor import Hypervisor
from pytest_vfio.inventory import load
from pytest_vfio.judge import suite
from pytest_vfio.judge.judgement import Judgement
from pytest_vfio.sources import age, read_bundle

ROOT = Path(__file__).parents[2]
FIXTURES = ROOT / "fixtures"


@cache
def bundles_of(inventory: Path) -> dict[str, tuple[Path, Declared]]:
    """The recordings that an inventory names: where each is, and what the host is for."""
    hosts = load(inventory).hosts.items()
    return {name: (host.bundle, host.declared) for name, host in hosts if host.bundle is not None}


@cache
def bundles() -> dict[str, tuple[Path, Declared]]:
    """Every recorded host by name: where it is, and its intent from an inventory beside it."""
    found = {
        name: one
        for file in sorted(FIXTURES.glob("*.toml"))
        for name, one in bundles_of(file).items()
    }
    named = {path.resolve() for path, _ in found.values()}
    for path in sorted((FIXTURES / "hosts").iterdir()):
        if path.resolve() not in named:
            found[path.name.partition(".")[0]] = (path, Declared())
    return found


def lab_bundles() -> dict[str, tuple[Path, Declared]]:
    """The same for the hosts of the lab, healthy and broken."""
    return bundles_of(FIXTURES / "lab" / "inventory.toml")


@cache
def evidence(name: str) -> Evidence:
    """What was read of a recorded host.

    Of what people sent, nobody says what they looked for: it is as old as the first release.
    """
    read = read_bundle(_of(name)[0], name)
    return read if read.source == "recording" else age.older(read, age.unasked(""))


def _of(name: str) -> tuple[Path, Declared]:
    return bundles()[name] if name in bundles() else lab_bundles()[name]


@cache
def whole_suite() -> suite.Suite:
    """Every check of `checks/`."""
    return suite.combined(())


def judge(name: str, read: Evidence | None = None) -> Judgement:
    """The judgement of a recorded host, or of what is left of its evidence."""
    declared = _of(name)[1]
    return Judgement(whole_suite(), Hypervisor(read or evidence(name), declared))
