"""Tests of the plugin run pytest inside pytest."""

from hypothesis import settings

pytest_plugins = ["pytester"]

# A busy machine is no failure: what has to be fast has a test of its own.
settings.register_profile("project", deadline=None)
settings.load_profile("project")
