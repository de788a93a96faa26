"""vfio.prom is read by Prometheus' own tools, and keeps to what alerts need."""

from __future__ import annotations

import re
import shutil
import subprocess

import pytest
from msgspec import structs

from pytest_vfio.report import metrics
from tests.report import sample

SAMPLE = re.compile(r"^([a-z_]+)\{(.*)\} (\S+)$")


def samples(*hosts) -> dict[str, list[tuple[str, float]]]:
    found: dict[str, list[tuple[str, float]]] = {}
    for line in metrics.render(sample.run(*hosts)).decode().splitlines():
        if not line.startswith("#"):
            match = SAMPLE.match(line)
            assert match is not None, line
            found.setdefault(match[1], []).append((match[2], float(match[3])))
    return found


@pytest.mark.skipif(shutil.which("promtool") is None, reason="Prometheus is not installed")
def test_promtool_has_nothing_to_say():
    """Prometheus' own linter takes names, types and hostile labels without a word."""
    told = subprocess.run(
        ["promtool", "check", "metrics"],
        input=metrics.render(sample.run()),
        capture_output=True,
        check=False,
    )

    assert (told.returncode, told.stdout, told.stderr) == (0, b"", b"")


def test_a_verdict_is_a_set_of_states():
    """One of three is 1 and the others 0, so that an alert clears by itself."""
    found = samples(sample.host())["vfio_host_verdict"]

    assert dict(found) == {
        'hypervisor="bmt.example.org",verdict="ready"': 0,
        'hypervisor="bmt.example.org",verdict="not_ready"': 1,
        'hypervisor="bmt.example.org",verdict="cannot_tell"': 0,
    }


def test_no_failures_are_told_as_zero():
    """A count that can become zero is written as zero: a series that ends never clears an alert."""
    found = samples(sample.unreachable())["vfio_host_findings"]

    assert {labels.split('severity="')[1]: count for labels, count in found} == {
        'blocker"': 0,
        'security"': 0,
        'degraded"': 0,
        'advice"': 0,
    }


def test_an_unreachable_host_is_down():
    """It has its series, and is not up."""
    assert samples(sample.unreachable())["vfio_host_up"] == [('hypervisor="gone"', 0)]


def test_no_label_grows_with_a_host():
    """Series of a host stay few, however many findings it has: none names a device or a message."""
    host = sample.host()
    many = structs.replace(host, findings=host.findings * 50)
    few = [len(series) for series in samples(host).values()]

    assert [len(series) for series in samples(many).values()] == few
    assert sum(few) < 40


def test_pools_are_told_apart():
    """The series of a run bear the pool, so that two files in one folder do not collide."""
    text = metrics.render(structs.replace(sample.run(), pool='nfv "1"')).decode()

    assert 'vfio_run_complete{pool="nfv \\"1\\""} 1' in text
    assert 'vfio_run_timestamp_seconds{pool="nfv \\"1\\""} 1795348800' in text


def test_the_file_ends_with_a_line_feed_and_has_no_timestamps():
    """node_exporter leaves out the whole file for either."""
    text = metrics.render(sample.run()).decode()

    assert text.endswith("\n")
    assert all(
        len(line.rsplit("}", 1)[1].split()) == 1 for line in text.splitlines() if "}" in line
    )
