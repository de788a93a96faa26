"""Kernel parameters that are where the kernel does not look for them."""

from pytest_vfio.check import ADVICE, BLOCKER, Verdict, check, fails, passes
from pytest_vfio.cures import cmdline as cures
from pytest_vfio.facts.kernel.cmdline import SIZE
from pytest_vfio.facts.tristate import first, require
from pytest_vfio.hypervisor import prospects
from pytest_vfio.hypervisor.hypervisor import Hypervisor
from pytest_vfio.parse.effects import Effect, relevant
from pytest_vfio.parse.words import Word, parse


@check("CMD005", severity=BLOCKER, needs=["CMD010", "CMD011", "CMD014"], refs=["F39", "S16"])
def test_no_parameter_is_lost_behind_the_separator(hypervisor: Hypervisor) -> Verdict:
    """No IOMMU or VFIO parameter is lost behind the -- separator

    Checks:
        That no IOMMU or VFIO parameter is behind a bare `--`. Options of a driver that is a module
        may be there: modprobe reads the whole line.
    Why it matters:
        What follows `--` goes to init. The parameter can be seen there, and has no effect.
    Evidence:
        /proc/cmdline or the log's `Command line:`; modules.builtin for options of drivers.
    Fix:
        Move the parameter before the `--`.
    Fix safety:
        Boot files change and a reboot is needed. Can be undone.
    References:
        F39, S16; kernel/params.c (parse_args), init/main.c, kmod's kmod_config_parse_kcmdline.
    """
    cmdline = hypervisor.cmdline
    behind = [word for word in cmdline.after_dashes if relevant(word.name)]
    word = first(behind, lambda word: _lost(hypervisor, word), cmdline)
    if word is not None:
        missed = prospects.missed(hypervisor, _lost(hypervisor, word))
        return fails(
            f"{word.text} is behind -- and has no effect",
            actual=f"-- ... {word.text}",
            expected=f"{word.text} before --",
            evidence=word.quote,
            severity=None if missed else ADVICE,
            cure=cures.before_dashes(hypervisor.boot, word.text),
        )
    if behind:
        return passes(f"{behind[0].text} behind -- is not missed")
    return passes("no IOMMU or VFIO parameter is lost behind --")


def _lost(hypervisor: Hypervisor, word: Word) -> tuple[Effect, ...]:
    """The good effects that a parameter would have before the dashes, and does not have behind them.

    Kernel parameters are lost, and options of a driver that is part of the kernel. Raises Missing.
    """
    module, dot, _ = word.name.partition(".")
    if module in ("modprobe", "rd"):
        return ()  # user space reads them, and reads the whole line
    words = hypervisor.cmdline.words
    before = parse(word.text.encode("utf-8", "surrogateescape"), word.quote)
    there = prospects.compare(hypervisor, (*words, *before), words).gains
    if there and dot and module != "iommu" and not hypervisor.modules.builtin(module):
        return ()
    return there


@check("CMD008", severity=BLOCKER, refs=["F39"])
def test_command_line_fits_into_the_buffer(hypervisor: Hypervisor) -> Verdict:
    """Command line fits into the kernel's buffer

    Checks:
        That the command line is shorter than the 2,047 bytes that the kernel keeps.
    Why it matters:
        What does not fit is dropped silently, from the end, where people add things.
    Evidence:
        /proc/cmdline.
    Fix:
        Shorten the line: drop what is not needed, move options of modules into modprobe.d.
    Fix safety:
        Boot files change and a reboot is needed. Can be undone.
    References:
        F39; COMMAND_LINE_SIZE is 2048 on x86 and arm64.
    """
    length = len(hypervisor.cmdline.raw.strip())
    if hypervisor.cmdline.cut:
        return fails(
            f"the command line has {length} bytes, the kernel keeps {SIZE - 1}",
            actual=length,
            expected=f"fewer than {SIZE - 1}",
            evidence=hypervisor.cmdline.quote,
            cure=cures.shorten(hypervisor.boot),
        )
    require(hypervisor.cmdline)
    return passes(f"the command line has {length} bytes of {SIZE - 1}")
