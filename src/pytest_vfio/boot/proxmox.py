"""Proxmox VE's boot tool: it copies kernels to every ESP and makes the entries of its loader."""

from __future__ import annotations

from collections.abc import Iterable

from pytest_vfio.boot.stack import Stack
from pytest_vfio.evidence import Evidence, Status
from pytest_vfio.steps import Step
from pytest_vfio.steps.host import Regenerate


def manages(evidence: Evidence) -> bool:
    """The host's ESPs are registered with proxmox-boot-tool."""
    return evidence.item("etc/kernel/proxmox-boot-uuids").status is Status.PRESENT


class Proxmox:
    """The loader's own sources; the tool makes the rest."""

    def __init__(self, source: Stack) -> None:
        self._source = source

    def add(self, words: Iterable[str]) -> tuple[Step, ...]:
        """As the loader has it."""
        return self._source.add(words)

    def drop(self, words: Iterable[str]) -> tuple[Step, ...]:
        """As the loader has it."""
        return self._source.drop(words)

    def replace(self, old: str, new: str) -> tuple[Step, ...]:
        """As the loader has it."""
        return self._source.replace(old, new)

    def generate(self) -> tuple[Step, ...]:
        """On every ESP."""
        return (Regenerate("the boot files on every ESP", ("proxmox-boot-tool", "refresh")),)
