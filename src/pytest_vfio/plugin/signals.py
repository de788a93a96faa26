"""A run that is told to end, ends as one that is interrupted: what it started goes with it.

CI sends SIGTERM where a job is cancelled or takes too long, a lost terminal SIGHUP. Python's own
answer to both is to be gone at once: ssh goes on talking to its host, and nothing is written.
"""

from __future__ import annotations

import functools
import signal
import threading
from collections.abc import Callable
from types import FrameType
from typing import Any

import pytest


def heed(config: pytest.Config) -> None:
    """From now to the end of this session take them for SIGINT, unless somebody else heeds them.

    A shell's background job ignores SIGINT. Here it does not: asyncio ends what was begun in good
    order at that signal alone.
    """
    if threading.current_thread() is not threading.main_thread():
        return  # only the main thread may
    if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
        _set(config, signal.SIGINT, signal.default_int_handler)
    for number in (signal.SIGTERM, signal.SIGHUP):
        if signal.getsignal(number) is signal.SIG_DFL:
            _set(config, number, _interrupt)


def _set(
    config: pytest.Config, number: int, handler: Callable[[int, FrameType | None], None]
) -> None:
    before = signal.signal(number, handler)
    config.add_cleanup(functools.partial(_set_again, number, before))


def _set_again(number: int, handler: Any) -> None:
    signal.signal(number, handler)


def _interrupt(_number: int, _frame: FrameType | None) -> None:
    signal.raise_signal(signal.SIGINT)
