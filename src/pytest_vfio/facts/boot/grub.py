"""What GRUB is configured with: /etc/default/grub, and on Debian and its kin /etc/default/grub.d.

grub-mkconfig sources the file and then, with Debian's patch, each `grub.d/*.cfg` in the order of
their names; an ordinary entry gets GRUB_CMDLINE_LINUX and after it GRUB_CMDLINE_LINUX_DEFAULT, a
recovery entry only the first (S17; util/grub.d/10_linux.in).
"""

from __future__ import annotations

import re
from functools import cached_property

from pytest_vfio.evidence import Evidence, Item, Lack, Quote, Status
from pytest_vfio.parse import shellvars
from pytest_vfio.parse.shellvars import UNKNOWN, Assignment, Shell
from pytest_vfio.parse.words import Word, parse

FILE = "etc/default/grub"
DROP_INS = "etc/default/grub.d/"
ALWAYS = "GRUB_CMDLINE_LINUX"
ORDINARY = "GRUB_CMDLINE_LINUX_DEFAULT"


class GrubDefaults:
    """The evaluated configuration of grub-mkconfig."""

    def __init__(self, evidence: Evidence) -> None:
        self.evidence = evidence

    @property
    def absent(self) -> bool:
        """The host has no such file, for sure."""
        return self.evidence.item(FILE).status is Status.ABSENT

    @cached_property
    def drop_ins(self) -> tuple[Item, ...]:
        """The drop-ins that were found, in the order in which they are sourced."""
        listing = self.evidence.item(DROP_INS)
        names = {DROP_INS + name for name in listing.lines if name.endswith(".cfg")}
        names |= {
            name
            for name in self.evidence.items
            if name.startswith(DROP_INS) and name.endswith(".cfg")
        }
        return tuple(self.evidence.item(name) for name in sorted(names))

    @cached_property
    def reads_drop_ins(self) -> bool | None:
        """This distribution's grub-mkconfig reads drop-ins; None where nobody knows."""
        release = self.evidence.item("etc/os-release")
        text = "\n".join(release.lines)
        if re.search(r"^ID(_LIKE)?=.*\b(debian|ubuntu)\b", text, re.MULTILINE):
            return True
        if re.search(r"^ID=", text, re.MULTILINE) and release.whole:
            return None if not self.drop_ins else False
        return None

    @cached_property
    def shell(self) -> Shell:
        """The variables after all files, as far as they can be evaluated."""
        files = [self.evidence.item(FILE)]
        if self.reads_drop_ins is not False:
            files.extend(self.drop_ins)
        return shellvars.evaluate(item for item in files if item.data)

    @cached_property
    def missing(self) -> tuple[Lack, ...]:
        """What stands in the way of knowing every word; empty where all is known."""
        file = self.evidence.item(FILE)
        found = [*file.lacking]
        if self.reads_drop_ins is not False:
            listing = self.evidence.item(DROP_INS)
            found.extend(lack for item in (listing, *self.drop_ins) for lack in item.lacking)
            if self.reads_drop_ins is None and self.drop_ins:
                found.append(self.evidence.item("etc/os-release").lack)
        if not found and not (self.shell.certain(ALWAYS) and self.shell.certain(ORDINARY)):
            detail = "not a plain assignment: it cannot be evaluated without running it"
            found.append(Lack(FILE, Status.FAILED, detail=detail))
        return tuple(found)

    @cached_property
    def words(self) -> tuple[Word, ...]:
        """The known words of an ordinary entry."""
        return tuple(word for name in (ALWAYS, ORDINARY) for word in self._words(name))

    def _words(self, name: str) -> tuple[Word, ...]:
        value = self.shell.values.get(name)
        if value is None:
            return ()
        line = value.text.encode("utf-8", "surrogateescape")
        return tuple(word for word in parse(line, value.quote) if UNKNOWN not in word.text)

    @property
    def quote(self) -> Quote:
        """The line that says most: that of GRUB_CMDLINE_LINUX_DEFAULT, else of the other."""
        for name in (ORDINARY, ALWAYS):
            if name in self.shell.values:
                return self.shell.values[name].quote
        return self.evidence.item(FILE).quote()

    @property
    def source(self) -> str:
        """The file that set the line last."""
        return self.quote.source

    @property
    def overridden(self) -> tuple[Assignment, ...]:
        """Assignments that throw away what an earlier file set (F37)."""
        return tuple(
            assignment
            for assignment in self.shell.history
            if assignment.name in (ALWAYS, ORDINARY)
            and assignment.before.strip()
            and not assignment.keeps
        )
