"""Whether the files named on the command line can hold anything to judge hosts by.

Asked before hosts are read: to read them takes minutes where they are many, and a run without
checks has no use for it. Files are looked at, not imported, and only till the first that will do.
"""

from __future__ import annotations

import ast
import importlib.util
import itertools
import os
import re
from collections.abc import Iterable, Iterator
from fnmatch import fnmatch
from pathlib import Path

import pytest

from pytest_vfio.judge.suite import packaged_folder
from pytest_vfio.mistakes import Mistake

#: What a check, or a test of a host, is handed.
_HANDED = frozenset({"hypervisor", "host"})
_FIXTURES = frozenset({"hypervisor", "_testinfra_host"})
_WORD = re.compile(r"\b(?:hypervisor|host)\b")


def must_be_there(config: pytest.Config) -> None:
    """Raise Mistake where nothing on the command line can be about a host."""
    patterns = ["conftest.py", *config.getini("python_files")]
    files = (file for path in _paths(config) for file in _files(path, patterns))
    if not any(_asks(file) for file in (*_conftests(config), *files)):
        raise nothing()


def is_about_a_host(item: pytest.Item) -> bool:
    """Whether an ordinary test is handed a host, ours or testinfra's."""
    return not _FIXTURES.isdisjoint(getattr(item, "fixturenames", ()))


def nothing() -> Mistake:
    """What to type where hosts are named and checks are not."""
    folder = packaged_folder()
    if folder.parent.name == "pytest_vfio":
        checks = "--pyargs pytest_vfio.checks"
    elif folder.is_relative_to(Path.cwd()):
        checks = f"{folder.relative_to(Path.cwd())}/"
    else:
        checks = f"{folder}/"
    return Mistake(
        f"no check to judge hosts by: name the checks as well, pytest {checks} --host ..."
    )


def _paths(config: pytest.Config) -> Iterator[Path]:
    for argument in config.args:
        name = argument.partition("::")[0]
        path = config.invocation_params.dir / name
        if config.option.pyargs and not path.exists():
            spec = importlib.util.find_spec(name)
            yield from map(Path, (spec and spec.submodule_search_locations) or ())
        yield path


def _conftests(config: pytest.Config) -> Iterator[Path]:
    """Those that stand above the paths, and are loaded already."""
    for plugin in config.pluginmanager.get_plugins():
        file = getattr(plugin, "__file__", None)
        if file and Path(file).name == "conftest.py":
            yield Path(file)


def _files(path: Path, patterns: Iterable[str]) -> Iterator[Path]:
    if path.is_file():
        yield path
    for folder, below, names in os.walk(path):
        below[:] = sorted(name for name in below if not name.startswith((".", "__")))
        for name in sorted(names):
            if any(fnmatch(name, pattern) for pattern in patterns):
                yield Path(folder, name)


def _asks(file: Path) -> bool:
    """Whether a file may have something that is handed a host."""
    if file.suffix != ".py":
        return True  # of somebody else's plugin: who knows
    text = file.read_text(errors="replace")
    if not _WORD.search(text):
        return False
    try:
        tree = ast.parse(text)
    except (SyntaxError, ValueError):
        return True  # pytest tells best what is wrong with it
    every = file.name == "conftest.py"
    functions = tuple(_functions(tree))
    wanted = _HANDED - {one.name for one in functions}  # what it defines itself is no host of ours
    return any(
        wanted & _arguments(one)
        for one in functions
        if every or one.name.startswith("test") or one.decorator_list
    )


def _functions(tree: ast.Module) -> Iterator[ast.FunctionDef | ast.AsyncFunctionDef]:
    """Those of the module and of its classes."""
    classes = (one.body for one in tree.body if isinstance(one, ast.ClassDef))
    for one in itertools.chain(tree.body, *classes):
        if isinstance(one, (ast.FunctionDef, ast.AsyncFunctionDef)):
            yield one


def _arguments(function: ast.FunctionDef | ast.AsyncFunctionDef) -> set[str]:
    """What a function is handed by fixtures: no decorator of its own gives it.

    Parametrize names what it gives, hypothesis' given too, or else gives the last ones.
    """
    names = [one.arg for one in (*function.args.args, *function.args.kwonlyargs)]
    given: set[str] = set()
    for decorator in function.decorator_list:
        if isinstance(decorator, ast.Call) and ast.unparse(decorator.func).endswith("given"):
            given.update(names[len(names) - len(decorator.args) :])
        for node in ast.walk(decorator):
            if isinstance(node, ast.keyword):
                given.add(node.arg or "")
            elif isinstance(node, ast.Constant) and isinstance(node.value, str):
                given.update(map(str.strip, node.value.split(",")))
    return {*names} - given
