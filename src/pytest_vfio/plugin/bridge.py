"""testinfra's own `host` fixture reaches the same hosts, and never falls back to this machine."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from pytest_vfio.sources import Target


def connect(config: pytest.Config, targets: Iterable[Target]) -> None:
    """Tell testinfra which hosts there are, unless --hosts says it, or the controller did."""
    option = config.option
    given = getattr(config, "workerinput", {})
    if "vfio_testinfra" in given:
        option.hosts = given["vfio_testinfra"]
    elif hasattr(option, "hosts") and option.hosts is None:
        option.hosts = ",".join(filter(None, map(_spec, targets))) or None
    if not getattr(option, "hosts", None):
        config.pluginmanager.register(_Unconnected(), "vfio-unconnected")


class _Unconnected:
    """No host has a connection, and testinfra would take the local machine."""

    @pytest.hookimpl(tryfirst=True)
    def pytest_collection_modifyitems(self, items: list[pytest.Item]) -> None:
        """Skip the tests that would ask it."""
        reason = "no host with a connection, and testinfra's `host` would be this machine"
        for item in items:
            if "_testinfra_host" in getattr(item, "fixturenames", ()):
                item.add_marker(pytest.mark.skip(reason=reason))


def _spec(target: Target) -> str | None:
    """How testinfra reaches the same host; None where it has no connection."""
    if target.kind == "local":
        return "local://"
    if target.kind == "ssh":
        return target.spec if "://" in target.spec else f"ssh://{target.spec}"
    return target.spec if target.kind == "testinfra" else None
