"""A run's result -> files and the terminal. Nothing here judges anything.

Every report is made of a `RunResult` alone, which `results.json` is, written down.
"""

from __future__ import annotations

import importlib
from collections.abc import Callable, Iterable, Mapping
from pathlib import Path
from types import MappingProxyType
from typing import cast

import msgspec
from msgspec.structs import replace

from pytest_vfio.judge.result import RunResult
from pytest_vfio.write import file_name, write_atomically

_EACH = "{host}"


class Format(msgspec.Struct, frozen=True):
    """A report: its file, and the module of this folder whose `render` makes the file's bytes.

    A file named with `{host}` is one file for each host, rendered as if the run had no other.
    Modules are imported when they are asked for: most runs ask for few.
    """

    file: str
    module: str

    def files(self, run: RunResult) -> Mapping[str, bytes]:
        """What is to be written, by name below the report folder; nothing that would be empty."""
        module = importlib.import_module(f"pytest_vfio.report.{self.module}")
        render = cast("Callable[[RunResult], bytes]", module.render)
        if _EACH not in self.file:
            return {self.file: render(run)}
        rendered = ((host.name, render(replace(run, hosts=(host,)))) for host in run.hosts)
        return {self.file.replace(_EACH, file_name(name)): data for name, data in rendered if data}


#: The reports that can be asked for, by the word for each.
FORMATS: Mapping[str, Format] = MappingProxyType(
    {
        "junit": Format("junit.xml", "junit"),
        "junit-hosts": Format("junit/TEST-{host}.xml", "junit"),
        "json": Format("results.json", "results"),
        "html": Format("report.html", "html"),
        "markdown": Format("summary.md", "markdown"),
        "metrics": Format("vfio.prom", "metrics"),
        "plan": Format("{host}.plan.sh", "plan_script"),
    }
)


def write(run: RunResult, words: Iterable[str], folder: Path) -> list[Path]:
    """Render the reports that are asked for and write them, each at once or not at all.

    Raises OSError where the folder cannot be written.
    """
    rendered = [entry for word in words for entry in FORMATS[word].files(run).items()]
    for name, data in rendered:
        write_atomically(folder / name, data)
    return [folder / name for name, _ in rendered]
