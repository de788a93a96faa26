"""A sosreport as a source: a folder or an archive that `sos report` made, 3.x or 4.x.

Files keep their paths in it; what commands printed lies in `sos_commands`, named for the command.
What lies where is told in `sosnames`. Nothing is unpacked, and no link is followed: links are
resolved by name, and only to files of the report itself.
"""

from __future__ import annotations

import bz2
import gzip
import lzma
import os
import posixpath
import tarfile
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO, Any, cast

from pytest_vfio.evidence import Evidence
from pytest_vfio.sources.bundles.sos import items as sositems
from pytest_vfio.sources.bundles.sos.items import Report
from pytest_vfio.sources.errors import BundleError
from pytest_vfio.sources.table import item_name

#: More than this is not read: of one file, of all that are wanted, of the unpacked archive (in
#: bytes); further files are not looked at.
LIMIT, ALL, UNPACKED, COUNT = 64 << 20, 512 << 20, 8 << 30, 500_000
#: A link may lead to a link this often.
_HOPS = 8

#: How a compressed file begins, and who opens it; and what a broken one raises.
PACKED = ((b"\xfd7zXZ\0", lzma.open), (b"\x1f\x8b", gzip.open), (b"BZh", bz2.open))
BROKEN = (
    tarfile.TarError,
    lzma.LZMAError,
    zlib.error,
    EOFError,
    OSError,
    ValueError,
    OverflowError,
    IndexError,
    KeyError,
)


def is_sosreport(folder: Path) -> bool:
    """Whether a folder is an unpacked sosreport."""
    return (folder / "sos_commands").is_dir()


def read_folder(folder: Path, host: str) -> Evidence:
    """The evidence of an unpacked sosreport. Raises BundleError where it is too large."""
    report = Report()
    read = 0
    for number, (name, path) in enumerate(_walk(folder)):
        if number >= COUNT:
            raise BundleError(f"{folder}: more than {COUNT} files")
        if not sositems.wanted(name):
            continue
        if path.is_symlink():
            report.links[name] = item_name(str(path.readlink()))
        elif path.is_file():
            try:
                with path.open("rb") as file:
                    report.files[name] = file.read(LIMIT + 1)
            except OSError as error:
                report.unread[name] = error.strerror or "not readable"
                continue
            read += len(report.files[name])
            if read > ALL:
                raise BundleError(f"{folder}: more than {ALL} bytes to read")
    return _evidence(report, host)


def read_archive(file: Path, host: str) -> Evidence:
    """The evidence of a sosreport's archive, read in place.

    Raises BundleError where it is no sosreport, is broken, or is too large.
    """
    report = Report()
    read = 0
    known = False
    try:
        with (
            _unpacked(file) as stream,
            tarfile.open(fileobj=cast("IO[bytes]", stream), mode="r:") as archive,
        ):
            for number, member in enumerate(archive):
                if number >= COUNT:
                    raise BundleError(f"{file}: more than {COUNT} files")
                if member.offset_data + member.size > UNPACKED:
                    raise BundleError(f"{file}: unpacked it is more than {UNPACKED} bytes")
                name = _inner(member.name)
                known = known or name.startswith("sos_commands/")
                if not sositems.wanted(name):
                    continue
                if member.issym():
                    report.links[name] = item_name(member.linkname)
                elif member.islnk():
                    report.links[name] = "/" + _inner(member.linkname)
                elif member.isreg():
                    source = archive.extractfile(member)
                    data = source.read(LIMIT + 1) if source is not None else b""
                    report.files[name] = data
                    read += len(data)
                    if read > ALL:
                        raise BundleError(f"{file}: more than {ALL} bytes to read")
            # tarfile takes whatever is no header for the end: an archive has blocks of zeros there
            report.cut = stream.last != bytes(tarfile.BLOCKSIZE)
    except BROKEN as error:
        raise BundleError(f"{file}: not a readable archive: {error}") from error
    if not known:
        raise BundleError(f"{file}: an archive, but not a sosreport: it has no sos_commands")
    return _evidence(report, host)


def _evidence(report: Report, host: str) -> Evidence:
    for name in tuple(report.links):
        target = _resolved(report, name)
        if target is not None:
            report.files[name] = report.files[target]
            if target.startswith("sos_strings/") and target.endswith(".tailed"):
                report.tailed.add(name)
    return sositems.evidence(report, host)


def _resolved(report: Report, name: str) -> str | None:
    """The file of the report that a link means."""
    for _ in range(_HOPS):
        if name in report.files:
            return name
        if name not in report.links:
            return None
        target = report.links[name]
        if len(target) > 4096:
            return None
        joined = posixpath.normpath(posixpath.join("/" + posixpath.dirname(name), target))
        # sos's own links to cut files go up as far as the root of the host: `../../../sos_strings`
        name = joined.lstrip("/")
    return None


def _inner(name: str) -> str:
    """A member's name below the archive's one top folder; empty where it points elsewhere."""
    parts = [part for part in item_name(name).split("/") if part not in {"", "."}]
    return "" if ".." in parts or name.startswith("/") else "/".join(parts[1:])


def _walk(folder: Path) -> Iterator[tuple[str, Path]]:
    """Every file and link below, without following any."""
    for directory, folders, files in os.walk(folder):
        below = Path(directory)
        for name in (*files, *(name for name in folders if (below / name).is_symlink())):
            path = below / name
            yield item_name(path.relative_to(folder).as_posix()), path


class _Bounded:
    """A file of which nobody reads more at once than a file may hold.

    tarfile reads a long name or a header of its own kind as a whole, whatever size it claims.
    """

    def __init__(self, file: IO[bytes]) -> None:
        self._file = file
        self.last = b""

    def read(self, size: int = -1) -> bytes:
        if not 0 <= size <= LIMIT + 1024:
            raise tarfile.ReadError(f"a piece of {size} bytes")
        self.last = self._file.read(size)
        return self.last

    def seek(self, offset: int, whence: int = 0) -> int:
        if offset > UNPACKED + LIMIT:
            raise tarfile.ReadError(f"a place at {offset} bytes")
        return self._file.seek(offset, whence)

    def tell(self) -> int:
        return self._file.tell()


@contextmanager
def _unpacked(file: Path) -> Iterator[_Bounded]:
    with file.open("rb") as raw:
        start = raw.read(8)
    opened: Any = next((way for magic, way in PACKED if start.startswith(magic)), open)
    with opened(file, "rb") as stream:
        yield _Bounded(stream)
