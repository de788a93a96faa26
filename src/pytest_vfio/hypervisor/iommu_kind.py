"""Whose IOMMU a machine has, for the words that concern only one vendor's.

Tables and drivers tell (`iommu.kind`), never the CPU alone: emulated machines pair one vendor's
processor with the other's IOMMU. Where the tables were not read, the CPU's vendor is enough to
suspect, and not enough to acquit.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from pytest_vfio.evidence import Missing, Quote

if TYPE_CHECKING:
    from pytest_vfio.hypervisor.hypervisor import Hypervisor

DEFAULT_ON = ("INTEL_IOMMU_DEFAULT_ON", "INTEL_IOMMU_DEFAULT_ON_INTGPU_OFF")
#: What a log says of the firmware's tables and of the processor.
LOGGED = {
    "intel": r"ACPI: DMAR 0x|DMAR: Host address width|DMAR: DRHD base|smpboot: CPU0: Intel",
    "amd": r"ACPI: IVRS 0x|AMD-Vi: (?:ivrs|Using global IVHD)|smpboot: CPU0: (?:AMD|Hygon)",
    "smmu": r"ACPI: IORT 0x|arm-smmu",
}
BY_CPU = {"intel": "intel", "amd": "amd", "hygon": "amd", "arm": "smmu"}


def is_of(hypervisor: Hypervisor, kind: str) -> bool:
    """The IOMMU is of this kind (`intel`, `amd`, `smmu`), or would be if firmware described one.

    False only where tables or drivers say so. Raises Missing where neither they nor the CPU tell.
    """
    try:
        known = hypervisor.iommu.kind
    except Missing as missing:
        if hypervisor.klog.first(LOGGED[kind]) or _by_cpu(hypervisor, missing) == kind:
            return True
        raise
    return known == kind or (known is None and _by_cpu(hypervisor, None) == kind)


def _by_cpu(hypervisor: Hypervisor, reason: Missing | None) -> str | None:
    try:
        return BY_CPU.get(hypervisor.cpu.vendor)
    except Missing:
        if reason is not None:
            raise reason from None
        raise


def waits_for_word(hypervisor: Hypervisor) -> Quote | None:
    """What shows that the kernel does not switch Intel's IOMMU on unasked; None: it does.

    Its configuration tells (Debian's variant of the option leaves out graphics); where that was
    not read, an IOMMU that is off tells as well. Raises Missing where neither is known.
    """
    kernel = hypervisor.kernel
    try:
        options = [kernel.config(name) for name in DEFAULT_ON]
    except Missing:
        if hypervisor.iommu.proven_on or hypervisor.iommu.on:
            return None
        return hypervisor.iommu.quote
    return None if "y" in options else kernel.config_quote(DEFAULT_ON[0])
