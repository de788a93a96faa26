"""What a user got wrong -> pytest's usage error, and exit code 4. The one place.

An error that is raised while files are collected would be taken for one in the file, and one that
a worker of xdist raises would be lost: such a mistake is kept, and told when it can be.
"""

from __future__ import annotations

import contextlib
import itertools
from collections.abc import Iterator, Sequence

import pytest

from pytest_vfio.mistakes import Mistake
from pytest_vfio.printable import printable

_KEPT = pytest.StashKey[Mistake]()


@contextlib.contextmanager
def told() -> Iterator[None]:
    """Turn a mistake into a usage error."""
    try:
        yield
    except Mistake as mistake:
        raise pytest.UsageError(printable(str(mistake))) from mistake


def keep(config: pytest.Config, mistake: Mistake) -> None:
    """Remember the first mistake until all is collected."""
    config.stash.setdefault(_KEPT, mistake)


def kept(config: pytest.Config) -> Mistake | None:
    """The mistake that was made so far."""
    return config.stash.get(_KEPT, None)


def tell(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Tell what was kept: raise it, or in a worker leave it to the controller and run nothing."""
    mistake = kept(config)
    if mistake is None:
        return
    output = getattr(config, "workeroutput", None)
    if output is None:
        with told():
            raise mistake
    output["vfio_mistake"] = str(mistake)
    items.clear()


def must_not_expand(arguments: Sequence[str]) -> None:
    """Raise Mistake for `--host @FILE`, of which pytest itself makes options, a line each."""
    for option, word in itertools.pairwise(arguments):
        if option == "--host":
            must_name_no_file(word)


def must_name_no_file(word: str) -> None:
    """Raise Mistake where a host's name is a file after an @."""
    if word.startswith("@"):
        file = word[1:] or "FILE"
        raise Mistake(f"--host {word}: a file with a host a line is given as --hosts-from {file}")
