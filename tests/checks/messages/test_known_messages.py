"""Known messages in what people paste: each is evidence on its own."""

from __future__ import annotations

from datetime import date

from pytest_vfio.check import Outcome, Severity
from pytest_vfio.declared import Declared, WantedDevice
from pytest_vfio.hypervisor.hypervisor import Hypervisor
from pytest_vfio.judge.host_run import HostRun
from pytest_vfio.judge.policy import Policy
from pytest_vfio.judge.result import HostResult, HostVerdict
from pytest_vfio.sources.bundles.paste import carve
from tests.ask import ask
from tests.hosts import plain
from tests.hosts.recorded import whole_suite

NOT_VIABLE = (
    "qemu-system-x86_64: -device vfio-pci,host=0000:01:00.0: vfio 0000:01:00.0: "
    "group 1 is not viable\n"
)
ROOM = "[ 4593.404028] i915 0000:00:02.0: not enough MMIO resources for SR-IOV\n"
LISTING = """
IOMMU Group 1 01:00.0 VGA compatible controller [0300]: NVIDIA Corporation GM107M [10de:1392]
IOMMU Group 1 01:00.1 Audio device [0403]: NVIDIA Corporation Device [10de:0fbc]

01:00.0 VGA compatible controller [0300]: NVIDIA Corporation GM107M [10de:1392]
\tKernel driver in use: vfio-pci
01:00.1 Audio device [0403]: NVIDIA Corporation Device [10de:0fbc]
\tKernel driver in use: snd_hda_intel
"""
LOG = "[    0.000000] Linux version 6.1.0 (x@y)\n"
WANTED = Declared(devices=(WantedDevice(address="0000:01:00.0"),))
POLICY = Policy(frozenset({Severity.BLOCKER}), strict=False, waivers=(), today=date(2026, 11, 22))


def pasted(text: str) -> Hypervisor:
    return Hypervisor(carve(text, "post"))


def judged(text: str) -> HostResult:
    run = HostRun(carve(text, "post"), Declared(), POLICY)
    run.judge(whole_suite())
    return run.result(())


def test_MSG001_fails_with_the_line_that_says_so():
    """The message names the device, and the wish to pass it through."""
    hypervisor = pasted(NOT_VIABLE)
    (wanted,) = hypervisor.intent.known
    verdict = ask("MSG001", hypervisor, wanted)

    assert verdict.outcome is Outcome.FAIL
    assert verdict.severity is Severity.BLOCKER
    assert verdict.evidence[0].line == NOT_VIABLE.strip()
    assert verdict.refs[0] == "F92"


def test_MSG001_passes_on_a_device_that_is_not_named():
    """The whole log was read, and no known message in it is about the device."""
    hypervisor = plain.hypervisor({"dmesg": LOG}, WANTED)
    (wanted,) = hypervisor.intent.known

    assert ask("MSG001", hypervisor, wanted).outcome is Outcome.PASS


def test_MSG001_unknown_without_any_log():
    """No log was read."""
    hypervisor = plain.hypervisor({}, WANTED)
    (wanted,) = hypervisor.intent.known

    assert ask("MSG001", hypervisor, wanted).outcome is Outcome.UNKNOWN


def test_MSG001_leaves_a_host_of_which_the_state_was_read_to_other_checks():
    """A log is history there."""
    tree = {"sys/bus/pci/devices": "0000:01:00.0/class=0x030000", "dmesg": NOT_VIABLE}

    assert ask("MSG002", plain.hypervisor(tree)).outcome is Outcome.SKIP


def test_MSG002_passes_on_a_whole_log_without_known_errors():
    """Nothing that is known to hurt stands in it."""
    assert ask("MSG002", plain.hypervisor({"dmesg": LOG})).outcome is Outcome.PASS


def test_MSG002_unknown_without_any_log():
    """No log was read."""
    assert ask("MSG002", plain.hypervisor({})).outcome is Outcome.UNKNOWN


def test_MSG002_fails_on_what_names_no_intended_device():
    """The device that makes the VFs is not passed through itself."""
    verdict = ask("MSG002", pasted(ROOM))

    assert verdict.outcome is Outcome.FAIL
    assert verdict.severity is Severity.BLOCKER
    assert "0000:00:02.0" in verdict.message


def test_a_message_that_stops_a_guest_makes_the_host_not_ready():
    """The message is the cause, and the device's own sentence says so."""
    told = judged(NOT_VIABLE)

    assert told.verdict is HostVerdict.NOT_READY
    assert told.reason == ""
    assert [cause.id for cause in told.diagnosis] == ["MSG001"]
    (wanted,) = told.facts.intended
    assert wanted.intent_from == "qemu"
    assert "cannot be assigned" in wanted.sentence


def test_a_failure_of_state_explains_the_message_that_is_a_sign_of_it():
    """Where drivers and groups are in the text too, the member that keeps VFIO out is the cause."""
    told = judged(NOT_VIABLE + LISTING)

    assert [cause.id for cause in told.diagnosis] == ["GRP001"]
    assert ("MSG001", "0000:01:00.0") in {
        (key.id, key.subject.name) for key in told.diagnosis[0].explains
    }


def test_a_harmless_message_is_said_to_be_harmless():
    """It is no failure, and it is answered."""
    told = judged("[   12.0] vfio-pci 0000:00:02.0: vfio_ecap_init: hiding ecap 0x1b@0x100\n")

    assert told.diagnosis == ()
    assert told.notes[0].startswith("harmless: 0000:00:02.0: ")


def test_a_text_that_says_nothing_is_no_error_and_asks_for_more():
    """It is no host: what to paste is told, at most three commands."""
    told = judged("hello, my graphics card does not work\n")

    assert told.verdict is HostVerdict.CANNOT_TELL
    assert told.reason == ""
    assert told.notes == ("nothing in this text says anything about passthrough",)
    assert 1 <= len(told.would_decide) <= 3
