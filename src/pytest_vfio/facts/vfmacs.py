"""The MAC addresses that a PF has set for its VFs: `vfinfo_list` of `ip -j -d link`, or its text."""

from __future__ import annotations

import json
import re

from pytest_vfio.evidence import Evidence, Item, Missing, Quote, Status
from pytest_vfio.facts.pci import PciFunction

ITEM = "ip/link"
_MAC = re.compile(r"[0-9a-f]{2}(?::[0-9a-f]{2}){5}")


def of(evidence: Evidence, pf: PciFunction, vf: PciFunction) -> tuple[str, Quote]:
    """A VF's MAC as its PF has it, zeros where none is set. Raises Missing where nobody tells."""
    item = evidence.item(ITEM)
    number = pf.virtfns.index(vf.address) if vf.address in pf.virtfns else None
    links = _links(item)
    for link in links:
        if link.get("ifname") not in pf.netdevs:
            continue
        for entry in link.get("vfinfo_list") or ():
            if isinstance(entry, dict) and entry.get("vf") == number and number is not None:
                mac = str(entry.get("mac") or entry.get("address") or "").lower()
                if _MAC.fullmatch(mac):
                    return mac, item.quote(f"{link['ifname']} vf {number} mac {mac}")
    if item.status is Status.PRESENT and item.whole:
        item = Item(ITEM, Status.FAILED, detail=f"does not show {vf.address} at its PF")
    raise Missing(item)


def _links(item: Item) -> list[dict[str, object]]:
    try:
        links = json.loads(item.text)
    except (ValueError, RecursionError):
        return []
    return [link for link in links if isinstance(link, dict)] if isinstance(links, list) else []
