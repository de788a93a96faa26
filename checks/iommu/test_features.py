"""What the units can do."""

from pytest_vfio.check import ADVICE, Verdict, check, fails, passes, skips
from pytest_vfio.cures import by_hand as by_hand_cures
from pytest_vfio.cures import domain as domain_cures
from pytest_vfio.evidence import Missing
from pytest_vfio.facts.tristate import require, search
from pytest_vfio.hypervisor.hypervisor import Hypervisor

_UNLIKE = (
    r"DMAR: IOMMU feature [a-z0-9_]{1,40} inconsistent|EFR mismatch\. Use IVHD EFR"
    r"|Found inconsistent EFR"
)
_CONFLICT = (
    r"Device needs domain type [^\n]{1,40}, but device [^\n]{1,60} in the same iommu group requires"
    r"|Cannot change default domain: Group has more than one device"
)


@check("IOM010", severity=ADVICE, needs=["IOM001"], refs=["F59"])
def test_iommu_units_map_as_many_address_bits_as_the_cpu_has(hypervisor: Hypervisor) -> Verdict:
    """IOMMU units map as many address bits as the CPU has

    Checks:
        On Intel, that every unit maps as many bits (MGAW) as the CPU's physical addresses have,
        which a guest with host-passthrough may use.
    Why it matters:
        Otherwise the guest's firmware places 64-bit BARs where the IOMMU cannot map them, and
        mapping fails with Invalid argument. Peer-to-peer is lost, or the guest does not start.
    Evidence:
        cap of every unit, address sizes in /proc/cpuinfo.
    Fix:
        maxphysaddr of the guest's CPU set to the unit's width.
    Fix safety:
        Takes effect when the guest is started anew.
    References:
        F59; VT-d specification, CAP_REG; libvirt formatdomain, maxphysaddr.
    """
    if hypervisor.iommu.kind != "intel":
        return skips("no Intel IOMMU on this host")
    found = search(hypervisor.iommu.seen_units, lambda unit: unit.address_width)
    widths = {unit: unit.address_width or 0 for unit in found.known}
    if not widths:
        raise Missing(hypervisor.evidence.item("sys/class/iommu"))
    narrow, bits = min(widths.items(), key=lambda width: width[1])
    cpu = hypervisor.cpu.physical_bits
    if bits >= cpu:
        require(found, *hypervisor.iommu.unread_units)  # a narrower unit may be hidden
        return passes(
            f"each unit maps {bits} bits or more, the CPU has {cpu}", evidence=narrow.quote_cap
        )
    return fails(
        f"{narrow.name} maps {bits} address bits, the CPU has {cpu}",
        actual=f"{bits} bits",
        expected=f"{cpu} bits",
        evidence=narrow.quote_cap,
        acts="guest",
        cure=domain_cures.limit_addresses(bits),
    )


@check("IOM011", severity=ADVICE, needs=["IOM001"], refs=["F66"])
def test_kernel_log_reports_no_unit_with_different_features(hypervisor: Hypervisor) -> Verdict:
    """Kernel log reports no IOMMU unit with different features

    Checks:
        That the kernel reports no unit whose features do not match the others'.
    Why it matters:
        Where units differ the kernel falls back to what all have in common, or uses what one unit
        lacks.
    Evidence:
        The kernel log; units of integrated graphics differ by design, so registers alone are not
        compared.
    Fix:
        Update the firmware.
    Fix safety:
        Nothing needs to be done for VFIO to work.
    References:
        F66; drivers/iommu/intel/cap_audit.c, drivers/iommu/amd/init.c.
    """
    said = hypervisor.klog.find(_UNLIKE)
    if said is None:
        return passes("the kernel log reports no unit with different features")
    return fails(
        f"IOMMU units have different features: {said.text[:160]}",
        actual="different features",
        expected="alike",
        evidence=said.quote,
        acts="firmware",
        cure=by_hand_cures.update_kernel_or_firmware(),
    )


@check("IOM013", severity=ADVICE, needs=["IOM001"], refs=["F67"])
def test_kernel_log_reports_no_conflicting_default_domains(hypervisor: Hypervisor) -> Verdict:
    """Kernel log reports no group with conflicting default domains

    Checks:
        That the kernel found no conflict about a group's default domain.
    Why it matters:
        Where they conflict the host's drivers get the common default instead of what they asked
        for. Assigned devices are not affected.
    Evidence:
        The kernel log.
    Fix:
        None is needed for VFIO.
    Fix safety:
        Nothing is changed.
    References:
        F67; drivers/iommu/iommu.c.
    """
    said = hypervisor.klog.find(_CONFLICT)
    if said is None:
        return passes("no group has conflicting default domains")
    return fails(
        f"default domains conflict: {said.text[:160]}",
        actual="conflict",
        expected="one type in each group",
        evidence=said.quote,
    )


@check("IOM014", severity=ADVICE, needs=["IOM001"], refs=["F18", "S07"])
def test_memory_encryption_does_not_override_iommu_pt(hypervisor: Hypervisor) -> Verdict:
    """Memory encryption does not override iommu=pt

    Checks:
        That passthrough mode, where it is set, was not dropped because memory is encrypted.
    Why it matters:
        Otherwise the host's own devices use translated DMA although the command line asks for
        passthrough. Assigned devices are translated with either.
    Evidence:
        The kernel log.
    Fix:
        Remove iommu=pt: it has no effect here.
    Fix safety:
        Only the command line changes.
    References:
        F18, S07; drivers/iommu/iommu.c (iommu_subsys_init).
    """
    said = hypervisor.klog.find(r"Memory encryption detected - Disabling default IOMMU Passthrough")
    if said is None:
        return passes("memory encryption overrides nothing")
    return fails(
        "memory encryption overrides passthrough mode",
        actual="Translated",
        expected="Passthrough, as the command line asks",
        evidence=said.quote,
    )
