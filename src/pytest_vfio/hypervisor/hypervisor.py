"""One host's facts: the doors to all topics. Lazy: nothing is parsed before a check asks for it.

Building a topic never fails; asking it something for which the evidence is missing raises
`Missing`, which the engine turns into an *unknown* that names what was not read.
"""

from __future__ import annotations

from functools import cached_property

from pytest_vfio.declared import Declared
from pytest_vfio.evidence import Evidence
from pytest_vfio.facts.boot.chain import Boot
from pytest_vfio.facts.drivers.modules import Modules
from pytest_vfio.facts.drivers.pins import Pins
from pytest_vfio.facts.firmware.acpi import Acpi
from pytest_vfio.facts.host.cpu import Cpu
from pytest_vfio.facts.host.memory import Memory
from pytest_vfio.facts.host.messages import Messages
from pytest_vfio.facts.host.network import Network
from pytest_vfio.facts.host.paths import Paths
from pytest_vfio.facts.host.platform import Platform
from pytest_vfio.facts.host.storage import Storage
from pytest_vfio.facts.iommu.remapping import Interrupts
from pytest_vfio.facts.kernel.cmdline import Cmdline
from pytest_vfio.facts.kernel.devicelog import DeviceLog
from pytest_vfio.facts.kernel.log import KernelLog
from pytest_vfio.facts.kernel.release import Kernel
from pytest_vfio.facts.libvirt.capabilities import Capabilities
from pytest_vfio.facts.libvirt.daemon import Libvirt
from pytest_vfio.facts.libvirt.guests import Guests
from pytest_vfio.facts.libvirt.hooks import Hooks
from pytest_vfio.facts.pci.functions import Pci
from pytest_vfio.facts.pci.names import Names
from pytest_vfio.hypervisor.demand import Demand
from pytest_vfio.hypervisor.groups import Groups
from pytest_vfio.hypervisor.intent import Intent
from pytest_vfio.hypervisor.iommu import Iommu
from pytest_vfio.hypervisor.protected import Protected
from pytest_vfio.hypervisor.seat import Console


class Hypervisor:
    """Everything that is known of one host, and what it is meant for."""

    def __init__(self, evidence: Evidence, declared: Declared | None = None) -> None:
        self.evidence = evidence
        self.declared = declared if declared is not None else Declared()

    @property
    def name(self) -> str:
        """The host's name, as the user gave it."""
        return self.evidence.host

    @cached_property
    def kernel(self) -> Kernel:
        """Release, version and build configuration of the running kernel."""
        return Kernel(self.evidence)

    @cached_property
    def cmdline(self) -> Cmdline:
        """The running kernel's command line, by the kernel's own rules."""
        return Cmdline(self.evidence, self.kernel)

    @cached_property
    def boot(self) -> Boot:
        """The boot chain: what is configured, what was generated from it, what runs."""
        return Boot(self.evidence, self.kernel)

    @cached_property
    def modules(self) -> Modules:
        """Drivers: loaded, built in, in the initramfs; modprobe.d and the vfio-pci ids."""
        return Modules(self.evidence, self.kernel, self.cmdline)

    @cached_property
    def cpu(self) -> Cpu:
        """Vendor, architecture and virtualisation flags."""
        return Cpu(self.evidence)

    @cached_property
    def platform(self) -> Platform:
        """The machine: DMI, virtualisation type, Secure Boot, lockdown, taint."""
        return Platform(self.evidence)

    @cached_property
    def acpi(self) -> Acpi:
        """The firmware's tables that describe the IOMMU: DMAR, IVRS, IORT."""
        return Acpi(self.evidence)

    @cached_property
    def klog(self) -> KernelLog:
        """The kernel log of this boot."""
        return KernelLog(self.evidence)

    @cached_property
    def devicelog(self) -> DeviceLog:
        """The kernel log, by the PCI function that a line names."""
        return DeviceLog(self.klog)

    @cached_property
    def iommu(self) -> Iommu:
        """Whether DMA is translated and interrupts are remapped."""
        return Iommu(self.pci, self.groups, self.acpi, self.cpu, self.klog)

    @cached_property
    def interrupts(self) -> Interrupts:
        """Where the interrupts of assigned devices are handled."""
        return Interrupts(self.evidence)

    @cached_property
    def pci(self) -> Pci:
        """Every PCI function that is known."""
        return Pci(self.evidence)

    @cached_property
    def names(self) -> Names:
        """What PCI functions are called."""
        return Names(self.evidence)

    @cached_property
    def groups(self) -> Groups:
        """The IOMMU groups."""
        return Groups(self.pci, self.kernel)

    @cached_property
    def libvirt(self) -> Libvirt:
        """libvirt itself: daemon, versions, settings, node devices."""
        return Libvirt(self.evidence)

    @cached_property
    def guests(self) -> Guests:
        """The domains, live and stored, and their hostdevs."""
        return Guests(self.evidence)

    @cached_property
    def capabilities(self) -> Capabilities:
        """What libvirt says that QEMU and the host can do."""
        return Capabilities(self.evidence)

    @cached_property
    def paths(self) -> Paths:
        """What there is of the paths that guests name, and who may read them."""
        return Paths(self.evidence)

    @cached_property
    def hooks(self) -> Hooks:
        """The programs that libvirt runs at every start."""
        return Hooks(self.evidence, self.paths)

    @cached_property
    def demand(self) -> Demand:
        """How much memory guests with assigned devices pin."""
        return Demand(self.guests)

    @cached_property
    def network(self) -> Network:
        """Interfaces, what they carry, and the PCI functions below them."""
        return Network(self.evidence)

    @cached_property
    def storage(self) -> Storage:
        """Block devices, what they carry, and the PCI functions below them."""
        return Storage(self.evidence, self.network)

    @cached_property
    def memory(self) -> Memory:
        """Memory, hugepages and NUMA nodes."""
        return Memory(self.evidence)

    @cached_property
    def pins(self) -> Pins:
        """The addresses that get a driver at every boot: driverctl, udev rules."""
        return Pins(self.evidence)

    @cached_property
    def protected(self) -> Protected:
        """The PCI functions that the host itself lives on, each with the path that says why."""
        console = Console(self.evidence, self.pci, self.network, self.cmdline)
        named = self.declared.protected
        return Protected(named, self.pci, self.network, self.storage, console)

    @cached_property
    def messages(self) -> Messages:
        """What logs and pasted texts say in words that are known."""
        return Messages(self.evidence)

    @cached_property
    def intent(self) -> Intent:
        """What the host is meant to pass through."""
        return Intent(self.declared, self.pci, self.modules, self.guests, self.messages)
