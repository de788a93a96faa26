"""What every boot stack can do, and which words a machine may write."""

from __future__ import annotations

import re
from collections.abc import Iterable
from typing import Protocol

from pytest_vfio.evidence import Missing
from pytest_vfio.facts.boot.chain import Boot
from pytest_vfio.steps import ByHand, Step

#: Words that mean the same to a shell, inside quotes or not, to GRUB and to sed.
_PLAIN = re.compile(r"[A-Za-z0-9_.,:=@/+\[\]-]+")


class Stack(Protocol):
    """One way in which a host comes to its command line."""

    def add(self, words: Iterable[str]) -> tuple[Step, ...]:
        """Put words into the source of the line, where the kernel reads them."""
        ...

    def drop(self, words: Iterable[str]) -> tuple[Step, ...]:
        """Take words out of the source of the line, wherever they stand in it."""
        ...

    def replace(self, old: str, new: str) -> tuple[Step, ...]:
        """Write a word in place of another in the source of the line."""
        ...

    def generate(self) -> tuple[Step, ...]:
        """Make the loader's files from the source; empty where the source is what boots."""
        ...


def plain(words: Iterable[str]) -> bool:
    """All words are harmless to write: letters, digits and what parameters consist of."""
    return all(_PLAIN.fullmatch(word) for word in words)


def releases(boot: Boot) -> tuple[str, ...]:
    """The kernels whose entries are made anew: those that the loader offers, else the running one.

    Raises Missing where neither is known.
    """
    try:
        found = [entry.release for entry in boot.entries if entry.release]
    except Missing:
        found = []
    return tuple(dict.fromkeys(found or [boot.kernel.release]))


def dashes(line: str) -> bool:
    """A bare `--` stands in a line: what is appended would go to init."""
    return "--" in line.split()


def write_by_hand(verb: str, words: Iterable[str], where: str) -> tuple[Step, ...]:
    """Words that no machine may write, or a place that it cannot see into."""
    return (ByHand(f"{verb} {' '.join(words)} {where}"),)
