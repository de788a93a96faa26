"""Unified kernel images: the command line is part of the image, and signed with it."""

from __future__ import annotations

from collections.abc import Iterable

from pytest_vfio.boot.systemd_boot import SystemdBoot
from pytest_vfio.evidence import Status
from pytest_vfio.facts.boot.chain import Boot
from pytest_vfio.steps import ByHand, Step
from pytest_vfio.steps.host import Regenerate


class Uki:
    """The line of /etc/kernel/cmdline, built into an image."""

    def __init__(self, boot: Boot) -> None:
        self.boot = boot
        self._source = SystemdBoot(boot)

    def add(self, words: Iterable[str]) -> tuple[Step, ...]:
        """In the file that the image is built from."""
        return self._source.add(words)

    def drop(self, words: Iterable[str]) -> tuple[Step, ...]:
        """Out of the file that the image is built from."""
        return self._source.drop(words)

    def replace(self, old: str, new: str) -> tuple[Step, ...]:
        """As the file has it."""
        return self._source.replace(old, new)

    def generate(self) -> tuple[Step, ...]:
        """Build the image anew; where Secure Boot is on, it has to be signed again."""
        sign = ByHand(
            "where Secure Boot is on, sign the image (sbctl sign -s, or the keys of /etc/kernel/uki.conf)"
        )
        if self.boot.evidence.item("etc/mkinitcpio.conf").status is Status.PRESENT:
            return (Regenerate("the unified kernel images", ("mkinitcpio", "-P")), sign)
        return (*self._source.generate(), sign)
