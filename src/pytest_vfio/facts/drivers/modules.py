"""Drivers as kernel modules: built in, loaded, available, configured, in the initramfs.

`loaded` means usable code in the running kernel, built in or not: `lsmod` does not list what is
built in (S11). The ids of vfio-pci cannot be read back from the kernel (S10): those in force
follow from the configuration, by where the driver is (S09).
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from functools import cached_property

import msgspec

from pytest_vfio.evidence import Evidence, Item, Lack, Missing, Quote, Status, Tree
from pytest_vfio.facts.drivers.initramfs import (
    EARLY,
    PLAIN,
    Initramfs,
    Listed,
    listed,
    module_name,
    unread,
)
from pytest_vfio.facts.drivers.modprobe import Modprobe, Softdep
from pytest_vfio.facts.kernel.cmdline import Cmdline
from pytest_vfio.facts.kernel.release import Kernel
from pytest_vfio.facts.tristate import known, require
from pytest_vfio.parse import vfioids
from pytest_vfio.parse.vfioids import IdPattern
from pytest_vfio.parse.words import Word, fold, parse

__all__ = ["IdPattern", "Modules", "Option"]

#: The build option that makes a driver, where both are well known.
CONFIG = {
    "vfio": "VFIO",
    "vfio_pci": "VFIO_PCI",
    "vfio_pci_core": "VFIO_PCI_CORE",
    "vfio_iommu_type1": "VFIO_IOMMU_TYPE1",
    "iommufd": "IOMMUFD",
    "kvm": "KVM",
    "kvm_intel": "KVM_INTEL",
    "kvm_amd": "KVM_AMD",
    "i40e": "I40E",
    "ixgbe": "IXGBE",
    "igb": "IGB",
    "e1000e": "E1000E",
    "ahci": "SATA_AHCI",
    "nvme": "BLK_DEV_NVME",
    "xhci_pci": "USB_XHCI_PCI",
    "xhci_hcd": "USB_XHCI_HCD",
    "snd_hda_intel": "SND_HDA_INTEL",
    "amdgpu": "DRM_AMDGPU",
    "i915": "DRM_I915",
    "nouveau": "DRM_NOUVEAU",
    "mlx5_core": "MLX5_CORE",
}
#: What a log line proves to be in the kernel.
_LOG = {
    "vfio_pci": re.compile(r"\bvfio_pci: add \[|\bvfio-pci [0-9a-f]{4,8}:[0-9a-f]{2}:"),
    "vfio": re.compile(r"\bVFIO - User Level meta-driver version"),
}


class Option(msgspec.Struct, frozen=True):
    """One option of one module. `origin` is modprobe or cmdline."""

    module: str
    name: str
    value: str | None
    origin: str
    quote: Quote


class Modules:
    """The drivers of one host."""

    def __init__(self, evidence: Evidence, kernel: Kernel, cmdline: Cmdline) -> None:
        self.evidence = evidence
        self.kernel = kernel
        self.cmdline = cmdline

    # -- where the code is ------------------------------------------------------------------

    @cached_property
    def _sysfs(self) -> Tree:
        return Tree.of(self.evidence.item("sys/module"))

    @cached_property
    def _builtin_names(self) -> frozenset[str]:
        return _names(self.evidence.item("modules.builtin"))

    @cached_property
    def _lsmod(self) -> frozenset[str]:
        lines = self.evidence.item("proc/modules").lines
        names = (line.split(None, 1)[0] for line in lines if line.strip())
        return frozenset(fold(name) for name in names if name != "Module")

    @cached_property
    def _dep(self) -> frozenset[str]:
        return _names(self.evidence.item("modules.dep"))

    def builtin(self, name: str) -> bool:
        """The driver is part of the kernel image. Raises Missing where nobody knows."""
        module = fold(name)
        loaded = f"{module}/initstate" in self._sysfs.values or module in self._lsmod
        if loaded or module in self._dep:  # what has a file of its own is not in the image
            return False
        if module in self._builtin_names:
            return True
        item = self.evidence.item("modules.builtin")
        if item.whole and item.data:
            return False
        option = CONFIG.get(module)
        if option is not None:
            return self.kernel.config(option) == "y"
        raise Missing(item)

    def loaded(self, name: str) -> bool:
        """The code is in the running kernel, loaded or built in. Raises Missing if unknown."""
        module = fold(name)
        if self.loaded_quote(module) is not None:
            return True
        if not (self.evidence.item("sys/module").whole or self.evidence.item("proc/modules").whole):
            raise Missing(self.evidence.item("sys/module"))
        return self.builtin(module)

    def loaded_quote(self, name: str) -> Quote | None:
        """The line that proves that the code is in the kernel, if one was read."""
        module = fold(name)
        if module in self._sysfs.values or f"{module}/initstate" in self._sysfs.values:
            return self.evidence.item("sys/module").quote(module)
        if module in self._lsmod:
            return self.evidence.item("proc/modules").quote(module)
        if module in self._builtin_names:
            return self.evidence.item("modules.builtin").quote(module)
        drivers = Tree.of(self.evidence.item("sys/bus/pci/drivers"))
        for driver in drivers.values:
            if fold(driver) == module:
                return drivers.quote(driver)
        pattern = _LOG.get(module)
        for log in self.evidence.seen("dmesg", "journal/kernel"):
            for line in log.lines if pattern else ():
                if pattern and pattern.search(line):
                    return log.quote(line)
        return None

    def available(self, name: str) -> bool:
        """Loaded, built in, or a module file of the running kernel. Raises Missing if unknown."""
        module = fold(name)
        if self.loaded_quote(module) is not None or module in self._dep:
            return True
        item = self.evidence.item("modules.dep")
        ours = any(part in module for part in ("vfio", "kvm", "iommu"))  # all that it lists
        gone = item.status is Status.ABSENT  # no module of this kernel is installed at all
        if ours and (gone or (item.whole and item.data)):
            return self.loaded(module)
        option = CONFIG.get(module)
        if option is None:
            raise Missing(item)
        # not built at all proves absence; `m` does not prove that the file is installed
        if self.kernel.config(option) is None:
            return False
        raise Missing(item)

    def parameter(self, module: str, name: str) -> str | None:
        """A parameter in /sys/module; None where there is none, as of a module that is not loaded.

        Some, like `ids`, are not readable (S10). Raises Missing where nobody knows.
        """
        return self._sysfs.get(f"{fold(module)}/parameters/{name}")

    def parameter_quote(self, module: str, name: str) -> Quote:
        """The line of a readable parameter, as proof."""
        return self._sysfs.quote(f"{fold(module)}/parameters/{name}")

    # -- configuration ----------------------------------------------------------------------

    @cached_property
    def modprobe(self) -> Modprobe:
        """modprobe.d, whole or not."""
        return Modprobe(self.evidence)

    def known_options(self, module: str) -> tuple[Option, ...]:
        """The options that were read, in kmod's order: modprobe.d, then the command line."""
        wanted = fold(module)
        options = [
            Option(wanted, word.name, word.value, "modprobe", statement.quote)
            for statement in self.modprobe.of("options", wanted)
            for word in parse(statement.rest.encode("utf-8", "surrogateescape"))
        ]
        options.extend(self._cmdline_options(wanted))
        return tuple(options)

    def options(self, module: str) -> tuple[Option, ...]:
        """All options that kmod hands to a module. Raises Missing where some are unknown."""
        require(self.modprobe, self.cmdline)
        return self.known_options(module)

    @property
    def _cmdline_words(self) -> tuple[Word, ...]:
        return known(lambda: self.cmdline.all) or ()

    def _cmdline_options(self, module: str) -> list[Option]:
        """Also behind a bare `--`: kmod reads past it (F39)."""
        prefix = f"{module}."
        return [
            Option(module, word.name.removeprefix(prefix), word.value, "cmdline", word.quote)
            for word in self._cmdline_words
            if word.name.startswith(prefix)
        ]

    @property
    def softdeps(self) -> tuple[Softdep, ...]:
        """All soft dependencies. Raises Missing where some are unknown."""
        require(self.modprobe)
        return self.modprobe.softdeps

    @cached_property
    def known_blacklist(self) -> Mapping[str, Quote]:
        """Blacklisted modules that were read: modprobe.d and `modprobe.blacklist=`."""
        found = {line.module: line.quote for line in reversed(self.modprobe.of("blacklist"))}
        for word in self._cmdline_words:
            if word.name in ("modprobe.blacklist", "module_blacklist"):
                found.update({fold(name): word.quote for name in word.pieces if name})
        return found

    @property
    def blacklisted(self) -> Mapping[str, Quote]:
        """All blacklisted modules. Raises Missing where some are unknown."""
        require(self.modprobe, self.cmdline)
        return self.known_blacklist

    @cached_property
    def listed(self) -> tuple[Listed, ...]:
        """Module names in the lists that load early or put into an initramfs, as far as read."""
        return listed(self.evidence)

    @property
    def early_lists_missing(self) -> tuple[Lack, ...]:
        """The lists of modules for an initramfs that were not read."""
        return unread(self.evidence, EARLY)

    @property
    def lists_missing(self) -> tuple[Lack, ...]:
        """The lists of modules to load, early or not, that were not read."""
        return unread(self.evidence, (*EARLY, *PLAIN))

    @cached_property
    def initramfs(self) -> Initramfs:
        """What the running kernel's initramfs holds."""
        return Initramfs(self.evidence)

    # -- the ids of vfio-pci ----------------------------------------------------------------

    @cached_property
    def vfio_ids(self) -> tuple[IdPattern, ...]:
        """The ids in force; empty where there are none.

        Behind a bare `--` only a modular driver sees them. Where a list stands on the command
        line before it, that list is in force whatever modprobe.d says.
        """
        kernels = self.cmdline.param("vfio_pci.ids")  # raises where its absence is not known
        require(*self.cmdline.torn)
        late = [word for word in self.cmdline.after_dashes if word.name == "vfio_pci.ids"]
        if kernels and not late:
            return self._ids(kernels[-1].value, "cmdline", kernels[-1].quote)
        if not late and not self.modprobe.lacking and not self._modprobe_ids:
            return ()
        if self.builtin("vfio_pci"):
            return self._ids(kernels[-1].value, "cmdline", kernels[-1].quote) if kernels else ()
        if not late:
            require(self.modprobe)
        lists = [option for option in self.known_options("vfio_pci") if option.name == "ids"]
        if not lists:
            return ()
        return self._ids(lists[-1].value, lists[-1].origin, lists[-1].quote)

    @cached_property
    def configured_vfio_ids(self) -> tuple[IdPattern, ...]:
        """The ids that stand anywhere on the command line or in modprobe.d, in force or not."""
        return tuple(
            pattern
            for option in self.known_options("vfio_pci")
            if option.name == "ids"
            for pattern in vfioids.parse(option.value or "", option.origin, option.quote)[0]
        )

    @property
    def configured_ids_missing(self) -> tuple[Lack, ...]:
        """What would have to be read to know all ids that stand anywhere."""
        line = () if self.cmdline.whole else (self.cmdline.item.lack,)
        return (*line, *self.modprobe.lacking)

    @property
    def _modprobe_ids(self) -> bool:
        return any(
            option.name == "ids" and option.origin == "modprobe"
            for option in self.known_options("vfio_pci")
        )

    def _ids(self, value: str | None, origin: str, quote: Quote) -> tuple[IdPattern, ...]:
        if len(value or "") > vfioids.LONGEST:
            return ()
        return vfioids.parse(value or "", origin, quote)[0]


def _names(item: Item) -> frozenset[str]:
    """Module names of a list of paths (`kernel/drivers/vfio/vfio.ko.zst: dependency ...`)."""
    found = (module_name(line.partition(":")[0].strip()) for line in item.lines)
    return frozenset(name for name in found if name)
