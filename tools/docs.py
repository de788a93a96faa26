"""`python -m tools.docs` writes the generated pages; a test keeps them fresh."""

from __future__ import annotations

import sys
from collections.abc import Callable, Mapping
from functools import partial
from pathlib import Path
from types import MappingProxyType

from pytest_vfio.judge.suite import LAYERS
from tests.hosts.recorded import whole_suite
from tools import checks_page, evidence_page, failures_page, messages_page, readme, schema_page


def _layer(name: str) -> str:
    return checks_page.page(name, whole_suite())


#: Each generated page, and what makes it.
PAGES: Mapping[str, Callable[[], str]] = MappingProxyType(
    {
        "docs/checks.md": lambda: checks_page.index(whole_suite()),
        **{f"docs/checks/{name}.md": partial(_layer, name) for name in LAYERS},
        "docs/evidence.md": evidence_page.page,
        "docs/failures.md": lambda: failures_page.page(whole_suite()),
        "docs/messages.md": messages_page.page,
        "README.md": readme.page,
        "src/pytest_vfio/schemas/results.json": schema_page.page,
    }
)


def file(name: str) -> Path:
    """Where a page is kept."""
    return readme.ROOT / name


if __name__ == "__main__":
    for name in sys.argv[1:] or PAGES:
        file(name).parent.mkdir(exist_ok=True)
        file(name).write_text(PAGES[name]())
        print(name)
