"""A small host that lives on some of its devices, for tests of what must not be taken away.

Functions: 0000:02:00.0 and .1 are NICs (`eth0`, `eth1`), 0000:03:00.0 is an NVMe drive with `/` on
LVM on LUKS, 0000:04:00.0 is a NIC for guests. Each test changes what it is about.
"""

from __future__ import annotations

import json
from collections.abc import Mapping

from pytest_vfio.evidence import Item, Status

Content = str | bytes | Status | Item | None

NIC, SPARE, DISK, GUEST = "0000:02:00.0", "0000:02:00.1", "0000:03:00.0", "0000:04:00.0"


def function(
    address: str,
    *,
    driver: str | None,
    id: str = "8086:1572",
    cls: str = "0x020000",
    group: int | None = None,
    numa: int = -1,
    above: str = "0000:00:1c.0",
    **files: str,
) -> str:
    """The lines of one PCI function in the tree `sys/bus/pci/devices`."""
    vendor, device = id.split(":")
    lines = [
        f"{address}->../../../devices/pci0000:00/{above}/{address}",
        f"{address}/vendor=0x{vendor}",
        f"{address}/device=0x{device}",
        f"{address}/subsystem_vendor=0x103c",
        f"{address}/subsystem_device=0x22fc",
        f"{address}/class={cls}",
        f"{address}/numa_node={numa}",
        f"{address}/driver_override=(null)",
    ]
    if driver is not None:
        lines.append(f"{address}/driver->../../../../bus/pci/drivers/{driver}")
    if group is not None:
        lines.append(f"{address}/iommu_group->../../../../kernel/iommu_groups/{group}")
    for name, value in files.items():
        mark = "->" if name == "physfn" or name.startswith("virtfn") else "="
        lines.append(f"{address}/{name}{mark}{value}")
    return "\n".join(lines)


def lines(*texts: str) -> str:
    """An item's text of these lines."""
    return "\n".join(texts)


FUNCTIONS = {
    NIC: function(NIC, driver="igb", id="8086:1521", group=10),
    SPARE: function(SPARE, driver="igb", id="8086:1521", group=11),
    DISK: function(DISK, driver="nvme", id="144d:a808", cls="0x010802", group=12),
    GUEST: function(GUEST, driver="vfio-pci", id="8086:1572", group=13),
}


def groups(functions: Mapping[str, str], type: str = "identity") -> str:
    """The tree `sys/kernel/iommu_groups` that goes with these functions."""
    lines = []
    for address, text in functions.items():
        for line in text.split("\n"):
            if "/iommu_group->" in line:
                number = line.rpartition("/")[2]
                lines.append(f"{number}/devices/{address}->../../../../devices/{address}")
                lines.append(f"{number}/type={type}")
    return "\n".join(lines)


NET = """\
lo->../../devices/virtual/net/lo
eth0->../../devices/pci0000:00/0000:00:1c.0/0000:02:00.0/net/eth0
eth0/master->../../../../virtual/net/br0
eth1->../../devices/pci0000:00/0000:00:1c.0/0000:02:00.1/net/eth1
br0->../../devices/virtual/net/br0
br0/bridge/stp_state=0
br0/lower_eth0->../../../pci0000:00/0000:00:1c.0/0000:02:00.0/net/eth0"""

BLOCK = """\
loop0->../../devices/virtual/block/loop0
loop0/dev=7:0
nvme0n1->../../devices/pci0000:00/0000:00:1d.0/0000:03:00.0/nvme/nvme0/nvme0n1
nvme0n1/dev=259:0
nvme0n1p2->../../devices/pci0000:00/0000:00:1d.0/0000:03:00.0/nvme/nvme0/nvme0n1/nvme0n1p2
nvme0n1p2/dev=259:2
dm-0->../../devices/virtual/block/dm-0
dm-0/dev=253:0
dm-0/dm/name=nvme0n1p2_crypt
dm-0/dm/uuid=CRYPT-LUKS2-1f-nvme0n1p2_crypt
dm-0/slaves/nvme0n1p2=
dm-1->../../devices/virtual/block/dm-1
dm-1/dev=253:1
dm-1/dm/name=vg0-root
dm-1/dm/uuid=LVM-abc
dm-1/slaves/dm-0="""

MOUNTS = """\
22 27 0:21 / /proc rw,relatime - proc proc rw
27 1 253:1 / / rw,relatime shared:1 - ext4 /dev/mapper/vg0-root rw
30 27 0:40 / /run rw,nosuid - tmpfs tmpfs rw,mode=755"""


def addresses(**inets: str) -> str:
    """What `ip -j -d addr` prints: `addresses(eth0="192.0.2.5/24")`."""
    links = []
    for name, inet in {"lo": "127.0.0.1/8", **inets}.items():
        local, _, length = inet.partition("/")
        links.append({"ifname": name, "addr_info": [{"local": local, "prefixlen": int(length)}]})
    return json.dumps(links)


def routes(*lines: str) -> str:
    """What `ip -j route` prints for `default dev br0` and the like."""
    found = []
    for line in lines:
        target, _, device = line.partition(" dev ")
        found.append({"type": "unicast", "dst": target, "dev": device, "flags": []})
    return json.dumps(found)


SSHD = 'ESTAB 0 0 192.0.2.5:22 192.0.2.9:50000 users:(("sshd",pid=7,fd=4),("sshd",pid=5,fd=4))'


def host(**changes: Content) -> dict[str, Content]:
    """The items of the host; a changed item is named with `_` for `/` where it has no dash."""
    items: dict[str, Content] = {
        "sys/bus/pci/devices": "\n".join(FUNCTIONS.values()),
        "sys/kernel/iommu_groups": groups(FUNCTIONS),
        "sys/class/iommu": "dmar0/intel-iommu/cap=d2008c40660462\ndmar0/intel-iommu/ecap=f050da",
        "sys/class/net": NET,
        "sys/class/block": BLOCK,
        "ip/addr": addresses(br0="192.0.2.5/24"),
        "ip/link": "[]",
        "ip/route4": routes("default dev br0", "192.0.2.0/24 dev br0"),
        "ip/route6": "[]",
        "sockets/sshd": SSHD,
        "proc/self/mountinfo": MOUNTS,
        "proc/swaps": "Filename Type Size Used Priority",
        "etc/fstab": "# nothing",
        "lsblk": '{"blockdevices": []}',
        "proc/cmdline": "BOOT_IMAGE=/vmlinuz-6.1.0-18-amd64 root=/dev/vg0/root ro quiet",
        "proc/bus/input/devices": "",
        "proc/sys/kernel/osrelease": "6.1.0-18-amd64",
        "etc/modprobe.d/": "",
        "usr/lib/modprobe.d/": "",
        "lib/modprobe.d/": None,
        "run/modprobe.d/": None,
        "usr/local/lib/modprobe.d/": None,
        "proc/bootconfig": None,
        "etc/driverctl.d/": None,
        "etc/udev/rules.d/": "",
        "virsh/list": " Id   Name   State\n--------------------",
        "virsh/list-autostart": "",
        "virsh/dumpxml": "",
        "virsh/dumpxml-inactive": "",
    }
    return items | changes
