"""The list of ids that vfio-pci is to claim."""

from pytest_vfio.check import ADVICE, BLOCKER, Severity, Verdict, check, fails, passes
from pytest_vfio.cures import cmdline as cmdline_cures
from pytest_vfio.cures import modprobe as modprobe_cures
from pytest_vfio.evidence import Missing
from pytest_vfio.facts.tristate import require
from pytest_vfio.hypervisor import prospects
from pytest_vfio.hypervisor.hypervisor import Hypervisor
from pytest_vfio.parse import vfioids
from pytest_vfio.steps import Cure


@check("CMD020", severity=BLOCKER, refs=["F40", "S08"])
def test_no_parameter_is_spelt_vfio_pci_ids(hypervisor: Hypervisor) -> Verdict:
    """No parameter is spelt vfio-pci-ids= instead of vfio-pci.ids=

    Checks:
        That no parameter is called `vfio-pci-ids` or `vfio_pci_ids`. `vfio-pci.ids` and
        `vfio_pci.ids` are the same and both right.
    Why it matters:
        Dash and underscore are equal to the kernel, a dot is not: the parameter is unknown, goes
        to init, and the device keeps its host driver. Old kernels log nothing.
    Evidence:
        /proc/cmdline or the log's `Command line:`.
    Fix:
        Write vfio-pci.ids=.
    Fix safety:
        The ids then take effect at the next boot: look first what else they match. Can be undone.
    References:
        F40, S08; kernel/params.c (parameqn).
    """
    for word in hypervisor.boot.spoken:
        if word.name == "vfio_pci_ids":
            right = f"vfio-pci.ids={word.value or ''}"
            return fails(
                f"{word.text} is no parameter, expected {right}",
                actual=word.text,
                expected=right,
                evidence=word.quote,
                severity=_severity(hypervisor),
                cure=_written_right(hypervisor, word.text, word.value or "", right),
            )
    if not hypervisor.cmdline.whole:
        said = hypervisor.klog.first(r"Unknown kernel command line parameters .*vfio.pci[-_]ids=")
        if said is not None:
            return fails(
                f"the kernel knows no vfio-pci-ids: {said.text[:160]}",
                actual="vfio-pci-ids=",
                expected="vfio-pci.ids=",
                evidence=said.quote,
                cure=cmdline_cures.correct_ids("cmdline", ""),
            )
    require(hypervisor.cmdline)
    return passes("no vfio-pci-ids= on the command line")


def _severity(hypervisor: Hypervisor) -> Severity | None:
    """Ids without effect block nothing where every device has its driver, or gets it from libvirt."""
    return None if prospects.binding_lacks(hypervisor) else ADVICE


def _written_right(hypervisor: Hypervisor, text: str, ids: str, right: str) -> Cure:
    """Ids that match what the host depends on are removed instead."""
    if prospects.endangered(hypervisor, ids) is not None:
        return cmdline_cures.drop(hypervisor.boot, text)
    return cmdline_cures.replace(hypervisor.boot, text, right)


@check("CMD021", severity=BLOCKER, refs=["F41", "S09"])
def test_every_list_of_ids_is_well_formed(hypervisor: Hypervisor) -> Verdict:
    """Every list of vfio-pci ids is well formed

    Checks:
        That every entry of `vfio-pci.ids=` and of `options vfio-pci ids=` is vendor:device in hex,
        each of at most four digits, with subsystem, class and mask where wanted, and that the list
        is neither empty nor longer than 1,023 characters.
    Why it matters:
        An entry that the driver cannot read is passed over, a blank ends the list, and a list that
        is too long is dropped whole. The devices stay on their host drivers.
    Evidence:
        /proc/cmdline or the log's `Command line:`; modprobe.d.
    Fix:
        Correct the list: vfio-pci.ids=8086:1572,10de:1b80.
    Fix safety:
        The ids then take effect at the next boot: look first what else they match. Can be undone.
    References:
        F41, S09; drivers/vfio/pci/vfio_pci.c (vfio_pci_fill_ids).
    """
    modules = hypervisor.modules
    lists = [option for option in modules.known_options("vfio_pci") if option.name == "ids"]
    for option in lists:
        wrong = _wrong(hypervisor, option.value or "")
        if wrong is not None:
            return fails(
                f"vfio-pci ids={option.value or ''}: {wrong}",
                actual=option.value or "(empty)",
                expected="vendor:device[,vendor:device]...",
                evidence=option.quote,
                severity=_severity(hypervisor),
                cure=cmdline_cures.correct_ids(option.origin, option.quote.source),
            )
    if modules.configured_ids_missing:
        said = hypervisor.klog.first(r"vfio_pci: invalid id string|\bids: string doesn't fit in")
        if said is not None:
            return fails(
                f"vfio-pci could not read its ids: {said.text[:160]}",
                actual=said.text[:160],
                expected="vendor:device[,vendor:device]...",
                evidence=said.quote,
                severity=_severity(hypervisor),
                cure=cmdline_cures.correct_ids("cmdline", ""),
            )
        raise Missing(*modules.configured_ids_missing)
    if not lists:
        return passes("no ids are configured for vfio-pci")
    return passes(f"vfio-pci ids={lists[-1].value} is well formed", evidence=lists[-1].quote)


def _wrong(hypervisor: Hypervisor, value: str) -> str | None:
    """The first thing wrong with a list, in prose; None for a good one.

    The driver's scanner skips blanks before a number and stops at what is no number: such an entry
    still counts, and is wrong only if it matches nothing or hides an id in what is left.
    """
    good, bad = vfioids.parse(value, "", vfioids.NOWHERE)
    if len(value) > vfioids.LONGEST:
        return f"{len(value)} characters, at most {vfioids.LONGEST} are taken"
    if bad:
        return f"{bad[0]!r} is not vendor:device"
    if not value.strip(","):
        return "the list is empty"
    if value.endswith(","):
        return "ends with a comma: a blank behind it ends the list"
    for pattern in good:
        fields = (pattern.vendor, pattern.device, pattern.subvendor, pattern.subdevice)
        if any(0xFFFF < field != vfioids.ANY for field in fields):
            return f"{pattern.text!r} is not vendor:device"
        if pattern.rest.strip() and (":" in pattern.rest[1:] or not _caught(hypervisor, pattern)):
            return f"{pattern.rest!r} at the end of {pattern.text!r} is not read"
    return None


def _caught(hypervisor: Hypervisor, pattern: vfioids.IdPattern) -> bool:
    """Some function that is known has the id."""
    known = hypervisor.pci.known.values()
    return any(f.knows("vendor") and f.knows("device") and pattern.names(f) for f in known)


@check("CMD022", severity=BLOCKER, needs=["CMD020"], refs=["F42", "S09"])
def test_no_id_is_lost_to_a_second_list(hypervisor: Hypervisor) -> Verdict:
    """No vfio-pci id is lost to a second list

    Checks:
        That one list of ids holds all that any list names: a second `vfio-pci.ids=` replaces the
        first, and one on the command line replaces that of modprobe.d.
    Why it matters:
        Lists are not merged. The devices of the other lists stay on their host drivers.
    Evidence:
        Every vfio-pci.ids= on the command line, options in modprobe.d, where the driver is.
    Fix:
        Write one list in one place.
    Fix safety:
        The ids then take effect at the next boot: look first what else they match. Can be undone.
    References:
        F42, S09; module_param_string, kmod's kmod_module_get_options.
    """
    modules = hypervisor.modules
    force = {pattern.key for pattern in modules.vfio_ids}
    lost = [p for p in modules.configured_vfio_ids if p.key not in force]
    if force and lost:
        winner = modules.vfio_ids[0]
        return fails(
            f"{lost[0].text} is lost: the list {winner.text}... of {winner.origin} replaces it",
            actual=", ".join(pattern.text for pattern in modules.vfio_ids),
            expected=", ".join(dict.fromkeys(p.text for p in modules.configured_vfio_ids)),
            evidence=[lost[0].quote, winner.quote],
            severity=_severity(hypervisor),
            cure=modprobe_cures.one_list(
                hypervisor, dict.fromkeys(p.text for p in modules.configured_vfio_ids)
            ),
        )
    require(*modules.configured_ids_missing)
    if not force:
        return passes("no list of ids is in force")
    return passes("one list of ids is in force and no other names more")
