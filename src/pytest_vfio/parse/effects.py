"""What a command line comes to, as far as it decides about assignment: effects, good and bad.

Two lines are compared by what each of them does, never by their spelling: of several words that
replace each other the last one counts, what the kernel does not know does nothing, and a kernel
parameter behind a bare `--` is none. An effect is good (assignment or isolation wants it) or bad
(it takes something away), so that a comparison has a direction: what a line brings and what it
takes. Follows the parsers that `switches` names, module_param_string and module_param_call for
lists that replace each other (kernel/params.c), kernel/module/main.c for module_blacklist.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from types import MappingProxyType

import msgspec

from pytest_vfio.parse import switches, vfioids
from pytest_vfio.parse.words import Word, fold, named

#: Parameters that decide about assignment; a name that ends with a dot is a prefix.
RELEVANT = (
    "intel_iommu", "amd_iommu", "iommu", "iommu.passthrough", "iommu.strict", "intremap",
    "nointremap", "vfio.", "vfio_pci.", "vfio_iommu_type1.", "iommufd.",
    "pcie_acs_override", "pci", "pci_stub.", "modprobe.blacklist", "module_blacklist",
    "rd.driver.pre", "rd.driver.blacklist", "noapic", "nolapic", "acpi",
)  # fmt: skip
_PREFIXES = tuple(name for name in RELEVANT if name.endswith("."))
_NAMES = frozenset(RELEVANT)

#: Read by programs, which read past a bare `--`.
_USER_SPACE = ("modprobe.", "rd.")
#: Drivers without which nothing is assigned.
_NEEDED = frozenset({"vfio", "vfio_pci", "vfio_pci_core", "vfio_iommu_type1", "iommufd",
                     "irqbypass", "kvm", "kvm_intel", "kvm_amd"})  # fmt: skip
_PCI_HARM = {"off": True, "nomsi": True, "noats": False, "nobar": False}
_PCI_ISOLATION = ("disable_acs_redir=", "config_acs=")
#: Pieces of `pci=` that make room for VFs and large BARs.
_PCI_ROOM = ("realloc", "assign-busses", "nocrs", "use_crs", "hp", "resource_alignment=",
             "big_root_window")  # fmt: skip
#: Options of modules that weaken isolation where they are set to true.
_UNSAFE = frozenset({"vfio_iommu_type1.allow_unsafe_interrupts", "iommufd.allow_unsafe_interrupts",
                     "vfio.enable_unsafe_noiommu_mode", "vfio_pci.disable_denylist"})  # fmt: skip


class Effect(msgspec.Struct, frozen=True):
    """One thing that a line does.

    `key` is the same for the same effect of another spelling. `decides`: a device cannot be
    assigned with it (bad) or without it (good), on some machine; else it is a matter of speed,
    convenience or isolation. `word` is where it stands.
    """

    key: tuple[str, ...]
    good: bool
    decides: bool
    word: Word


class Change(msgspec.Struct, frozen=True):
    """What one line (`here`) brings and takes, measured against another (`there`)."""

    gains: tuple[Effect, ...]
    sheds: tuple[Effect, ...]
    losses: tuple[Effect, ...]
    harms: tuple[Effect, ...]
    here: tuple[Word, ...]
    there: tuple[Word, ...]

    @property
    def arriving(self) -> tuple[Effect, ...]:
        """Good effects that only `here` has, and bad ones that only `there` has."""
        return self.gains + self.sheds

    @property
    def leaving(self) -> tuple[Effect, ...]:
        """Good effects that only `there` has, and bad ones that only `here` has."""
        return self.losses + self.harms

    def worded(self, effects: Iterable[Effect]) -> tuple[str, str]:
        """The words of both lines for the parameters of some effects: (here, there)."""
        names = tuple(dict.fromkeys(effect.word.name for effect in effects))
        return _worded(self.here, names), _worded(self.there, names)


def relevant(name: str) -> bool:
    """The parameter may have an effect of ours."""
    return name in _NAMES or name.startswith(_PREFIXES)


def effects(words: Iterable[Word]) -> Mapping[tuple[str, ...], Effect]:
    """All that a line does, by key; the word that did it last is kept."""
    ours = [word for word in words if relevant(word.name)]
    line = [w for w in ours if not w.after_dashes or ("." in w.name and w.name[:6] != "iommu.")]
    found = {effect.key: effect for rule in _RULES for effect in rule(line)}
    return MappingProxyType(found)


def compare(here: Iterable[Word], there: Iterable[Word]) -> Change:
    """What `here` brings and takes where `there` was."""
    first, second = tuple(here), tuple(there)
    left, right = effects(first), effects(second)
    new = [effect for key, effect in left.items() if _lacks(right, key, effect)]
    old = [effect for key, effect in right.items() if key not in left]
    return Change(
        gains=tuple(effect for effect in new if effect.good),
        sheds=tuple(effect for effect in old if not effect.good),
        losses=tuple(effect for effect in old if effect.good),
        harms=tuple(effect for effect in new if not effect.good),
        here=first,
        there=second,
    )


def _lacks(line: Mapping[tuple[str, ...], Effect], key: tuple[str, ...], effect: Effect) -> bool:
    """An option behind `--` reaches a module only, so that moving it before is an arrival."""
    other = line.get(key)
    return other is None or (other.word.after_dashes and not effect.word.after_dashes)


def _worded(words: Sequence[Word], names: tuple[str, ...]) -> str:
    shown = []
    for name in names:
        found = [f"-- {w.text}" if w.after_dashes else w.text for w in named(words, name)]
        shown.append(" ".join(found) or f"no {name}")
    return ", ".join(shown)


# -- what each parameter does


def _intel(words: Sequence[Word]) -> Iterator[Effect]:
    found = switches.intel(words)
    if found.decided is not None:
        on = bool(found.on)
        yield Effect(("intel_iommu", "on" if on else "off"), on, True, found.decided.word)
    for switch in found.graphics_off:
        yield Effect(("intel_iommu", "graphics off"), False, False, switch.word)
    yield from _rest(words, "intel_iommu", switches.INTEL_WORDS, ("on", "off", "igfx", "intgpu"))


def _amd(words: Sequence[Word]) -> Iterator[Effect]:
    for word in named(words, "amd_iommu"):
        if any(piece.startswith("off") for piece in word.pieces):
            yield Effect(("amd_iommu", "off"), False, True, word)
    yield from _rest(words, "amd_iommu", switches.AMD_WORDS, ("off",))


def _iommu(words: Sequence[Word]) -> Iterator[Effect]:
    off = switches.x86(words).off
    if off is not None:
        yield Effect(("iommu", "off"), False, True, off.word)
    said = switches.passthrough(words, x86=True)
    if said is not None:
        yield Effect(("passthrough", str(said[0])), True, False, said[1])
    known = (*switches.X86_WORDS, *switches.GART_WORDS)
    yield from _rest(words, "iommu", known, ("off", "pt", "nopt"))
    for word in named(words, "iommu.strict")[-1:]:
        yield Effect(("strict", str(switches.boolean(word.value))), True, False, word)


def _rest(
    words: Sequence[Word], name: str, known: tuple[str, ...], but: tuple[str, ...]
) -> Iterator[Effect]:
    """Pieces that the kernel knows and that assignment does not depend on."""
    for word in named(words, name):
        for piece in word.pieces:
            if piece.startswith(known) and not piece.startswith(but):
                yield Effect((name, piece), True, False, word)


def _remapping(words: Sequence[Word]) -> Iterator[Effect]:
    off: Word | None = None
    for word in words:
        if word.name == "nointremap":
            off = word
        for piece in word.pieces if word.name == "intremap" else ():
            if piece.startswith(("on", "off")):
                off = word if piece.startswith("off") else None
            elif piece.startswith("nosid"):
                yield Effect(("intremap", "nosid"), False, False, word)
    if off is not None:
        yield Effect(("intremap", "off"), False, True, off)


def _pci(words: Sequence[Word]) -> Iterator[Effect]:
    for word in words:
        if word.name in ("noapic", "nolapic") or (word.name == "acpi" and word.value == "off"):
            yield Effect((word.name, "off"), False, True, word)
        if word.name == "pcie_acs_override":
            yield Effect(("pcie_acs_override",), False, False, word)
        for piece in word.pieces if word.name == "pci" else ():
            if piece in _PCI_HARM:
                yield Effect(("pci", piece), False, _PCI_HARM[piece], word)
            elif piece.startswith(_PCI_ISOLATION):
                yield Effect(("pci", piece), False, False, word)
            else:
                yield Effect(("pci", piece), True, piece.startswith(_PCI_ROOM), word)


def _options(words: Sequence[Word]) -> Iterator[Effect]:
    last = {word.name: word for word in words if word.name.startswith(_PREFIXES)}
    for name, word in last.items():
        if name == "vfio_pci.ids":
            for pattern in vfioids.parse(word.value or "", "cmdline", word.quote)[0]:
                yield Effect((name, *map(str, pattern.key)), True, True, word)
        elif name in _UNSAFE:
            if switches.boolean(word.value or "y") is not False:
                yield Effect((name,), False, False, word)
        else:
            yield Effect((name, word.value or ""), True, False, word)


def _lists(words: Sequence[Word]) -> Iterator[Effect]:
    """Names of drivers: kept away, or loaded first. The kernel keeps one list, programs add up."""
    counted = [*named(words, "module_blacklist")[-1:]]
    counted += [word for word in words if word.name.startswith(_USER_SPACE)]
    for word in counted:
        loads = word.name == "rd.driver.pre"
        for name in filter(None, map(fold, word.pieces)):
            good = loads or name not in _NEEDED
            yield Effect((word.name, name), good, name in _NEEDED or not loads, word)


_RULES: tuple[Callable[[Sequence[Word]], Iterator[Effect]], ...] = (
    _intel, _amd, _iommu, _remapping, _pci, _options, _lists,
)  # fmt: skip
