"""`python -m bench`: times of a run, each beside what it is to be compared with, in one go.

Prints ratios more than seconds: machines differ, what is compared ran on the same one. Each time is
the best of several, which is the one that was disturbed least. Exits 1 with `--strict` where a
budget is broken.
"""

from __future__ import annotations

import argparse
import gc
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Sequence
from pathlib import Path

import testinfra

from bench import generated, loopback
from pytest_vfio import sources
from pytest_vfio.hypervisor.hypervisor import Hypervisor
from pytest_vfio.judge import suite
from pytest_vfio.judge.judgement import Judgement

ROOT = Path(__file__).parents[1]
DEVICES = (10, 100, 1000)
HOSTS = (1, 10, 100)


def main() -> int:
    """Measure, print, and hold against the budgets."""
    parser = argparse.ArgumentParser(prog="python -m bench", description=__doc__)
    parser.add_argument("--strict", action="store_true", help="exit 1 where a budget is broken")
    parser.add_argument("--times", type=int, default=5, help="how often; the best counts")
    arguments = parser.parse_args()
    print(f"{os.cpu_count()} CPUs, load {_load()} before the bench\n")
    with tempfile.TemporaryDirectory(prefix="pytest-vfio-bench-") as name:
        folder = Path(name)
        (folder / "empty").mkdir()
        kept = [
            *over_ssh(folder, arguments.times),
            *cold_start(folder, arguments.times),
            *judging(arguments.times),
            *each_finding(folder, arguments.times),
        ]
        growth(folder, arguments.times)
    print(f"\nload in the end: {_load()}")
    return 0 if all(kept) or not arguments.strict else 1


def _load() -> str:
    """The load of the last minute: beyond the number of CPUs, times are no times."""
    return f"{os.getloadavg()[0]:.1f}"


def over_ssh(folder: Path, times: int) -> tuple[bool, bool]:
    """One host over SSH on loopback: the whole run, its parts, and one command per read."""
    (folder / "ssh").mkdir()
    probe = folder / "probe.sh"
    probe.write_text(sources.probe_text())
    with loopback.sshd(folder / "ssh") as config:
        ssh = ["ssh", "-F", str(config), loopback.NAME]
        run = [*pytest(folder), "--host", loopback.NAME, "--ssh-config", str(config)]
        whole, bare, empty = best(
            times,
            lambda: command(run, codes=(0, 1)),
            lambda: command([*ssh, "sh", "-s"], stdin=probe),
            lambda: command(PYTEST, codes=(5,), cwd=folder / "empty"),
        )
        items = reads(config)
        each = one_by_one(config, items)
    least = bare + empty
    print("One host over SSH on loopback")
    row("the whole run: pytest checks/ --host", whole)
    row("bare probe: ssh host sh -s < probe", bare)
    row("pytest start with no test, plugin loaded", empty)
    cheap = budget("whole run / (bare probe + empty start)", whole / least, most=1.3)
    row(f"the same {len(items)} reads, one testinfra command each", each)
    fast = budget("one testinfra command each / whole run", each / whole, least=10)
    return cheap, fast


def reads(config: Path) -> Sequence[str]:
    """The names of the items that the probe looks for on this host."""
    target = sources.target(loopback.NAME, ssh_config=str(config))
    (reading,) = sources.gather_now([target])
    if isinstance(reading, sources.Unreachable):
        raise SystemExit(f"bench: {reading.reason}")
    return tuple(reading.items)


def one_by_one(config: Path, items: Sequence[str]) -> float:
    """One command an item, trees included, though each is hundreds of files: a low guess."""
    host = testinfra.get_host(f"ssh://{loopback.NAME}", ssh_config=str(config))
    started = time.perf_counter()
    for name in items:
        host.run("cat /%s", name)
    return time.perf_counter() - started


def cold_start(folder: Path, times: int) -> tuple[bool]:
    """This machine, against a pytest that has nothing to do but to load testinfra."""
    run = [*pytest(folder), "--host", "local"]
    bare = [*PYTEST, "-p", "no:pytest_vfio.plugin"]
    local, empty = best(
        times,
        lambda: command(run, codes=(0, 1)),
        lambda: command(bare, codes=(5,), cwd=folder / "empty"),
    )
    print("\nCold start")
    row("the whole run: pytest checks/ --host local", local)
    row("pytest start with no test, testinfra loaded, not this plugin", empty)
    kept = budget("whole run / empty start", local / empty, most=2)
    spent, least = best(
        times,
        lambda: cpu(lambda: command(run, codes=(0, 1))),
        lambda: cpu(lambda: command(bare, codes=(5,), cwd=folder / "empty")),
    )
    row("the whole run in CPU time, the probe's included", spent)
    row("the empty start in CPU time", least)
    print(f"  {'both in CPU time, which other load disturbs least':58} {spent / least:9.2f}")
    return (kept,)


def judging(times: int) -> tuple[bool]:
    """All checks of one ordinary host, without pytest: parsing and judging."""
    checks = suite.combined(())
    evidence = generated.host("generated", 2)
    gc.freeze()  # as a run does with all that it has imported and read
    (seconds,) = best(4 * times, lambda: judged(checks, evidence))
    findings = len(tuple(Judgement(checks, Hypervisor(evidence))))
    print("\nJudging, without pytest: a host with 2 devices")
    row(f"{findings} findings of {len(tuple(checks))} checks, from raw evidence", seconds)
    print(f"  {'each finding':58} {seconds / findings * 1e6:9.1f} us")
    return (budget("milliseconds for all", seconds * 1e3, most=5),)


def each_finding(folder: Path, times: int) -> tuple[bool]:
    """What a finding costs beyond its judging: as an item, in pytest's counts, in the reports."""
    checks = suite.combined(())
    few, many = (generated.host(f"findings{devices}", devices) for devices in (10, 100))
    runs = [
        [*pytest(folder), "--per", "subject", "--bundle", str(recorded(folder, evidence))]
        for evidence in (few, many)
    ]
    short, long, *alone = best(
        times,
        *(lambda run=run: cpu(lambda: command(run, codes=(0, 1))) for run in runs),
        *(lambda evidence=evidence: judged(checks, evidence) for evidence in (few, many)),
    )
    more = len(tuple(Judgement(checks, Hypervisor(many)))) - len(
        tuple(Judgement(checks, Hypervisor(few)))
    )
    beyond = (long - short - (alone[1] - alone[0])) / more
    print(f"\nBeyond judging, in CPU time: {more} findings more or less")
    return (budget("milliseconds for each", beyond * 1e3, most=0.18),)


def growth(folder: Path, times: int) -> None:
    """How judging and a whole run grow with devices and with hosts."""
    checks = suite.combined(())
    print("\nGrowth with devices       judging   each device    whole run")
    for devices in DEVICES:
        evidence = generated.host(f"devices{devices}", devices)
        (seconds,) = best(times if devices < 1000 else 2, lambda e=evidence: judged(checks, e))
        path = recorded(folder, evidence)
        run = command([*pytest(folder), "--bundle", str(path)], codes=(0, 1))
        print(f"  {devices:8} {seconds:22.3f} s {seconds / devices * 1e3:9.2f} ms {run:10.2f} s")
    print("\nGrowth with hosts (10 devices each)   judging   each host   whole run")
    for hosts in HOSTS:
        many = [generated.host(f"host{n}", 10) for n in range(hosts)]
        (seconds,) = best(2, lambda m=many: sum(judged(checks, e) for e in m))
        bundles = [f"--bundle={recorded(folder, evidence)}" for evidence in many]
        run = command([*pytest(folder), *bundles], codes=(0, 1))
        print(f"  {hosts:8} {seconds:34.3f} s {seconds / hosts * 1e3:9.2f} ms {run:10.2f} s")


def judged(checks: suite.Suite, evidence: generated.Evidence) -> float:
    """Seconds of CPU time for parsing and judging a host."""
    started = time.process_time()
    tuple(Judgement(checks, Hypervisor(evidence)))
    return time.process_time() - started


def recorded(folder: Path, evidence: generated.Evidence) -> Path:
    """The evidence as a bundle in a file."""
    path = sources.recording_path(folder, evidence.host)
    sources.write_recording(evidence, path)
    return path


PYTEST = (sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", "-p", "no:randomly",
          "-p", "no:xdist", "-p", "no:hypothesispytest")  # fmt: skip


#: Compiled modules are kept, as an installed package keeps them.
ENVIRONMENT = {k: v for k, v in os.environ.items() if k != "PYTHONDONTWRITEBYTECODE"}


def pytest(folder: Path) -> list[str]:
    """The start of the command of a whole run, reports included."""
    return [*PYTEST, str(ROOT / "checks"), "--rootdir", str(ROOT), "--report-dir", str(folder)]


def command(
    arguments: Sequence[str], *, codes: Sequence[int] = (0,), stdin: Path | None = None,
    cwd: Path = ROOT,
) -> float:  # fmt: skip
    """Seconds that a process takes."""
    with (stdin or Path("/dev/null")).open("rb") as given:
        started = time.perf_counter()
        done = subprocess.run(
            arguments, stdin=given, capture_output=True, cwd=cwd, env=ENVIRONMENT, check=False
        )
        seconds = time.perf_counter() - started
    if done.returncode not in codes:
        words = (done.stdout + done.stderr)[-2000:].decode(errors="replace")
        raise SystemExit(f"bench: {arguments}: exit {done.returncode}\n{words}")
    return seconds


def cpu(measure: Callable[[], object]) -> float:
    """Seconds of CPU time that the processes take that it starts."""
    before = os.times()
    measure()
    after = os.times()
    return (
        after.children_user + after.children_system - before.children_user - before.children_system
    )


def best(times: int, *measures: Callable[[], float]) -> tuple[float, ...]:
    """The shortest of several tries of each, taken in turns so that all meet the same weather."""
    tries = [tuple(measure() for measure in measures) for _ in range(times)]
    return tuple(min(column) for column in zip(*tries, strict=True))


def row(what: str, seconds: float) -> None:
    """One measured time."""
    print(f"  {what:58} {seconds:9.3f} s")


def budget(
    what: str, ratio: float, *, most: float | None = None, least: float | None = None
) -> bool:
    """One ratio against its budget."""
    kept = (most is None or ratio <= most) and (least is None or ratio >= least)
    limit = f"at most {most}" if most is not None else f"at least {least}"
    print(f"  {what:58} {ratio:9.2f}   {limit}: {'kept' if kept else 'BROKEN'}")
    return kept


if __name__ == "__main__":
    sys.exit(main())
