"""A loader that nobody knows, or of which nothing was read: words for a person."""

from __future__ import annotations

from collections.abc import Iterable

from pytest_vfio.boot.stack import write_by_hand
from pytest_vfio.steps import ByHand, Step


class Other:
    """Whatever boots the host."""

    def add(self, words: Iterable[str]) -> tuple[Step, ...]:
        """Where that loader is configured."""
        return write_by_hand("add", words, "where this host's boot loader is configured")

    def drop(self, words: Iterable[str]) -> tuple[Step, ...]:
        """Where that loader is configured."""
        return write_by_hand("take", words, "out of this host's boot loader configuration")

    def replace(self, old: str, new: str) -> tuple[Step, ...]:
        """Where that loader is configured."""
        return write_by_hand(
            "replace", (old,), f"by {new} in this host's boot loader configuration"
        )

    def generate(self) -> tuple[Step, ...]:
        """With its own tool."""
        return (ByHand("generate the loader's files with the distribution's own tool"),)
