"""`README.md`'s output block: what its first command really prints."""

from __future__ import annotations

import os
import re
import subprocess
import sys
import tempfile
from pathlib import Path

ROOT = Path(__file__).parents[1]
_BLOCK = re.compile(r"(<!-- output -->\n```\n).*?(```\n<!-- /output -->)", re.DOTALL)


def page() -> str:
    """The page with its output block as it has to be."""
    text = (ROOT / "README.md").read_text()
    return _BLOCK.sub(lambda block: f"{block[1]}{_output()}{block[2]}", text)


def _output() -> str:
    """The command's output without what differs from run to run: progress, time, where it ran."""
    plain = {"COLUMNS": "100", "NO_COLOR": "1", "PATH": os.environ["PATH"]}
    with tempfile.TemporaryDirectory() as folder:
        done = subprocess.run(
            [sys.executable, "-m", "pytest", "checks/", "--host", "bmt", "-p", "no:randomly",
             "-p", "no:cacheprovider", "--report-dir", folder],
            cwd=ROOT, env=plain, capture_output=True, text=True, check=True)  # fmt: skip
    first, _, rest = done.stdout.partition("\n")
    summary = rest[rest.index("\nbmt  ") + 1 : rest.index("reports: ")]
    # numbers that move with every check stand for themselves
    summary = re.sub(r"and \d+ more", "and ... more", summary)
    summary = re.sub(r"^  \d+ findings: .*$", "  ...", summary, flags=re.MULTILINE)
    return f"{first}\n...\n{summary}"
