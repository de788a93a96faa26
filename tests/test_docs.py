"""The generated pages are fresh."""

from __future__ import annotations

import pytest

from tools.docs import pages

PAGES = pages()


@pytest.mark.parametrize("path", PAGES, ids=lambda path: path.name)
def test_a_generated_page_is_fresh(path):
    """`python -m tools.docs` would write nothing new."""
    assert path.read_text() == PAGES[path]
