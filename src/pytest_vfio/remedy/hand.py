"""The only thing that writes to a host: it feeds a script to a root shell there, as the probe is.

Hosts are this machine and those behind OpenSSH; the others get a plan, and no hand.
"""

from __future__ import annotations

import os
import subprocess

from pytest_vfio.mistakes import Mistake
from pytest_vfio.sources import Target
from pytest_vfio.sources.live import local, openssh


class HandError(Mistake):
    """A host that cannot be changed by us, and why."""


def carry_out(target: Target, script: str, seconds: int) -> str:
    """Feed a script to the host's root shell; what it printed. Raises HandError."""
    try:
        done = subprocess.run(
            command(target),
            input=script.encode("utf-8", "surrogateescape"),
            capture_output=True,
            timeout=seconds,
            check=False,
        )
    except subprocess.TimeoutExpired as error:
        late = f"{target.name}: no answer in {seconds} s; the run goes on there by itself"
        raise HandError(late) from error
    except OSError as error:
        raise HandError(f"{target.name}: {error.strerror}") from error
    answer = done.stdout.decode("utf-8", "backslashreplace")
    if not answer.rstrip().endswith(("%done", "%running")) and "%refused" not in answer:
        said = done.stderr.decode("utf-8", "backslashreplace").strip().splitlines()
        raise HandError(
            f"{target.name}: the run was not started: {said[-1] if said else answer[:200]}"
        )
    return answer


def command(target: Target) -> list[str]:
    """What starts a root shell on the host. Raises HandError where we do not."""
    if target.kind == "local":
        return local.shell(target, root=os.geteuid() == 0)
    if target.kind == "ssh":
        return openssh.command(target, 15)
    raise HandError(
        f"{target.name}: a {target.kind} is not fixed: --plan shows what to do, and HOST.plan.sh does it"
    )
