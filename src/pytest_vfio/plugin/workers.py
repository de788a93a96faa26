"""Workers of xdist: a host is read once, by the controller, and handed over.

What is handed over goes through execnet's own pipe, as bytes: it is as the host said it, secrets
included, and nothing of it is ever in a file that a kill could leave behind.
"""

from __future__ import annotations

import io
import pickle
import zlib
from types import MappingProxyType
from typing import TYPE_CHECKING, Any

import pytest

from pytest_vfio.mistakes import Mistake
from pytest_vfio.printable import printable

if TYPE_CHECKING:
    from pytest_vfio.sources import Reading


def pytest_configure(config: pytest.Config) -> None:
    """Nobody hands over anything without xdist."""
    if config.pluginmanager.has_plugin("xdist"):
        config.pluginmanager.register(_Controller(config), "vfio-workers")


def hand_over(config: pytest.Config, readings: tuple[Reading, ...]) -> None:
    """Keep what was read for the workers, where there will be any."""
    if config.pluginmanager.has_plugin("dsession"):
        controller = config.pluginmanager.get_plugin("vfio-workers")
        assert isinstance(controller, _Controller)
        controller.readings = packed(readings)


class _Controller:
    """What the controller does for its workers, and says for them."""

    def __init__(self, config: pytest.Config) -> None:
        self.config = config
        self.readings: bytes | None = None
        self.mistake: Mistake | None = None

    @pytest.hookimpl(optionalhook=True)
    def pytest_configure_node(self, node: Any) -> None:
        """Hand the readings to a worker, and where testinfra is to go."""
        if self.readings is not None:
            node.workerinput["vfio"] = self.readings
            node.workerinput["vfio_testinfra"] = getattr(self.config.option, "hosts", None)

    @pytest.hookimpl(optionalhook=True)
    def pytest_testnodedown(self, node: Any) -> None:
        """A worker that could not go on has left word."""
        words = getattr(node, "workeroutput", {}).get("vfio_mistake")
        if words:
            self.mistake = Mistake(words)

    @pytest.hookimpl(tryfirst=True)
    def pytest_sessionfinish(self, session: pytest.Session) -> None:
        """What workers could not go on for is a usage error of the run."""
        if self.mistake is not None:
            session.exitstatus = pytest.ExitCode.USAGE_ERROR

    def pytest_terminal_summary(self, terminalreporter: Any) -> None:
        """Say what workers could not go on for."""
        if self.mistake is not None:
            terminalreporter.write_line(f"ERROR: {printable(str(self.mistake))}", red=True)


def packed(readings: tuple[Reading, ...]) -> bytes:
    """Readings, for the workers of this run alone."""
    out = io.BytesIO()
    _Pickler(out, pickle.HIGHEST_PROTOCOL).dump(readings)
    return zlib.compress(out.getbuffer(), 1)


def unpacked(data: bytes) -> tuple[Reading, ...]:
    """What the controller of this run packed."""
    readings: tuple[Reading, ...] = pickle.loads(zlib.decompress(data))  # noqa: S301 - our own
    return readings


class _Pickler(pickle.Pickler):
    """Pickles the read-only mappings of our values as well."""

    def reducer_override(self, value: Any) -> Any:
        if isinstance(value, MappingProxyType):
            return _read_only, (dict(value),)
        return NotImplemented


def _read_only(values: dict[Any, Any]) -> MappingProxyType[Any, Any]:
    """What a pickle names: the type itself has no name that could be looked up."""
    return MappingProxyType(values)
