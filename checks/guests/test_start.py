"""What the guest's definition names has to be on the host, or the guest does not start."""

from pytest_vfio.check import (
    BLOCKER,
    DEGRADED,
    Outcome,
    Severity,
    Verdict,
    check,
    fails,
    passes,
    skips,
)
from pytest_vfio.cures import domain as cures
from pytest_vfio.facts.libvirt.guests import Domain
from pytest_vfio.facts.tristate import first, known, require
from pytest_vfio.hypervisor import viability
from pytest_vfio.hypervisor.hypervisor import Hypervisor
from pytest_vfio.parse.claims import Claim, Kind

_FILES = (Kind.FILE, Kind.PROGRAM, Kind.FOLDER)
_MACHINE = (Kind.ACCELERATOR, Kind.MACHINE, Kind.VCPUS, Kind.SECURITY)
_PLACES = (Kind.CPUS, Kind.NODES)
_VALUES = (Kind.VALUE, Kind.CPU_MODEL, Kind.ADDRESS)
_NETWORKS = (Kind.NETWORK, Kind.BRIDGE, Kind.NETDEV, Kind.POOL)


@check("GST030", severity=BLOCKER, needs=["LIB001"], refs=["F221", "F225"], since="0.2")
def test_every_file_that_the_guest_names_exists(hypervisor: Hypervisor, guest: Domain) -> Verdict:
    """Every file that the guest names exists on the host

    Checks:
        That emulator, loader, kernel, ROM files, disks, shared folders, device nodes and the
        folders of sockets and logs in the guest's definition exist, and that programs can be run.
    Why it matters:
        libvirt or QEMU opens each at the start, and stops at the first that is not there:
        "failed to find romfile", "Cannot access storage file", "Cannot check QEMU binary".
    Evidence:
        The stored XML of the guest; the paths that it names, as stat(1) reports them.
    Fix:
        Put the file where the guest names it, or correct the guest's definition.
    Fix safety:
        Safe while the guest is off: nothing that runs has the file open.
    References:
        F221, F225; libvirt src/qemu/qemu_process.c, qemuProcessPrepareHost.
    """
    return _met(hypervisor, guest, _FILES, "every file")


@check("GST031", severity=BLOCKER, needs=["LIB001"], refs=["F211"], since="0.2")
def test_qemu_has_the_machine_and_accelerator_of_the_guest(
    hypervisor: Hypervisor, guest: Domain
) -> Verdict:
    """QEMU has the machine type and the accelerator of the guest

    Checks:
        That /dev/kvm exists where the guest is of type kvm, that QEMU for its architecture has its
        machine type, which takes so many vCPUs, and that libvirt uses its security model.
    Why it matters:
        The start is refused: "Emulator does not support virt type kvm", "unsupported machine
        type". The processor's flag proves no /dev/kvm, which the module kvm_intel or
        kvm_amd makes.
    Evidence:
        The stored XML of the guest; /dev/kvm; virsh capabilities.
    Fix:
        Load the module of KVM; choose a machine type that QEMU has.
    Fix safety:
        Safe: loading the module touches no guest. Another machine type may move a guest's devices.
    References:
        F211; libvirt src/qemu/qemu_validate.c, src/qemu/qemu_capabilities.c.
    """
    asleep = known(lambda: hypervisor.libvirt.asleep)
    kinds = _MACHINE[:1] if asleep else _MACHINE
    found = _met(hypervisor, guest, kinds, "machine type and accelerator")
    if found.outcome is not Outcome.PASS or not asleep:
        return found
    return skips(f"{found.message}; libvirt was not asked for machine types, which would wake it")


@check("GST032", severity=BLOCKER, needs=["LIB001"], refs=["F212"], since="0.2")
def test_host_has_the_cpus_and_numa_nodes_of_the_guest(
    hypervisor: Hypervisor, guest: Domain
) -> Verdict:
    """Host has the CPUs and NUMA nodes of the guest's placement

    Checks:
        That every CPU in cpuset, vcpupin, emulatorpin and iothreadpin, and every node in numatune,
        is on the host.
    Why it matters:
        The kernel refuses the set and libvirt the node: "Invalid argument", "NUMA node 1 is
        unavailable".
    Evidence:
        The stored XML of the guest; /sys/devices/system/node.
    Fix:
        Correct the placement of the guest.
    Fix safety:
        Safe: takes effect at the guest's next start. Can be undone.
    References:
        F212; kernel/cgroup/cpuset.c, libvirt src/util/virnuma.c.
    """
    return _met(hypervisor, guest, _PLACES, "every CPU and NUMA node")


@check("GST033", severity=BLOCKER, needs=["LIB001"], refs=["F213"], since="0.2")
def test_networks_and_pools_that_the_guest_names_are_active(
    hypervisor: Hypervisor, guest: Domain
) -> Verdict:
    """Networks and storage pools that the guest names are active

    Checks:
        That each network and pool of the guest is active, and that each bridge and interface that
        it is attached to exists.
    Why it matters:
        The start is refused: "network 'default' is not active", "Cannot get interface MTU on
        'br0': No such device". An assigned device beside it does not start either.
    Evidence:
        The stored XML of the guest; /run/libvirt/network, virsh pool-list, /sys/class/net.
    Fix:
        Start the network or pool, and mark it for autostart.
    Fix safety:
        Safe: other guests are not touched. Can be undone.
    References:
        F213; libvirt src/network/bridge_driver.c, src/storage/storage_driver.c.
    """
    return _met(hypervisor, guest, _NETWORKS, "every network, bridge and pool")


@check("GST034", severity=BLOCKER, needs=["GST030"], refs=["F214"], since="0.2")
def test_qemu_user_can_read_the_files_of_the_guest(
    hypervisor: Hypervisor, guest: Domain
) -> Verdict:
    """QEMU's user can read the files of the guest

    Checks:
        That QEMU's user may pass every folder above the files of the guest, and may read those
        whose owner libvirt does not change: loader, ROM files.
    Why it matters:
        libvirt changes the owner of disks, never of the folders above them: "Permission denied".
    Evidence:
        The stored XML of the guest; mode and owner of the paths; user in /etc/libvirt/qemu.conf.
    Fix:
        Move the file to where QEMU's user has access, such as /var/lib/libvirt, or open the folder.
    Fix safety:
        Safe while the guest is off.
    References:
        F214; libvirt src/security/security_dac.c.
    """
    found = _judged(hypervisor, guest, _FILES)
    if isinstance(found, Verdict):
        return found
    severity, claims = found
    claim = first(claims, lambda claim: viability.unreadable(hypervisor, claim))
    unmet = viability.unreadable(hypervisor, claim) if claim is not None else None
    if unmet is None:
        return passes(f"QEMU's user can read the files of {guest.name}")
    return _fails(guest, unmet, severity)


@check("GST035", severity=BLOCKER, needs=["LIB001"], refs=["F216", "F226"], since="0.2")
def test_guest_has_values_that_libvirt_accepts_at_the_start(
    hypervisor: Hypervisor, guest: Domain
) -> Verdict:
    """Guest has values that libvirt accepts at the start

    Checks:
        That ports of displays are in their range, that displays listen at addresses of this host,
        that the CPU model is one that libvirt knows, and that host-passthrough goes with KVM.
    Why it matters:
        libvirt stores such a definition and refuses it only when the guest starts: "vnc port must
        be in range [5900,65535]", "Cannot assign requested address", "Unknown CPU model".
    Evidence:
        The stored XML of the guest; /usr/share/libvirt/cpu_map; the addresses of the host.
    Fix:
        Correct the value in the guest's definition.
    Fix safety:
        Safe while the guest is off. Can be undone.
    References:
        F216, F226; libvirt src/qemu/qemu_validate.c, src/cpu/cpu.c.
    """
    return _met(hypervisor, guest, _VALUES, "every value")


_Judged = tuple[Severity | None, tuple[Claim, ...]]


def _judged(hypervisor: Hypervisor, guest: Domain, kinds: tuple[Kind, ...]) -> Verdict | _Judged:
    """What the next start of the guest claims, and how bad it is where it is not met."""
    if not guest.hostdevs:
        require(guest)
        return skips(f"{guest.name} has no device of the host")
    document = viability.document(guest)
    if document is None:
        return skips(f"{guest.name} is transient: it has no next start")
    severity = DEGRADED if guest.running else None
    return severity, viability.claims(hypervisor, document, *kinds)


def _met(hypervisor: Hypervisor, guest: Domain, kinds: tuple[Kind, ...], what: str) -> Verdict:
    found = _judged(hypervisor, guest, kinds)
    if isinstance(found, Verdict):
        return found
    severity, claims = found
    claim = first(claims, lambda claim: viability.unmet(hypervisor, claim))
    unmet = viability.unmet(hypervisor, claim) if claim is not None else None
    if unmet is None:
        return passes(f"the host has {what} of {guest.name}")
    return _fails(guest, unmet, severity)


def _fails(guest: Domain, unmet: viability.Unmet, severity: Severity | None) -> Verdict:
    claim = unmet.claim
    named = f" {claim.value}" if claim.value not in unmet.words else ""
    return fails(
        f"{guest.name} names {claim.kind.value}{named} ({claim.what}): {unmet.words}",
        actual=unmet.words,
        expected=f"{claim.kind.value} {claim.value} for {guest.name}",
        evidence=[claim.quote, unmet.quote],
        acts="libvirt",
        severity=severity,
        cure=cures.meet(guest.name, claim),
    )
