"""Words that cost speed, or a crash dump, and nothing else."""

from collections.abc import Sequence

from pytest_vfio.check import ADVICE, DEGRADED, Verdict, check, fails, passes, skips
from pytest_vfio.cures import cmdline as cures
from pytest_vfio.cures import modules as module_cures
from pytest_vfio.evidence import Missing
from pytest_vfio.hypervisor.hypervisor import Hypervisor
from pytest_vfio.parse import switches
from pytest_vfio.parse.words import Word


@check("CMD030", severity=ADVICE, refs=["F48"])
def test_strict_invalidation(hypervisor: Hypervisor) -> Verdict:
    """Every unmapping flushes the IOMMU at once (strict mode)

    Checks:
        That `iommu.strict=1`, `intel_iommu=strict` or `amd_iommu=fullflush` is not on the command
        line, unless host devices are left untranslated anyway.
    Why it matters:
        Devices that the host drives pay for it with throughput; devices of guests do not. It is a
        choice for hosts that fear their own devices.
    Evidence:
        proc/cmdline or the log's `Command line:`.
    Fix:
        Remove the word, or add iommu=pt.
    Fix safety:
        Boot files change and a reboot is needed. Can be undone.
    References:
        F48; kernel-parameters.txt (iommu.strict).
    """
    word = _strict(hypervisor.boot.spoken)
    if word is None:
        hypervisor.cmdline.must_be_whole()
        return passes("no word asks for strict invalidation")
    through = hypervisor.cmdline.host_passthrough
    if through is not None and through[0]:
        return passes(f"{word.text} costs nothing with {through[1].text}", evidence=word.quote)
    return fails(
        f"{word.text} flushes the IOMMU at every unmapping",
        actual=word.text,
        expected="lazy invalidation, or iommu=pt",
        evidence=word.quote,
        cure=cures.drop(hypervisor.boot, word.text),
    )


def _strict(words: Sequence[Word]) -> Word | None:
    """The word that asks for strict mode; the last iommu.strict= counts."""
    found, asks = None, {"intel_iommu": "strict", "amd_iommu": "fullflush"}
    for word in words:
        if word.name == "iommu.strict":
            found = word if switches.boolean(word.value) else None
        elif any(piece.startswith(asks.get(word.name, "-")) for piece in word.pieces):
            found = word
    return found


@check("CMD031", severity=ADVICE, needs=["IOM001"], refs=["S07"])
def test_host_devices_translated(hypervisor: Hypervisor) -> Verdict:
    """Host's own devices are translated too (no iommu=pt)

    Checks:
        That devices which the host drives are left untranslated: iommu=pt on x86 or
        iommu.passthrough=1, the last of them counts, or a kernel that was built that way.
    Why it matters:
        Translation of the host's own devices costs throughput. Groups, VFIO and the isolation of
        guests' devices are the same with either, so this is advice.
    Evidence:
        proc/cmdline or the log's `Command line:`; CONFIG_IOMMU_DEFAULT_PASSTHROUGH.
    Fix:
        Add iommu=pt; on ARM iommu.passthrough=1.
    Fix safety:
        The host is no longer protected from its own devices: leave it where such devices are not
        trusted. Boot files change, a reboot is needed. Can be undone.
    References:
        S07; drivers/iommu/iommu.c (iommu_subsys_init).
    """
    said = hypervisor.cmdline.host_passthrough
    if said is not None and said[0]:
        return passes(f"{said[1].text} leaves the host's own devices alone", evidence=said[1].quote)
    built = False
    if said is None:
        built = hypervisor.kernel.config("IOMMU_DEFAULT_PASSTHROUGH") == "y"
    if built:
        quote = hypervisor.kernel.config_quote("IOMMU_DEFAULT_PASSTHROUGH")
        return passes("this kernel leaves the host's own devices alone", evidence=quote)
    word = "iommu=pt" if hypervisor.kernel.x86 else "iommu.passthrough=1"
    return fails(
        f"{said[1].text if said else 'no ' + word}: the host's own devices are translated",
        actual=said[1].text if said else f"no {word}",
        expected=word,
        evidence=said[1].quote if said else hypervisor.cmdline.quote,
        cure=cures.add(hypervisor.boot, word),
    )


@check("CMD032", severity=DEGRADED, refs=["F64"])
def test_crash_kernel_differs(hypervisor: Hypervisor) -> Verdict:
    """Crash kernel gets other words about the IOMMU

    Checks:
        That kdump's configuration adds no word about the IOMMU that the running kernel lacks.
    Why it matters:
        The crash kernel inherits an IOMMU that is on and has to copy its tables. Told that it is
        off, the dump's target times out and there is no dump.
    Evidence:
        /etc/default/kdump-tools (KDUMP_CMDLINE, KDUMP_CMDLINE_APPEND); proc/cmdline.
    Fix:
        Remove the words there, so that both kernels have the same.
    Fix safety:
        Only the crash kernel is concerned. Can be undone.
    References:
        F64; drivers/iommu/intel/iommu.c (copy_translation_tables).
    """
    crash = hypervisor.boot.crash
    if crash.quote is None:
        return skips("no crash kernel is configured through kdump-tools")
    hypervisor.cmdline.must_be_whole()
    running = {(word.name, word.value) for word in hypervisor.cmdline.words}
    about = ("intel_iommu", "amd_iommu", "iommu", "iommu.passthrough", "intremap")
    other = [w for w in crash.words if w.name in about and (w.name, w.value) not in running]
    if other:
        return fails(
            f"the crash kernel gets {other[0].text}, the running kernel does not",
            actual=other[0].text,
            expected="the same words in both kernels",
            evidence=[other[0].quote, hypervisor.cmdline.quote],
            cure=module_cures.remove_line(other[0].quote.source, other[0].text),
        )
    if crash.missing:
        raise Missing(*crash.missing)
    return passes("the crash kernel gets the same words about the IOMMU", evidence=crash.quote)
