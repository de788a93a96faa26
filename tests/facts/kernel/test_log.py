"""The kernel log, in every style of stamp, whole and not."""

from __future__ import annotations

import re
import sys

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from pytest_vfio.evidence import Item, Missing, Status
from pytest_vfio.facts.iommu import faults as iommu_faults
from pytest_vfio.facts.kernel import devicelog
from pytest_vfio.facts.kernel.log import KernelLog, stripped
from pytest_vfio.hypervisor import iommu
from pytest_vfio.judge import suite
from tests.hosts.plain import evidence, grepped

TEXT = "DMAR: IOMMU enabled"
STAMPS = [
    ("", None),
    ("[    0.004000] ", 0.004),
    ("[ 0.004000] ", 0.004),
    ("[0.004] ", 0.004),
    ("[    0.004000][    T0] ", 0.004),
    ("[    0.004000] [    T0] ", 0.004),
    ("<6>[    0.004000] ", 0.004),
    ("kern  :info  : [    0.004000] ", 0.004),
    ("[Mon Nov  2 12:56:10 2026] ", None),
    ("[Nov22 12:56] ", None),
    ("[  +0.000003] ", None),
    ("Nov 22 12:56:10 host kernel: ", None),
    ("Nov  2 12:56:10 host.example kernel: [    0.004000] ", 0.004),
    ("[    0.004000] host kernel: ", 0.004),
    ("2026-11-22T12:56:10+0000 host kernel: ", None),
    ("2026-11-22T12:56:10,004000+00:00 ", None),
    ("2026-11-22T12:56:10.004000+00:00 host kernel: [    0.004000] ", 0.004),
]


def log(**items) -> KernelLog:
    names = {"dmesg": "dmesg", "journal": "journal/kernel", "saved": "var/log/dmesg"}
    return KernelLog(evidence({names[name]: what for name, what in items.items()}))


WHOLE = "[    0.000000] Linux version 6.12.0 (x@y)\n[    0.100000] DMAR: Host address width 46\n"
LATE = "[  900.000000] usb 1-1: new device\n"


@pytest.mark.parametrize(("stamp", "seconds"), STAMPS)
def test_a_stamp_is_taken_off(stamp, seconds):
    """The message is the same whatever stands before it."""
    assert (seconds, TEXT) == stripped(stamp + TEXT)


@pytest.mark.parametrize(("stamp", "seconds"), STAMPS)
def test_a_line_is_found_in_every_style(stamp, seconds):
    """Patterns are not anchored, so stamps do not matter."""
    line = log(dmesg=grepped("dmesg", f"{stamp}x\n{stamp}{TEXT}\n")).first("IOMMU enabled")

    assert (TEXT, seconds) == (line.text, line.seconds)


@given(st.text(max_size=200))
def test_stripping_never_raises_and_never_adds(line):
    """Whatever the line, what is left is its end."""
    assert line.rstrip("\r").endswith(stripped(line)[1])


@given(st.lists(st.sampled_from([LATE, WHOLE, TEXT, "\0", "\n", "é\n"]), max_size=8).map("".join))
def test_any_text_is_a_log(text):
    """No text makes the log raise, but for a question that it cannot answer."""
    told = log(dmesg=text)

    assert len(told.lines) <= len(text.split("\n"))
    assert told.whole == (text.startswith(WHOLE[:20]) or "Linux version" in text)


def test_silence_of_a_whole_log_proves_absence():
    """It begins where the kernel began and was read to its end."""
    assert log(dmesg=WHOLE).find("AMD-Vi") is None


@pytest.mark.parametrize(
    "ring",
    [
        LATE,
        grepped("dmesg", WHOLE),
        Status.DENIED,
        Item("dmesg", Status.TRUNCATED, WHOLE.encode()),
        None,
    ],
)
def test_silence_of_any_other_log_proves_nothing(ring):
    """Overwritten, grepped, denied, cut, absent: unknown (S19)."""
    with pytest.raises(Missing):
        log(dmesg=ring).find("AMD-Vi")


def test_a_line_that_is_there_proves_itself():
    """Presence needs no whole log."""
    assert log(dmesg=grepped("dmesg", TEXT)).find("IOMMU enabled").text == TEXT


def test_the_journal_has_what_the_ring_lost():
    """The ring was overwritten; the journal begins where the kernel began."""
    told = log(dmesg=LATE, journal=WHOLE + LATE)

    assert told.whole
    assert told.find("Host address width") is not None
    assert told.find("AMD-Vi") is None


def test_the_journal_alone_proves_no_absence():
    """Where the ring was not read to its end, what was logged last may be missing."""
    with pytest.raises(Missing):
        log(journal=WHOLE).find("AMD-Vi")
    with pytest.raises(Missing):
        log(journal=WHOLE, dmesg=Item("dmesg", Status.TRUNCATED, LATE.encode())).find("AMD-Vi")
    assert log(journal=WHOLE, dmesg=Status.DENIED).find("AMD-Vi") is None


def test_a_journal_that_missed_messages_is_not_whole():
    """journald says so itself."""
    gap = WHOLE + "Nov 22 10:00:00 host systemd-journald[300]: Missed 18 kernel messages\n"

    assert not log(dmesg=LATE, journal=gap).whole


def test_the_same_line_of_two_sources_counts_once():
    """Ring and journal hold the same lines; a line said twice in one of them counts twice."""
    twice = f"[    1.000000] {TEXT}\n[    2.000000] {TEXT}\n"
    both = log(dmesg=twice, journal=twice.replace("] ", "] host kernel: "))

    assert [1.0, 2.0] == [line.seconds for line in both.seen("IOMMU enabled")]


def test_a_saved_log_of_another_boot_is_not_believed():
    """/var/log/dmesg counts only where it shares a line with this boot's log."""
    saved = WHOLE + f"[    2.000000] {TEXT}\n"

    assert log(dmesg=LATE, saved=saved).first("IOMMU enabled") is None
    assert log(dmesg=LATE, saved=saved + LATE).first("IOMMU enabled") is not None


@pytest.mark.parametrize(
    "head",
    [
        "[    0.000000] Booting Linux on physical CPU 0x0000000000 [0x410fd083]\n",
        "[    0.000000] microcode: microcode updated early to revision 0xde\n",
        "-- Journal begins at Mon 2026-11-02 10:00:00 UTC. --\n",
    ],
)
def test_a_line_may_stand_before_the_version(head):
    """arm64, older x86 kernels and journalctl say something first."""
    assert log(dmesg=head + WHOLE).whole


def patterns() -> list[str]:
    """Every pattern that the checks and facts of this project search the log for."""
    found = {r"BIOS|kvm (?:x|y) disabled by \d+", r"[ab] c d", r"no (interrupt|) remapping support"}
    for module in (*whole_suite_modules(), iommu, iommu_faults, devicelog):
        for value in vars(module).values():
            if isinstance(value, re.Pattern) and value.pattern.count(" ") > 1:
                found.add(value.pattern)
            elif isinstance(value, str) and "|" in value and " " in value and "\n" not in value:
                found.add(value)
    return sorted(found)


def whole_suite_modules() -> list[object]:
    """The modules that checks come from."""
    return [sys.modules[check.function.__module__] for check in suite.packaged()]


PRINTABLE = st.characters(min_codepoint=0x20, max_codepoint=0x7E)


@settings(max_examples=20, suppress_health_check=[HealthCheck.too_slow])
@pytest.mark.parametrize("pattern", patterns())
@given(data=st.data())
def test_no_line_is_missed_for_the_words_that_it_needs(pattern, data):
    """The short cut by words never hides a line that the pattern is found in."""
    line = data.draw(st.from_regex(re.compile(pattern), fullmatch=True, alphabet=PRINTABLE))

    assert 1 == len(log(dmesg=f"other\nx {line} x\nother\n").seen(pattern))
