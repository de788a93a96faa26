"""Sick guests of which less and less was read: no check of libvirt or guests gets better by it."""

from __future__ import annotations

from functools import cache
from types import MappingProxyType

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from msgspec.structs import replace

from pytest_vfio.check import Outcome
from pytest_vfio.declared import Declared, WantedGuest
from pytest_vfio.evidence import Evidence, Status
from pytest_vfio.hypervisor.hypervisor import Hypervisor
from pytest_vfio.judge import suite
from pytest_vfio.judge.judgement import Judgement
from tests.hosts.guest_xml import domain, host, hostdev, nodedev
from tests.hosts.in_use import function, groups
from tests.hosts.plain import evidence

GOOD = (Outcome.PASS, Outcome.SKIP)
PF, SECOND, VF, BIG, LOST = (
    "0000:12:00.0", "0000:12:00.1", "0000:12:02.0", "0000:3b:00.0", "0000:3c:00.0",
)  # fmt: skip
#: Unmasked: a finding that is blocked here could hide one that got better.
CHECKS = suite.Suite(
    replace(one, needs=()) for one in suite.packaged() if one.id[:3] in ("LIB", "GST")
)
WANTED = Declared(guests={"a": WantedGuest((PF, LOST)), "gone": WantedGuest((BIG,))})

FUNCTIONS = {
    PF: function(PF, driver="i40e", group=1, virtfn0=f"../{VF}", sriov_numvfs="1"),
    SECOND: function(SECOND, driver="vfio-pci", group=1),
    VF: function(VF, driver="vfio-pci", group=2, physfn=f"../{PF}"),
    BIG: function(BIG, driver="vfio-pci", group=3)
    + f"\n{BIG}/resource=0x0000000800000000 0x0000000fffffffff 0x000000000014220c",
}
A = domain(
    "a",
    hostdev(PF, managed="no"),
    hostdev(VF, inside="00:05.0"),
    hostdev("0000:0c:00.0"),
    hostdev(BIG, inside="06:00.1", extra="<boot order='1'/>"),
    "<interface type='network'><source network='pool'/></interface>",
    "<iommu model='intel'><driver intremap='on'/></iommu>",
    "<interface type='user'><rom file='/closed/rom'/></interface>",
    "<interface type='bridge'><source bridge='br9'/></interface>",
    "<graphics type='vnc' port='22'/>",
    os="<boot dev='hd'/><loader>/gone/loader</loader>",
    memory="<memory unit='GiB'>4</memory><currentMemory unit='GiB'>2</currentMemory>",
    body="<memtune><hard_limit unit='GiB'>3</hard_limit></memtune>"
    "<numatune><memory mode='strict' nodeset='1'/></numatune>"
    "<memoryBacking><hugepages><page size='1' unit='GiB'/></hugepages></memoryBacking>",
)
B = domain(
    "b",
    hostdev(SECOND),
    hostdev(PF),
    hostdev(PF),
    hostdev(BIG, extra="<driver iommufd='yes'/>"),
    "<interface type='network'><source network='pool'/></interface>",
    machine="pc",
    type="qemu",
    body="<qemu:commandline><qemu:arg value='vfio-pci,host=3d:00.0'/></qemu:commandline>",
)
A_LIVE = domain("a", hostdev(VF, inside="00:05.0"), hostdev(SECOND, inside="05:00.0"), id=1)
STATUS = f"<domstatus state='paused' reason='user'>{A_LIVE}</domstatus>"
START = "2026-01-02 03:04:05.678+0000: starting up libvirt version: 11.3.0\n"
POOL = (
    "<network><name>pool</name><forward mode='hostdev'>"
    "<address type='pci' domain='0' bus='0x12' slot='0x2' function='0'/></forward></network>"
)

SICK = {
    **host(A, B, live=(A_LIVE,), autostart="a b", states={"a": "paused"}),
    "virsh/capabilities": "<capabilities><host>\n<iommu support='no'/>\n</host></capabilities>",
    "virsh/nodedev-dumpxml": "".join(
        nodedev(one, driver="igb", physfn=PF if one == VF else "") for one in FUNCTIONS
    ),
    "virsh/net-dumpxml": POOL,
    "libvirt/daemons": "7 virtqemud running\n",
    "etc/libvirt/qemu/": "a.xml\nb.xml\nautostart\n",
    "etc/libvirt/qemu/a.xml": A,
    "etc/libvirt/qemu/b.xml": B,
    "etc/libvirt/qemu/autostart/": "a.xml\nb.xml\n",
    "etc/libvirt/qemu/networks/": "pool.xml\n",
    "etc/libvirt/qemu/networks/pool.xml": POOL,
    "run/libvirt/qemu/": "a.xml\n",
    "run/libvirt/qemu/a.xml": STATUS,
    "etc/libvirt/qemu.conf": "dynamic_ownership = 0\n",
    "etc/default/libvirt-guests": "ON_SHUTDOWN=suspend\n",
    "etc/sysconfig/libvirt-guests": None,
    "etc/udev/rules.d/": "",
    "etc/systemd/network/": None,
    "dev/vfio/vfio": None,
    "dev/iommu": None,
    "sys/bus/pci/devices": "\n".join(FUNCTIONS.values()),
    "sys/kernel/iommu_groups": groups(FUNCTIONS),
    "sys/devices/system/node": "online=0\nnode0/hugepages/hugepages-1048576kB/nr_hugepages=1\n",
    "proc/meminfo": "MemTotal: 33554432 kB\nHugePages_Total: 0\nHugepagesize: 2048 kB\n",
    "dmesg": "[    0.000000] Linux version 6.1.0\n[    9.0] audit: type=1400 audit(1.2:3): "
    'apparmor="DENIED" operation="open" profile="libvirt-x" name="/dev/vfio/38" pid=7\n',
    "journal/libvirt": "Unmanaged PCI device 0000:12:00.0 must be manually detached from the host",
    "var/log/libvirt/qemu/": "a.log\n",
    "var/log/libvirt/qemu/a.log": START + "VFIO_MAP_DMA failed: Cannot allocate memory\n",
    "vfio/openers": "812 dpdk-testpmd /dev/vfio/1\n",
    "paths": "absent gone/loader\ndrwx------ 0 0 closed\n-rw-r--r-- 0 0 closed/rom\n"
    "-rwxr-xr-x 0 0 etc/libvirt/hooks/qemu\n",
    "users/qemu": "uid=64055(libvirt-qemu) gid=994(kvm) groups=994(kvm)\n",
    "etc/libvirt/hooks/": "qemu\n",
    "etc/libvirt/hooks/qemu": "#!/bin/sh\nexit 1\n",
    "dev/kvm": None,
    "run/libvirt/network/": "",
    "sys/class/net": "lo->../lo\n",
    "guest/a/lspci": "00:02.0 VGA [0300]: Red Hat [1b36:0100]\n",
}
WELL_LIVE = domain("a", hostdev(PF), id=1)
WELL = {
    **SICK,
    **host(domain("a", hostdev(PF)), live=(WELL_LIVE,)),
    "virsh/capabilities": "<capabilities><host>\n<iommu support='yes'/>\n</host></capabilities>",
    "dev/vfio/vfio": "crw-rw-rw- 1 root root 10, 196 /dev/vfio/vfio",
    "etc/libvirt/qemu/": "a.xml\n",
    "etc/libvirt/qemu/a.xml": domain("a", hostdev(PF)),
    "etc/libvirt/qemu/autostart/": "",
    "run/libvirt/qemu/a.xml": f"<domstatus state='running'>{WELL_LIVE}</domstatus>",
    "etc/libvirt/qemu.conf": "",
}
HOSTS = {"sick": SICK, "well": WELL}


def judge(read: Evidence) -> dict[tuple[str, str, str], Outcome]:
    return {f.key: f.outcome for f in Judgement(CHECKS, Hypervisor(read, WANTED))}


@cache
def before(name: str) -> dict[tuple[str, str, str], Outcome]:
    return judge(evidence(HOSTS[name]))


def complaints(name: str, less: Evidence) -> list[str]:
    after = judge(less)
    found = [f"{key} is an error" for key, now in after.items() if now is Outcome.ERROR]
    for key, was in before(name).items():
        now = after.get(key) or after.get((key[0], "host", "testhost"))
        if now is None or (was not in GOOD and now in GOOD):
            found.append(f"{key}: {was} became {now}")
    return found


def test_the_sick_host_fails_every_way():
    """The host of these tests is sick enough to notice."""
    failed = {key[0] for key, outcome in before("sick").items() if outcome is Outcome.FAIL}

    assert {one.id for one in CHECKS} - failed == {"LIB001"}


EACH = pytest.mark.parametrize(
    ("name", "item"), [(name, item) for name, items in HOSTS.items() for item in items]
)


@EACH
def test_an_item_less_is_never_better(name, item):
    """Without any one item nothing that was bad is good, and no finding is gone."""
    assert [] == complaints(name, evidence(HOSTS[name]).without([item]))


@EACH
def test_half_an_item_is_never_better(name, item):
    """An item cut in the middle proves what it shows, and no more."""
    read = evidence(HOSTS[name])
    whole = read.item(item)
    cut = replace(whole, status=Status.TRUNCATED, data=whole.data[: len(whole.data) // 2])

    assert [] == complaints(name, replace(read, items=MappingProxyType({**read.items, item: cut})))


@pytest.mark.parametrize("name", HOSTS)
@settings(max_examples=120)
@given(data=st.data())
def test_two_items_less_are_never_better(name, data):
    """Without any two items nothing that was bad is good, and no finding is gone."""
    gone = data.draw(st.lists(st.sampled_from(sorted(HOSTS[name])), min_size=2, max_size=2))

    assert [] == complaints(name, evidence(HOSTS[name]).without(gone))
