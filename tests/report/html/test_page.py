"""report.html is one whole file in which whatever came from a host is text."""

from __future__ import annotations

from html.parser import HTMLParser

import pytest
from msgspec.structs import replace

from pytest_vfio.check import Outcome
from pytest_vfio.judge.result import HostVerdict, UnreadResult
from pytest_vfio.report import html
from tests.report import sample


class Reader(HTMLParser):
    """What a page is made of: its text, and every element with its attributes."""

    def __init__(self, page: bytes) -> None:
        super().__init__()
        self.elements: list[tuple[str, dict[str, str | None]]] = []
        self.words: list[str] = []
        self.feed(page.decode())

    def handle_starttag(self, tag, attrs):
        self.elements.append((tag, dict(attrs)))

    def handle_data(self, data):
        self.words.append(data)

    @property
    def text(self) -> str:
        return " ".join(" ".join(self.words).split())


@pytest.fixture(scope="module", params=["one host", "fleet"])
def page(request) -> Reader:
    hosts = (sample.host(),) if request.param == "one host" else ()
    return Reader(html.render(sample.run(*hosts)))


def test_nothing_is_asked_for_from_anywhere(page):
    """No element names another file or place: links stay within the page."""
    places = [
        value
        for _, attributes in page.elements
        for name, value in attributes.items()
        if name in {"src", "href", "action", "data", "srcset", "poster"}
    ]

    assert all(place.startswith("#") for place in places if place is not None)
    assert not {tag for tag, _ in page.elements} & {"img", "link", "iframe", "object", "embed"}


def test_markup_of_a_host_is_text(page):
    """The <b> in a host's text is no element, and control characters are shown, not sent."""
    assert "\\x1b[31m<b>&[bold]\\x00\\ud800]]>\\u202e$(reboot)" in page.text
    assert not any(character in page.text for character in "\x00\x1b\u202e")


def test_every_finding_and_device_is_told(page):
    """All that the run was asked for is in the page, folded or not."""
    run = sample.run(sample.host())

    for finding in run.hosts[0].findings:
        assert finding.id in page.text
    assert sample.DEVICE in page.text


def test_ids_are_unique(page):
    """Anchors and labels mean one element each."""
    ids = [attributes["id"] for _, attributes in page.elements if "id" in attributes]

    assert len(ids) == len(set(ids))


def test_the_commands_of_a_step_are_told_as_they_are_pasted():
    """One line of the page for each line of the shell."""
    run = sample.run(sample.host())
    fix = run.hosts[0].finding_of(run.hosts[0].diagnosis[0]).fix
    assert fix is not None

    page = Reader(html.render(run))

    for step in fix.steps:
        if step.commands:
            assert "\n".join(step.commands) in page.words


def test_an_unreachable_host_tells_why():
    """A host of which nothing was read has its reason, and no devices."""
    page = Reader(html.render(sample.run(sample.unreachable("gone"))))

    assert "gone unreachable" in page.text
    assert "no route" in page.text


@pytest.mark.parametrize(
    ("verdict", "unread", "told"),
    [
        (HostVerdict.READY, (), "Nothing is in the way"),
        (HostVerdict.CANNOT_TELL, (UnreadResult("dmesg", "denied", 3),), "What was not read"),
        (HostVerdict.CANNOT_TELL, (), "What is to be passed through?"),
    ],
)
def test_without_a_cause_the_first_screen_says_what_the_verdict_rests_on(verdict, unread, told):
    """That nothing is in the way is said of a host that is ready, and of no other."""
    host = replace(sample.host(), verdict=verdict, unread=unread, diagnosis=(), findings=())

    assert told in Reader(html.render(sample.run(host))).text


def test_a_broken_check_is_no_clean_bill():
    """Where a check failed by a mistake of its own, this is what the first screen says."""
    whole = sample.host()
    broken = tuple(one for one in whole.findings if one.outcome is Outcome.ERROR)
    host = replace(whole, diagnosis=(), findings=broken)
    text = Reader(html.render(sample.run(host))).text

    assert "Checks that failed by a mistake of their own AAA006" in text
    assert "Nothing" not in text
