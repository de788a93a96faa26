"""libvirt: what it refuses in the XML of a guest.

Wordings: src/conf/{domain_addr,domain_conf,domain_postparse,domain_validate,device_conf}.c,
src/qemu/{qemu_validate,qemu_domain_address,qemu_conf,qemu_firmware}.c, src/util/virpci.c of libvirt 7.0,
9.0 and 11.3.
"""

from __future__ import annotations

from pytest_vfio.parse.messages.row import Row, Speaker, form
from pytest_vfio.parse.messages.words import STARTED

LIBVIRT = Speaker.LIBVIRT
_ADDRESSES = ("virsh dumpxml <guest> | grep \"<address type='pci'\"",)

ROWS = (
    Row(
        "guest-address-twice",
        LIBVIRT,
        "Two devices of the guest are given the same place on its PCI bus.",
        (
            form(
                r"Attempted double use of PCI Address <at:device>",
                "XML error: Attempted double use of PCI Address 0000:00:02.0",
            ),
            form(
                r"Attempted double use of PCI slot <at:word>",
                "internal error: Attempted double use of PCI slot 0000:00:02.0 (may need "
                "\"multifunction='on'\" for device on function 0)",
            ),
            form(
                r"Domain already contains a device with the same address",
                "operation failed: Domain already contains a device with the same address",
            ),
        ),
        refs=("F157", "F145"),
        decide=_ADDRESSES,
        cure="Another address for one of the two, or no <address>: libvirt finds a free one.",
        over=STARTED,
        acts="guest",
    ),
    Row(
        "guest-address-impossible",
        LIBVIRT,
        "The address of a device in the guest is outside of what its bus has.",
        (
            form(
                r"Invalid PCI address <at:device>\. ",
                "XML error: Invalid PCI address 0000:04:01.0. slot must be <= 0",
                "XML error: Invalid PCI address 0000:07:00.0. Only PCI buses up to 6 are available",
            ),
            form(
                r"he device at PCI address <at:device> cannot be plugged into the PCI controller",
                "XML error: The device at PCI address 0000:00:01.0 cannot be plugged into the PCI "
                "controller with index='0'. It requires a controller that accepts a pcie-root-port.",
            ),
            form(
                r"he device at PCI address <at:device> needs to be an integrated device",
                "XML error: The device at PCI address 0000:01:00.0 needs to be an integrated device (bus=0)",
            ),
            form(
                r"he device at PCI address <at:device> requires hotplug capability",
                "XML error: The device at PCI address 0000:00:01.0 requires hotplug capability, but the "
                "PCI controller with index='0' doesn't support hotplug",
            ),
        ),
        refs=("F155", "F157"),
        decide=("virsh dumpxml <guest> | grep -A 3 -e '<controller type=.pci' -e '<hostdev'",),
        cure="Take the <address> of the guest's side out (not that in <source>): libvirt finds one.",
        over=STARTED,
        acts="guest",
    ),
    Row(
        "source-address-malformed",
        LIBVIRT,
        "The address in the XML is no PCI address: a number is too large, or decimal where hexadecimal "
        "is meant (0x).",
        (
            form(
                r"Invalid PCI address (?:bus|slot|function)='?0x<value:number>'?, must be \<=",
                "XML error: Invalid PCI address slot='0x20', must be <= 0x1F",
                "XML error: Invalid PCI address bus='0x100', must be <= 0xFF",
                "XML error: Invalid PCI address function=0x8, must be <= 7",
            ),
            form(
                r"Invalid PCI address 0000:00:00, at least one of domain, bus, or slot must be",
                "XML error: Invalid PCI address 0000:00:00, at least one of domain, bus, or slot must be > 0",
            ),
            form(
                r"Missing \<source> element in hostdev device",
                "XML error: Missing <source> element in hostdev device",
            ),
        ),
        refs=("F145",),
        decide=("virsh dumpxml <guest> | grep -A 6 '<hostdev'", "lspci -nn"),
        cure="bus='0x0a' for what lspci prints as 0a.",
        over=STARTED,
        acts="libvirt",
    ),
    Row(
        "no-free-slot",
        LIBVIRT,
        "The guest's machine has no free PCI slot for the device.",
        (
            form(
                r"No more available PCI (?:slots|addresses)",
                "internal error: No more available PCI slots",
                "internal error: No more available PCI addresses",
            ),
            form(r"No PCI buses available", "internal error: No PCI buses available"),
            form(
                r"a PCI slot is needed to connect a PCI controller",
                "a PCI slot is needed to connect a PCI controller model='pcie-root-port', but none is "
                "available, and it cannot be automatically added",
            ),
        ),
        refs=("F156",),
        decide=("virsh dumpxml <guest> | grep -A 3 '<controller type=.pci'",),
        cure="More pcie-root-port controllers, added while the guest is off.",
        over=STARTED,
        acts="guest",
    ),
    Row(
        "boot-order-mixed",
        LIBVIRT,
        "Two ways to name the boot order are used together, or one number twice.",
        (
            form(
                r"per-device boot elements cannot be used together with os/boot elements",
                "unsupported configuration: per-device boot elements cannot be used together with os/boot "
                "elements",
            ),
            form(
                r"boot order '?<order:count>'? (?:is already used by another|used for more than one) device",
                "unsupported configuration: boot order 1 is already used by another device",
                "unsupported configuration: boot order '1' used for more than one device",
            ),
        ),
        refs=("F168",),
        decide=("virsh dumpxml <guest> | grep '<boot'",),
        cure="Only <boot order='N'/> in the devices, each number once.",
        over=STARTED,
        acts="libvirt",
    ),
    Row(
        "rom-without-bar-libvirt",
        LIBVIRT,
        "A ROM file is named and the ROM is switched off.",
        (
            form(
                r"ROM tuning is not supported when ROM is disabled",
                "unsupported configuration: ROM tuning is not supported when ROM is disabled",
            ),
        ),
        refs=("F110",),
        decide=("virsh dumpxml <guest> | grep '<rom'",),
        cure="enabled='no' away, or the file.",
        over=STARTED,
        acts="libvirt",
    ),
    Row(
        "viommu-libvirt",
        LIBVIRT,
        "The guest's IOMMU does not fit its machine.",
        (
            form(
                r"IOMMU interrupt remapping requires split I/O APIC",
                "unsupported configuration: IOMMU interrupt remapping requires split I/O APIC "
                "(ioapic driver='qemu')",
            ),
            form(
                r"IOMMU eim requires interrupt remapping to be enabled",
                "unsupported configuration: IOMMU eim requires interrupt remapping to be enabled",
            ),
            form(
                r"IOMMU device: '<model:word>' is (?:only|not) supported with",
                "unsupported configuration: IOMMU device: 'intel' is only supported with Q35 machines",
                "unsupported configuration: IOMMU device: 'amd' is not supported with this QEMU binary",
            ),
            form(
                r"more than <count> vCPUs require extended interrupt mode enabled on the iommu device",
                "unsupported configuration: more than 255 vCPUs require extended interrupt mode enabled on "
                "the iommu device",
            ),
        ),
        refs=("F158",),
        decide=("virsh dumpxml <guest> | grep -A 4 -e '<iommu' -e '<ioapic' -e machine=",),
        cure="Machine q35; <ioapic driver='qemu'/>; <iommu model='intel'><driver intremap='on' "
        "caching_mode='on' eim='on'/></iommu>.",
        over=STARTED,
        acts="guest",
    ),
    Row(
        "hugepages-not-mounted",
        LIBVIRT,
        "libvirt finds no place for huge pages of that size.",
        (
            form(
                r"nable to find any usable hugetlbfs mount for <size:count> KiB",
                "internal error: Unable to find any usable hugetlbfs mount for 1048576 KiB",
            ),
            form(
                r"hugetlbfs filesystem is not mounted or disabled by administrator config",
                "internal error: hugetlbfs filesystem is not mounted or disabled by administrator config",
            ),
            form(
                r"nable to allocate <asked:count> pages\. Allocated only <count>",
                "internal error: Unable to allocate 16 pages. Allocated only 9",
            ),
        ),
        refs=("F167",),
        decide=("mount | grep huge", "ls /sys/kernel/mm/hugepages"),
        cure="hugepagesz=1G hugepages=N on the kernel line, mount hugetlbfs with that size, restart libvirt.",
        over=STARTED,
    ),
    Row(
        "shared-memory-missing",
        LIBVIRT,
        "virtiofs needs memory that is shared; with an assigned device that has to be memfd or huge pages.",
        (
            form(
                r"'virtiofs' requires shared memory",
                "unsupported configuration: 'virtiofs' requires shared memory",
            ),
        ),
        refs=("F220",),
        decide=("virsh dumpxml <guest> | grep -A 6 '<memoryBacking'",),
        cure="<memoryBacking><source type='memfd'/><access mode='shared'/></memoryBacking>",
        over=STARTED,
        acts="guest",
    ),
    Row(
        "firmware-not-found",
        LIBVIRT,
        "The host has no firmware of the kind that the guest asks for.",
        (
            form(
                r"nable to find '<kind:word>' firmware that is compatible with the current",
                "operation failed: Unable to find 'efi' firmware that is compatible with the current "
                "configuration",
            ),
            form(
                r"nable to find any firmware to satisfy '<kind:word>'",
                "operation failed: Unable to find any firmware to satisfy 'efi'",
            ),
            form(
                r"could not load PC BIOS '<path>'",
                "qemu-system-x86_64: could not load PC BIOS '/usr/share/OVMF/OVMF_CODE.fd'",
            ),
            form(
                r"Could not open '(?!/dev/)<path>': <ENOENT>",
                "Could not open '/usr/share/OVMF/OVMF_CODE.fd': No such file or directory",
            ),
        ),
        refs=("F225",),
        decide=(
            "ls /usr/share/OVMF /usr/share/edk2",
            "virsh dumpxml <guest> | grep -e '<loader' -e '<os'",
        ),
        cure="Install the firmware (ovmf, edk2-ovmf), or name a file that is there.",
        over=STARTED,
    ),
    Row(
        "guest-file-missing",
        LIBVIRT,
        "A file that the guest names is not there, or QEMU's user may not read it.",
        (
            form(
                r"annot access storage file '<path>'",
                "Cannot access storage file '/var/lib/libvirt/images/g1.qcow2' (as uid:64055, gid:64055): "
                "No such file or directory",
                "Cannot access storage file '/var/lib/libvirt/images/g1.qcow2': No such file or directory",
            ),
            form(
                r"annot check QEMU binary <path>",
                "Cannot check QEMU binary /usr/bin/qemu-system-x86_64: No such file or directory",
            ),
        ),
        refs=("F225",),
        decide=("ls -l <path>",),
        cure="Put it back, or name the right place.",
        over=STARTED,
        acts="libvirt",
    ),
    Row(
        "network-not-active",
        LIBVIRT,
        "A network of libvirt that the guest names is not started; the device has nothing to do with it.",
        (
            form(
                r"network '<network:guest>' is not active",
                "Requested operation is not valid: network 'default' is not active",
            ),
        ),
        refs=("F159",),
        decide=("virsh net-list --all",),
        cure="virsh net-start <network>; virsh net-autostart <network>",
        over=STARTED,
        acts="libvirt",
    ),
    Row(
        "domain-start-failed",
        LIBVIRT,
        "The guest did not start; the line behind it says why.",
        (
            form(
                r"Failed to start domain '?<guest>",
                "error: Failed to start domain 'g1'",
                "error: Failed to start domain g1",
            ),
            form(
                r"Error starting domain:",
                "Error starting domain: internal error: process exited",
            ),
            form(
                r"Unable to complete install:",
                "Unable to complete install: 'internal error: process exited'",
            ),
            form(
                r"Unable to add device:",
                "Unable to add device: internal error",
            ),
        ),
        decide=("tail -30 /var/log/libvirt/qemu/<guest>.log",),
        cure="What the line behind it says.",
        frame=True,
        over=STARTED,
    ),
)
