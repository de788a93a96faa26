"""What a guest sees of its devices, and what of the host comes in time for it.

`guest/NAME/lspci` is `lspci -nn` from inside a guest. No probe makes it: it needs the guest's
agent, or a person who took it along.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from pytest_vfio.evidence import Evidence, Item, Lack, Quote
from pytest_vfio.facts.tristate import ask, require

if TYPE_CHECKING:
    from pytest_vfio.facts.libvirt.guests import Domain
    from pytest_vfio.hypervisor.hypervisor import Hypervisor

# The last pair in brackets of a line without its revision; the class has no colon.
_ID = re.compile(r"\[([0-9a-fA-F]{4}:[0-9a-fA-F]{4})\]")
_RULES = "etc/udev/rules.d/"
_LINKS = "etc/systemd/network/"
_MAKES = re.compile(r"^(?!\s*#).*(?:sriov_numvfs|SR-IOVVirtualFunctions)", re.MULTILINE)


def item(hypervisor: Hypervisor, guest: str) -> Item:
    """The guest's own list of PCI functions, read or not."""
    return hypervisor.evidence.item(f"guest/{guest}/lspci")


def ids(listing: Item) -> tuple[str, ...]:
    """The vendor:device id of each function of `lspci -nn`."""
    found = (_ID.findall(line[:1000]) for line in listing.text.split("\n"))
    return tuple(pairs[-1].lower() for pairs in found if pairs)


def alike(hypervisor: Hypervisor, domain: Domain, id: str) -> int:
    """How many live host devices of a guest have that id. Raises Missing."""
    functions = [
        hypervisor.pci.get(hostdev.address)
        for hostdev in domain.hostdevs
        if hostdev.live and hostdev.address
    ]
    return sum(function.id == id for function in functions if function is not None)


def makers(evidence: Evidence) -> tuple[Quote, ...]:
    """The udev rules and .link files that make VFs. Raises Missing where one may not be read."""
    found: list[Quote] = []
    unread: list[Lack] = []
    for folder in (_RULES, _LINKS):
        files, lacking = ask(evidence.under, folder)
        unread.extend(lacking)
        for file in files or ():
            match = _MAKES.search(file.text)
            if match:
                found.append(file.quote(match[0].strip()[:400]))
            else:
                unread.extend(file.lacking)
    if not found:
        require(*unread)
    return tuple(found)
