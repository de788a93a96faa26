"""Cures in what modprobe is told: options, blacklists, lists of modules, and what is loaded now.

A line of somebody else is commented out where it stands. Files of a package (/usr/lib) stay.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from contextlib import suppress

from pytest_vfio.cures import cmdline, initramfs
from pytest_vfio.evidence import Evidence, Missing, Quote
from pytest_vfio.facts.drivers.modules import Option
from pytest_vfio.hypervisor.hypervisor import Hypervisor
from pytest_vfio.parse.vfioids import IdPattern
from pytest_vfio.parse.words import Word, fold
from pytest_vfio.steps import ByHand, Cure, Reboot, Step, by_hand
from pytest_vfio.steps.files import CommentOut, WriteFile
from pytest_vfio.steps.host import LoadModules, WriteSysfs
from pytest_vfio.steps.words import RemoveWords, ReplaceWord, mark_of

_LISTS = ("modprobe.blacklist", "module_blacklist")


def load(evidence: Evidence, *modules: str) -> Cure:
    """Load modules now and at every boot."""
    path = "etc/modules-load.d/pytest-vfio.conf"
    lasting = () if evidence.item(path).data else (WriteFile(f"/{path}", modules),)
    return Cure(f"load {' '.join(modules)} now and at every boot", (LoadModules(modules), *lasting))


def allow(hypervisor: Hypervisor, module: str, quote: Quote) -> Cure:
    """Take a module off the blacklist, wherever it stands there. Never the other way round."""
    title = f"let {module} load: take it off the blacklist in {_named(quote)}"
    if quote.source.startswith(("etc/", "usr/", "run/", "lib/")):
        evidence = hypervisor.evidence
        return Cure(title, (comment_out(evidence, quote), *initramfs.rebuild(evidence)))
    words = [
        word
        for line in _lines(hypervisor)
        for word in line
        if word.name in _LISTS and module in map(fold, word.pieces)
    ]
    steps = [step for word in words for step in _shorten(hypervisor, word, module)]
    if not steps:
        return by_hand(title, f"take {module} out of {_named(quote)}: {quote.line}", reboot=True)
    return Cure(title, (*dict.fromkeys(steps), Reboot()))


def _shorten(hypervisor: Hypervisor, word: Word, module: str) -> tuple[Step, ...]:
    """A list on the command line without one of its modules."""
    left = [piece for piece in word.pieces if fold(piece) != module]
    return cmdline.relisting(hypervisor.boot, word.text, left)


def unset(hypervisor: Hypervisor, module: str, name: str, *, live: str | None = None) -> Cure:
    """Take an option of a module out of every place that sets it; `live` is its value to undo now.

    Only parameters that the running kernel lets one write are given a live value.
    """
    steps: list[Step] = []
    if live is not None:
        steps.append(WriteSysfs(f"/sys/module/{module}/parameters/{name}", "N", live))
    options = [one for one in hypervisor.modules.known_options(module) if one.name == name]
    files = [one for one in options if one.origin == "modprobe"]
    steps += dict.fromkeys(step for one in files for step in _out_of_file(hypervisor, one))
    words = _spelt(hypervisor, module, name)
    if words and not cmdline.mended(hypervisor.boot, *words):
        steps += cmdline.dropping(hypervisor.boot, *words)
    if files:
        steps += initramfs.rebuild(hypervisor.evidence)
    if live is None:
        steps.append(Reboot())
    return Cure(
        f"take {name} of {module} back{'' if live is None else ', now and at boot'}", tuple(steps)
    )


def forbid_unsafe_interrupts(hypervisor: Hypervisor, modules: Iterable[str]) -> Cure:
    """The override is on: now, and wherever it is configured."""
    name = "allow_unsafe_interrupts"
    steps = [s for one in modules for s in unset(hypervisor, one, name, live="Y").steps]
    return Cure("forbid unsafe interrupts, now and at boot", tuple(last_once(steps)))


def leave_noiommu_mode(hypervisor: Hypervisor) -> Cure:
    """VFIO without an IOMMU. Programs that use it have to end first."""
    end = ByHand("end the programs that use /dev/vfio/noiommu-*", argv=("ls", "-l", "/dev/vfio"))
    steps = unset(hypervisor, "vfio", "enable_unsafe_noiommu_mode", live="Y").steps
    in_use = any("noiommu" in quote.line for quote in hypervisor.iommu.noiommu_quotes)
    return Cure("switch no-IOMMU mode off, now and at boot", (end, *steps) if in_use else steps)


def _spelt(hypervisor: Hypervisor, module: str, name: str) -> list[str]:
    """The option's words on the running command line, as they are written there."""
    with suppress(Missing):
        words = hypervisor.cmdline.all
        return [word.text for word in words if word.name == f"{fold(module)}.{name}"]
    return []


def _out_of_file(hypervisor: Hypervisor, option: Option) -> tuple[Step, ...]:
    """The option alone, or its line where it is the only one."""
    words = option.quote.line.split()
    text = option.name if option.value is None else f"{option.name}={option.value}"
    if len(words) > 3 and text in words and option.quote.source.startswith("etc/"):
        return (RemoveWords(f"/{option.quote.source}", (text,)),)
    return (comment_out(hypervisor.evidence, option.quote),)


def set_option(module: str, option: str) -> Cure:
    """A KVM or VFIO module can be loaded anew only while no guest runs: a reboot is sure."""
    path = f"/etc/modprobe.d/pytest-vfio-{module}.conf"
    return Cure(
        f"load {module} with {option}", (WriteFile(path, (f"options {module} {option}",)), Reboot())
    )


def to_cmdline(hypervisor: Hypervisor, word: str) -> Cure:
    """An option of a driver that is part of the kernel image: modprobe never reads it."""
    return cmdline.add(hypervisor.boot, word)


def unlist(evidence: Evidence, quote: Quote, module: str) -> Cure:
    """Take a module out of a list of modules, plain or an assignment."""
    title = f"take {module} out of /{quote.source}"
    variable = re.match(r"(\w+)\+?=", quote.line)
    if variable is not None:
        step: Step = RemoveWords(f"/{quote.source}", (module,), variable[1], mark_of(quote.line))
    else:
        step = comment_out(evidence, quote)
    return Cure(title, (step,))


def one_list(hypervisor: Hypervisor, ids: Iterable[str]) -> Cure:
    """Several lists of ids, of which one counts: all ids on the command line, the others out."""
    text = f"vfio-pci.ids={','.join(ids)}"
    boot, modules = hypervisor.boot, hypervisor.modules
    options = [one for one in modules.known_options("vfio_pci") if one.name == "ids"]
    words = _spelt(hypervisor, "vfio_pci", "ids")
    files = [one for one in options if one.origin == "modprobe"]
    steps = list(dict.fromkeys(step for one in files for step in _out_of_file(hypervisor, one)))
    first, others = words[:1], [word for word in words[1:] if word != words[0]]
    if others:
        steps += cmdline.dropping(boot, *others)
    changed = cmdline.replace(boot, first[0], text) if first else cmdline.add(boot, text)
    kept = list(changed.steps) if first != [text] else [Reboot()]
    image = initramfs.rebuild(hypervisor.evidence) if files else ()
    return Cure(
        f"write the ids of vfio-pci as one list: {text}", tuple(last_once([*steps, *image, *kept]))
    )


def without(hypervisor: Hypervisor, pattern: IdPattern) -> tuple[Step, ...]:
    """The steps that take one id out of the lists of ids that have it."""
    steps: list[Step] = []
    for option in hypervisor.modules.known_options("vfio_pci"):
        ids = (option.value or "").split(",")
        if option.name != "ids" or option.origin != "modprobe" or pattern.text not in ids:
            continue
        left = ",".join(id for id in ids if id != pattern.text)
        path = f"/{option.quote.source}"
        if left and path.startswith("/etc/"):
            steps.append(ReplaceWord(path, f"ids={option.value}", f"ids={left}"))
        else:
            steps += _out_of_file(hypervisor, option)
    image = initramfs.rebuild(hypervisor.evidence) if steps else ()
    found = [word for line in _lines(hypervisor) for word in line if word.name == "vfio_pci.ids"]
    for text, pieces in {word.text: word.pieces for word in found}.items():
        if pattern.text in pieces and not cmdline.mended(hypervisor.boot, text):
            left_over = [piece for piece in pieces if piece != pattern.text]
            steps += cmdline.relisting(hypervisor.boot, text, left_over)
    return (*last_once(steps), *image)


def _lines(hypervisor: Hypervisor) -> Iterator[tuple[Word, ...]]:
    """The running line and that of the next boot, as far as they are known."""
    with suppress(Missing):
        yield hypervisor.cmdline.all
    with suppress(Missing):
        yield hypervisor.boot.next_entry.words


def comment_out(evidence: Evidence, quote: Quote) -> Step:
    """A line of a configuration file, where it stands."""
    item = evidence.item(quote.source)
    raw = [line for line in item.lines if line.strip() == quote.line.strip()]
    if not quote.source.startswith("etc/"):
        name = quote.source.rsplit("/", 1)[-1]
        return ByHand(
            f"copy /{quote.source} to /etc/modprobe.d/{name}, which then counts instead of it, and "
            f"comment out there: {quote.line}"
        )
    if not raw or len(set(raw)) > 1 or raw[0].endswith(("\\", "\r")):
        return ByHand(f"comment out in /{quote.source}: {quote.line}")
    return CommentOut(f"/{quote.source}", raw[0])


def sign(module: str) -> Cure:
    """A module that Secure Boot or lockdown refuses."""
    return by_hand(
        f"sign {module} with a key that the firmware trusts",
        f"sign {module} with the machine owner key (DKMS does it where one is set up)",
        "mokutil --import CERTIFICATE.der, reboot, and choose Enroll MOK in the blue screen",
        reboot=True,
    )


def last_once(steps: Iterable[Step]) -> list[Step]:
    """What makes files from others, once, and last of its kind."""
    found = list(steps)
    return [step for at, step in enumerate(found) if not (step.derived and step in found[at + 1 :])]


def _named(quote: Quote) -> str:
    return f"/{quote.source}" if "/" in quote.source else quote.source
