"""Known error lines of QEMU, libvirt and the kernel's audit, and which failure each is a sign of.

Wording from the sources of QEMU 7.2 and 10.0 and libvirt 9.0 and 11.3. A log line is evidence, not
state: QEMU's log of a guest is one file over all its starts, so only what stands behind the last
`starting up` counts.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator

import msgspec

from pytest_vfio.evidence import Item, Quote, Status
from pytest_vfio.parse import utc

MAX_LINE = 400
_LONGEST = 2000  # characters of a line that are looked at

_START = re.compile(r"^.{0,40}: starting up\b")
_AUDIT_PATH = r"/dev/(?:vfio/|vfio\b|iommu\b)"


class Known(msgspec.Struct, frozen=True):
    """One known error: what it means in a few words, the entry of the catalogue, and its mark."""

    ref: str
    meaning: str
    mark: re.Pattern[str]
    acts: str = "os"


class Sign(msgspec.Struct, frozen=True):
    """A known error that a log shows."""

    known: Known
    quote: Quote


def _known(ref: str, meaning: str, mark: str, acts: str = "os") -> Known:
    return Known(ref, meaning, re.compile(mark), acts)


# What is more special stands first: a line counts as the first that it matches.
QEMU = (
    _known(
        "F53",
        "no interrupt remapping",
        r"Failed to set iommu for container: Operation not permitted",
    ),
    _known(
        "F92",
        "the group is not viable",
        r"group \d+ is not viable|ensure all devices within the iommu_group|"
        r"Verify all devices in group \d+ are bound",
    ),
    _known(
        "F97",
        "the group is in use elsewhere",
        r"group \d+ used in multiple address spaces|/dev/vfio/\d+: Device or resource busy",
    ),
    _known("F49", "the device has no IOMMU group", r"no iommu_group found"),
    _known(
        "F147",
        "the guest's memory could not be locked",
        r"VFIO_MAP_DMA failed: Cannot allocate memory|= -12 \(Cannot allocate memory\)",
        "libvirt",
    ),
    _known(
        "F149",
        "the DMA mapping entries are used up",
        r"VFIO_MAP_DMA failed: No space left on device|= -28 \(No space left|"
        r"possibly running out of DMA mappings",
        "guest",
    ),
    _known(
        "F59",
        "the guest's address space is larger than the IOMMU can map",
        r"VFIO_MAP_DMA failed: Invalid argument|= -22 \(Invalid argument\)|"
        r"transactions on BARs are not supported|pci p2p may not work",
        "guest",
    ),
    _known("F116", "the device reported an unrecoverable error", r"Unrecoverable error detected"),
    _known(
        "F153",
        "QEMU was not allowed to open the VFIO node",
        r"/dev/vfio/\S{1,40}: (?:Permission denied|Operation not permitted)",
        "libvirt",
    ),
    _known(
        "F158",
        "the guest's IOMMU does not allow assigned devices",
        r"set caching-mode=on for intel-iommu|requires caching mode|requires iommu notifier|"
        r"cannot work with kernel-irqchip=on|Failed to set vIOMMU|eim=on cannot be selected",
        "guest",
    ),
    _known(
        "F166",
        "the iommufd back end does not work",
        r"error bind device fd=|failed to find vfio-dev/|[Ff]ailed to open /dev/vfio/devices/|"
        r"\[iommufd=-?\d+\] error attach|only with iommufd backend",
    ),
    _known(
        "F167",
        "the guest's memory could not be backed",
        r"unable to map backing store for guest RAM|qemu_prealloc_mem: preallocating memory failed|"
        r"Insufficient free host memory pages available",
    ),
    _known("F156", "there is no free hot-plug slot", r"does not support hotplugging", "guest"),
    _known("F184", "a BAR is trapped instead of mapped", r"Failed to mmap \S{1,40} BAR"),
    _known(
        "F164", "the guest was busy at hot-unplug", r"Hot-unplug failed: guest is busy", "guest"
    ),
)

LIBVIRT = (
    _known(
        "F141",
        "libvirt finds no support for passthrough",
        r"host doesn't support (?:VFIO PCI |legacy PCI )?passthrough|"
        r"VFIO device assignment is currently not supported",
    ),
    _known(
        "F142", "an unmanaged device was not detached", r"must be manually detached from the host"
    ),
    _known(
        "F143",
        "a device was in use by another guest",
        r"PCI device \S{1,40} is in use by driver|Device \S{1,40} is already in use",
        "libvirt",
    ),
    _known(
        "F145",
        "a source address does not exist",
        r"Device \S{1,40} not found: could not access",
        "libvirt",
    ),
    _known(
        "F136",
        "a network had no free VF",
        r"requires exclusive access to interfaces, but none are available|No usable Vf's present",
        "libvirt",
    ),
    _known(
        "F148",
        "libvirt may not raise the limit of locked memory",
        r"cannot limit locked memory of process",
    ),
    _known(
        "F160",
        "a guest with a host device could not be migrated or saved",
        r"cannot migrate a domain with <hostdev|has assigned non-USB host devices",
        "libvirt",
    ),
    _known(
        "F164",
        "a device did not come back to its host driver",
        r"Failed to trigger a probe for PCI device|Failed to unbind PCI device",
    ),
    _known("F156", "there is no free PCI slot in a guest", r"No more available PCI slots", "guest"),
    _known(
        "F168",
        "two forms of boot order are used together",
        r"per-device boot elements cannot be used together with os/boot",
        "libvirt",
    ),
    _known(
        "F158",
        "a guest's IOMMU needs extended interrupt mode",
        r"require extended interrupt mode",
        "guest",
    ),
)

AUDIT = (
    _known(
        "F150",
        "AppArmor denied a VFIO node",
        rf'apparmor="DENIED".{{0,200}}name="{_AUDIT_PATH}',
        "libvirt",
    ),
    _known(
        "F151",
        "SELinux denied a VFIO node",
        rf'avc: {{1,4}}denied\b.{{0,300}}(?:path="{_AUDIT_PATH}|tcontext=\S{{0,80}}vfio_device_t)',
        "libvirt",
    ),
)


def signs(item: Item, known: Iterable[Known]) -> Iterator[Sign]:
    """Every line of an item that is a known error, in the item's order."""
    table = tuple(known)
    for line in item.text.split("\n"):
        found = _sign(line[:_LONGEST], table)
        if found is not None:
            yield Sign(found, item.quote(line.strip()[:MAX_LINE]))


def last_start(item: Item) -> Item:
    """A QEMU log cut down to the guest's last start.

    It is whole even if only the log's tail was read, provided the start is in it.
    """
    lines = item.text.split("\n")
    starts = [at for at, line in enumerate(lines) if _START.match(line[:200])]
    if not starts:
        return item
    tail = "\n".join(lines[starts[-1] :])
    ended = item.status in (Status.PRESENT, Status.ABSENT)
    data = tail.encode("utf-8", "surrogatepass")
    return (
        Item(item.name, item.status, data)
        if ended
        else Item(item.name, item.status, data, item.detail)
    )


def started(log: Item) -> int | None:
    """When the start that a log begins with was, in seconds since 1970; None where it does not say."""
    first = log.text.split("\n", 1)[0][:200]
    return utc.seconds(first) if _START.match(first) else None


def _sign(line: str, table: tuple[Known, ...]) -> Known | None:
    return next((known for known in table if known.mark.search(line)), None)
