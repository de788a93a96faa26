"""Devices, vCPUs, memory and interrupts on the same NUMA node."""

from pytest_vfio.check import ADVICE, Verdict, check, fails, passes, skips
from pytest_vfio.cures import firmware as firmware_cures
from pytest_vfio.cures import memory as memory_cures
from pytest_vfio.facts.pci.functions import PciFunction
from pytest_vfio.facts.tristate import ask, require
from pytest_vfio.hypervisor.hypervisor import Hypervisor
from pytest_vfio.hypervisor.intent import IntendedDevice


@check("TUN001", severity=ADVICE, needs=["DEV001"], refs=["F16"])
def test_device_has_a_numa_node(hypervisor: Hypervisor, device: IntendedDevice) -> Verdict:
    """Device has a NUMA node

    Checks:
        That the kernel knows the node of the device, on a host with more than one, or on one whose
        other devices have a node.
    Why it matters:
        Otherwise the guest cannot be placed near the device. Across sockets throughput drops and
        latency rises.
    Evidence:
        numa_node of the device, from sysfs or libvirt (which leaves the element out for -1);
        /sys/devices/system/node; the nodes of the other devices.
    Fix:
        A firmware update; until then find the slot's socket in the manual and pin by hand.
    Fix safety:
        Manual. Writing numa_node in sysfs taints the kernel.
    References:
        F16; Documentation/ABI/testing/sysfs-bus-pci, numa_node.
    """
    function = device.function
    if function.numa_node >= 0:
        return passes(
            f"{device.name} is on NUMA node {function.numa_node}",
            evidence=function.quote("numa_node"),
        )
    proofs, why = [function.quote("numa_node")], ""
    nodes, unread = ask(lambda: hypervisor.memory.nodes)
    other = _located(hypervisor) if nodes is None else None
    if nodes is not None and len(nodes) == 1:
        return skips(f"{device.name} has no NUMA node, and the host has only one")
    if nodes is not None:
        why = f"the host has {len(nodes)} nodes"
        proofs.append(hypervisor.memory.online)
    elif other is not None:
        why = f"{other.address} is on node {other.numa_node}"
        proofs.append(other.quote("numa_node"))
    else:
        require(*unread)
    return fails(
        f"{device.name} has no NUMA node, while {why}",
        actual="no NUMA node",
        expected="the node of its slot",
        evidence=proofs,
        acts="vendor",
        cure=firmware_cures.node_of_slot(device.name),
    )


@check("TUN007", severity=ADVICE, needs=["DEV001"], refs=["F187"])
def test_at_least_half_of_the_interrupts_are_handled_on_its_node(
    hypervisor: Hypervisor, device: IntendedDevice
) -> Verdict:
    """At least half of the device's interrupts are handled on its NUMA node

    Checks:
        That at least half of the interrupts of the device, while a guest runs with it, were handled
        by CPUs of the device's own node.
    Why it matters:
        Otherwise most interrupts cross the sockets before they reach the guest: jitter.
    Evidence:
        /proc/interrupts (rows vfio-msix, vfio-msi, vfio-intx), numa_node, the CPUs of the nodes.
    Fix:
        Set the affinity of the interrupts, and keep irqbalance from undoing it.
    Fix safety:
        Safe: takes effect at once, can be undone.
    References:
        F187; drivers/vfio/pci/vfio_pci_intrs.c.
    """
    counts = hypervisor.interrupts.of(device.name)
    if not counts:
        return skips(f"no guest has interrupts of {device.name} at the moment")
    node = device.function.numa_node
    if node < 0:
        return skips(f"{device.name} has no NUMA node")
    nodes = hypervisor.memory.nodes
    if len(nodes) == 1 or node not in nodes:
        return skips("the host has one NUMA node")
    total = sum(counts.values())
    far = sum(count for cpu, count in counts.items() if cpu not in nodes[node].cpus)
    words = f"{far} of {total} interrupts of {device.name}"
    proof = hypervisor.interrupts.quote(device.name)
    if far * 2 <= total:
        return passes(f"{words} were handled off node {node}", evidence=proof)
    return fails(
        f"{words} were handled off its node {node}",
        actual=f"{far} of {total} on other nodes",
        expected=f"CPUs of node {node}",
        evidence=proof,
        cure=memory_cures.local_interrupts(device.name, node),
    )


def _located(hypervisor: Hypervisor) -> PciFunction | None:
    """A known function that has a node."""
    known = (f for f in hypervisor.pci.known.values() if f.knows("numa_node"))
    return next((function for function in known if function.numa_node >= 0), None)
