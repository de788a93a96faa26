"""A run's result -> `results.json`, and back: the contract of section 9 of the design.

The JSON Schema that ships as `schemas/results.json` describes what is written here.
"""

from __future__ import annotations

import json
from typing import Any

import msgspec

from pytest_vfio.judge.result import RunResult

#: Of more hosts than these, the document is written without indentation, which is half of it.
_FEW = 10


def render(run: RunResult) -> bytes:
    """The whole document, UTF-8; indented by two for few hosts."""
    document = _plain(run)
    # A name given on the command line can hold bytes that are not UTF-8, which JSON cannot carry.
    text = json.dumps(document, ensure_ascii=False).encode("utf-8", "replace")
    return (msgspec.json.format(text, indent=2) if len(run.hosts) <= _FEW else text) + b"\n"


def _plain(run: RunResult) -> dict[str, Any]:
    document: dict[str, Any] = msgspec.to_builtins(run)
    for host in document["hosts"]:
        for name in ("reason", "remedy"):  # there only where there is something to say
            if not host[name]:
                del host[name]
    return document


def read(data: bytes) -> RunResult:
    """The result that a document holds. Raises msgspec.DecodeError where it is none."""
    return msgspec.json.decode(data, type=RunResult)
