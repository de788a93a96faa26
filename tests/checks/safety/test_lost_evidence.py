"""Sick hosts of which less and less was read: no check of safety or tuning gets better by it."""

from __future__ import annotations

from functools import cache

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from msgspec.structs import replace

from pytest_vfio.check import Outcome
from pytest_vfio.declared import Declared, WantedDevice
from pytest_vfio.evidence import Evidence
from pytest_vfio.hypervisor.hypervisor import Hypervisor
from pytest_vfio.judge import suite
from pytest_vfio.judge.judgement import Judgement
from tests.hosts.in_use import (
    DISK,
    FUNCTIONS,
    GUEST,
    NET,
    NIC,
    SPARE,
    addresses,
    function,
    groups,
    host,
)
from tests.hosts.plain import evidence

GOOD = (Outcome.PASS, Outcome.SKIP)
#: Unmasked: a finding that is blocked here could hide one that got better.
CHECKS = suite.Suite(
    replace(one, needs=()) for one in suite.packaged() if one.id[:3] in ("SAF", "TUN")
)


def xml(name: str, *devices: str, id: str = "") -> str:
    """A guest of 64 GiB with managed hostdevs."""
    parts = []
    for address in devices:
        _, bus, rest = address.split(":")
        parts.append(
            "<hostdev mode='subsystem' type='pci' managed='yes'><source><address domain='0x0000' "
            f"bus='0x{bus}' slot='0x{rest[:2]}' function='0x{rest[3:]}'/></source></hostdev>"
        )
    return (
        f"<domain type='kvm'{id}><name>{name}</name><memory unit='GiB'>64</memory>"
        f"<cputune><vcpupin vcpu='0' cpuset='4-7'/></cputune>"
        f"<devices>{''.join(parts)}</devices></domain>"
    )


def sick() -> dict[str, object]:
    """Everything wrong at once."""
    mates = {
        **FUNCTIONS,
        DISK: function(DISK, driver="nvme", id="144d:a808", cls="0x010802", group=13),
        GUEST: function(GUEST, driver="vfio-pci", group=13, numa=0),
        "0000:00:1f.0": function("0000:00:1f.0", driver=None, cls="0x060100", group=13),
    }
    return host(
        **{
            "sys/bus/pci/devices": "\n".join(mates.values()),
            "sys/kernel/iommu_groups": groups(mates, "DMA-FQ"),
            "ip/addr": addresses(br0="192.0.2.5/24", eth1="203.0.113.5/24"),
            "sys/class/net": NET,
            "proc/cmdline": "root=/dev/vda vfio-pci.ids=8086:1521 intremap=nopost",
            "etc/modprobe.d/": "b.conf",
            "etc/modprobe.d/b.conf": "blacklist nvme\n",
            "sys/module": "vfio_pci=\nvfio_pci/parameters/disable_denylist=Y\nkvm_intel=\n"
            "kvm_intel/parameters/enable_apicv=N",
            "etc/driverctl.d/": f"{DISK}\n0000:09:00.0",
            f"etc/driverctl.d/{DISK}": "vfio-pci",
            "etc/driverctl.d/0000:09:00.0": "vfio-pci",
            "virsh/list": " 1   nfv1    running\n -   thief   shut off\n",
            "virsh/list-autostart": "thief",
            "virsh/dumpxml": xml("nfv1", GUEST, id=" id='1'") + xml("thief", NIC),
            "virsh/dumpxml-inactive": xml("nfv1", GUEST) + xml("thief", NIC),
            "systemd/sleep-targets": "static\nstatic\n",
            "sys/devices/system/node": "online=0-1\nnode0/cpulist=0-3\nnode1/cpulist=4-7",
            "proc/meminfo": "MemTotal: 33554432 kB\n",
            "proc/interrupts": "CPU0 CPU4\n 5: 1 90 IR-PCI-MSI 1-edge vfio-msix[0](0000:04:00.0)\n",
            "dmesg": "[    0.000000] Linux version 6.1.0\n",
        }
    )


HOSTS = {"sick": sick(), "living": host()}
WANTED = Declared(devices=tuple(WantedDevice(address=one) for one in (NIC, SPARE, GUEST)))


def judge(read: Evidence) -> dict[tuple[str, str, str], Outcome]:
    found = Judgement(CHECKS, Hypervisor(read, WANTED))
    return {finding.key: finding.outcome for finding in found}


@cache
def before(name: str) -> dict[tuple[str, str, str], Outcome]:
    return judge(evidence(HOSTS[name]))


def complaints(name: str, gone: list[str]) -> list[str]:
    after = judge(evidence(HOSTS[name]).without(gone))
    found = [f"{key} is an error" for key, now in after.items() if now is Outcome.ERROR]
    for key, was in before(name).items():
        now = after.get(key) or after.get((key[0], "host", "testhost"))
        if now is None or (was not in GOOD and now in GOOD):
            found.append(f"{key}: {was} became {now} without {gone}")
    return found


def test_the_sick_host_fails_every_way():
    """The host of these tests is sick enough to notice."""
    failed = {key[0] for key, outcome in before("sick").items() if outcome is Outcome.FAIL}

    assert {
        "SAF001", "SAF002", "SAF003", "SAF004", "SAF005", "SAF006", "SAF007", "SAF009", "SAF010",
        "SAF012", "SAF014", "SAF016", "TUN001", "TUN002", "TUN003", "TUN004", "TUN007",
        "TUN009",
    } <= failed  # fmt: skip


@pytest.mark.parametrize(
    ("name", "item"), [(name, item) for name, items in HOSTS.items() for item in items]
)
def test_an_item_less_is_never_better(name, item):
    """Without any one item nothing that was bad is good, and no finding is gone."""
    assert [] == complaints(name, [item])


@pytest.mark.parametrize("name", HOSTS)
@settings(max_examples=60, deadline=None)
@given(data=st.data())
def test_two_items_less_are_never_better(name, data):
    """Without any two items nothing that was bad is good, and no finding is gone."""
    gone = data.draw(st.lists(st.sampled_from(sorted(HOSTS[name])), min_size=2, max_size=2))

    assert [] == complaints(name, gone)
