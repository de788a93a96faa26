"""Known messages are found behind whatever stands before them, and taken back by what follows."""

from __future__ import annotations

import json
import textwrap
from collections.abc import Callable

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pytest_vfio.parse.messages import ROWS, Message, Speaker, Weight, bare, recognise, standing
from tests.hosts.recorded import evidence, lab_bundles
from tests.lab.scenarios import HEALTHY

EXAMPLES = sorted({example for row in ROWS for form in row.forms for example in form.examples})

#: What logs, journals, mails and forums put before a line.
BEFORE = (
    "    ",
    "\t",
    "> ",
    "> > ",
    "[  812.151302] ",
    "[    0.361089] [    T1] ",
    "[12345.678901][ T1234] ",
    "<4>[  892.924004] ",
    "[Mon Nov 22 12:00:00 2026] ",
    "Aug 10 18:05:51 nas kernel: ",
    "2026-11-22T12:00:00.123456+0100 hv kernel: ",
    "2026-11-22T12:00:00,123456+01:00 ",
    "Nov 22 12:00:00 hv libvirtd[1234]: ",
    "2021-05-02T08:10:38.221320Z qemu-system-x86_64: ",
    "2026-11-22 11:00:00.123+0000: 1234: error : virPCIDeviceNew:1234 : ",
    "error: internal error: ",
    "Jul 23 18:06:37 hv QEMU[69339]: kvm: ",
    "qemu-system-x86_64: -device vfio-pci,host=0000:7f:00.0,id=hostdev0: ",
)


CLOSED = "internal error: qemu unexpectedly closed the monitor: 2024-05-02T08:10:38Z qemu-kvm: "


def named(messages: tuple[Message, ...]) -> list[tuple[str, dict[str, str]]]:
    return [(message.row.id, dict(message.names)) for message in messages]


@pytest.mark.parametrize("before", BEFORE)
def test_what_stands_before_a_message_changes_nothing(before: str):
    """Indentation, quoting, stamps, caller ids and names of programs are no part of a message."""
    lost = [
        example
        for example in EXAMPLES
        if {message.row.id for message in recognise([example])}
        != {message.row.id for message in recognise([before + example])}
    ]

    assert lost == []


@given(st.sampled_from(EXAMPLES), st.lists(st.sampled_from(BEFORE[:12]), max_size=3))
def test_stamps_and_quotes_change_nothing_that_is_named(example: str, before: list[str]):
    """However a line was quoted, the same is named by the same message."""
    assert named(recognise(["".join(before) + example])) == named(recognise([example]))


@given(st.sampled_from(EXAMPLES))
def test_a_message_inside_json_is_the_same(example: str):
    """Events of a cluster carry messages behind one or two layers of escapes."""
    once = json.dumps({"message": f"server error: {example}\r\nmore"})
    twice = json.dumps(once)

    for escaped in (once, twice):
        assert named(recognise([escaped])) == named(recognise([example]))


@given(st.lists(st.text()))
def test_no_text_makes_it_fail(lines: list[str]):
    """Whatever is pasted is looked through, and every message names its own line."""
    for message in recognise(lines):
        assert lines[message.index] == message.line
        assert bare(message.line) in message.line


@given(st.lists(st.sampled_from(EXAMPLES), max_size=12), st.text(max_size=3))
def test_messages_come_in_the_order_of_their_lines(lines: list[str], between: str):
    """A log is read from its beginning; what stands of it is part of what was said."""
    said = recognise([*lines, between])
    held = standing(said)

    assert [message.index for message in said] == sorted(message.index for message in said)
    assert {(m.row.id, m.index) for m in held} <= {(m.row.id, m.index) for m in said}
    assert not any(message.row.weight is Weight.PASSED for message in held)


@pytest.mark.parametrize(("quote", "width"), [("", 72), ("> ", 72), ("> > ", 66), ("    ", 78)])
def test_a_message_that_a_mail_wrapped_is_the_same(quote: str, width: int):
    """Broken at blanks, quoted or indented: what was said is recognised, and nothing else."""
    other, lost = _after(lambda line: textwrap.wrap(line, width, break_on_hyphens=False), quote)

    assert other == []
    assert len(lost) <= 0.02 * len(EXAMPLES), lost


@pytest.mark.parametrize("width", [80, 100])
def test_a_message_that_a_terminal_broke_is_the_same(width: int):
    """Broken anywhere, always at the same width."""
    other, lost = _after(lambda line: [line[at : at + width] for at in range(0, len(line), width)])

    assert other == []
    assert len(lost) <= 0.02 * len(EXAMPLES), lost


def _after(broken: Callable[[str], list[str]], quote: str = "") -> tuple[list[str], list[str]]:
    """The examples that are something else, and those that are nothing, with their lines broken."""
    other, lost = [], []
    for example in EXAMPLES:
        line = f"Jul 23 18:06:37 hv kernel: vfio-pci 0000:7f:00.0: {example}"
        meant = {message.row.id for message in recognise([line])}
        found = {message.row.id for message in recognise([quote + part for part in broken(line)])}
        other += [example] * bool(found - meant)
        lost += [example] * bool(meant - found)
    return other, lost


def test_lines_of_a_log_are_not_joined():
    """What begins like a line of its own goes on nothing, however long the line before is."""
    long = "[   12.345678] vfio-pci 0000:01:00.0: something that is rather long and ends with group"

    assert recognise([long, "[   12.345679] 1 is not viable"]) == ()
    assert recognise([long, ""]) == recognise([long, "> "]) == ()


def test_a_device_is_named_in_its_one_form():
    """Short, long, upper and lower case are one address; a driver's prefix names one too."""
    lines = [
        "vfio: Cannot reset device 0000:0A:00.0, no available reset mechanism.",
        "[ 1.0] vfio-pci 0000:0a:00.0: not ready 65535ms after FLR; giving up",
        "DMAR: [DMA Read] Request device [0a:00.0] fault addr 0 [fault reason 06] x",
    ]

    assert {message.device for message in recognise(lines)} == {"0000:0a:00.0"}


def test_typographic_marks_and_no_break_spaces_are_plain_ones():
    """What a forum made prettier is what was said."""
    said = recognise(
        ["vfio-pci 0000:b3:00.0:\xa0BAR 1: can\u2019t reserve [mem 0xe0000000-0xefffffff]"]
    )

    assert [message.row.id for message in said] == ["bar-reserved-elsewhere"]


def test_group_and_guest_are_named():
    """A message that says which group or which guest it is about, names it."""
    (group,) = recognise(["vfio 0000:01:00.0: group 13 is not viable"])
    (guest,) = recognise(["PCI device 0000:01:00.0 is in use by driver QEMU, domain win10"])

    assert (group.group, group.device, group.guest) == (13, "0000:01:00.0", None)
    assert (guest.group, guest.guest) == (None, "win10")


def test_the_guest_is_named_by_what_failed_around_the_reason():
    """libvirt says which guest did not start, QEMU why: the reason that stands names both."""
    (message,) = standing(
        recognise(
            [
                "error: Failed to start domain 'win10'",
                CLOSED + "vfio 0000:01:00.0: group 13 is not viable",
            ]
        )
    )

    assert (message.row.id, message.guest, message.group) == ("group-not-viable", "win10", 13)


def test_the_guest_in_the_line_of_an_event_is_named():
    """An event names its guest once, before all that its QEMU said."""
    event = (
        "Message='internal error: QEMU unexpectedly closed the monitor (vm='default_g1'): x qemu-kvm: "
        "warning\\n2025 qemu-kvm: vfio 0000:01:00.0: group 13 is not viable'"
    )
    (message,) = standing(recognise([event]))

    assert (message.guest, message.device) == ("default_g1", "0000:01:00.0")


@pytest.mark.parametrize(
    ("lines", "held"),
    [
        (
            [
                "kvm: vfio_dma_map(0x5e, 0x380010000000, 0x2000000, 0x77) = -22 (Invalid argument)",
                "0000:01:00.0: PCI peer-to-peer transactions on BARs are not supported.",
            ],
            ["bars-not-for-peers"],
        ),
        (
            ["kvm: vfio_dma_map(0x5e, 0x0, 0x80000000, 0x77) = -22 (Invalid argument)"],
            ["memory-not-mappable"],
        ),
    ],
)
def test_memory_of_other_devices_that_is_not_mapped_stops_nothing(lines, held):
    """What QEMU says of BARs behind its error makes that error harmless."""
    assert [message.row.id for message in standing(recognise(lines))] == held


def test_commands_are_filled_with_what_is_named():
    """What would decide can be typed as it stands."""
    (message,) = recognise(["vfio 0000:01:00.0: group 13 is not viable"])

    assert message.commands[0] == "ls /sys/kernel/iommu_groups/13/devices"


def test_the_wording_that_takes_most_of_a_line_counts():
    """The container's failure is told by its reason; the frame alone is told where that is lost."""
    whole = (
        "vfio 0000:04:00.0: failed to setup container for group 22: Failed to set iommu for "
        "container: Operation not permitted"
    )

    assert [m.row.id for m in recognise([whole])] == ["no-interrupt-remapping-qemu"]
    assert [m.row.id for m in recognise([whole[:60]])] == ["container-setup-failed"]


def test_other_speakers_can_be_left_out():
    """Who reads only the kernel's log asks only for what a kernel says."""
    lines = ["group 1 is not viable", "DMAR: IOMMU disabled"]

    assert [m.row.id for m in recognise(lines, {Speaker.INTEL_IOMMU})] == ["vtd-off-by-word"]


@pytest.mark.parametrize(
    ("lines", "held"),
    [
        (
            [
                "group 1 is not viable",
                "2024-05-02 08:10:38.221+0000: starting up libvirt version: 9.0.0",
            ],
            [],
        ),
        (["group 1 is not viable", "Domain 'g1' started"], []),
        (["Domain 'g1' started", "group 1 is not viable"], ["group-not-viable"]),
        (
            [
                "vfio-pci 0000:01:00.0: not ready 1023ms after FLR; waiting",
                "vfio-pci 0000:01:00.0: ready 2047ms after FLR",
            ],
            [],
        ),
        (
            [
                "vfio-pci 0000:01:00.0: not ready 1023ms after FLR; waiting",
                "vfio-pci 0000:02:00.0: ready 2047ms after FLR",
            ],
            ["reset-waiting"],
        ),
        (
            [
                "vfio-pci 0000:01:00.0: not ready 1023ms after FLR; waiting",
                "vfio-pci 0000:01:00.0: not ready 65535ms after FLR; giving up",
            ],
            ["reset-gave-up"],
        ),
        (
            [
                "pci 0000:01:00.0: BAR 1: no space for [mem size 0x400000000 64bit pref]",
                "pci 0000:01:00.0: BAR 1: assigned [mem 0x6000000000-0x63ffffffff 64bit pref]",
            ],
            [],
        ),
        (
            [
                CLOSED + "vfio 0000:01:00.0: group 1 is not viable",
                "Please ensure all devices within the iommu_group are bound to their vfio bus driver.",
            ],
            ["group-not-viable"],
        ),
        (["error: qemu unexpectedly closed the monitor"], ["qemu-died-at-start"]),
        (["group 1 is not viable"] * 3, ["group-not-viable"]),
    ],
)
def test_what_stands_of_what_was_said(lines: list[str], held: list[str]):
    """A later line of the same thing takes a message back; nothing is told twice."""
    assert [message.row.id for message in standing(recognise(lines))] == held


@pytest.mark.parametrize("name", [scenario.name for scenario in HEALTHY])
def test_a_healthy_host_says_nothing_that_is_bad(name: str):
    """Whatever a healthy host of the lab logged is harmless."""
    logs = [item.text for item in evidence(name).items.values() if "\n" in item.text]
    said = [message for log in logs for message in standing(recognise(log.split("\n")))]

    assert name in lab_bundles()
    assert [m.line for m in said if m.row.weight is not Weight.HARMLESS] == []
