"""The one way in which files are written: whole or not at all, under a name that any host may have."""

from __future__ import annotations

import contextlib
import os
import re
import tempfile
from collections.abc import Iterator
from pathlib import Path

#: A file's name may have so many characters before its suffix.
_LONGEST = 200


def file_name(host: str) -> str:
    """A host's name as a part of a file's name: all but letters, digits, `.`, `_`, `-` is %XX.

    Never empty, never hidden, never `..`.
    """
    encoded = re.sub(
        rb"[^A-Za-z0-9._-]", lambda found: b"%%%02X" % ord(found.group()), _bytes(host)
    )
    safe = encoded.decode()
    return (f"%2E{safe[1:]}" if safe.startswith(".") else safe)[:_LONGEST] or "%"


def _bytes(name: str) -> bytes:
    return name.encode("utf-8", "surrogateescape")


def write_atomically(path: Path, data: bytes, *, private: bool = False) -> None:
    """Write a file so that a reader sees the old one or the new one, and never half of one.

    A `private` file is readable by its owner only. Raises OSError where the folder cannot be made
    or written.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    with _scratch(path) as (handle, name):
        with os.fdopen(handle, "wb") as file:
            file.write(data)
            file.flush()
            os.fsync(file.fileno())
        if not private:
            Path(name).chmod(0o666 & ~_umask())
        Path(name).replace(path)


@contextlib.contextmanager
def _scratch(path: Path) -> Iterator[tuple[int, str]]:
    handle, name = tempfile.mkstemp(prefix=f".{path.name}.", dir=path.parent)
    try:
        yield handle, name
    except BaseException:
        Path(name).unlink(missing_ok=True)
        raise


def _umask() -> int:
    mask = os.umask(0)
    os.umask(mask)
    return mask
