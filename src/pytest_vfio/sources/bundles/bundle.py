"""`--bundle PATH`: finds out what the path is, and has it read."""

from __future__ import annotations

import tarfile
from pathlib import Path

from pytest_vfio.evidence import Evidence
from pytest_vfio.sources.bundles import loose, paste
from pytest_vfio.sources.bundles.recording import is_recording, load_recording
from pytest_vfio.sources.bundles.sos import report as sosreport
from pytest_vfio.sources.errors import BundleError

#: A single file larger than this is refused, in bytes, and so is a larger text that was pasted.
LIMIT, PASTED = 128 << 20, 32 << 20

#: What a file begins with that nobody here can read.
_SEALED = (
    (b"\x28\xb5\x2f\xfd", "packed by zstd: unpack it (zstd -d) and give what comes out"),
    (b"\x8c\x0d", "encrypted by GnuPG: decrypt it (gpg -d) and give what comes out"),
    (b"Salted__", "encrypted by OpenSSL: decrypt it and give what comes out"),
    (b"PK\x03\x04", "a ZIP archive: unpack it and give the folder"),
    (b"%vfio-probe ", "a recording of another version of the probe"),
)


def read_bundle(path: Path, name: str = "") -> Evidence:
    """The evidence that a path holds: a recording, a sosreport, loose files, or a pasted text.

    `name` is the host's; where it is empty, what the bundle says, else the path's last part.
    Raises BundleError.
    """
    try:
        if path.is_dir():
            return _folder(path, name)
        if not path.is_file():
            raise BundleError(f"{path}: no such file or folder")
        return _file(path, name)
    except OSError as error:
        raise BundleError(f"{path}: {error.strerror}") from error


def host_name(path: Path) -> str:
    """The last part of a path, without what only says which kind of file it is."""
    name = path.resolve().name
    for suffix in (".xz", ".gz", ".bz2", ".tar", ".vfio", ".txt", ".log"):
        name = name.removesuffix(suffix)
    return name or "bundle"


def _folder(path: Path, name: str) -> Evidence:
    if sosreport.is_sosreport(path):
        return sosreport.read_folder(path, name or host_name(path))
    inner = [below for below in path.iterdir() if sosreport.is_sosreport(below)]
    if len(inner) == 1 and not loose.is_loose(path):
        return sosreport.read_folder(inner[0], name or host_name(path))
    return loose.read_loose(path, name)


def _content(path: Path) -> bytes:
    """What a file holds, unpacked; a byte more than the limit where there is more."""
    with path.open("rb") as file:
        head = file.read(8)
    for magic, opened in sosreport.PACKED:
        if head.startswith(magic):
            try:
                with opened(path) as unpacked:
                    return unpacked.read(LIMIT + 1)
            except sosreport.BROKEN as error:
                raise BundleError(f"{path}: cannot be unpacked: {error}") from error
    with path.open("rb") as file:
        return file.read(LIMIT + 1)


def _is_archive(path: Path) -> bool:
    """Whether it is a tar archive, packed or not; one that is cut before it can tell is none."""
    try:
        return tarfile.is_tarfile(path)
    except sosreport.BROKEN:
        return False


def _file(path: Path, name: str) -> Evidence:
    if _is_archive(path):
        return sosreport.read_archive(path, name or host_name(path))
    data = _content(path)
    if len(data) > LIMIT:
        raise BundleError(f"{path}: more than {LIMIT} bytes")
    if is_recording(data):
        return load_recording(data, name or host_name(path))
    for magic, words in _SEALED:
        if data.startswith(magic):
            raise BundleError(f"{path}: {words}")
    if len(data) > PASTED:
        raise BundleError(f"{path}: no recording, and more than {PASTED} bytes of text")
    if b"\0" in data:
        raise BundleError(f"{path}: neither a recording nor a sosreport, and not a text")
    text = data.decode("utf-8", "backslashreplace")
    if not text.strip():
        raise BundleError(f"{path}: empty")
    return paste.carve(text, name or host_name(path))
