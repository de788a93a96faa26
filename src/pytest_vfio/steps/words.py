"""Steps that change words in a line of words: a shell variable's, or the line that a file is."""

from __future__ import annotations

import re
from collections.abc import Callable

from pytest_vfio.steps import Step
from pytest_vfio.steps.files import FileStep
from pytest_vfio.steps.shell import command, pattern, sed


class _WordStep(FileStep, frozen=True):
    """A step about words in a line of words.

    `variable` is the shell variable that holds the line (`GRUB_CMDLINE_LINUX`), and `mark` what
    opens its value: a quote, a bracket, or nothing. Without a variable the file is the line itself
    (`/etc/kernel/cmdline`), or consists of such lines (`/etc/modprobe.d`).
    """

    words: tuple[str, ...]
    variable: str = ""
    mark: str = '"'

    @property
    def place(self) -> str:
        """Variable and file."""
        return f"{self.variable} in {self.path}" if self.variable else self.path

    @property
    def _start(self) -> str:
        """What stands before a line's first word, as a regular expression."""
        return f"^[^#]*\\b{self.variable}\\+?=" if self.variable else "^"

    @property
    def _lines(self) -> str:
        """The sed address of the lines that count."""
        return f"/{self._start}/" if self.variable else "/^[[:blank:]]*(#|$)/!"

    @property
    def _edges(self) -> tuple[str, str]:
        """What stands before a word, and behind it."""
        if not self.variable:
            return "(^|[[:blank:]])", "([[:blank:]]|$)"
        opens = self.mark or "="
        closes = {"(": ")", "": ""}.get(self.mark, self.mark)
        return f"([{opens}[:blank:]])", f"([{closes}[:blank:]]|$)"

    def _each(self, text: str, change: Callable[[str], str]) -> str:
        """A text whose lines that count are changed: what `_lines` says to sed."""
        lines = text.split("\n")
        return "\n".join(change(line) if self._counts(line) else line for line in lines)

    def _counts(self, line: str) -> bool:
        if self.variable:
            return re.search(self._start, line) is not None
        return bool(line.strip(" \t")) and not line.lstrip(" \t").startswith("#")

    def _has(self, text: str) -> str:
        """A test: a line that counts has the word."""
        (front, back), one = self._edges, pattern(text).replace("\\/", "/")
        if not self.variable:
            expression = f"^([^#]*[[:blank:]])?{one}{back}"
        else:
            front = front if self.mark else ""
            expression = f"{self._start}(.*{front})?{one}{back}"
        return command(("grep", "-qE", "-e", expression, self.path))


class RemoveWords(_WordStep, frozen=True):
    """Take words out of a line, where they stand. `first`: its undo puts them to the front."""

    kind = "remove_words"
    first: bool = False

    @property
    def title(self) -> str:
        """What is done."""
        return f"remove {' '.join(self.words)} from {self.place}"

    @property
    def commands(self) -> tuple[str, ...]:
        """Every time that a word is there; a blank may stay behind."""
        front, back = self._edges
        scripts = (f"{self._lines}s/{front}{pattern(text)}{back}/\\1\\2/" for text in self.words)
        return tuple(sed(f":a;{script};ta", self.path) for script in scripts)

    def edited(self, text: str) -> str:
        """Without the words."""
        for one in self.words:
            text = self.replaced(text, one, "")
        return text

    def replaced(self, text: str, old: str, new: str) -> str:
        """A text with one word in the place of another, in every line that counts."""
        front, back = (edge.replace("[:blank:]", " \\t") for edge in self._edges)
        edge = re.compile(f"{front}{re.escape(old)}{back}")

        def change(line: str) -> str:
            found = edge.search(line)
            while found is not None:
                line = f"{line[: found.start()]}{found[1]}{new}{found[2]}{line[found.end() :]}"
                found = edge.search(line)
            return line

        return self._each(text, change)

    def replacing(self, new: str) -> str:
        """The same with another word in the place of the first."""
        front, back = self._edges
        script = f"{self._lines}s/{front}{pattern(self.words[0])}{back}/\\1{_replacement(new)}\\2/"
        return sed(f":a;{script};ta", self.path)

    @property
    def before(self) -> tuple[str, ...]:
        """Every word is there."""
        return tuple(self._has(text) for text in self.words)

    @property
    def after(self) -> tuple[str, ...]:
        """None of them is."""
        return tuple(f"! {self._has(text)}" for text in self.words)

    @property
    def undo(self) -> tuple[Step, ...]:
        """In the line again, at its end or its front."""
        return (AddWords(self.path, self.words, self.variable, self.mark, self.first),)


class AddWords(_WordStep, frozen=True):
    """Add words to a line: at its end, or as its `first`."""

    kind = "add_words"
    first: bool = False

    @property
    def title(self) -> str:
        """What is done."""
        return f"add {' '.join(self.words)} to {self.place}"

    @property
    def commands(self) -> tuple[str, ...]:
        """Inside the quotes of an assignment, or into the line itself."""
        text, lines = _replacement(" ".join(self.words)), self._lines
        closes = {"(": "\\)"}.get(self.mark, self.mark) if self.variable else ""
        if self.first:
            opens = {"(": "\\("}.get(self.mark, self.mark) if self.variable else ""
            return (sed(f"{lines}s/{self._start}{opens}/&{text} /", self.path),)
        script = f"{lines}s/{closes}[[:blank:]]*$/ {text}{closes[-1:]}/"
        return (sed(script, self.path),)

    def edited(self, text: str) -> str:
        """With the words."""
        more = " ".join(self.words)
        if self.first:
            opens = re.compile(f"{self._start}{re.escape(self.mark) if self.variable else ''}")
            return self._each(
                text, lambda line: opens.sub(lambda m: f"{m[0]}{more} ", line, count=1)
            )
        closes = ({"(": ")"}.get(self.mark, self.mark)) if self.variable else ""
        end = re.compile(f"{re.escape(closes)}[ \\t]*$")
        return self._each(text, lambda line: end.sub(lambda _: f" {more}{closes}", line, count=1))

    @property
    def before(self) -> tuple[str, ...]:
        """None of the words is there: nothing is written twice."""
        return tuple(f"! {self._has(text)}" for text in self.words)

    @property
    def after(self) -> tuple[str, ...]:
        """All of them are."""
        return tuple(self._has(text) for text in self.words)

    @property
    def undo(self) -> tuple[Step, ...]:
        """Out again."""
        return (RemoveWords(self.path, self.words, self.variable, self.mark, self.first),)


class ReplaceWord(FileStep, frozen=True):
    """Write a word in place of another, where it stands. `variable` and `mark` as in _WordStep."""

    kind = "replace_word"
    old: str
    new: str
    variable: str = ""
    mark: str = '"'

    @property
    def _old(self) -> RemoveWords:
        return RemoveWords(self.path, (self.old,), self.variable, self.mark)

    @property
    def _new(self) -> RemoveWords:
        return RemoveWords(self.path, (self.new,), self.variable, self.mark)

    @property
    def title(self) -> str:
        """What is done."""
        return f"replace {self.old} by {self.new} in {self._old.place}"

    @property
    def commands(self) -> tuple[str, ...]:
        """Every time that it is there, between blanks and quotes."""
        return (self._old.replacing(self.new),)

    def edited(self, text: str) -> str:
        """The new word where the old one was."""
        return self._old.replaced(text, self.old, self.new)

    @property
    def before(self) -> tuple[str, ...]:
        """The old word is there, the new one is not: the undo knows which to take."""
        return (*self._old.before, *self._new.after)

    @property
    def after(self) -> tuple[str, ...]:
        """The other way round."""
        return (*self._old.after, *self._new.before)

    @property
    def undo(self) -> tuple[Step, ...]:
        """The old word again."""
        return (ReplaceWord(self.path, self.new, self.old, self.variable, self.mark),)


def mark_of(line: str) -> str:
    """What opens the value of an assignment: a quote, a bracket, or nothing."""
    first = line.partition("=")[2][:1]
    return first if first in ('"', "'", "(") else ""


def _replacement(text: str) -> str:
    """A text as the right side of sed's `s`."""
    return text.replace("\\", "\\\\").replace("/", "\\/").replace("&", "\\&").replace("\n", "\\n")
