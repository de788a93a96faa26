"""Kernel parameters that break or weaken assignment for every device at once."""

from collections.abc import Callable, Sequence

from pytest_vfio.check import BLOCKER, DEGRADED, SECURITY, Verdict, check, fails, passes
from pytest_vfio.cures import cmdline as cmdline_cures
from pytest_vfio.cures import modprobe as modprobe_cures
from pytest_vfio.facts.tristate import require
from pytest_vfio.hypervisor.hypervisor import Hypervisor
from pytest_vfio.parse import switches
from pytest_vfio.parse.words import Word

#: Options of modules that are often written without their module.
BARE = {
    "disable_vga": "vfio-pci.disable_vga",
    "disable_idle_d3": "vfio-pci.disable_idle_d3",
    "enable_sriov": "vfio-pci.enable_sriov",
    "nointxmask": "vfio-pci.nointxmask",
    "disable_denylist": "vfio-pci.disable_denylist",
    "allow_unsafe_interrupts": "vfio_iommu_type1.allow_unsafe_interrupts",
    "ignore_msrs": "kvm.ignore_msrs",
    "report_ignored_msrs": "kvm.report_ignored_msrs",
}


#: Quotes and dashes that a word processor makes of plain ones.
TYPOGRAPHIC = str.maketrans("\u2018\u2019\u201c\u201d\u2013\u2014", "''\"\"--", "\u00a0")


@check("CMD023", severity=DEGRADED, refs=["F43"])
def test_no_parameter_is_mangled_or_lacks_its_module(hypervisor: Hypervisor) -> Verdict:
    """No kernel parameter is mangled or lacks its module's name

    Checks:
        That options of modules bear the module's name (`vfio-pci.disable_vga=1`, not
        `disable_vga=1`, nor a comma for the dot), and that no parameter has typographic quotes or
        a forum's smiley in it (`efifb:eek:ff`).
    Why it matters:
        The kernel does not know such a parameter and passes it to init: it has no effect.
    Evidence:
        /proc/cmdline or the log's `Command line:`.
    Fix:
        Write the parameter as the documentation has it.
    Fix safety:
        Boot files change and a reboot is needed. Can be undone.
    References:
        F43; kernel/params.c.
    """
    for word in hypervisor.boot.spoken:
        right = _mended(word)
        if right is not None:
            return fails(
                f"{word.text} has no effect, expected {right}",
                actual=word.text,
                expected=right,
                evidence=word.quote,
                cure=cmdline_cures.replace(hypervisor.boot, word.text, right),
            )
    require(hypervisor.cmdline)
    return passes("every parameter has its module's name, none is mangled")


def _mended(word: Word) -> str | None:
    """What a mangled parameter should be; None for a sound one."""
    if word.name in BARE:
        return f"{BARE[word.name]}={word.value}" if word.value else BARE[word.name]
    module, comma, option = word.name.partition(",")
    if comma and module in ("vfio_pci", "vfio_iommu_type1"):
        return f"{module}.{option}={word.value}"
    if word.name == "video" and ":eek:ff" in (word.value or ""):
        return word.text.replace(":eek:ff", ":off")
    plain = word.text.translate(TYPOGRAPHIC)
    return plain if plain != word.text else None


@check("CMD024", severity=BLOCKER, refs=["F44"])
def test_no_parameter_disables_interrupt_remapping_msi_or_acpi(hypervisor: Hypervisor) -> Verdict:
    """No kernel parameter disables interrupt remapping, MSI, APIC or ACPI

    Checks:
        That none of `intremap=off`, `nointremap`, `pci=nomsi`, `noapic`, `nolapic`, `acpi=off` is
        on the command line.
    Why it matters:
        Without remapped interrupts VFIO refuses every device, without message-signalled interrupts
        many devices do not work in a guest, and without ACPI the kernel finds no IOMMU.
    Evidence:
        /proc/cmdline or the log's `Command line:`.
    Fix:
        Remove the parameter.
    Fix safety:
        Boot files change and a reboot is needed; such parameters are often there for an old
        firmware bug: try once without them from the boot menu. Can be undone.
    References:
        F44; drivers/iommu/irq_remapping.c (setup_irqremap), kernel-parameters.txt.
    """
    return _none_of(
        hypervisor, _breaks, "no parameter disables interrupt remapping, MSI, APIC or ACPI", "F44"
    )


def _breaks(words: Sequence[Word]) -> Word | None:
    remap = None
    for word in words:
        if word.name in ("nointremap", "noapic", "nolapic"):
            return word
        if word.name == "acpi" and word.value == "off":
            return word
        if word.name == "pci" and {"nomsi", "off"} & set(word.pieces):
            return word
        if word.name == "intremap":
            for piece in word.pieces:
                if piece.startswith(("on", "off")):
                    remap = word if piece.startswith("off") else None
    return remap


@check("CMD028", severity=DEGRADED, refs=["F44"])
def test_no_parameter_disables_ats_or_bar_assignment(hypervisor: Hypervisor) -> Verdict:
    """No kernel parameter disables ATS or BAR assignment

    Checks:
        That neither `pci=noats` nor `pci=nobar` is on the command line.
    Why it matters:
        Address translation services speed up devices that have them; without BAR assignment VFs
        and devices with large memory stay without their windows.
    Evidence:
        /proc/cmdline or the log's `Command line:`.
    Fix:
        Remove the parameter.
    Fix safety:
        Boot files change and a reboot is needed; noats also hides devices with broken ATS. Can be
        undone.
    References:
        F44; kernel-parameters.txt (pci=).
    """
    return _none_of(hypervisor, _costs, "no parameter disables ATS or BAR assignment", "F44")


def _costs(words: Sequence[Word]) -> Word | None:
    return next((w for w in words if w.name == "pci" and {"noats", "nobar"} & set(w.pieces)), None)


@check("CMD025", severity=SECURITY, refs=["F44", "F46"])
def test_no_parameter_weakens_the_isolation(hypervisor: Hypervisor) -> Verdict:
    """No kernel parameter weakens the isolation of devices

    Checks:
        That none of `intremap=nosid`, `pci=disable_acs_redir=`, `pci=config_acs=` is on the command
        line.
    Why it matters:
        Without source ids a device can forge interrupts of another; without ACS redirection devices
        reach each other past the IOMMU, in groups that still look separate.
    Evidence:
        /proc/cmdline or the log's `Command line:`.
    Fix:
        Remove the parameter, unless transfers between devices of one owner are wanted.
    Fix safety:
        Boot files change and a reboot is needed; groups may grow together. Can be undone.
    References:
        F44, F46; drivers/pci/pci.c (pci_disable_acs_redir, config_acs).
    """
    return _none_of(hypervisor, _weakens, "no parameter weakens the isolation of devices", None)


def _weakens(words: Sequence[Word]) -> Word | None:
    for word in words:
        if word.name == "intremap" and any(piece.startswith("nosid") for piece in word.pieces):
            return word
        if word.name == "pci" and any(
            piece.startswith(("disable_acs_redir=", "config_acs=")) for piece in word.pieces
        ):
            return word
    return None


def _none_of(
    hypervisor: Hypervisor,
    find: Callable[[Sequence[Word]], Word | None],
    good: str,
    ref: str | None,
) -> Verdict:
    word = find(hypervisor.boot.spoken)
    if word is None:
        require(hypervisor.cmdline)
        return passes(good)
    return fails(
        f"{word.text} is on the command line",
        actual=word.text,
        expected="no such parameter",
        evidence=word.quote,
        refs=[ref or ("F44" if word.name == "intremap" else "F46")],
        cure=cmdline_cures.drop_where(hypervisor.boot, word, lambda one: find((one,)) is not None),
    )


@check("CMD026", severity=SECURITY, refs=["F45", "S33"])
def test_no_acs_override_splits_groups(hypervisor: Hypervisor) -> Verdict:
    """No ACS override splits IOMMU groups

    Checks:
        That `pcie_acs_override=` is not in use. Only patched kernels honour it and say so in the
        log; a stock kernel does not know the parameter and the groups are real.
    Why it matters:
        Groups no longer say what can reach what: a guest's device may read and write the memory of
        another past the IOMMU.
    Evidence:
        /proc/cmdline; `Warning: PCIe ACS overrides enabled` in the kernel log.
    Fix:
        Remove the parameter; use another slot, CPU lanes, or hardware with ACS.
    Fix safety:
        Boot files change and a reboot is needed; groups grow together, and guests that were split
        over one group no longer start. Can be undone.
    References:
        F45, S33.
    """
    words = [word for word in hypervisor.boot.spoken if word.name == "pcie_acs_override"]
    if not words and hypervisor.cmdline.whole:
        return passes("no pcie_acs_override on the command line")
    said = hypervisor.klog.find(r"PCIe ACS overrides enabled")  # raises unless the log is whole
    if said is not None:
        word = words[0].text if words else "pcie_acs_override"
        return fails(
            f"{word} is in effect: IOMMU groups are smaller than the hardware isolates",
            actual=said.text,
            expected="groups as the hardware isolates them",
            evidence=[said.quote, *(one.quote for one in words)],
            cure=cmdline_cures.drop(hypervisor.boot, word),
        )
    if not words:
        require(hypervisor.cmdline)
    return passes(f"{words[0].text} is unknown to this kernel, and the IOMMU groups are real")


@check("CMD027", severity=SECURITY, refs=["F47"])
def test_no_configuration_enables_unsafe_interrupts(hypervisor: Hypervisor) -> Verdict:
    """No configuration enables unsafe interrupts

    Checks:
        That neither the command line nor modprobe.d sets allow_unsafe_interrupts of
        vfio_iommu_type1 or iommufd.
    Why it matters:
        Without interrupt remapping a guest can inject interrupts into the host; with it the option
        is pointless, and keeps VFIO going unnoticed if remapping is ever lost.
    Evidence:
        /proc/cmdline, modprobe.d.
    Fix:
        Remove the option; write N to the parameter.
    Fix safety:
        On a host without interrupt remapping no guest with a device starts any more. Can be undone.
    References:
        F47, F54; drivers/vfio/vfio_iommu_type1.c.
    """
    modules = hypervisor.modules
    for module in ("vfio_iommu_type1", "iommufd"):
        options = [o for o in modules.known_options(module) if o.name == "allow_unsafe_interrupts"]
        if options and switches.boolean(options[-1].value or "y") is not False:
            option = options[-1]
            return fails(
                f"{module} allow_unsafe_interrupts={option.value or 'Y'} is configured",
                actual=option.value or "Y",
                expected="not set",
                evidence=option.quote,
                severity=DEGRADED if hypervisor.iommu.remapping_proven else None,
                cure=modprobe_cures.unset(hypervisor, module, "allow_unsafe_interrupts"),
            )
    require(hypervisor.cmdline, modules.modprobe)
    return passes("nothing sets allow_unsafe_interrupts")
