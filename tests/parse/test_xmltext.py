"""XML from hosts, which is hostile until shown otherwise."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pytest_vfio.parse import xmltext
from pytest_vfio.parse.xmltext import MAX_DEPTH, XmlError, document, stream

names = st.from_regex(r"[a-z][a-z0-9]{0,6}", fullmatch=True)
texts = st.text(alphabet=st.characters(codec="utf-8", categories=("L", "N", "P")), max_size=12)


@st.composite
def elements(draw, depth=3):
    """An element as text, with the tags in document order."""
    tag = draw(names)
    inner = draw(st.lists(elements(depth - 1), max_size=3)) if depth else []
    text = draw(texts).replace("&", "&amp;").replace("<", "&lt;").replace("]]>", "")
    if not inner and not text and draw(st.booleans()):
        return f"<{tag}/>", [tag]
    body = "".join(one for one, _ in inner)
    return f"<{tag}>{text}{body}</{tag}>", [tag, *(t for _, tags in inner for t in tags)]


def tags(element):
    return [element.tag, *(tag for child in element.children for tag in tags(child))]


@given(st.lists(elements(), max_size=5), st.sampled_from(["", "\n", "\n\n", "\n \n"]))
def test_documents_one_behind_the_other_are_all_read(parts, between):
    """Every document of a stream comes back with all of its elements, in order."""
    found = stream(between.join(text for text, _ in parts))

    assert () == found.broken
    assert [tags for _, tags in parts] == [tags(root) for root in found.documents]


@given(
    st.text(), st.sampled_from(["", "<", "<a", "<a>", "<?xml", "<!DOCTYPE a>", "]]>", "&", "\0"])
)
def test_garbage_never_raises(text, mark):
    """Whatever a host sends, the stream is a value."""
    found = stream(mark + text + "\n" + mark)

    assert isinstance(found.documents, tuple)


@given(st.text())
def test_one_document_or_our_own_error(text):
    """Nothing but XmlError leaves the module."""
    try:
        document(text)
    except XmlError:
        return


@pytest.mark.parametrize(
    "text",
    [
        '<!DOCTYPE a [<!ENTITY x "y">]><a>&x;</a>',
        '<!DOCTYPE a SYSTEM "file:///etc/passwd"><a/>',
        '<?xml version="1.0"?><!DOCTYPE a [<!ENTITY % x SYSTEM "http://x/">%x;]><a/>',
        "<a>&x;</a>",
        "<a>" * (MAX_DEPTH + 1) + "</a>" * (MAX_DEPTH + 1),
    ],
)
def test_declarations_entities_and_depth_are_refused(text):
    """A document type, an entity and too deep nesting make a document broken, not a surprise."""
    found = stream(text)

    assert () == found.documents
    assert 1 == len(found.broken)
    with pytest.raises(XmlError):
        document(text)


def test_a_size_is_refused_before_it_is_parsed(monkeypatch):
    """A text beyond the limit is not looked at."""
    monkeypatch.setattr(xmltext, "MAX_BYTES", 10)

    assert () == stream("<aaaa/><bbbb/>").documents


def test_a_broken_document_does_not_take_the_next_one_along():
    """After a broken document reading goes on at the next line that begins one."""
    found = stream("<a>\n<b/>\n</c>\n\n<domain>\n<name>x</name>\n</domain>\n")

    assert "x" == found.documents[-1].at("name")
    assert 1 == len(found.broken)


def test_many_broken_documents_cost_little():
    """A stream of nothing but beginnings is given up, not read again and again."""
    found = stream("<a>\n<!--\n" * 50_000)

    assert "too many broken documents, the rest was not read" == found.broken[-1]


def test_an_element_keeps_its_very_line():
    """A proof is the line of the source, not a line made up from it."""
    root = document("<a>\n  <b  x='1' />\n</a>")

    assert "<b  x='1' />" == next(root.all("b")).line


def test_a_declaration_and_comments_may_come_first():
    """libvirt's own files begin with a comment that warns of editing them."""
    assert "a" == document("<!--\nWARNING: <b> & co\n-->\n\n<a/>\n").tag
    assert "a" == document("<?xml version='1.0' encoding='UTF-8'?>\n<a/>").tag
