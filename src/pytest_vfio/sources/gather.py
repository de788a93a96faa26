"""Reading many hosts at once, a bounded number at a time."""

from __future__ import annotations

import asyncio
import contextlib
import time
from collections.abc import Callable, Sequence
from pathlib import Path

from pytest_vfio.evidence import Evidence
from pytest_vfio.sources.errors import BundleError
from pytest_vfio.sources.target import Target, Unreachable

Reading = Evidence | Unreachable
Progress = Callable[[Target, str], None]

#: So long hosts are spoken to before anything else is done meanwhile, in seconds: to begin takes
#: some turns of the loop, each of which would have to wait.
_HEAD_START = 0.01


def expand(target: Target) -> list[Target]:
    """The hosts that a testinfra spec means (`ansible://group` means several); else just it."""
    if target.kind != "testinfra":
        return [target]
    from pytest_vfio.sources.live import testinfra  # noqa: PLC0415 - slow, and seldom needed

    return testinfra.expand(target)


async def gather(
    targets: Sequence[Target],
    *,
    parallel: int = 32,
    timeout: float = 60.0,  # noqa: ASYNC109 - each host has its own limit, and keeps what it has
    progress: Progress | None = None,
    meanwhile: Callable[[], object] | None = None,
) -> list[Reading]:
    """Read every host, at most `parallel` at a time, each for at most `timeout` seconds.

    The readings come in the order of the targets. `progress(target, event)` is told `start`, and
    then `done` or `failed`. `meanwhile` is called in another thread while hosts answer.
    """
    turn = asyncio.Semaphore(parallel)
    tell = progress or (lambda _target, _event: None)

    async def one(target: Target) -> Reading:
        async with turn:
            tell(target, "start")
            began = time.monotonic()
            try:
                reading = await _read(target, timeout)
            except Exception as error:  # noqa: BLE001 - one host must not take the others with it
                reading = Unreachable(
                    target.name,
                    f"{target.name}: {type(error).__name__}: {error}",
                    "failed",
                    time.monotonic() - began,
                )
            tell(target, "failed" if isinstance(reading, Unreachable) else "done")
            return reading

    readings = asyncio.gather(*map(one, targets))
    try:
        if meanwhile is not None:
            await asyncio.wait([readings], timeout=_HEAD_START)
            await asyncio.to_thread(meanwhile)
        return list(await readings)
    except asyncio.CancelledError:  # interrupted: each conversation is ended before the loop is
        readings.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await readings
        raise


def gather_now(
    targets: Sequence[Target],
    *,
    parallel: int = 32,
    timeout: float = 60.0,
    progress: Progress | None = None,
    meanwhile: Callable[[], object] | None = None,
) -> list[Reading]:
    """`gather` for callers without an event loop."""
    return asyncio.run(
        gather(targets, parallel=parallel, timeout=timeout, progress=progress, meanwhile=meanwhile)
    )


async def _read(target: Target, limit: float) -> Reading:
    """Send a target to its source. Sources are imported when they are needed: start-up counts."""
    if target.kind == "local":
        from pytest_vfio.sources.live import local  # noqa: PLC0415

        return await local.read(target, limit)
    if target.kind == "ssh":
        from pytest_vfio.sources.live import openssh  # noqa: PLC0415

        return await openssh.read(target, limit)
    if target.kind == "bundle":
        return await asyncio.to_thread(_bundle, target)
    if target.kind == "libvirt":
        from pytest_vfio.sources.live import libvirt_api  # noqa: PLC0415

        return await libvirt_api.read(target, limit)
    from pytest_vfio.sources.live import testinfra  # noqa: PLC0415

    return await testinfra.read(target, limit)


def _bundle(target: Target) -> Reading:
    began = time.monotonic()
    try:
        return read_bundle(Path(target.spec), target.name)
    except BundleError as error:
        return Unreachable(target.name, str(error), "bundle", time.monotonic() - began)


def read_bundle(path: Path, name: str = "") -> Evidence:
    """What somebody recorded: our recording, a sosreport, loose files, a pasted text.

    Raises BundleError.
    """
    from pytest_vfio.sources.bundles import bundle  # noqa: PLC0415

    return bundle.read_bundle(path, name)
