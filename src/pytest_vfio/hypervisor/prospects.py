"""What a command line would do to this host: which effects count here, and whether one is missed.

`parse.effects` knows what a line does on some machine. Here the machine is known: the other
vendor's words do nothing, a kernel may switch the IOMMU on by itself, an id or a blacklist that
hits what the host lives on is harm, and what state shows to be there already is not missed.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING

from msgspec.structs import replace

from pytest_vfio.evidence import Missing
from pytest_vfio.facts.pci.functions import is_vfio_driver
from pytest_vfio.hypervisor import handover, iommu_kind
from pytest_vfio.parse import effects, vfioids
from pytest_vfio.parse.effects import Change, Effect
from pytest_vfio.parse.words import Word, fold

if TYPE_CHECKING:
    from pytest_vfio.hypervisor.hypervisor import Hypervisor

#: The kinds of IOMMU that the words of a vendor speak to.
_VENDOR = {"intel_iommu": "intel", "amd_iommu": "amd"}
_TRANSLATION = ("intel_iommu", "amd_iommu", "iommu")
_BINDING = ("vfio_pci.ids", "modprobe.blacklist", "module_blacklist", "rd.driver.pre",
            "rd.driver.blacklist")  # fmt: skip


def compare(hypervisor: Hypervisor, here: Iterable[Word], there: Iterable[Word]) -> Change:
    """What one line brings and takes on this host, measured against another."""
    change = effects.compare(here, there)
    new = [_here(hypervisor, effect) for effect in (*change.gains, *change.harms)]
    old = [_here(hypervisor, effect) for effect in (*change.losses, *change.sheds)]
    return replace(
        change,
        gains=tuple(effect for effect in new if effect and effect.good),
        harms=tuple(effect for effect in new if effect and not effect.good),
        losses=tuple(effect for effect in old if effect and effect.good),
        sheds=tuple(effect for effect in old if effect and not effect.good),
    )


def must_be_harmless(hypervisor: Hypervisor, change: Change) -> None:
    """Raise Missing where a gain may take away what the host depends on, for all that was read."""
    if any(effect.key[0] in _BINDING for effect in change.gains):
        hypervisor.protected.functions  # noqa: B018 - raises


def missed(hypervisor: Hypervisor, arriving: Iterable[Effect]) -> bool:
    """Assignment lacks one of the effects now: state does not show that it works without."""
    return any(effect.decides and _missed(hypervisor, effect) for effect in arriving)


def binding_lacks(hypervisor: Hypervisor) -> bool:
    """An intended device has to be on a VFIO driver now, and is not known to be on one."""
    intent = hypervisor.intent
    if not intent.whole:
        return True
    for device in intent.known:
        try:
            driver = device.function.driver
            if is_vfio_driver(driver) or (device.wanted is not None and device.wanted.vfs):
                continue
            if handover.of(hypervisor, device).now is not False:
                return True
        except Missing:
            return True
    return False


def _here(hypervisor: Hypervisor, effect: Effect) -> Effect | None:
    """The effect as it counts on this host; None where it does nothing here."""
    name = effect.key[0]
    try:
        if name in _VENDOR and hypervisor.iommu.kind not in (None, _VENDOR[name]):
            return None
        if name == "iommu" and not hypervisor.kernel.x86:
            return None
        if effect.key == ("intel_iommu", "on") and _on_by_itself(hypervisor):
            return replace(effect, decides=False)
    except Missing:
        return effect
    if effect.good and _endangers(hypervisor, effect):
        return replace(effect, good=False, decides=True)
    return effect


def _on_by_itself(hypervisor: Hypervisor) -> bool:
    """The kernel is known to be built so. Raises Missing."""
    return any(hypervisor.kernel.config(option) == "y" for option in iommu_kind.DEFAULT_ON)


def _endangers(hypervisor: Hypervisor, effect: Effect) -> bool:
    """It takes a function away that the host is known to live on."""
    if effect.key[0] == "vfio_pci.ids":
        return endangered(hypervisor, effect.word.value or "") is not None
    if effect.key[0] in ("modprobe.blacklist", "module_blacklist", "rd.driver.blacklist"):
        functions = (hypervisor.pci.known.get(a) for a in hypervisor.protected.known)
        drivers = (f.driver for f in functions if f is not None and f.knows("driver"))
        return effect.key[1] in [fold(driver) for driver in drivers if driver]
    return False


def endangered(hypervisor: Hypervisor, ids: str) -> str | None:
    """The address of a function that a list of ids catches and that the host lives on."""
    for pattern in vfioids.parse(ids, "", vfioids.NOWHERE)[0]:
        for address in hypervisor.protected.known:
            function = hypervisor.pci.known.get(address)
            try:
                if function is not None and pattern.catches(function):
                    return address
            except Missing:
                continue
    return None


def _missed(hypervisor: Hypervisor, effect: Effect) -> bool:
    name = effect.key[0]
    if name in _TRANSLATION:
        return not hypervisor.iommu.proven_on
    if name == "intremap":
        return not hypervisor.iommu.remapping_proven
    if name in _BINDING and effect.good:
        return binding_lacks(hypervisor)
    if name in _BINDING:
        return hypervisor.modules.loaded_quote(effect.key[-1]) is None
    return name != "pci" or not effect.good
