"""What would cure a failure, as frozen values computed from facts. Pure; imported by checks."""

from __future__ import annotations

import msgspec

SAFE = "safe"  # no running guest, no boot file, no bound device, no reboot
UNSAFE = "unsafe"  # boot files, initramfs, module options, bound devices, or a reboot
MANUAL = "manual"  # a person: firmware menus, a card to move, a risk to accept


class Cure(msgspec.Struct, frozen=True):
    """One cure: an imperative title, its grade, and the steps a person would type or do.

    `undo` is True only where going back restores what was there before.
    """

    grade: str
    title: str
    steps: tuple[str, ...] = ()
    reboot: bool = False
    undo: bool = False
