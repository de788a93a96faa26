"""What came of each play: one line of JSON each, kept in the cache, so that a run goes on where it ended."""

import json
from collections.abc import Iterable
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from tests.lab import cache


@dataclass(frozen=True)
class Played:
    """One play: what was edited, what was true, what was said, and whether they agree."""

    seed: int
    number: int
    place: str
    kinds: tuple[str, ...]
    blind: bool
    """Whether the first edit was."""
    what: tuple[str, ...]
    names: tuple[str, ...]
    works: bool
    lives: bool
    truth: str
    """What libvirt or the host said."""
    said: str
    """The suite's sentence."""
    cause: str
    verdict: str
    outcome: str
    cure: str = ""
    """What came of the first cause's steps, where it has any that a shell can take."""
    foretold: str = ""
    """What was said of a boot before it: yes, no, unknown, or nothing."""
    revision: str = ""
    seconds: float = 0.0
    guests: tuple[dict[str, Any], ...] = field(default=())
    """Each guest's part, where an edit of the host is judged by several."""

    @property
    def agrees(self) -> bool:
        """Whether the suite was right."""
        return self.outcome == "agreement"


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
                played = _read(line)
                found.setdefault((played.seed, played.number), played)
    return list(found.values())


def _read(line: str) -> Played:
    raw = json.loads(line)
    for key in ("kinds", "what", "names", "guests"):
        raw[key] = tuple(raw[key])
    return Played(**raw)
