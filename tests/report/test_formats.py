"""Every report that can be asked for is made of a run alone, and told of."""

from __future__ import annotations

from pathlib import Path

import pytest

from pytest_vfio.report import FORMATS
from tests.report import sample

PAGE = (Path(__file__).parents[2] / "docs/reports.md").read_text()


@pytest.mark.parametrize("word", FORMATS)
def test_the_page_on_reports_names_it(word):
    """Its word and its file."""
    file = FORMATS[word].file.replace("{host}", "HOST")

    assert f"| `{word}` | `{file}` |" in PAGE


@pytest.mark.parametrize("word", [word for word in FORMATS if word != "plan"])  # of a plan alone
def test_it_is_made_of_a_run_alone(word):
    """Whatever is in the run: every outcome, an unreachable host, hostile text."""
    files = FORMATS[word].files(sample.run())

    assert files
    assert all(files.values())
