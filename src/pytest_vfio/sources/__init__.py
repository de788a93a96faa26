"""Reading hosts: one script and one session each, or a bundle that somebody recorded.

Whatever the way, what comes of it is `Evidence`, or `Unreachable` where there is none.
"""

from __future__ import annotations

from pytest_vfio.sources.bundles.recording import (
    dump_recording,
    load_recording,
    recording_path,
    write_recording,
)
from pytest_vfio.sources.errors import BundleError, TargetError
from pytest_vfio.sources.gather import (
    Progress,
    Reading,
    expand,
    gather,
    gather_now,
    read_bundle,
)
from pytest_vfio.sources.probe.text import probe_text
from pytest_vfio.sources.target import (
    Target,
    Unreachable,
    bundle_target,
    libvirt_target,
    target,
)

__all__ = [
    "BundleError",
    "Progress",
    "Reading",
    "Target",
    "TargetError",
    "Unreachable",
    "bundle_target",
    "dump_recording",
    "expand",
    "gather",
    "gather_now",
    "libvirt_target",
    "load_recording",
    "probe_text",
    "read_bundle",
    "recording_path",
    "target",
    "write_recording",
]
