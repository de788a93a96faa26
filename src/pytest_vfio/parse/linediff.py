"""What two command lines differ in, as far as it decides about assignment."""

from __future__ import annotations

from collections.abc import Iterable

import msgspec

from pytest_vfio.parse.switches import harmful, idle
from pytest_vfio.parse.words import Word, named

#: Parameters that decide about assignment; a name that ends with a dot is a prefix.
RELEVANT = (
    "intel_iommu", "amd_iommu", "iommu", "iommu.passthrough", "iommu.strict", "intremap",
    "nointremap", "vfio.", "vfio_pci.", "vfio_iommu_type1.", "iommufd.",
    "pcie_acs_override", "pci", "pci_stub.", "modprobe.blacklist", "module_blacklist",
    "rd.driver.pre", "rd.driver.blacklist",
)  # fmt: skip
_PREFIXES = tuple(name for name in RELEVANT if name.endswith("."))
_NAMES = frozenset(RELEVANT)


class Difference(msgspec.Struct, frozen=True):
    """A parameter that stands in one line otherwise than in the next, `()` where it is absent."""

    name: str
    here: tuple[Word, ...]
    there: tuple[Word, ...]

    @property
    def arriving(self) -> bool:
        """The first line brings what the second lacks, or has dropped what does harm."""
        there = [word.value for word in self.there]
        lacking = any(word.value not in there and not idle(word) for word in self.here)
        return lacking or self._dropped_harm or self._reordered

    @property
    def leaving(self) -> bool:
        """The second line has a useful word that the first lacks."""
        here = [word.value for word in self.here]
        gone = [word for word in self.there if word.value not in here]
        return not self.arriving and any(not (harmful(word) or idle(word)) for word in gone)

    @property
    def _reordered(self) -> bool:
        """The same words in another order, which counts where the last one wins."""
        here, there = ([word.value or "" for word in words] for words in (self.here, self.there))
        return sorted(here) == sorted(there)

    @property
    def _dropped_harm(self) -> bool:
        here = [word.value for word in self.here]
        return any(harmful(word) and word.value not in here for word in self.there)

    def __str__(self) -> str:
        """The words of the first line, or that it has none."""
        return " ".join(word.text for word in self.here) or f"no {self.name}"


def relevant(name: str) -> bool:
    """The parameter decides about assignment."""
    return name in _NAMES or name.startswith(_PREFIXES)


def differences(here: Iterable[Word], there: Iterable[Word]) -> tuple[Difference, ...]:
    """The relevant parameters whose occurrences are not the same in both lines."""
    left = [word for word in here if relevant(word.name)]
    right = [word for word in there if relevant(word.name)]
    names = dict.fromkeys(word.name for word in (*left, *right))
    found = (Difference(name, named(left, name), named(right, name)) for name in names)
    return tuple(
        difference
        for difference in found
        if [(word.value, word.after_dashes) for word in difference.here]
        != [(word.value, word.after_dashes) for word in difference.there]
    )
