"""Words of a POSIX shell: every argument is data, whatever it holds.

Names come from a host's own files and XML. What is printed has to survive a terminal as well:
control characters and marks that reorder text are written as octal numbers.
"""

from __future__ import annotations

import re
import shlex
from collections.abc import Iterable

_PLAIN = re.compile(r"[A-Za-z0-9_:.,/=+@%][A-Za-z0-9_:.,/=+@%-]*")


def word(text: str) -> str:
    """One argument. A character that no terminal prints becomes the output of a printf.

    The result is one word for any POSIX shell and, save for line feeds, printable. Raises
    ValueError for NUL, which no argument can hold.
    """
    if "\0" in text:
        raise ValueError("an argument cannot hold NUL")
    if text.replace("\n", "").isprintable():
        return shlex.quote(text)
    parts = re.findall(r"\n+|[^\n]+", text)
    return "".join(part for piece in parts for part in _pieces(piece))


def _pieces(text: str) -> Iterable[str]:
    if text.startswith("\n"):
        yield shlex.quote(text)
        return
    run = ""
    for printable, piece in _runs(text):
        if printable:
            run += shlex.quote(piece)
        else:
            octal = "".join(f"\\0{byte:03o}" for byte in piece.encode("utf-8", "surrogatepass"))
            run += f"\"$(printf '%b' '{octal}')\""
    yield run


def _runs(text: str) -> Iterable[tuple[bool, str]]:
    start = 0
    for end in range(1, len(text) + 1):
        if end == len(text) or text[end].isprintable() != text[start].isprintable():
            yield text[start].isprintable(), text[start:end]
            start = end


def command(argv: Iterable[str]) -> str:
    """A command line that runs exactly these arguments."""
    return " ".join(word(argument) for argument in argv)


def put(line: str, path: str, *, append: bool = False) -> str:
    """Write a line into a file."""
    say = f"echo {line}" if _PLAIN.fullmatch(line) or not line else f"printf '%s\\n' {word(line)}"
    return f"{say.rstrip()} {'>>' if append else '>'} {word(path)}"


def holds(path: str, line: str) -> str:
    """A test: the file has the line, as it stands."""
    return f"grep -qxF -e {word(line)} {word(path)}"


def sed(script: str, path: str) -> str:
    """Edit a file in place with extended regular expressions."""
    return command(("sed", "-i", "-E", script, path))


def pattern(text: str) -> str:
    """A text as a sed expression that matches it alone; `/` is the delimiter."""
    return re.sub(r"([][\\/.*^$+?(){}|])", r"\\\1", text).replace("\n", r"\n")
