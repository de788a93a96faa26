"""What is wrong with what the user gave: a usage error each, told in one line."""

from __future__ import annotations


class TargetError(ValueError):
    """A host is named in a way that nobody can follow."""


class BundleError(Exception):
    """A bundle cannot be read, or holds nothing that is known."""
