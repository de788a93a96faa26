"""A folder of loose files as a source: what people copy off a host and send.

The names are those of section 8 of the design. Nobody says that a loose text is whole, so it never
is, unless a `bundle.toml` in the folder says so.
"""

from __future__ import annotations

import datetime
import difflib
import re
import struct
import tomllib
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from types import MappingProxyType

import msgspec

from pytest_vfio.evidence import Evidence, Extent, Item, Source, Status
from pytest_vfio.sources.errors import BundleError
from pytest_vfio.sources.items import ROWS
from pytest_vfio.sources.table import item_name, most_of

#: Loose file -> item. What is a folder ends with a slash.
FILES: Mapping[str, str] = MappingProxyType(
    {row.loose: row.name for row in ROWS if row.loose and not row.loose.endswith("/")}
)
FOLDERS: Mapping[str, str] = MappingProxyType(
    {row.loose: row.name for row in ROWS if row.loose.endswith("/")}
)
MANIFEST = "bundle.toml"
_KEYS = ("name", "collected", "items")
_STAMP = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ")


class Manifest(msgspec.Struct, frozen=True):
    """What `bundle.toml` says: the host's name, when it was read, how whole each file is."""

    name: str = ""
    collected: str | None = None
    extents: Mapping[str, Extent] = msgspec.field(default_factory=lambda: MappingProxyType({}))


def is_loose(folder: Path) -> bool:
    """Whether a folder has any file that is known."""
    return any(True for _ in _present(folder))


def read_loose(folder: Path, name: str = "") -> Evidence:
    """The evidence of a folder of loose files. Raises BundleError."""
    known = tuple(_present(folder))
    manifest = _manifest(folder, known)
    if not known:
        raise BundleError(
            f"{folder}: no file in it is known; known are {', '.join((*FILES, *FOLDERS))}"
        )
    items: dict[str, Item] = {}
    for file in known:
        extent = manifest.extents.get(file, Extent.ELIDED)
        for item in _items(folder, file, extent):
            items[item.name] = item
    host = name or manifest.name or folder.resolve().name
    return Evidence(host, Source.LOOSE, MappingProxyType(items), manifest.collected)


def _present(folder: Path) -> Iterator[str]:
    for file in FILES:
        if (folder / file).is_file():
            yield file
    for file in FOLDERS:
        if (folder / file).is_dir():
            yield file


def _items(folder: Path, file: str, extent: Extent) -> Iterator[Item]:
    if file in FILES:
        item = _read(FILES[file], folder / file, extent)
        yield acpi_table(item) if file.startswith("acpi/") else item
        return
    name = FOLDERS[file]
    inside = sorted(path for path in (folder / file).iterdir() if path.is_file())
    if name.endswith("/"):
        listing = "\n".join(item_name(path.name) for path in inside)
        yield Item(name, Status.PRESENT, listing.encode(), extent=extent)
        for path in inside:
            yield _read(f"{name}{item_name(path.name)}", path, extent)
    else:
        parts = [_read(name, path, extent) for path in inside if path.suffix == ".xml"]
        bad = [part for part in parts if part.status is not Status.PRESENT]
        status, detail = (bad[0].status, bad[0].detail) if bad else (Status.PRESENT, "")
        yield Item(name, status, b"\n".join(part.data for part in parts), detail, extent)


def _read(name: str, path: Path, extent: Extent) -> Item:
    try:
        with path.open("rb") as file:
            most = most_of(name)
            data = file.read(most + 1)
    except PermissionError as error:
        return Item(name, Status.DENIED, detail=error.strerror or "")
    except OSError as error:
        return Item(name, Status.FAILED, detail=error.strerror or "")
    if len(data) > most:
        return Item(name, Status.TRUNCATED, data[:most], f"more than {most} bytes", extent)
    return Item(name, Status.PRESENT, data, extent=extent)


def acpi_table(item: Item) -> Item:
    """An ACPI table says itself how long it is (ACPI 6.5, 5.2.6), and so whether it is whole."""
    if item.status is not Status.PRESENT:
        return item
    length = struct.unpack_from("<I", item.data, 4)[0] if len(item.data) >= 36 else 0
    if len(item.data) < max(length, 36):
        return Item(item.name, Status.TRUNCATED, item.data, f"{len(item.data)} bytes")
    return Item(item.name, item.status, item.data)


def _manifest(folder: Path, known: Iterable[str]) -> Manifest:
    file = folder / MANIFEST
    if not file.is_file():
        return Manifest()
    try:
        raw = tomllib.loads(file.read_bytes().decode())
    except (OSError, UnicodeDecodeError, tomllib.TOMLDecodeError) as error:
        raise BundleError(f"{file}: not a readable TOML file: {error}") from error
    for key in raw:
        if key not in _KEYS:
            raise BundleError(f"{file}: unknown key {key!r}{_nearest(key, _KEYS)}")
    name, items = raw.get("name", ""), raw.get("items", {})
    if not isinstance(name, str) or not isinstance(items, dict):
        raise BundleError(f"{file}: `name` is a text and `items` a table")
    return Manifest(name, _collected(file, raw.get("collected")), _extents(file, items, known))


def _collected(file: Path, value: object) -> str | None:
    if value is None:
        return None
    if isinstance(value, datetime.datetime):
        moment = value if value.tzinfo else value.replace(tzinfo=datetime.UTC)
        return moment.astimezone(datetime.UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
    if isinstance(value, str) and _STAMP.fullmatch(value):
        return value
    raise BundleError(f"{file}: collected: {value!r} is not a time such as 2026-11-22T12:00:00Z")


def _extents(file: Path, items: Mapping[str, object], known: Iterable[str]) -> Mapping[str, Extent]:
    words = [extent.value for extent in Extent]
    extents: dict[str, Extent] = {}
    for name, word in items.items():
        if name not in known:
            raise BundleError(f"{file}: items: there is no {name!r} here{_nearest(name, known)}")
        if word not in words:
            raise BundleError(f"{file}: items.{name}: {word!r} is none of {', '.join(words)}")
        extents[name] = Extent(str(word))
    return MappingProxyType(extents)


def _nearest(given: str, known: Iterable[str]) -> str:
    close = difflib.get_close_matches(given, list(known), n=1)
    return f"; did you mean {close[0]!r}?" if close else ""
