"""`python -m tools.docs` writes the generated pages; a test keeps them fresh."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from tests.recorded import whole_suite
from tools import checks_page, evidence_page, readme

DOCS = readme.ROOT / "docs"


def pages() -> Mapping[Path, str]:
    """Every generated page, as it has to be."""
    return {
        DOCS / "checks.md": checks_page.page(whole_suite()),
        DOCS / "evidence.md": evidence_page.page(),
        readme.ROOT / "README.md": readme.page(),
    }


if __name__ == "__main__":
    for path, text in pages().items():
        path.write_text(text)
        print(path)
