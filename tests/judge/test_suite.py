"""A suite that cannot be judged is refused, with both files or all names."""

from __future__ import annotations

import types

import msgspec
import pytest

from pytest_vfio.check import BLOCKER, Check, check, passes
from pytest_vfio.judge.suite import (
    LAYERS,
    Suite,
    SuiteError,
    is_packaged,
    layer,
    packaged,
    packaged_folder,
)


def make(id: str, subject: str = "host", needs: tuple[str, ...] = (), file: str = "x/cmdline/t.py"):
    return Check(id, BLOCKER, needs, (), subject, lambda *_: passes("fine"), file)


def test_two_checks_of_one_id_name_both_files():
    """A duplicate id is refused."""
    with pytest.raises(SuiteError, match=r"AAA001 is defined twice: .*one\.py and .*two\.py"):
        Suite([make("AAA001", file="one.py"), make("AAA001", file="two.py")])


def test_an_unknown_need_is_refused():
    """A check may only need a check that exists."""
    with pytest.raises(SuiteError, match="AAA001 .* needs AAA009, which does not exist"):
        Suite([make("AAA001", needs=("AAA009",))])


def former(id: str, *replaces: str, file: str = "x/cmdline/t.py"):
    return msgspec.structs.replace(make(id, file=file), replaces=replaces)


def test_a_replaced_id_leads_to_the_check_that_took_its_place():
    """What a waiver or a reader of an old report still names is found."""
    suite = Suite([former("AAA001", "AAA002")])

    assert suite.replaced["AAA002"] is suite["AAA001"]
    assert "AAA002" not in suite


@pytest.mark.parametrize(
    ("other", "words"),
    [
        (former("AAA002", file="two.py"), "replaces AAA002, which is still defined in two.py"),
        (former("AAA003", "AAA002", file="one.py"), "which AAA001 replaces in x/cmdline/t.py"),
    ],
)
def test_an_id_is_alive_or_replaced_by_one_check(other, words):
    """An id with two meanings is refused."""
    with pytest.raises(SuiteError, match=words):
        Suite([former("AAA001", "AAA002"), other])


def test_a_need_that_was_replaced_names_the_check_in_its_place():
    """The author of a check sees what to write instead."""
    with pytest.raises(SuiteError, match="needs AAA002, which AAA001 has replaced"):
        Suite([former("AAA001", "AAA002"), make("AAA003", needs=("AAA002",))])


def test_circular_needs_are_refused():
    """Checks that need each other in a circle are told in full."""
    checks = [make("AAA001", needs=("AAA002",)), make("AAA002", needs=("AAA001",))]

    with pytest.raises(SuiteError, match="circle: AAA00. needs AAA00. needs AAA00."):
        Suite(checks)


@pytest.mark.parametrize(
    ("subject", "needed", "related"),
    [
        ("hostdev", "device", True),
        ("hostdev", "guest", True),
        ("hostdev", "group", True),
        ("device", "group", True),
        ("device", "host", True),
        ("group", "device", False),
        ("host", "device", False),
        ("guest", "device", False),
        ("device", "guest", False),
    ],
)
def test_a_check_may_need_only_what_its_subject_stands_on(subject, needed, related):
    """hostdev -> device -> group -> host, and hostdev -> guest -> host."""
    checks = [make("AAA001", subject, ("AAA002",)), make("AAA002", needed)]
    if related:
        assert len(list(Suite(checks))) == 2
    else:
        with pytest.raises(SuiteError, match=f"a {subject} does not stand on one"):
            Suite(checks)


def test_the_order_is_that_in_which_a_person_must_act():
    """Firmware before the command line before guests, and a user's own folder last."""
    files = ["x/mine/t.py", "x/guests/t.py", "x/firmware/t.py", "x/cmdline/t.py"]
    suite = Suite([make(f"AAA00{number}", file=file) for number, file in enumerate(files)])

    assert [layer(one) for one in suite] == ["firmware", "cmdline", "guests", "mine"]


def test_depth_counts_the_longest_way_through_the_needs():
    """A check without needs has depth 0."""
    suite = Suite(
        [
            make("AAA001", needs=()),
            make("BBB001", needs=("AAA001",)),
            make("CCC001", needs=("BBB001", "AAA001")),
        ]
    )

    assert dict(suite.depth) == {"AAA001": 0, "BBB001": 1, "CCC001": 2}


def test_the_packaged_suite_is_sound():
    """Every check of the project loads, and the needs among them make sense."""
    suite = Suite(packaged())

    assert {layer(one) for one in suite} <= set(LAYERS)
    assert packaged_folder().name == "checks"


@pytest.mark.parametrize("id", ["dev001", "DEV1", "1", "DEV0001", ""])
def test_an_id_is_capitals_and_three_digits(id):
    """Another form is refused where it is written."""
    with pytest.raises(TypeError, match="expected capitals and three digits"):
        check(id, severity=BLOCKER)


@pytest.mark.parametrize("names", [(), ("host",), ("hypervisor", "pci"), ("hypervisor", "a", "b")])
def test_a_check_takes_hypervisor_and_at_most_one_subject(names):
    """A function of another shape cannot be a check, and the message shows its shape."""
    namespace: dict[str, types.FunctionType] = {}
    exec(f"def test_x({', '.join(names)}): pass", namespace)

    with pytest.raises(TypeError, match="expected `hypervisor` and at most one of"):
        check("AAA001", severity=BLOCKER)(namespace["test_x"])


def test_a_decorated_function_is_still_itself():
    """`@check` hangs a record on the function and leaves it callable."""

    @check("AAA001", severity=BLOCKER)
    def test_bad(hypervisor):
        """Nothing is bad"""
        return passes(f"{hypervisor} is good")

    assert test_bad("it").message == "it is good"
    assert test_bad.vfio_check.title == "Nothing is bad"
    assert test_bad.vfio_check.subject == "host"


@pytest.mark.parametrize(
    ("more", "only_checks"),
    [
        ("", True),
        ("def test_mine():\n    assert True\n", False),
        ("class TestMine:\n    pass\n", False),
        ("import pytest\npytestmark = pytest.mark.skip\n", False),
    ],
)
def test_a_packaged_file_is_one_with_nothing_but_checks(tmp_path, monkeypatch, more, only_checks):
    """What pytest would collect or mark otherwise is left to pytest."""
    monkeypatch.setattr("pytest_vfio.judge.suite.packaged_folder", lambda: tmp_path)
    file = tmp_path / "iommu" / "test_it.py"
    file.parent.mkdir()
    file.write_text(
        "from pytest_vfio.check import BLOCKER, check, passes\n"
        '@check("AAA001", severity=BLOCKER)\n'
        f"def test_one(hypervisor):\n    return passes('fine')\n{more}"
    )

    assert is_packaged(file) is only_checks


def test_a_file_elsewhere_is_not_packaged(tmp_path):
    """A user's own checks go pytest's own way."""
    assert not is_packaged(tmp_path / "test_it.py")
