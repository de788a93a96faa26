"""``docs/oracle.md``: what the plays showed, as a page."""

from collections import Counter
from collections.abc import Callable, Iterable, Sequence

from tests.lab.oracle.compare import OUTCOMES
from tests.lab.oracle.record import Played

HEAD = """# The host is the oracle

Written by `python -m tests.lab.oracle --page SEED...` from edits that were made by chance, by seed: a
restored host is edited, the suite judges it over SSH, and then the host itself is asked whether the
guest starts and has its device on its PCI bus, on a host that lives. Half of the edits are blind to
meaning. *Ready* agrees with a start that works, *cannot* with one that fails, *must not* with one that
hurts the host; *cannot tell* agrees with nothing. Where an edit broke something, the first cause must
name what was edited.

"""


def page(plays: Sequence[Played]) -> str:
    """The whole page."""
    return "\n".join(
        [
            HEAD + summary(plays),
            "",
            "## Agreement by kind of edit",
            "",
            "Of plays that make more than one edit, each kind counts.",
            "",
            *_table(("kind", "plays", "agree", "broken by it"), _by_kind(plays)),
            "",
            "## Outcomes, truths and causes",
            "",
            *_table(("outcome", "plays"), Counter(p.outcome for p in plays).most_common()),
            "",
            *_table(("truth", "plays"), Counter(map(_truth, plays)).most_common()),
            "",
            *_table(("first cause", "plays"), Counter(map(_cause, plays)).most_common()),
            "",
            *_cures(plays),
            "## Disagreements",
            "",
            *disagreements(plays),
            "",
        ]
    )


def disagreements(plays: Iterable[Played]) -> list[str]:
    """Every play in which the suite was wrong, as the rows of a table."""
    rows = [
        (
            _name(played),
            ", ".join(played.kinds),
            _short(" & ".join(played.what)),
            played.outcome,
            _short(_said(played)),
            _short(_true(played)),
        )
        for played in plays
        if not played.agrees
    ]
    return _table(("play", "kinds", "edit", "outcome", "said", "true"), rows)


def summary(plays: Sequence[Played]) -> str:
    """The figures."""
    if not plays:
        return "Nothing played."
    single = [played for played in plays if len(played.kinds) == 1]
    several = [played for played in plays if len(played.kinds) > 1]
    seeds, revisions = (
        ", ".join(dict.fromkeys(map(str, some)))
        for some in ((p.seed for p in plays), (p.revision for p in plays))
    )
    wrong = "\n".join(
        f"- {outcome}: {_of(plays, outcome)}, of single edits {_of(single, outcome)}"
        for outcome in OUTCOMES[:-1]
    )
    changed = sum(not played.works for played in plays) / len(plays)
    right = f"{_share(single, _right)}, of several at once {_share(several, _right)}"
    changes = _share(plays, lambda p: not p.works)
    within = "within" if 0.4 <= changed <= 0.7 else "OUTSIDE"
    return f"""Seeds {seeds}, judged at revision {revisions}.

- agreement: {_share(plays, _right)}; of single edits {right}
{wrong}
- edits that change the truth: {changes}, {within} 40 to 70 %
- blind to meaning: {_share(plays, lambda p: p.blind)}"""


def _of(plays: Iterable[Played], outcome: str) -> int:
    return sum(played.outcome == outcome for played in plays)


def _cures(plays: Iterable[Played]) -> list[str]:
    tried = Counter(p.cure.partition(":")[0] for p in plays if p.cure)
    foretold = Counter((p.foretold, p.works) for p in plays if p.foretold)
    lines = []
    if tried:
        lines += [*_table(("cure typed", "plays"), tried.most_common()), ""]
    if foretold:
        rows = [(said, "works" if works else "fails", n) for (said, works), n in foretold.items()]
        lines += [*_table(("said of the next boot", "true after it", "plays"), sorted(rows)), ""]
    return lines


def _right(played: Played) -> bool:
    return played.agrees


def _share(plays: Sequence[Played], holds: Callable[[Played], bool]) -> str:
    count = sum(map(holds, plays))
    return f"{count} of {len(plays)}" + (f" ({100 * count / len(plays):.0f} %)" if plays else "")


def _by_kind(plays: Iterable[Played]) -> list[tuple[object, ...]]:
    of: dict[str, list[Played]] = {}
    for played in plays:
        for kind in dict.fromkeys(played.kinds):
            of.setdefault(kind, []).append(played)
    return [
        (kind, len(some), sum(p.agrees for p in some), sum(not p.works for p in some))
        for kind, some in sorted(of.items())
    ]


def _truth(played: Played) -> str:
    if not played.lives:
        return "the host does not live"
    return "the guest starts with its device" if played.works else "it does not"


def _cause(played: Played) -> str:
    return played.worst.said.cause or "none"


def _name(played: Played) -> str:
    return f"{played.seed}/{played.number}"


def _said(played: Played) -> str:
    said = played.worst.said
    return (
        f"{said.sentence} [{said.cause}: {said.words}]"
        if played.outcome == "wrong cause"
        else said.sentence
    )


def _true(played: Played) -> str:
    return played.worst.truth.said or _truth(played)


def _short(text: str, most: int = 300) -> str:
    return text if len(text) <= most else f"{text[:most]}…"


def _table(head: Sequence[str], rows: Iterable[Sequence[object]]) -> list[str]:
    return [_row(head), "|---" * len(head) + "|", *map(_row, rows)]


def _row(cells: Sequence[object]) -> str:
    told = (str(cell).replace("|", "\\|").replace("\n", " ").replace("<", "&lt;") for cell in cells)
    return "| " + " | ".join(told) + " |"
