"""The kernel parameters that switch the IOMMU on and off."""

from collections.abc import Sequence

from pytest_vfio.check import ADVICE, BLOCKER, Verdict, check, fails, passes, skips
from pytest_vfio.cures import cmdline as cures
from pytest_vfio.facts.tristate import require
from pytest_vfio.hypervisor import iommu_kind
from pytest_vfio.hypervisor.hypervisor import Hypervisor
from pytest_vfio.parse import switches
from pytest_vfio.parse.switches import Switch
from pytest_vfio.parse.words import Word

#: What can keep a wanted word away from the kernel: each is the first cause of what follows.
LOST = ["CMD005", "CMD010", "CMD011", "CMD012", "CMD013", "CMD014"]


@check("CMD001", severity=BLOCKER, needs=["FW002", "DRV011", *LOST], refs=["F25", "S03"])
def test_no_misspelt_parameter_keeps_the_intel_iommu_off(hypervisor: Hypervisor) -> Verdict:
    """No misspelt parameter keeps the Intel IOMMU off

    Checks:
        That no value of `intel_iommu=` is unknown to the kernel and no parameter's name is a near
        miss of it, where the IOMMU depends on it: a kernel that leaves the IOMMU off by default,
        and no other value that switches it on.
    Why it matters:
        The kernel compares by prefix and case: `intel_iommu=1`, `=ON`, `=enable` and
        `inteliommu=on` do nothing, and before 5.15 nothing is logged.
    Evidence:
        /proc/cmdline or the log's `Command line:`; the kernel's configuration.
    Fix:
        Write intel_iommu=on.
    Fix safety:
        Boot files change and a reboot is needed; devices with buggy firmware may fault once their
        DMA is translated. Can be undone.
    References:
        F25, S03; drivers/iommu/intel/iommu.c (intel_iommu_setup).
    """
    wrong = _misspelt(hypervisor.boot.spoken)
    if not wrong:
        require(hypervisor.cmdline)
        return passes("no parameter for the Intel IOMMU is misspelt")
    if switches.intel(hypervisor.boot.spoken).on is not None:
        return passes(f"{wrong[0].text} has no effect, another intel_iommu= decides")
    if hypervisor.iommu.proven_on:
        return passes(f"{wrong[0].text} has no effect, and the IOMMU is on")
    require(hypervisor.cmdline)
    if not iommu_kind.is_of(hypervisor, "intel"):
        return passes(f"{wrong[0].text} has no effect, and there is no Intel IOMMU")
    proof = iommu_kind.waits_for_word(hypervisor)
    if proof is None:
        return passes(
            f"{wrong[0].text} has no effect, and this kernel switches the IOMMU on by default"
        )
    return fails(
        f"{wrong[0].text} has no effect, expected intel_iommu=on",
        actual=wrong[0].text,
        expected="intel_iommu=on",
        evidence=[wrong[0].quote, proof],
        cure=cures.replace(hypervisor.boot, wrong[0].text, "intel_iommu=on"),
    )


def _misspelt(words: Sequence[Word]) -> list[Word]:
    """Misspelt parameters for the Intel IOMMU: the kernel does not know them."""
    near = [word for word in words if switches.meant(word.name) == "intel_iommu"]
    bare = [word for word in words if word.name == "intel_iommu" and not word.value]
    return [*(switch.word for switch in switches.intel(words).unknown), *near, *bare]


@check("CMD002", severity=BLOCKER, needs=["FW002", "DRV011", "CMD001", *LOST],
       refs=["F21", "S02"])  # fmt: skip
def test_intel_iommu_on_is_set_where_the_kernel_needs_it(hypervisor: Hypervisor) -> Verdict:
    """intel_iommu=on is set where the kernel needs it

    Checks:
        On a machine with an Intel IOMMU, that the kernel switches it on: by intel_iommu=on, or
        because it was built that way. `intel_iommu=igfx_off` alone does not.
    Why it matters:
        Without translation there are no IOMMU groups, and no device can be assigned. The tables
        are parsed all the same, so DMAR lines in the log prove nothing.
    Evidence:
        /proc/cmdline or the log's `Command line:`; CONFIG_INTEL_IOMMU_DEFAULT_ON.
    Fix:
        Add intel_iommu=on to the kernel command line.
    Fix safety:
        Boot files change and a reboot is needed; devices with buggy firmware may fault once their
        DMA is translated. Can be undone.
    References:
        F21, S02; drivers/iommu/intel/iommu.c (dmar_disabled), drivers/iommu/intel/Kconfig.
    """
    cmdline = hypervisor.cmdline
    decided = cmdline.intel.decided if cmdline.whole else None
    if decided is not None and decided.piece.startswith("on"):
        return passes(f"{decided.word.text} switches the IOMMU on", evidence=decided.word.quote)
    if hypervisor.iommu.proven_on:
        return passes("the IOMMU is on", evidence=hypervisor.iommu.quote)
    if not hypervisor.kernel.x86:
        return skips(f"no Intel IOMMU on {hypervisor.kernel.arch}")
    require(cmdline)
    if decided is not None:
        return skips(f"{decided.word.text} switches it off: CMD004 judges that")
    if not iommu_kind.is_of(hypervisor, "intel"):
        return skips("no Intel IOMMU on this host")
    proof = iommu_kind.waits_for_word(hypervisor)
    if proof is None:
        return passes("this kernel switches the IOMMU on by default")
    return fails(
        "intel_iommu=on is missing, and this kernel leaves the IOMMU off by default",
        actual=" ".join(word.text for word in cmdline.param("intel_iommu")) or "no intel_iommu=",
        expected="intel_iommu=on",
        evidence=[cmdline.quote, proof],
        cure=cures.add(hypervisor.boot, "intel_iommu=on"),
    )


@check("CMD003", severity=ADVICE, needs=["CMD001"], refs=["F25", "F26", "F29", "F30", "S05", "S06"])
def test_kernel_understands_every_iommu_parameter(hypervisor: Hypervisor) -> Verdict:
    """Kernel understands every IOMMU parameter on its command line

    Checks:
        That every value of `intel_iommu=`, `amd_iommu=`, `iommu=` and `iommu.passthrough=` is one
        that the kernel acts upon: `amd_iommu=on`, `iommu=on`, `iommu=1`, `iommu=pt` on ARM are not.
    Why it matters:
        A parameter without effect is taken for the reason why things work, or hides that the right
        one is missing. The AMD IOMMU needs no parameter at all.
    Evidence:
        /proc/cmdline or the log's `Command line:`, else its `Unknown option`; the architecture.
    Fix:
        Remove the parameter; on ARM write iommu.passthrough=1 for iommu=pt.
    Fix safety:
        Nothing changes at run time. Can be undone.
    References:
        F25, F26, F29, F30, S03, S05, S06; iommu_setup, parse_amd_iommu_options.
    """
    words = hypervisor.boot.spoken
    idle = _idle(words, hypervisor)
    if idle is None and not hypervisor.cmdline.whole:
        idle = _logged(hypervisor)  # the kernel names what it does not know, from 5.15 on
    if idle is None:
        require(hypervisor.cmdline)
        return passes("the kernel understands every IOMMU parameter")
    word, piece, ref = idle
    return fails(
        f"{word.text}: {piece!r} has no effect, expected a value that the kernel knows",
        actual=word.text,
        expected="a value that the kernel acts upon",
        evidence=word.quote,
        refs=[ref],
        cure=cures.drop_piece(hypervisor.boot, word, piece),
    )


def _idle(words: Sequence[Word], hypervisor: Hypervisor) -> tuple[Word, str, str] | None:
    """The first parameter without effect, its value, and the entry of the catalogue."""
    intel = switches.intel(words)
    for found in intel.unknown:
        return found.word, found.piece, "F25"
    for found in switches.amd(words, switches.AMD_COMMA_LIST).unknown:
        if "off" not in found.piece:  # older kernels obey it: CMD004 judges that
            return found.word, found.piece, "F26"
    for found in switches.x86(words).unknown:
        return found.word, found.piece, "F29"
    for word in words:
        if word.name in ("iommu.passthrough", "iommu.strict") and _refused(word):
            return word, word.value or "", "F30"
    for word in words:
        if word.name == "iommu" and word.value and not hypervisor.kernel.x86:
            return word, word.value, "F30"
    return None


def _logged(hypervisor: Hypervisor) -> tuple[Word, str, str] | None:
    """A parameter that the kernel's log reports as unknown."""
    said = hypervisor.klog.first(r"(DMAR|AMD-Vi): Unknown option - '[^'\n]{1,60}'")
    if said is None:
        return None
    piece = said.text.partition("'")[2].partition("'")[0]
    name = "intel_iommu" if "DMAR" in said.text else "amd_iommu"
    word = Word(name, piece, f"{name}={piece}", quote=said.quote)
    return word, piece, "F25" if name == "intel_iommu" else "F26"


def _refused(word: Word) -> bool:
    return switches.boolean(word.value) is None and (word.value or "")[:1] not in set("tTfF")


@check("CMD004", severity=BLOCKER, needs=["FW002", "CMD010", "CMD011", "CMD014"],
       refs=["F22", "F27", "S02", "S06"])  # fmt: skip
def test_no_parameter_switches_the_iommu_off(hypervisor: Hypervisor) -> Verdict:
    """No kernel parameter switches the IOMMU off

    Checks:
        That no parameter switches this machine's IOMMU off: the last on or off of `intel_iommu=`,
        any off of `iommu=` on x86, any off of `amd_iommu=`; up to 6.0 even inside another value.
    Why it matters:
        An `off` beats the `on` before it. `DMAR: IOMMU enabled` is logged all the same, since the
        parser of the parameter prints it.
    Evidence:
        /proc/cmdline or the log's `Command line:`; the kind of IOMMU; whether it is on.
    Fix:
        Remove the parameter; look in GRUB_CMDLINE_LINUX, drop-ins, tuned and loader entries.
    Fix safety:
        Boot files change and a reboot is needed. There may have been a reason: a device that
        faults under translation. Can be undone.
    References:
        F22, F27, S02, S06; intel_iommu_setup, iommu_setup, parse_amd_iommu_options.
    """
    cmdline = hypervisor.cmdline
    if hypervisor.iommu.proven_on:
        return passes("the IOMMU is on", evidence=hypervisor.iommu.quote)
    off = _off(hypervisor)
    if off is None:
        require(cmdline)
        return passes("no parameter switches the IOMMU off")
    hidden = not off.piece.startswith("off")  # a piece of another word, up to 6.0
    return fails(
        f"{off.word.text} switches the IOMMU off",
        actual=off.word.text,
        expected="no parameter that switches it off",
        evidence=off.word.quote,
        refs=["F27"] if hidden else ["F22"],
        cure=cures.drop_piece(hypervisor.boot, off.word, off.piece),
    )


def _off(hypervisor: Hypervisor) -> Switch | None:
    """The value that switches this machine's IOMMU off; the other vendor's parameter does not."""
    cmdline = hypervisor.cmdline
    general = cmdline.x86_iommu.off
    if general is not None and hypervisor.kernel.x86:
        return general
    if cmdline.amd.off is not None and iommu_kind.is_of(hypervisor, "amd"):
        return cmdline.amd.off
    if cmdline.intel.on is False:
        require(*cmdline.torn)  # a later word may switch it on again
        if iommu_kind.is_of(hypervisor, "intel"):
            return cmdline.intel.decided
    return None


@check("CMD007", severity=ADVICE, needs=["CMD002"], refs=["F28"])
def test_no_parameter_is_for_another_vendor(hypervisor: Hypervisor) -> Verdict:
    """No kernel parameter is for another vendor's IOMMU

    Checks:
        That `intel_iommu=` is set only on machines with an Intel IOMMU, `amd_iommu=` only on
        machines with an AMD one.
    Why it matters:
        It has no effect there, and makes the kernel print `DMAR: IOMMU enabled` on an AMD host,
        which is then taken for a proof.
    Evidence:
        /proc/cmdline; units in /sys/class/iommu, else the firmware's tables.
    Fix:
        Remove the parameter. An AMD IOMMU needs none.
    Fix safety:
        Nothing changes at run time. Can be undone.
    References:
        F28; intel_iommu_setup is a plain __setup and runs wherever it is built in.
    """
    words = [w for w in hypervisor.boot.spoken if w.name in ("intel_iommu", "amd_iommu")]
    if not words:
        require(hypervisor.cmdline)
        return passes("neither intel_iommu= nor amd_iommu= is set")
    kind = hypervisor.iommu.kind
    if kind is None:
        return skips("no IOMMU on this host")
    other = [word for word in words if word.name != f"{kind}_iommu"]
    if not other:
        require(hypervisor.cmdline)
        return passes(f"{words[0].text} is for this machine's IOMMU", evidence=words[0].quote)
    return fails(
        f"{other[0].text} has no effect here: the IOMMU is of kind {kind}",
        actual=other[0].text,
        expected="no parameter for another vendor's IOMMU",
        evidence=other[0].quote,
        cure=cures.drop(hypervisor.boot, other[0].text),
    )
