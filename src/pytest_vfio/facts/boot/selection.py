"""Which of its entries a loader takes: by default at every reboot, and once at the next.

GRUB: `default` of grub.cfg, which may be `saved_entry` of grubenv, and `next_entry`, which it
clears as it boots (util/grub.d/00_header.in). Loader entries: the same two for GRUB with blscfg;
the EFI variables LoaderEntryDefault and LoaderEntryOneShot, then `default` of loader.conf, for
systemd-boot. A default that names nothing is no error to a loader: it takes the first entry.
"""

from __future__ import annotations

from functools import cached_property
from typing import TYPE_CHECKING

from pytest_vfio.evidence import Item, Missing, Quote, Tree
from pytest_vfio.parse import entries as parsing
from pytest_vfio.parse.effects import compare
from pytest_vfio.parse.entries import Entry
from pytest_vfio.parse.words import Word

if TYPE_CHECKING:
    from pytest_vfio.facts.boot.chain import Boot

#: loader.conf's and the EFI variable's word for the entry that was booted last.
_SAVED = "@saved"


class Selection:
    """The choice among the entries of one host's loader."""

    def __init__(self, boot: Boot) -> None:
        self._boot = boot

    @property
    def _entries(self) -> tuple[Entry, ...]:
        return self._boot.entries

    @property
    def _by_grubenv(self) -> bool:
        return self._boot.loader.kind in ("grub", "grub-bls", "ostree")

    @cached_property
    def default(self) -> Entry:
        """The entry that an ordinary reboot takes. Raises Missing where that cannot be told."""
        entries, kind = self._entries, self._boot.loader.kind
        wanted = "" if _alike(entries) and kind != "grub" else self.wanted
        if kind == "grub":
            entry = parsing.pick(entries, wanted or "0")
        elif self._by_grubenv:
            named = (entry for entry in entries if entry.id == wanted)
            entry = next(named, parsing.newest(entries))
        else:
            entry = parsing.newest(entries, wanted or "*") or parsing.newest(entries)
        if entry is None or not entry.certain:
            raise Missing(self.item)
        return entry

    @property
    def wanted(self) -> str:
        """What the default is said to be, in the loader's words; empty where nothing is said.

        Raises Missing.
        """
        if self._boot.loader.kind == "grub":
            cfg = self._boot.grub_cfg
            default = (cfg.default if cfg else None) or "0"
            if "$" not in default:
                return default
            return "0" if _alike(self._entries) else self._environment.get("saved_entry", "0")
        if self._by_grubenv:
            return self._environment.get("saved_entry", "")
        return self._efi("LoaderEntryDefault") or self._configured or ""

    @property
    def unfit(self) -> str | None:
        """The default's name, where it names no entry at all. Raises Missing."""
        wanted = self.wanted
        if not wanted or wanted == _SAVED:
            return None
        if self._named(wanted):
            return None
        if self._boot.loader.kind == "grub" and not self._boot.custom.whole:
            raise Missing(self._boot.custom_item)
        return wanted

    def _named(self, wanted: str) -> tuple[Entry, ...]:
        if self._boot.loader.kind == "grub":
            return parsing.fitting(self._entries, wanted)
        if self._by_grubenv:
            return tuple(entry for entry in self._entries if entry.id == wanted)
        found = parsing.newest(self._entries, wanted)
        return (found,) if found is not None else ()

    @property
    def once(self) -> Entry | None:
        """The entry that the next boot takes and no later one; None where none is selected.

        Raises Missing where that cannot be told.
        """
        if self._by_grubenv:
            wanted = self._environment.get("next_entry", "")
        else:
            wanted = self._efi("LoaderEntryOneShot") or ""
        if not wanted:
            return None
        return next(iter(self._named(wanted)), None)

    @property
    def running(self) -> Entry | None:
        """An entry other than the default whose very words run, as far as that is known."""
        try:
            default, line = self.default, _words(self._boot.running.all)
            if line == _words(default.words):
                return None
            others = (one for one in self._entries if one is not default and one.certain)
            return next((one for one in others if _words(one.words) == line), None)
        except Missing:
            return None

    @property
    def item(self) -> Item:
        """Where the choice stands."""
        grub = self._boot.loader.kind == "grub"
        return self._boot.grub_cfg_item if grub else self._boot.loader_conf

    @property
    def quote(self) -> Quote:
        """The line that chooses."""
        cfg = self._boot.grub_cfg
        if self._boot.loader.kind == "grub" and cfg is not None and "$" not in (cfg.default or ""):
            return cfg.quote
        name = "saved_entry" if self._by_grubenv else "default"
        item = self._boot.grubenv_item if self._by_grubenv else self._boot.loader_conf
        lines = (line.strip() for line in item.lines if line.strip().startswith(name))
        return item.quote(next(lines, f"(no {name})"))

    @property
    def once_quote(self) -> Quote:
        """The line that selects an entry for one boot."""
        if not self._by_grubenv:
            return self._boot.efi_variable("LoaderEntryOneShot")[1]
        wanted = self._boot.grubenv.get("next_entry", "")
        return self._boot.grubenv_item.quote(f"next_entry={wanted}")

    @property
    def _environment(self) -> dict[str, str]:
        """The environment block, which has to be known. Raises Missing."""
        item = self._boot.grubenv_item
        if not item.whole:
            raise Missing(item)
        return self._boot.grubenv

    def _efi(self, name: str) -> str | None:
        """The value of a loader's EFI variable; None where it is not set. Raises Missing."""
        tree = Tree.of(self._boot.evidence.item("sys/firmware/efi"))
        value, _ = self._boot.efi_variable(name)
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
        item = self._boot.loader_conf
        if not item.whole:
            raise Missing(item)
        pairs = (line.strip().partition(" ") for line in item.lines)
        found = [value.strip() for key, _, value in pairs if key == "default"]
        return found[-1] if found else None


def _words(words: tuple[Word, ...]) -> list[str]:
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
