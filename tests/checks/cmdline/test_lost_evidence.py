"""Evidence that goes missing never makes a sick host's command line or drivers look better."""

from __future__ import annotations

import itertools
from types import MappingProxyType

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from msgspec import structs

from pytest_vfio.check import Outcome
from pytest_vfio.declared import Declared, WantedDevice
from pytest_vfio.evidence import Evidence, Missing, Status
from pytest_vfio.hypervisor.hypervisor import Hypervisor
from pytest_vfio.judge import suite
from tests.hosts import booting as bootchain
from tests.hosts import plain as build
from tests.hosts.booting import BUILTIN, CONFIG, NIC, grub_cfg, told

CHECKS = [check for check in suite.packaged() if check.id.startswith(("CMD", "DRV"))]
DECLARED = Declared(devices=(WantedDevice(address=NIC),))
BAD, GOOD = {Outcome.FAIL, Outcome.UNKNOWN}, {Outcome.PASS, Outcome.SKIP}

IDS = told("intel_iommu=on iommu=pt vfio-pci.ids=8086:1572")
CONF = {"etc/modprobe.d/": "v.conf", "etc/modprobe.d/v.conf": "options vfio-pci ids=8086:1572\n"}
EMULATED = {"proc/cpuinfo": "vendor_id\t: AuthenticAMD\nflags\t: lm svm\n"}
#: What is wrong with a host, and the driver that the NIC is bound to.
SICK: dict[str, tuple[dict[str, object], str]] = {
    "sound": ({}, "vfio-pci"),
    "not generated": ({"boot/grub/grub.cfg": grub_cfg("splash")}, "vfio-pci"),
    "not rebooted": (told("splash"), "vfio-pci"),
    "recovery": ({"proc/cmdline": "BOOT_IMAGE=/vmlinuz-6.1 ro single\n"}, "vfio-pci"),
    "saved entry": (
        {
            "boot/grub/grub.cfg": grub_cfg("iommu=pt").replace('"0"', '"${saved_entry}"'),
            "boot/grub/grubenv": "saved_entry=1>1\nnext_entry=1>1\n",
        },
        "vfio-pci",
    ),
    "drop-in": (
        {
            "etc/default/grub.d/": "50-cloudimg-settings.cfg",
            "etc/default/grub.d/50-cloudimg-settings.cfg": 'GRUB_CMDLINE_LINUX_DEFAULT="quiet"\n',
        },
        "vfio-pci",
    ),
    "misspelt": (told("intel_iommu=1"), "vfio-pci"),
    "off": (told("intel_iommu=on intel_iommu=off"), "vfio-pci"),
    "no word on an emulated machine": ({**told("quiet"), **EMULATED}, "vfio-pci"),
    "off on an emulated machine": ({**told("intel_iommu=off"), **EMULATED}, "vfio-pci"),
    "no vfio in initramfs": ({**IDS, "initramfs": "lib/modules/x/i40e.ko\n"}, "i40e"),
    "built-in vfio with options": ({**CONF, **BUILTIN}, "i40e"),
    "built-in host driver": (
        {
            **IDS,
            "modules.builtin": "kernel/i40e.ko\n",
            "sys/module": "i40e=\nvfio_pci=\nvfio_pci/initstate=live\n",
            "kernel-config": CONFIG.replace("CONFIG_I40E=m", "CONFIG_I40E=y"),
        },
        "i40e",
    ),
    "two lists": ({**told("vfio-pci.ids=8086:1 -- vfio-pci.ids=8086:1572"), **CONF}, "i40e"),
    "behind dashes": ({**told("-- vfio-pci.ids=8086:1572"), **BUILTIN}, "i40e"),
    "blacklists": (
        {
            "etc/modprobe.d/": "b.conf",
            "etc/modprobe.d/b.conf": "blacklist i40e\nblacklist vfio-pci\n",
        },
        "i40e",
    ),
}
each_host = pytest.mark.parametrize("name", SICK)


def judge(read: Evidence) -> dict[str, Outcome]:
    """What every check says of the host, or of its NIC."""
    host = Hypervisor(read, DECLARED)
    found: dict[str, Outcome] = {}
    for check in CHECKS:
        subjects = () if check.subject == "host" else (host.intent.known[0],)
        try:
            found[check.id] = check.function(host, *subjects).outcome
        except Missing:
            found[check.id] = Outcome.UNKNOWN
    return found


def whole(name: str) -> Evidence:
    changes, driver = SICK[name]
    return build.evidence(bootchain.items(changes, driver=driver))


def better(before: dict[str, Outcome], after: dict[str, Outcome]) -> list[str]:
    """The checks that look better now."""
    return [id for id, was in before.items() if was in BAD and after[id] in GOOD]


def cut(read: Evidence, name: str) -> Evidence:
    """The same evidence with one item cut in the middle."""
    item = read.item(name)
    half = structs.replace(item, status=Status.TRUNCATED, data=item.data[: len(item.data) // 2])
    return structs.replace(read, items=MappingProxyType({**read.items, name: half}))


@each_host
def test_an_item_less_or_half_an_item_is_never_better(name):
    """Each single one."""
    read = whole(name)
    before = judge(read)

    assert {} == {
        item: worse
        for item in read.items
        for less in (read.without([item]), cut(read, item))
        if (worse := better(before, judge(less)))
    }


@settings(max_examples=60, deadline=None)
@given(st.data())
def test_two_items_less_are_never_better(data):
    """Any pair."""
    name = data.draw(st.sampled_from(sorted(SICK)))
    read = whole(name)
    pair = data.draw(st.sampled_from(list(itertools.combinations(read.items, 2))))

    assert [] == better(judge(read), judge(read.without(pair)))
