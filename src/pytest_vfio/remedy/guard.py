"""What a plan never touches: what the host itself uses, whatever a cure says.

Every address that a step names in any way is looked at: in its fields, its commands and the files
that it writes; and every function that a list of ids would take at the next boot.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator

from pytest_vfio.evidence import Missing
from pytest_vfio.hypervisor.hypervisor import Hypervisor
from pytest_vfio.parse import vfioids
from pytest_vfio.parse.pciaddress import PATTERN
from pytest_vfio.remedy import idle
from pytest_vfio.steps import Impact, Reboot, Step

_ADDRESS = re.compile(PATTERN)
_IDS = re.compile(r"\bvfio[-_]pci[. ](?:.* )?ids=([^\s\"']+)|^ids=([^\s\"']+)")
#: Kinds that take something away and give nobody anything.
_RELEASES = ("remove_words", "comment_out", "delete_file", "remove_line", "detach_device")


def addresses(step: Step) -> tuple[str, ...]:
    """The PCI functions that a step names, each once."""
    own = getattr(step, "address", "")
    found = (match[0].lower() for line in step.commands for match in _ADDRESS.finditer(line))
    return tuple(dict.fromkeys([*([own] if own else []), *found]))


def refusal(hypervisor: Hypervisor, steps: Iterable[Step]) -> str | None:
    """Why steps must not be planned on a host; None where they may."""
    found = tuple(steps)
    for step in found:
        if step.kind in _RELEASES:
            continue
        reasons = (*_protected(hypervisor, step), *_caught(hypervisor, _ids(step)))
        if isinstance(step, Reboot):
            reasons = tuple(_caught(hypervisor, _left_for_the_boot(hypervisor, found)))
        for reason in reasons:
            return reason
        if Impact.DETACHES in step.impacts:
            for address in addresses(step):
                proof = idle.prove(hypervisor, address)
                if not proof.idle:
                    return f"{address} is not proved idle: {proof.words}"
    return None


def proofs(hypervisor: Hypervisor, step: Step) -> tuple[str, ...]:
    """By what the functions that a step takes from their drivers are proved idle."""
    if Impact.DETACHES not in step.impacts:
        return ()
    return tuple(idle.prove(hypervisor, address).words for address in addresses(step))


def _protected(hypervisor: Hypervisor, step: Step) -> Iterator[str]:
    """The functions of a step that carry the host, or of which nobody can tell."""
    for address in addresses(step):
        try:
            path = hypervisor.protected.path(address)
        except Missing as missing:
            yield f"cannot tell whether the host uses {address}: {missing}"
            continue
        if path is not None:
            yield f"the host uses {address}: {path}"


def _left_for_the_boot(hypervisor: Hypervisor, steps: Iterable[Step]) -> Iterator[str]:
    """The lists of ids that the next boot has by now, save those that the steps take out."""
    try:
        words = hypervisor.boot.next_entry.words
    except Missing:
        words = hypervisor.boot.running_words  # what boots is what booted, as far as is known
    gone = {
        text for step in steps for text in (*getattr(step, "words", ()), getattr(step, "old", ""))
    }
    yield from (
        word.value
        for word in words
        if word.name == "vfio_pci.ids" and word.value and word.text not in gone
    )


def _caught(hypervisor: Hypervisor, lists: Iterable[str]) -> Iterator[str]:
    """What the host uses of that which lists of ids would give to vfio-pci at the next boot."""
    for ids in lists:
        for pattern in vfioids.parse(ids, "", vfioids.NOWHERE)[0]:
            for address, function in hypervisor.pci.known.items():
                try:
                    path = hypervisor.protected.path(address) if pattern.catches(function) else None
                except Missing as missing:
                    yield f"cannot tell what {pattern.text} would take: {missing}"
                    continue
                if path is not None:
                    yield f"{pattern.text} would take {address} too, which the host uses: {path}"


def _ids(step: Step) -> Iterator[str]:
    """The lists of ids that a step writes; those that it takes out are none."""
    words = getattr(step, "words", ()) if step.kind == "add_words" else ()
    new = (
        (step_new,)
        if (step_new := getattr(step, "new", "")) and step.kind == "replace_word"
        else ()
    )
    lines = getattr(step, "lines", ()) if step.kind == "write_file" else ()
    argv = getattr(step, "argv", ()) if step.kind == "run" else ()
    added = (one for one in argv if one.startswith(("--args=", "--append")))
    one = (getattr(step, "line", ""),) if step.kind in ("add_line", "uncomment") else ()
    for text in (*words, *new, *lines, *added, *one):
        for match in _IDS.finditer(text):
            yield match[1] or match[2]
