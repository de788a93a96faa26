"""One QEMU process: started in its own group, recorded in a PID file, ended for certain.

``setpriv --pdeathsig`` makes the kernel end QEMU when the lab dies, even by SIGKILL; a host that
a person keeps is started without it and ends by ``down``.
"""

import contextlib
import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Sequence
from pathlib import Path

from tests.lab import cache, trunk
from tests.lab.qmp import Monitor
from tests.lab.ssh import Shell, write_config


class Machine:
    """The running, or once running, QEMU of one host.

    ``slot`` keeps a person's host apart from the one that a run of the lab restores.
    """

    def __init__(self, name: str, slot: str = "kept") -> None:
        self.name = name
        self.slot = slot
        self.kept = slot == "kept"
        self.folder = cache.state(slot, name)
        self.config = self.folder / "ssh_config"

    @property
    def shell(self) -> Shell:
        """Root on the host."""
        return Shell(self.name, self.config)

    @property
    def monitor(self) -> Monitor:
        """A new connection to QEMU's monitor."""
        return Monitor(self.folder / "qmp.sock")

    def start(self, arguments: Sequence[str]) -> None:
        """Run QEMU; ``{port}`` in an argument becomes the SSH port on this machine.

        ``{folder}`` becomes the machine's own. A machine that starts halted (``-S``) waits for a
        switch between its NIC and QEMU's network.
        """
        self.stop()
        (self.folder / "qemu.log").unlink(missing_ok=True)
        port = _free_port()
        write_config(self.config, self.name, port)
        leash = [] if self.kept else ["setpriv", "--pdeathsig", "KILL", "--"]
        qmp = self.folder / "qmp.sock"
        command = [
            *leash,
            *("nice", "-n", "5"),
            *(self._own(word, port) for word in arguments),
            *("-qmp", f"unix:{qmp},server=on,wait=off", "-display", "none", "-monitor", "none"),
        ]
        process = self._begin(command)
        (self.folder / "pid").write_text(f"{process.pid}\n")
        self._await(process, qmp)
        if "-S" in arguments:
            self._plug_in()

    def _plug_in(self) -> None:
        """Put the switch between NIC and network, and let the halted machine run.

        A frame that QEMU 10.0 is to send before it listens for the switch ends it by SIGSEGV.
        """
        monitor, end = self.monitor, time.monotonic() + 60
        while (said := monitor.type("info network")).count("listening") < len(trunk.ENDS):
            if time.monotonic() > end:
                raise TimeoutError(f"{self.name}: QEMU does not listen for the switch: {said}")
            time.sleep(0.05)
        self._begin([sys.executable, trunk.__file__, str(self.folder)])
        monitor.type("cont")

    def _own(self, word: str, port: int) -> str:
        return word.replace("{port}", str(port)).replace("{folder}", str(self.folder))

    def _begin(self, command: Sequence[str]) -> "subprocess.Popen[bytes]":
        with (self.folder / "qemu.log").open("ab") as log:
            return subprocess.Popen(
                command, stdin=subprocess.DEVNULL, stdout=log, stderr=log, start_new_session=True
            )

    def _await(self, process: "subprocess.Popen[bytes]", qmp: Path) -> None:
        end = time.monotonic() + 60
        while time.monotonic() < end:
            if process.poll() is not None:
                said = (self.folder / "qemu.log").read_text()[-2000:]
                raise RuntimeError(f"{said}\n{self.name}: QEMU ended with {process.returncode}")
            with contextlib.suppress(OSError):
                Monitor(qmp)
                return
            time.sleep(0.1)
        raise TimeoutError(f"{self.name}: QEMU's monitor did not appear")

    def wait(self, seconds: float) -> None:
        """Return as soon as a login works; a QEMU that ended is an error at once."""
        end = time.monotonic() + seconds
        while not self.shell.answers():
            if self.pid() is None:
                raise RuntimeError(f"{self.name}: QEMU ended before a login worked")
            if time.monotonic() > end:
                raise TimeoutError(f"{self.name} did not answer in {seconds:.0f} s")
            time.sleep(0.5)

    def reboot(self, seconds: float) -> None:
        """Restart through the host's own boot loader; return when the new boot lets one in."""
        before = self.shell.boot_id()
        self.shell.run("systemctl reboot", timeout=60)
        self.shell.hang_up()
        end = time.monotonic() + seconds
        while self.shell.boot_id() in {"", before}:
            if time.monotonic() > end:
                raise TimeoutError(f"{self.name} did not restart in {seconds:.0f} s")
            time.sleep(1)
            self.wait(seconds)

    def pid(self) -> int | None:
        """The QEMU process, if it is ours and alive."""
        try:
            pid = int((self.folder / "pid").read_text())
            words = Path(f"/proc/{pid}/cmdline").read_bytes()
        except (OSError, ValueError):
            return None
        return pid if os.fsencode(self.folder / "qmp.sock") in words else None

    def stop(self) -> None:
        """End QEMU and wait until it is gone."""
        pid = self.pid()
        if pid is not None:
            with contextlib.suppress(ProcessLookupError):
                os.killpg(pid, signal.SIGKILL)
            while _alive(pid):
                time.sleep(0.05)
        for name in ("pid", "qmp.sock", "control", *trunk.ENDS):
            (self.folder / name).unlink(missing_ok=True)

    def finished(self, seconds: float) -> bool:
        """Whether QEMU ended by itself (the guest powered off) within the time."""
        end = time.monotonic() + seconds
        pid = self.pid()
        while pid is not None and _alive(pid):
            if time.monotonic() > end:
                return False
            time.sleep(0.2)
        return True


def running() -> list[Machine]:
    """Every machine whose QEMU is alive."""
    folders = [path.parent for path in sorted((cache.root() / "run").glob("*/*/pid"))]
    machines = [Machine(folder.name, folder.parent.name) for folder in folders]
    return [machine for machine in machines if machine.pid() is not None]


def _alive(pid: int) -> bool:
    with contextlib.suppress(ChildProcessError):
        os.waitpid(pid, os.WNOHANG)
    try:
        state = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0]
    except OSError:
        return False
    return state != "Z"


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])
