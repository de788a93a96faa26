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
    """Write a file of our own that was not there before."""

    kind = "write_file"
    lines: tuple[str, ...]

    @property
    def title(self) -> str:
        """What is done."""
        return f"write {self.path}"

    @property
    def commands(self) -> tuple[str, ...]:
        """The first line makes the file, the others follow."""
        return tuple(
            put(line, self.path, append=number > 0) for number, line in enumerate(self.lines)
        )

    @property
    def before(self) -> tuple[str, ...]:
        """Nobody else's file is replaced, and the folder is there."""
        folder = self.path.rpartition("/")[0]
        return (f"[ ! -e {word(self.path)} ]", f"[ -d {word(folder)} ]")

    @property
    def after(self) -> tuple[str, ...]:
        """Every line is there, and no other."""
        text = command(("printf", "%s\\n", *self.lines))
        return (f'[ "$({text})" = "$(cat {word(self.path)})" ]',)

    @property
    def undo(self) -> tuple[Step, ...]:
        """The file goes again."""
        return (DeleteFile(self.path, self.lines),)


class DeleteFile(_FileStep, frozen=True):
    """Delete a file whose content is known to the letter."""

    kind = "delete_file"
    lines: tuple[str, ...]

    @property
    def title(self) -> str:
        """What is done."""
        return f"delete {self.path}"

    @property
    def commands(self) -> tuple[str, ...]:
        """The file alone."""
        return (command(("rm", self.path)),)

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
        return (WriteFile(self.path, self.lines),)


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
        return (sed((f"/^{pattern(self.line)}$/d",), self.path),)

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
        return (sed((f"s/^{pattern(self.line)}$/#&/",), self.path),)

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
        return (sed((f"s/^#({pattern(self.line)})$/\\1/",), self.path),)

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


class RemoveWords(_FileStep, frozen=True):
    """Take words out of a line of words, where they stand.

    `variable` is the shell variable that holds the line (`GRUB_CMDLINE_LINUX`); empty where the
    file is the line itself (`/etc/kernel/cmdline`).
    """

    kind = "remove_words"
    words: tuple[str, ...]
    variable: str = ""

    @property
    def title(self) -> str:
        """What is done."""
        return f"remove {' '.join(self.words)} from {_place(self)}"

    @property
    def commands(self) -> tuple[str, ...]:
        """Each word, with the blanks before or behind it."""
        lines, start = _lines(self.variable), _start(self.variable)
        tail = "\\3" if self.variable else "\\2"  # the group behind those of `start`
        script = [":again"]
        for text in self.words:
            one = pattern(text)
            script += [
                f"{lines}s/({start}|[[:blank:]]){one}[[:blank:]]+/\\1/",
                f"{lines}s/[[:blank:]]+{one}([\"']|$)/\\1/",
                f"{lines}s/({start}){one}([\"']|$)/\\1{tail}/",
            ]
        return (sed((*script, "t again"), self.path),)

    @property
    def before(self) -> tuple[str, ...]:
        """Every word is there."""
        return tuple(_has(self, text) for text in self.words)

    @property
    def after(self) -> tuple[str, ...]:
        """None of them is."""
        return tuple(f"! {_has(self, text)}" for text in self.words)

    @property
    def undo(self) -> tuple[Step, ...]:
        """At the end of the line again."""
        return (AddWords(self.path, self.words, self.variable),)


class AddWords(_FileStep, frozen=True):
    """Add words at the end of a line of words. `variable` is as with RemoveWords."""

    kind = "add_words"
    words: tuple[str, ...]
    variable: str = ""

    @property
    def title(self) -> str:
        """What is done."""
        return f"add {' '.join(self.words)} to {_place(self)}"

    @property
    def commands(self) -> tuple[str, ...]:
        """Before the closing quote of the last assignment, or at the end of the line."""
        text = " ".join(self.words).replace("\\", "\\\\").replace("/", "\\/").replace("&", "\\&")
        lines = _lines(self.variable)
        if not self.variable:
            return (sed((f"{lines}s/[[:blank:]]*$/ {text}/",), self.path),)
        script = (f"{lines}s/([\"'])[[:blank:]]*$/ {text}\\1/", f"{lines}s/([=\"']) /\\1/")
        return (sed(script, self.path),)

    @property
    def before(self) -> tuple[str, ...]:
        """None of the words is there: nothing is written twice."""
        return tuple(f"! {_has(self, text)}" for text in self.words)

    @property
    def after(self) -> tuple[str, ...]:
        """All of them are."""
        return tuple(_has(self, text) for text in self.words)

    @property
    def undo(self) -> tuple[Step, ...]:
        """Out again."""
        return (RemoveWords(self.path, self.words, self.variable),)


def _place(step: RemoveWords | AddWords) -> str:
    return f"{step.variable} in {step.path}" if step.variable else step.path


def _lines(variable: str) -> str:
    """The sed address of the lines that count."""
    return f"/{_start(variable)}/" if variable else "/^[[:blank:]]*(#|$)/!"


def _start(variable: str) -> str:
    """What stands before the first word of a line that counts; one group for a variable."""
    if not variable:
        return "^"
    return f"^[[:blank:]]*(export[[:blank:]]+)?{variable}\\+?=[\"']?"


def _has(step: RemoveWords | AddWords, text: str) -> str:
    """A test: a line that counts has the word."""
    one = pattern(text).replace("\\/", "/")
    if step.variable:
        start = _start(step.variable)
        expression = f"{start}(.*[[:blank:]])?{one}([[:blank:]\"']|$)"
    else:
        expression = f"^([^#]*[[:blank:]])?{one}([[:blank:]]|$)"
    return command(("grep", "-qE", "-e", expression, step.path))
