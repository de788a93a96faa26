"""QEMU's machine protocol, as little of it as the lab needs."""

import json
import socket
from collections.abc import Mapping
from pathlib import Path
from typing import Any


class Monitor:
    """One connection to a running QEMU."""

    def __init__(self, path: Path, timeout: float = 300) -> None:
        self._socket = socket.socket(socket.AF_UNIX)
        self._socket.settimeout(timeout)
        self._socket.connect(str(path))
        self._lines = self._socket.makefile("r")
        self._lines.readline()
        self.ask("qmp_capabilities")

    def ask(self, command: str, arguments: Mapping[str, Any] | None = None) -> Any:
        """The answer to one command; QEMU's refusal is an error."""
        request = {"execute": command, "arguments": dict(arguments or {})}
        self._socket.sendall(json.dumps(request).encode() + b"\n")
        while line := self._lines.readline():
            answer = json.loads(line)
            if "error" in answer:
                raise RuntimeError(f"{command}: {answer['error']['desc']}")
            if "return" in answer:
                return answer["return"]
        raise ConnectionError(f"{command}: QEMU closed the connection")

    def type(self, line: str) -> str:
        """What the human monitor prints for one line (the only door to savevm)."""
        return str(self.ask("human-monitor-command", {"command-line": line}))
