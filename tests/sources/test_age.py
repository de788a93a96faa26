"""An item that is younger than a recording: what its absence means, and what it does not."""

from __future__ import annotations

import hashlib
import textwrap
from types import MappingProxyType

import pytest
from msgspec.structs import replace

from pytest_vfio.check import Outcome
from pytest_vfio.evidence import Evidence, Item, Missing, Status, Tree, asked
from pytest_vfio.judge import suite
from pytest_vfio.judge.judgement import Judgement
from pytest_vfio.judge.suite import Suite
from pytest_vfio.sources import age, dump_recording, load_recording
from pytest_vfio.sources.bundles import recording
from pytest_vfio.sources.items import ROWS
from pytest_vfio.sources.probe.text import script
from pytest_vfio.sources.row import FIRST, command, file, folder, part, tree
from tests.golden import matrix as golden
from tests.golden.digest import INVENTORY, digest, digest_file
from tests.hosts import recorded
from tests.hosts.plain import hypervisor
from tests.lab import again

YOUNG = (
    file("etc/tuned/active_profile", since="0.9"),
    folder("etc/tuned/recommend.d/", since="0.9"),
    command("tuned/list", source="tuned-adm list", since="0.9"),
    tree("sys/class/hwmon", since="0.9", parts=(part("values", "*/name"),)),
)
NAMES = frozenset(row.name for row in YOUNG)
SPEED = "sys/class/net/*/speed"
#: What is younger than the first release today.
LATER = age.unasked("")


def with_speed(row):
    """The table's row of interfaces, of which a later release reads the speed, too."""
    if row.name != "sys/class/net":
        return row
    return replace(row, parts=(*row.parts, part("values", "*/speed", since="0.9")))


@pytest.fixture
def younger_table(monkeypatch):
    """The table as it will be, with a few items more."""
    table = (*map(with_speed, ROWS), *YOUNG)
    for module in (age, recording):
        monkeypatch.setattr(module, "ROWS", table)
    return table


def test_the_items_of_the_first_release_are_frozen():
    """A new row says `since`: its recordings do not have it, and do not say that they lack it."""
    first = [row for row in ROWS if row.live and row.since == FIRST]
    names = [row.name for row in first]
    parts = [
        f"{row.name} {one.mode} {path}"
        for row in first
        for one in row.parts
        for path in one.paths
        if one.since in {"", FIRST}
    ]
    text = "\n".join(sorted((*names, *parts)))
    assert "dec1c5043248bed8" == hashlib.sha256(text.encode()).hexdigest()[:16]


def test_a_probe_says_what_it_knows(younger_table):
    """All of the first release in a word, and what is younger by name."""
    line = next(one for one in script(younger_table).split("\n") if one.startswith("KNOWN="))
    first, *names = line.removeprefix("KNOWN='").removesuffix("'").split()
    assert first == FIRST
    assert {*names} == {*NAMES, SPEED, *LATER}


def test_a_recording_says_what_its_probe_knew(younger_table):
    """An old one nothing, a new one everything, and what is kept again says what it was."""
    for said, lacking in (
        ("", {*NAMES, SPEED, *LATER}),
        (f"%about items {FIRST}\n", {*NAMES, SPEED, *LATER}),
        (f"%about items {FIRST} {SPEED} tuned/list\n", {*NAMES, *LATER} - {"tuned/list"}),
        (f"%about items {age.known(younger_table)}\n", set()),
    ):
        stream = f"%vfio-probe 1\n{said}%item dmesg\n%end present\n%done 1\n".encode()
        read = load_recording(stream, "h")
        assert lacking == read.unasked
        assert lacking == load_recording(dump_recording(read), "h").unasked


def test_a_recording_that_is_cut_before_it_says_what_it_knew(younger_table):
    """Nobody knows what it asked for: nothing is left out."""
    read = load_recording(b"%vfio-probe 1\n%about name h\n%about items 0.1 tun", "h")
    assert frozenset() == read.unasked
    assert Status.NOT_COLLECTED is read.item("tuned/list").status


OLD = Evidence("h", "recording", MappingProxyType({}), unasked=frozenset({*NAMES, SPEED}))


@pytest.mark.parametrize(
    ("name", "status"),
    [
        ("etc/tuned/active_profile", Status.NOT_ASKED),
        ("etc/tuned/recommend.d/", Status.NOT_ASKED),
        ("etc/tuned/recommend.d/a.conf", Status.NOT_ASKED),
        ("tuned/list", Status.NOT_ASKED),
        ("etc/tuned/other", Status.NOT_COLLECTED),
        ("dmesg", Status.NOT_COLLECTED),
        ("lspci", Status.NOT_COLLECTED),
    ],
)
def test_an_item_that_was_not_asked_for(name, status):
    """It is neither absent nor only not collected, and no file of such a folder is."""
    item = OLD.item(name)
    assert status is item.status
    assert not item.whole
    with pytest.raises(Missing):
        OLD.read(name)


def test_what_was_read_all_the_same_counts():
    """An item that is there is there, whatever the recording says of its probe."""
    there = Item("tuned/list", Status.PRESENT, b"x\n")
    assert there == replace(OLD, items={"tuned/list": there}).item("tuned/list")


def test_a_file_of_a_tree_that_was_not_asked_for():
    """The tree is whole, and says of what it did not ask that it did not."""
    item = Item("sys/class/net", Status.PRESENT, b"eth0/mtu=1500\n", unasked=("*/speed",))
    whole = Tree.of(item)
    assert whole.get("eth0/mtu") == "1500"
    assert whole.get("eth0/address") is None
    assert whole.get("eth0/bonding/speed") is None
    for read in (whole, Tree.of(replace(item, status=Status.DENIED)), Tree.of(OLD.item(item.name))):
        with pytest.raises(Missing) as raised:
            read.get("eth0/speed")
        assert ["sys/class/net/eth0/speed"] == [lack.name for lack in raised.value.lacking]
        assert () == asked(raised.value.lacking)


TRUTH = {
    # what a check lacks, asked for or not -> outcome, what is said to be missing
    ("denied",): (Outcome.UNKNOWN, ["a: denied"]),
    ("not collected",): (Outcome.UNKNOWN, ["a: not collected"]),
    ("not asked for",): (Outcome.SKIP, ["a: not asked for"]),
    ("not asked for", "not asked for"): (Outcome.SKIP, ["a: not asked for", "b: not asked for"]),
    ("not asked for", "denied"): (Outcome.UNKNOWN, ["b: denied"]),
    ("truncated", "not asked for"): (Outcome.UNKNOWN, ["a: truncated"]),
    ("denied", "failed"): (Outcome.UNKNOWN, ["a: denied", "b: failed"]),
}


@pytest.mark.parametrize("statuses", TRUTH, ids=" and ".join)
def test_what_a_check_says_that_lacks_something(statuses, tmp_path):
    """Unknown for what was asked for, left out for what was not, and never a pass."""
    items = [Item(name, Status(word)) for name, word in zip("ab", statuses, strict=False)]
    (check,) = checks(tmp_path, "def test_x(hypervisor):\n    raise Missing(*hypervisor.lacks)\n")
    host = hypervisor({})
    host.lacks = items
    (finding,) = Judgement(Suite([check]), host)
    assert (finding.outcome, [str(lack) for lack in finding.missing]) == TRUTH[statuses]


def checks(folder, *functions):
    """Blockers, written into the layer of tuning."""
    place = folder / "tuning" / "test_trial.py"
    place.parent.mkdir(exist_ok=True)
    head = "from pytest_vfio.check import check, passes\n"
    head += "from pytest_vfio.evidence import Missing, Tree\n\n"
    marked = (
        f'@check("TUN{900 + number}", severity="blocker")\n{textwrap.dedent(text)}'
        for number, text in enumerate(functions)
    )
    place.write_text(head + "\n".join(marked))
    return suite.checks_of_file(place)


TRIALS = (
    """
    def test_a_file(hypervisor):
        text = hypervisor.evidence.text("etc/tuned/active_profile")
        return passes(f"the profile is {text}")
    """,
    """
    def test_a_folder(hypervisor):
        return passes(str(hypervisor.evidence.under("etc/tuned/recommend.d/")))
    """,
    """
    def test_a_tree(hypervisor):
        return passes(str(Tree.of(hypervisor.evidence.item("sys/class/hwmon")).get("x/name")))
    """,
    """
    def test_a_file_of_an_old_tree(hypervisor):
        net = Tree.of(hypervisor.evidence.item("sys/class/net"))
        return passes(str(net.get("no-such-interface/speed")))
    """,
)
LAB = ("bookworm", "blacklist-only", "guest-running", "arm", "amd-iommu-off")


@pytest.fixture
def younger_suite(monkeypatch, tmp_path):
    """The suite as it will be, with a blocker on each of the younger items."""
    longer = Suite([*recorded.whole_suite(), *checks(tmp_path, *TRIALS)])
    for module in (recorded, again):
        monkeypatch.setattr(module, "whole_suite", lambda: longer)
    for forget in (recorded.evidence, again.judge_again):
        forget.cache_clear()
    yield longer
    for forget in (recorded.evidence, again.judge_again):
        forget.cache_clear()


@pytest.mark.parametrize("name", LAB)
def test_checks_on_younger_items_move_no_kept_text_of_the_lab(name, younger_table, younger_suite):
    """What was recorded before is judged as it was, to the letter, and nothing new passes."""
    assert digest_file(name).read_text() == digest(name)
    findings = again.judge_again(INVENTORY, name).host["findings"]
    trials = [one["outcome"] for one in findings if one["id"].startswith("TUN9")]
    assert ["skip"] * len(TRIALS) == trials


@pytest.mark.parametrize("name", recorded.bundles())
def test_checks_on_younger_items_move_no_other_kept_text(name, younger_table, younger_suite):
    """Nor do they where people sent a few files, or a sosreport."""
    assert golden.file(name).read_text() == golden.matrix(name)
