"""What kind of machine the host is, and what guards it."""

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
from pytest_vfio.cures import firmware as firmware_cures
from pytest_vfio.cures import modprobe as modprobe_cures
from pytest_vfio.evidence import Quote, Tree
from pytest_vfio.facts.tristate import require
from pytest_vfio.hypervisor.hypervisor import Hypervisor
from pytest_vfio.steps import Cure

_REJECTED = (
    r"Loading of unsigned module is rejected|Loading of module with unavailable key is rejected"
    r"|Lockdown: [^\n]{0,40}: unsigned module loading is restricted"
)
#: Taint bits of a kernel that has had an accident: machine check, oops, soft lockup.
_ACCIDENTS = 1 << 4 | 1 << 7 | 1 << 14


@check("FW011", severity=BLOCKER, refs=["F65"])
def test_host_is_bare_metal_or_a_virtual_machine_with_an_iommu(hypervisor: Hypervisor) -> Verdict:
    """Host is bare metal or a virtual machine with an IOMMU

    Checks:
        That the host is bare metal, or a virtual machine that has an IOMMU. Xen's control domain
        has none that VFIO could use.
    Why it matters:
        Without one there are no IOMMU groups, and no setting inside creates them: the machine below
        has to.
    Evidence:
        /sys/hypervisor, the IOMMU's state, systemd-detect-virt, DMI, the hypervisor flag.
    Fix:
        Give the virtual machine a virtual IOMMU; boot without Xen, or use xen-pciback.
    Fix safety:
        The machine below has to restart this one.
    References:
        F65; libvirt formatdomain, element iommu; Documentation/arch/x86/xen.
    """
    platform, iommu = hypervisor.platform, hypervisor.iommu
    if platform.seen_xen_dom0:
        return _none("the host is Xen's dom0", platform.xen_quote, firmware_cures.leave_xen())
    if iommu.proven_on:
        return passes("the IOMMU is on", evidence=iommu.quote)
    kind = platform.virtualization
    if kind == "none":
        return passes("the host is bare metal", evidence=platform.virtualization_quote)
    described = hypervisor.acpi.describes_iommu
    if described is not None:
        return passes(f"this {kind} guest has an IOMMU", evidence=described)
    words = f"the host is a {kind} guest without an IOMMU"
    return _none(words, platform.virtualization_quote, firmware_cures.give_guest_an_iommu())


def _none(words: str, quote: Quote, cure: Cure) -> Verdict:
    return fails(
        words,
        actual=words,
        expected="bare metal, or a virtual IOMMU",
        evidence=quote,
        acts="vendor",
        cure=cure,
    )


@check("FW012", severity=ADVICE, refs=["S35"])
def test_host_is_bare_metal(hypervisor: Hypervisor) -> Verdict:
    """Host is bare metal

    Checks:
        That the host is bare metal.
    Why it matters:
        With a virtual IOMMU every check may pass while the devices are emulated: the verdict holds
        for this virtual machine only, not for the hardware below it.
    Evidence:
        systemd-detect-virt; without it DMI, /sys/hypervisor and the hypervisor flag.
    Fix:
        Nothing, if this is a laboratory or nested virtualisation. Else check the machine below.
    Fix safety:
        Nothing is changed.
    References:
        S35; systemd-detect-virt(1).
    """
    kind = hypervisor.platform.virtualization
    quote = hypervisor.platform.virtualization_quote
    if kind == "none":
        return passes("the host is bare metal", evidence=quote)
    return fails(
        f"the host is a virtual machine ({kind}), expected bare metal",
        actual=kind,
        expected="bare metal",
        evidence=quote,
        acts="vendor",
    )


@check("FW008", severity=SECURITY, refs=["F68"])
def test_thunderbolt_ports_are_protected(hypervisor: Hypervisor) -> Verdict:
    """Thunderbolt ports are protected against DMA attacks

    Checks:
        That each Thunderbolt or USB4 domain has IOMMU DMA protection, or a security level that
        proves who a device is (secure) or allows no PCIe (dponly, usbonly, nopcie). `user` asks
        once and then trusts an id that can be copied.
    Why it matters:
        Otherwise a device that is plugged in can read and write the memory of the host and of all
        guests.
    Evidence:
        iommu_dma_protection and security of /sys/bus/thunderbolt/devices/domain*.
    Fix:
        Switch on Kernel DMA protection and the IOMMU in the firmware's setup.
    Fix safety:
        Docks may have to be authorised anew.
    References:
        F68; ABI sysfs-bus-thunderbolt.
    """
    tree = Tree.of(hypervisor.evidence.item("sys/bus/thunderbolt/devices"))
    paths = (*tree.values, *tree.links)
    domains = sorted({p.partition("/")[0] for p in paths if p.startswith("domain")})
    open_ones = [
        domain
        for domain in domains
        if tree.values.get(f"{domain}/iommu_dma_protection", "").strip() == "0"
        and tree.values.get(f"{domain}/security", "").strip() in {"none", "user"}
    ]
    if open_ones:
        found = {tree.values[f"{domain}/security"].strip() for domain in open_ones}
        levels = ", ".join(sorted(found))
        return fails(
            f"{', '.join(open_ones)}: no IOMMU DMA protection, security level {levels}",
            actual=f"iommu_dma_protection 0, security {levels}",
            expected="1, or security level secure or dponly",
            evidence=[tree.quote(f"{domain}/iommu_dma_protection") for domain in open_ones],
            acts="firmware",
            cure=firmware_cures.protect_ports(),
        )
    require(tree.item)
    for domain in domains:  # a file that could not be read is not a protected port
        if tree.get(f"{domain}/iommu_dma_protection") != "1":
            tree.get(f"{domain}/security")
    if not domains:
        return skips("no Thunderbolt or USB4 domain")
    return passes(f"{', '.join(domains)}: protected")


@check("FW009", severity=BLOCKER, needs=["FW002"], refs=["F18"])
def test_memory_encryption_does_not_keep_the_iommu_off(hypervisor: Hypervisor) -> Verdict:
    """Memory encryption does not keep the IOMMU off

    Checks:
        That the AMD driver did not give up because SME is active. An IOMMU that is on proves it.
    Why it matters:
        An IOMMU that does not support encrypted addresses is left off as a whole.
    Evidence:
        The IOMMU's state, then the kernel log.
    Fix:
        Remove mem_encrypt=on from the command line, or switch SME off in the firmware's setup.
    Fix safety:
        Memory is no longer encrypted: decide whether that is acceptable. Needs a reboot.
    References:
        F18; drivers/iommu/amd/init.c.
    """
    said = hypervisor.klog.first(r"AMD-Vi: IOMMU not currently supported when SME is active")
    if said is not None and not hypervisor.iommu.proven_on:
        return fails(
            "the AMD IOMMU is off because SME is active",
            actual="SME active",
            expected="an IOMMU that works with SME, or no SME",
            evidence=said.quote,
            cure=cmdline_cures.drop(hypervisor.boot, "mem_encrypt=on"),
        )
    if hypervisor.iommu.proven_on:
        return passes("the IOMMU is on", evidence=hypervisor.iommu.quote)
    if hypervisor.iommu.kind != "amd":
        return skips("no AMD IOMMU on this host")
    require(hypervisor.klog)
    return passes("the AMD driver did not mention SME")


@check("FW010", severity=ADVICE, refs=["F88"])
def test_kernel_is_not_locked_down(hypervisor: Hypervisor) -> Verdict:
    """Kernel is not locked down

    Checks:
        That the kernel is not locked down. VFIO itself works under lockdown.
    Why it matters:
        Lockdown restricts testing and repair: setpci, /dev/mem, MSR writes and overridden ACPI
        tables are refused, so fixes that use them fail; confidentiality also hides parts of the
        kernel log's tools.
    Evidence:
        /sys/kernel/security/lockdown.
    Fix:
        Use fixes that lockdown allows: sysfs, libvirt, boot files.
    Fix safety:
        Switching lockdown off needs Secure Boot off: seldom worth it.
    References:
        F88; kernel_lockdown(7).
    """
    level = hypervisor.platform.lockdown
    quote = hypervisor.platform.lockdown_quote
    if level == "none":
        return passes("the kernel is not locked down", evidence=quote)
    return fails(
        f"kernel lockdown is {level}: setpci and /dev/mem are refused, VFIO is not affected",
        actual=level,
        expected="none",
        evidence=quote,
        cure=by_hand_cures.work_under_lockdown(),
    )


@check("FW013", severity=DEGRADED, refs=["F87"])
def test_kernel_log_reports_no_rejected_module(hypervisor: Hypervisor) -> Verdict:
    """Kernel log reports no rejected module

    Checks:
        That no module was refused for its missing signature in this boot.
    Why it matters:
        Otherwise out-of-tree modules such as vendor_reset, or a vendor's VFIO variant driver, are
        silently missing: the device lacks its reset or its driver.
    Evidence:
        The kernel log.
    Fix:
        Sign the module and enrol the key (mokutil --import), or do without it.
    Fix safety:
        Enrolling a key asks at the console during the next boot.
    References:
        F87; kernel/module/signing.c, security/lockdown/lockdown.c.
    """
    said = hypervisor.klog.find(_REJECTED)
    if said is None:
        return passes("no module was rejected")
    return fails(
        f"a module was rejected: {said.text[:160]}",
        actual="rejected",
        expected="signed modules only",
        evidence=said.quote,
        cure=modprobe_cures.sign("the module"),
    )


@check("FW014", severity=DEGRADED)
def test_kernel_is_not_tainted(hypervisor: Hypervisor) -> Verdict:
    """Kernel is not tainted by an oops, a machine check or a soft lockup

    Checks:
        That the kernel is not tainted by an oops, a machine check or a soft lockup.
    Why it matters:
        After an oops locks may be held for ever: binding a driver or starting a guest hangs, and
        only the consequence is seen.
    Evidence:
        /proc/sys/kernel/tainted, bits 4, 7 and 14.
    Fix:
        Read the first crash in the kernel log, then reboot.
    Fix safety:
        A reboot ends all guests.
    References:
        Documentation/admin-guide/tainted-kernels.rst.
    """
    platform = hypervisor.platform
    if not platform.tainted & _ACCIDENTS:
        return passes("no oops, machine check or lockup", evidence=platform.taint_quote)
    words = ", ".join(platform.taint_words(_ACCIDENTS))
    return fails(
        f"the kernel is tainted: {words}",
        actual=words,
        expected="no oops, machine check or lockup",
        evidence=platform.taint_quote,
        cure=by_hand_cures.reboot_after_crash(),
    )
