"""--print-probe and --record: what reads a host, and what was read of it."""

from __future__ import annotations

import sys
from collections.abc import Iterable
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from pytest_vfio.mistakes import Mistake

if TYPE_CHECKING:
    from pytest_vfio.evidence import Evidence


def pytest_addoption(parser: pytest.Parser) -> None:
    """The two options."""
    group = parser.getgroup("vfio")
    group.addoption(
        "--print-probe",
        dest="vfio_print_probe",
        action="store_true",
        help="print the script that reads a host, and exit; what it prints on a host is a bundle",
    )
    group.addoption(
        "--record",
        dest="vfio_record",
        metavar="DIR",
        help="keep what was read from each host as a bundle in DIR, secrets redacted",
    )


@pytest.hookimpl(tryfirst=True)
def pytest_load_initial_conftests(early_config: pytest.Config) -> None:
    """Print the probe before anything of the folder can fail: most often it goes into a pipe.

    The exit code of a pipe is that of its last command, a shell that was given nothing to do.
    """
    if early_config.known_args_namespace.vfio_print_probe:
        from pytest_vfio import sources  # noqa: PLC0415 - slow to import, and seldom needed

        sys.stdout.write(sources.probe_text())
        raise SystemExit(0)


def record(config: pytest.Config, evidences: Iterable[Evidence]) -> list[str]:
    """Keep what was read, where that is asked for; the names of the files. Raises Mistake."""
    if not config.option.vfio_record:
        return []
    from pytest_vfio import sources  # noqa: PLC0415 - as above

    folder = Path(config.option.vfio_record)
    paths = []
    for evidence in evidences:
        path = sources.recording_path(folder, evidence.host)
        try:
            sources.write_recording(evidence, path)
        except OSError as error:
            raise Mistake(f"--record {folder}: {error}") from error
        paths.append(str(path))
    return paths
