"""What came of each play: one line of JSON each, kept in the cache, so that a run goes on where it ended."""

import json
from collections.abc import Iterable
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

from tests.lab import cache
from tests.lab.oracle.compare import OUTCOMES, Json, Outcome, Part, Said, part
from tests.lab.oracle.truth import Truth


@dataclass(frozen=True)
class Played:
    """One play: what was edited, and of each guest what was said, what is true, and whether they agree."""

    seed: int
    number: int
    place: str
    kinds: tuple[str, ...]
    blind: bool
    """Whether the first edit was."""
    what: tuple[str, ...]
    names: tuple[str, ...]
    parts: tuple[Part, ...]
    verdict: str
    revision: str
    recording: str
    """The name of the recording that was judged."""
    cure: str = ""
    """What came of the first cause's steps, where it has any that a shell can take."""
    foretold: str = ""
    """What was said of a boot before it: yes, no, unknown, or nothing."""

    @property
    def worst(self) -> Part:
        """The guest by which the play is told."""
        return min(self.parts, key=lambda p: (OUTCOMES.index(p.outcome), p.truth.works))

    @property
    def outcome(self) -> Outcome:
        """Agreement, or the worst of what is wrong."""
        return self.worst.outcome

    @property
    def agrees(self) -> bool:
        """Whether the suite was right."""
        return self.outcome == "agreement"

    @property
    def works(self) -> bool:
        """Whether every guest starts with its functions, on a host that lives."""
        return all(one.truth.works for one in self.parts)

    @property
    def lives(self) -> bool:
        """Whether the host lives."""
        return all(one.truth.lives for one in self.parts)


def judged_again(played: Played, host: Json, revision: str) -> Played:
    """The same play with another verdict on what was recorded; the truth stays."""
    parts = tuple(part(host, p.guest, p.cards, p.truth, played.names) for p in played.parts)
    return replace(played, parts=parts, verdict=host["verdict"], revision=revision)


def file(seed: int) -> Path:
    """Where the plays of a seed are kept."""
    return cache.folder("oracle") / f"{seed}.jsonl"


def keep(played: Played) -> None:
    """Add one line."""
    with file(played.seed).open("a") as lines:
        lines.write(json.dumps(asdict(played)) + "\n")


def kept(seeds: Iterable[int]) -> list[Played]:
    """All plays of these seeds, the first of each number: nothing is played again."""
    found: dict[tuple[int, int], Played] = {}
    for seed in seeds:
        if file(seed).exists():
            for line in file(seed).read_text().splitlines():
                played = _read(json.loads(line))
                found.setdefault((played.seed, played.number), played)
    return sorted(found.values(), key=lambda p: (p.seed, p.number))


def _read(raw: dict[str, Any]) -> Played:
    texts = {key: tuple(raw[key]) for key in ("kinds", "what", "names")}
    return Played(**raw | texts | {"parts": tuple(map(_part, raw["parts"]))})


def _part(raw: dict[str, Any]) -> Part:
    said, truth = Said(**raw["said"]), Truth(**raw["truth"])
    return Part(**raw | {"cards": tuple(raw["cards"]), "said": said, "truth": truth})
