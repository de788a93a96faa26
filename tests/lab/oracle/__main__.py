"""``python -m tests.lab.oracle --seed N --edits M``: play edits, ask the host, write the page."""

import argparse
import fcntl
import secrets
import signal
import sys
import time
from collections.abc import Iterator
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
    arguments = parser.parse_args()
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))
    signal.signal(signal.SIGINT, signal.default_int_handler)
    if arguments.page:
        return _page(arguments.page)
    if arguments.again:
        return _again(arguments.again)
    seed = secrets.randbelow(2**31) if arguments.seed is None else arguments.seed
    print(f"seed {seed}", flush=True)
    with (cache.root() / "oracle.lock").open("w") as alone:
        fcntl.flock(alone, fcntl.LOCK_EX)
        workshop.prepare()
        lab.prepare(HOSTS[NAME])
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
    every = plays(seed, edits)
    guests = [one for one in every if isinstance(one, GuestPlay)]
    for some in (guests[n : n + len(CARDS)] for n in range(0, len(guests), len(CARDS))):
        left = [one for one in some if one.number not in done]
        if left and "guest" in places:
            yield from batch.play(seed, left)
    for one in every:
        if isinstance(one, GuestPlay) or one.number in done:
            continue
        if ("boot" if one.boots else "host") in places:
            yield hostplay.play(seed, one)


def _page(seeds: list[int]) -> int:
    (CHECKOUT / "docs/oracle.md").write_text(page(record.kept(seeds)))
    return 0


def _again(seeds: list[int]) -> int:
    """What is recorded, judged by the suite as it is now: no host, and nothing is kept."""
    now = [
        record.judged_again(
            one, judge_again(batch.inventory(one.recording), one.recording).host, row.revision()
        )
        for one in record.kept(seeds)
    ]
    print("\n".join([*disagreements(now), summary(now)]))
    return 0


if __name__ == "__main__":
    try:
        sys.exit(main())
    except KeyboardInterrupt:
        sys.exit(130)
