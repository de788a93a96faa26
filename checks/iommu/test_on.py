"""Whether DMA is translated and interrupts are remapped."""

from pytest_vfio.check import (
    ADVICE,
    BLOCKER,
    DEGRADED,
    SECURITY,
    Verdict,
    check,
    fails,
    passes,
    skips,
)
from pytest_vfio.cures import by_hand as by_hand_cures
from pytest_vfio.cures import cmdline as cmdline_cures
from pytest_vfio.cures import modprobe as modprobe_cures
from pytest_vfio.facts.tristate import require
from pytest_vfio.hypervisor.hypervisor import Hypervisor

_GAVE_UP = (
    r"DMAR: Initialization failed|DMAR: dmar\d+: Failed to map|Cannot get a valid agaw for iommu"
    r"|No supported address widths\. Not attempting DMA translation"
    r"|AMD-Vi: IOMMU\d+: Failed to initialize IOMMU Hardware"
    r"|AMD-Vi: Failed to initialize\. The CMPXCHG16B feature is required"
    r"|Can not reserve memory region [0-9a-f]+-[0-9a-f]+ for mmio"
    r"|arm-smmu(?:-v3)? [^\n]{1,80}: probe (?:of [^\n]{1,60} )?(?:with driver [^\n]{1,40} )?failed"
)


@check(
    "IOM001",
    severity=BLOCKER,
    needs=["FW002", "FW003", "FW009", "FW011", "CMD002", "CMD004", "DRV011", "IOM004"],
    refs=["F50", "S01", "S12", "S13"],
)
def test_iommu_is_on(hypervisor: Hypervisor) -> Verdict:
    """IOMMU is on

    Checks:
        That the kernel translates DMA. Units that it registered prove it, then real groups, then
        the last line of a driver in the log. `DMAR: IOMMU enabled` only proves that a parameter was
        parsed, DRHD lines only that a table was, and a no-IOMMU group is not an IOMMU.
    Why it matters:
        Without translation there are no groups: VFIO refuses every device.
    Evidence:
        /sys/class/iommu, /sys/kernel/iommu_groups, links of functions, libvirt's node devices,
        the kernel log. What is absent from a log that is not whole proves nothing.
    Fix:
        The cause that is named before this one; else what the kernel log reports of DMAR or AMD-Vi.
    Fix safety:
        Switching the IOMMU on needs a reboot, and may show faults of devices with bugs.
    References:
        F50, S01, S12, S13; drivers/iommu/intel/iommu.c, drivers/iommu/amd/init.c.
    """
    iommu = hypervisor.iommu
    if iommu.on:
        return passes("DMA is translated", evidence=iommu.quote)
    gave_up = hypervisor.klog.first(_GAVE_UP)
    because = f": {gave_up.text[:160]}" if gave_up is not None else ""
    return fails(
        f"the IOMMU is off: {iommu.off_reading}{because}",
        actual=f"off: {iommu.off_reading}",
        expected="a unit in /sys/class/iommu",
        evidence=[iommu.quote, gave_up.quote] if gave_up is not None else iommu.quote,
        refs=["F50"],
        cure=by_hand_cures.read_the_log(),
    )


@check(
    "IOM002",
    severity=BLOCKER,
    needs=["IOM001", "FW004", "FW005", "CMD024", "DRV011"],
    refs=["F53", "S27"],
)
def test_interrupts_are_remapped(hypervisor: Hypervisor) -> Verdict:
    """Interrupts are remapped

    Checks:
        That device interrupts pass a remapping table: IR- chips in /proc/interrupts, an ITS on
        ARM. xapic mode is remapping too; allow_unsafe_interrupts is not.
    Why it matters:
        VFIO refuses every device (`No interrupt remapping support`), since a guest could send
        any interrupt to the host.
    Evidence:
        /proc/interrupts, then ecap of the units and the kernel log.
    Fix:
        The cause that is named before this one: firmware, a kernel parameter, the kernel.
    Fix safety:
        Never allow unsafe interrupts instead.
    References:
        F53, S27; drivers/vfio/vfio_iommu_type1.c, drivers/iommu/iommufd/device.c.
    """
    iommu = hypervisor.iommu
    if iommu.interrupt_remapping:
        return passes("interrupts are remapped", evidence=iommu.interrupt_quote)
    return fails(
        f"interrupts are not remapped: {iommu.interrupt_quote.line}",
        actual="off",
        expected="IR- chips, or an ITS",
        evidence=iommu.interrupt_quote,
        cure=by_hand_cures.restore_interrupt_remapping(),
    )


@check("IOM004", severity=BLOCKER, needs=["FW002"], refs=["F52"])
def test_linux_does_not_refuse_this_platform_iommu(hypervisor: Hypervisor) -> Verdict:
    """Linux does not refuse this platform's IOMMU

    Checks:
        That Linux did not leave the AMD IOMMU off because of the platform (Stoney Ridge).
    Why it matters:
        The integrated GPU of such a platform does not work with the IOMMU on, so the kernel leaves
        it off.
    Evidence:
        The IOMMU's state, the kernel log, the GPU 1002:98e4 among the PCI functions.
    Fix:
        Another machine; amd_iommu=force_enable (5.15 and newer) at your own risk.
    Fix safety:
        The display may fail once the IOMMU is on.
    References:
        F52; drivers/iommu/amd/init.c (detect_ivrs).
    """
    if hypervisor.iommu.proven_on:
        return passes("the IOMMU is on", evidence=hypervisor.iommu.quote)
    said = hypervisor.klog.first(r"AMD-Vi: Disable IOMMU on Stoney Ridge")
    if said is None:
        if hypervisor.iommu.kind != "amd":
            return skips("no AMD IOMMU on this host")
        require(hypervisor.klog)
        return passes("Linux does not refuse this platform's IOMMU")
    return fails(
        "Linux leaves the IOMMU of this platform off (Stoney Ridge)",
        actual="refused",
        expected="a platform whose IOMMU Linux uses",
        evidence=said.quote,
        acts="vendor",
        cure=by_hand_cures.force_amd(),
    )


@check("IOM005", severity=SECURITY, refs=["F54", "F205", "S27"])
def test_unsafe_interrupts_are_not_allowed(hypervisor: Hypervisor) -> Verdict:
    """Unsafe interrupts are not allowed

    Checks:
        That allow_unsafe_interrupts is N in vfio_iommu_type1 and in iommufd: two switches.
    Why it matters:
        Where interrupts are not remapped a guest with a device can send any interrupt to the
        host. Where they are, the switch does nothing but wait for the day they are not.
    Evidence:
        /sys/module/{vfio_iommu_type1,iommufd}/parameters/allow_unsafe_interrupts.
    Fix:
        Write N, remove the option from modprobe.d and from the command line.
    Fix safety:
        Running guests keep their devices; where interrupts are not remapped the next start fails.
    References:
        F54, F205, S27; drivers/vfio/vfio_iommu_type1.c, drivers/iommu/iommufd/device.c.
    """
    iommu = hypervisor.iommu
    if not iommu.allows_unsafe_interrupts:
        return passes("neither vfio_iommu_type1 nor iommufd allows unsafe interrupts")
    quotes = iommu.unsafe_quotes
    modules = tuple(quote.source.split("/")[2] for quote in quotes)
    return fails(
        f"{' and '.join(modules)}: allow_unsafe_interrupts is Y, expected N",
        actual="Y",
        expected="N",
        evidence=quotes,
        severity=DEGRADED if iommu.remapping_proven else None,
        cure=modprobe_cures.forbid_unsafe_interrupts(hypervisor, modules),
    )


@check("IOM006", severity=SECURITY, refs=["F62", "S14"])
def test_vfio_no_iommu_mode_is_off(hypervisor: Hypervisor) -> Verdict:
    """VFIO's no-IOMMU mode is off

    Checks:
        That enable_unsafe_noiommu_mode is N and that no group is called vfio-noiommu.
    Why it matters:
        With it a program can make a device read and write any memory. Virtual machines cannot use
        it at all: the groups look real and no guest starts.
    Evidence:
        /sys/module/vfio/parameters, the groups' names, the taint line in the kernel log.
    Fix:
        Write N, stop what uses the devices, switch a real IOMMU on.
    Fix safety:
        DPDK programs that rely on it stop working.
    References:
        F62, S14; drivers/vfio/group.c, drivers/vfio/vfio_main.c.
    """
    iommu = hypervisor.iommu
    if not iommu.noiommu:
        return passes("no-IOMMU mode is off")
    quotes = iommu.noiommu_quotes
    return fails(
        "VFIO runs or may run devices without an IOMMU (no-IOMMU mode)",
        actual="no-IOMMU mode",
        expected="N",
        evidence=quotes,
        cure=modprobe_cures.leave_noiommu_mode(hypervisor),
    )


@check("IOM012", severity=ADVICE, refs=["F61"])
def test_firmware_does_not_force_the_iommu_on(hypervisor: Hypervisor) -> Verdict:
    """Firmware does not force the IOMMU on

    Checks:
        That the IOMMU is not on merely because the firmware opted in to DMA protection.
    Why it matters:
        Where it does the host's own devices get identity mapping and only external ones are
        translated; a kernel whose rule for `iommu=off` differs may leave it off after an update.
    Evidence:
        The kernel log.
    Fix:
        Set intel_iommu=on.
    Fix safety:
        Needs a reboot; host devices are then translated too, unless iommu=pt.
    References:
        F61; drivers/iommu/intel/iommu.c (platform_optin_force_iommu).
    """
    said = hypervisor.klog.first(
        r"Intel-IOMMU force enabled due to platform opt in|Forcing Intel-IOMMU to enabled"
    )
    if said is None:
        if hypervisor.iommu.kind != "intel":
            return skips("no Intel IOMMU on this host")
        require(hypervisor.klog)
        return passes("firmware does not force the IOMMU on")
    return fails(
        f"firmware forces the IOMMU on: {said.text[:120]}",
        actual="forced on",
        expected="on by the command line or the kernel's default",
        evidence=said.quote,
        cure=cmdline_cures.add(hypervisor.boot, "intel_iommu=on"),
    )
