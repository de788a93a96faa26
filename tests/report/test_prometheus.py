"""vfio.prom in a real node_exporter and a real Prometheus: scraped, asked, and an alert comes and goes."""

from __future__ import annotations

import json
import shutil
import socket
import subprocess
import time
import urllib.parse
import urllib.request
from pathlib import Path

import pytest
from msgspec import structs

from pytest_vfio.judge.result import HostVerdict
from pytest_vfio.report import metrics
from tests.report import sample

DASHBOARDS = Path(__file__).parents[2] / "docs" / "dashboards"
TOOLS = ("prometheus", "prometheus-node-exporter", "promtool")

pytestmark = pytest.mark.skipif(
    not all(map(shutil.which, TOOLS)), reason="Prometheus and node_exporter are not installed"
)


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


def eventually(question, seconds=60):
    """The first answer that is true; the last one where none was in time."""
    until = time.monotonic() + seconds
    while not (answer := question()) and time.monotonic() < until:
        time.sleep(0.25)
    return answer


class Prometheus:
    """A server that scrapes a textfile folder every second, with our alerts but for their delay."""

    def __init__(self, folder: Path) -> None:
        self.textfiles = folder / "textfiles"
        self.textfiles.mkdir()
        self.port, exporter = free_port(), free_port()
        rules = (DASHBOARDS / "alerts.yml").read_text().replace("for: 15m", "for: 0s")
        (folder / "alerts.yml").write_text(rules)
        (folder / "prometheus.yml").write_text(
            "global: {scrape_interval: 1s, evaluation_interval: 1s}\n"
            "rule_files: [alerts.yml]\n"
            "scrape_configs:\n"
            "  - job_name: node\n"
            f"    static_configs: [{{targets: ['127.0.0.1:{exporter}']}}]\n"
        )
        quiet = {"stdout": subprocess.DEVNULL, "stderr": subprocess.DEVNULL}
        self.processes = [
            subprocess.Popen(
                [
                    "prometheus-node-exporter",
                    "--collector.disable-defaults",
                    "--collector.textfile",
                    f"--collector.textfile.directory={self.textfiles}",
                    f"--web.listen-address=127.0.0.1:{exporter}",
                ],
                **quiet,
            ),
            subprocess.Popen(
                [
                    "prometheus",
                    f"--config.file={folder / 'prometheus.yml'}",
                    f"--storage.tsdb.path={folder / 'data'}",
                    f"--web.listen-address=127.0.0.1:{self.port}",
                ],
                **quiet,
            ),
        ]

    def write(self, *hosts) -> None:
        run = structs.replace(
            sample.run(*hosts), started=time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime())
        )
        scratch = self.textfiles / "vfio.tmp"
        scratch.write_bytes(metrics.render(run))
        scratch.replace(self.textfiles / "vfio.prom")

    def get(self, path: str) -> dict:
        try:
            with urllib.request.urlopen(f"http://127.0.0.1:{self.port}/api/v1/{path}") as answer:
                return json.load(answer)["data"]
        except OSError:
            return {}

    def ask(self, query: str) -> list[dict]:
        return self.get(f"query?{urllib.parse.urlencode({'query': query})}").get("result", [])

    def alerts(self) -> set[tuple[str, str]]:
        firing = [one for one in self.get("alerts").get("alerts", ()) if one["state"] == "firing"]
        return {(one["labels"]["alertname"], one["labels"].get("hypervisor", "")) for one in firing}


@pytest.fixture(scope="module")
def prometheus(tmp_path_factory):
    server = Prometheus(tmp_path_factory.mktemp("prometheus"))
    yield server
    for process in server.processes:
        process.terminate()
        process.wait()


def test_the_rules_are_rules():
    """promtool takes the alert rules."""
    subprocess.run(["promtool", "check", "rules", DASHBOARDS / "alerts.yml"], check=True)


def test_an_alert_comes_and_goes_and_the_dashboard_has_answers(prometheus):
    """A host that is not ready fires, one that is ready again clears, and every panel is answered."""
    sick = sample.host()
    prometheus.write(sick, sample.unreachable())
    expected = {("HypervisorNotReady", sick.name), ("HypervisorUnreachable", "gone")}

    assert eventually(lambda: prometheus.alerts() >= expected)
    panels = json.loads((DASHBOARDS / "grafana.json").read_text())["panels"]
    queries = [target["expr"] for panel in panels for target in panel["targets"]]
    unanswered = {query for query in queries if not prometheus.ask(query)}
    assert unanswered == {
        "time() - min(vfio_host_read_timestamp_seconds)"
    }  # recordings without date

    well = structs.replace(
        sick, verdict=HostVerdict.READY, diagnosis=(), collected="2026-11-22T11:00:00Z"
    )
    prometheus.write(well)
    assert eventually(lambda: not prometheus.alerts())
    assert prometheus.ask("time() - min(vfio_host_read_timestamp_seconds)")
