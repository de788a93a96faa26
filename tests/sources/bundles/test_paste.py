"""Known pieces are carved out of a text; the rest is ignored, and nothing is taken as whole."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pytest_vfio.evidence import Extent
from pytest_vfio.sources.bundles import paste
from pytest_vfio.sources.bundles.paste import carve
from pytest_vfio.sources.table import row_of

#: A walk-through as people paste it: prompts, comments, outputs with their indentation lost.
PASTED = """Hi all, my card does not work :(
$ cat /etc/default/grub
... cut ...
GRUB_CMDLINE_LINUX_DEFAULT="quiet splash intel_iommu=on vfio-pci.ids=10de:2204"
root@box:~# dmesg | grep -i vfio
[    0.000000] Command line: BOOT_IMAGE=/vmlinuz-6.1 root=/dev/sda1 ro intel_iommu=on
[Mon Nov 22 12:00:00 2026] VFIO - User Level meta-driver version: 0.3
Nov 22 12:00:00 box kernel: vfio_pci: add [10de:2204[ffffffff:ffffffff]] class 0x000000/00000000
[user@box ~]$ lspci -nnk
01:00.0 VGA compatible controller [0300]: NVIDIA Corporation GA102 [10de:2204] (rev a1)
\tSubsystem: ASUSTeK [1043:87b3]
\tKernel driver in use: vfio-pci
Kernel modules: nouveau
$ ./groups.sh
IOMMU Group 13:
\t01:00.0 VGA compatible controller [0300]: NVIDIA Corporation GA102 [10de:2204]
\t01:00.1 Audio device [0403]: NVIDIA Corporation GA102 [10de:1aef]
IOMMU Group 14 02:00.0 Ethernet controller [0200]: Intel I211 [8086:1539]
$ cat /proc/cmdline
BOOT_IMAGE=/vmlinuz-6.1 root=/dev/sda1 ro intel_iommu=on
options vfio-pci ids=10de:2204,10de:1aef
softdep nvidia pre: vfio-pci
<device>
  <name>pci_0000_01_00_0</name>
</device>
then
<domain type='kvm'><name>win</name>
<devices/></domain>
qemu-system-x86_64: -device vfio-pci,host=0000:01:00.0: vfio 0000:01:00.0: group 13 is not viable
error: Failed to start domain 'win'
thanks!
"""
LINE = "BOOT_IMAGE=/vmlinuz-6.1 root=/dev/sda1 ro quiet\n"
EXPECTED = {
    "etc/default/grub": 1,
    "dmesg": 3,
    "lspci": 4,
    "listing/iommu_groups": 4,
    "proc/cmdline": 1,
    "etc/modprobe.d/": 1,
    "etc/modprobe.d/pasted.conf": 2,
    "virsh/nodedev-dumpxml": 3,
    "domain/xml": 2,
    "qemu.log": 1,
    "libvirt.log": 1,
    "paste": len(PASTED.splitlines()),
}


def test_each_piece_is_known_by_what_it_looks_like():
    """Every known piece is carved out, line by line, and chatter is left out."""
    evidence = carve(PASTED, "case")

    assert {name: len(item.text.split("\n")) for name, item in evidence.items.items()} == EXPECTED


def test_nothing_pasted_is_whole():
    """Nobody says that all was pasted; one line is all that a command line has."""
    items = carve(PASTED, "case").items

    assert {items[name].extent for name in items if name != "proc/cmdline"} == {Extent.ELIDED}


def test_a_command_line_that_ends_is_all_of_it():
    """What follows is a prompt, a stamp or nothing, so that no mail broke it."""
    whole = carve(LINE, "case").items["proc/cmdline"]
    broken = carve(LINE + "vfio-pci.ids=1002:7550\n", "case").items["proc/cmdline"]
    elided = carve(LINE.replace("quiet", "..."), "case").items["proc/cmdline"]

    assert whole.extent is Extent.GREPPED
    assert broken.extent is elided.extent is Extent.ELIDED


def test_the_command_lines_of_two_boots_are_not_mixed():
    """Nobody knows which of them runs."""
    two = carve(LINE + "\n" + LINE.replace("quiet", "iommu=pt"), "case").items["proc/cmdline"]

    assert two.extent is Extent.ELIDED


@pytest.mark.parametrize(
    "text",
    [
        "$ ls /sys/kernel/iommu_groups/\n$\n",
        "$ ls -l /sys/kernel/iommu_groups\ntotal 0\n",
        "root@box:~# find /sys/kernel/iommu_groups/ -type l\nroot@box:~# \n",
        "IOMMU Group * 00:00.0 Host bridge [0600]: AMD RD9x0 [1002:5a14]\n",
    ],
)
def test_an_empty_folder_of_groups_is_known_to_be_empty(text):
    """What was asked for is told by the prompt, and nothing came."""
    groups = carve(text, "case").items["sys/kernel/iommu_groups"]

    assert groups.whole
    assert not groups.data


@pytest.mark.parametrize(
    "text",
    ["$ ls /sys/kernel/iommu_groups/", "$ ls /sys/kernel/iommu_groups/\n0  1  2\n$\n", "hello\n"],
)
def test_a_listing_that_was_not_pasted_proves_nothing(text):
    """The paste ends behind the command, or what it printed is there."""
    assert "sys/kernel/iommu_groups" not in carve(text, "case").items


def test_a_quoted_text_is_read_as_it_was():
    """Mail puts a mark before each line, and some pages blanks that are none."""
    plain = carve(PASTED, "case").items
    quoted = carve("".join(f"> {line}\n" for line in PASTED.splitlines()), "case").items

    assert {name: plain[name].data for name in plain if name != "paste"} == {
        name: quoted[name].data for name in quoted if name != "paste"
    }


def test_windows_line_ends_change_nothing():
    """A text that went through a mail program is carved the same."""
    plain, windows = carve(PASTED, "case"), carve(PASTED.replace("\n", "\r\n"), "case")

    assert windows.items == plain.items


@pytest.mark.parametrize("text", ["", "hello\nworld\n", "2026-11-22 12:00 nothing: here"])
def test_a_text_of_nothing_known_is_kept_as_it_is(text):
    """Chatter is one text, and no piece of it is anything else."""
    assert set(carve(text, "case").items) == ({"paste"} if text else set())


@given(st.text(max_size=400))
def test_any_text_can_be_carved(text):
    """Carving never fails, and never invents a line."""
    for item in carve(text, "case").items.values():
        if item.name not in {"etc/modprobe.d/", "sys/kernel/iommu_groups"}:
            assert all(line in text.splitlines() for line in item.text.split("\n"))


def test_what_is_carved_is_in_the_table():
    """Each piece is an item that has a row."""
    names = [*(name for name, _ in paste._BEGINS), *paste._XML.values()]
    assert [] == [name for name in names if row_of(name) is None]
