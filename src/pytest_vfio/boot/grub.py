"""GRUB whose grub.cfg is made by grub-mkconfig from /etc/default/grub.

Debian and its kin read drop-ins after that file: what is added stands in one of ours that sorts
last, so that nothing overrides it. What is dropped goes where it stands.
"""

from __future__ import annotations

import re
from collections.abc import Iterable

from pytest_vfio.boot.stack import dashes, plain, write_by_hand
from pytest_vfio.facts.boot.chain import Boot
from pytest_vfio.facts.boot.grub import ALWAYS, DROP_INS, FILE, ORDINARY
from pytest_vfio.parse.shellvars import Assignment
from pytest_vfio.steps import Step
from pytest_vfio.steps.files import AddLine, WriteFile
from pytest_vfio.steps.host import Regenerate
from pytest_vfio.steps.words import AddWords, RemoveWords, ReplaceWord, mark_of

_DROP_IN = "zz-pytest-vfio.cfg"


class Grub:
    """GRUB, by its own configuration."""

    def __init__(self, boot: Boot) -> None:
        self.boot = boot
        self.defaults = boot.grub_defaults

    def add(self, words: Iterable[str]) -> tuple[Step, ...]:
        """A drop-in of ours where those are read, else the variable that is there."""
        found = tuple(words)
        if not plain(found):
            return write_by_hand("add", found, f"to {ALWAYS} in /{FILE}")
        if self.defaults.reads_drop_ins:
            return (self._drop_in(found),)
        return self._in_place(found)

    def drop(self, words: Iterable[str]) -> tuple[Step, ...]:
        """Out of the file and the variable in which the word was written."""
        found: list[Step] = []
        by_place: dict[tuple[str, str, str], list[str]] = {}
        for text in words:
            for one in self._written(text):
                place = (one.quote.source, one.name, mark_of(one.quote.line))
                if plain((text,)) and _literal(one, text):
                    by_place.setdefault(place, []).append(text)
                else:
                    where = f"out of {one.name} in /{one.quote.source}: {one.quote.line}"
                    found.extend(write_by_hand("take", (text,), where))
        edits = (RemoveWords(f"/{f}", tuple(w), v, m) for (f, v, m), w in by_place.items())
        return (*edits, *found)

    def replace(self, old: str, new: str) -> tuple[Step, ...]:
        """Where the old one was written; out, where the line has the new one already."""
        if new in self._words:
            return self.drop((old,))
        places = self._written(old)
        if len(places) != 1 or not plain((old, new)) or not _literal(places[0], old):
            return (*self.drop((old,)), *self.add((new,)))
        file, line = f"/{places[0].quote.source}", places[0].quote.line
        return (ReplaceWord(file, old, new, places[0].name, mark_of(line)),)

    def generate(self) -> tuple[Step, ...]:
        """The distribution's own call."""
        two = self.boot.evidence.item("boot/grub2/grub.cfg").data
        name = "grub2" if two else "grub"
        made = f"/boot/{name}/grub.cfg"
        if self.defaults.reads_drop_ins:
            return (Regenerate("grub.cfg", ("update-grub",), (made,)),)
        return (Regenerate("grub.cfg", (f"{name}-mkconfig", "-o", made), (made,)),)

    @property
    def _words(self) -> list[str]:
        return [*self._value(ALWAYS).split(), *self._value(ORDINARY).split()]

    def _value(self, name: str) -> str:
        value = self.defaults.shell.values.get(name)
        return value.text if value is not None else ""

    def _drop_in(self, words: tuple[str, ...]) -> Step:
        """What is appended behind a bare `--` goes to init: then the line's front is taken."""
        text = " ".join(words)
        if dashes(self._value(ALWAYS)) or dashes(self._value(ORDINARY)):
            line = f'{ALWAYS}="{text} ${ALWAYS}"'
        else:
            line = f'{ORDINARY}="${ORDINARY} {text}"'
        names = [item.name.removeprefix(DROP_INS) for item in self.defaults.drop_ins]
        name = _DROP_IN
        if name in names:
            return AddLine(f"/{DROP_INS}{name}", line)
        while any(other > name for other in names):
            name = f"z{name}"
        return WriteFile(f"/{DROP_INS}{name}", (line,), folder=True)

    def _in_place(self, words: tuple[str, ...]) -> tuple[Step, ...]:
        """The last plain assignment of the file; a line of its own where there is none."""
        for name in (ALWAYS, ORDINARY):
            value = self.defaults.shell.values.get(name)
            if value is None or value.quote.source != FILE:
                continue
            front = dashes(value.text)
            if _assigns(name, value.quote.line):
                mark = mark_of(value.quote.line)
                return (AddWords(f"/{FILE}", words, name, mark, first=front),)
            where = f"to {name} in /{FILE}: {value.quote.line}"
            return write_by_hand("add", words, where)
        return (AddLine(f"/{FILE}", f'{ALWAYS}="{" ".join(words)}"'),)

    def _written(self, text: str) -> list[Assignment]:
        """The assignments that put a word into the line that counts."""
        live: dict[str, list[Assignment]] = {}
        for one in self.defaults.shell.history:
            if one.name not in (ALWAYS, ORDINARY):
                continue
            kept = live.get(one.name, []) if one.keeps else []
            before = one.before.split() if one.keeps else []
            brings = one.after.split().count(text) > before.count(text)
            live[one.name] = [*kept, one] if brings else kept
        return [one for found in live.values() for one in found]


def _assigns(name: str, line: str) -> bool:
    """The line is one quoted assignment, and nothing else."""
    return re.fullmatch(rf"\s*(export\s+)?{name}\+?=(\"[^\"]*\"|'[^']*')\s*", line) is not None


def _literal(one: Assignment, text: str) -> bool:
    """The word stands in the line as it is, between blanks and quotes."""
    word = rf"(^|[\s\"'=]){re.escape(text)}([\s\"']|$)"
    return re.search(word, one.quote.line) is not None
