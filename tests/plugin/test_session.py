"""What a person types, and what pytest and the exit code answer."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from xml.etree import ElementTree

import pytest

ROOT = Path(__file__).parents[2]
CHECKS = ROOT / "checks"

#: A host without a DMAR table: its IOMMU cannot be on.
SICK = """%vfio-probe 1
%item proc/cpuinfo
|processor : 0
|vendor_id : GenuineIntel
|flags : fpu vmx
%end present
%item sys/firmware/acpi/tables/
|FACP
|APIC
%end present
%item sys/firmware/acpi/tables/DMAR
%end absent
%item sys/firmware/acpi/tables/IVRS
%end absent
%item sys/firmware/acpi/tables/IORT
%end absent
%item devicetree/iommu
%end absent
%item sys/class/iommu
%end present
%item sys/kernel/iommu_groups
%end present
%item sys/bus/pci/devices
|0000:12:00.0/vendor=0x8086
|0000:12:00.0/device=0x1572
|0000:12:00.0/class=0x020000
|0000:12:00.0/driver->../../../bus/pci/drivers/i40e
%end present
%done 9
"""
INVENTORY = """
[hosts.sick]
bundle = "sick.vfio"
devices = ["12:00.0"]
[hosts.away]
connection = "ssh://nobody@127.0.0.1:1"
"""
SILENT = "an OpenSSH that cannot be reached needs no network: port 1 refuses"


@pytest.fixture
def run(pytester, monkeypatch):
    """Run pytest in a folder with an inventory of its own; returns the result."""
    monkeypatch.delenv("PYTEST_ADDOPTS", raising=False)
    pytester.path.joinpath("sick.vfio").write_text(SICK)
    pytester.path.joinpath("inventory.toml").write_text(INVENTORY)
    pytester.path.joinpath("pyproject.toml").write_text("[tool.pytest]\nstrict = true\n")

    def run(*arguments):
        return pytester.runpytest_subprocess(
            *("-c", "pyproject.toml", "--import-mode=importlib"),
            *("-p", "no:randomly", "-p", "no:hypothesispytest"),  # as on a machine that judges
            *map(str, arguments),
        )

    return run


def document(pytester):
    return json.loads(pytester.path.joinpath("reports/results.json").read_text())


def causes(pytester):
    (host,) = document(pytester)["hosts"]
    return [(cause["id"], cause["subject"]["name"]) for cause in host["diagnosis"]]


def test_bmt_is_judged_and_is_told_to_be_a_recording(run, pytester):
    """The first line says that bmt is a recording of unknown date; nothing gates."""
    result = run(CHECKS, "--host", "bmt")

    assert result.ret == 0
    assert result.outlines[0] == "bmt: a recording of unknown date (loose), not a live host"
    assert document(pytester)["hosts"][0]["verdict"] == "cannot tell"


def test_strict_unknown_gates_what_cannot_be_told(run):
    """bmt cannot be told: exit 1 under --strict-unknown."""
    assert run(CHECKS, "--host", "bmt", "--strict-unknown").ret == 1


@pytest.mark.parametrize("extra", [[], ["-n", "2"]])
def test_no_host_is_a_usage_error(run, extra):
    """Exit 4 with what to type, also under -n."""
    result = run(CHECKS, *extra)

    assert result.ret == 4
    (line,) = [line for line in [*result.errlines, *result.outlines] if "no host to judge" in line]
    assert "--host NAME" in line
    assert "bmt" in line


def test_a_session_without_checks_needs_no_host(run, pytester):
    """Ordinary tests run as ever."""
    pytester.makepyfile("def test_one(): assert True")

    assert run().ret == 0


def test_an_unknown_host_names_the_known_ones(run):
    """A name that is neither in the inventory nor known to OpenSSH is one error, exit 1."""
    result = run(CHECKS, "--host", "bmtt.invalid")

    assert result.ret == 1
    result.stdout.fnmatch_lines(["*bmtt.invalid*no such host in the inventory*"])


def test_an_unreachable_host_is_an_error_that_no_selection_removes(run, pytester):
    """-k and -m leave it; the other host is reported all the same."""
    result = run(CHECKS, "--host", "away,bmt", "-k", "DEV001", "-m", "blocker")
    hosts = {host["name"]: host for host in document(pytester)["hosts"]}

    assert result.ret == 1
    assert hosts["away"]["reachable"] is False
    assert {f["id"] for f in hosts["bmt"]["findings"] if f["selected"]} == {"DEV001"}


@pytest.mark.parametrize(
    "selection",
    [
        [],
        ["-k", "GRP001 or DEV004"],
        ["-k", "IOM001"],
        [CHECKS / "groups"],
        ["-n", "2"],
        ["-p", "randomly"],
        ["-x"],
    ],
    ids=str,
)
def test_every_selection_names_the_same_causes(run, pytester, selection):
    """Whatever is selected of a sick host, the causes are those of the whole run, and exit is 1."""
    run(CHECKS, "--host", "sick")
    whole = causes(pytester)
    result = run(
        *([] if isinstance(selection[:1], Path) else [CHECKS]), "--host", "sick", *selection
    )

    assert result.ret == 1
    assert causes(pytester) == whole
    assert whole[0] == ("FW002", "sick")


def test_last_failed_runs_what_was_blocked(run, pytester):
    """Once the cause is cured, --lf shows what its consequences are."""
    run(CHECKS, "--host", "sick")
    cured = SICK.replace(
        "%item sys/class/iommu\n", "%item sys/class/iommu\n|dmar0/intel-iommu/cap=d2\n"
    )
    pytester.path.joinpath("sick.vfio").write_text(cured)
    result = run(CHECKS, "--host", "sick", "--lf")

    findings = document(pytester)["hosts"][0]["findings"]
    selected = {f["id"] for f in findings if f["selected"]}
    assert result.ret == 1
    assert {"FW002", "DEV004"} <= selected
    assert "FW001" not in selected
    assert result.parseoutcomes()["deselected"] > 0


def test_collect_only_lists_ids_and_judges_nothing(run, pytester):
    """`--collect-only -q` prints host and subject in each id, and writes no report."""
    result = run(CHECKS, "--host", "sick", "--collect-only", "-q")

    assert result.ret == 0
    result.stdout.fnmatch_lines(["*test_existence.py::*[[]sick-0000:12:00.0[]]"])
    assert not pytester.path.joinpath("reports").exists()


def test_pytests_own_junitxml_works(run, pytester):
    """The file is read, and its failures are the gated findings."""
    run(CHECKS, "--host", "sick", "--junitxml=own.xml")
    root = ElementTree.parse(pytester.path / "own.xml").getroot()
    gated = [f for f in document(pytester)["hosts"][0]["findings"] if f["gates"]]

    assert len(list(root.iter("failure"))) == len(gated) > 0


def test_terminal_junit_json_and_exit_code_agree(run, pytester):
    """The numbers of failures are the same everywhere; JUnit has the verdict as one more."""
    result = run(CHECKS, "--host", "sick")
    gated = [f for f in document(pytester)["hosts"][0]["findings"] if f["gates"]]
    junit = ElementTree.parse(pytester.path / "reports/junit.xml").getroot()

    assert result.ret == 1
    assert junit.get("failures") == str(len(gated) + 1)
    assert result.parseoutcomes()["failed"] == len(gated)


@pytest.mark.parametrize("mark", ["cmdline", "security", "group"])
def test_checks_are_selected_by_layer_severity_and_subject(run, mark):
    """The words that `--markers` lists are marks of checks."""
    lines = run(CHECKS, "--host", "bmt", "-m", mark, "--collect-only", "-q").outlines
    chosen = [line for line in lines if "::" in line]

    assert 0 < len(chosen) < 100
    if mark == "cmdline":
        assert all("cmdline/" in line for line in chosen)


def test_explain_prints_a_page_without_a_host(run):
    """The check's own words; a typo names the nearest check."""
    page = run("--explain", "FW002")
    typo = run("--explain", "FW0002")

    assert page.ret == 0
    page.stdout.fnmatch_lines(["FW002*", "Checks:", "Why it matters:", "Fix:"])
    assert all(len(line) <= 80 and line == line.rstrip() for line in page.outlines)
    assert typo.ret == 4
    typo.stderr.fnmatch_lines(["*FW0002: no such check; did you mean 'FW002'?"])


def test_explain_leads_from_a_replaced_id_to_the_check_in_its_place(run):
    """With a word that says so."""
    page = run("--explain", "TUN005")

    assert page.ret == 0
    page.stdout.fnmatch_lines(["TUN005 was replaced by CMD031:", "CMD031*"])


@pytest.mark.parametrize("layer", ["CMD", "cmd", "cmdline"])
def test_explain_lists_the_checks_of_a_layer(run, layer):
    """By the prefix of its ids or by its name: each check with its title, in order."""
    page = run("--explain", layer)

    assert page.ret == 0
    assert page.outlines[0].startswith("CMD001  ")
    assert all(line.startswith("CMD") for line in page.outlines)


def test_explain_says_what_an_error_message_means(run):
    """Meaning, what to type next with what the message names, cure, entries, checks."""
    page = run("--explain", "vfio 0000:0a:00.0: group 14 is not viable")

    assert page.ret == 0
    page.stdout.fnmatch_lines(
        [
            "group-not-viable  said by QEMU; F92*",
            "*a member of it is bound to a driver of the host.",
            "Decides between its causes:",
            "    ls /sys/kernel/iommu_groups/14/devices",
            "Cure:",
            "Checks:",
            "    GRP001  *",
        ]
    )
    assert all(len(line) <= 80 and line == line.rstrip() for line in page.outlines)


def test_explain_finds_a_message_that_is_loosely_typed(run):
    """And says that it is a likeness; what is like nothing is a mistake of use."""
    loose = run("--explain", "stuck d3")
    nothing = run("--explain", "the weather is nice")

    assert loose.ret == 0
    loose.stdout.fnmatch_lines(["No known message has just these words*", "stuck-in-d3  *"])
    assert nothing.ret == 4
    nothing.stderr.fnmatch_lines(["*no known message is like it*"])


def test_print_probe_prints_the_script(run):
    """What it prints is a shell script."""
    result = run("--print-probe")

    assert result.ret == 0
    assert result.outlines[0].startswith("#!/bin/sh")


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["--host", ","], "names no host"),
        (["--hosts-from", "nothing"], "--hosts-from nothing: cannot be read"),
        (["--hosts-from", "/dev/null"], "names no host"),
        (["--host=-oProxyCommand=id"], "-oProxyCommand=id"),
        (["--bundle", "nowhere"], "nowhere"),
        (["--host", "bmt", "--fail-on", "blocked"], "known: blocker, security, degraded, advice"),
        (["--host", "bmt", "--report", "pdf"], "known: junit, junit-hosts, json"),
        (["--host", "bmt", "--inventory", "none.toml"], "none.toml"),
        (["--host", "bmt", "--parallel-hosts", "0"], "at least 1"),
        (["--host", "bmt", "--host-timeout", "0"], "more than 0"),
    ],
)
def test_bad_input_is_one_clear_message(run, arguments, words):
    """What was given and what is wrong stand in one line."""
    result = run(CHECKS, *arguments)

    assert result.ret in (1, 4)
    assert words in "\n".join([*result.errlines, *result.outlines])
    assert "Traceback" not in "\n".join([*result.errlines, *result.outlines])


OWN = '''
from pytest_vfio.check import ADVICE, BLOCKER, check, fails, passes

@check("OWN001", severity=BLOCKER, needs=["FW002"], refs=["TICKET-9"])
def test_my_rule(hypervisor, device):
    """My rule is broken"""
    return {verdict}
'''
FAILS = 'fails("no", actual=1, expected=2, evidence=device.function.quote("driver"))'


@pytest.mark.parametrize("extra", [[], ["-n", "2"]])
def test_a_users_own_check_is_in_the_same_reports(run, pytester, extra):
    """In a folder of one's own, with the same decorator, blocked by the packaged checks."""
    pytester.mkdir("mine").joinpath("test_mine.py").write_text(OWN.format(verdict=FAILS))
    result = run("mine", "--host", "sick", *extra)
    (own,) = [f for f in document(pytester)["hosts"][0]["findings"] if f["id"] == "OWN001"]

    assert result.ret == 1
    assert (own["outcome"], own["selected"], own["gates"]) == ("blocked", True, True)
    assert own["blocked_by"][0]["id"] == "FW002"
    assert document(pytester)["checks"]["OWN001"]["layer"] == "mine"


def test_two_collected_checks_of_one_id_are_refused(run, pytester):
    """The message names both files."""
    for name in ("a", "b"):
        text = OWN.format(verdict="passes('x')")
        pytester.mkdir(name).joinpath(f"test_{name}.py").write_text(text)
    result = run("a", "b", "--host", "sick")

    assert result.ret == 4
    result.stderr.fnmatch_lines(["*OWN001 is defined twice: *test_a.py and *test_b.py"])


def test_a_collected_check_overrides_the_packaged_one(run, pytester):
    """One's own DEV001 takes the place of the project's."""
    text = OWN.replace("OWN001", "DEV001").format(verdict="passes('mine')")
    pytester.mkdir("mine").joinpath("test_mine.py").write_text(text)
    run("mine", "--host", "bmt")
    findings = document(pytester)["hosts"][0]["findings"]
    found = [f for f in findings if f["id"] == "DEV001" and f["subject"]["kind"] == "device"]

    assert [f["message"] for f in found] == ["mine"] * 4


def test_an_ordinary_test_may_ask_for_the_hypervisor(run, pytester):
    """The fixture gives the facts, once for each host."""
    pytester.makepyfile(
        "def test_it(hypervisor):\n"
        "    assert hypervisor.pci.known['0000:12:00.0'].id == '8086:1572'"
    )
    result = run("--host", "sick,bmt")

    result.assert_outcomes(passed=2)


def test_testinfra_never_falls_back_to_this_machine(run, pytester):
    """A test that uses testinfra's `host` is skipped where only recordings are judged."""
    pytester.makepyfile("def test_it(host):\n    assert host.file('/').exists")
    run("--host", "sick").assert_outcomes(skipped=1)
    run("--host", "sick", "-n", "1").assert_outcomes(skipped=1)
    run("--host", "local").assert_outcomes(passed=1)
    run("--host", "sick", "--hosts", "local://").assert_outcomes(passed=1)


def test_a_waiver_holds_and_a_typo_in_it_does_not(run, pytester):
    """A waived cause does not gate; a waiver of an unknown check is a usage error."""
    inventory = pytester.path / "inventory.toml"
    waiver = '[[waivers]]\ncheck = "{}"\nreason = "TICKET-7"\nexpires = 2999-01-31\n'
    inventory.write_text(INVENTORY + waiver.format("FW002"))
    waived = run(CHECKS, "--host", "sick", "-k", "FW002")
    inventory.write_text(INVENTORY + waiver.format("FWW002"))
    typo = run(CHECKS, "--host", "sick")

    assert waived.ret == 0
    waived.stdout.fnmatch_lines(["*waived FW002*TICKET-7*"])
    assert typo.ret == 4
    typo.stderr.fnmatch_lines(["*'FWW002'; did you mean 'FW002'?"])


def test_a_waiver_of_a_replaced_check_holds_for_the_one_in_its_place(run, pytester):
    """With a sentence that names it."""
    waiver = '[[waivers]]\ncheck = "TUN005"\nreason = "TICKET-7"\nexpires = 2999-01-31\n'
    pytester.path.joinpath("inventory.toml").write_text(INVENTORY + waiver)

    told = ["waiver of TUN005 (TICKET-7) is one of CMD031, which has replaced it"]
    run(CHECKS, "--host", "sick").stdout.fnmatch_lines(told)


@pytest.mark.parametrize(
    ("more", "words"),
    [
        ("", "covers nothing"),
        ('host = "sick"\n', "covers nothing on sick"),
        ('subject = "0000:99:00.0"\n', "covers nothing of 0000:99:00.0"),
        ('host = "sik"\n', "is for no known host, 'sik'; did you mean 'sick'?"),
    ],
)
def test_a_waiver_that_covers_nothing_is_told(run, pytester, more, words):
    """What was cured, or misspelt, is not carried along in silence."""
    waiver = f'[[waivers]]\ncheck = "FW001"\nreason = "TICKET-7"\nexpires = 2999-01-31\n{more}'
    pytester.path.joinpath("inventory.toml").write_text(INVENTORY + waiver)

    run(CHECKS, "--host", "sick").stdout.fnmatch_lines([f"waiver of FW001 (TICKET-7) {words}"])


def test_a_waiver_for_another_host_is_none_of_a_runs_business(run, pytester):
    """Neither one of the inventory that is not judged, nor one that only another run names."""
    waiver = (
        '[[waivers]]\ncheck = "FW001"\nreason = "TICKET-7"\nexpires = 2999-01-31\nhost = "{}"\n'
    )
    text = INVENTORY + waiver.format("bmt") + waiver.format("elsewhere")
    pytester.path.joinpath("inventory.toml").write_text(text)

    assert "TICKET-7" not in run(CHECKS, "--host", "sick").stdout.str()


def test_an_interrupted_run_says_that_it_is_not_complete(run, pytester):
    """After -x the reports are written, and say so."""
    run(CHECKS, "--host", "sick", "-x")

    assert document(pytester)["complete"] is False


@pytest.mark.parametrize("extra", [[], ["-n", "2"]])
def test_where_there_is_nothing_but_checks_no_letters_are_printed(run, extra):
    """All is judged before the first would be: a wall of dots tells nobody anything."""
    lines = run(CHECKS, "--host", "bmt", *extra).outlines

    assert not [line for line in lines if "[100%]" in line or line.startswith(("..", "test_"))]
    assert lines[-1].endswith("=")
    assert " passed, " in lines[-1]


def test_letters_are_printed_where_tests_take_their_time(run, pytester):
    """Beside ordinary tests, and files with them, as pytest does."""
    pytester.makepyfile("def test_one(): assert True")

    assert "test_tables.py" in run(CHECKS, str(pytester.path), "--host", "bmt").stdout.str()


def test_quiet_is_quiet(run):
    """-qq prints no summary of ours."""
    assert "cannot tell" not in run(CHECKS, "--host", "bmt", "-qq").stdout.str()


def test_a_mistake_in_the_inventory_is_one_message_where_no_host_is_named(run, pytester):
    """Found while files are collected, and still a usage error; a run of tests alone goes on."""
    pytester.path.joinpath("inventory.toml").write_text("[hosts.x]\nconection = 'y'\n")
    pytester.makepyfile("def test_one(): assert True")
    result = run(CHECKS)

    assert result.ret == 4
    result.stderr.fnmatch_lines(["*unknown key 'conection'; did you mean 'connection'?"])
    assert run("test_a_mistake_in_the_inventory_is_one_message_where_no_host_is_named.py").ret == 0


def test_the_plugin_costs_little_where_nothing_is_judged():
    """Every pytest run loads it: facts, sources and rich wait until a host is named."""
    code = "import sys, pytest_vfio.plugin; print(*sys.modules)"
    out = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)

    heavy = {"rich", "asyncio", "pytest_vfio.plugin.session", "pytest_vfio.facts"}
    assert not heavy & {*out.stdout.split()}


def test_without_a_terminal_reporter_the_reports_are_written(run, pytester):
    """-p no:terminal prints nothing, and judges as ever."""
    assert run(CHECKS, "--host", "sick", "-p", "no:terminal").ret == 1
    assert document(pytester)["complete"] is True


def test_an_expired_waiver_is_told(run, pytester):
    """What it covered gates again, and the line says since when."""
    waiver = '[[waivers]]\ncheck = "FW002"\nreason = "TICKET-7"\nexpires = 2020-01-31\n'
    pytester.path.joinpath("inventory.toml").write_text(INVENTORY + waiver)
    result = run(CHECKS, "--host", "sick", "-k", "FW002")

    assert result.ret == 1
    result.stdout.fnmatch_lines(["*waiver of FW002 has expired on 2020-01-31 (TICKET-7)"])


def test_a_host_that_cannot_be_judged_is_an_error_in_every_report(run, pytester):
    """What gates a host as such stands in the terminal, in JUnit and in JSON alike."""
    result = run(CHECKS, "--host", "bmt", "--strict-unknown", "-k", "FW002")
    junit = ElementTree.parse(pytester.path / "reports/junit.xml").getroot()

    assert result.ret == 1
    assert result.parseoutcomes()["errors"] == 1
    assert junit.get("errors") == "1"
    assert "--strict-unknown" in document(pytester)["hosts"][0]["reason"]


def test_what_nobody_knows_is_not_told_as_nothing(run, pytester):
    """A folder with nothing but a log does not say that no device is meant for a guest."""
    pytester.mkdir("case").joinpath("dmesg.txt").write_text("[    0.000000] Linux version 6.1.0\n")
    result = run(CHECKS, "--bundle", "case", "-k", "DEV001")

    assert document(pytester)["hosts"][0]["verdict"] == "cannot tell"
    result.stdout.fnmatch_lines(["*there may be devices to pass through: *not read"])
    assert "no device is meant" not in result.stdout.str()


def test_nothing_but_ascii_where_the_locale_has_nothing_else(run, monkeypatch):
    """LC_ALL=C: also what a host says is printed as escapes."""
    monkeypatch.setenv("LC_ALL", "C")
    result = run(CHECKS, "--host", "sick", "-v")

    assert result.stdout.str().isascii()
