"""Recordings of the lab as fixtures: one compressed stream a scenario, and their inventory."""

import lzma
from collections.abc import Sequence

from tests.lab.fault import Scenario
from tests.lab.suite import CHECKOUT, recording

FOLDER = CHECKOUT / "fixtures/lab"


def publish(scenarios: Sequence[Scenario]) -> None:
    """Copy the last recording of each scenario, and say what each host was for."""
    FOLDER.mkdir(parents=True, exist_ok=True)
    for scenario in scenarios:
        source = recording(scenario)
        if source.exists():
            (FOLDER / f"{scenario.name}.vfio.xz").write_bytes(lzma.compress(source.read_bytes()))
    intents = [
        scenario.intent.toml(scenario.name)
        for scenario in scenarios
        if (FOLDER / f"{scenario.name}.vfio.xz").exists()
    ]
    head = (
        "# Written by `python -m tests.lab run --record`: hosts of the lab, what each is for.\n\n"
    )
    (FOLDER / "inventory.toml").write_text(head + "\n".join(intents))
