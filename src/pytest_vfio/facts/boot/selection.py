"""Which of its entries a loader takes: by default at every reboot, and once at the next.

GRUB: `default` of grub.cfg, which may be `saved_entry` of grubenv, and `next_entry`, which it
clears as it boots (util/grub.d/00_header.in). Loader entries: the same two for GRUB with blscfg;
the EFI variables LoaderEntryDefault and LoaderEntryOneShot, then `default` of loader.conf, for
systemd-boot. A default that names nothing is no error to a loader: it takes the first entry.
"""

from __future__ import annotations

from collections.abc import Iterable
from functools import cached_property

from pytest_vfio.evidence import Evidence, Item, Missing, Quote, Tree
from pytest_vfio.parse import entries as parsing
from pytest_vfio.parse.effects import compare
from pytest_vfio.parse.entries import Entry, GrubCfg
from pytest_vfio.parse.words import Word

#: loader.conf's and the EFI variable's word for the entry that was booted last.
_SAVED = "@saved"


class Selection:
    """The choice among all entries of one host's loader.

    `by_number`: GRUB's own menu, whose entries are also named by their place; `grubenv` is None
    where the loader has none. `custom` is the file that may add entries, where there is one.
    """

    def __init__(
        self,
        evidence: Evidence,
        entries: tuple[Entry, ...],
        *,
        menu: GrubCfg | None,
        grubenv: Item | None,
        settings: Item,
        custom: Item | None,
    ) -> None:
        self.evidence = evidence
        self.entries = entries
        self.menu = menu
        self.grubenv = grubenv
        self.settings = settings
        self.custom = custom

    @cached_property
    def default(self) -> Entry:
        """The entry that an ordinary reboot takes. Raises Missing where that cannot be told."""
        if self.menu is not None:
            entry = parsing.pick(self.entries, self.wanted)
        else:
            wanted = "" if _alike(self.entries) else self.wanted
            entry = next(iter(self._named(wanted)), parsing.newest(self.entries))
        if entry is None or not entry.certain:
            raise Missing(self.settings)
        return entry

    @property
    def wanted(self) -> str:
        """What the default is said to be, in the loader's words; empty where nothing is said.

        Raises Missing.
        """
        if self.menu is not None and "$" not in (self.menu.default or "0"):
            return self.menu.default or "0"
        if self.menu is not None and _alike(self.entries):
            return "0"
        if self.grubenv is not None:
            return self._variables(self.grubenv).get("saved_entry", "") or (self.menu and "0") or ""
        return self._efi("LoaderEntryDefault") or self._configured or ""

    @property
    def unfit(self) -> str | None:
        """The default's name, where it names no entry at all. Raises Missing."""
        wanted = self.wanted
        if wanted in ("", _SAVED) or self._named(wanted):
            return None
        if self.custom is not None and not self.custom.whole:
            raise Missing(self.custom)
        return wanted

    def _named(self, wanted: str) -> tuple[Entry, ...]:
        if self.menu is not None:
            return parsing.fitting(self.entries, wanted)
        if self.grubenv is not None:
            return tuple(entry for entry in self.entries if entry.id == wanted)
        found = parsing.newest(self.entries, wanted) if wanted else None
        return (found,) if found is not None else ()

    @property
    def once(self) -> Entry | None:
        """The entry that the next boot takes and no later one; None where none is selected.

        Raises Missing where that cannot be told.
        """
        if self.grubenv is not None:
            wanted = self._variables(self.grubenv).get("next_entry", "")
        else:
            wanted = self._efi("LoaderEntryOneShot") or ""
        return next(iter(self._named(wanted)), None) if wanted else None

    def running(self, line: Iterable[Word]) -> Entry | None:
        """An entry other than the default that gives these very words, as far as that is known."""
        words = _words(line)
        try:
            default = self.default
        except Missing:
            return None
        others = (one for one in self.entries if one is not default and one.certain)
        same = (one for one in others if _words(one.words) == words)
        return None if _words(default.words) == words else next(same, None)

    @property
    def quote(self) -> Quote:
        """The line that chooses the default."""
        if self.menu is not None and "$" not in (self.menu.default or ""):
            return self.menu.quote
        item, name = (self.grubenv, "saved_entry") if self.grubenv else (self.settings, "default")
        lines = (line.strip() for line in item.lines if line.strip().startswith(name))
        return item.quote(next(lines, f"(no {name})"))

    @property
    def once_quote(self) -> Quote:
        """The line that selects an entry for one boot."""
        if self.grubenv is None:
            return efi_variable(self.evidence, "LoaderEntryOneShot")[1]
        wanted = parsing.grubenv(self.grubenv).get("next_entry", "")
        return self.grubenv.quote(f"next_entry={wanted}")

    @staticmethod
    def _variables(item: Item) -> dict[str, str]:
        """The environment block, which has to be known. Raises Missing."""
        if not item.whole:
            raise Missing(item)
        return parsing.grubenv(item)

    def _efi(self, name: str) -> str | None:
        """The value of a loader's EFI variable; None where it is not set. Raises Missing."""
        tree = Tree.of(self.evidence.item("sys/firmware/efi"))
        value, _ = efi_variable(self.evidence, name)
        if value is not None:
            return value
        if any(path.startswith(f"efivars/{name}") for path in (*tree.values, *tree.unread)):
            raise Missing(tree.item)  # it is there, its value was not read
        if not tree.item.whole:
            raise Missing(tree.item)
        return None

    @property
    def _configured(self) -> str | None:
        """`default` of loader.conf. Raises Missing."""
        if not self.settings.whole:
            raise Missing(self.settings)
        pairs = (line.strip().partition(" ") for line in self.settings.lines)
        found = [value.strip() for key, _, value in pairs if key == "default"]
        return found[-1] if found else None


def efi_variable(evidence: Evidence, name: str) -> tuple[str | None, Quote]:
    """The text of a loader's EFI variable, None where it was not seen; and its line."""
    tree = Tree.of(evidence.item("sys/firmware/efi"))
    for path, value in tree.values.items():
        if path.startswith(f"efivars/{name}") and value.strip():
            return value.strip(), tree.quote(path)
    return None, tree.item.quote(name)


def _words(words: Iterable[Word]) -> list[str]:
    """The words that an entry gives, without the one that the loader puts in front."""
    return [word.text for word in words if word.name not in ("BOOT_IMAGE", "initrd")]


def _alike(entries: tuple[Entry, ...]) -> bool:
    """No entry differs from another in kernel or effects, so that any stands for all."""
    return bool(entries) and all(
        entry.certain
        and entry.release == entries[0].release
        and entry.recovery == entries[0].recovery
        and not compare(entry.words, entries[0].words).arriving
        and not compare(entry.words, entries[0].words).leaving
        for entry in entries
    )
