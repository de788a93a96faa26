"""Recordings of the lab as fixtures: one compressed stream a scenario, and their inventory."""

import lzma
from collections.abc import Iterable, Sequence
from pathlib import Path

from tests.lab.fault import Scenario
from tests.lab.suite import CHECKOUT, recording

FOLDER = CHECKOUT / "fixtures/lab"
SUFFIX = ".vfio.xz"
HEAD = """# Written by `python -m tests.lab run --record`: what each recorded host of the lab is for.
# `pytest checks/ --inventory fixtures/lab/inventory.toml --host NAME` judges one.

"""


def publish(every: Sequence[Scenario], some: Iterable[Scenario]) -> None:
    """Copy the last recordings of some scenarios, and say what each of all hosts is for."""
    FOLDER.mkdir(parents=True, exist_ok=True)
    for scenario in some:
        source = recording(scenario)
        if source.exists():
            (FOLDER / f"{scenario.name}{SUFFIX}").write_bytes(lzma.compress(source.read_bytes()))
    names = {f"{scenario.name}{SUFFIX}" for scenario in every}
    for file in FOLDER.glob(f"*{SUFFIX}"):
        if file.name not in names:
            file.unlink()
    inventory(FOLDER, every, SUFFIX)


def inventory(folder: Path, every: Iterable[Scenario], suffix: str = ".vfio") -> Path:
    """Write the inventory of the scenarios that have a recording in a folder."""
    hosts = [
        scenario.intent.toml(scenario.name, bundle=f"{scenario.name}{suffix}")
        for scenario in every
        if (folder / f"{scenario.name}{suffix}").exists()
    ]
    file = folder / "inventory.toml"
    file.write_text(HEAD + "\n".join(hosts))
    return file
