"""--explain: the page of a check, a layer's checks, what an error message means."""

from __future__ import annotations

import pytest

from pytest_vfio.plugin import usage


def pytest_addoption(parser: pytest.Parser) -> None:
    """The one option."""
    group = parser.getgroup("vfio")
    group.addoption(
        "--explain",
        dest="vfio_explain",
        metavar="WHAT",
        help="print the page of a check (CMD004), a layer's checks (CMD), or what an error message "
        "means ('group 1 is not viable'), and exit",
    )


@pytest.hookimpl(tryfirst=True)
def pytest_cmdline_main(config: pytest.Config) -> int | None:
    """It needs no session and no host."""
    if config.option.vfio_explain:
        from rich.console import Console  # noqa: PLC0415 - slow to import, and seldom needed

        from pytest_vfio.plugin import check_page  # noqa: PLC0415 - as above

        console = Console(no_color=config.option.color == "no" or None, highlight=False)
        with usage.told():
            check_page.show(config.option.vfio_explain, config.args, console)
        return 0
    return None
