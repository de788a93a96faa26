"""A file whose reading never returns, not even for SIGKILL: as one that waits for a device's lock.

`stuck(PATH)` mounts a file system in user space over the file, which opens it and leaves every
reading unanswered (include/uapi/linux/fuse.h; `request_wait_answer` in fs/fuse/dev.c waits deaf to
signals once a request was taken). Root's right is needed, and FUSE.
"""

from __future__ import annotations

import contextlib
import ctypes
import os
import struct
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

INIT, GETATTR, OPEN, READ, INTERRUPT = 26, 3, 14, 15, 36
_SILENT = (2, READ, INTERRUPT, 42)  # FORGET, ..., BATCH_FORGET: no answer is wanted, or given
#: FUSE_DIRECT_IO: every reading asks the server.
_DIRECT = 1


def possible() -> bool:
    """Whether it may be done here."""
    return os.geteuid() == 0 and Path("/dev/fuse").exists()


@contextlib.contextmanager
def stuck(path: Path) -> Iterator[None]:
    """The file is stuck inside. Raises OSError where nobody may mount."""
    words = [sys.executable, "-m", "tests.hosts.stuck", str(path)]
    with subprocess.Popen(words, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL) as server:
        assert server.stdout is not None
        try:
            if server.stdout.readline() != b"mounted\n":
                raise OSError(f"{path}: cannot be mounted over")
            yield
        finally:
            subprocess.run(["umount", "-l", path], check=False, capture_output=True)
            server.kill()


def serve(path: str) -> None:
    """Mount, and answer all but what reads."""
    device = os.open("/dev/fuse", os.O_RDWR)
    options = f"fd={device},rootmode=100000,user_id=0,group_id=0,allow_other"
    libc = ctypes.CDLL(None, use_errno=True)
    if libc.mount(b"stuck", os.fsencode(path), b"fuse", 0, options.encode()):
        raise OSError(ctypes.get_errno(), "mount")
    print("mounted", flush=True)
    while True:
        _, kind, unique, *_ = struct.unpack_from("<IIQQIII", os.read(device, 1 << 17))
        if kind in _SILENT:
            continue
        body = answer(kind)
        head = struct.pack("<IiQ", 16 + len(body or b""), 0 if body is not None else -38, unique)
        os.write(device, head + (body or b""))


def answer(kind: int) -> bytes | None:
    """What a request is answered with; None: there is no such thing."""
    if kind == INIT:
        return struct.pack("<IIIIHHIIHHIIII", 7, 31, 65536, 0, 16, 16, 65536, 1, 32, *[0] * 5)
    if kind == GETATTR:
        times = (0, 0, 0, 0, 0, 0)
        attributes = struct.pack(
            "<QQQQQQIIIIIIIIII", 1, 4096, 8, *times, 0o100444, 1, 0, 0, 0, 4096, 0
        )
        return struct.pack("<QII", 3600, 0, 0) + attributes
    if kind == OPEN:
        return struct.pack("<QII", 1, _DIRECT, 0)
    return b"" if kind in {18, 25} else None  # RELEASE, FLUSH


if __name__ == "__main__":
    serve(sys.argv[1])
