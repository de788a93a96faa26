"""The pytest plugin: the command line, and the session that does the work. Thin.

Every pytest run of an environment loads this file, most of them to judge nothing: what does the
work is imported once a host is named, or a check is collected.
"""

from __future__ import annotations

import contextlib
import gc
from collections.abc import Iterator
from pathlib import Path
from types import ModuleType
from typing import TYPE_CHECKING, Any

import pytest

from pytest_vfio.check import Check, Severity, SubjectKind
from pytest_vfio.judge.suite import LAYERS, SuiteError, is_packaged
from pytest_vfio.mistakes import Mistake
from pytest_vfio.plugin import usage

if TYPE_CHECKING:
    from pytest_vfio.hypervisor.hypervisor import Hypervisor
    from pytest_vfio.plugin.session import Session

#: Features that know pytest: each has its options, and registers itself where it is asked for.
pytest_plugins = (
    "pytest_vfio.plugin.explain",
    "pytest_vfio.plugin.recording",
    "pytest_vfio.plugin.remedy",
    "pytest_vfio.plugin.workers",
)

SESSION = pytest.StashKey["Session"]()


def pytest_addoption(parser: pytest.Parser) -> None:
    """The command line of section 8 of the design."""
    group = parser.getgroup("vfio", "PCI passthrough of KVM/libvirt hypervisors")
    group.addoption(
        "--host",
        dest="vfio_hosts",
        action="append",
        default=[],
        metavar="NAME",
        help="host to judge: a name in the inventory, local, an OpenSSH alias or user@host, a "
        "testinfra spec (ssh://, docker://, ansible://group); also a group of the inventory, or all "
        "of it; repeat, or separate by commas",
    )
    group.addoption(
        "--hosts-from",
        dest="vfio_hosts_from",
        action="append",
        default=[],
        metavar="FILE",
        help="hosts to judge, one a line as after --host, with # comments; - is standard input",
    )
    group.addoption(
        "--inventory",
        dest="vfio_inventory",
        metavar="FILE",
        help="hosts and what each is meant to pass through; default: inventory.toml beside "
        "pyproject.toml or here, else the shipped one, which has bmt",
    )
    group.addoption(
        "--bundle",
        dest="vfio_bundles",
        action="append",
        default=[],
        metavar="[NAME=]PATH",
        help="judge recorded evidence instead of a host: a recording, a sosreport (folder or "
        "archive), a folder of loose files, or a text with anything pasted together; repeat",
    )
    group.addoption(
        "--device",
        dest="vfio_devices",
        action="append",
        default=[],
        metavar="SPEC",
        help="a device that the hosts are to pass through, in place of what the inventory says: an "
        "id (8086:1572), an address (0000:12:00.0) or an interface (eth2); repeat",
    )
    group.addoption(
        "--survey",
        dest="vfio_survey",
        action="store_true",
        help="judge every device as if it were to be passed through, and print a table of what each "
        "would take; only what is wrong with the host itself fails the run",
    )
    group.addoption(
        "--libvirt-uri",
        dest="vfio_libvirt_uris",
        action="append",
        default=[],
        metavar="URI",
        help="read a host through libvirt's API, read-only; repeat",
    )
    group.addoption(
        "--per",
        dest="vfio_per",
        choices=("host", "check", "subject"),
        help="what is one item of pytest's: a host, a check on a host, or each of its findings "
        "(subject); default: subject, and host for more than 20 hosts where nothing is selected; "
        "findings are in the reports either way",
    )
    group.addoption(
        "--fail-on",
        dest="vfio_fail_on",
        default="blocker,security",
        metavar="LIST",
        help="severities whose failures make the run fail, of blocker (always does), security, "
        "degraded, advice; default: blocker,security; a host's verdict does not depend on it",
    )
    group.addoption(
        "--strict-unknown",
        dest="vfio_strict_unknown",
        action="store_true",
        help="fail also where it cannot be told",
    )
    group.addoption(
        "--report",
        dest="vfio_reports",
        default="junit,json",
        metavar="LIST",
        help="reports to write, of junit, junit-hosts (a file for each host), json, html, markdown, metrics, "
        "or none; default: junit,json",
    )
    group.addoption(
        "--report-dir",
        dest="vfio_report_dir",
        metavar="DIR",
        help="folder for the reports; default: reports/ beside pyproject.toml, or here",
    )
    group.addoption(
        "--parallel-hosts",
        dest="vfio_parallel",
        type=int,
        default=32,
        metavar="N",
        help="hosts read at the same time; default: 32",
    )
    group.addoption(
        "--host-timeout",
        dest="vfio_timeout",
        type=float,
        default=60.0,
        metavar="S",
        help="seconds after which the reading of a host is cut off; default: 60",
    )


@pytest.hookimpl(tryfirst=True)
def pytest_load_initial_conftests(early_config: pytest.Config) -> None:
    """Refuse `--host @FILE`, before lines of the file that pytest took for options do more."""
    with usage.told():
        usage.must_not_expand(early_config.invocation_params.args)


def pytest_configure(config: pytest.Config) -> None:
    """Make the words known by which checks can be selected with -m."""
    for severity in Severity:
        config.addinivalue_line("markers", f"{severity.value}: a check of this severity")
    for subject in SubjectKind:
        config.addinivalue_line("markers", f"{subject}: a check about a {subject}")
    for layer in LAYERS:
        config.addinivalue_line("markers", f"{layer}: a check of this layer")


def _session(config: pytest.Config) -> Session:
    """The session of this process, started by whoever asks first. Raises Mistake."""
    if SESSION not in config.stash:
        from pytest_vfio.plugin import reading, remedy, seeking, signals  # noqa: PLC0415 - see above

        signals.heed(config)
        with _everything_stays():
            if _named(config):
                seeking.must_be_there(config)
            asked = reading.asked(config)
            remedy.must_be_possible(config, asked)
            readings = reading.read(config, asked, meanwhile=_what_judges)
            mended = remedy.mend(config, asked, readings) if remedy.writes(config) else {}
            if mended:  # what is reported is how the hosts are now
                readings = reading.read(config, asked, meanwhile=_what_judges)
            session = _what_judges().Session(config, asked, readings, mended)
        session.start()
        config.stash[SESSION] = session
        config.pluginmanager.register(session, "vfio-session")
    return config.stash[SESSION]


def _named(config: pytest.Config) -> bool:
    """Whether the command line names hosts."""
    ways = ("vfio_hosts", "vfio_hosts_from", "vfio_bundles", "vfio_libvirt_uris")
    return any(getattr(config.option, way) for way in ways)


def _what_judges() -> ModuleType:
    """All that judges and reports. To import it takes about as long as a host to answer."""
    from pytest_vfio.judge import suite  # noqa: PLC0415 - see above
    from pytest_vfio.plugin import session  # noqa: PLC0415 - see above

    with contextlib.suppress(SuiteError):  # whoever collects the file is told
        suite.packaged()
    return session


@contextlib.contextmanager
def _everything_stays() -> Iterator[None]:
    """No search for garbage: what is imported and read is needed to the end, and it is much."""
    searching = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        gc.freeze()
        if searching:
            gc.enable()


def _collecting(config: pytest.Config) -> Session | None:
    """The same while files are collected; None where it is a mistake to ask."""
    if usage.kept(config) is None:
        try:
            return _session(config)
        except Mistake as mistake:
            usage.keep(config, mistake)
    return None


@pytest.hookimpl(tryfirst=True)
def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Say what could not be said while files were collected."""
    usage.tell(config, items)


@pytest.hookimpl(tryfirst=True)
def pytest_sessionstart(session: pytest.Session) -> None:
    """Where hosts are named, read them before anything is collected."""
    config = session.config
    given = "vfio" in getattr(config, "workerinput", {})
    if _named(config) or config.option.vfio_inventory or given:
        with usage.told():
            _session(config)


def pytest_pycollect_makemodule(
    module_path: Path, parent: pytest.Collector
) -> pytest.Collector | None:
    """Collect a file of the packaged suite, which is imported for judging, as it is."""
    with contextlib.suppress(SuiteError):  # pytest tells best what is wrong with a file
        if is_packaged(module_path):
            from pytest_vfio.plugin.items import CheckFile  # noqa: PLC0415 - see above

            return CheckFile.from_parent(parent, path=module_path, collected=_collected)
    return None


def _collected(collector: pytest.Collector, name: str, check: Check) -> list[pytest.Item]:
    session = _collecting(collector.config)
    try:
        return [] if session is None else list(session.collected(collector, name, check))
    except Mistake as mistake:
        usage.keep(collector.config, mistake)
        return []


def pytest_pycollect_makeitem(
    collector: pytest.Collector, name: str, obj: object
) -> list[pytest.Item] | None:
    """Collect a decorated function as items of our own."""
    check = getattr(obj, "vfio_check", None)
    return _collected(collector, name, check) if isinstance(check, Check) else None


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    """An ordinary test may ask for `hypervisor`: it runs once for each host that was read."""
    if "hypervisor" in metafunc.fixturenames:
        session = _collecting(metafunc.config)
        names = [] if session is None else list(session.run.hosts)
        metafunc.parametrize("hypervisor", names, indirect=True, scope="session")


@pytest.fixture(scope="session")
def hypervisor(request: pytest.FixtureRequest) -> Hypervisor:
    """The facts of a host, for a test that is no check; the test runs once for each host."""
    return request.config.stash[SESSION].run.hosts[request.param].hypervisor


def pytest_report_teststatus(report: Any, config: pytest.Config) -> tuple[str, str, str] | None:
    """Our letters and words."""
    if not hasattr(report, "vfio_shown"):
        return None
    category, letter, word = report.vfio_shown
    verbose = config.get_verbosity(pytest.Config.VERBOSITY_TEST_CASES) > 0
    return category, letter, word if letter or verbose else ""
