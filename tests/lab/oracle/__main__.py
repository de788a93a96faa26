"""``python -m tests.lab.oracle --seed N --edits M``: play edits, ask the host, write the page."""

import argparse
import fcntl
import secrets
import signal
import sys
import time
from collections.abc import Iterable, Iterator
from typing import get_args

from tests.lab import cache, lab, row, workshop
from tests.lab.again import judge_again
from tests.lab.hosts import HOSTS
from tests.lab.oracle import batch, hostplay, record
from tests.lab.oracle.edit import Place
from tests.lab.oracle.generate import GuestPlay, plays
from tests.lab.oracle.ground import CARDS, NAME
from tests.lab.oracle.page import disagreements, page, summary
from tests.lab.oracle.record import Played
from tests.lab.suite import CHECKOUT

SMOKE_SEED, SMOKE = 2, (1, 4, 8, 11)
"""Plays that CI has time for; the suite is right about each."""


def main() -> int:
    """Parse the command line and do what it says."""
    parser = argparse.ArgumentParser(prog="python -m tests.lab.oracle", description=__doc__)
    parser.add_argument(
        "--seed", type=lambda text: int(text, 0), help="by default one never used before"
    )
    parser.add_argument(
        "--edits", type=int, default=20, help="how many plays; those kept are not played again"
    )
    parser.add_argument(
        "--place", action="append", choices=get_args(Place), help="only edits there"
    )
    parser.add_argument(
        "--page", type=int, nargs="+", metavar="SEED", help="only write the page, of these seeds"
    )
    parser.add_argument(
        "--again", type=int, nargs="+", metavar="SEED", help="only judge what is recorded once more"
    )
    parser.add_argument("--smoke", action="store_true", help="only those that CI has time for")
    parser.add_argument(
        "--reread", action="store_true", help="only judge guests that were played once more, live"
    )
    arguments = parser.parse_args()
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))
    signal.signal(signal.SIGINT, signal.default_int_handler)
    if arguments.page:
        return _page(arguments.page)
    if arguments.again:
        return _tell(map(_again, record.kept(arguments.again)))
    seed = secrets.randbelow(2**31) if arguments.seed is None else arguments.seed
    print(f"seed {seed}", flush=True)
    with (cache.root() / "oracle.lock").open("w") as alone:
        fcntl.flock(alone, fcntl.LOCK_EX)
        workshop.prepare()
        lab.prepare(HOSTS[NAME])
        if arguments.smoke:
            return _smoke()
        if arguments.reread:
            return _tell(_reread(seed, arguments.edits))
        _play(seed, arguments.edits, arguments.place or list(get_args(Place)))
    print(summary(record.kept([seed])))
    return 0


def _play(seed: int, edits: int, places: list[str]) -> None:
    started = time.monotonic()
    done = {played.number for played in record.kept([seed])}
    for played in _each(seed, edits, done, places):
        record.keep(played)
        minutes, seconds = divmod(int(time.monotonic() - started), 60)
        mark = "ok  " if played.agrees else played.outcome.upper()
        print(
            f"{minutes:2}:{seconds:02} {played.number:4} {mark} {', '.join(played.kinds)}",
            flush=True,
        )


def _each(seed: int, edits: int, done: set[int], places: list[str]) -> Iterator[Played]:
    """Guests in batches first: they are cheap."""
    for some in _batches(seed, edits):
        left = [one for one in some if one.number not in done]
        if left and "guest" in places:
            yield from batch.play(seed, left)
    for one in plays(seed, edits):
        if isinstance(one, GuestPlay) or one.number in done:
            continue
        if ("boot" if one.boots else "host") in places:
            yield hostplay.play(seed, one)


def _batches(seed: int, edits: int) -> list[list[GuestPlay]]:
    guests = [one for one in plays(seed, edits) if isinstance(one, GuestPlay)]
    return [guests[n : n + len(CARDS)] for n in range(0, len(guests), len(CARDS))]


def _smoke() -> int:
    some = [one for one in plays(SMOKE_SEED, max(SMOKE) + 1) if one.number in SMOKE]
    played = list(batch.play(SMOKE_SEED, [one for one in some if isinstance(one, GuestPlay)]))
    _tell(played)
    return 0 if all(one.agrees for one in played) else 1


def _page(seeds: list[int]) -> int:
    (CHECKOUT / "docs/oracle.md").write_text(page(record.kept(seeds)))
    return 0


def _again(played: Played) -> Played:
    """What is recorded, judged by the suite as it is now: no host."""
    name = played.recording
    host = judge_again(batch.inventory(name), name).host
    return record.judged_again(played, host, row.revision())


def _reread(seed: int, edits: int) -> Iterator[Played]:
    """Guests that were played, read and judged as is done now, against the truth that was seen."""
    kept = {played.number: played for played in record.kept([seed])}
    for some in _batches(seed, edits):
        if not any(one.number in kept for one in some):
            continue
        for number, host in batch.read(seed, some).items():
            if number in kept:
                yield record.judged_again(kept[number], host, row.revision())


def _tell(now: Iterable[Played]) -> int:
    """Disagreements and figures; nothing of it is kept, for nothing was played."""
    told = list(now)
    print("\n".join([*disagreements(told), summary(told)]))
    return 0


if __name__ == "__main__":
    try:
        sys.exit(main())
    except KeyboardInterrupt:
        sys.exit(130)
