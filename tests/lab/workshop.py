"""The machine that runs the lab: its Debian mirror and the tools it needs.

Nothing here names a mirror: the address is the one that this machine's own apt uses.
"""

import functools
import os
import shutil
import subprocess
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path

from tests.lab.board import BOARDS, Arch
from tests.lab.local import run, say

TOOLS = {
    "mmdebstrap": "mmdebstrap",
    "mke2fs": "e2fsprogs",
    "sfdisk": "fdisk",
    "mkfs.vfat": "dosfstools",
    "mcopy": "mtools",
    "cpio": "cpio",
    "ssh": "openssh-client",
    "setpriv": "util-linux",
}
EMULATOR = {"qemu-system-x86_64": "qemu-system-x86", "qemu-img": "qemu-utils"}
FILES = {
    "/usr/share/OVMF/OVMF_CODE_4M.fd": "ovmf",
    "/usr/share/keyrings/debian-archive-keyring.gpg": "debian-archive-keyring",
    "/usr/share/doc/busybox-static": "busybox-static",  # /bin/busybox may be the linked one
}
ARM = {
    "/usr/bin/qemu-system-aarch64": "qemu-system-arm",
    "/usr/bin/qemu-aarch64-static": "qemu-user-static",
    str(BOARDS["arm64"].firmware): "qemu-efi-aarch64",
}
"""What a host of the other architecture needs, and no other host."""
BINFMT = Path("/proc/sys/fs/binfmt_misc")
AARCH64 = (
    r":lab-aarch64:M::\x7fELF\x02\x01\x01\x00\x00\x00\x00\x00\x00\x00\x00\x00\x02\x00\xb7\x00"
    r":\xff\xff\xff\xff\xff\xff\xff\x00\xff\xff\xff\xff\xff\xff\xff\xff\xfe\xff\xff\xff"
    ":/usr/bin/qemu-aarch64-static:F"
)
"""An ELF header of an AArch64 program; F opens the interpreter now, so that a chroot has it."""
GUARD = """
[ -e $1/register ] || { mount -t binfmt_misc binfmt_misc $1; ours=yes; }
forget() { [ ! -e $1/lab-aarch64 ] || echo -1 >$1/lab-aarch64; }
trap 'forget "$1"; [ -z "${ours-}" ] || umount $1' EXIT
forget "$1"
printf %s "$2" >$1/register
echo ready
cat >/dev/null
"""
"""Holds the handler until its standard input ends: with the lab, however that ends."""
IGB_NEEDS = 8
"""First QEMU release with the igb SR-IOV device."""


@functools.cache
def mirror() -> str:
    """The Debian archive that serves this machine's own release."""
    codename = _codename()
    site = _site(codename)
    if site is None:  # apt's lists may never have been fetched, or may have been thrown away
        _apt("update")
        site = _site(codename)
    if site is None:
        raise LookupError(f"apt knows no source for {codename}; is this a Debian machine?")
    return site


def _site(codename: str) -> str | None:
    listing = _output("apt-get", "indextargets", "--format", "$(SITE) $(CODENAME)")
    places = (line.partition(" ") for line in listing.splitlines())
    return next((site for site, _, name in places if name == codename), None)


def only_root(task: str) -> None:
    """End with a message where the user may not do what comes next."""
    if os.geteuid() != 0:
        raise SystemExit(f"lab: only root can {task}; run it as root")


def prepare() -> None:
    """Install what is missing, QEMU from the release's backports where its own is too old."""
    wanted = [package for tool, package in TOOLS.items() if not shutil.which(tool)]
    wanted += [package for file, package in FILES.items() if not Path(file).exists()]
    if wanted:
        _apt("update")
        _install(wanted)
    if _qemu_version() >= IGB_NEEDS:
        return
    _apt("update")
    if _candidate("qemu-system-x86") >= IGB_NEEDS:
        _install(EMULATOR.values())
    else:
        suite = f"{_codename()}-backports"
        source = Path("/etc/apt/sources.list.d/pytest-vfio-lab.list")
        source.write_text(f"deb {mirror()} {suite} main\n")
        _apt("update")
        _install(EMULATOR.values(), "-t", suite)


def board(arch: Arch) -> None:
    """Install what this architecture's hosts need beyond what ``prepare`` installs."""
    files = ARM if arch == "arm64" else {}
    wanted = [package for file, package in files.items() if not Path(file).exists()]
    if wanted:
        _apt("update")
        backports = "~bpo" in _output("dpkg-query", "-Wf", "${Version}", "qemu-system-x86")
        _install(wanted, *(("-t", f"{_codename()}-backports") if backports else ()))


@contextmanager
def programs(arch: Arch) -> Iterator[None]:
    """Let this machine run the architecture's programs; what that takes is taken back."""
    if arch == "amd64":
        yield
        return
    guard = subprocess.Popen(
        ["sh", "-ec", GUARD, "guard", BINFMT, AARCH64],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        start_new_session=True,
    )
    with guard:  # closes the pipes at its end, and waits
        assert guard.stdout is not None
        if guard.stdout.readline() != b"ready\n":
            raise RuntimeError(f"{BINFMT} takes no handler for {arch}")
        yield


def _codename() -> str:
    for line in Path("/etc/os-release").read_text().splitlines():
        if line.startswith("VERSION_CODENAME="):
            return line.partition("=")[2].strip('"')
    raise LookupError("/etc/os-release names no VERSION_CODENAME")


def _qemu_version() -> int:
    if not all(shutil.which(tool) for tool in EMULATOR):
        return 0
    return _major(_output("qemu-system-x86_64", "--version").split("version ")[1])


def _candidate(package: str) -> int:
    for line in _output("apt-cache", "policy", package).splitlines():
        if "Candidate:" in line:
            return _major(line.split()[-1].rpartition(":")[2])
    return 0


def _major(version: str) -> int:
    number = version.partition(".")[0]
    return int(number) if number.isdigit() else 0


def _install(packages: Iterable[str], *options: str) -> None:
    packages = list(packages)
    say(f"installing Debian packages: {' '.join(packages)}")
    _apt("install", "-y", "--no-install-recommends", *options, *packages)


def _apt(*words: str) -> None:
    if not shutil.which("apt-get"):
        raise SystemExit("lab: no apt-get here; the lab builds on Debian and its kind")
    only_root("install Debian packages")
    run("env", "DEBIAN_FRONTEND=noninteractive", "apt-get", "-q", *words)


def _output(*words: str) -> str:
    return subprocess.run(words, check=True, capture_output=True, text=True).stdout
