"""Every check on every recorded host, against the text that was read and kept."""

from __future__ import annotations

import pytest

from tests.golden.matrix import file, matrix
from tests.hosts.recorded import bundles


@pytest.mark.parametrize("name", bundles())
def test_a_recorded_host_is_judged_as_it_was(name):
    """What is said of a recorded host changes only on purpose: `python -m tests.golden`."""
    assert file(name).read_text() == matrix(name)


def test_no_host_is_left_over():
    """Each kept text belongs to a recorded host."""
    assert {path.stem for path in file("x").parent.glob("*.txt")} == set(bundles())
