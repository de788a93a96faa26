"""A Debian system in a folder, before it has a disk and a kernel that runs."""

from collections.abc import Iterable
from pathlib import Path

from tests.lab import workshop
from tests.lab.board import Arch
from tests.lab.local import run

LEASH = ("setpriv", "--pdeathsig", "KILL", "unshare", "--mount", "--pid", "--fork", "--kill-child")
"""What runs behind it ends with us, with all its children and mounts, however we end."""


def make(
    root: Path, suite: str, packages: Iterable[str], *options: str, arch: Arch = "amd64"
) -> None:
    """Fill a folder with a Debian release and the packages named, by mmdebstrap."""
    workshop.only_root("make a Debian system")
    run(
        *LEASH,
        "mmdebstrap",
        f"--architectures={arch}",
        "--skip=check/qemu",
        "--quiet",
        "--variant=minbase",
        "--mode=root",
        "--format=directory",
        '--aptopt=Acquire::Languages "none"',
        '--aptopt=Acquire::Check-Valid-Until "false"',  # a mirror may be one of an earlier day
        "--dpkgopt=path-exclude=/usr/share/doc/*",
        "--dpkgopt=path-exclude=/usr/share/man/*",
        "--dpkgopt=path-exclude=/usr/share/locale/*",
        *options,
        f"--include={','.join(packages)}",
        suite,
        root,
        f"deb {workshop.mirror()} {suite} main",
    )


def inside(root: Path, script: str) -> None:
    """Run a shell script in the system, which sees processes of its own only."""
    run(*LEASH, f"--mount-proc={root}/proc", "chroot", root, "sh", "-eux", "-c", script)
