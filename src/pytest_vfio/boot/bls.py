"""GRUB with entries of the Boot Loader Specification, as RHEL and Fedora have it: grubby edits them.

The entries are the source; grubby keeps what new kernels get along with them.
"""

from __future__ import annotations

from collections.abc import Iterable

from pytest_vfio.facts.boot.chain import Boot
from pytest_vfio.steps import Impact, Step
from pytest_vfio.steps.host import Run


class Bls:
    """Entries that grubby edits."""

    def __init__(self, boot: Boot) -> None:
        self.boot = boot

    def add(self, words: Iterable[str]) -> tuple[Step, ...]:
        """In every entry, and in those of kernels to come."""
        text = " ".join(words)
        return (_grubby(f"add {text} to every boot entry", ("", text)),)

    def drop(self, words: Iterable[str]) -> tuple[Step, ...]:
        """Out of every entry."""
        text = " ".join(words)
        return (_grubby(f"remove {text} from every boot entry", (text, "")),)

    def replace(self, old: str, new: str) -> tuple[Step, ...]:
        """In one call: no entry is without both."""
        return (_grubby(f"replace {old} by {new} in every boot entry", (old, new)),)

    def generate(self) -> tuple[Step, ...]:
        """Nothing: the entries are what boots."""
        return ()


def _grubby(what: str, change: tuple[str, str]) -> Step:
    """`change` are the words that go and those that come."""
    return Run(what, _line(*change), _line(*reversed(change)), (Impact.BOOT_FILES,))


def _line(gone: str, come: str) -> tuple[str, ...]:
    removed = (f"--remove-args={gone}",) if gone else ()
    added = (f"--args={come}",) if come else ()
    return ("grubby", "--update-kernel=ALL", *removed, *added)
