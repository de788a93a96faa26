"""Tests of the plugin run pytest inside pytest."""

import contextlib

pytest_plugins = ["pytester"]

# `pytest --print-probe` in a checkout comes by here, also where nobody wants to run the tests.
with contextlib.suppress(ModuleNotFoundError):
    from hypothesis import settings

    # A busy machine is no failure: what has to be fast has a test of its own.
    settings.register_profile("project", deadline=None)
    settings.load_profile("project")
