"""Commands on the machine that runs the lab."""

import pytest

from tests.lab.local import run


def test_what_works_is_silent(capfd: pytest.CaptureFixture[str]) -> None:
    """Hundreds of lines of a package manager are of use only where it failed."""
    run("sh", "-c", "echo noise; echo more >&2")

    assert ("", "") == capfd.readouterr()


def test_what_fails_is_told_with_its_words() -> None:
    """The error has the command, its exit code, and what it said."""
    with pytest.raises(RuntimeError, match=r"(?s)no such mirror.*sh -c .*: exit 3"):
        run("sh", "-c", "echo no such mirror >&2; exit 3")
