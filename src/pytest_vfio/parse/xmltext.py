"""Untrusted XML, and streams of XML documents one behind the other, as trees of plain elements.

`virsh` prints one document after the other, a person pastes some with shell prompts between them.
What a host sends is hostile until shown otherwise, so there are no document type declarations and
no entities, size and depth have limits, and nothing here recurses. The only exception that leaves
this module is `XmlError`.

Knows nothing of libvirt. Uses expat itself, not `xml.etree`: each element keeps the very line that
it stands in, and a document's end can be found without knowing where it is.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from types import MappingProxyType
from xml.parsers import expat

import msgspec

MAX_BYTES = 32 * 1024 * 1024  # of one text: a thousand guests need about ten
MAX_DEPTH = 64  # libvirt's own documents need about ten
MAX_BROKEN = 32  # documents of one stream; each costs a new start
MAX_LINE = 400  # characters of a quoted line
_CHUNK = 8192

# A document of a stream begins in a line of its own, maybe behind a prompt's remains.
_ROOT = re.compile(rb"(?<![^\n])[ \t]*(?P<tag><[?!A-Za-z])")
_TAG = re.compile(rb"(?P<tag><[?!A-Za-z])")
_BLANK = re.compile(rb"[ \t\r\n]*")
_NO_ATTRIBUTES: Mapping[str, str] = MappingProxyType({})


class XmlError(ValueError):
    """A text that is no XML, or XML that is refused. Says why, in one line."""


class Element(msgspec.Struct, eq=False):
    """One element: its tag with the prefix as written, attributes, own text, and children.

    `line` is the line of the source in which the element's tag begins.
    """

    tag: str
    attributes: Mapping[str, str]
    children: tuple[Element, ...]
    text: str
    line: str

    def get(self, name: str, otherwise: str = "") -> str:
        """An attribute's value."""
        return self.attributes.get(name, otherwise)

    @property
    def local(self) -> str:
        """The tag without its prefix."""
        return self.tag.rpartition(":")[2]

    def all(self, *path: str) -> Iterator[Element]:
        """Every element at the end of a path of tags below this one."""
        level: tuple[Element, ...] = (self,)
        for tag in path:
            below = (child for parent in level for child in parent.children)
            level = tuple(child for child in below if child.tag == tag)
        return iter(level)

    def first(self, *path: str) -> Element | None:
        """The first element at the end of a path."""
        return next(self.all(*path), None)

    def at(self, *path: str) -> str:
        """The text of the first element at the end of a path, stripped; empty where none is."""
        found = self.first(*path)
        return "" if found is None else found.text


class Stream(msgspec.Struct, frozen=True):
    """The documents of a text, and why some of it could not be read."""

    documents: tuple[Element, ...]
    broken: tuple[str, ...]


def document(text: str) -> Element:
    """The one document of a text. Raises XmlError."""
    found = stream(text)
    if found.broken:
        raise XmlError(found.broken[0])
    if len(found.documents) != 1:
        raise XmlError(f"expected one XML document, found {len(found.documents)}")
    return found.documents[0]


def stream(text: str) -> Stream:
    """All documents of a text. What cannot be parsed is left out, and named in `broken`."""
    data = text.encode("utf-8", "backslashreplace")
    if len(data) > MAX_BYTES:
        return Stream((), (f"XML of {len(data)} bytes, more than {MAX_BYTES}",))
    documents: list[Element] = []
    broken: list[str] = []
    start = _ROOT.search(data)
    while start is not None:
        at = start.start("tag")
        try:
            root, end = _parse(data, at)
        except XmlError as problem:
            line = data.count(b"\n", 0, at) + 1
            broken.append(f"line {line}: {problem}")
            if len(broken) >= MAX_BROKEN:
                broken.append("too many broken documents, the rest was not read")
                break
            # The next one begins in a later line; what is left of this one comes along as
            # fragments that no reader knows.
            start = _ROOT.search(data, start.end())
            continue
        documents.append(root)
        start = _next(data, end)
    return Stream(tuple(documents), tuple(broken))


def _next(data: bytes, end: int) -> re.Match[bytes] | None:
    """The next document, which may begin in the very line in which the last one ended."""
    here = _BLANK.match(data, end)
    assert here is not None
    return _TAG.match(data, here.end()) or _ROOT.search(data, here.end())


class _Done(Exception):
    """The document's end was reached."""


class _Builder:
    """Collects one document. Its methods are expat's handlers."""

    def __init__(self, parser: expat.XMLParserType, data: bytes, offset: int) -> None:
        self.parser = parser
        self.data = data
        self.offset = offset
        self.open: list[tuple[str, Mapping[str, str], list[Element], list[str], str]] = []
        self.root: Element | None = None
        self.end = offset

    def start(self, tag: str, attributes: dict[str, str]) -> None:
        if len(self.open) >= MAX_DEPTH:
            raise XmlError(f"elements nested more than {MAX_DEPTH} deep")
        known = MappingProxyType(attributes) if attributes else _NO_ATTRIBUTES
        self.open.append((tag, known, [], [], self._line()))

    def text(self, text: str) -> None:
        self.open[-1][3].append(text)

    def stop(self, _tag: str) -> None:
        tag, attributes, children, text, line = self.open.pop()
        element = Element(tag, attributes, tuple(children), "".join(text).strip(), line)
        if self.open:
            self.open[-1][2].append(element)
            return
        self.root = element
        at = self.offset + self.parser.CurrentByteIndex
        # The end of `<a></a>` is told where its last tag begins, that of `<a/>` behind it.
        closing = self.data.startswith(b"</", at)
        self.end = self.data.index(b">", at) + 1 if closing else at
        raise _Done

    def refuse(self, *_declaration: object) -> None:
        raise XmlError("document type declarations and entities are refused")

    def _line(self) -> str:
        at = self.offset + self.parser.CurrentByteIndex
        # A hostile line may be as long as the text: only what is near is looked at.
        near = max(at - MAX_LINE // 2, 0)
        start = max(self.data.rfind(b"\n", near, at) + 1, near)
        stop = self.data.find(b"\n", at, start + MAX_LINE)
        line = self.data[start : stop if stop >= 0 else start + MAX_LINE]
        return line.decode("utf-8", "replace").strip()


def _parse(data: bytes, offset: int) -> tuple[Element, int]:
    """The document that begins at an offset, and the offset of what follows it."""
    parser = expat.ParserCreate("utf-8")
    builder = _Builder(parser, data, offset)
    parser.buffer_text = True
    parser.StartElementHandler = builder.start
    parser.EndElementHandler = builder.stop
    parser.CharacterDataHandler = builder.text
    parser.StartDoctypeDeclHandler = builder.refuse
    parser.EntityDeclHandler = builder.refuse
    try:
        for at in range(offset, len(data), _CHUNK):
            parser.Parse(data[at : at + _CHUNK])
        parser.Parse(b"", True)
    except _Done:
        pass
    except expat.ExpatError as problem:
        raise XmlError(str(problem)) from None
    if builder.root is None:  # expat would have complained; kept so that no None ever leaves
        raise XmlError("no element found")
    return builder.root, builder.end
