"""Steps that change files. None of them writes content that was read from a host.

What is ours is a file of its own. In a file of somebody else, words and lines are put in or taken
out where they stand, by an edit that leaves the rest as it is.
"""

from __future__ import annotations

from pytest_vfio.steps import Impact, Step
from pytest_vfio.steps.shell import command, holds, pattern, put, sed, word

#: What decides how the host boots, by the beginning of its path.
_BOOT = (
    "/boot/",
    "/efi/",
    "/etc/default/grub",
    "/etc/default/kdump-tools",
    "/etc/dracut.conf.d/",
    "/etc/initramfs-tools/",
    "/etc/kernel/",
    "/etc/mkinitcpio.conf",
    "/etc/modprobe.d/",
)


class _FileStep(Step, frozen=True):
    """A step about one file."""

    path: str

    @property
    def files(self) -> tuple[str, ...]:
        """The file."""
        return (self.path,)

    @property
    def impacts(self) -> frozenset[Impact]:
        """Unsafe where the file decides how the host boots."""
        return frozenset((Impact.BOOT_FILES,)) if self.path.startswith(_BOOT) else frozenset()


class WriteFile(_FileStep, frozen=True):
    """Write a file of our own that was not there before.

    `folder`: its folder may be missing and is made. `runs`: it is a program.
    """

    kind = "write_file"
    lines: tuple[str, ...]
    folder: bool = False
    runs: bool = False

    @property
    def title(self) -> str:
        """What is done."""
        return f"write {self.path}"

    @property
    def commands(self) -> tuple[str, ...]:
        """A here-document where there are several lines; each command is a line to paste."""
        made = [command(("mkdir", "-p", self._folder))] if self.folder else []
        mode = [command(("chmod", "0755", self.path))] if self.runs else []
        return (*made, *_written(self.lines, self.path), *mode)

    @property
    def _folder(self) -> str:
        return self.path.rpartition("/")[0]

    @property
    def before(self) -> tuple[str, ...]:
        """Nobody else's file is replaced, and the folder is there."""
        there = () if self.folder else (f"[ -d {word(self._folder)} ]",)
        return (f"[ ! -e {word(self.path)} ]", *there)

    @property
    def after(self) -> tuple[str, ...]:
        """Every line is there, and no other."""
        text = command(("printf", "%s\\n", *self.lines))
        mode = (f"[ -x {word(self.path)} ]",) if self.runs else ()
        return (f'[ "$({text})" = "$(cat {word(self.path)})" ]', *mode)

    @property
    def undo(self) -> tuple[Step, ...]:
        """The file goes again."""
        return (DeleteFile(self.path, self.lines, self.folder, self.runs),)


class DeleteFile(_FileStep, frozen=True):
    """Delete a file whose content is known to the letter."""

    kind = "delete_file"
    lines: tuple[str, ...]
    folder: bool = False
    runs: bool = False

    @property
    def title(self) -> str:
        """What is done."""
        return f"delete {self.path}"

    @property
    def commands(self) -> tuple[str, ...]:
        """The file, and a folder that was made for it and has nothing else."""
        folder = self.path.rpartition("/")[0]
        empty = (command(("rmdir", "--ignore-fail-on-non-empty", folder)),) if self.folder else ()
        return (command(("rm", self.path)), *empty)

    @property
    def before(self) -> tuple[str, ...]:
        """It is what it was: a file that somebody changed since stays."""
        return WriteFile(self.path, self.lines).after

    @property
    def after(self) -> tuple[str, ...]:
        """It is gone."""
        return (f"[ ! -e {word(self.path)} ]",)

    @property
    def undo(self) -> tuple[Step, ...]:
        """The same lines again."""
        return (WriteFile(self.path, self.lines, self.folder, self.runs),)


class AddLine(_FileStep, frozen=True):
    """Add a line at the end of a file that is a list of lines."""

    kind = "add_line"
    line: str

    @property
    def title(self) -> str:
        """What is done."""
        return f"add {self.line!r} to {self.path}"

    @property
    def commands(self) -> tuple[str, ...]:
        """Appended."""
        return (put(self.line, self.path, append=True),)

    @property
    def before(self) -> tuple[str, ...]:
        """The file is there, ends with a line feed, and does not have the line yet."""
        path = word(self.path)
        return (
            f"[ -f {path} ]",
            f'[ -z "$(tail -c 1 {path})" ]',
            f"! {holds(self.path, self.line)}",
        )

    @property
    def after(self) -> tuple[str, ...]:
        """It is there."""
        return (holds(self.path, self.line),)

    @property
    def undo(self) -> tuple[Step, ...]:
        """Out again."""
        return (RemoveLine(self.path, self.line),)


class RemoveLine(_FileStep, frozen=True):
    """Take out a line that was added."""

    kind = "remove_line"
    line: str

    @property
    def title(self) -> str:
        """What is done."""
        return f"remove {self.line!r} from {self.path}"

    @property
    def commands(self) -> tuple[str, ...]:
        """Every line that reads so."""
        return (sed(f"/^{pattern(self.line)}$/d", self.path),)

    @property
    def before(self) -> tuple[str, ...]:
        """It is there."""
        return (holds(self.path, self.line),)

    @property
    def after(self) -> tuple[str, ...]:
        """It is not there."""
        return (f"! {holds(self.path, self.line)}",)

    @property
    def undo(self) -> tuple[Step, ...]:
        """At the end again."""
        return (AddLine(self.path, self.line),)


class CommentOut(_FileStep, frozen=True):
    """Put a `#` before a line, where it stands."""

    kind = "comment_out"
    line: str

    @property
    def title(self) -> str:
        """What is done."""
        return f"comment out {self.line.strip()!r} in {self.path}"

    @property
    def commands(self) -> tuple[str, ...]:
        """Every line that reads so."""
        return (sed(f"s/^{pattern(self.line)}$/#&/", self.path),)

    @property
    def before(self) -> tuple[str, ...]:
        """It is there."""
        return (holds(self.path, self.line),)

    @property
    def after(self) -> tuple[str, ...]:
        """It counts no more."""
        return (f"! {holds(self.path, self.line)}",)

    @property
    def undo(self) -> tuple[Step, ...]:
        """The `#` goes, where it stands."""
        return (Uncomment(self.path, self.line),)


class Uncomment(_FileStep, frozen=True):
    """Take the `#` from before a line, where it stands."""

    kind = "uncomment"
    line: str

    @property
    def title(self) -> str:
        """What is done."""
        return f"uncomment {self.line.strip()!r} in {self.path}"

    @property
    def commands(self) -> tuple[str, ...]:
        """Every line that reads so."""
        return (sed(f"s/^#({pattern(self.line)})$/\\1/", self.path),)

    @property
    def before(self) -> tuple[str, ...]:
        """It is there, as a comment."""
        return (holds(self.path, f"#{self.line}"),)

    @property
    def after(self) -> tuple[str, ...]:
        """It counts."""
        return (holds(self.path, self.line),)

    @property
    def undo(self) -> tuple[Step, ...]:
        """A comment again."""
        return (CommentOut(self.path, self.line),)


class _WordStep(_FileStep, frozen=True):
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


class ReplaceWord(_FileStep, frozen=True):
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


def _written(lines: tuple[str, ...], path: str) -> tuple[str, ...]:
    """The lines of a shell script that make a file of these lines."""
    plain = all(line.isprintable() and line != "EOF" for line in lines)
    if len(lines) == 1 or not plain:
        return tuple(put(line, path, append=number > 0) for number, line in enumerate(lines))
    return (f"cat > {word(path)} <<'EOF'", *lines, "EOF")


def mark_of(line: str) -> str:
    """What opens the value of an assignment: a quote, a bracket, or nothing."""
    first = line.partition("=")[2][:1]
    return first if first in ('"', "'", "(") else ""


def _replacement(text: str) -> str:
    """A text as the right side of sed's `s`."""
    return text.replace("\\", "\\\\").replace("/", "\\/").replace("&", "\\&").replace("\n", "\\n")
