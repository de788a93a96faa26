"""Whether DMA is translated and interrupts are remapped.

Follows the ground-truth ladder: units that the kernel registered (/sys/class/iommu), then groups
and links of devices, then the log. The kind follows from units, tables and drivers, never from
the CPU's vendor. `DMAR: IOMMU enabled` is printed by the parser of a command-line word, before any
table is looked at, and proves nothing.
"""

from __future__ import annotations

import itertools
import re
from collections.abc import Iterator
from functools import cached_property

from pytest_vfio.evidence import Lack, Missing, Quote, Status, Tree
from pytest_vfio.facts.firmware.acpi import Acpi
from pytest_vfio.facts.host.cpu import Cpu
from pytest_vfio.facts.iommu.faults import Fault, read_faults
from pytest_vfio.facts.iommu.units import Unit, read_units
from pytest_vfio.facts.kernel.log import KernelLog
from pytest_vfio.facts.pci.functions import Pci, PciFunction, is_vfio_driver
from pytest_vfio.facts.tristate import ask, known, require, search
from pytest_vfio.hypervisor.groups import NOIOMMU, Groups

REAL_TYPES = frozenset({"DMA", "DMA-FQ", "identity", "unmanaged", "blocked", "auto"})

#: No-IOMMU groups are numbered from 0 over the functions that are bound to a VFIO driver. A higher
#: number is a real group's unless at least so many functions are known to be bound to one.
_NOIOMMU_AT_MOST = 32

_DRIVES = {
    "intel": re.compile(r"DMAR: Intel\(R\) Virtualization Technology for Directed I/O"),
    "amd": re.compile(r"AMD-Vi: Found IOMMU (?:at|cap) |AMD-Vi: Extended features"),
    "smmu": re.compile(r"arm-smmu(?:-v3)? [^\n:]{1,60}: +ias \d+-bit, oas \d+-bit"),
}
#: Whatever driver has the function by then, but none of VFIO's: those make no-IOMMU groups.
_JOINS = re.compile(
    r"(?<![\w-])(?!\S*vfio)[\w.-]{1,40} [0-9a-f]{4,8}:[0-9a-f:.]{7}: Adding to iommu group \d+"
)
_X86 = re.compile(r"BIOS-e820|x86/fpu|smpboot: CPU0")
_JOINS_OLD = re.compile(r"\biommu: Adding device [0-9a-f:.]{7,16} to group \d+")  # to 4.20

_IR_CHIP = re.compile(r"\bIR-(?:IO-APIC|PCI-MSI|HPET|MSI|DMAR)|\bITS-[A-Za-z-]*MSI")
_PLAIN_CHIP = re.compile(r"(?<![\w-])IO-APIC|\bGICv2m-|(?<![\w-])MSI\b")  # ITS-MSI is none
_IR_ON = re.compile(
    r"DMAR-IR: Enabled IRQ remapping in (?:x2apic|xapic) mode|AMD-Vi: Interrupt remapping enabled"
)
_IR_OFF = re.compile(
    r"AMD-Vi: Disabling interrupt remapping|DMAR-IR: Not enabling interrupt remapping"
    r"|DMAR-IR: Failed to enable irq remapping|No interrupt remapping support\."
    r"|MSI interrupts are not secure, they cannot be isolated by the platform"
)
_UNSAFE = (
    "vfio_iommu_type1/parameters/allow_unsafe_interrupts",
    "iommufd/parameters/allow_unsafe_interrupts",
)
_NOIOMMU_PARAMETER = "vfio/parameters/enable_unsafe_noiommu_mode"


class Iommu:
    """The IOMMU of a host."""

    def __init__(self, pci: Pci, groups: Groups, acpi: Acpi, cpu: Cpu, klog: KernelLog) -> None:
        self._pci, self._groups = pci, groups.tree
        self._acpi, self._cpu, self._klog = acpi, cpu, klog
        evidence = pci.evidence
        self._class = evidence.item("sys/class/iommu")
        self._group_item = evidence.item("sys/kernel/iommu_groups")
        self._device_item = evidence.item("sys/bus/pci/devices")
        self._module_item = evidence.item("sys/module")
        self._interrupts = evidence.item("proc/interrupts")

    # -- units

    @cached_property
    def seen_units(self) -> tuple[Unit, ...]:
        """The units that were seen in /sys/class/iommu, whole or not."""
        return read_units(Tree.of(self._class))

    @property
    def unread_units(self) -> tuple[Lack, ...]:
        """The folder of the units, where there may be others than were seen."""
        return self._class.lacking

    @property
    def units(self) -> tuple[Unit, ...]:
        """All units that the kernel registered. Raises Missing unless all are known."""
        require(*self.unread_units)
        return self.seen_units

    # -- on or off

    @property
    def on(self) -> bool:
        """DMA of PCI devices is translated. Raises Missing where nothing tells."""
        if self._proof is not None:
            return True
        self._must_be_off()
        return False

    @property
    def proven_on(self) -> bool:
        """Something that was read proves that it is on; False says nothing. Never raises."""
        return self._proof is not None

    @property
    def quote(self) -> Quote:
        """What proves that it is on, or off."""
        if self._proof is not None:
            return self._proof
        for item in (self._class, self._group_item):
            if item.whole:
                return item.quote("(empty)" if item.status is Status.PRESENT else "(absent)")
        return self._class.quote()

    @property
    def off_reading(self) -> str:
        """In words, what is empty where the IOMMU is off."""
        if self._class.whole:
            return "no unit in /sys/class/iommu"
        if self._group_item.whole:
            return "no IOMMU group"
        return "no function joined a group in the log of a whole boot"

    @cached_property
    def _proof(self) -> Quote | None:
        """The first proof that it is on, by the ladder."""
        if self.seen_units:
            return self.seen_units[0].quote
        group = next(self._group_proofs(), None)
        return group if group is not None or self._is_off else self._log_proof

    def _group_proofs(self) -> Iterator[Quote]:
        for number, kind in self.seen_groups.items():
            if kind in REAL_TYPES:
                yield self._groups.quote(f"{number}/type")
        for path, target in Tree.of(self._device_item).links.items():
            if path.endswith("/iommu") and path.count("/") == 1:
                yield self._device_item.quote(f"{path} -> {target}"[:200])
        yield from self._function_proofs()

    @cached_property
    def seen_groups(self) -> dict[int, str]:
        """Group number -> its type, `vfio-noiommu`, or an empty string where neither was seen."""
        tree = self._groups
        found: dict[int, str] = {}
        for path in (*tree.values, *tree.links):
            word, _, rest = path.partition("/")
            if not (word.isascii() and word.isdecimal() and len(word) < 7):
                continue
            known = found.setdefault(int(word), "")
            if rest == "name" and tree.values.get(path, "").strip() == NOIOMMU:
                found[int(word)] = NOIOMMU
            elif rest == "type" and known != NOIOMMU:
                found[int(word)] = tree.values.get(path, "").strip()
        typed = any(path.endswith("/type") for path in tree.values)
        if self._group_item.whole and not typed:  # 4.15 to 5.10 have no such file
            for number, kind in found.items():
                if not kind and f"{number}/name" not in tree.values:
                    found[number] = "DMA"
        return found

    def _function_proofs(self) -> Iterator[Quote]:
        """Groups of functions that cannot be no-IOMMU groups.

        Those are made only for functions bound to a VFIO driver, which no bridge is, and are
        numbered from 0 upwards.
        """
        bound = 0
        highest: tuple[int, Quote] | None = None
        for function in self._pci.known.values():
            if not function.knows("group") or function.group is None:
                continue
            group, quote = function.group, function.quote("group")
            if self.seen_groups.get(group) == NOIOMMU:
                continue
            if _not_with_vfio(function):
                yield quote
            bound += 1
            if highest is None or group > highest[0]:
                highest = group, quote
        if highest is not None and highest[0] >= max(_NOIOMMU_AT_MOST, 4 * bound):
            yield highest[1]

    @cached_property
    def _log_proof(self) -> Quote | None:
        """The log says that a driver took over and that functions joined groups."""
        log = self._klog
        intel = log.first(_DRIVES["intel"])
        if intel is not None:
            return intel.quote
        joined = log.first(_JOINS)
        if joined is None and any(log.first(pattern) for pattern in _DRIVES.values()):
            joined = log.first(_JOINS_OLD)
        return joined.quote if joined is not None else None

    @property
    def _log_is_off(self) -> bool:
        """The log of a whole boot of a PC has no line of a driver that took over, and of no group.

        Every kernel logs both when it switches the IOMMU on, before it starts its first program.
        """
        log = self._klog
        on = self._log_proof is not None or any(map(log.first, _DRIVES.values()))
        return not on and log.covers_boot and log.first(_X86) is not None

    @property
    def _is_off(self) -> bool:
        """State says that nothing translates.

        Every x86 driver registers its units; elsewhere some only make groups.
        """
        if self._group_item.whole and not (set(self.seen_groups.values()) - {NOIOMMU}):
            return True
        return self._class.whole and not self.seen_units and self._cpu.is_x86 is True

    def _must_be_off(self) -> None:
        """Raise Missing unless it is known that nothing translates."""
        if self._is_off or self._log_is_off:
            return
        unread = [item for item in (self._class, self._group_item) if not item.whole]
        raise Missing(*(unread or [self._group_item]))

    @property
    def kind(self) -> str | None:
        """`intel`, `amd`, `smmu`, `virtio` ...; None where the machine is known to have none.

        Raises Missing where nothing tells.
        """
        for unit in self.seen_units:
            return unit.kind
        described = search(_DRIVES, self._describes)
        driven = (kind for kind, pattern in _DRIVES.items() if self._klog.first(pattern))
        for kind in itertools.chain(described.known, driven):
            return kind
        require(*described.lacking[:1])  # one table that is there would tell, so one is named
        return None

    def _describes(self, kind: str) -> bool:
        """The firmware's tables describe an IOMMU of a kind. Raises Missing."""
        if kind == "smmu":
            return self._acpi.iort is not None and bool(self._acpi.iort.smmus)
        return self._acpi.exists("DMAR" if kind == "intel" else "IVRS")

    # -- interrupts

    @property
    def interrupt_remapping(self) -> bool:
        """Interrupts of devices are remapped, so that a guest cannot forge the host's.

        State first: the chips in /proc/interrupts; then what the units can; then the log.
        """
        if self._ir_on is not None:
            return True
        if self._ir_off is not None:
            return False
        raise Missing(self._interrupts)

    @property
    def remapping_proven(self) -> bool:
        """Something that was read proves remapping; False says nothing. Never raises."""
        return self._ir_on is not None

    @property
    def interrupt_quote(self) -> Quote:
        """The line that says so."""
        found = self._ir_on or self._ir_off
        return found if found is not None else self._interrupts.quote()

    @cached_property
    def _ir_on(self) -> Quote | None:
        chip = _IR_CHIP.search(self._interrupts.text)
        if chip is not None:
            return self._interrupts.quote(_line_of(self._interrupts.text, chip.start()))
        if self._interrupts.whole or self._ir_refused is not None:
            return None
        said = self._klog.first(_IR_ON)
        return said.quote if said is not None else None

    @cached_property
    def _ir_off(self) -> Quote | None:
        """The proof that interrupts are not remapped."""
        plain = _PLAIN_CHIP.search(self._interrupts.text)
        if plain is not None:
            return self._interrupts.quote(_line_of(self._interrupts.text, plain.start()))
        if self._interrupts.whole and self._interrupts.data and self._cpu.is_x86:
            return self._interrupts.quote("(no IR- chip)")
        return self._ir_refused

    @cached_property
    def _ir_refused(self) -> Quote | None:
        for unit in search(self.seen_units, lambda unit: unit.remaps_interrupts is False).known:
            return unit.quote_ecap
        said = self._klog.first(_IR_OFF)
        return said.quote if said is not None else None

    @property
    def allows_unsafe_interrupts(self) -> bool:
        """One of the two modules would let a device in without interrupt remapping."""
        if self.unsafe_quotes:
            return True
        for path in _UNSAFE:
            self._modules.get(path)  # raises where nobody knows
        return False

    @property
    def unsafe_quotes(self) -> tuple[Quote, ...]:
        """The switches that are on."""
        values = self._modules.values
        return tuple(self._modules.quote(path) for path in _UNSAFE if _yes(values.get(path)))

    @cached_property
    def _modules(self) -> Tree:
        return Tree.of(self._module_item)

    @cached_property
    def faults(self) -> tuple[Fault, ...]:
        """The refused accesses that were kept in the log; none means nothing by itself."""
        return read_faults(self._klog)

    def rmrr_of(self, function: PciFunction) -> str | None:
        """In words, the RMRR whose scope names a function that Linux does not exempt.

        DMAR can prove a reservation; its silence proves nothing, since scopes may name bridges.
        None where it does not, or was not read. Never raises.
        """
        table = known(lambda: self._acpi.dmar)
        code = known(lambda: function.class_code)
        if table is None or code is None or code >> 16 == 0x03 or code >> 8 == 0x0C03:
            return None
        chain = known(lambda: function.path) or ()
        for region in table.reserved:
            for scope in region.scopes:
                one_hop = scope.address(region.segment) == function.address
                if scope.type == 1 and (one_hop or scope.leads_to(chain, region.segment)):
                    return f"RMRR {region.base:#x}-{region.limit:#x}"
        return None

    # -- no-IOMMU mode

    @property
    def noiommu(self) -> bool:
        """VFIO may run, or runs, devices without any IOMMU."""
        if self.noiommu_quotes:
            return True
        require(*self._noiommu_unread)
        return False

    @property
    def _noiommu_unread(self) -> tuple[Lack, ...]:
        return (*ask(self._modules.get, _NOIOMMU_PARAMETER)[1], *self._group_item.lacking)

    @property
    def noiommu_quotes(self) -> tuple[Quote, ...]:
        """What shows it: state, and where that was not read to its end, the log."""
        found: list[Quote] = []
        if _yes(self._modules.values.get(_NOIOMMU_PARAMETER)):
            found.append(self._modules.quote(_NOIOMMU_PARAMETER))
        for number, kind in self.seen_groups.items():
            if kind == NOIOMMU:
                found.append(self._groups.quote(f"{number}/name"))
        said = self._klog.first(r"Adding kernel taint for vfio-noiommu group on device")
        if said is not None and self._noiommu_unread:
            found.append(said.quote)
        return tuple(found)


def _not_with_vfio(function: PciFunction) -> bool:
    """The function is known to be bound to no VFIO driver."""
    if function.knows("driver"):
        return not is_vfio_driver(function.driver)
    return function.knows("class_code") and function.base_class == 0x06


def _yes(value: str | None) -> bool:
    return value is not None and value.strip() in {"Y", "y", "1"}


def _line_of(text: str, at: int) -> str:
    """The line around a position, blanks folded, so that counters of many CPUs do not drown it."""
    start = text.rfind("\n", 0, at) + 1
    end = text.find("\n", at)
    words = text[start : end if end >= 0 else None].split()
    name = words[0] if words else ""
    return " ".join([name, *(word for word in words[1:] if not word.isdecimal())])[:200]
