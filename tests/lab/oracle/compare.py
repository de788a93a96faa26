"""Verdict against truth: pure.

*Ready* agrees with a start that works on a host that lives, *cannot* with one that fails, *must not* with
one that hurts the host; *cannot tell* agrees with nothing.  Where an edit broke something, the first
cause must name what was edited.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal, get_args

from tests.lab.oracle import naming
from tests.lab.oracle.truth import Truth

Outcome = Literal[
    "false ready", "not cannot", "false alarm", "cannot tell", "wrong cause", "agreement"
]
OUTCOMES: tuple[Outcome, ...] = get_args(Outcome)
"""The worst first; *not cannot* is a host that would be hurt, and only *cannot* was said."""
Json = Mapping[str, Any]


@dataclass(frozen=True)
class Said:
    """What the suite said of one guest's devices."""

    assignable: str
    """yes, no or unknown: the worst of its devices'."""
    because: str
    """cannot or must not, where it is no."""
    sentence: str
    cause: str
    """The check that is the first cause of what is the matter with this guest."""
    words: str
    """That cause's message and evidence."""
    fix: Mapping[str, Any] | None = None
    """That cause's cure."""


@dataclass(frozen=True)
class Part:
    """What was said and what is true of one guest."""

    guest: str
    cards: tuple[str, ...]
    said: Said
    truth: Truth
    outcome: Outcome


def part(host: Json, guest: str, cards: Sequence[str], truth: Truth, names: Iterable[str]) -> Part:
    """A guest's verdict in ``results.json`` beside the truth; without cards that of the whole host."""
    said = said_of(host, guest, cards) if cards else said_of_host(host)
    return Part(guest, tuple(cards), said, truth, judged(said, truth, (*names, f"{guest}.xml")))


def said_of(host: Json, guest: str, cards: Sequence[str]) -> Said:
    """What ``results.json`` says of a guest that should have these functions."""
    devices = {d["address"]: d for d in (host["facts"] or {}).get("devices", []) if d["intended"]}
    own = [devices.get(card, _UNKNOWN) for card in cards]
    worst = min(own, key=lambda d: ("no", "unknown", "yes").index(d["assignable"]))
    finding = _first(host, guest, cards, worst["sentence"])
    lines = [f"{quote['source']} {quote['line']}" for quote in finding.get("evidence", ())]
    words = " ".join([finding.get("message", ""), *lines])
    because = worst.get("no_because") or ("cannot" if worst["assignable"] == "no" else "")
    return Said(
        worst["assignable"],
        because,
        worst["sentence"],
        finding.get("id", ""),
        words,
        finding.get("fix"),
    )


def said_of_host(host: Json) -> Said:
    """The verdict of a host; one that is not ready for its security alone says that it works."""
    gates = [f for f in host["findings"] if f["gates"] and f["outcome"] != "unknown"]
    stops = [f for f in gates if f["severity"] == "blocker"]
    assignable = {"ready": "yes", "cannot tell": "unknown"}.get(host["verdict"], "no")
    because = "cannot" if stops else "must not"
    first = (stops or gates or [{}])[0]
    words = first.get("message", "")
    return Said(
        assignable, because if assignable == "no" else "", words, first.get("id", ""), words
    )


def judged(said: Said, truth: Truth, names: Iterable[str]) -> Outcome:
    """Whether the suite was right about a guest, and if not, in which way."""
    match said.assignable:
        case "unknown":
            return "cannot tell"
        case "yes":
            return "agreement" if truth.works else "false ready"
    if truth.works:
        return "agreement" if said.because == "must not" else "false alarm"
    if not truth.lives and said.because != "must not":
        return "not cannot"
    return "agreement" if naming.holds(said.words, names) else "wrong cause"


def _first(host: Json, guest: str, cards: Sequence[str], sentence: str) -> Json:
    """What the sentence quotes; else the first cause that concerns this guest, a device or the host."""
    for finding in host["findings"]:
        if finding["outcome"] == "fail" and sentence.endswith(f": {finding['message']}"):
            return dict(finding)
    findings = {_key(f): f for f in host["findings"]}
    causes = [findings.get(_key(cause), cause) for cause in host["diagnosis"]]
    own = {guest, *cards}
    for finding in causes:
        kind, name = finding["subject"]["kind"], finding["subject"]["name"]
        if kind == "host" or own & set(name.replace("/", " ").replace(",", " ").split()):
            return dict(finding)
    return {}


def _key(finding: Json) -> tuple[str, str, str]:
    return finding["id"], finding["subject"]["kind"], finding["subject"]["name"]


_UNKNOWN = {"assignable": "unknown", "sentence": "the suite says nothing of it"}
