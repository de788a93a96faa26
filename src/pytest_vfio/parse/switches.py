"""What the words `intel_iommu=`, `amd_iommu=`, `iommu=` and their kin do, by kernel version.

Pure functions of words. Follows intel_iommu_setup (drivers/iommu/intel/iommu.c),
parse_amd_iommu_options (drivers/iommu/amd/init.c), iommu_setup (arch/x86/kernel/pci-dma.c) and
setup_irqremap (drivers/iommu/irq_remapping.c); semantics S02 to S07 of the catalogue. All compare
case-sensitively and by prefix: `intel_iommu=only` switches on, `intel_iommu=On` does nothing.
"""

from __future__ import annotations

from collections.abc import Iterable

import msgspec

from pytest_vfio.parse.words import Word, named

Version = tuple[int, int, int]

#: Words of `intel_iommu=`; the version says since when, or until when, a kernel has them.
INTEL_WORDS = (
    "on", "off", "igfx_off", "forcedac", "strict", "sp_off", "sm_on", "sm_off", "tboot_noforce",
    "intgpu_off", "ecs_off", "pasid28", "nobounce", "relax_rmrr",
)  # fmt: skip
AMD_WORDS = (
    "off", "fullflush", "force_enable", "force_isolation", "pgtbl_v1", "pgtbl_v2", "irtcachedis",
    "nohugepages", "v2_pgsizes_only",
)  # fmt: skip
X86_WORDS = (
    "off", "force", "noforce", "biomerge", "nobiomerge", "panic", "nopanic", "merge", "nomerge",
    "soft", "pt", "nopt", "usedac", "forcesac", "allowdac", "nodac", "calgary",
)  # fmt: skip
#: Words of `iommu=` that speak to the old AMD GART only; a number is its size.
GART_WORDS = ("leak", "fullflush", "nofullflush", "noagp", "noaperture", "allowed", "memaper")

#: The first version whose `amd_iommu=` is a comma list; before, every character starts a word.
AMD_COMMA_LIST: Version = (6, 1, 0)


class Switch(msgspec.Struct, frozen=True):
    """One piece of one word, and what it switches on or off."""

    word: Word
    piece: str


class Intel(msgspec.Struct, frozen=True):
    """All `intel_iommu=` words together.

    `on` is True or False as the last `on` or `off` says, None where neither is there and the
    kernel's default holds. `decided` is the piece that said so. `graphics_off` are the pieces that
    leave graphics devices untranslated; they do not switch the IOMMU off.
    """

    on: bool | None
    decided: Switch | None
    graphics_off: tuple[Switch, ...]
    unknown: tuple[Switch, ...]


class Amd(msgspec.Struct, frozen=True):
    """All `amd_iommu=` words together; `off` is the piece that switches the IOMMU off, if any."""

    off: Switch | None
    unknown: tuple[Switch, ...]


class X86(msgspec.Struct, frozen=True):
    """All `iommu=` words of an x86 kernel together.

    `off` switches every vendor's IOMMU off and nothing undoes it. `unknown` does nothing.
    """

    off: Switch | None
    unknown: tuple[Switch, ...]


def intel(words: Iterable[Word]) -> Intel:
    """Walk every `intel_iommu=` piece, left to right."""
    decided: Switch | None = None
    graphics: list[Switch] = []
    unknown: list[Switch] = []
    for switch in _pieces(words, "intel_iommu"):
        if switch.piece.startswith(("on", "off")):
            decided = switch
            if switch.piece.startswith("on"):  # which on Debian's kernels switches graphics on
                graphics = [one for one in graphics if one.piece.startswith("igfx_off")]
        elif switch.piece.startswith(("igfx_off", "intgpu_off")):
            graphics.append(switch)
        elif not switch.piece.startswith(INTEL_WORDS):
            unknown.append(switch)
    on = None if decided is None else decided.piece.startswith("on")
    return Intel(on, decided, tuple(graphics), tuple(unknown))


def amd(words: Iterable[Word], version: Version) -> Amd:
    """Every `amd_iommu=` value, by the rule of the version; nothing undoes an `off`."""
    found = tuple(words)
    pieces = _pieces(found, "amd_iommu")
    off = next((switch for switch in pieces if switch.piece.startswith("off")), None)
    if version < AMD_COMMA_LIST:
        trapped = (word for word in named(found, "amd_iommu") if "off" in (word.value or ""))
        off = next((Switch(word, word.value or "") for word in trapped), None)
    unknown = tuple(
        switch
        for switch in pieces
        if not switch.piece.startswith(AMD_WORDS)
        and not (version < AMD_COMMA_LIST and "off" in switch.piece)
    )
    return Amd(off, unknown)


def x86(words: Iterable[Word]) -> X86:
    """Every `iommu=` piece of an x86 kernel."""
    pieces = _pieces(words, "iommu")
    off = next((switch for switch in pieces if switch.piece.startswith("off")), None)
    unknown = tuple(
        switch for switch in pieces if not switch.piece.startswith((*X86_WORDS, *GART_WORDS))
    )
    return X86(off, unknown)


def passthrough(words: Iterable[Word], *, x86: bool) -> tuple[bool, Word] | None:
    """What host devices get: the last of `iommu=pt|nopt` (x86) and `iommu.passthrough=`.

    None where no word says; the kernel's CONFIG_IOMMU_DEFAULT_* holds then.
    """
    said: tuple[bool, Word] | None = None
    for word in words:
        if word.name == "iommu" and x86:
            for piece in word.pieces:
                if piece.startswith(("pt", "nopt")):
                    said = piece.startswith("pt"), word
        elif word.name == "iommu.passthrough":
            value = boolean(word.value)
            if value is not None:
                said = value, word
    return said


def boolean(value: str | None) -> bool | None:
    """`kstrtobool` of every version: None where some or all kernels refuse the value.

    >>> [boolean(value) for value in ("1", "Y", "on", "0", "oFF", "pt", "", None)]
    [True, True, True, False, False, None, None, None]
    """
    text = value or ""
    if text[:1] in ("1", "y", "Y") or text[:2].lower() == "on":
        return True
    if text[:1] in ("0", "n", "N") or text[:2].lower() == "of":
        return False
    return None


#: Parameters of ours, and how many letters a misspelling of one may differ in.
_KNOWN_NAMES = {"intel_iommu": 2, "amd_iommu": 2, "iommu": 1, "vfio_pci.ids": 2, "intremap": 1}
#: Parameters of the kernel that look like a misspelling and are none.
_REAL_NAMES = frozenset({"iomem", "vfio_pci_ids", "nointremap"})


def meant(name: str) -> str | None:
    """The parameter that a misspelt name stands for, if it is near one of ours.

    >>> [meant(name) for name in ("inteliommu", "intel_iommu:on", "ro", "intel_iommu", "iomem")]
    ['intel_iommu', 'intel_iommu', None, None, None]
    """
    spelt = name.partition(":")[0].lower()
    if name in _KNOWN_NAMES or name in _REAL_NAMES or len(spelt) > 16:
        return None
    return next(
        (known for known, far in _KNOWN_NAMES.items() if distance(spelt, known) <= far), None
    )


def distance(one: str, other: str) -> int:
    """Letters to insert, delete or change (Levenshtein).

    >>> distance("igbb", "igb"), distance("8086:10c8", "8086:10c9")
    (1, 1)
    """
    row = list(range(len(other) + 1))
    for at, letter in enumerate(one, 1):
        previous, row[0] = row[0], at
        for to, wanted in enumerate(other, 1):
            cost = min(row[to] + 1, row[to - 1] + 1, previous + (letter != wanted))
            previous, row[to] = row[to], cost
    return row[-1]


def harmful(word: Word) -> bool:
    """The word takes something away from assignment or isolation: its absence is wanted."""
    if word.name in ("iommu", "intel_iommu", "amd_iommu"):
        return any(piece.startswith("off") for piece in word.pieces)
    if word.name in ("intremap", "pci"):
        return any(piece.startswith(_HARM[word.name]) for piece in word.pieces)
    return word.name in _HARMFUL or word.name.endswith(".allow_unsafe_interrupts")


_HARM = {
    "intremap": ("off", "nosid"),
    "pci": ("off", "nomsi", "noats", "nobar", "disable_acs_redir=", "config_acs="),
}
_HARMFUL = frozenset({"nointremap", "pcie_acs_override", "modprobe.blacklist", "module_blacklist"})


def idle(word: Word) -> bool:
    """No piece of the word does anything: `amd_iommu=on`, `iommu=1`, `intel_iommu`."""
    known = {"intel_iommu": INTEL_WORDS, "amd_iommu": AMD_WORDS, "iommu": (*X86_WORDS, *GART_WORDS)}
    if word.name not in known or harmful(word):
        return False
    return not any(piece.startswith(known[word.name]) for piece in word.pieces if piece)


def _pieces(words: Iterable[Word], name: str) -> tuple[Switch, ...]:
    return tuple(
        Switch(word, piece) for word in named(words, name) for piece in word.pieces if piece
    )
