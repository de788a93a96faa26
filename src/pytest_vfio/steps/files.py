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


class FileStep(Step, frozen=True):
    """A step about one file."""

    path: str

    @property
    def files(self) -> tuple[str, ...]:
        """The file."""
        return (self.path,)

    def edited(self, text: str) -> str:
        """What the file's text becomes; empty for a file that is not there."""
        raise NotImplementedError

    @property
    def impacts(self) -> frozenset[Impact]:
        """Unsafe where the file decides how the host boots."""
        return frozenset((Impact.BOOT_FILES,)) if self.path.startswith(_BOOT) else frozenset()


class WriteFile(FileStep, frozen=True):
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

    def edited(self, text: str) -> str:
        """Its lines."""
        del text
        return "".join(f"{line}\n" for line in self.lines)

    @property
    def undo(self) -> tuple[Step, ...]:
        """The file goes again."""
        return (DeleteFile(self.path, self.lines, self.folder, self.runs),)


class DeleteFile(FileStep, frozen=True):
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

    def edited(self, text: str) -> str:
        """Nothing."""
        del text
        return ""

    @property
    def undo(self) -> tuple[Step, ...]:
        """The same lines again."""
        return (WriteFile(self.path, self.lines, self.folder, self.runs),)


class AddLine(FileStep, frozen=True):
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

    def edited(self, text: str) -> str:
        """One line more."""
        return f"{text}{self.line}\n"

    @property
    def undo(self) -> tuple[Step, ...]:
        """Out again."""
        return (RemoveLine(self.path, self.line),)


class RemoveLine(FileStep, frozen=True):
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

    def edited(self, text: str) -> str:
        """Without the line."""
        return "".join(line for line in text.splitlines(True) if line != f"{self.line}\n")

    @property
    def undo(self) -> tuple[Step, ...]:
        """At the end again."""
        return (AddLine(self.path, self.line),)


class CommentOut(FileStep, frozen=True):
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

    def edited(self, text: str) -> str:
        """The line as a comment."""
        return _relined(text, self.line, f"#{self.line}")

    @property
    def undo(self) -> tuple[Step, ...]:
        """The `#` goes, where it stands."""
        return (Uncomment(self.path, self.line),)


class Uncomment(FileStep, frozen=True):
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

    def edited(self, text: str) -> str:
        """The comment as a line."""
        return _relined(text, f"#{self.line}", self.line)

    @property
    def undo(self) -> tuple[Step, ...]:
        """A comment again."""
        return (CommentOut(self.path, self.line),)


def _written(lines: tuple[str, ...], path: str) -> tuple[str, ...]:
    """The lines of a shell script that make a file of these lines."""
    plain = all(line.isprintable() and line != "EOF" for line in lines)
    if len(lines) == 1 or not plain:
        return tuple(put(line, path, append=number > 0) for number, line in enumerate(lines))
    return (f"cat > {word(path)} <<'EOF'", *lines, "EOF")


def _relined(text: str, old: str, new: str) -> str:
    lines = text.split("\n")
    return "\n".join(new if line == old else line for line in lines)
