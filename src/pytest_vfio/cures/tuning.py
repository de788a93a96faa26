"""Cures for what works and costs throughput or latency. None of them is urgent."""

from __future__ import annotations

from pytest_vfio.cures import MANUAL, SAFE, UNSAFE, told
from pytest_vfio.steps import Cure


def tell_the_node(address: str) -> Cure:
    """Only firmware can tell where a slot is."""
    return told(
        MANUAL,
        f"let the firmware name the NUMA node of {address}, and pin its guest by hand until then",
        (
            "update the firmware; look for a NUMA or SNC setting that hides the slot's proximity",
            "find the slot's socket in the board's manual and pin vCPUs and memory there",
        ),
        reboot=True,
    )


def pin_guest(guest: str, node: int) -> Cure:
    """Takes effect at the guest's next start."""
    return told(
        SAFE,
        f"keep {guest} on NUMA node {node}",
        (
            f"virsh numatune {guest} --nodeset {node} --config",
            f"virsh vcpupin {guest} VCPU CPULIST --config, with CPUs of node {node}",
        ),
        undo=True,
    )


def hugepages(guest: str) -> Cure:
    """Pages of 1 GiB have to be reserved at boot."""
    return told(
        UNSAFE,
        f"back the memory of {guest} with hugepages",
        (
            "reserve them on the device's node, or at boot: hugepagesz=1G hugepages=N",
            f"virsh edit {guest}: <memoryBacking><hugepages/></memoryBacking>",
        ),
        reboot=True,
        undo=True,
    )


def module_option(module: str, option: str) -> Cure:
    """A KVM module can be loaded anew only while no guest runs."""
    return told(
        UNSAFE,
        f"load {module} with {option}",
        (f"add `options {module} {option}` to /etc/modprobe.d", "reboot, or reload with no guest"),
        reboot=True,
        undo=True,
    )


def drop_word(word: str) -> Cure:
    """One word less on the command line."""
    return told(
        UNSAFE,
        f"take {word} off the kernel's command line",
        (f"remove {word} from the boot loader's settings and generate its files again",),
        reboot=True,
        undo=True,
    )


def host_passthrough(word: str) -> Cure:
    """Guests are isolated as before: only the host's own devices skip translation."""
    return told(
        UNSAFE,
        f"add {word} to the kernel's command line",
        (f"add {word} to the boot loader's settings and generate its files again",),
        reboot=True,
        undo=True,
    )


def payload() -> Cure:
    """Payload sizes are set by the firmware, and mended by the kernel if told to."""
    return told(
        UNSAFE,
        "let the kernel choose payload sizes that fit the whole path: pci=pcie_bus_safe",
        ("add pci=pcie_bus_safe to the boot loader's settings", "report it to the board's vendor"),
        reboot=True,
        undo=True,
    )


def local_interrupts(address: str, node: int) -> Cure:
    """Takes effect at once."""
    return told(
        SAFE,
        f"handle the interrupts of {address} on CPUs of node {node}",
        (
            "write those CPUs to /proc/irq/N/smp_affinity_list of its vfio-msix interrupts",
            "keep irqbalance from moving them: IRQBALANCE_BANNED_CPULIST, or --banirq",
        ),
        undo=True,
    )


def mappable_bars(address: str) -> Cure:
    """What shares a page with another device is trapped by the hypervisor."""
    return told(
        MANUAL,
        f"give the BARs of {address} pages of their own",
        ("boot with pci=resource_alignment=12@" + address, "or update the card's firmware"),
        reboot=True,
    )


def smaller_guests() -> Cure:
    """Memory of a guest with assigned devices cannot be reclaimed."""
    return told(
        MANUAL,
        "give the guests with assigned devices less memory, or the host more",
        ("virsh setmaxmem GUEST SIZE --config", "run fewer of these guests at once"),
    )
