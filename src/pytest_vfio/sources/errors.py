"""What is wrong with the hosts and bundles that a user names."""

from __future__ import annotations

from pytest_vfio.mistakes import Mistake


class TargetError(Mistake):
    """A host is named in a way that nobody can follow."""


class BundleError(Mistake):
    """A bundle cannot be read, or holds nothing that is known."""
