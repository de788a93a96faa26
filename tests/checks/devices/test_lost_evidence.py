"""Whatever a host is like: with less evidence no device, group or VF looks better."""

from __future__ import annotations

import os
from itertools import combinations

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from pytest_vfio.check import Check, Outcome, Verdict
from pytest_vfio.declared import Declared, WantedDevice, WantedGuest
from pytest_vfio.evidence import Missing
from pytest_vfio.hypervisor.hypervisor import Hypervisor
from pytest_vfio.judge import suite
from pytest_vfio.judge.suite import layer
from tests.hosts.config_space import MSI, acs, ats, express, space
from tests.hosts.in_use import DISK, GUEST, NIC, SPARE
from tests.hosts.with_card import (
    BAR,
    CARD,
    LOG,
    PORT,
    TWIN,
    UNUSED,
    box,
    card,
    config,
    guest,
    lines,
    port,
)

GOOD = {Outcome.PASS, Outcome.SKIP}
#: Each example judges a host some thirty times; raise it to search for longer.
EXAMPLES = int(os.environ.get("VFIO_EXAMPLES", "6"))
CHECKS = [one for one in suite.packaged() if layer(one) in ("devices", "groups", "sriov")]
ITEMS = [
    "sys/bus/pci/devices", "sys/bus/pci/config", "sys/kernel/iommu_groups", "virsh/nodedev-dumpxml",
    "lspci", "listing/iommu_groups", "dmesg", "virsh/list", "virsh/dumpxml",
    "virsh/dumpxml-inactive", "proc/cmdline", "etc/modprobe.d/", "etc/driverctl.d/",
    "etc/udev/rules.d/", "proc/sys/kernel/osrelease", "proc/iomem", "proc/interrupts", "sys/module",
    "dev/vfio/", "ip/link", "sys/class/net", "proc/uptime",
]  # fmt: skip

#: The other functions of the host, so that every list of them is the same.
OTHERS = [
    (NIC, "igb", "8086:1521", "0x020000", 10), (SPARE, "igb", "8086:1521", "0x020000", 11),
    (DISK, "nvme", "144d:a808", "0x010802", 12), (GUEST, "vfio-pci", "8086:1572", "0x020000", 13),
    (PORT, "pcieport", "8086:2030", "0x060400", 37),
]  # fmt: skip

drivers = st.sampled_from([None, "vfio-pci", "i40e", "pci-stub"])
models = st.sampled_from(["8086:1572", "8086:37c8", "1002:731f", "10de:1b80"])
classes = st.sampled_from(["0x020000", "0x030000", "0x060400", "0x120000"])
logged = st.sampled_from(
    ["", "not ready 65535ms after FLR; giving up", "Masking broken INTx support",
     "BAR 0: failed to assign [mem size 0x1000]", "reset recovery - restoring BARs",
     "Unable to change power state from D3cold to D0, device inaccessible"]
)  # fmt: skip


def node(
    address: str, driver: str | None, id: str, cls: str, group: int, members: list[str]
) -> str:
    """libvirt's view of the same function."""
    vendor, device = id.split(":")
    bus, slot, part = int(address[5:7], 16), int(address[8:10], 16), address[-1]
    inside = "".join(
        f"<address domain='0x0000' bus='0x{one[5:7]}' slot='0x{one[8:10]}' function='0x{one[-1]}'/>"
        for one in members
    )
    bound = f"<driver><name>{driver}</name></driver>" if driver else ""
    return (
        f"<device><name>pci_{address.replace(':', '_').replace('.', '_')}</name>{bound}"
        f"<path>/sys/devices/pci0000:00/{PORT}/{address}</path>"
        f"<capability type='pci'><class>{cls}</class><domain>0</domain><bus>{bus}</bus>"
        f"<slot>{slot}</slot><function>{part}</function><product id='0x{device}'/>"
        f"<vendor id='0x{vendor}'/><iommuGroup number='{group}'>{inside}</iommuGroup>"
        "</capability></device>\n"
    )


@st.composite
def worlds(draw: st.DrawFn) -> tuple[dict[str, object], Declared]:
    """A host with two functions of one card, seen alike by every source."""
    both = draw(st.booleans())
    shared = 38 if draw(st.booleans()) else 39
    found = []
    for address, group in ((CARD, 38), (TWIN, shared))[: 1 + both]:
        found.append((address, draw(drivers), draw(models), draw(classes), group))
    files = draw(
        st.fixed_dictionaries(
            {},
            optional={
                "reset": st.just(""), "boot_vga": st.sampled_from("01"),
                "sriov_numvfs": st.sampled_from("02"), "sriov_totalvfs": st.just("64"),
                "current_link_width": st.sampled_from("48"), "max_link_width": st.just("8"),
                "current_link_speed": st.just("8.0 GT/s PCIe"),
                "max_link_speed": st.just("8.0 GT/s PCIe"), "irq": st.just("16"),
                "power__runtime_status": st.sampled_from(["active", "suspended"]),
            },
        )
    )  # fmt: skip
    trees, spaces, nodes, text, listing = [], {}, [], [], []
    for address, driver, id, cls, group in found:
        trees.append(card(address, driver=driver, id=id, cls=cls, group=group, **files))
        trees[-1] += "\n" + lines(address, "resource", draw(st.sampled_from([BAR, UNUSED])), UNUSED)
        vendor, device = (int(part, 16) for part in id.split(":"))
        data = space(
            vendor,
            device,
            cls=int(cls, 16),
            bars=[0xC],
            header=1 if cls == "0x060400" else 0,
            caps=[*draw(st.sampled_from([[], [MSI]])), express(flr=draw(st.booleans()))],
            ext=draw(st.sampled_from([[], [acs()], [ats()], [(0x1B, bytes(4))]])),
        )
        spaces[address] = draw(st.sampled_from([data, data, b"\xff" * 64, "not collected"]))
    for address, driver, id, cls, group in [*found, *OTHERS]:
        members = [one[0] for one in found if one[4] == group] or [address]
        nodes.append(node(address, driver, id, cls, group, members))
        text.append(f"{address} X [{cls[2:6]}]: Y [{id}]")
        text += [f"\tIOMMU group: {group}"] + (
            [f"\tKernel driver in use: {driver}"] if driver else []
        )
        text.append("\tKernel modules: i40e")
        listing.append(f"/sys/kernel/iommu_groups/{group}/devices/{address}")
    trees.append(port(max_link_width="16", max_link_speed="8.0 GT/s PCIe"))
    guests = draw(st.sampled_from([{}, guest(), guest(managed="no"), guest(runs=True)]))
    items: dict[str, object] = {
        "functions": trees,
        "sys/bus/pci/config": config(spaces),
        "virsh/nodedev-dumpxml": "".join(nodes),
        "lspci": "\n".join(text),
        "listing/iommu_groups": "\n".join(listing),
        "dmesg": f"{LOG}\n[   77.000000] vfio-pci {CARD}: {draw(logged)}\n",
        "proc/iomem": "00001000-00001fff : Reserved\n  c6000000-c62fffff : efifb\n",
        "proc/interrupts": "  16:   1   IR-IO-APIC   16-fasteoi   ehci_hcd:usb1\n",
        "proc/uptime": "3600.00 1.0",
        "sys/module": "vfio_pci=\nvfio_pci/parameters/nointxmask=N\nvendor_reset=",
        "dev/vfio/": draw(st.sampled_from(["vfio", "38\nvfio"])),
        "proc/cmdline": draw(st.sampled_from(["ro", "ro vfio-pci.ids=8086:1572"])),
        **guests,
    }
    wanted = [WantedDevice(address=CARD, vfs=draw(st.sampled_from([None, 4])))]
    if draw(st.booleans()):
        wanted.append(WantedDevice(address=TWIN))
    named = draw(st.sampled_from([{}, {"vm": WantedGuest((CARD,))}]))
    return items, Declared(devices=tuple(wanted), guests=named)


def hosted(world: tuple[dict[str, object], Declared], without: tuple[str, ...] = ()) -> Hypervisor:
    items, declared = world
    rest = {name: what for name, what in items.items() if name != "functions"}
    return box(*items["functions"], declared=declared, without=without, **rest)  # type: ignore[misc,arg-type]


def judge(check: Check, found: Hypervisor, subject: object | None) -> Verdict | None:
    """The verdict, None for unknown."""
    try:
        return check.function(found, *(() if subject is None else (subject,)))
    except Missing:
        return None


def subjects(kind: str, found: Hypervisor) -> dict[object, object]:
    if kind == "host":
        return {None: None}
    if kind == "group":
        return dict(found.groups.known)
    return {device.name: device for device in found.intent.known}


def verdicts(found: Hypervisor) -> dict[tuple[str, object], Verdict | None]:
    return {
        (one.id, name): judge(one, found, subject)
        for one in CHECKS
        for name, subject in subjects(one.subject, found).items()
    }


@settings(max_examples=EXAMPLES, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(worlds(), st.lists(st.sampled_from(list(combinations(ITEMS, 2))), min_size=8, max_size=8))
def test_less_evidence_never_looks_better(world, pairs):
    """Without any one item, and without some pairs: no fail and no unknown becomes a pass."""
    before = verdicts(hosted(world))
    for lost in [*((name,) for name in ITEMS), *pairs]:
        for key, now in verdicts(hosted(world, lost)).items():
            was = before.get(key)
            if now is not None and now.outcome in GOOD and key in before:
                assert was is not None, (key, lost, "unknown", now.message)
                assert was.outcome in GOOD, (key, lost, was.message, now.message)
