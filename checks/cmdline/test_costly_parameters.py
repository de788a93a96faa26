"""Kernel parameters that cost speed, or a crash dump, and nothing else."""

from collections.abc import Sequence

from pytest_vfio.check import (
    ADVICE,
    DEGRADED,
    Outcome,
    Verdict,
    check,
    fails,
    passes,
    skips,
)
from pytest_vfio.cures import cmdline as cures
from pytest_vfio.evidence import Lack, Missing, Quote
from pytest_vfio.facts.pci.functions import PciFunction, is_vfio_driver
from pytest_vfio.facts.tristate import ask, known, require, search
from pytest_vfio.hypervisor.hypervisor import Hypervisor
from pytest_vfio.parse import switches
from pytest_vfio.parse.words import Word


@check("CMD030", severity=ADVICE, refs=["F48"])
def test_no_parameter_slows_devices_by_strict_invalidation(hypervisor: Hypervisor) -> Verdict:
    """No kernel parameter slows devices down by strict invalidation

    Checks:
        That `iommu.strict=1`, `intel_iommu=strict` or `amd_iommu=fullflush` is not on the command
        line, unless host devices are left untranslated anyway.
    Why it matters:
        Devices that the host drives pay for it with throughput; devices of guests do not. It is a
        choice for hosts that fear their own devices.
    Evidence:
        /proc/cmdline or the log's `Command line:`.
    Fix:
        Remove the parameter, or add iommu=pt.
    Fix safety:
        Boot files change and a reboot is needed. Can be undone.
    References:
        F48; kernel-parameters.txt (iommu.strict).
    """
    word = _strict(hypervisor.boot.spoken)
    if word is None:
        require(hypervisor.cmdline)
        return passes("no parameter asks for strict invalidation")
    through = hypervisor.cmdline.host_passthrough
    if through is not None and through[0]:
        return passes(f"{word.text} costs nothing with {through[1].text}", evidence=word.quote)
    return fails(
        f"{word.text} flushes the IOMMU at every unmapping",
        actual=word.text,
        expected="lazy invalidation, or iommu=pt",
        evidence=word.quote,
        cure=cures.drop_where(hypervisor.boot, word, lambda one: _strict((one,)) is not None),
    )


def _strict(words: Sequence[Word]) -> Word | None:
    """The parameter that asks for strict mode; the last iommu.strict= counts."""
    found, asks = None, {"intel_iommu": "strict", "amd_iommu": "fullflush"}
    for word in words:
        if word.name == "iommu.strict":
            found = word if switches.boolean(word.value) else None
        elif word.name in asks and any(p.startswith(asks[word.name]) for p in word.pieces):
            found = word
    return found


@check("CMD031", severity=ADVICE, needs=["IOM001"], refs=["F185", "S07"], replaces=["TUN005"])
def test_host_own_devices_use_untranslated_dma(hypervisor: Hypervisor) -> Verdict:
    """Host's own devices use untranslated DMA

    Checks:
        That the IOMMU groups of devices with a host driver have identity domains. A kernel before
        5.11 does not report them, and elsewhere they may not have been read: there iommu=pt on x86
        or iommu.passthrough=1 is expected, the last of them counts, or a kernel built that way.
    Why it matters:
        Each DMA buffer of the host's NICs and disks is mapped and unmapped, which costs throughput.
        Groups, VFIO and the isolation of assigned devices are the same with either, so this is
        advice.
    Evidence:
        type of each group in /sys/kernel/iommu_groups and the drivers; /proc/cmdline or the log's
        `Command line:`; CONFIG_IOMMU_DEFAULT_PASSTHROUGH.
    Fix:
        Add iommu=pt; on ARM iommu.passthrough=1.
    Fix safety:
        The host is no longer protected from its own devices: leave it where such devices are not
        trusted. Boot files change, a reboot is needed. Can be undone.
    References:
        F185, S07; drivers/iommu/iommu.c (iommu_subsys_init, iommu_get_default_domain_type).
    """
    if hypervisor.iommu.on is False:
        return skips("the IOMMU is off", evidence=hypervisor.iommu.quote)
    if _reports_types(hypervisor):
        seen, lacking = ask(_by_groups, hypervisor)
        if seen is not None:
            return seen
        if _by_command_line(hypervisor).outcome is Outcome.PASS:
            raise Missing(*lacking)  # a request is no proof where the kernel reports what it did
    return _by_command_line(hypervisor)


def _reports_types(hypervisor: Hypervisor) -> bool:
    """Whether this kernel reports the domain type of a group; so where its version is not known."""
    version = known(lambda: hypervisor.kernel.version)
    return version is None or version >= (5, 11, 0)


def _by_groups(hypervisor: Hypervisor) -> Verdict:
    """By the domain types of all groups. Raises Missing where one that was not read may differ."""
    groups, count = hypervisor.groups, 0
    unread: list[Lack] = []
    for group in groups.known.values():
        found = search(group.functions, _serves_host)
        own = [function.address for function in found.known]
        count += len(own)
        kind, lacking = ask(groups.tree.get, f"{group.number}/type")
        unread.extend((*found.lacking, *lacking))
        if own and kind and kind.startswith("DMA"):
            return _translated(
                hypervisor,
                f"group {group.number} of {', '.join(own)} has type {kind}",
                groups.tree.quote(f"{group.number}/type"),
            )
    require(groups.tree.item, *unread, hypervisor.pci)
    return passes(f"none of the host's own {count} devices uses translated DMA")


def _by_command_line(hypervisor: Hypervisor) -> Verdict:
    """By what the kernel was asked to do, or does unasked."""
    said = hypervisor.cmdline.host_passthrough
    if said is not None and said[0]:
        message = f"{said[1].text} leaves the DMA of the host's own devices untranslated"
        return passes(message, evidence=said[1].quote)
    if said is not None:
        return _translated(hypervisor, said[1].text, said[1].quote)
    if hypervisor.kernel.config("IOMMU_DEFAULT_PASSTHROUGH") == "y":
        quote = hypervisor.kernel.config_quote("IOMMU_DEFAULT_PASSTHROUGH")
        message = "this kernel leaves the DMA of the host's own devices untranslated by default"
        return passes(message, evidence=quote)
    why = f"no {_parameter(hypervisor)} on the kernel command line"
    return _translated(hypervisor, why, hypervisor.cmdline.quote)


def _translated(hypervisor: Hypervisor, why: str, quote: Quote) -> Verdict:
    parameter = _parameter(hypervisor)
    return fails(
        f"the host's own devices use translated DMA: {why}",
        actual=why,
        expected=parameter,
        evidence=quote,
        cure=cures.add(hypervisor.boot, parameter),
    )


def _parameter(hypervisor: Hypervisor) -> str:
    """The spelling that this architecture reads."""
    return "iommu=pt" if hypervisor.kernel.x86 else "iommu.passthrough=1"


def _serves_host(function: PciFunction) -> bool:
    """A driver of the host has it. A bridge does no DMA of its own."""
    if function.driver is None or function.is_bridge:
        return False
    return not is_vfio_driver(function.driver)


@check("CMD032", severity=DEGRADED, refs=["F64"])
def test_crash_kernel_gets_no_other_iommu_parameters(hypervisor: Hypervisor) -> Verdict:
    """Crash kernel gets no other IOMMU parameters than the running kernel

    Checks:
        That kdump's configuration adds no IOMMU parameter that the running kernel lacks.
    Why it matters:
        The crash kernel inherits an IOMMU that is on and has to copy its tables. With a parameter
        that switches it off the dump's target times out and there is no dump.
    Evidence:
        /etc/default/kdump-tools (KDUMP_CMDLINE, KDUMP_CMDLINE_APPEND); /proc/cmdline.
    Fix:
        Remove the parameters there, so that both kernels have the same.
    Fix safety:
        Only the crash kernel is concerned. Can be undone.
    References:
        F64; drivers/iommu/intel/iommu.c (copy_translation_tables).
    """
    crash = hypervisor.boot.crash
    if crash.quote is None:
        return skips("no crash kernel is configured through kdump-tools")
    require(hypervisor.cmdline)
    running = {(word.name, word.value) for word in hypervisor.cmdline.words}
    about = ("intel_iommu", "amd_iommu", "iommu", "iommu.passthrough", "intremap")
    other = [w for w in crash.words if w.name in about and (w.name, w.value) not in running]
    if other:
        return fails(
            f"the crash kernel gets {other[0].text}, the running kernel does not",
            actual=other[0].text,
            expected="the same IOMMU parameters in both kernels",
            evidence=[other[0].quote, hypervisor.cmdline.quote],
            cure=cures.crash_kernel(other[0].quote.source, other[0].text, other[0].quote.line),
        )
    require(*crash.missing)
    return passes("the crash kernel gets the same IOMMU parameters", evidence=crash.quote)
