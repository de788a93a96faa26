"""What is said of many things alike is said once."""

from __future__ import annotations

from pytest_vfio.report.alike import alike


def test_neighbours_do_not_make_two_causes_of_one():
    """Devices of which the same is said are told together, whoever their neighbours are."""
    told = [
        ("DEV013", "only a bus reset could reset 0000:01:00.0, and with it 0000:01:00.1", "0000:01:00.0"),
        ("DEV013", "only a bus reset could reset 0000:01:00.1, and with it 0000:01:00.0", "0000:01:00.1"),
        ("DEV013", "only a bus reset could reset 0000:02:00.0, and with it 0000:02:00.1, 0000:02:00.2",
         "0000:02:00.0"),
        ("DEV014", "0000:02:00.0 is slow", "0000:02:00.0"),
    ]  # fmt: skip

    assert [len(same) for same in alike(told, lambda one: one)] == [3, 1]
