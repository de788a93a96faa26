"""The boot chain: which loader booted the host, what is configured, generated and running.

Configured is what a person edits (/etc/default/grub and its drop-ins, /etc/kernel/cmdline),
generated is what a tool made of it for the loader (grub.cfg, loader entries), running is what the
kernel was told. They are three things (S16, S17), and a word can get lost on either way.
"""

from __future__ import annotations

from functools import cached_property

import msgspec

from pytest_vfio.evidence import Evidence, Item, Lack, Missing, Quote, Status, Tree
from pytest_vfio.facts.boot import kdump
from pytest_vfio.facts.boot.grub import GrubDefaults
from pytest_vfio.facts.kernel.cmdline import Cmdline
from pytest_vfio.facts.kernel.release import Kernel
from pytest_vfio.parse import entries as parsing
from pytest_vfio.parse.entries import Entry, GrubCfg
from pytest_vfio.parse.linediff import differences
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
        stub, quote = self._efi_variable("StubInfo")
        if "systemd-stub" in (stub or ""):
            return Loader(UKI, quote)
        info, quote = self._efi_variable("LoaderInfo")
        if "systemd-boot" in (info or ""):
            return Loader(SYSTEMD_BOOT, quote)
        return self._grub(quote) if "GRUB" in (info or "").upper() else None

    @property
    def _by_words(self) -> Loader | None:
        """What loaders put on the command line, GRUB's BOOT_IMAGE aside."""
        for word in self._running_words:
            if word.name == "ostree":
                return Loader(OSTREE, word.quote)
            if word.name == "initrd" and "\\" in (word.value or ""):
                return Loader(SYSTEMD_BOOT, word.quote)
        return None

    @property
    def _running_words(self) -> tuple[Word, ...]:
        try:
            return self.running.all
        except Missing:
            return ()

    @property
    def _first_word(self) -> Word | None:
        return next((word for word in self._running_words if word.name == "BOOT_IMAGE"), None)

    def _grub(self, quote: Quote) -> Loader:
        if any(word.name == "ostree" for word in self._running_words):
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

    def _efi_variable(self, name: str) -> tuple[str | None, Quote]:
        tree = Tree.of(self.evidence.item("sys/firmware/efi"))
        for path, value in tree.values.items():
            if path.startswith(f"efivars/{name}") and value.strip():
                return value.strip(), tree.quote(path)
        return None, tree.item.quote(name)

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
        if self._running_words:
            return self.running.words
        return tuple(word for line in self.written for word in line.words)

    def mended(self, *words: Word) -> Entry | None:
        """The entry of the next boot, where it is known and has none of these words any more.

        Then not the words are the fault but that they still run.
        """
        try:
            entry = self.next_entry
        except Missing:
            return None
        left = {(word.name, word.value) for word in entry.words}
        return None if any((word.name, word.value) in left for word in words) else entry

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
    def _grub_cfg_item(self) -> Item:
        return self._one_of(GRUB_CFG)

    @cached_property
    def grub_cfg(self) -> GrubCfg | None:
        """The generated grub.cfg, as far as it was read; None where nothing of it was."""
        item = self._grub_cfg_item
        return parsing.grub_cfg(item, self.grubenv) if item.data else None

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
            return self.grub_cfg.entries
        if kind == UKI:
            raise Missing(Lack("efi/EFI/Linux/", Status.NOT_COLLECTED, detail="unified image"))
        entries, missing = self._loader_files
        if missing or not entries:
            raise Missing(*(missing or (self.evidence.item(ENTRY_DIRECTORIES[0]),)))
        return entries

    @cached_property
    def next_entry(self) -> Entry:
        """The entry that an ordinary reboot takes. Raises Missing where that cannot be told."""
        entry = self._grub_default if self.loader.kind == GRUB else self._loader_default
        if entry is None or not entry.certain:
            raise Missing(self._grub_cfg_item if self.loader.kind == GRUB else self._loader_conf)
        return entry

    @property
    def _grub_default(self) -> Entry | None:
        default = (self.grub_cfg.default if self.grub_cfg else None) or "0"
        if not _alike(self.entries):
            # a one-time entry comes first, whatever the default
            chosen = self._chosen.get("next_entry")
            saved = self._chosen.get("saved_entry", "0")
            default = chosen or (saved if "$" in default else default)
        return parsing.pick(self.entries, default)

    @property
    def _chosen(self) -> dict[str, str]:
        """The environment block, which has to be known. Raises Missing."""
        item = self._grubenv_item
        if not item.whole:
            raise Missing(item)
        return self.grubenv

    @property
    def _loader_conf(self) -> Item:
        return self._one_of(LOADER_CONF)

    @property
    def _loader_default(self) -> Entry | None:
        entries = self.entries
        if _alike(entries):
            return parsing.newest(entries)
        if self.loader.kind in (GRUB_BLS, OSTREE):
            saved = self._chosen.get("next_entry") or self._chosen.get("saved_entry") or ""
            return next((entry for entry in entries if entry.id == saved), parsing.newest(entries))
        pattern = self._efi_choice or self._configured_choice or "*"
        return parsing.newest(entries, pattern) or parsing.newest(entries)

    @property
    def _efi_choice(self) -> str | None:
        """The entry that `bootctl set-oneshot` or `set-default` chose. Raises Missing."""
        tree = Tree.of(self.evidence.item("sys/firmware/efi"))
        for name in ("LoaderEntryOneShot", "LoaderEntryDefault"):
            value, _ = self._efi_variable(name)
            if value is not None:
                return value
            if any(path.startswith(f"efivars/{name}") for path in (*tree.values, *tree.unread)):
                raise Missing(tree.item)  # it is there, its value was not read
        if not tree.item.whole:
            raise Missing(tree.item)
        return None

    @property
    def _configured_choice(self) -> str | None:
        """`default` of loader.conf. Raises Missing."""
        item = self._loader_conf
        if not item.whole:
            raise Missing(item)
        pairs = (line.strip().partition(" ") for line in item.lines)
        found = [value.strip() for key, _, value in pairs if key == "default"]
        return found[-1] if found else None


def _alike(entries: tuple[Entry, ...]) -> bool:
    """No entry differs from another in kernel or relevant words, so that any stands for all."""
    return bool(entries) and all(
        entry.certain
        and entry.release == entries[0].release
        and entry.recovery == entries[0].recovery
        and not differences(entry.words, entries[0].words)
        for entry in entries
    )
