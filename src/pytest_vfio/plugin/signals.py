"""A run that is told to end, ends as one that is interrupted: what it started goes with it.

CI sends SIGTERM where a job is cancelled or takes too long, a lost terminal SIGHUP. Python's own
answer to both is to be gone at once: ssh goes on talking to its host, and nothing is written.
"""

from __future__ import annotations

import functools
import signal
import threading
from types import FrameType

import pytest


def heed(config: pytest.Config) -> None:
    """From now to the end of this session take them for SIGINT, unless somebody else heeds them."""
    if threading.current_thread() is not threading.main_thread():
        return  # only the main thread may
    for number in (signal.SIGTERM, signal.SIGHUP):
        if signal.getsignal(number) is signal.SIG_DFL:
            signal.signal(number, _interrupt)
            config.add_cleanup(functools.partial(_let_be, number))


def _interrupt(_number: int, _frame: FrameType | None) -> None:
    if callable(signal.getsignal(signal.SIGINT)):
        signal.raise_signal(signal.SIGINT)
    raise KeyboardInterrupt  # a shell's background job ignores SIGINT


def _let_be(number: int) -> None:
    signal.signal(number, signal.SIG_DFL)
