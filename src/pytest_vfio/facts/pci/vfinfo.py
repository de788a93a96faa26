"""What `ip -j -d link` says of the virtual functions of each interface (`vfinfo_list`).

The host's administrator sets these on the PF; a guest cannot (iproute2, ip-link(8); F134).
"""

from __future__ import annotations

from collections.abc import Mapping

import msgspec

from pytest_vfio.evidence import Evidence, Item, Lack, Missing, Quote, Status
from pytest_vfio.parse.iproute import elements

ITEM = "ip/link"


class VfPolicy(msgspec.Struct, frozen=True):
    """One VF's settings. `trust` and `spoofchk` are None where the driver has no such switch."""

    interface: str
    number: int
    mac: str
    trust: bool | None
    spoofchk: bool | None
    quote: Quote

    @property
    def random_mac(self) -> bool:
        """No administrative MAC is set: the guest gets another one at every start."""
        return self.mac in ("", "00:00:00:00:00:00")


def policies(evidence: Evidence, interface: str) -> Mapping[int, VfPolicy]:
    """The VFs of an interface by number. Raises Missing where the interface was not read."""
    item = evidence.item(ITEM)
    found, whole = elements(item.text)
    for value in found:
        if value.get("ifname") == interface:
            entries = value.get("vfinfo_list")
            known = (
                [_policy(interface, entry, item) for entry in entries]
                if isinstance(entries, list)
                else []
            )
            return {policy.number: policy for policy in known if policy is not None}
    if item.whole and whole:
        raise Missing(Lack(f"{ITEM}/{interface}", Status.ABSENT))
    raise Missing(item)


def _policy(interface: str, entry: object, item: Item) -> VfPolicy | None:
    if not isinstance(entry, dict) or not isinstance(entry.get("vf"), int):
        return None
    mac = entry.get("mac") or entry.get("address")
    mac = mac if isinstance(mac, str) else ""
    trust, spoofchk = entry.get("trust"), entry.get("spoofchk")
    words = f"vf {entry['vf']} mac {mac[:20]} trust {trust} spoofchk {spoofchk}"
    return VfPolicy(
        interface,
        entry["vf"],
        mac,
        trust if isinstance(trust, bool) else None,
        spoofchk if isinstance(spoofchk, bool) else None,
        Quote(f"{ITEM}/{interface}", words, item.status.value),
    )
