"""report.html in a real browser: what is seen first, what keys do, and that nothing leaves it."""

from __future__ import annotations

import pytest
from msgspec.structs import replace

from pytest_vfio.judge.result import (
    HostResult,
    KeyResult,
    RemedyResult,
    RemedyState,
    RemedyStep,
)
from pytest_vfio.report import html
from pytest_vfio.steps import Grade
from tests.report import sample
from tests.report.html.hosts import facts, virtual_functions

#: What Jenkins sends with every archived page, but for `sandbox`, which a page cannot ask for.
JENKINS = "default-src 'none'; img-src 'self'; style-src 'self';"
OPEN_ALL = "document.querySelectorAll('details').forEach((one) => { one.open = true; })"


def with_picture(host: HostResult) -> HostResult:
    """A host with functions to draw, and a name that wants to be markup."""
    devices = virtual_functions(1024)
    port, physical, first, *rest = devices
    hostile = replace(first, netdevs=(sample.NASTY,), guest="<script>document.title=1</script>")
    drawn = facts(port, physical, hostile, *rest).devices
    assert host.facts is not None
    return replace(host, facts=replace(host.facts, devices=(*host.facts.devices, *drawn)))


def planned(host: HostResult) -> HostResult:
    """A host with a plan of one step, whose every word is hostile."""
    key = KeyResult(host.diagnosis[0].id, host.diagnosis[0].subject)
    words = sample.NASTY
    step = RemedyStep(
        "s1", words, key, RemedyState.PLANNED, words, "write", Grade.UNSAFE,
        (words,), words, (words,), (words,), proof=(words,), findings=(key,),
    )  # fmt: skip
    return replace(host, remedy=RemedyResult("plan-1", RemedyState.PLANNED, (step,)))


HOST = html.render(sample.run(with_picture(sample.host())))
SURVEY = html.render(replace(sample.run(planned(with_picture(sample.host()))), survey=True))
FLEET = html.render(
    sample.run(sample.host(), sample.host("healthy", ("AAA001",)), sample.unreachable())
)


def test_the_first_screen_has_verdict_cause_steps_and_devices(browser):
    """Without a scroll or a click."""
    browser.open(HOST)
    fold = browser.run("return window.innerHeight")

    for selector in ("h1", ".first .message", ".first .quote", ".first .command", ".device"):
        assert browser.find(selector)[0].rect["y"] + browser.find(selector)[0].rect["height"] < fold
    assert "not ready" in browser.seen("h1")[0]
    assert "systemctl reboot" in browser.seen(".first .command")[-1]


@pytest.mark.parametrize("page", [HOST, FLEET], ids=["host", "fleet"])
def test_nothing_runs_and_nothing_leaves(browser, page):
    """Hostile words are words: no error, no request, no element of theirs."""
    browser.open(page)
    browser.run(OPEN_ALL)

    assert [entry for entry in browser.logs("browser") if entry["level"] == "SEVERE"] == []
    assert [url for url in browser.requests() if not url.startswith("file:")] == []
    assert len(browser.find("script")) == 1
    assert browser.driver.title != "1"


def test_findings_are_filtered_by_outcome(browser):
    """What is asked for is opened and counted; the rest goes away."""
    browser.open(HOST)

    browser.find(".filters input[value=unknown]")[0].click()

    (found,) = browser.seen(".finding summary")
    assert found.startswith("unknown AAA005")
    assert browser.seen("output") == ["1 found"]


def test_findings_are_filtered_by_words_and_severity(browser):
    """Both have to be met."""
    browser.open(HOST)

    browser.find("input[type=search]")[0].send_keys("aaa007")
    assert browser.seen("output") == ["1 found"]
    browser.find("select[name=severity]")[0].send_keys("blocker")
    assert browser.seen("output") == ["0 found"]


def test_a_fleet_is_filtered_by_host(browser):
    """Sections of other hosts go away."""
    browser.open(FLEET)

    browser.find("select[name=host]")[0].send_keys("healthy")

    assert len(browser.seen("details.host")) == 1
    assert browser.seen("details.host h3")[0].startswith("healthy")


def test_hosts_are_sorted_by_a_click_on_a_heading(browser):
    """Up, then down; assistive technology is told."""
    browser.open(FLEET)
    button = browser.find(".hosts th button")[0]
    names = "return Array.from(document.querySelectorAll('.hosts tbody a'), (a) => a.textContent)"

    button.click()
    assert browser.run(names) == ["bmt.example.org", "gone", "healthy"]
    button.click()
    assert browser.run(names) == ["healthy", "gone", "bmt.example.org"]
    assert browser.find(".hosts th")[0].get_attribute("aria-sort") == "descending"


def test_a_link_to_a_host_opens_it(browser):
    """The table leads to what is folded below."""
    browser.open(FLEET)

    browser.find(".hosts tbody a")[0].click()

    assert len(browser.find("details.host[open]")) == 1


def test_the_keyboard_reaches_every_box_of_the_picture(browser):
    """A box that has the focus tells its facts."""
    browser.open(HOST)
    boxes = browser.find(".wide .s[tabindex]")
    browser.run("document.querySelector('.wide .s[tabindex]').focus()")
    told = [browser.seen(".asked")[0]]
    for _ in boxes[1:]:
        browser.press("\ue004")  # Tab
        told.append(browser.seen(".asked")[0])

    assert any(words.startswith("1,023 VFs of 0000:17:00.0") for words in told)
    assert told == [
        " ".join(box.find_element("css selector", "title").get_attribute("textContent").split())
        for box in boxes
    ]


def test_the_keyboard_opens_what_is_folded(browser):
    """Every finding is a place that Tab reaches and Enter opens."""
    browser.open(HOST)
    browser.run("document.querySelector('.all > summary').focus()")

    browser.press("\ue007", "\ue004", "\ue007")  # Enter, Tab, Enter

    assert len(browser.find(".finding[open]")) == 1


@pytest.mark.parametrize("page", [HOST, FLEET, SURVEY], ids=["host", "fleet", "survey"])
def test_a_phone_scrolls_down_only(browser, page):
    """390 pixels, everything opened."""
    browser.open(page, width=390)
    browser.run(OPEN_ALL)

    assert browser.run("return document.documentElement.scrollWidth") <= 390


@pytest.mark.parametrize("dark", [False, True], ids=["light", "dark"])
@pytest.mark.parametrize("width", [1280, 390])
@pytest.mark.parametrize("page", [HOST, FLEET, SURVEY], ids=["host", "fleet", "survey"])
def test_accessibility_is_aa(browser, axe, page, width, dark):
    """axe-core has nothing to say: contrast, names, roles, order."""
    browser.open(page, width=width, dark=dark)
    browser.run(OPEN_ALL)

    assert axe() == []


@pytest.mark.parametrize("page", [HOST, FLEET], ids=["host", "fleet"])
def test_it_is_whole_where_style_and_script_are_forbidden(browser, page):
    """As Jenkins shows it: every word that is not folded is seen, and nothing dead is offered."""
    policy = f'<meta http-equiv="Content-Security-Policy" content="{JENKINS}">'
    browser.open(
        page.replace(b'<meta charset="utf-8">', b'<meta charset="utf-8">' + policy.encode())
    )
    browser.run(OPEN_ALL)

    assert "rgb(0, 0, 0)" == browser.run("return getComputedStyle(document.body).color")
    assert browser.seen(".filters, .asked, .narrow, button") == []
    assert browser.run(UNSEEN) == []


#: The words of the page that have no place on it.
UNSEEN = """
const walker = document.createTreeWalker(document.body, NodeFilter.SHOW_TEXT);
const unseen = [];
while (walker.nextNode()) {
  const node = walker.currentNode;
  const aside = node.parentElement.closest('[hidden], script, style, title');
  if (aside || !node.textContent.trim()) continue;
  const range = document.createRange();
  range.selectNodeContents(node);
  const boxes = Array.from(range.getClientRects());
  if (!boxes.some((box) => box.width && box.height)) unseen.push(node.textContent);
}
return unseen;
"""
