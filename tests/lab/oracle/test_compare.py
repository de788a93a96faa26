"""How verdict and truth are compared."""

from dataclasses import replace
from typing import Any

import pytest

from tests.lab.oracle import naming
from tests.lab.oracle.compare import Said, judged, part, said_of
from tests.lab.oracle.truth import Truth, read

WORKS = Truth(starts=True, has=True, lives=True, said="")
FAILS = Truth(starts=False, has=False, lives=True, said="error: Cannot access storage file")
HURTS = Truth(starts=False, has=False, lives=False, said="")
NAMES = ("/srv/disc.img",)
READY = Said("yes", "", "0000:01:10.0 can be assigned to g1", "", "")
CANNOT = Said("no", "cannot", "0000:01:10.0 cannot be assigned to g1", "GST001", "no /srv/disc.img")
MUST_NOT = replace(CANNOT, because="must not")
UNKNOWN = Said("unknown", "", "cannot tell", "", "")
ALIVE = "virtio-pci\nvirtio-pci\n4096 bytes copied\n"


@pytest.mark.parametrize(
    ("said", "truth", "outcome"),
    [
        (READY, WORKS, "agreement"),
        (READY, FAILS, "false ready"),
        (READY, HURTS, "false ready"),
        (CANNOT, FAILS, "agreement"),
        (CANNOT, WORKS, "false alarm"),
        (CANNOT, HURTS, "not cannot"),
        (MUST_NOT, HURTS, "agreement"),
        (MUST_NOT, WORKS, "agreement"),
        (UNKNOWN, WORKS, "cannot tell"),
        (UNKNOWN, FAILS, "cannot tell"),
        (replace(CANNOT, words="no /srv/disk.img"), FAILS, "wrong cause"),
    ],
)
def test_verdict_against_truth(said: Said, truth: Truth, outcome: str) -> None:
    """Only a start that works on a host that lives is ready, and only its cause is a cause."""
    assert outcome == judged(said, truth, NAMES)


def test_a_guest_without_its_card_does_not_work() -> None:
    """A start alone is not enough: the function must be on the guest's bus."""
    assert "false ready" == judged(READY, replace(WORKS, has=False), NAMES)


def test_what_the_host_says_is_read() -> None:
    """Exit code, functions and what the host lives on come from one answer."""
    tree = '            host = "0000:01:10.0"\n'
    answer = f"=== start 0\n{ALIVE}=== lives\n{tree}=== tree\n{ALIVE}=== end 16\n"

    assert WORKS == replace(read(answer, ["0000:01:10.0"]), seconds=0.0)
    assert not read(answer, ["0000:01:10.2"]).has


def test_a_refusal_is_kept() -> None:
    """What libvirt says stands before the exit code."""
    answer = f"error: no such file\n\n=== start 1\n{ALIVE}=== lives\n=== tree\n{ALIVE}=== end 2\n"
    truth = read(answer, ["0000:01:10.0"])

    assert not truth.works
    assert "error: no such file" == truth.said


@pytest.mark.parametrize("answer", ["", f"=== start 0\n{ALIVE}=== lives\n"])
def test_a_host_that_falls_silent_does_not_live(answer: str) -> None:
    """An answer without its end is that of a host that died."""
    assert not read(answer, ["0000:01:10.0"]).lives


def test_the_worst_device_of_a_guest_counts() -> None:
    """A guest with two functions is as ready as the worse of them."""
    devices = [_device("0000:03:01.0", "yes"), _device("0000:03:02.0", "no")]
    host = {"facts": {"devices": devices}, "findings": [], "diagnosis": []}

    assert "no" == said_of(host, "g1", ("0000:03:01.0", "0000:03:02.0")).assignable
    assert "unknown" == said_of(host, "g1", ("0000:09:00.0",)).assignable


def test_the_cause_of_another_guest_is_none_of_this_one() -> None:
    """Of many guests on a host each has its own first cause."""
    findings = [_finding("g2", "of g2"), _finding("g1", "of g1")]
    host = {
        "facts": {"devices": [_device("0000:03:01.0", "no")]},
        "findings": findings,
        "diagnosis": [{"id": f["id"], "subject": f["subject"]} for f in findings],
    }

    assert "of g1 etc line" == said_of(host, "g1", ("0000:03:01.0",)).words


@pytest.mark.parametrize(
    ("verdict", "severity", "outcome"),
    [
        ("ready", "advice", "agreement"),
        ("not ready", "security", "agreement"),
        ("not ready", "blocker", "false alarm"),
        ("cannot tell", "advice", "cannot tell"),
    ],
)
def test_a_host_on_which_all_works(verdict: str, severity: str, outcome: str) -> None:
    """Security findings alone are no false alarm; a blocker is, and so is doubt."""
    finding = _finding("g1", "of g1") | {"severity": severity, "gates": severity != "advice"}
    host = {"verdict": verdict, "findings": [finding]}

    assert outcome == part(host, "the host", (), WORKS, NAMES).outcome


def test_an_address_is_named_in_any_spelling() -> None:
    """Of an edit of a hostdev a cause may name the address as Linux writes it."""
    before = _hostdev("0x10")
    names = naming.of_xml(before, _hostdev("0x11"))

    assert naming.holds("g1 names 0000:01:11.0, which does not exist", names)
    assert not naming.holds("g1 needs 64 hugepages", names)


def test_a_word_that_stands_anywhere_names_nothing() -> None:
    """`source` and `type` are no names of an edit."""
    names = naming.of_xml("<a><source file='/x/one'/></a>", "<a><source file='/x/two'/></a>")

    assert not naming.holds("source file", names)
    assert naming.holds("/x/two does not exist", names)


def _hostdev(slot: str) -> str:
    address = f"<address domain='0x0000' bus='0x01' slot='{slot}' function='0x0'/>"
    return f"<domain><devices><hostdev><source>{address}</source></hostdev></devices></domain>"


def _device(address: str, assignable: str) -> dict[str, Any]:
    return {"address": address, "intended": True, "assignable": assignable, "sentence": address}


def _finding(guest: str, message: str) -> dict[str, Any]:
    return {
        "id": f"GST-{guest}",
        "outcome": "fail",
        "severity": "blocker",
        "subject": {"kind": "guest", "name": guest},
        "message": message,
        "evidence": [{"source": "etc", "status": "present", "line": "line"}],
    }
