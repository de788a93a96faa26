"""Many cures -> one ordered list of steps: nothing twice, no two that work against each other.

What acts at once comes before what lasts, so that a host that is lost on the way comes back with a
reset as it was; files that are made of others come after these, once; a reboot is the last.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from msgspec import structs

from pytest_vfio.steps import Step
from pytest_vfio.steps.files import FileStep, WriteFile
from pytest_vfio.steps.words import AddWords, RemoveWords, ReplaceWord

_LIVE = ("load_modules", "write_sysfs", "set_override", "set_vfs", "bind", "unload_modules")
_LAST = ("cold_start", "reboot")


def order(step: Step) -> int:
    """When a step comes: at once, files, the host's tools, made of files, guests and the reboot."""
    if step.kind in _LAST:
        return 4 + _LAST.index(step.kind)
    if step.kind == "regenerate":
        return 3 if any("initramfs" in word or "dracut" in word for word in step.commands) else 4
    if step.kind in _LIVE:
        return 0
    return 1 if isinstance(step, FileStep) else 2


def opposite(before: Iterable[Step], after: Iterable[Step]) -> tuple[Step, Step] | None:
    """Two steps that work against each other: one takes back, or changes, what the other does."""
    later = tuple(after)
    for one in before:
        for other in later:
            if one != other and _against(one, other):
                return one, other
    return None


def _against(one: Step, other: Step) -> bool:
    if other in (one.undo or ()) or one in (other.undo or ()):
        return True
    if {one.kind, other.kind} <= {"bind", "set_override"}:
        return getattr(one, "address", 1) == getattr(other, "address", 2)
    if one.kind == other.kind and one.kind in ("set_vfs", "set_managed", "set_autostart"):
        return _subject(one) == _subject(other)
    if isinstance(one, FileStep) and isinstance(other, FileStep) and one.path == other.path:
        return bool(_touched(one) & _touched(other)) and not _same_way(one, other)
    return False


def _subject(step: Step) -> tuple[object, ...]:
    return getattr(step, "address", None), getattr(step, "guest", None)


def _touched(step: Step) -> frozenset[str]:
    """The words or lines of a file that a step depends on or writes."""
    if isinstance(step, ReplaceWord):
        return frozenset((step.old, step.new))
    if isinstance(step, (AddWords, RemoveWords)):
        return frozenset(step.words)
    return frozenset(filter(None, (getattr(step, "line", ""),)))


def _same_way(one: Step, other: Step) -> bool:
    return type(one) is type(other) and not isinstance(one, ReplaceWord)


def merged(steps: Sequence[Step]) -> tuple[Step, ...]:
    """The steps in their order, each once: lines of one file of ours in one file, words in one edit."""
    found: dict[object, Step] = {}
    for step in steps:
        key = _key(step)
        known = found.get(key)
        found[key] = step if known is None else _joined(known, step)
    return tuple(sorted(found.values(), key=order))


def _key(step: Step) -> object:
    if isinstance(step, WriteFile):
        return step.kind, step.path
    if isinstance(step, (AddWords, RemoveWords)):
        return step.kind, step.path, step.variable, step.mark, step.first
    return step


def _joined(one: Step, other: Step) -> Step:
    if isinstance(one, WriteFile) and isinstance(other, WriteFile):
        return structs.replace(one, lines=tuple(dict.fromkeys((*one.lines, *other.lines))))
    if isinstance(one, (AddWords, RemoveWords)) and isinstance(other, type(one)):
        return structs.replace(one, words=tuple(dict.fromkeys((*one.words, *other.words))))
    return one


def joins(part: Step, whole: Step) -> bool:
    """A step of a cure went into a step of the plan."""
    return part == whole or (_key(part) == _key(whole) and not isinstance(_key(part), Step))
