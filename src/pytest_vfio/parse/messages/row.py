"""A row of the table of known messages, and the small language in which its wordings are written.

A wording is a regular expression in which `<word>` stands for something that the message names:

    vfio <device>: group <group> is not viable
    failed to open <path>: <EACCES>

`<device>` is a group of that name and kind; `<mate:device>` is one of another name; a capital
`<EPERM>` is what the C library, Go and QEMU say for that error number, and names nothing. A
literal `<` is written `\\<`. Alternatives stand in `(?:...|...)`, never at the top: another wording
is another form. Every form carries the examples that prove it.
"""

from __future__ import annotations

import enum
import re
from collections.abc import Iterator, Mapping
from functools import cache
from typing import NamedTuple

import msgspec

from pytest_vfio.parse.pciaddress import PATTERN


class Speaker(enum.StrEnum):
    """Who says a message, as a reader calls it."""

    KERNEL = "kernel"
    VFIO = "vfio"
    INTEL_IOMMU = "intel-iommu"
    AMD_IOMMU = "amd-iommu"
    ARM_SMMU = "arm-smmu"
    PCI = "pci core"
    NIC = "network driver"
    GPU = "GPU driver"
    STORAGE = "storage driver"
    KVM = "kvm"
    QEMU = "QEMU"
    LIBVIRT = "libvirt"
    APPARMOR = "AppArmor"
    SELINUX = "SELinux"
    CONTAINER = "container runtime"
    KUBERNETES = "Kubernetes"
    PROXMOX = "Proxmox"
    VIRT_MANAGER = "virt-manager"
    VALIDATE = "virt-host-validate"
    SHELL = "shell"
    MODPROBE = "modprobe"
    GUEST = "guest"


class Weight(enum.StrEnum):
    """What a message does to the wish to pass a device through."""

    STOPS = "stops"  # the start, the binding or the assignment fails, or the device is lost
    HURTS = "hurts"  # it works, badly or in part
    EXPOSES = "exposes"  # it works, and isolation is weaker than it looks
    HARMLESS = "harmless"  # it sounds bad, and nothing is wrong
    PASSED = "passed"  # something went well: what takes others back


STOPS, HURTS, EXPOSES, HARMLESS, PASSED = Weight


class Form(msgspec.Struct, frozen=True):
    """One wording of a message: its template, and lines that were said."""

    template: str
    examples: tuple[str, ...]

    @property
    def pattern(self) -> re.Pattern[str]:
        """The template as a regular expression, compiled when it is first asked for."""
        return _compiled(self.template)

    @property
    def need(self) -> Need:
        """What a text must have for the form to be in it."""
        return _needed(self.template)


class Need(NamedTuple):
    """What a form cannot match without: words between blanks, and its longest plain stretch."""

    words: frozenset[str]
    literal: str


class Row(msgspec.Struct, frozen=True):
    """One known message.

    `means` is one plain sentence. `refs` are entries of the failure catalogue that it is a sign of,
    the likeliest first. `decide` are at most three commands, as a person types them, whose output
    tells its causes apart; `<device>` and the like in them are filled from what a message names.
    `cure` says in words what ends it. `over` are rows that, said later of the same thing, take it
    back. A `frame` says only that something failed; the reason stands beside it. `acts` says who has
    to act: os, firmware, libvirt, guest, vendor.
    """

    id: str
    says: Speaker
    means: str
    forms: tuple[Form, ...]
    refs: tuple[str, ...] = ()
    weight: Weight = STOPS
    decide: tuple[str, ...] = ()
    cure: str = ""
    over: tuple[str, ...] = ()
    acts: str = "os"
    frame: bool = False

    def commands(self, names: Mapping[str, str]) -> tuple[str, ...]:
        """What would decide, with what is named filled in and capitals for what is not.

        >>> row = Row("x", Speaker.QEMU, "", (), decide=("lspci -nnks <device>",))
        >>> row.commands({"device": "0000:01:00.0"}), row.commands({})
        (('lspci -nnks 0000:01:00.0',), ('lspci -nnks DEVICE',))
        """
        return tuple(
            re.sub(r"<([a-z]+)>", lambda m: names.get(m[1], m[1].upper()), command)
            for command in self.decide
        )


def form(template: str, *examples: str) -> Form:
    """A wording with the lines that prove it."""
    return Form(template, examples)


_KINDS = {
    "device": PATTERN,
    "group": r"\d{1,9}",
    "count": r"-?\d{1,20}",
    "number": r"(?:0x)?[0-9a-fA-F]{1,20}",
    "word": r"[^\s'\"<>,;:()\[\]]{1,120}",
    "path": r"/[^\s'\",;]{0,300}[^\s'\",;:]",
    "guest": r"[^\s'\",;]{1,200}",
    "id": r"[0-9a-fA-F]{4}:[0-9a-fA-F]{4}",
    "bar": r"[0-5]\b",
    "range": r"\[[^\]]{1,80}\]",
    "rest": r".{1,300}",
}

#: What strerror says. Go writes it in lower case.
_ERRNO = {
    "EPERM": "[Oo]peration not permitted",
    "ENOENT": "[Nn]o such file or directory",
    "ENOMEM": "[Cc]annot allocate memory",
    "EACCES": "[Pp]ermission denied",
    "EFAULT": "[Bb]ad address",
    "EBUSY": "[Dd]evice or resource busy",
    "EEXIST": "[Ff]ile exists",
    "ENODEV": "[Nn]o such device",
    "EINVAL": "[Ii]nvalid argument",
    "ENOTTY": "[Ii]nappropriate ioctl for device",
    "ENOSPC": "[Nn]o space left on device",
    "ERANGE": "[Nn]umerical result out of range",
    "EIO": "[Ii]nput/output error",
    "ENOSYS": "[Ff]unction not implemented",
    "ETIMEDOUT": "[Cc]onnection timed out",
    "EOPNOTSUPP": "[Oo]peration not supported",
}

_HOLE = re.compile(r"(?<!\\)<(?:([a-z]+)(?::([a-z]+))?|([A-Z]+))>")


@cache
def _compiled(template: str) -> re.Pattern[str]:
    return re.compile(_HOLE.sub(_filled, template))


def _filled(hole: re.Match[str]) -> str:
    name, kind, error = hole.groups()
    if error:
        return _ERRNO[error]
    return f"(?P<{name}>{_KINDS[kind or (name if name in _KINDS else 'word')]})"


@cache
def _needed(template: str) -> Need:
    plain = runs(template)
    words = frozenset(word for run in plain for word in run.split(" ")[1:-1] if word)
    return Need(words, max(plain, key=len))


def runs(template: str) -> tuple[str, ...]:
    """The plain stretches of a template, holes, groups and classes left out.

    >>> runs("not ready <ms:count>ms after (?:FLR|resume); giving up")
    ('not ready ', 'ms after ', '; giving up')
    """
    found = [""]
    depth = 0
    for char, plain in _tokens(template):
        if not plain and char in ("(", ")"):
            depth += 1 if char == "(" else -1
        if plain and depth == 0:
            found[-1] += char
        elif found[-1]:
            if char in ("?", "*", "{"):  # what stands before may be missing
                found[-1] = found[-1][:-1]
            found.append("")
    return tuple(run for run in found if run) or ("",)


def _tokens(template: str) -> Iterator[tuple[str, bool]]:
    """Each character of a template, and whether it stands for itself."""
    at = 0
    while at < len(template):
        char = template[at]
        if char == "\\":
            yield template[at + 1], not template[at + 1].isalnum()
            at += 2
        elif hole := _HOLE.match(template, at):
            yield "", False
            at = hole.end()
        elif char == "[":
            end = template.index("]", at + 2)
            yield "", False
            at = end + 1
        elif char == "{":
            yield char, False
            at = template.index("}", at) + 1
        else:
            yield char, char not in "()?*+.^$|"
            at += 1
