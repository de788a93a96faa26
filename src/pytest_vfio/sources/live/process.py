"""One conversation with a shell: the script goes in, the stream comes out, up to a deadline."""

from __future__ import annotations

import asyncio
import contextlib
import ctypes
import os
import re
import signal
import time
from collections.abc import Coroutine, Sequence

import msgspec

from pytest_vfio.evidence import Status
from pytest_vfio.sources.bundles import recording
from pytest_vfio.sources.bundles.recording import Stream

#: Looked up before anything forks: the child may do no more than call it.
_PRCTL = ctypes.CDLL(None).prctl
_PR_SET_PDEATHSIG = 1  # include/uapi/linux/prctl.h
_DONE = re.compile(rb"(?:^|\n)%done [0-9]+\r?\n")
#: Of what a command says on its other output this much is kept, in bytes.
_SAID_LIMIT = 64 << 10
#: After the stream's end a process gets this long to go, in seconds.
_GRACE = 2.0


class Answer(msgspec.Struct, frozen=True):
    """What came back. `code` is None where the process was stopped."""

    data: bytes
    said: str
    code: int | None
    late: bool
    seconds: float

    @property
    def last_word(self) -> str:
        """The last line that the command said about itself, for a message."""
        lines = [line.strip() for line in self.said.splitlines() if line.strip()]
        return printable(lines[-1]) if lines else ""

    @property
    def first_rubbish(self) -> str:
        """The first line of an answer that is no stream."""
        lines = self.data[:4096].decode("utf-8", "backslashreplace").split("\n")
        return printable(next((line for line in lines if line.strip()), ""))

    def stream(self) -> Stream | None:
        """The stream, cut or not; None where there is none."""
        if not recording.is_recording(self.data):
            return None
        return recording.parse(self.data, cut=Status.TIMED_OUT if self.late else Status.TRUNCATED)


async def converse(command: Sequence[str], script: bytes, limit: float) -> Answer:
    """Run a command, feed it the script, keep what it prints until it is done or the time is up.

    Raises OSError where the command cannot be started.
    """
    began = time.monotonic()
    # The script reads another tree where this is set: for its tests alone.
    environment = {name: value for name, value in os.environ.items() if name != "PROBE_ROOT"}
    process = await _begun(
        asyncio.create_subprocess_exec(
            *command,
            env=environment,
            stdin=asyncio.subprocess.PIPE,
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.PIPE,
            start_new_session=True,
            preexec_fn=_die_with_us,
        )
    )
    data, said = bytearray(), bytearray()
    listening = asyncio.create_task(_listen(process.stderr, said))
    talking = asyncio.create_task(_talk(process.stdin, script))
    late = ended = False
    try:
        async with asyncio.timeout(limit):
            await _read_stream(process.stdout, data)
        ended = True
    except TimeoutError:
        late = True
    finally:
        code = await _finish(process, ended=ended)
        talking.cancel()
        with contextlib.suppress(TimeoutError):
            # What a process left behind still holds this open.
            async with asyncio.timeout(0.5):
                await listening
        for task in (listening, talking):
            task.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await task
    return Answer(
        bytes(data), said.decode("utf-8", "backslashreplace"), code, late, time.monotonic() - began
    )


def printable(text: str) -> str:
    """A host's own words, short enough and harmless to a terminal."""
    return "".join(char if char.isprintable() else "?" for char in text)[:300]


async def _begun(
    starting: Coroutine[None, None, asyncio.subprocess.Process],
) -> asyncio.subprocess.Process:
    """The process; where the run is interrupted while it starts, it is ended with all it began.

    asyncio ends the process alone, and then waits for pipes that ssh's ProxyCommand holds open.
    """
    task = asyncio.ensure_future(starting)
    try:
        return await asyncio.shield(task)
    except asyncio.CancelledError:
        await _finish(await task, ended=False)
        raise


def _die_with_us() -> None:
    """Have the kernel end this process when the one that started it is gone (prctl(2)).

    It is in a session of its own, so that what kills ours, killed itself, would leave it behind.
    """
    _PRCTL(_PR_SET_PDEATHSIG, signal.SIGTERM)


async def _read_stream(source: asyncio.StreamReader | None, data: bytearray) -> None:
    assert source is not None
    begun = 0  # where the stream begins: what a login says before is no end of it
    while len(data) < recording.STREAM_LIMIT:
        chunk = await source.read(1 << 18)
        if not chunk:
            return
        data += chunk
        begun = begun or recording.begins(data)
        if begun and _DONE.search(data, max(begun, len(data) - len(chunk) - 64)):
            return


async def _listen(source: asyncio.StreamReader | None, said: bytearray) -> None:
    assert source is not None
    while chunk := await source.read(1 << 16):
        said += chunk[: _SAID_LIMIT - len(said)]


async def _talk(sink: asyncio.StreamWriter | None, script: bytes) -> None:
    assert sink is not None
    with contextlib.suppress(ConnectionError):
        sink.write(script)
        await sink.drain()
        sink.close()


async def _finish(process: asyncio.subprocess.Process, *, ended: bool) -> int | None:
    """Let it end by itself where its stream did, else end it; its exit code in the first case."""
    if ended:
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(_GRACE):
                return await process.wait()
    for word in (signal.SIGTERM, signal.SIGKILL):
        with contextlib.suppress(ProcessLookupError, PermissionError):
            os.killpg(process.pid, word)
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(_GRACE):
                await process.wait()
                return None
    return None
