"""The generated pages are fresh."""

from __future__ import annotations

import pytest

from tools.docs import PAGES, file


@pytest.mark.parametrize("name", PAGES)
def test_a_generated_page_is_fresh(name):
    """`python -m tools.docs` would write nothing new."""
    assert file(name).read_text() == PAGES[name]()
