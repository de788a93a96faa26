"""What of a cure is typed, and what may move when it is."""

from typing import Any

import pytest

from tests.lab.oracle.cure import commands, others

CARD = "0000:01:10.0"
LINES = ["sed -i s/a/b/ /etc/default/grub"]
STEP: dict[str, Any] = {
    "kind": "file",
    "title": "t",
    "commands": LINES,
    "by_hand": "",
}
BY_HAND = STEP | {"by_hand": "look, and then decide", "commands": ["lspci"]}


@pytest.mark.parametrize(
    "fix",
    [None, {}, {"steps": None}, {"steps": []}, {"steps": [BY_HAND]}, {"steps": [STEP, BY_HAND]}],
)
def test_what_a_person_must_do_is_not_typed(fix: dict[str, Any] | None) -> None:
    """A cure is typed whole or not at all."""
    assert [] == commands(fix)


def test_all_steps_are_typed() -> None:
    """Commands of all steps, in their order."""
    assert [*LINES, *LINES] == commands({"steps": [STEP, STEP]})


@pytest.mark.parametrize(
    "line",
    [
        "+ /etc/default/grub 1700000000.1 300",
        f"+ ./{CARD}/driver_override:vfio-pci",
        "+ vfio_iommu_type1",
        "- 6a3c25a1-59d1-4b8b-9a3f-7a4a4b7f2d10",
        "+ ActiveState=active",
    ],
)
def test_what_a_cure_names_may_change(line: str) -> None:
    """The file it edits, the card it is for, and what every start moves."""
    assert [] == others([line], LINES, [CARD])


def test_whatever_else_moves_is_told() -> None:
    """Another file, another device's driver."""
    lines = ["- /etc/fstab 1 2", "+ './0000:00:02.0/driver' -> '../bus/pci/drivers/vfio-pci'"]

    assert lines == others(lines, LINES, [CARD])
