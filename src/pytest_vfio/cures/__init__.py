"""What would cure a failure, as frozen values computed from facts. Pure; imported by checks."""

from __future__ import annotations

from collections.abc import Iterable

from pytest_vfio.steps import ByHand, Cure, Grade

SAFE, UNSAFE, MANUAL = Grade


def told(
    grade: Grade, title: str, steps: Iterable[str] = (), *, reboot: bool = False, undo: bool = False
) -> Cure:
    """A cure in words: whatever it could be, a person has to carry it out."""
    del grade, undo
    return Cure(title, tuple(ByHand(words, reboot=reboot) for words in (*steps,) or (title,)))
