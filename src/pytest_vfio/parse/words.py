"""One kernel command line cut into words, by the kernel's own rules.

Follows `next_arg` and `parse_args` of the kernel (lib/cmdline.c, kernel/params.c): white space
ends a word unless inside double quotes, quotes around the value or around the whole word are
taken off, the first `=` ends the name, `-` and `_` are the same in a name, and a bare `--` ends
the parameters (what follows goes to init).

>>> [word.text for word in parse(b'ro a="b c" "d=e f" vfio-pci.ids=8086:1572 -- single')]
['ro', 'a="b c"', '"d=e f"', 'vfio-pci.ids=8086:1572', 'single']
>>> [(word.name, word.value) for word in parse(b'ro a="b c" "d=e f" vfio-pci.ids=8086:1572')]
[('ro', None), ('a', 'b c'), ('d', 'e f'), ('vfio_pci.ids', '8086:1572')]
"""

from __future__ import annotations

from collections.abc import Iterable

import msgspec

from pytest_vfio.evidence import Quote

#: What the kernel's `isspace` takes for white space: ASCII, and the byte 0xa0 (lib/ctype.c).
SPACE = frozenset(b" \t\n\v\f\r\xa0")

NOWHERE = Quote("", "")


class Word(msgspec.Struct, frozen=True):
    """One word of a command line.

    `name` has `-` folded to `_`; `value` is None where there is no `=`; `text` is the word as it
    stands. `position` counts all words from 0. `after_dashes`: behind a bare `--`, where it is no
    kernel parameter.
    """

    name: str
    value: str | None
    text: str
    position: int = 0
    after_dashes: bool = False
    quote: Quote = NOWHERE

    @property
    def pieces(self) -> tuple[str, ...]:
        """The comma-separated pieces of the value; none where there is no value."""
        return tuple(self.value.split(",")) if self.value else ()


def fold(name: str) -> str:
    """A parameter's or module's name as the kernel and kmod compare it."""
    return name.replace("-", "_")


def parse(line: bytes, quote: Quote = NOWHERE) -> tuple[Word, ...]:
    """All words of a line, those behind a bare `--` included and marked. Never fails."""
    words: list[Word] = []
    after = False
    for raw in _split(line):
        name, value = _name_and_value(raw)
        if name == b"--" and value is None and not after:
            after = True
            continue
        words.append(
            Word(
                fold(_text(name)),
                None if value is None else _text(value),
                _text(raw),
                len(words),
                after,
                quote,
            )
        )
    return tuple(words)


def named(words: Iterable[Word], name: str) -> tuple[Word, ...]:
    """Those of the words that are occurrences of the parameter `name`, in order."""
    wanted = fold(name)
    return tuple(word for word in words if word.name == wanted)


def _split(line: bytes) -> list[bytes]:
    words: list[bytes] = []
    start: int | None = None
    quoted = False
    for at, byte in enumerate(line):
        if byte == 0x22:
            quoted = not quoted
        if byte in SPACE and not quoted:
            if start is not None:
                words.append(line[start:at])
                start = None
        elif start is None:
            start = at
    if start is not None:
        words.append(line[start:])
    return words


def _name_and_value(raw: bytes) -> tuple[bytes, bytes | None]:
    """`next_arg`: a quote that opens the word or the value goes, and then one that ends it."""
    quoted = raw.startswith(b'"')
    if quoted:
        raw = raw[1:]
    # the kernel looks for the first `=`, but never at the word's first byte
    at = raw.find(b"=", 1)
    if at >= 0 and raw[at + 1 : at + 2] == b'"':
        raw, quoted = raw[: at + 1] + raw[at + 2 :], True
    if quoted and raw.endswith(b'"'):
        raw = raw[:-1]
    return (raw, None) if at < 0 else (raw[:at], raw[at + 1 :])


def _text(raw: bytes) -> str:
    return raw.decode("utf-8", "backslashreplace")
