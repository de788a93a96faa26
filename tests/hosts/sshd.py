"""A real sshd on loopback, with keys of its own, for one test session.

`sshd` (session) is a running server: `sshd.config` is an ssh_config in which these aliases stand:

    vfio-root       the user who runs the tests
    vfio-plain      a user without any right
    vfio-stranger   the same server, but its host key is not in the known hosts
    vfio-impostor   the same server, but another key is known for it
    vfio-nobody     a key that the server does not know
    vfio-closed     a port where nothing listens
    vfio-hang, vfio-banner, vfio-rubbish, vfio-cut, vfio-nologin    what the server runs instead

`sshd.alias(NAME, command)` adds another account of that kind: a key with a forced command.
"""

from __future__ import annotations

import getpass
import os
import shutil
import socket
import subprocess
import tempfile
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

import pytest

SSHD = shutil.which("sshd", path="/usr/sbin:/usr/local/sbin:/usr/bin")


@dataclass
class Sshd:
    """The server's folder, and the ssh_config that reaches it."""

    folder: Path
    port: int
    aliases: dict[str, str] = field(default_factory=dict)

    @property
    def config(self) -> Path:
        return self.folder / "ssh_config"

    def alias(self, name: str, command: str = "", *, user: str = "", options: str = "") -> str:
        """Another name: its own key, and what the server runs for it in place of what is asked."""
        key = self.folder / f"key-{name}"
        if not key.exists():
            keygen(key)
        public = key.with_suffix(".pub").read_text().strip()
        forced = f'command="{command}" ' if command else ""
        allowed = self.folder / "authorized_keys"
        with allowed.open("a") as file:
            file.write(f"{forced}{public}\n")
        allowed.chmod(0o644)
        self._write(name, key, user or getpass.getuser(), options)
        return name

    def _write(self, name: str, key: Path, user: str, options: str) -> None:
        known = f"  UserKnownHostsFile {self.folder}/known\n"
        if "UserKnownHostsFile" in options:
            known = ""
        self.aliases[name] = (
            f"Host {name}\n  HostName 127.0.0.1\n  Port {self.port}\n  User {user}\n"
            f"  IdentityFile {key}\n  IdentitiesOnly yes\n  IdentityAgent none\n"
            f"  GlobalKnownHostsFile /dev/null\n{known}{options}"
        )
        self.config.write_text("\n".join(self.aliases.values()))


def keygen(path: Path) -> Path:
    """A key pair without a passphrase."""
    command = ["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-C", path.name, "-f", str(path)]
    subprocess.run(command, check=True)
    return path


def free_port() -> int:
    """A port on loopback where nothing listens right now."""
    with socket.socket() as found:
        found.bind(("127.0.0.1", 0))
        return int(found.getsockname()[1])


@pytest.fixture(scope="session")
def sshd() -> Iterator[Sshd]:
    """A running server; skips where this machine has none."""
    if SSHD is None or shutil.which("ssh") is None:
        pytest.skip("no OpenSSH here")
    # not below pytest's own folder: that is closed to the account without rights
    folder = Path(tempfile.mkdtemp(prefix="pytest-vfio-sshd-"))
    folder.chmod(0o755)
    server = Sshd(folder, free_port())
    key, other = keygen(folder / "host"), keygen(folder / "other")
    place = f"[127.0.0.1]:{server.port} "
    (folder / "known").write_text(place + key.with_suffix(".pub").read_text())
    (folder / "wrong").write_text(place + other.with_suffix(".pub").read_text())
    (folder / "empty").write_text("")
    (folder / "sshd_config").write_text(
        f"Port {server.port}\nListenAddress 127.0.0.1\nHostKey {key}\nPidFile none\nUsePAM no\n"
        f"AuthorizedKeysFile {folder}/authorized_keys\nStrictModes no\nPermitRootLogin yes\n"
        "PasswordAuthentication no\nKbdInteractiveAuthentication no\nMaxStartups 200\n"
    )
    _accounts(server)
    process = _start(server)
    try:
        _must_let_us_in(server)
        yield server
    finally:
        process.terminate()
        process.wait(10)
        shutil.rmtree(folder, ignore_errors=True)


def _accounts(server: Sshd) -> None:
    folder = server.folder
    server.alias("vfio-root")
    if os.geteuid() == 0:
        who = "setpriv --reuid=65534 --regid=65534 --clear-groups"
        server.alias("vfio-plain", f'{who} sh -c \\"$SSH_ORIGINAL_COMMAND\\"')
    else:
        server.alias("vfio-plain")
    server.alias("vfio-stranger", options=f"  UserKnownHostsFile {folder}/empty\n")
    server.alias("vfio-impostor", options=f"  UserKnownHostsFile {folder}/wrong\n")
    server.alias("vfio-hang", "echo; sleep 60")
    server.alias("vfio-banner", "echo 'Welcome!'; printf '%%item no'; sh -s")
    server.alias("vfio-rubbish", "seq 1000; echo '%done 3'")
    server.alias("vfio-cut", "sh -s | head -c 3000")
    server.alias("vfio-nologin", "echo 'This account is currently not available.'; exit 1")
    # the server never learns this one
    server._write("vfio-nobody", keygen(folder / "key-unknown"), getpass.getuser(), "")
    server.aliases["vfio-closed"] = (
        server.aliases["vfio-root"]
        .replace(f"Port {server.port}", f"Port {free_port()}")
        .replace("Host vfio-root", "Host vfio-closed")
    )
    server.config.write_text("\n".join(server.aliases.values()))


def _must_let_us_in(server: Sshd) -> None:
    """Not every account may log in anywhere: `nobody` for one."""
    command = ["ssh", "-F", str(server.config), "-o", "BatchMode=yes", "vfio-root", "true"]
    done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=60)
    if done.returncode:
        pytest.skip(f"sshd lets {getpass.getuser()} not in: {done.stderr[-200:]}")


def _start(server: Sshd) -> subprocess.Popen[bytes]:
    log = (server.folder / "log").open("wb")
    if os.geteuid() == 0:
        Path("/run/sshd").mkdir(mode=0o755, exist_ok=True)
    assert SSHD is not None
    command = [SSHD, "-D", "-e", "-f", str(server.folder / "sshd_config")]
    process = subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=log, stderr=log)
    for _ in range(200):
        with socket.socket() as trial:
            if trial.connect_ex(("127.0.0.1", server.port)) == 0:
                return process
        if process.poll() is not None:
            break
        time.sleep(0.05)
    process.kill()
    pytest.skip(f"sshd does not start: {(server.folder / 'log').read_text()[-300:]}")
