"""Hosts on which everything is wrong, so that less evidence has much to make better.

No host can have every fault: `worlds` is one whose IOMMU is on, with devices, groups, guests and
tuning at fault; one whose IOMMU is off, with command line, boot chain, drivers and tables at
fault; and an AMD machine. What they say of themselves agrees: configuration bytes with sysfs, log
with state.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from types import MappingProxyType

from pytest_vfio.declared import Declared, WantedDevice, WantedGuest
from pytest_vfio.evidence import Evidence
from tests.hosts import acpi_tables as tables
from tests.hosts import booting, plain
from tests.hosts.config_space import MSIX, ats, express, space
from tests.hosts.guest_xml import domain, hostdev, nodedev
from tests.hosts.guest_xml import host as guests
from tests.hosts.in_use import addresses, function, groups, routes
from tests.hosts.in_use import host as in_use
from tests.hosts.with_card import config, lines

Content = Mapping[str, object]

CARD, TWIN, PORT = "0000:12:00.0", "0000:12:00.1", "0000:11:00.0"
GPU, SOUND, ACCELERATOR = "0000:13:00.0", "0000:13:00.1", "0000:14:00.0"
DEAD, OLD, BRIDGE, ISA = "0000:16:00.0", "0000:17:00.0", "0000:15:00.0", "0000:00:1f.0"
ADAPTER, VIRTUAL, NIC, DISK = "0000:18:00.0", "0000:18:02.0", "0000:02:00.0", "0000:03:00.0"
ABSENT = "0000:99:00.0"

_LINK = {"current_link_speed": "2.5 GT/s PCIe", "max_link_speed": "8.0 GT/s PCIe",
         "current_link_width": "1", "max_link_width": "8"}  # fmt: skip
_BIG = "0x0000004000000000 0x00000043ffffffff 0x000000000014220c"
_SMALL = "0x00000000c6000400 0x00000000c60007ff 0x0000000000040200"
_NONE = "0x0000000000000000 0x0000000000000000 0x0000000000000000"
_LOST = "0x0000000000000000 0x000000000000ffff 0x0000000020040200"


def _files(address: str, **files: str) -> str:
    """Further files of a function; `__` is a slash."""
    return "\n".join(f"{address}/{name.replace('__', '/')}={text}" for name, text in files.items())


def _functions(driver: str) -> dict[str, str]:
    """The PCI functions; those for guests have this driver of the host."""
    quick = {"current_link_speed": "8.0 GT/s PCIe", "max_link_speed": "8.0 GT/s PCIe",
             "current_link_width": "16", "max_link_width": "16"}  # fmt: skip
    one = {
        NIC: function(NIC, driver="igb", id="8086:1521", group=10),
        DISK: function(DISK, driver="nvme", id="144d:a808", cls="0x010802", group=12),
        ISA: function(ISA, driver="lpc_ich", cls="0x060100", id="8086:a1c1", group=38),
        PORT: function(PORT, driver="pcieport", cls="0x060400", id="8086:2030", group=37),
        CARD: function(CARD, driver=driver, group=38, above=PORT),
        TWIN: function(TWIN, driver="i40e", group=38, above=PORT),
        GPU: function(GPU, driver="vfio-pci", id="1002:731f", cls="0x030000", group=39),
        SOUND: function(SOUND, driver="snd_hda_intel", id="1002:ab38", cls="0x040300", group=39),
        ACCELERATOR: function(ACCELERATOR, driver="c6xx", id="8086:37c8", cls="0x0b4000", group=41),
        DEAD: function(DEAD, driver="vfio-pci", group=42),
        OLD: function(OLD, driver="vfio-pci", id="10ec:8139", group=43),
        BRIDGE: function(BRIDGE, driver="pcieport", cls="0x060400", id="8086:2031", group=44),
        ADAPTER: function(ADAPTER, driver="vfio-pci", group=45, above=PORT),
        VIRTUAL: function(VIRTUAL, driver="iavf", id="8086:154c", group=45, above=PORT,
                          physfn=f"../{ADAPTER}"),
    }  # fmt: skip
    for each in (CARD, DEAD, OLD, TWIN, GPU):
        one[each] = one[each].replace("driver_override=(null)", "driver_override=none")
    more = {
        CARD: [
            lines(CARD, "resource", _SMALL, _LOST, *[_NONE] * 5),
            lines(CARD, "aer_dev_fatal", "Undefined 0", "TOTAL_ERR_FATAL 3"),
            lines(CARD, "aer_dev_correctable", "RxErr 9", "TOTAL_ERR_COR 90000"),
            _files(CARD, sriov_totalvfs="4", sriov_numvfs="2", power_state="D0", **_LINK),
        ],
        PORT: [_files(PORT, secondary_bus_number="18", subordinate_bus_number="18", **quick)],
        GPU: [
            lines(GPU, "resource", _BIG, *[_NONE] * 6),
            _files(GPU, boot_vga="1", reset="", reset_method="bus", sriov_totalvfs="2",
                   sriov_numvfs="1", **quick),
        ],
        OLD: [_files(OLD, irq="16"), lines(OLD, "resource", *[_NONE] * 7)],
        ADAPTER: [
            lines(ADAPTER, "resource", *[_NONE] * 13),
            f"{ADAPTER}/virtfn0->../{VIRTUAL}",
            _files(ADAPTER, sriov_totalvfs="2", sriov_numvfs="1", sriov_offset="16",
                   sriov_stride="1", sriov_drivers_autoprobe="1", net__ens1=""),
        ],
    }  # fmt: skip
    return {where: "\n".join([text, *more.get(where, ())]) for where, text in one.items()}


_BYTES = config(
    {
        CARD: space(caps=[express(flr=False)], bars=[0xC6000000, 0xC7000000]),
        TWIN: space(caps=[MSIX, express()]),
        GPU: space(0x1002, 0x731F, cls=0x030000, caps=[express()],
                   ext=[ats(), (0x15, bytes(12)), (0x13, bytes(12)), (0x1B, bytes(4))]),
        DEAD: b"\xff" * 4096,
        OLD: space(0x10EC, 0x8139, caps=()),
        ADAPTER: space(caps=[MSIX, express()]),
    }
)  # fmt: skip

_LOG = [
    "Linux version 6.1.0-18-amd64 (x@y)",
    "DMAR: DRHD handling fault status reg 2",
    f"DMAR: [DMA Read] Request device [{CARD[5:]}] fault addr ff000000 [fault reason 06] PTE",
    f"DMAR: [DMA Write] Request device [{DISK[5:]}] fault addr ff000000 [fault reason 05] PTE",
    "DMAR: IOMMU feature sc_support inconsistent",
    "Your BIOS is broken; bad RMRR [0x0-0x1]",
    "DMAR: VT-d detected Invalidation Time-out Error: SID 0",
    "irq 16: nobody cared (try booting with the irqpoll option)",
    f"vfio-pci {CARD}: not ready 65535ms after FLR; giving up",
    f"vfio-pci {CARD}: vfio_bar_restore: reset recovery - restoring BARs",
    f"vfio-pci {CARD}: Invalid PCI ROM header signature: expecting 0xaa55, got 0xffff",
    f"vfio-pci {OLD}: Masking broken INTx support",
    f"i40e {CARD}: can't set Max Payload Size to 256",
    "pcieport 0000:11:00.0: pciehp: Slot(3): Link Down",
    "Loading of unsigned module is rejected",
    'audit: apparmor="DENIED" profile="libvirt-6695eb01" name="/dev/vfio/38" requested_mask="wr"',
    "Intel-IOMMU force enabled due to platform opt in",
    "Memory encryption detected - Disabling default IOMMU Passthrough",
]


def log(*said: str) -> str:
    """A whole kernel log."""
    return "".join(f"[{at:5}.000000] {line}\n" for at, line in enumerate(said))


def _guests() -> Content:
    """Guests that have what they must not have, in ways in which they must not have it."""
    tight = "<memory unit='GiB'>64</memory><currentMemory unit='GiB'>32</currentMemory>"
    body = (
        "<memtune><hard_limit unit='GiB'>1</hard_limit></memtune>\n"
        "<cpu mode='host-model'/>\n<cputune><vcpupin vcpu='0' cpuset='4'/></cputune>\n"
    )
    huge = "<memoryBacking><hugepages/></memoryBacking>\n"
    raw = f"<qemu:commandline><qemu:arg value='vfio-pci,host={OLD}'/></qemu:commandline>\n"
    boot = "<boot dev='hd'/>"
    first = [
        hostdev(CARD, managed="no", inside="00:05.1", extra="<boot order='1'/>"),
        hostdev(CARD, managed="no"),
        hostdev(NIC),
        hostdev(ABSENT),
        hostdev(VIRTUAL, managed="no"),
        "<iommu model='intel'/>",
    ]
    a = domain("a", *first, memory=tight, body=body + raw, os=boot, type="qemu")
    b = domain("b", hostdev(TWIN), hostdev(CARD), hostdev(GPU), memory=tight, body=huge,
               machine="pc-i440fx-8.2")  # fmt: skip
    lives = (a.replace("type='qemu'>", "type='qemu' id='1'>", 1),)
    listed = guests(a, b, live=lives, autostart="a b", states={"a": "paused"})
    pool = (
        "<network>\n<name>pool</name>\n<forward mode='hostdev' managed='yes'>\n"
        "<pf dev='ens1'/>\n</forward>\n</network>\n\n"
    )
    return {
        **listed,
        "virsh/net-dumpxml": pool,
        "virsh/nodedev-dumpxml": nodedev(CARD, driver="i40e", group=38),
        "var/log/libvirt/qemu/": "a.log",
        "var/log/libvirt/qemu/a.log": "2026-01-01 00:00:00.000+0000: starting up\n"
        f"vfio {CARD}: group 38 is not viable\n",
        "guest/a/lspci": "00:05.0 Ethernet controller [0200]: X710 [8086:1572]\n"
        "00:06.0 Ethernet controller [0200]: RTL-8139 [10ec:8139]\n",
    }


def on() -> tuple[Content, Declared]:
    """The IOMMU is on; devices, groups, guests and tuning are at fault."""
    functions = _functions("i40e")
    items: dict[str, object] = {
        **booting.items({}, driver="i40e"),
        **in_use(),
        **_guests(),
        "proc/cmdline": "BOOT_IMAGE=/boot/vmlinuz-6.1.0-18-amd64 root=UUID=1 ro quiet"
        " intel_iommu=on,strict,sp_off intremap=nosid,nopost pci=noats pcie_acs_override=downstream"
        " vfio-pci.ids=8086:1572,144d:a808 -- iommu=pt\n",
        "proc/cpuinfo": "vendor_id\t: GenuineIntel\nflags\t\t: lm vmx\n"
        "address sizes\t: 52 bits physical, 48 bits virtual\n",
        "sys/bus/pci/devices": "\n".join(functions.values()) + "\n",
        "sys/kernel/iommu_groups": groups(functions, "DMA")
        + f"\n38/reserved_regions={'0x00000000791df000 0x00000000791dffff direct'}\n",
        "sys/bus/pci/config": _BYTES + "\n",
        "sys/class/iommu": "dmar0/intel-iommu/cap=d2008c40660462\ndmar0/intel-iommu/ecap=f050d2\n"
        "dmar0/devices/0000:12:00.0->../x\n",
        "proc/interrupts": "            CPU0       CPU4\n"
        "  16:   9   0   IO-APIC   16-fasteoi   i801_smbus, vfio-intx(0000:17:00.0)\n"
        "  40:   0   90   PCI-MSI 1-edge   vfio-msix[0](0000:12:00.0)\n"
        "  41:   0   90   PCI-MSI 2-edge   vfio-msix[1](0000:12:00.0)\n",
        "sys/module": "vfio_pci=\nvfio_pci/initstate=live\nvfio=\nvfio/initstate=live\n"
        "vfio_pci/parameters/disable_denylist=Y\nvfio_pci/parameters/nointxmask=Y\n"
        "vfio_iommu_type1=\nvfio_iommu_type1/initstate=live\n"
        "vfio_iommu_type1/parameters/allow_unsafe_interrupts=Y\n"
        "vfio_iommu_type1/parameters/disable_hugepages=Y\n"
        "vfio/parameters/enable_unsafe_noiommu_mode=Y\n"
        "kvm_intel=\nkvm_intel/parameters/enable_apicv=N\ni40e=\ni40e/initstate=live\n",
        "sys/class/net": "lo->../../devices/virtual/net/lo\n"
        f"eth0->../../devices/pci0000:00/0000:00:1c.0/{NIC}/net/eth0\n"
        f"eth1->../../devices/pci0000:00/{PORT}/{TWIN}/net/eth1\n"
        f"ens1->../../devices/pci0000:00/{PORT}/{ADAPTER}/net/ens1\nens1/flags=0x1002\n",
        "ip/addr": addresses(eth0="192.0.2.5/24", eth1="198.51.100.1/24"),
        "ip/link": json.dumps([{"ifname": "ens1", "vfinfo_list": [
            {"vf": 0, "mac": "00:00:00:00:00:00", "trust": True, "spoofchk": False}]}]),
        "ip/route4": routes("default dev eth0", "192.0.2.0/24 dev eth0"),
        "sys/devices/system/node": "online=0-1\nnode0/cpulist=0-3\nnode1/cpulist=4-7\n"
        "node0/hugepages/hugepages-2048kB/nr_hugepages=1\n",
        "proc/meminfo": "MemTotal:       33554432 kB\nHugePages_Total:       1\n"
        "Hugepagesize:       2048 kB\n",
        "proc/iomem": "4000000000-43ffffffff : PCI Bus\n  4000000000-4000ffffff : efifb\n",
        "proc/uptime": "3600.00 1.00\n",
        "dmesg": log(*_LOG),
        "dev/vfio/": "vfio",
        "dev/vfio/vfio": "crw-rw-rw- 1 root root 10, 196 /dev/vfio/vfio\n",
        "dev/kvm": "crw-rw---- 1 root kvm 10, 232 /dev/kvm\n",
        "vfio/openers": "812 dpdk-testpmd /dev/vfio/38\n",
        "virsh/capabilities": "<capabilities>\n<host>\n<iommu support='yes'/>\n</host>\n"
        "</capabilities>\n",
        "etc/libvirt/qemu.conf": 'dynamic_ownership = 0\nuser = "qemu"\n',
        "journal/libvirt": "virtqemud[7]: Requested operation is not valid: PCI device "
        f"{CARD} is in use by driver QEMU, domain a\n",
        "etc/default/libvirt-guests": "ON_SHUTDOWN=suspend\n",
        "etc/sysconfig/libvirt-guests": None,
        "systemd/sleep-targets": "static\nmasked\n",
        "systemd/detect-virt": "none\n",
        "sys/hypervisor": None,
        "etc/driverctl.d/": f"{DISK}\n{CARD}\n0000:09:00.0",
        f"etc/driverctl.d/{DISK}": "vfio-pci\n",
        f"etc/driverctl.d/{CARD}": "i40e\n",
        "etc/driverctl.d/0000:09:00.0": "vfio-pci\n",
        "etc/modprobe.d/": "x.conf",
        "etc/modprobe.d/x.conf": "options vfio_pci ids=8086:1572,8086:37c8,1234\n"
        "options vfio_iommu_type1 allow_unsafe_interrupts=1\nblacklist nvme\nblacklist i40e\n"
        "blacklist vfio_pci\n",
        "etc/modules": "vfio_virqfd\n",
        "etc/default/kdump-tools": 'KDUMP_CMDLINE_APPEND="iommu=off"\n',
        "proc/sys/kernel/tainted": "2176\n",
        "sys/kernel/security/lockdown": "none [integrity] confidentiality\n",
        "sys/bus/thunderbolt/devices": "domain0/security=none\ndomain0/iommu_dma_protection=0\n",
        "sys/class/dmi/id": "sys_vendor=Dell Inc.\nproduct_name=R740\n",
    }  # fmt: skip
    wanted = (
        WantedDevice(address=CARD, subsystem="8086:0001", serial="1"),
        *(WantedDevice(address=one) for one in (GPU, ACCELERATOR, DEAD, OLD, BRIDGE, ABSENT, DISK)),
        WantedDevice(address=ADAPTER, vfs=300),
        WantedDevice(address=VIRTUAL),
    )
    named = {"a": WantedGuest((GPU,)), "gone": WantedGuest((CARD,))}
    return items, Declared(wanted, MappingProxyType(named))


def off() -> tuple[Content, Declared]:
    """The IOMMU is off; command line, boot chain, drivers and tables are at fault."""
    functions = {
        NIC: function(NIC, driver="igb", id="8086:1521"),
        CARD: function(CARD, driver="i40e", above=PORT),
        PORT: function(PORT, driver="pcieport", cls="0x060400", id="8086:2030"),
        "0000:00:02.0": function("0000:00:02.0", driver="i915", id="8086:5917", cls="0x030000"),
    }
    words = "intel_iommu=off iommu=offf vfio-pci-ids=8086:1572 intel-iommu=on iommu.strict=maybe"
    more = "nointremap pci=nomsi amd_iommu=on disable_idle_d3=1 modprobe.blacklist=vfio_pci"
    items: dict[str, object] = {
        **booting.items({}, driver="i40e"),
        **in_use(),
        "proc/cmdline": f"BOOT_IMAGE=/boot/vmlinuz-6.1.0-18-amd64 root=UUID=1 ro {words} {more}"
        " intel_iommu=igfx_off\n",
        "boot/grub/grub.cfg": booting.grub_cfg("intel_iommu=on vfio-pci.ids=8086:1572"),
        "etc/default/grub": booting.default_grub("intel_iommu=on iommu=pt"),
        "etc/default/grub.d/": "x.cfg",
        "etc/default/grub.d/x.cfg": 'GRUB_CMDLINE_LINUX_DEFAULT="quiet iommu=pt"\n',
        "sys/bus/pci/devices": "\n".join(functions.values()) + "\n",
        "sys/kernel/iommu_groups": "",
        "sys/class/iommu": "",
        "sys/firmware/acpi/tables/": "DMAR",
        "sys/firmware/acpi/tables/DMAR": tables.dmar(flags=2)[:-4] + b"\0\0\0\0",
        "proc/interrupts": "            CPU0\n  16:   9   IO-APIC   16-fasteoi   i801_smbus\n",
        "dmesg": log(
            "Linux version 6.1.0-18-amd64 (x@y)",
            "DMAR: [Firmware Bug]: No DRHD structure found in DMAR table",
            "DMAR: Initialization failed",
            "DMAR-IR: [Firmware Bug]: ioapic 0 has no mapping iommu, interrupt remapping"
            " will be disabled",
            "DMAR-IR: x2apic is disabled because BIOS sets x2apic opt out bit.",
            "kvm: disabled by bios",
        ),
        "proc/cpuinfo": "vendor_id\t: GenuineIntel\nflags\t\t: lm\n",
        "dev/kvm": None,
        "dev/vfio/vfio": None,
        "dev/vfio/": "",
        "sys/module": "i40e=\ni40e/initstate=live\nvfio=\nvfio/initstate=live\n",
        "proc/modules": "i40e 1 0\nvfio 1 0\n",
        "modules.dep": "kernel/drivers/net/i40e.ko:\n",
        "kernel-config": booting.CONFIG.replace("CONFIG_INTEL_IOMMU=y", "# CONFIG_INTEL_IOMMU is"
                                                " not set"),
        "initramfs": "usr/lib/modules/x/kernel/drivers/net/i40e.ko\n",
        "etc/modprobe.d/": "v.conf",
        "etc/modprobe.d/v.conf": "options vfio-pci ids=8086:1572\ninstall vfio_pci /bin/false\n",
        "libvirt/daemons": "virtlogd running\n",
        "etc/libvirt/qemu/": "",
        "virsh/list": None, "virsh/dumpxml": None, "virsh/dumpxml-inactive": None,
        "virsh/list-autostart": None, "virsh/capabilities": None,
        "systemd/detect-virt": "none\n", "sys/hypervisor": None,
    }  # fmt: skip
    wanted = (WantedDevice(address=CARD), WantedDevice(address="0000:00:02.0"))
    return items, Declared(wanted, MappingProxyType({"a": WantedGuest((CARD,))}))


def amd() -> tuple[Content, Declared]:
    """An AMD machine, a virtual one, whose IOMMU Linux cannot use."""
    functions = {CARD: function(CARD, driver="i40e", above=PORT)}
    items: dict[str, object] = {
        **booting.items({}, driver="i40e"),
        **in_use(),
        "proc/cmdline": "BOOT_IMAGE=/boot/vmlinuz-6.1.0-18-amd64 root=UUID=1 ro amd_iommu=off"
        " intel_iommu=on amd_iommu=pt\n",
        "proc/cpuinfo": "vendor_id\t: AuthenticAMD\nflags\t\t: lm svm hypervisor\n",
        "sys/bus/pci/devices": "\n".join(functions.values()) + "\n",
        "sys/kernel/iommu_groups": "",
        "sys/class/iommu": "",
        "sys/firmware/acpi/tables/": "IVRS",
        "sys/firmware/acpi/tables/DMAR": None,
        "sys/firmware/acpi/tables/IVRS": tables.ivrs(ioapics=()),
        "systemd/detect-virt": "kvm\n",
        "proc/interrupts": "            CPU0\n  16:   9   IO-APIC   16-fasteoi   i801_smbus\n",
        "dmesg": log(
            "Linux version 6.1.0-18-amd64 (x@y)",
            "AMD-Vi: Disable IOMMU on Stoney Ridge",
            "AMD-Vi: IOMMU not currently supported when SME is active",
            "AMD-Vi: [Firmware Bug]: : IOAPIC[4] not in IVRS table",
            "AMD-Vi: Disabling interrupt remapping",
            "AMD-Vi: Unknown option - 'pt'",
        ),
    }
    return items, Declared((WantedDevice(address=CARD),))


WORLDS = MappingProxyType({"on": on, "off": off, "amd": amd})


def world(name: str) -> tuple[Evidence, Declared]:
    """The evidence of one of the hosts, and what it is meant for."""
    items, declared = WORLDS[name]()
    ended = {item: _ended(item, what) for item, what in items.items()}
    return plain.evidence(ended, name), declared  # type: ignore[arg-type]


def _ended(name: str, what: object) -> object:
    """The kernel ends every line of its files; the builders leave the last one open."""
    text = isinstance(what, str) and what and name.startswith(("proc/", "sys/"))
    return f"{str(what).rstrip(chr(10))}\n" if text and not name.endswith("/") else what
