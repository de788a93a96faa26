"""CPU virtualisation."""

from pytest_vfio.check import BLOCKER, Verdict, check, fails, passes
from pytest_vfio.cures import firmware as cures
from pytest_vfio.evidence import Item, Missing, Quote, Status
from pytest_vfio.facts.tristate import known
from pytest_vfio.hypervisor.hypervisor import Hypervisor

#: All that KVM has said of a CPU that firmware locked, 4.15 to 6.12, and arm64's own words.
_REFUSED = (
    r"kvm: disabled by bios|kvm: support for '[a-z_]+' disabled by bios"
    r"|VMX not enabled \(by BIOS\) in MSR_IA32_FEAT_CTL|VMX \(outside TXT\) disabled by BIOS"
    r"|SVM disabled \(by BIOS\) in MSR_VM_CR|kvm \[\d+\]: HYP mode not available"
)
#: From here on the kernel takes the flag away where firmware locked the feature.
_FLAG_TELLS = {"vmx": (5, 6, 0), "svm": (6, 8, 0)}


@check("FW001", severity=BLOCKER, refs=["F01", "F02", "S15"])
def test_cpu_virtualisation_is_available(hypervisor: Hypervisor) -> Verdict:
    """CPU virtualisation is available

    Checks:
        That the CPU has VT-x or AMD-V and that the firmware has not locked it. The flag in
        /proc/cpuinfo proves that only from 5.6 (Intel) and 6.8 (AMD) on; older kernels keep it
        although KVM is refused, so KVM itself is asked.
    Why it matters:
        Without it no KVM guest starts, whatever is passed through. It is independent of the IOMMU:
        VT-x is not VT-d.
    Evidence:
        /dev/kvm, the flags in /proc/cpuinfo, the loaded kvm_intel or kvm_amd, the kernel log.
    Fix:
        Switch on Intel Virtualization Technology or SVM Mode in the firmware's setup, and power
        the machine off and on: the lock survives a warm reset.
    Fix safety:
        Nothing else on the host depends on it. Manual, with a power cycle.
    References:
        F01, F02, S15; arch/x86/kernel/cpu/feat_ctl.c, arch/x86/kvm/.
    """
    if hypervisor.evidence.item("dev/kvm").status is Status.PRESENT:
        quote = hypervisor.evidence.item("dev/kvm").quote("/dev/kvm")
        return passes("KVM is usable: /dev/kvm exists", evidence=quote)
    shown = known(_telling_flag, hypervisor)
    if shown is not None:
        return passes(f"the CPU shows {shown}", evidence=hypervisor.cpu.quote)
    refused = hypervisor.klog.first(_REFUSED)
    if refused is not None:
        return _off(hypervisor, f"KVM was refused: {refused.text}"[:200], refused.quote)
    if hypervisor.cpu.is_x86 is False:
        raise Missing(_no_device(hypervisor))
    flag = next((name for name in _FLAG_TELLS if hypervisor.cpu.has(name)), None)
    device = hypervisor.evidence.item("dev/kvm")
    if flag is None and device.status is not Status.ABSENT and hypervisor.cpu.has("hypervisor"):
        raise Missing(device)  # a virtual CPU shows what it is told to; KVM may work all the same
    if flag is None:
        return _off(hypervisor, "the CPU shows neither vmx nor svm", hypervisor.cpu.quote)
    raise Missing(_no_device(hypervisor))  # an old kernel's flag proves nothing


def _telling_flag(hypervisor: Hypervisor) -> str | None:
    """The flag of a kernel that would have taken it away. Raises Missing."""
    flag = next((name for name in _FLAG_TELLS if hypervisor.cpu.has(name)), None)
    tells = flag is not None and hypervisor.kernel.version >= _FLAG_TELLS[flag]
    return flag if tells else None


def _no_device(hypervisor: Hypervisor) -> Item:
    """Why /dev/kvm proves nothing: where it is absent its module may only not be loaded yet."""
    item = hypervisor.evidence.item("dev/kvm")
    if item.status is not Status.ABSENT:
        return item
    return Item(item.name, item.status, detail="KVM's module may not be loaded")


def _off(hypervisor: Hypervisor, actual: str, quote: Quote) -> Verdict:
    vendor = known(lambda: hypervisor.cpu.vendor) or ""
    nested = known(lambda: hypervisor.platform.virtualization) not in (None, "none")
    return fails(
        actual,
        actual="no CPU virtualisation",
        expected="vmx or svm, not locked by firmware",
        evidence=quote,
        refs=["F02" if vendor in {"amd", "hygon"} else "F01"],
        acts="vendor" if nested else "firmware",
        cure=cures.enable_cpu_virtualization(vendor, nested=nested),
    )
