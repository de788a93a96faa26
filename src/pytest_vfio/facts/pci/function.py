"""One PCI function, as all sources together describe it.

Each property asks the sources in the order in which they are believed, and raises Missing where
none of them tells. Fields follow `Documentation/ABI/testing/sysfs-bus-pci`.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import msgspec

from pytest_vfio.evidence import Lack, Missing, Quote
from pytest_vfio.facts.pci.sysfs import FILES
from pytest_vfio.facts.pci.views import CONFIG, LSPCI, SYSFS, Known, Sources, View
from pytest_vfio.parse.pciaddress import compose, split
from pytest_vfio.parse.pciconfig import ConfigSpace
from pytest_vfio.parse.pciresource import Region

DISPLAY_CLASS = 0x03

_CONFIG_FIELDS = frozenset({"config", "header_type"})


def is_vfio_driver(name: str | None) -> bool:
    """A driver that hands functions to user space: vfio-pci or a variant (mlx5_vfio_pci ...).

    `pci-stub` and `uio_pci_generic` are none. The kernel compares the names of drivers exactly
    (drivers/pci/pci-driver.c, pci_match_device): `vfio_pci` is the module, and no driver.
    """
    text = name or ""
    return text == "vfio-pci" or text.replace("-", "_").endswith("_vfio_pci")


class PciFunction(msgspec.Struct, frozen=True, eq=False):
    """One PCI function. Each property raises Missing where no source tells."""

    address: str
    views: tuple[View, ...]
    sources: Sources

    def ask(self, name: str) -> Known:
        """What the first source that knows a field says. Raises Missing."""
        for view in self.views:
            known = view.look(name)
            if known is not None:
                return known
        raise Missing(*self.unread(name))

    def quote(self, name: str) -> Quote:
        """The line that proves a field. Raises Missing where no source tells."""
        return self.ask(name).quote

    def knows(self, name: str) -> bool:
        """Some source tells."""
        return any(view.look(name) is not None for view in self.views)

    def _value(self, name: str) -> Any:
        return self.ask(name).value

    def unread(self, name: str) -> tuple[Lack, ...]:
        """The item that would have told, with its status."""
        if name == "kernel_modules":
            return self._unread(LSPCI, self.address)
        if name in _CONFIG_FIELDS:
            return self._unread(CONFIG, self.address)
        file = FILES.get(name, name)
        return self._unread(SYSFS, f"{self.address}/{file}" if file else self.address)

    def _unread(self, source: str, path: str) -> tuple[Lack, ...]:
        return (self.sources.unread(source, path),)

    def missing(self, name: str) -> Missing:
        """What to raise where a source told only part of a field."""
        return Missing(*self.unread(name))

    @property
    def vendor(self) -> int:
        """Vendor id. For a VF, sysfs has the PF's (F139)."""
        return int(self._value("vendor"))

    @property
    def device(self) -> int:
        """Device id."""
        return int(self._value("device"))

    @property
    def id(self) -> str:
        """`8086:1572`, lower-case hex."""
        return f"{self.vendor:04x}:{self.device:04x}"

    @property
    def subvendor(self) -> int:
        """Subsystem vendor id."""
        return int(self._value("subvendor"))

    @property
    def subdevice(self) -> int:
        """Subsystem id."""
        return int(self._value("subdevice"))

    @property
    def subsystem(self) -> str | None:
        """`103c:22fc`; None for a function without one, such as a bridge."""
        vendor, device = self.subvendor, self.subdevice
        return f"{vendor:04x}:{device:04x}" if vendor or device else None

    @property
    def class_code(self) -> int:
        """Base class, subclass, interface: 24 bits; lspci without -v leaves the last 8 at 0."""
        return int(self._value("class_code"))

    @property
    def base_class(self) -> int:
        """The highest 8 bits of the class: 2 network, 3 display, 6 bridge."""
        return self.class_code >> 16

    @property
    def is_bridge(self) -> bool:
        """A PCI bridge by its class: 0604 and 0609. A host bridge is an ordinary function."""
        return self.class_code >> 8 in (0x0604, 0x0609)

    @property
    def is_endpoint(self) -> bool:
        """Whether it could be passed through: no bridge, and no part of the chipset.

        By its class (PCI Code and ID Assignment Specification): memory controllers, bridges of any
        kind, system peripherals, SMBus.
        """
        return self.base_class not in (0x05, 0x06, 0x08) and self.class_code >> 8 != 0x0C05

    @property
    def driver(self) -> str | None:
        """The driver that is bound, None for none."""
        value = self._value("driver")
        return None if value is None else str(value)

    @property
    def driver_override(self) -> str | None:
        """The only driver that may bind; None where nothing is set (`(null)`)."""
        value = self._value("driver_override")
        return None if value in (None, "", "(null)") else str(value)

    @property
    def group(self) -> int | None:
        """The IOMMU group, None where the kernel gives none."""
        value = self._value("group")
        return None if value is None else int(value)

    @property
    def numa_node(self) -> int:
        """The NUMA node, -1 for none."""
        return int(self._value("numa_node"))

    @property
    def physfn(self) -> str | None:
        """The PF of a VF; None for what is no VF."""
        value = self._value("physfn")
        return None if value is None else str(value)

    @property
    def virtfns(self) -> tuple[str, ...]:
        """The VFs of a PF, in their own order."""
        return tuple(self._value("virtfns"))

    @property
    def vf_places(self) -> tuple[str, ...]:
        """Where its VFs are, or would be (SR-IOV 1.1, 2.1.2: routing ids by offset and stride)."""
        offset, stride = self.number("vf_offset"), self.number("vf_stride")
        if offset is None or stride is None:
            return ()
        domain, bus, slot, function = split(self.address)
        first = (bus << 8 | slot << 3 | function) + int(offset)
        ids = (first + int(stride) * index for index in range(self.totalvfs or 0))
        return tuple(compose(domain, id >> 8, id >> 3 & 31, id & 7) for id in ids if id < 1 << 16)

    @property
    def totalvfs(self) -> int | None:
        """How many VFs there can be; None where the kernel knows of no SR-IOV. Drivers lower it."""
        value = self._value("totalvfs")
        return None if value is None else int(value)

    @property
    def numvfs(self) -> int:
        """How many VFs there are now."""
        return int(self._value("numvfs") or 0)

    @property
    def vf_autoprobe(self) -> bool:
        """Host drivers bind new VFs."""
        return bool(self._value("vf_autoprobe"))

    @property
    def header_type(self) -> int:
        """0 for an ordinary function, 1 for a bridge, 2 for CardBus."""
        if self.knows("header_type"):
            return int(self._value("header_type"))
        return 1 if self.is_bridge else 0

    @property
    def boot_vga(self) -> bool:
        """The firmware made it the boot display. Only VGA devices have the file."""
        return bool(self._value("boot_vga"))

    @property
    def path(self) -> tuple[str, ...]:
        """The functions from the root to this one, itself included."""
        return tuple(self._value("path"))

    @property
    def parent(self) -> str | None:
        """The bridge above it; None on a root bus."""
        above = self.path[:-1]
        return above[-1] if above else None

    @property
    def netdevs(self) -> tuple[str, ...]:
        """The network interfaces that its driver made."""
        return tuple(self._value("netdevs"))

    @property
    def irq(self) -> int:
        """The INTx line, 0 for none."""
        return int(self._value("irq"))

    @property
    def resettable(self) -> bool:
        """The kernel knows a reset of this function alone (`reset` exists, S23)."""
        return bool(self._value("resettable"))

    @property
    def reset_methods(self) -> tuple[str, ...]:
        """The resets that the kernel would try, in order; before 5.15 those of the hardware."""
        if self.knows("reset_methods"):
            return tuple(self._value("reset_methods"))
        if not self.resettable:
            return ()
        methods = self.config.reset_methods
        if not methods:
            raise Missing(*self.unread("reset_method"))
        return methods

    @property
    def kernel_modules(self) -> tuple[str, ...]:
        """The modules that could drive it, as lspci -k lists them."""
        return tuple(self._value("kernel_modules") or ())

    @property
    def serial(self) -> str:
        """The PCI device serial number, as lspci prints it. Raises Missing where it has none.

        Functions of one card may share it; a serial number on a label is another thing.
        """
        found = self.config.serial
        if found is None:
            raise self.missing("config")
        return found

    @property
    def power_state(self) -> str | None:
        """`D0` to `D3cold`, `unknown`; None before 5.15."""
        value = self._value("power_state")
        return None if value is None else str(value)

    @property
    def runtime_status(self) -> str | None:
        """`active`, `suspended`, `unsupported`."""
        value = self._value("runtime_status")
        return None if value is None else str(value)

    @property
    def resources(self) -> tuple[Region, ...]:
        """Where its BARs are."""
        return tuple(self._value("resources"))

    @property
    def config(self) -> ConfigSpace:
        """What its configuration space says; parts that were not readable are None in there."""
        space: ConfigSpace = self._value("config")
        return space

    @property
    def express(self) -> bool:
        """It is a PCI Express function: it has MSI or MSI-X if it interrupts at all."""
        return bool(self._value("express"))

    @property
    def asleep(self) -> bool:
        """Its configuration space was left alone because reading it would have woken it."""
        told = self.unread("config")[0].name != CONFIG
        return told and not self.knows("config") and self.runtime_status == "suspended"

    def number(self, name: str) -> float | None:
        """A plain figure by its field's name, `link_speed` for one; None where there is none."""
        value = self._value(name)
        return None if value is None else float(value)

    def counters(self, name: str) -> Mapping[str, int]:
        """An AER statistic by its field's name; empty where the kernel keeps none."""
        return dict(self._value(name) or {})

    @property
    def seen(self) -> Quote:
        """A line that shows that the function exists."""
        for name in ("device", "driver", "group", "class_code"):
            if self.knows(name):
                return self.quote(name)
        return Quote("pci", self.address)

    def same_slot(self, other: str) -> bool:
        """Another address is a function of the same slot."""
        return split(self.address)[:3] == split(other)[:3] and other != self.address
