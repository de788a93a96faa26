"""What would cure a failure, as typed steps: frozen values that reports print and a remedy runs.

A step is one change of one mechanism with all that it takes: values, files, quoting, what must
hold before it and what holds after it. The commands that a person pastes are made from the same
value that a machine carries out, so the two cannot differ. Pure, and the lowest floor but one.

Grade, reboot and undo of a cure are computed from its steps; nobody types them in.
"""

from __future__ import annotations

import enum
from collections.abc import Iterable
from typing import ClassVar

import msgspec

from pytest_vfio.steps.shell import command


class Grade(enum.Enum):
    """How much consent a step takes. Ordered: a cure has the grade of its worst step."""

    SAFE = "safe"
    """Nothing that runs or boots is touched: no running guest, no boot file, no initramfs, no
    device that a driver has, no reboot. It can be taken back at once."""

    UNSAFE = "unsafe"
    """A machine can do it, and a mistake in it can cost the host its next boot, a device or a
    guest. What exactly it touches is said beside it (`Impact`)."""

    MANUAL = "manual"
    """A person: firmware menus, a card to move, a guest's layout, a risk to accept, or a value
    that neither host nor inventory determines."""

    def __lt__(self, other: Grade) -> bool:
        order = list(Grade)
        return order.index(self) < order.index(other)

    def __str__(self) -> str:
        return self.value


class Impact(enum.Enum):
    """What makes a step unsafe, in words for the screen."""

    BOOT_FILES = "changes boot files"
    DETACHES = "takes a device from its driver"
    GUEST = "acts on a running guest"
    SERVICE = "restarts a service"
    REBOOT = "needs a reboot"


class Step(msgspec.Struct, frozen=True):
    """One change. Every kind of step is a subclass that says the following of itself."""

    kind: ClassVar[str]

    @property
    def title(self) -> str:
        """What the step does, in the imperative, in one line."""
        raise NotImplementedError

    @property
    def commands(self) -> tuple[str, ...]:
        """What a person pastes into a root shell (POSIX sh), a line each; empty where none can."""
        raise NotImplementedError

    @property
    def before(self) -> tuple[str, ...]:
        """Shell tests that have to succeed before anything is changed."""
        return ()

    @property
    def after(self) -> tuple[str, ...]:
        """Shell tests that succeed once the step is done, whoever did it."""
        return ()

    @property
    def files(self) -> tuple[str, ...]:
        """The files that the step changes, as absolute paths."""
        return ()

    @property
    def undo(self) -> tuple[Step, ...] | None:
        """The steps that restore what was there before; None where nothing can."""
        return None

    @property
    def impacts(self) -> frozenset[Impact]:
        """What makes the step unsafe; empty for a safe one."""
        return frozenset()

    @property
    def grade(self) -> Grade:
        """Unsafe as soon as there is an impact."""
        return Grade.UNSAFE if self.impacts else Grade.SAFE

    @property
    def by_hand(self) -> str:
        """What a person has to do, in words; empty where commands do it."""
        return ""

    @property
    def derived(self) -> bool:
        """The step makes files anew from others: an undo repeats it after these are restored."""
        return False


class ByHand(Step, frozen=True):
    """What only a person can do or decide, in words that can be followed.

    `argv` is the command to begin with, where there is one: an editor, or what shows more.
    """

    kind = "by_hand"
    words: str
    reboot: bool = False
    argv: tuple[str, ...] = ()

    @property
    def title(self) -> str:
        """The words themselves."""
        return self.words

    @property
    def commands(self) -> tuple[str, ...]:
        """What to begin with."""
        return (command(self.argv),) if self.argv else ()

    @property
    def impacts(self) -> frozenset[Impact]:
        """Firmware setup, a card to move, another kernel: the host is booted again."""
        return frozenset((Impact.REBOOT,)) if self.reboot else frozenset()

    @property
    def grade(self) -> Grade:
        """Always a person."""
        return Grade.MANUAL

    @property
    def by_hand(self) -> str:
        """The words themselves."""
        return self.words


class Reboot(Step, frozen=True):
    """Start the host anew, with what the steps before it have written."""

    kind = "reboot"

    @property
    def title(self) -> str:
        """What is done."""
        return "reboot the host"

    @property
    def commands(self) -> tuple[str, ...]:
        """As systemd has it."""
        return ("systemctl reboot",)

    @property
    def undo(self) -> tuple[Step, ...]:
        """A reboot changes nothing; what it brought into force is taken back by another."""
        return ()

    @property
    def impacts(self) -> frozenset[Impact]:
        """Everything on the host stops."""
        return frozenset((Impact.REBOOT,))

    @property
    def derived(self) -> bool:
        """What was taken back comes into force with another reboot."""
        return True


class Cure(msgspec.Struct, frozen=True):
    """What would cure one failure: a title in the imperative, and the steps in their order.

    Raises ValueError without a step: a title alone helps nobody.
    """

    title: str
    steps: tuple[Step, ...]

    def __post_init__(self) -> None:
        if not self.steps:
            raise ValueError(f"cure {self.title!r} has no step")

    @property
    def grade(self) -> Grade:
        """The grade of the worst step."""
        return max(step.grade for step in self.steps)

    @property
    def impacts(self) -> tuple[Impact, ...]:
        """What makes it unsafe, in the order in which `Impact` has them."""
        found = {impact for step in self.steps for impact in step.impacts}
        return tuple(impact for impact in Impact if impact in found)

    @property
    def reboot(self) -> bool:
        """The cure is whole only after a reboot."""
        return Impact.REBOOT in self.impacts

    @property
    def undo_steps(self) -> tuple[Step, ...] | None:
        """The steps back, last change first, then what is made from files anew; None if one lacks.

        A reboot and a file made from others come last again, once for each.
        """
        back: list[Step] = []
        for step in reversed(self.steps):
            undo = step.undo
            if undo is None:
                return None
            if not step.derived:
                back.extend(undo)
        return (*back, *dict.fromkeys(step for step in self.steps if step.derived))

    @property
    def undo(self) -> bool:
        """All steps can be taken back."""
        return self.undo_steps is not None

    @property
    def files(self) -> tuple[str, ...]:
        """The files that the steps change."""
        return tuple(dict.fromkeys(file for step in self.steps for file in step.files))


class StepRow(msgspec.Struct, frozen=True):
    """A step as reports have it: plain values."""

    kind: str
    title: str
    commands: tuple[str, ...]
    by_hand: str
    files: tuple[str, ...]


def steps_of(cure: Cure) -> tuple[StepRow, ...]:
    """The steps of a cure as plain values, in their order."""
    return tuple(
        StepRow(step.kind, step.title, step.commands, step.by_hand, step.files)
        for step in cure.steps
    )


def by_hand(title: str, *words: str, reboot: bool = False) -> Cure:
    """A cure that is a person's: the title, and what to do; the title itself where it says all."""
    told: Iterable[str] = words or (title,)
    return Cure(title, tuple(ByHand(text, reboot=reboot) for text in told))
