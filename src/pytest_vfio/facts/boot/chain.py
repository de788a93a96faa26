"""The boot chain: which loader booted the host, what is configured, generated and running.

Configured is what a person edits (/etc/default/grub and its drop-ins, /etc/kernel/cmdline),
generated is what a tool made of it for the loader (grub.cfg, loader entries), running is what the
kernel was told. They are three things (S16, S17), and a word can get lost on either way.
"""

from __future__ import annotations

from functools import cached_property

import msgspec

from pytest_vfio.evidence import Evidence, Item, Lack, Missing, Quote, Status
from pytest_vfio.facts.boot import kdump
from pytest_vfio.facts.boot.grub import GrubDefaults
from pytest_vfio.facts.boot.selection import Selection, efi_variable
from pytest_vfio.facts.kernel.cmdline import Cmdline
from pytest_vfio.facts.kernel.release import Kernel
from pytest_vfio.parse import entries as parsing
from pytest_vfio.parse.effects import compare
from pytest_vfio.parse.entries import Entry, GrubCfg
from pytest_vfio.parse.words import Word, named, parse

GRUB, GRUB_BLS, SYSTEMD_BOOT, OSTREE, UKI = "grub", "grub-bls", "systemd-boot", "ostree", "uki"

#: Where loader entries lie; the file systems that may be mounted there.
ENTRY_DIRECTORIES = ("boot/loader/entries/", "boot/efi/loader/entries/", "efi/loader/entries/")
LOADER_CONF = ("boot/loader/loader.conf", "boot/efi/loader/loader.conf", "efi/loader/loader.conf")
GRUB_CFG = ("boot/grub/grub.cfg", "boot/grub2/grub.cfg")
GRUBENV = ("boot/grub/grubenv", "boot/grub2/grubenv")


class Loader(msgspec.Struct, frozen=True):
    """What booted the host (GRUB, GRUB_BLS, SYSTEMD_BOOT, OSTREE, UKI), and what proves it."""

    kind: str
    quote: Quote


class Configured(msgspec.Struct, frozen=True):
    """The line that somebody configured.

    Known words prove presence; `missing` is what stands in the way of knowing all of them.
    """

    words: tuple[Word, ...]
    missing: tuple[Lack, ...]
    quote: Quote
    source: str

    @property
    def whole(self) -> bool:
        """All words are known."""
        return not self.missing

    @property
    def lacking(self) -> tuple[Lack, ...]:
        """What stands in the way of knowing all words."""
        return self.missing


class Boot:
    """How the host comes to its command line."""

    def __init__(self, evidence: Evidence, kernel: Kernel) -> None:
        self.evidence = evidence
        self.kernel = kernel
        self.running = Cmdline(evidence, kernel)

    # -- the loader -------------------------------------------------------------------------

    @cached_property
    def loader(self) -> Loader:
        """What booted the running kernel, by what it left: state first. Raises Missing."""
        ostree = self.evidence.item("run/ostree-booted")
        if ostree.status is Status.PRESENT:
            return Loader(OSTREE, ostree.quote())
        first = self._first_word
        if first is not None and named((first,), "BOOT_IMAGE"):
            return self._grub(first.quote)
        found = self._by_firmware or self._by_words or self._bootctl
        if found is None:
            raise Missing(*self._no_trace)
        return found

    @property
    def _no_trace(self) -> tuple[Lack, ...]:
        """What was not read of the loader's traces; where all was read, that there are none."""
        items = [self.evidence.item(name) for name in ("proc/cmdline", "sys/firmware/efi")]
        unread = [lack for item in items for lack in item.lacking]
        if self.running.whole:
            unread = [item for item in unread if item.name != "proc/cmdline"]
        detail = "no trace of a boot loader: neither BOOT_IMAGE= nor initrd="
        return tuple(unread) or (Lack("proc/cmdline", Status.FAILED, detail=detail),)

    @property
    def _by_firmware(self) -> Loader | None:
        """The variables that a loader, or the stub of a unified image, leaves in EFI."""
        stub, quote = efi_variable(self.evidence, "StubInfo")
        if "systemd-stub" in (stub or ""):
            return Loader(UKI, quote)
        info, quote = efi_variable(self.evidence, "LoaderInfo")
        if "systemd-boot" in (info or ""):
            return Loader(SYSTEMD_BOOT, quote)
        return self._grub(quote) if "GRUB" in (info or "").upper() else None

    @property
    def _by_words(self) -> Loader | None:
        """What loaders put on the command line, GRUB's BOOT_IMAGE aside."""
        for word in self.running_words:
            if word.name == "ostree":
                return Loader(OSTREE, word.quote)
            if word.name == "initrd" and "\\" in (word.value or ""):
                return Loader(SYSTEMD_BOOT, word.quote)
        return None

    @property
    def running_words(self) -> tuple[Word, ...]:
        """The words of the running line as far as they are known; none where it is not."""
        try:
            return self.running.all
        except Missing:
            return ()

    @property
    def _first_word(self) -> Word | None:
        return next((word for word in self.running_words if word.name == "BOOT_IMAGE"), None)

    def _grub(self, quote: Quote) -> Loader:
        if any(word.name == "ostree" for word in self.running_words):
            return Loader(OSTREE, quote)
        if self.grub_cfg is not None and self.grub_cfg.blscfg:
            return Loader(GRUB_BLS, quote)
        if self.grub_cfg is None or (not self.grub_cfg.whole and not self.grub_cfg.entries):
            raise Missing(self._grub_cfg_item)
        return Loader(GRUB, quote)

    @property
    def by_grub(self) -> bool | None:
        """GRUB started the kernel, of whatever kind its configuration is; None: not known."""
        if self._first_word is not None:
            return True
        try:
            return self.loader.kind in (GRUB, GRUB_BLS)
        except Missing:
            return None

    @property
    def _bootctl(self) -> Loader | None:
        """`Product: systemd-boot 252` under `Current Boot Loader:`."""
        item = self.evidence.item("bootctl")
        for line in item.lines:
            key, _, value = line.strip().partition(":")
            if key in ("Current Stub", "Stub") and "systemd-stub" in value:
                return Loader(UKI, item.quote(line.strip()))
            if key == "Product" and "systemd-boot" in value:
                return Loader(SYSTEMD_BOOT, item.quote(line.strip()))
        return None

    @property
    def spoken(self) -> tuple[Word, ...]:
        """The words to look for mistakes in: the running line, else what is configured.

        For a pass the running line has to be whole.
        """
        if self.running_words:
            return self.running.words
        return tuple(word for line in self.written for word in line.words)

    def mended(self, *words: Word) -> Entry | None:
        """The entry of the next boot, where it is known and has none of these words any more.

        Then not the words are the fault but that they still run. None too where that entry takes
        something away which the running line has: no reboot into it mends anything.
        """
        try:
            entry = self.next_entry
        except Missing:
            return None
        left, run = (
            {(word.name, word.value, word.after_dashes) for word in line}
            for line in (entry.words, self.running_words)
        )
        asked = {(word.name, word.value, word.after_dashes) for word in words}
        if asked & left or not asked & run:
            return None
        taken = compare(entry.words, self.running_words).leaving
        return None if any(effect.decides for effect in taken) else entry

    # -- configured -------------------------------------------------------------------------

    @cached_property
    def grub_defaults(self) -> GrubDefaults:
        """/etc/default/grub and its drop-ins."""
        return GrubDefaults(self.evidence)

    @cached_property
    def kernel_cmdline(self) -> Configured | None:
        """/etc/kernel/cmdline, which kernel-install and proxmox-boot-tool read; None if absent."""
        item = self.evidence.item("etc/kernel/cmdline")
        if item.status is Status.ABSENT:
            return None
        lines = [line for line in item.lines if not line.lstrip().startswith("#")]
        line = " ".join(lines).strip()
        quote = item.quote(line)
        words = parse(line.encode("utf-8", "surrogateescape"), quote)
        return Configured(words, item.lacking, quote, item.name)

    @cached_property
    def grub_line(self) -> Configured | None:
        """What GRUB's configuration comes to for an ordinary entry; None if there is none."""
        defaults = self.grub_defaults
        if defaults.absent:
            return None
        words = defaults.words
        return Configured(words, defaults.missing, defaults.quote, defaults.source)

    @cached_property
    def configured(self) -> Configured | None:
        """The line that the host's own loader is configured for.

        None where there is no such source: entries that are edited themselves (grubby,
        rpm-ostree), or a kernel-install that copies the running line.
        """
        kind = self.loader.kind
        if kind == GRUB:
            return self.grub_line
        if kind in (SYSTEMD_BOOT, UKI):
            return self.kernel_cmdline
        return None

    @property
    def written(self) -> tuple[Configured, ...]:
        """Every configured line that was found, whichever loader reads it."""
        return tuple(line for line in (self.grub_line, self.kernel_cmdline) if line is not None)

    @cached_property
    def crash(self) -> kdump.CrashLine:
        """What a crash kernel is told."""
        return kdump.read(self.evidence)

    # -- generated --------------------------------------------------------------------------

    @cached_property
    def selection(self) -> Selection:
        """Which entry the loader takes: at every ordinary reboot, and once. Raises Missing."""
        kind = self.loader.kind
        by_menu = kind == GRUB
        return Selection(
            self.evidence,
            self.entries,
            menu=self.grub_cfg if by_menu else None,
            grubenv=self._grubenv_item if kind in (GRUB, GRUB_BLS, OSTREE) else None,
            settings=self._grub_cfg_item if by_menu else self._one_of(LOADER_CONF),
            custom=self._custom_item if by_menu else None,
        )

    @property
    def next_entry(self) -> Entry:
        """The default entry, which every ordinary reboot takes. Raises Missing where unknown."""
        return self.selection.default

    @property
    def generated(self) -> Entry:
        """The entry that shows what was generated from the configuration. Raises Missing.

        The default one, unless that is a recovery entry or one that a person wrote: then the first
        that the generator made for the same kernel.
        """
        default = self.next_entry
        made = [entry for entry in self.entries if not (entry.recovery or entry.by_hand)]
        if default.by_hand or default.recovery or default not in made:
            same = [entry for entry in made if entry.release == default.release]
            return next(iter(same or made), default)
        return default

    @cached_property
    def _grub_cfg_item(self) -> Item:
        """The grub.cfg that was read, or the one to read."""
        return self._one_of(GRUB_CFG)

    @cached_property
    def grub_cfg(self) -> GrubCfg | None:
        """The generated grub.cfg, as far as it was read; None where nothing of it was."""
        item = self._grub_cfg_item
        return parsing.grub_cfg(item, self.grubenv) if item.data else None

    @cached_property
    def custom(self) -> GrubCfg:
        """What custom.cfg beside grub.cfg adds, as far as it was read (util/grub.d/41_custom.in)."""
        first = self.grub_cfg.count if self.grub_cfg else 0
        return parsing.grub_cfg(self._custom_item, self.grubenv, first=first)

    @property
    def _custom_item(self) -> Item:
        """The custom.cfg beside the grub.cfg that was read."""
        return self.evidence.item(self._grub_cfg_item.name.replace("grub.cfg", "custom.cfg"))

    @cached_property
    def grubenv(self) -> dict[str, str]:
        """GRUB's environment block, as far as it was read."""
        return parsing.grubenv(self._grubenv_item)

    @property
    def _grubenv_item(self) -> Item:
        """The block beside the grub.cfg that was read."""
        item = self._grub_cfg_item
        beside = item.name.replace("grub.cfg", "grubenv")
        return self.evidence.item(beside) if item.data else self._one_of(GRUBENV)

    def _one_of(self, names: tuple[str, ...]) -> Item:
        """The first of some items that has content, else one that may have."""
        items = [self.evidence.item(name) for name in names]
        for item in items:
            if item.data:
                return item
        unread = (item for item in items if item.status is not Status.ABSENT)
        return next(unread, items[0])

    @cached_property
    def _loader_files(self) -> tuple[tuple[Entry, ...], tuple[Lack, ...]]:
        """The entries of all loader directories, and what of them was not read."""
        found: dict[str, Entry] = {}
        missing: list[Lack] = []
        for directory in ENTRY_DIRECTORIES:
            listing = self.evidence.item(directory)
            missing.extend(listing.lacking)
            for name in self._entry_files(directory, listing):
                item = self.evidence.item(name)
                entry = parsing.loader_entry(item, self.grubenv) if item.data else None
                if entry is not None:
                    found.setdefault(entry.id, entry)
                missing.extend(item.lacking)
        return tuple(found.values()), tuple(missing)

    def _entry_files(self, directory: str, listing: Item) -> list[str]:
        names = {directory + name for name in listing.lines if name}
        names |= {name for name in self.evidence.items if name.startswith(directory)}
        return sorted(name for name in names if name.endswith(".conf"))

    @cached_property
    def entries(self) -> tuple[Entry, ...]:
        """All generated entries of the host's loader. Raises Missing unless all were read."""
        kind = self.loader.kind
        if kind == GRUB:
            if self.grub_cfg is None or not self.grub_cfg.whole:
                raise Missing(self._grub_cfg_item)
            return self.grub_cfg.entries + self.custom.entries
        if kind == UKI:
            raise Missing(Lack("efi/EFI/Linux/", Status.NOT_COLLECTED, detail="unified image"))
        entries, missing = self._loader_files
        if missing or not entries:
            raise Missing(*(missing or (self.evidence.item(ENTRY_DIRECTORIES[0]),)))
        return entries
