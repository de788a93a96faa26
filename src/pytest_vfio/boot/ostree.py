"""Hosts whose system is an ostree deployment: rpm-ostree makes a new one with other words."""

from __future__ import annotations

from collections.abc import Iterable

from pytest_vfio.facts.boot.chain import Boot
from pytest_vfio.steps import Impact, Step
from pytest_vfio.steps.host import Run


class Ostree:
    """Kernel arguments of the next deployment."""

    def __init__(self, boot: Boot) -> None:
        self.boot = boot

    def add(self, words: Iterable[str]) -> tuple[Step, ...]:
        """Once each."""
        found = tuple(words)
        return (_kargs(f"add {' '.join(found)} to the next deployment", ((), found)),)

    def drop(self, words: Iterable[str]) -> tuple[Step, ...]:
        """Wherever they are."""
        found = tuple(words)
        return (_kargs(f"remove {' '.join(found)} from the next deployment", (found, ())),)

    def replace(self, old: str, new: str) -> tuple[Step, ...]:
        """In one deployment."""
        what = f"replace {old} by {new} in the next deployment"
        return (_kargs(what, ((old,), (new,))),)

    def generate(self) -> tuple[Step, ...]:
        """Nothing: the deployment is made with the words."""
        return ()


def _kargs(what: str, change: tuple[tuple[str, ...], tuple[str, ...]]) -> Step:
    """`change` are the words that go and those that come."""
    return Run(what, _line(*change), _line(*reversed(change)), (Impact.BOOT_FILES,))


def _line(gone: tuple[str, ...], come: tuple[str, ...]) -> tuple[str, ...]:
    removed = tuple(f"--delete-if-present={word}" for word in gone)
    added = tuple(f"--append-if-missing={word}" for word in come)
    return ("rpm-ostree", "kargs", *removed, *added)
