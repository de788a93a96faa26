"""Why functions share an IOMMU group: what of the hardware does not isolate.

Follows `pci_device_group` (`drivers/iommu/iommu.c`) and `pci_acs_enabled` (`drivers/pci/pci.c`).
The group itself is the judge, kernel quirks included; ACS bits only explain it (S33).
"""

from __future__ import annotations

import msgspec

from pytest_vfio.evidence import Missing, Quote
from pytest_vfio.facts.pci.functions import PciFunction
from pytest_vfio.facts.pci.views import SYSFS
from pytest_vfio.facts.tristate import Found, known, search
from pytest_vfio.hypervisor.groups import Group
from pytest_vfio.parse.pciaddress import split

_PORTS = {4: "root port", 6: "downstream port"}
_TO_PCI = 7


class Reason(msgspec.Struct, frozen=True):
    """Why a group is shared, and which entry of the failure catalogue that is."""

    words: str
    ref: str
    quotes: tuple[Quote, ...] = ()


def endpoints(group: Group) -> Found[str]:
    """The members that are no bridges, and what was not read of the others."""

    def is_endpoint(member: str) -> bool:
        function = group.pci.known.get(member)
        if function is None:
            raise Missing(group.pci.evidence.item(SYSFS))
        return not function.is_bridge

    return search(group.members, is_endpoint)


def explain(group: Group) -> Reason:
    """The first cause that the members themselves show; what was not read is said."""
    functions = group.functions
    for function in functions:
        reason = _bridge(function)
        if reason is not None:
            return reason
    slots = {split(member)[:3] for member in group.members}
    if len(slots) == 1:
        if any(one.knows("physfn") and one.physfn is not None for one in functions):
            return Reason("VFs that the port above does not keep apart", "F95")
        lacking = next((one for one in functions if _no_acs(one)), None)
        if lacking is None:
            return Reason("the card does not isolate its functions (its ACS was not read)", "F94")
        words = "the card does not isolate its functions (no ACS)"
        return Reason(words, "F94", (lacking.quote("config"),))
    return _ports(functions)


def _bridge(function: PciFunction) -> Reason | None:
    """A bridge to conventional PCI: everything behind it has one requester id."""
    if not known(lambda: function.is_bridge and function.config.port_type == _TO_PCI):
        return None
    words = f"{function.address} bridges to conventional PCI, where nothing is isolated"
    return Reason(words, "F96", (function.quote("config"),))


def _no_acs(function: PciFunction) -> bool:
    if not function.knows("config") or function.config.extended is None:
        return False
    return function.config.acs is None


def _ports(functions: tuple[PciFunction, ...]) -> Reason:
    """A port among the members, or above them, that does not isolate what is below it."""
    for function in functions:
        if not function.knows("config"):
            continue
        config = function.config
        kind = _PORTS.get(config.port_type if config.port_type is not None else -1)
        if kind is None or config.extended is None:
            continue
        if config.acs is None:
            words = f"the {kind} {function.address} has no ACS"
            return Reason(words, "F95", (function.quote("config"),))
        if config.acs_lacks:
            off = ", ".join(config.acs_lacks)
            words = f"the {kind} {function.address} has {off} of ACS switched off"
            return Reason(words, "F13", (function.quote("config"),))
    return Reason("a port or switch above does not isolate them (its ACS was not read)", "F95")
