"""Commands on this machine; what they say is shown only where they fail."""

import subprocess
from pathlib import Path


def say(what: str) -> None:
    """Tell whoever watches what goes on."""
    print(f"lab: {what}", flush=True)


def run(*words: str | Path, text: str = "") -> None:
    """Run a command with a text as its input. Raises RuntimeError with the end of what it said."""
    done = subprocess.run(
        [str(word) for word in words],
        input=text,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        errors="replace",
        check=False,
    )
    if done.returncode:
        told = " ".join(str(word) for word in words)
        raise RuntimeError(f"{done.stdout[-4000:]}\n{told}: exit {done.returncode}")
