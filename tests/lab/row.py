"""What came of one scenario, kept in the cache so that a page can be made of several runs."""

import json
import subprocess
from collections.abc import Iterable
from dataclasses import asdict, dataclass
from pathlib import Path

from tests.lab import cache


@dataclass(frozen=True)
class Row:
    """One scenario as it was judged, by which revision of the project."""

    name: str
    host: str
    expected: str
    """Entries of the failure catalogue; empty for a healthy variant."""
    diagnosed: str
    said: str
    """The words of the first cause."""
    verdict: str
    complaints: tuple[str, ...]
    validate: tuple[str, ...]
    """What ``virt-host-validate`` on the same host does not pass."""
    prepared: float
    judged: float
    revision: str

    def keep(self) -> None:
        """Write it where ``kept`` finds it."""
        (_folder() / f"{self.name}.json").write_text(json.dumps(asdict(self), indent=1))

    def line(self) -> str:
        """The row for a terminal."""
        mark = "ok  " if not self.complaints else "FAIL"
        text = f"{mark} {self.name:34} {self.diagnosed or self.verdict:28} "
        text += f"{self.prepared:6.1f} s + {self.judged:5.1f} s"
        return "\n      ".join([text, *self.complaints])


def kept(names: Iterable[str]) -> list[Row]:
    """The last rows of these scenarios, without those never played."""
    files = [_folder() / f"{name}.json" for name in names]
    return [_read(file) for file in files if file.exists()]


def revision() -> str:
    """The commit that judges, with a star if the tree differs from it."""
    words = ["git", "-C", str(Path(__file__).parent), "describe", "--always", "--dirty=*"]
    done = subprocess.run(words, capture_output=True, text=True, check=False)
    return done.stdout.strip() or "unknown"


def _read(file: Path) -> Row:
    raw = json.loads(file.read_text())
    for key in ("complaints", "validate"):
        raw[key] = tuple(raw[key])
    return Row(**raw)


def _folder() -> Path:
    folder = cache.root() / "rows"
    folder.mkdir(exist_ok=True)
    return folder
