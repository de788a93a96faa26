"""``python -m tests.lab``: build, keep and stop lab hosts."""

import argparse
import fcntl
import signal
import sys
import time
from collections.abc import Iterable

from tests.lab import cache, lab, workshop
from tests.lab.fault import Scenario
from tests.lab.fixture import publish
from tests.lab.hosts import HOSTS
from tests.lab.local import say
from tests.lab.machine import running
from tests.lab.row import kept
from tests.lab.run import play, replay
from tests.lab.scenarios import FAULTS, HEALTHY
from tests.lab.suite import CHECKOUT
from tests.lab.table import page


def main() -> int:
    """Parse the command line and do what it says."""
    parser = argparse.ArgumentParser(prog="python -m tests.lab", description=__doc__)
    verbs = parser.add_subparsers(dest="verb", required=True)
    up = verbs.add_parser("up", help="restore a host, building it first if needed")
    up.add_argument("host", choices=HOSTS)
    up.add_argument("--detach", action="store_true", help="leave it running until `down`")
    down = verbs.add_parser("down", help="stop the hosts that `up --detach` left running")
    down.add_argument("host", nargs="*", help="only these")
    down.add_argument("--all", action="store_true", help="also those of runs and builds")
    build = verbs.add_parser("build", help="build hosts and their snapshots")
    build.add_argument("host", nargs="+", choices=HOSTS)
    verbs.add_parser("list", help="name the hosts and the scenarios")
    run = verbs.add_parser("run", help="judge every scenario and write docs/lab.md")
    run.add_argument("scenario", nargs="*", help="only these")
    run.add_argument("--smoke", action="store_true", help="only those that CI has time for")
    run.add_argument("--host", action="append", choices=HOSTS, help="only scenarios of this host")
    run.add_argument("--record", action="store_true", help="copy recordings to fixtures/lab")
    run.add_argument("--again", action="store_true", help="judge what was read last, no host")
    arguments = parser.parse_args()
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))
    signal.signal(signal.SIGINT, signal.default_int_handler)  # a shell's `&` switches it off
    match arguments.verb:
        case "up":
            return _up(arguments.host, detach=arguments.detach)
        case "down":
            return _down(arguments.host, everything=arguments.all)
        case "run":
            return _run(arguments)
        case "build":
            return _build(arguments.host)
        case _:
            return _list()


def _up(name: str, *, detach: bool) -> int:
    workshop.prepare()
    started = time.monotonic()
    machine = lab.restore(HOSTS[name], slot="kept" if detach else "shown")
    print(f"{lab.timed(name, started)}")
    print(f"  ssh -F {machine.config} {name}")
    print(f"  pytest checks/ --ssh-config {machine.config} --host {name}")
    print(f"  unprivileged: {name}-viewer", flush=True)
    if detach:
        return 0
    try:
        print("Ctrl-C stops it", flush=True)
        signal.pause()
    except KeyboardInterrupt:
        print()
    finally:
        machine.stop()
    return 0


def _down(names: list[str], *, everything: bool) -> int:
    for machine in running():
        if (machine.kept or everything) and (not names or machine.name in names):
            machine.stop()
            print(f"{machine.name} stopped")
    return 0


def _build(names: Iterable[str]) -> int:
    started = time.monotonic()
    workshop.prepare()
    for name in names:
        lab.prepare(HOSTS[name])
    say(lab.timed("hosts ready", started))
    return 0


def _run(arguments: argparse.Namespace) -> int:
    scenarios: list[Scenario] = [*FAULTS, *HEALTHY]
    if arguments.smoke:
        scenarios = [scenario for scenario in scenarios if scenario.smoke]
    if arguments.host:
        scenarios = [scenario for scenario in scenarios if scenario.host in arguments.host]
    if arguments.scenario:
        scenarios = [scenario for scenario in scenarios if scenario.name in arguments.scenario]
    with (cache.root() / "run.lock").open("w") as alone:
        fcntl.flock(alone, fcntl.LOCK_EX)
        if not arguments.again:
            _build(dict.fromkeys(scenario.host for scenario in scenarios))
        started = time.monotonic()
        rows = replay(scenarios) if arguments.again else play(scenarios)
        minutes = (time.monotonic() - started) / 60
    wrong = [row for row in rows if row.complaints]
    every = [*FAULTS, *HEALTHY]
    if arguments.record:
        publish(every, scenarios)
    whole = len(rows) == len(every) and not arguments.again
    if not arguments.smoke:
        (CHECKOUT / "docs/lab.md").write_text(
            page(kept(s.name for s in every), minutes if whole else None)
        )
    print(f"{len(rows) - len(wrong)} right, {len(wrong)} wrong, in {minutes:.1f} minutes")
    return 1 if wrong or not rows else 0


def _list() -> int:
    alive = {machine.name for machine in running()}
    for name in HOSTS:
        print(f"{name}{'  running' if name in alive else ''}")
        for scenario in (*FAULTS, *HEALTHY):
            if scenario.host == name:
                print(f"    {scenario.name}")
    return 0


if __name__ == "__main__":
    try:
        sys.exit(main())
    except KeyboardInterrupt:
        sys.exit(130)
