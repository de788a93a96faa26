"""Every item of live evidence."""

from __future__ import annotations

PLAIN_NAMES: tuple[str, ...] = ()
