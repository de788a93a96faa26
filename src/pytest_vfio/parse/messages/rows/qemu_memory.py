"""QEMU: the guest's memory, its pinning for the device and its backing.

Wordings: hw/vfio (`common.c`, `container.c`), util/oslib-posix.c, system/physmem.c, backends/ of QEMU
2.5 to 10.0.
"""

from __future__ import annotations

from pytest_vfio.parse.messages.row import HARMLESS, HURTS, Row, Speaker, form
from pytest_vfio.parse.messages.words import STARTED

QEMU = Speaker.QEMU
_MAP = (
    r"(?:failed to setup container for group <group>: )?(?:memory listener initialization failed: )?"
    r"(?:Region [\w.-]{1,80}: )?[a-z_]{1,20}dma_map ?\([^)]{1,120}\)"
)

ROWS = (
    Row(
        "memory-not-locked",
        QEMU,
        "The guest's memory could not be pinned: the limit of locked memory of the QEMU process is "
        "too small, or the host has too little memory free.",
        (
            form(r"VFIO_MAP_DMA failed: <ENOMEM>", "VFIO_MAP_DMA failed: Cannot allocate memory"),
            form(
                r"VFIO_MAP_DMA: -12\b",
                "vfio: VFIO_MAP_DMA: -12",
                "qemu-kvm: VFIO_MAP_DMA: -12",
            ),
            form(
                rf"{_MAP} = -12 \(<ENOMEM>\)",
                "vfio 0000:01:00.0: failed to setup container for group 1: memory listener "
                "initialization failed: Region pc.ram: vfio_dma_map(0x55d0, 0x0, 0x80000000, "
                "0x7f00) = -12 (Cannot allocate memory)",
                "vfio_container_dma_map(0x55d0, 0x100000000, 0x380000000, 0x7f00) = -12 (Cannot "
                "allocate memory)",
            ),
        ),
        refs=("F147", "F148", "F146", "F189"),
        decide=(
            "grep -i 'max locked' /proc/$(pgrep -of qemu)/limits",
            "dmesg | grep RLIMIT_MEMLOCK",
            "free -g",
        ),
        cure="A <hostdev> in libvirt raises the limit by itself; raw QEMU needs ulimit -l unlimited "
        "(LimitMEMLOCK=infinity); a hard_limit in the XML must be larger than the guest.",
        over=STARTED,
        acts="libvirt",
    ),
    Row(
        "memory-not-mappable",
        QEMU,
        "The guest's address space reaches beyond what the IOMMU can map, or into memory that it "
        "reserves.",
        (
            form(r"VFIO_MAP_DMA failed: <EINVAL>", "VFIO_MAP_DMA failed: Invalid argument"),
            form(r"VFIO_MAP_DMA: -22\b", "vfio: VFIO_MAP_DMA: -22"),
            form(
                rf"{_MAP} = -22 \(<EINVAL>\)",
                "vfio_dma_map(0x560e, 0x380000000000, 0x10000000, 0x7fbe) = -22 (Invalid argument)",
                "vfio_container_dma_map(0x560e, 0x380000000000, 0x10000000, 0x7fbe) = -22 (Invalid "
                "argument)",
            ),
        ),
        refs=("F59", "F60"),
        decide=(
            "dmesg | grep -e 'iommu width' -e 'Host address width'",
            "virsh dumpxml GUEST | grep -A 3 -e '<cpu' -e '<memory'",
        ),
        cure="Limit the guest's physical address bits to the IOMMU's: <maxphysaddr mode='emulate' "
        "bits='39'/>.",
        over=(*STARTED, "bars-not-for-peers"),
        acts="guest",
    ),
    Row(
        "memory-not-pinnable",
        QEMU,
        "The guest's memory is of a kind that cannot be pinned for the device: shared memory in a "
        "plain file, or a mapping that is gone.",
        (
            form(r"VFIO_MAP_DMA failed: <EFAULT>", "VFIO_MAP_DMA failed: Bad address"),
            form(r"VFIO_MAP_DMA: -14\b", "qemu-system-x86_64: VFIO_MAP_DMA: -14"),
            form(
                rf"{_MAP} = -14 \(<EFAULT>\)",
                "vfio_dma_map(0x563c, 0x0, 0x80000000, 0x7f1c) = -14 (Bad address)",
                "vfio_container_dma_map(0x563c, 0x0, 0x80000000, 0x7f1c) = -14 (Bad address)",
            ),
        ),
        refs=("F220", "F161"),
        decide=("virsh dumpxml GUEST | grep -A 6 '<memoryBacking'",),
        cure="<source type='memfd'/> (or hugepages) beside <access mode='shared'/> in "
        "<memoryBacking>.",
        over=(*STARTED, "bars-not-for-peers"),
        acts="guest",
    ),
    Row(
        "dma-entries-used-up",
        QEMU,
        "The guest needs more DMA mappings than the kernel allows one container.",
        (
            form(r"VFIO_MAP_DMA failed: <ENOSPC>", "VFIO_MAP_DMA failed: No space left on device"),
            form(
                rf"{_MAP} = -28 \(<ENOSPC>\)",
                "vfio_dma_map(0x55, 0x1000, 0x1000, 0x7f) = -28 (No space left on device)",
            ),
            form(
                r"possibly running out of DMA mappings\.",
                "vfio_get_dirty: possibly running out of DMA mappings. E.g., try increasing the "
                "'block-size' of virtio-mem devies. Maximum possible DMA mappings: 65535, Maximum "
                "possible memslots: 32764",
            ),
        ),
        refs=("F149",),
        decide=("cat /sys/module/vfio_iommu_type1/parameters/dma_entry_limit",),
        cure="Larger blocks of virtio-mem, or a larger vfio_iommu_type1.dma_entry_limit.",
        over=STARTED,
        acts="guest",
    ),
    Row(
        "mapping-exists",
        QEMU,
        "The same guest address was mapped for the device twice: two parts of the guest's address "
        "space overlap.",
        (
            form(r"VFIO_MAP_DMA failed: <EEXIST>", "VFIO_MAP_DMA failed: File exists"),
            form(
                rf"{_MAP} = -17 \(<EEXIST>\)",
                "vfio_dma_map(0x55, 0xfee00000, 0x1000, 0x7f) = -17 (File exists)",
            ),
            form(r"VFIO_MAP_DMA: -17\b", "qemu-system-x86_64: VFIO_MAP_DMA: -17"),
        ),
        refs=("F158",),
        decide=("virsh dumpxml GUEST | grep -A 4 '<iommu'",),
        cure="With an IOMMU in the guest: caching_mode on, and the IOMMU before the devices; else a "
        "newer QEMU.",
        over=STARTED,
        acts="guest",
    ),
    Row(
        "mapping-not-supported",
        QEMU,
        "The kernel refuses to map this memory for the device (in a confidential guest, or an "
        "address that no longer belongs to the process).",
        (
            form(r"VFIO_MAP_DMA failed: <EPERM>", "VFIO_MAP_DMA failed: Operation not permitted"),
            form(
                rf"{_MAP} = -1 \(<EPERM>\)",
                "vfio_dma_map(0x55, 0xc0000, 0x1000, 0x7f) = -1 (Operation not permitted)",
            ),
        ),
        refs=("F60",),
        decide=("cat /sys/kernel/iommu_groups/<group>/reserved_regions",),
        cure="Compare the address of the message with the reserved regions of the group.",
        over=STARTED,
        acts="guest",
    ),
    Row(
        "mapping-failed",
        QEMU,
        "QEMU could not map the guest's memory for the device; the first such line of a start says why.",
        (
            form(
                rf"{_MAP} = -(?!(?:1|12|14|17|22|28) )<code:count> \(",
                "vfio 0000:35:00.0: failed to setup container for group 75: memory listener "
                "initialization failed: Region pc.bios: vfio_container_dma_map (0x5632, 0xfffc0000, "
                "0x40000, 0x7fdf) = -2 (No such file or directory)",
            ),
            form(
                r"VFIO_MAP_DMA failed: <ENOENT>", "VFIO_MAP_DMA failed: No such file or directory"
            ),
        ),
        refs=("F147", "F59"),
        decide=("dmesg | tail -20", "grep -i 'max locked' /proc/$(pgrep -of qemu)/limits"),
        cure="What the first of these lines says.",
        frame=True,
        over=STARTED,
    ),
    Row(
        "mapping-fatal",
        QEMU,
        "QEMU gave up because memory could not be mapped for the device; the line before says why.",
        (
            form(
                r"vfio: DMA mapping failed, unable to continue",
                "qemu: hardware error: vfio: DMA mapping failed, unable to continue",
            ),
        ),
        refs=("F147", "F59"),
        decide=("tail -30 /var/log/libvirt/qemu/GUEST.log",),
        cure="What the line before it says.",
        frame=True,
        over=STARTED,
    ),
    Row(
        "bars-not-for-peers",
        QEMU,
        "Other assigned devices of the guest cannot reach this device's memory directly; everything "
        "else works.",
        (
            form(
                r"PCI peer-to-peer transactions on BARs are not supported",
                "0000:01:00.0: PCI peer-to-peer transactions on BARs are not supported.",
            ),
            form(
                r"failed to vfio_dma_map\. pci p2p may not work",
                "qemu-system-x86_64: failed to vfio_dma_map. pci p2p may not work",
            ),
            form(
                r"IOMMU_IOAS_MAP failed: .{1,40}, PCI BAR\?",
                "qemu-system-x86_64: warning: IOMMU_IOAS_MAP failed: Bad address, PCI BAR?",
            ),
        ),
        refs=("F169", "F59"),
        weight=HARMLESS,
        cure="Nothing, unless two devices of the guest must talk to each other; then limit the "
        "guest's physical address bits.",
    ),
    Row(
        "region-not-aligned",
        QEMU,
        "A piece of memory smaller than a page is not mapped for the device; nothing is wrong.",
        (
            form(
                r"vfio_listener_region_add received unaligned region",
                "vfio_listener_region_add received unaligned region pci-bar iova=0xfe000800 "
                "offset_within_region=0x0 qemu_real_host_page_size=0x1000",
            ),
        ),
        weight=HARMLESS,
    ),
    Row(
        "discard-not-broken",
        QEMU,
        "A balloon or virtio-mem that discards memory cannot stand beside an assigned device here.",
        (
            form(
                r"Cannot set discarding of RAM broken",
                "vfio 0000:01:00.0: Cannot set discarding of RAM broken: Device or resource busy",
            ),
        ),
        refs=("F161",),
        decide=("virsh dumpxml GUEST | grep -A 4 -e memballoon -e virtio-mem",),
        cure="Take virtio-mem out of the guest.",
        over=STARTED,
        acts="guest",
    ),
    Row(
        "hugepages-cannot-map",
        QEMU,
        "There are not enough free huge pages for the guest's memory.",
        (
            form(
                r"unable to map backing store for guest RAM: <ENOMEM>",
                "unable to map backing store for guest RAM: Cannot allocate memory",
            ),
            form(
                r"unable to map backing store for hugepages: <ENOMEM>",
                "unable to map backing store for hugepages: Cannot allocate memory",
            ),
            form(
                r"os_mem_prealloc: Insufficient free host memory pages available",
                "os_mem_prealloc: Insufficient free host memory pages available to allocate guest "
                "RAM",
            ),
            form(
                r"qemu_prealloc_mem: preallocating memory failed",
                "qemu_prealloc_mem: preallocating memory failed: Bad address",
            ),
            form(
                r"can't open backing store <path> for guest RAM: <ENOMEM>",
                "can't open backing store /dev/hugepages/libvirt/qemu/1-g1 for guest RAM: Cannot "
                "allocate memory",
            ),
        ),
        refs=("F167",),
        decide=(
            "grep Huge /proc/meminfo",
            "cat /sys/devices/system/node/node*/hugepages/*/free_hugepages",
        ),
        cure="Reserve huge pages for the whole guest, on its NUMA node, at boot.",
        over=STARTED,
    ),
    Row(
        "hugepages-no-permission",
        QEMU,
        "QEMU may not use the folder of huge pages, or nothing is mounted there.",
        (
            form(
                r"can't open backing store <path> for guest RAM: (?:<EACCES>|<ENOENT>|<EPERM>)",
                "can't open backing store /dev/hugepages for guest RAM: Permission denied",
                "can't open backing store /dev/hugepages1G for guest RAM: No such file or directory",
                "can't open backing store /dev/hugepages for guest RAM: Operation not permitted",
            ),
            form(
                r"unable to create backing store for hugepages:",
                "unable to create backing store for hugepages: Permission denied",
            ),
        ),
        refs=("F167",),
        decide=("mount | grep huge", "ls -ld /dev/hugepages"),
        cure="Mount hugetlbfs where libvirt looks (/dev/hugepages), and restart libvirt.",
        over=STARTED,
    ),
    Row(
        "no-memory-for-guest",
        QEMU,
        "The host has not enough memory for the guest.",
        (
            form(
                r"cannot set up guest memory '<region:word>': <ENOMEM>",
                "cannot set up guest memory 'pc.ram': Cannot allocate memory",
            ),
        ),
        refs=("F189",),
        decide=("free -g", "virsh dominfo GUEST | grep -i memory"),
        cure="A smaller guest, or fewer at a time: the memory of a guest with an assigned device is "
        "pinned as a whole.",
        over=STARTED,
    ),
    Row(
        "viommu-cannot-notify",
        QEMU,
        "The guest's IOMMU cannot carry assigned devices as it is set up.",
        (
            form(
                r"We need to set caching-mode=on for intel-iommu to enable device assignment",
                "We need to set caching-mode=on for intel-iommu to enable device assignment with "
                "IOMMU protection.",
            ),
            form(
                r"requires caching mode",
                "device 01.00.0 requires caching mode",
            ),
            form(
                r"requires iommu notifier which is not currently supported",
                "device 01.00.0 requires iommu notifier which is not currently supported",
            ),
            form(
                r"nterrupt Remapping cannot work with kernel-irqchip=on",
                "Interrupt Remapping cannot work with kernel-irqchip=on, please use 'split|off'.",
                "Intel Interrupt Remapping cannot work with kernel-irqchip=on, please use "
                "'split|off'.",
            ),
            form(
                r"eim=on cannot be selected without intremap=on",
                "eim=on cannot be selected without intremap=on",
            ),
        ),
        refs=("F158",),
        decide=("virsh dumpxml GUEST | grep -A 4 -e '<iommu' -e '<ioapic'",),
        cure="<iommu model='intel'><driver intremap='on' caching_mode='on'/></iommu> and <ioapic "
        "driver='qemu'/>, or no IOMMU in the guest.",
        over=STARTED,
        acts="guest",
    ),
    Row(
        "viommu-wider-than-host",
        QEMU,
        "The guest's IOMMU promises more address bits than the host's IOMMU has.",
        (
            form(
                r"aw-bits <bits:count> \> host aw-bits <host:count>",
                "vfio 0000:01:00.0: Failed to set vIOMMU: aw-bits 48 > host aw-bits 39",
            ),
        ),
        refs=("F158", "F59"),
        cure="aw-bits of the guest's IOMMU as large as the host's.",
        decide=("dmesg | grep 'Host address width'",),
        over=STARTED,
        acts="guest",
    ),
    Row(
        "migration-blocked-qemu",
        QEMU,
        "A guest with this device cannot be migrated, saved or given a snapshot of its memory.",
        (
            form(
                r"VFIO device doesn't support migration",
                "0000:01:00.0: VFIO device doesn't support migration",
            ),
            form(
                r"VFIO migration is not supported in kernel",
                "0000:01:00.0: VFIO migration is not supported in kernel",
            ),
            form(
                r"Migration is disabled for VFIO device",
                "0000:01:00.0: Migration is disabled for VFIO device",
            ),
            form(
                r"VFIO device doesn't support device and IOMMU dirty tracking",
                "0000:01:00.0: VFIO device doesn't support device and IOMMU dirty tracking",
            ),
        ),
        refs=("F160",),
        weight=HURTS,
        decide=("virsh dumpxml GUEST | grep -A 6 '<hostdev'",),
        cure="Detach the device before; or leave the guest where it is.",
        acts="vendor",
    ),
)
