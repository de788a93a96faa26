"""libvirt's hooks for QEMU: programs that it runs at every start, and that can refuse it.

Follows libvirt's "Hooks for specific system management" and src/util/virhook.c: `qemu` and the
files of `qemu.d/` in /etc/libvirt/hooks, those that may be executed; an end other than 0 at prepare
or start refuses the guest. What a hook does is only known where it ends the same way whatever it is
asked: a shell script whose first `exit` outside of any condition is not 0, with none before it.
"""

from __future__ import annotations

import re
from functools import cached_property

import msgspec

from pytest_vfio.evidence import Evidence, Missing, Quote
from pytest_vfio.facts.host.paths import Paths

FOLDER = "etc/libvirt/hooks/"
_SHELL = re.compile(r"#!\s*(?:/usr)?/bin/(?:env\s+)?(?:ba|da|k)?sh\b")
_OPENS = re.compile(r"(?:if|case|for|while|until)\b|.*\{$")
_CLOSES = re.compile(r"(?:fi|esac|done)\b|\}")
_EXIT = re.compile(r"exit(?:\s+(\d{1,3}))?\s*(?:;.*)?(?:#.*)?")


class Hook(msgspec.Struct, frozen=True):
    """One hook that libvirt runs. `refusal` is the line that makes it refuse every start."""

    path: str
    refusal: Quote | None
    quote: Quote


class Hooks:
    """The hooks of one host."""

    def __init__(self, evidence: Evidence, paths: Paths) -> None:
        self._evidence = evidence
        self._paths = paths

    @cached_property
    def active(self) -> tuple[Hook, ...]:
        """The hooks for QEMU that may be executed. Raises Missing."""
        listing = self._evidence.item(FOLDER)
        if not listing.whole:
            raise Missing(listing)
        names = ("qemu",) if "qemu" in listing.lines else ()
        return tuple(hook for name in names if (hook := self._hook(FOLDER + name)) is not None)

    def _hook(self, name: str) -> Hook | None:
        node = self._paths.node(name)
        if node is None or "x" not in node.mode:
            return None
        item = self._evidence.item(name)
        if not item.whole:
            raise Missing(item)
        line = refusal(item.text)
        broken = self._interpreter(item.text)
        found = item.quote(line or broken or "") if line or broken else None
        return Hook(f"/{name}", found, item.quote(item.text.split("\n", 1)[0][:400]))

    def _interpreter(self, text: str) -> str | None:
        """The first line, where the program that it names is known not to exist."""
        first = text.split("\n", 1)[0]
        program = first[2:].split()[0] if first.startswith("#!") and first[2:].split() else ""
        try:
            return first if program.startswith("/") and not self._paths.node(program) else None
        except Missing:
            return None


def refusal(text: str) -> str | None:
    """The line by which a shell script ends with an error whatever it is asked; None otherwise.

    >>> refusal("#!/bin/sh\\n# no guests today\\nexit 1\\n")
    'exit 1'
    >>> refusal("#!/bin/sh\\nif [ x ]; then\\n exit 0\\nfi\\nexit 1\\n")
    """
    if not _SHELL.match(text):
        return None
    depth = 0
    for line in map(str.strip, text.split("\n")[1:]):
        if not line or line.startswith("#"):
            continue
        ends = _EXIT.fullmatch(line)
        if ends and depth == 0:
            return line if int(ends[1] or 0) else None
        if "exit" in line or "return" in line or "exec" in line:
            return None  # it may end before, and nobody knows how
        opens, closes = _OPENS.match(line), _CLOSES.search(line)
        depth = max(0, depth + bool(opens) - bool(closes))
    return None
