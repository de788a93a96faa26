"""The running kernel: release, version, architecture, build configuration.

Sources, best first: `proc/sys/kernel/osrelease`, `uname` (uname -a), `proc/version`, the log's
`Linux version` line, and, where nothing else was kept, the file name that GRUB booted
(`BOOT_IMAGE=/vmlinuz-5.4.0-94-generic`).
"""

from __future__ import annotations

import re
from functools import cached_property

from pytest_vfio.evidence import Evidence, Missing, Quote
from pytest_vfio.facts.tristate import known

_RELEASE = r"(\d+\.\d+[^\s()]*)"
#: item, and where in one of its lines the release stands.
_WHERE = (
    ("proc/sys/kernel/osrelease", re.compile(rf"^{_RELEASE}\s*$")),
    ("uname", re.compile(rf"^Linux \S+ {_RELEASE} ")),
    ("uname", re.compile(rf"^{_RELEASE}\s*$")),
    ("proc/version", re.compile(rf"^Linux version {_RELEASE}\b")),
    ("dmesg", re.compile(rf"\bLinux version {_RELEASE} \(")),
    ("journal/kernel", re.compile(rf"\bLinux version {_RELEASE} \(")),
    ("proc/cmdline", re.compile(rf"\bBOOT_IMAGE=\S*vmlinuz-{_RELEASE}")),
    ("dmesg", re.compile(rf"\b[Cc]ommand line: .*\bBOOT_IMAGE=\S*vmlinuz-{_RELEASE}")),
    ("journal/kernel", re.compile(rf"\b[Cc]ommand line: .*\bBOOT_IMAGE=\S*vmlinuz-{_RELEASE}")),
)
_MACHINE = re.compile(r"\b(x86_64|aarch64|arm64|amd64|i[3-6]86|ppc64le|ppc64|s390x|riscv64)\b")
_MACHINES = {"amd64": "x86_64", "arm64": "aarch64"}


class Kernel:
    """The kernel that runs."""

    def __init__(self, evidence: Evidence) -> None:
        self.evidence = evidence

    @property
    def release(self) -> str:
        """As `uname -r` prints it: `5.4.0-94-generic`."""
        return self._release[0]

    @property
    def quote(self) -> Quote:
        """The line that the release was read from."""
        return self._release[1]

    @cached_property
    def _release(self) -> tuple[str, Quote]:
        for name, pattern in _WHERE:
            item = self.evidence.item(name)
            if not item.data:
                continue
            for line in item.lines:
                found = pattern.search(line)
                if found:
                    return found[1], item.quote(line)
        raise Missing(self.evidence.item("proc/sys/kernel/osrelease"))

    @cached_property
    def version(self) -> tuple[int, int, int]:
        """The upstream version that the release names: (5, 4, 0)."""
        return version(self.release)

    @cached_property
    def arch(self) -> str:
        """`x86_64`, `aarch64` and so on, as `uname -m` prints it."""
        for name in ("uname", "proc/sys/kernel/arch", "proc/sys/kernel/osrelease"):
            machine = _machine("\n".join(self.evidence.item(name).lines))
            if machine:
                return machine
        cpuinfo = "\n".join(self.evidence.item("proc/cpuinfo").lines)
        if re.search(r"^vendor_id\s*: *(?:GenuineIntel|AuthenticAMD|HygonGenuine)", cpuinfo, re.M):
            return "x86_64"
        if re.search(r"^CPU implementer\s*:", cpuinfo, re.MULTILINE):
            return "aarch64"
        if self._option("X86_64")[1] == "y":
            return "x86_64"
        if self._option("ARM64")[1] == "y":
            return "aarch64"
        # only x86 prints the loader's line under this name (arch/x86/kernel/setup.c)
        for item in self.evidence.seen("dmesg", "journal/kernel"):
            if re.search(r"(^|[\]\s])Command line: ", item.text, re.MULTILINE):
                return "x86_64"
        machine = _machine(self._release[0] if self._known else "")
        if machine:
            return machine
        raise Missing(self.evidence.item("uname"))

    @property
    def x86(self) -> bool:
        """An Intel or AMD machine."""
        return self.arch == "x86_64" or (self.arch[0] == "i" and self.arch.endswith("86"))

    def config(self, name: str) -> str | None:
        """A build option: `y`, `m`, another value, or None where it is not set.

        `name` with or without `CONFIG_`. Raises Missing where the configuration was not read.
        """
        name = name.removeprefix("CONFIG_")
        named, value = self._option(name)
        if named:
            return value
        item = self.evidence.item("kernel-config")
        if not (item.whole and item.data):
            raise Missing(item)
        return None

    def config_quote(self, name: str) -> Quote:
        """The line of a build option, as proof; also of one that the configuration lacks."""
        name = name.removeprefix("CONFIG_")
        value = self._option(name)[1]
        line = f"# CONFIG_{name} is not set" if value is None else f"CONFIG_{name}={value}"
        return self.evidence.item("kernel-config").quote(line)

    def _option(self, name: str) -> tuple[bool, str | None]:
        """Whether an option is named at all, and its value; the file has ten thousand lines."""
        for mark in (f"\nCONFIG_{name}=", f"\n# CONFIG_{name} is not set"):
            at = self._config.find(mark)
            if at >= 0:
                end = self._config.find("\n", at + 1)
                value = self._config[at + len(mark) : end].strip().strip('"')
                return True, value if mark.endswith("=") else None
        return False, None

    @cached_property
    def _config(self) -> str:
        """The configuration's lines, each between line feeds."""
        return "\n".join(("", *self.evidence.item("kernel-config").lines, ""))

    @property
    def _known(self) -> bool:
        return known(lambda: self._release) is not None


def _machine(text: str) -> str | None:
    """The last machine name in a text, as `uname -m` prints it."""
    found: list[str] = _MACHINE.findall(text)
    return _MACHINES.get(found[-1], found[-1]) if found else None


def version(release: str) -> tuple[int, int, int]:
    """The three numbers that a release starts with; what is not there is 0.

    >>> version("5.4.0-94-generic"), version("6.12"), version("6.8.12-5-pve")
    ((5, 4, 0), (6, 12, 0), (6, 8, 12))
    """
    numbers = [int(number) for number in re.findall(r"\d{1,6}", release.partition("-")[0])[:3]]
    major, minor, patch = (*numbers, 0, 0, 0)[:3]
    return major, minor, patch
