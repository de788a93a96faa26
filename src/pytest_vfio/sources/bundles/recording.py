"""Our own recording: the text stream that the probe writes, read and written.

    %vfio-probe 1
    %about collected 2026-01-31T12:00:00Z
    %item proc/cmdline
    |BOOT_IMAGE=...
    %end present
    %item sys/firmware/acpi/tables/DMAR base64
    |RE1BUg...
    %end present
    %end denied Permission denied
    %done 2

Every line of a body begins with `|`, so that no content can pass for a line of ours. A body whose
last line had no line feed is marked `unended`. Spaces in names are written `%20`. What stands
before the first line is noise of a login; lines that begin with an unknown `%word` are left out.

An item that is given in two parts ends `truncated what may wait for a device comes last`, and goes
on in one with the flag `more`: what may hang is read last, and the rest is there by then.

`%about items 0.1 NAME...` says what the probe knew: the items of that release, and those named.
Without that line it was the probe of the first release.
"""

from __future__ import annotations

import base64
import binascii
import re
from collections.abc import Iterator
from pathlib import Path
from types import MappingProxyType

import msgspec

from pytest_vfio.evidence import Evidence, Extent, Item, Source, Status
from pytest_vfio.sources import age
from pytest_vfio.sources.errors import BundleError
from pytest_vfio.sources.items import ROWS
from pytest_vfio.sources.table import NO_END, PLAIN_NAMES, has_end, most_of
from pytest_vfio.write import file_name, write_atomically

HEADER = b"%vfio-probe 1"
#: Larger streams are not read to their end, in bytes.
STREAM_LIMIT = 128 << 20
#: Further items are left out.
COUNT_LIMIT = 50_000

#: How an item ends of which there is more at the end of the stream (`READ_ON` in the probe).
GOES_ON = "what may wait for a device comes last"
#: More of what a stream says about itself is left out, in characters; else 1000.
_ABOUT_LIMITS = MappingProxyType({"items": 100_000})

_NAME = re.compile(rb"[!-~\x80-\xff]{1,4096}")
_HEADER_LINE = re.compile(rb"^%vfio-probe 1\r?$", re.MULTILINE)
_STAMP = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ")
_STATUSES = sorted((status.value for status in Status), key=len, reverse=True)


class _Open(msgspec.Struct):
    """An item whose `%end` has not been seen yet."""

    name: str
    flags: frozenset[bytes]
    most: int
    body: list[bytes] = msgspec.field(default_factory=list)
    size: int = 0
    cut: bool = False

    def add(self, lines: bytes) -> None:
        if self.cut:
            return
        if self.size + len(lines) > self.most:
            self.cut = True
            lines = lines[: lines.rfind(b"\n", 0, self.most - self.size) + 1]
        self.body.append(lines)
        self.size += len(lines)

    def data(self) -> bytes:
        if b"base64" in self.flags:
            return _unbase64(b"".join(self.body))
        raw = b"".join(self.body)
        return raw[:-1] if b"unended" in self.flags and raw.endswith(b"\n") else raw


class Stream(msgspec.Struct):
    """What a stream holds: the items, what it says about itself, and whether it is whole."""

    items: dict[str, Item] = msgspec.field(default_factory=dict)
    about: dict[str, str] = msgspec.field(default_factory=dict)
    done: bool = False
    last: str = ""


def is_recording(data: bytes) -> bool:
    """Whether there is a recording in it, after whatever noise."""
    return begins(data) > 0


def begins(data: bytes | bytearray) -> int:
    """Where its first line ends; 0 where there is none."""
    found = _HEADER_LINE.search(data)
    return found.end() if found is not None else 0


def parse(data: bytes, *, cut: Status = Status.TRUNCATED) -> Stream:
    """Read a stream, cut anywhere. Never raises; without a header line nothing is found.

    `cut` is the status of the item in whose middle the stream ends.
    """
    stream = Stream()
    start = _HEADER_LINE.search(data)
    if start is None:
        return stream
    carriage = start.group().endswith(b"\r")
    current: _Open | None = None
    seen = 0
    at = start.end() + 1
    for line, ended in _lines(data[at : at + STREAM_LIMIT], carriage=carriage):
        if line.startswith(b"|"):
            if current is not None:
                current.add(line[1:] + b"\n" * ended)
        elif line.startswith(b"%item ") and ended:
            _close(stream, current, Status.TRUNCATED, "the recording goes on with another item")
            current = _begin(line)
            seen += 1
            if seen > COUNT_LIMIT:
                current = None
                break
        elif line.startswith(b"%end ") and ended:
            status, extent, detail = _ending(line[5:])
            _close(stream, current, status, detail, extent)
            current = None
        elif line.startswith(b"%done "):
            # Without its line feed the number may be cut; then it has to agree.
            said = line[6:].strip()
            stream.done = current is None and said.isdigit() and int(said[:9]) == seen
            break
        elif line.startswith(b"%about ") and ended:
            _about(stream, line)
    _close(stream, current, cut, "the stream ends here")
    return stream


def _about(stream: Stream, line: bytes) -> None:
    if len(stream.about) < 100:
        key, _, value = line[7:].decode("utf-8", "backslashreplace").partition(" ")
        stream.about.setdefault(key, value.strip()[: _ABOUT_LIMITS.get(key, 1000)])


def load_recording(
    data: bytes, host: str, *, source: Source = Source.RECORDING, live: bool = False
) -> Evidence:
    """The evidence in a stream that this run wrote or read: what it says about itself is believed.

    Raises BundleError where there is no header line.
    """
    stream = _known(data, host)
    said = stream.about.get("source", "")
    live = live or stream.about.get("live") == "yes"
    return _evidence(stream, host, Source(said) if said in list(Source) else source, live=live)


def load_bundle(data: bytes, host: str) -> Evidence:
    """The evidence in somebody's recording: it is one, whatever it says. Raises BundleError."""
    return _evidence(_known(data, host), host, Source.RECORDING, live=False)


def evidence_of(stream: Stream, host: str, source: Source, *, why_cut: str = "") -> Evidence:
    """The evidence of a host that was read now; `why_cut` says in words why it ends early."""
    return _evidence(stream, host, source, live=True, why_cut=why_cut)


def dump_recording(evidence: Evidence, *, redact: bool = True) -> bytes:
    """Evidence as a stream.

    With `redact` it is a recording to keep: secrets are blackened, and it no longer says that it
    is live. Without, it is for another process of the same run.
    """
    lines = [HEADER, b"%about host " + _one_line(evidence.host)]
    if not redact:
        lines.append(b"%about source " + _one_line(evidence.source))
    if evidence.collected is not None:
        lines.append(b"%about collected " + _one_line(evidence.collected))
    if evidence.live and not redact:
        lines.append(b"%about live yes")
    lines.append(b"%about items " + _one_line(age.known(ROWS, but=evidence.unasked)))
    from pytest_vfio.sources.bundles.redact import redacted  # noqa: PLC0415 - slow, and seldom needed

    kept = list(evidence.items.values())
    for item in kept:
        lines += _item_lines(redacted(item) if redact else item)
    lines.append(b"%%done %d" % len(kept))
    return b"\n".join(lines) + b"\n"


def write_recording(evidence: Evidence, path: Path) -> None:
    """Keep a host's evidence, secrets blackened, for its owner's eyes; whole or not at all."""
    write_atomically(path, dump_recording(evidence), private=True)


def recording_path(directory: Path, host: str) -> Path:
    """Where a host's recording is kept: `DIR/HOST.vfio`, whatever the host's name contains."""
    return directory / f"{file_name(host)}.vfio"


def _known(data: bytes, host: str) -> Stream:
    if not is_recording(data):
        raise BundleError(f"{host}: no line {HEADER.decode()!r}: not a recording of the probe")
    return parse(data)


def _evidence(
    stream: Stream, host: str, source: Source, *, live: bool, why_cut: str = ""
) -> Evidence:
    unasked = age.unasked(stream.about.get("items", ""))
    if not stream.done and "items" not in stream.about and not stream.items:
        unasked = frozenset()  # cut before it could say what it knew
    items = dict(stream.items)
    if not stream.done:
        after = f" after {stream.last}" if stream.last else ""
        why = why_cut or f"the recording is cut{after}"
        for name in PLAIN_NAMES:
            if name not in unasked:
                items.setdefault(name, Item(name, Status.NOT_COLLECTED, detail=why))
    stamp = stream.about.get("collected", "")
    collected = stamp if _STAMP.fullmatch(stamp) else None
    read = Evidence(host, source, MappingProxyType(items), collected, live)
    return age.older(read, unasked) if unasked else read


def _lines(data: bytes, *, carriage: bool) -> Iterator[tuple[bytes, bool]]:
    """Every line, and whether it was ended by a line feed; a whole body is given as one line."""
    at = mixed = 0
    while at < len(data):
        if data.startswith(b"|", at) and at >= mixed and not carriage:
            mixed = data.find(b"\n%", at) + 1 or len(data)
            body = data[at:mixed]
            if body.endswith(b"\n") and body.count(b"\n|") + 1 == body.count(b"\n"):
                yield body[:-1].replace(b"\n|", b"\n"), True
                at = mixed
                continue
        end = data.find(b"\n", at)
        line, ended = (data[at:], False) if end < 0 else (data[at:end], True)
        at += len(line) + 1
        yield (line[:-1] if carriage and line.endswith(b"\r") else line), ended


def _begin(line: bytes) -> _Open | None:
    """The item that a `%item` line opens; None for a name that nobody may have."""
    words = line[6:].split(b" ")
    if not _NAME.fullmatch(words[0]):
        return None
    name = re.sub(rb"%([0-9A-Fa-f]{2})", lambda found: bytes([int(found[1], 16)]), words[0])
    text = name.decode("utf-8", "backslashreplace")
    if text.startswith("/") or ".." in text.split("/") or not text.isprintable():
        return None
    flags = frozenset(words[1:])
    coded = 4 / 3 if b"base64" in flags else 1
    return _Open(text, flags, int(most_of(text) * coded))


def _close(
    stream: Stream, item: _Open | None, status: Status, detail: str, extent: Extent = Extent.WHOLE
) -> None:
    """Keep an item. The first of a name counts, unless it says that it goes on in a second."""
    if item is None:
        return
    stream.last = item.name
    before = stream.items.get(item.name)
    goes_on = before is not None and before.detail == GOES_ON and b"more" in item.flags
    if (before is not None or b"more" in item.flags) and not goes_on:
        return
    if len(stream.items) >= COUNT_LIMIT:
        return
    if item.cut:
        status, detail, extent = Status.TRUNCATED, f"more than {item.most} bytes", Extent.WHOLE
    data = item.data() if before is None else before.data + item.data()
    if status is Status.PRESENT and not has_end(item.name, data):
        status, detail = Status.TRUNCATED, NO_END
    stream.items[item.name] = Item(item.name, status, data, detail, extent)


def _ending(rest: bytes) -> tuple[Status, Extent, str]:
    """`present grepped` and the like."""
    text = rest.decode("utf-8", "backslashreplace").strip()
    for word in _STATUSES:
        if text == word or text.startswith(f"{word} "):
            detail = text[len(word) :].strip()[:1000]
            first, _, more = detail.partition(" ")
            if word == Status.PRESENT and first in {Extent.GREPPED, Extent.ELIDED}:
                return Status.PRESENT, Extent(first), more
            return Status(word), Extent.WHOLE, detail
    return Status.FAILED, Extent.WHOLE, f"unknown ending {text[:100]!r}"


def _unbase64(text: bytes) -> bytes:
    """Decode as far as it goes; a cut text ends with a cut group of four."""
    compact = re.sub(rb"[^A-Za-z0-9+/=]", b"", text)
    try:
        return base64.b64decode(compact[: len(compact) // 4 * 4])
    except binascii.Error:
        return b""


def _item_lines(item: Item) -> Iterator[bytes]:
    coded_name = item.name.encode("utf-8", "backslashreplace")
    name = re.sub(rb"[\x00-\x20%\x7f]", lambda found: b"%%%02X" % found[0][0], coded_name)
    data = item.data
    if b"\0" in data or b"\r" in data:
        yield b"%item " + name + b" base64"
        coded = base64.b64encode(data)
        yield from (b"|" + coded[at : at + 76] for at in range(0, len(coded), 76))
    else:
        ended = data.endswith(b"\n") or not data
        yield b"%item " + name + (b"" if ended else b" unended")
        if data:
            yield from (b"|" + line for line in data.removesuffix(b"\n").split(b"\n"))
    words = [item.status.value]
    if item.status is Status.PRESENT and item.extent is not Extent.WHOLE:
        words.append(item.extent.value)
    if item.detail:
        words.append(item.detail)
    yield b"%end " + _one_line(" ".join(words))


def _one_line(text: str) -> bytes:
    return " ".join(text.split()).encode("utf-8", "backslashreplace")
