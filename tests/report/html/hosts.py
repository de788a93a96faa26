"""Hosts to be drawn: functions as a result tells them."""

from __future__ import annotations

from typing import Any

from pytest_vfio.judge.result import Answer, DeviceResult, FactsResult, Switch


def function(address: str, class_code: str = "020000", **known: Any) -> DeviceResult:
    """A function of which only what is given is known."""
    plain = {
        "id": "8086:10c9",
        "driver": None,
        "group": None,
        "intended": False,
        "intent_from": None,
        "guest": None,
        "assignable": Answer.UNKNOWN,
        "sentence": f"{address} is not to be passed through",
    }
    told = {"label": address, "address": address, "class_code": class_code} | plain | known
    return DeviceResult(**told)


def facts(*devices: DeviceResult) -> FactsResult:
    """A host with these functions."""
    return FactsResult("6.12.0", "intel", Switch.ON, Switch.ON, devices)


def virtual_functions(many: int) -> tuple[DeviceResult, ...]:
    """A PF below a port on node 0, with so many VFs, each a group of its own."""
    port = function("0000:16:02.0", "060400", driver="pcieport", numa_node=0, group=1)
    known = {"parent": port.address, "numa_node": 0}
    physical = function("0000:17:00.0", driver="ice", group=2, vfs=many, **known)
    return (
        port,
        physical,
        *(
            function(
                f"0000:{0x17 + (number >> 8):02x}:{number >> 3 & 31:02x}.{number & 7}",
                driver="vfio-pci",
                group=number + 2,
                physfn=physical.address,
                **known,
            )
            for number in range(1, many + 1)
        ),
    )
