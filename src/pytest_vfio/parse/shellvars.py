"""What shell assignments in configuration files come to, without ever running them.

/etc/default/grub and its drop-ins are shell: grub-mkconfig sources them in a row. Plain
assignments, quotes, `$NAME`, `${NAME}`, `${NAME:-text}`, `NAME+=`, `export` and `unset` are
evaluated. Everything else (command substitution, conditions, sourcing, `eval`) is unknown, and
what depends on it says so: an unknown part is the character UNKNOWN inside a value, and a value
that may have been set elsewhere is not `certain`.

>>> item = Item("f", Status.PRESENT, b'A="x y"\\nA="$A z"\\nB=$(id)\\n')
>>> values = evaluate([item]).values
>>> values["A"].text, values["A"].certain, values["B"].certain
('x y z', True, False)
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping

import msgspec

from pytest_vfio.evidence import Item, Quote, Status

#: Stands for a part of a value that cannot be known; from Unicode's private area.
UNKNOWN = "\ue000"

_NAME = re.compile(r"[A-Za-z_]\w*", re.ASCII)
_ASSIGN = re.compile(r"([A-Za-z_]\w*)(\+?)=", re.ASCII)
_PLAIN = re.compile(r"[^\s'\"\\$`;&|(){}<>#]+")
_BRACED = re.compile(r"\$\{([A-Za-z_]\w*)(?::?-([^${}'\"`\\]*))?\}", re.ASCII)
_OPENING = frozenset({"if", "while", "until", "for", "case", "{", "select"})
_CLOSING = frozenset({"fi", "done", "esac", "}"})
_PASSED_OVER = frozenset({"then", "else", "elif", "do", "!"})
#: Commands after which any variable may be another.
_OPAQUE = frozenset({".", "source", "eval", "read", "set", "declare", "typeset", "exec", "exit",
                     "return", "mapfile", "readarray", "getopts"})  # fmt: skip
#: Special built-ins: an assignment before one of them stays (POSIX, Shell Command Language, 2.14).
_SPECIAL = frozenset({"break", ":", ".", "source", "continue", "eval", "exec", "exit", "export",
                      "readonly", "return", "set", "shift", "times", "trap", "unset"})  # fmt: skip
_LONGEST = 1 << 16


class Value(msgspec.Struct, frozen=True):
    """A variable's value; the parts that cannot be known are UNKNOWN."""

    text: str
    certain: bool
    quote: Quote

    @property
    def words(self) -> tuple[str, ...]:
        """The blank-separated words that are known."""
        return tuple(word for word in self.text.split() if UNKNOWN not in word)


class Assignment(msgspec.Struct, frozen=True):
    """One assignment as it was met: what the variable was before and became."""

    name: str
    before: str
    after: str
    keeps: bool  # the new value is made from the old one
    quote: Quote


class Shell(msgspec.Struct):
    """The state after some files."""

    values: dict[str, Value] = msgspec.field(default_factory=dict)
    history: list[Assignment] = msgspec.field(default_factory=list)
    opaque: bool = False  # something ran that may have set anything

    def certain(self, name: str) -> bool:
        """The variable's value, or its absence, is known for sure."""
        if self.opaque:
            return False
        return name not in self.values or self.values[name].certain


class _Word(msgspec.Struct):
    """A word under construction: `parts` are literals, or ($, name, default)."""

    parts: list[str | tuple[str, str | None]] = msgspec.field(default_factory=list)
    assigns: str | None = None
    adds: bool = False

    def literal(self) -> str:
        return "".join(part if isinstance(part, str) else UNKNOWN for part in self.parts)


def evaluate(items: Iterable[Item]) -> Shell:
    """Source the files in a row. Never fails."""
    shell = Shell()
    for item in items:
        _File(item, shell).run()
    return shell


def unclosed(text: str) -> tuple[int, str] | None:
    """Where a quote opens that the file never closes: (number of the line, the line); else None.

    Of quotes that run over lines the first is told: a later one may have closed it by accident.

    >>> unclosed('A="x y"\\nB="z\\nC=1\\n')
    (2, 'B="z')
    """
    open_at, across, quote, at, word = 0, None, "", 0, False
    while at < len(text):
        char = text[at]
        if quote:
            across = open_at if char == "\n" and across is None else across
            at += char == "\\" and quote == '"'
            quote = "" if char == quote else quote
        elif char == "#" and not word:
            end = text.find("\n", at)
            at = (len(text) if end < 0 else end) - 1
        elif char in "\"'":
            quote, open_at, across = char, at, None if across is None else across
        elif char == "\\":
            at += 1
        word = bool(quote) or not char.isspace()
        at += 1
    if not quote:
        return None
    start = text.rfind("\n", 0, across if across is not None else open_at) + 1
    return text.count("\n", 0, start) + 1, text[start:].split("\n", 1)[0]


class _File:
    """One file being read: a cursor over its text, and the commands it makes."""

    def __init__(self, item: Item, shell: Shell) -> None:
        self.item = item
        self.text = item.text[:_LONGEST].replace("\r\n", "\n")
        self.shell = shell
        self.at = 0
        self.start = 0
        self.depth = 0
        self.parens = 0
        self.functions: set[str] = set()

    def run(self) -> None:
        words: list[_Word] = []
        conditional = False
        while self.at < len(self.text):
            char = self.text[self.at]
            if char in " \t":
                self.at += 1
            elif char == "\\" and self.text.startswith("\\\n", self.at):
                self.at += 2
            elif char == "#":
                end = self.text.find("\n", self.at)
                self.at = len(self.text) if end < 0 else end
            elif char in "\n;&|()<>":
                if words:
                    self._command(words, conditional=conditional)
                words, conditional = [], self._operator(words, char)
            else:
                if not words:
                    self.start = self.at
                words.append(self._word())
        if words and self.item.status is Status.PRESENT:
            self._command(words, conditional=conditional)
        if self.depth or self.item.status not in (Status.PRESENT, Status.ABSENT):
            self.shell.opaque = True

    def _operator(self, words: list[_Word], char: str) -> bool:
        """Step over an operator; True where what follows may not run, or not here."""
        if char == "(" and len(words) == 1:
            self.functions.add(words[0].literal())
        doubled = self.text[self.at : self.at + 2]
        self.at += 2 if doubled in ("&&", "||", ";;", "<<", ">>") else 1
        if char in "<>" and doubled == "<<":
            self.shell.opaque = True  # the text of a here-document would be taken for commands
        if char == "(":
            self.depth += 1
            self.parens += 1
        elif char == ")" and self.parens:  # a lone one ends a pattern of `case`
            self.depth -= 1
            self.parens -= 1
        return doubled in ("&&", "||") or char in "|<>("

    # -- words ------------------------------------------------------------------------------

    def _word(self) -> _Word:
        word = _Word()
        assign = _ASSIGN.match(self.text, self.at)
        if assign:
            word.assigns, word.adds = assign[1], bool(assign[2])
            self.at = assign.end()
        while self.at < len(self.text):
            char = self.text[self.at]
            if char in " \t\n;&|()<>":
                break
            if char == "'":
                end = self.text.find("'", self.at + 1)
                word.parts.append(self.text[self.at + 1 : end] if end >= 0 else UNKNOWN)
                self.at = self._past(end)
            elif char == '"':
                self._double(word)
            elif char == "\\":
                # A line that goes on inside a word may join what was taken for two names.
                following = self.text[self.at + 1 : self.at + 2]
                word.parts.append(UNKNOWN if following == "\n" else following)
                self.at += 2
            elif char in "$`":
                self._expansion(word)
            else:
                plain = _PLAIN.match(self.text, self.at)
                word.parts.append(plain[0] if plain else char)
                self.at = plain.end() if plain else self.at + 1
        return word

    def _double(self, word: _Word) -> None:
        self.at += 1
        while self.at < len(self.text):
            char = self.text[self.at]
            if char == '"':
                self.at += 1
                return
            if char == "\\":
                following = self.text[self.at + 1 : self.at + 2]
                if following != "\n":
                    word.parts.append(following if following in '"\\$`' else "\\" + following)
                self.at += 2
            elif char in "$`":
                self._expansion(word)
            else:
                end = self.at + 1
                while end < len(self.text) and self.text[end] not in '"\\$`':
                    end += 1
                word.parts.append(self.text[self.at : end])
                self.at = end
        word.parts.append(UNKNOWN)  # never closed

    def _expansion(self, word: _Word) -> None:
        braced = _BRACED.match(self.text, self.at)
        name = _NAME.match(self.text, self.at + 1)
        if self.text[self.at] == "`":
            word.parts.append(UNKNOWN)
            self.at = self._past(self.text.find("`", self.at + 1))
        elif braced:
            word.parts.append((braced[1], braced[2]))
            self.at = braced.end()
        elif self.text.startswith("\\\n", name.end() if name else self.at + 1):
            word.parts.append(UNKNOWN)  # the name goes on in the next line
            self.at = name.end() if name else self.at + 1
        elif name:
            word.parts.append((name[0], None))
            self.at = name.end()
        elif self.text.startswith(("$(", "${"), self.at):
            word.parts.append(UNKNOWN)
            self._skip_nested(self.text[self.at + 1])
        else:
            following = self.text[self.at + 1 : self.at + 2]
            special = following and following in "0123456789?#@*!-$"
            word.parts.append(UNKNOWN if special else "$")
            self.at += 2 if special else 1

    def _skip_nested(self, opening: str) -> None:
        """Step over `$(...)` or `${...}`, by counting."""
        closing = ")" if opening == "(" else "}"
        depth = 0
        for at in range(self.at + 1, len(self.text)):
            if self.text[at] == opening:
                depth += 1
            elif self.text[at] == closing:
                depth -= 1
                if not depth:
                    self.at = at + 1
                    return
        self.at = self._past(-1)

    def _past(self, end: int) -> int:
        """After the character at `end`; where it was never found nothing more can be known."""
        if end >= 0:
            return end + 1
        self.shell.opaque = True
        return len(self.text)

    # -- commands ---------------------------------------------------------------------------

    def _command(self, words: list[_Word], *, conditional: bool) -> None:
        while words and words[0].assigns is None:
            name = words[0].literal()
            if name in _OPENING:
                self.depth += 1
                if name in ("case", "for", "select"):
                    return
            elif name in _CLOSING:
                self.depth = max(0, self.depth - 1)
            elif name not in _PASSED_OVER:
                break
            conditional = True
            words = words[1:]
        if not words:
            return
        if words[0].assigns is None:
            self._named_command(words, conditional=conditional or self.depth > 0)
        elif all(word.assigns is not None for word in words):
            for word in words:
                self._assign(word, conditional=conditional or self.depth > 0)
        else:
            name = next(word.literal() for word in words if word.assigns is None)
            if name in _SPECIAL or name in self.functions or UNKNOWN in name:
                self.shell.opaque = True

    def _named_command(self, words: list[_Word], *, conditional: bool) -> None:
        name, rest = words[0].literal(), words[1:]
        if name in ("export", "readonly"):
            for word in rest:
                if word.assigns is not None:
                    self._assign(word, conditional=conditional)
        elif name == "unset":
            for word in rest:
                self.shell.values.pop(word.literal(), None)
                self.shell.opaque = self.shell.opaque or conditional
        elif name in (".", "source") and rest and rest[0].literal().endswith("-release"):
            return  # os-release and lsb-release name the distribution, nothing of ours
        elif name in _OPAQUE or name in self.functions or UNKNOWN in name:
            self.shell.opaque = True

    def _assign(self, word: _Word, *, conditional: bool) -> None:
        name = word.assigns or ""
        old = self.shell.values.get(name)
        before = old.text if old else ""
        text = "".join(self._part(part) for part in word.parts)[:_LONGEST]
        keeps = word.adds or any(part[0] == name for part in word.parts if isinstance(part, tuple))
        if word.adds:
            text = before + text
        line = self.text[self.start : self.at].replace("\n", " ")
        quote = self.item.quote(line)
        certain = UNKNOWN not in text and (old is None or old.certain or not keeps)
        if conditional:
            both = set(text.split())
            text = " ".join(part for part in before.split() if part in both)
            certain = False
        if word.adds:
            certain = False  # dash takes `NAME+=x` for a command, bash appends
        self.shell.values[name] = Value(text, certain, quote)
        self.shell.history.append(Assignment(name, before, text, keeps, quote))

    def _part(self, part: str | tuple[str, str | None]) -> str:
        if isinstance(part, str):
            return part
        name, default = part
        known = self.shell.values.get(name)
        if known is not None and (known.text or default is None):
            return known.text if known.certain else known.text + UNKNOWN
        if name.startswith("GRUB_") or default is not None:
            return default or ""
        return UNKNOWN  # from the environment


def quoted(values: Mapping[str, Value], name: str) -> Quote | None:
    """The line that set a variable last."""
    return values[name].quote if name in values else None
