"""Commands on a lab host, through the same OpenSSH the suite uses."""

import subprocess
from dataclasses import dataclass
from pathlib import Path

from tests.lab.image import key


@dataclass(frozen=True)
class Shell:
    """One account on one running host."""

    name: str
    config: Path

    @property
    def _ssh(self) -> list[str]:
        """One shared connection: a handshake costs an emulated host seconds."""
        path = self.config.with_name("control")
        share = f"-oControlMaster=auto -oControlPersist=yes -oControlPath={path}"
        return ["ssh", "-F", str(self.config), *share.split(), self.name]

    def run(self, script: str, *, timeout: float = 300) -> subprocess.CompletedProcess[str]:
        """The outcome of a script, whatever it is."""
        return subprocess.run(
            [*self._ssh, "sh", "-s"],
            input=script,
            capture_output=True,
            text=True,
            timeout=timeout,
            check=False,
        )

    def must(self, script: str, *, timeout: float = 300) -> str:
        """What a script prints; its failure is an error that shows what it said."""
        done = self.run("set -e\n" + script, timeout=timeout)
        if done.returncode:
            raise RuntimeError(f"{self.name}: exit {done.returncode}: {script}\n{done.stderr}")
        return done.stdout

    def send(self, source: Path, target: str) -> None:
        """Copy one file to the host."""
        with source.open("rb") as file:
            subprocess.run([*self._ssh, f"cat >{target}"], stdin=file, check=True)

    def answers(self) -> bool:
        """Whether a login works right now."""
        try:
            return self.run("true", timeout=90).returncode == 0
        except subprocess.TimeoutExpired:
            return False

    def boot_id(self) -> str:
        """The kernel's name for this boot; empty while it cannot be asked."""
        return self.run("cat /proc/sys/kernel/random/boot_id").stdout.strip()

    def hang_up(self) -> None:
        """End the shared connection: what is behind it will not be there any more."""
        subprocess.run([*self._ssh, "-O", "exit"], capture_output=True, check=False)


def write_config(path: Path, name: str, port: int) -> None:
    """An OpenSSH configuration in which the host, and its plain account, have names."""
    common = (
        f"    HostName 127.0.0.1\n    Port {port}\n    IdentityFile {key()}\n"
        "    IdentitiesOnly yes\n    StrictHostKeyChecking no\n    UserKnownHostsFile /dev/null\n"
        "    LogLevel ERROR\n    ConnectTimeout 90\n    ServerAliveInterval 15\n"
        "    ServerAliveCountMax 8\n"
    )
    users = {name: "root", f"{name}-viewer": "viewer"}
    blocks = [f"Host {alias}\n    User {user}\n{common}" for alias, user in users.items()]
    path.write_text("\n".join(blocks))
