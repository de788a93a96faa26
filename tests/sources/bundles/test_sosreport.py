"""A sosreport is evidence of what sos kept, and of what it says that it left out."""

from __future__ import annotations

import io
import json
import lzma
import os
import random
import struct
import tarfile
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pytest_vfio.evidence import Extent, Status, Tree
from pytest_vfio.hypervisor.hypervisor import Hypervisor
from pytest_vfio.sources import dump_recording, load_recording
from pytest_vfio.sources.bundles.bundle import read_bundle
from pytest_vfio.sources.bundles.sos import items as sositems
from pytest_vfio.sources.bundles.sos import names as sosnames
from pytest_vfio.sources.bundles.sos import report as sosreport
from pytest_vfio.sources.errors import BundleError
from tests.hosts.sosreports import (
    DMESG,
    DUMP,
    LIST,
    TOP,
    UNAME,
    archive,
    domain,
    folder,
    manifest,
    member,
    table,
)

FIXTURE = Path(__file__).parents[3] / "fixtures/sosreport/trixie-intel.tar.xz"
LOG = "[    0.000000] Linux version 6.1.0-1\n[    1.0] DMAR: IOMMU enabled\n"


def read(tmp_path, files, links=None):
    return read_bundle(folder(tmp_path, files, links), "box")


# -- what lies where -----------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("place", "item"),
    [
        ("proc/cmdline", "proc/cmdline"),
        (DMESG, "dmesg"),
        ("sos_commands/kernel/dmesg_-T", "dmesg"),
        ("sos_commands/kernel/lsmod", "proc/modules"),
        ("proc/1/mountinfo", "proc/self/mountinfo"),
        ("usr/lib/os-release", "etc/os-release"),
        ("sos_commands/hardware/lspci_-nnvv", "lspci"),
        ("sos_commands/pci/lspci_-nnvv", "lspci"),
        ("sos_commands/boot/bootctl_status", "bootctl"),
        ("boot/grub2/grubenv", "boot/grub2/grubenv"),
        ("boot/loader/entries/a.conf", "boot/loader/entries/a.conf"),
        ("etc/libvirt/qemu/win.xml", "etc/libvirt/qemu/win.xml"),
        ("run/libvirt/qemu/win.xml", "run/libvirt/qemu/win.xml"),
        ("var/log/libvirt/qemu/win.log", "var/log/libvirt/qemu/win.log"),
    ],
)
def test_a_file_becomes_its_item(tmp_path, place, item):
    """Files and outputs of sos 3 and 4 come under the names that facts read."""
    assert read(tmp_path, {place: "what it holds\n"}).item(item).text == "what it holds\n"


def test_what_is_not_there_was_never_looked_for(tmp_path):
    """A sosreport never says that a file does not exist on the host."""
    evidence = read(tmp_path, {DMESG: LOG})

    assert evidence.item("proc/cmdline").status is Status.NOT_COLLECTED
    assert evidence.item("etc/modprobe.d/").status is Status.NOT_COLLECTED
    assert not [item for item in evidence.items.values() if item.status is Status.ABSENT]


def test_tables_for_people_are_not_taken_for_json(tmp_path):
    """sos runs `ip` and `lsblk` without -j and -J: those items are not collected."""
    evidence = read(
        tmp_path,
        {
            DMESG: LOG,
            "sos_commands/block/lsblk": "NAME\nvda\n",
            "sos_commands/networking/ip_-d_address": "1: lo\n",
        },
    )

    assert set(evidence.items) == {"dmesg"}


def test_only_the_running_kernels_build_options_count(tmp_path):
    """Of several config files, the one of the release in uname; of none of those, none."""
    files = {
        "boot/config-6.1.0-1": "CONFIG_VFIO=m\n",
        "boot/config-5.10": "CONFIG_VFIO=y\n",
        "lib/modules/6.1.0-1/modules.dep": "kernel/drivers/vfio/vfio.ko.xz:\n",
        UNAME: "Linux box 6.1.0-1 #1 SMP x86_64 GNU/Linux\n",
    }
    (tmp_path / "a").mkdir()
    (tmp_path / "b").mkdir()
    evidence = read(tmp_path / "a", files)
    other = read(tmp_path / "b", {**files, UNAME: "Linux box 6.6.6 #1\n"})

    assert evidence.read("kernel-config") == "CONFIG_VFIO=m\n"
    assert Hypervisor(evidence).modules.available("vfio")
    assert other.item("kernel-config").status is Status.NOT_COLLECTED
    assert other.item("modules.dep").status is Status.NOT_COLLECTED


def test_a_listing_of_another_kernels_image_is_left_out(tmp_path):
    """lsinitramfs lists the newest image, which need not be the running kernel's."""
    line = "-rw-r--r-- 1 root root 9 Jan 1 2026 usr/lib/modules/{}/kernel/vfio-pci.ko\n"
    place = "sos_commands/boot/lsinitramfs_-l_.initrd.img"
    uname = {UNAME: "Linux box 6.1.0-1 #1\n"}
    for name in "ab":
        (tmp_path / name).mkdir()
    own = read(tmp_path / "a", {**uname, place: "Image: x\n=====\n" + line.format("6.1.0-1")})
    other = read(tmp_path / "b", {**uname, place: line.format("6.1.0-2")})

    assert Hypervisor(own).modules.initramfs.holds("vfio_pci")
    assert not Hypervisor(own).modules.initramfs.holds("i40e")
    assert other.item("initramfs").status is Status.NOT_COLLECTED


def test_the_journal_of_this_boot_has_the_kernels_lines(tmp_path):
    """Of all units' lines the kernel's are kept, and libvirt's daemons' beside them."""
    journal = (
        "-- Journal begins at Sun --\n"
        "Nov 22 12:00:00 box kernel: Linux version 6.1.0-1\n"
        "Nov 22 12:00:01 box sshd[1]: kernel: not one\n"
        "Nov 22 12:00:02 box libvirtd[7]: internal error\n"
    )
    evidence = read(tmp_path, {"sos_commands/logs/journalctl_--no-pager_--boot": journal})

    assert "sshd" not in evidence.item("journal/kernel").text
    assert evidence.item("journal/kernel").text.count("\n") == 2
    assert evidence.item("journal/libvirt").text == journal.split("\n")[3] + "\n"
    assert evidence.item("journal/libvirt").extent is Extent.ELIDED


def test_configuration_space_is_read_from_proc(tmp_path):
    """/proc/bus/pci holds each function's bytes; one that was cut to an odd size is left out."""
    header = struct.pack("<HH", 0x8086, 0x1572) + bytes(252)
    evidence = read(
        tmp_path,
        {
            DMESG: LOG,
            "proc/bus/pci/12/00.0": header,
            "proc/bus/pci/0001:13/00.1": header,
            "proc/bus/pci/14/00.0": header[:77],
        },
    )
    lines = evidence.item("sys/bus/pci/config").text.splitlines()

    assert [line[:21] for line in lines] == ["0001:13:00.1=86807215", "0000:12:00.0=86807215"]
    assert evidence.item("sys/bus/pci/config").extent is Extent.GREPPED


def test_sysctl_tells_the_kernels_own_words(tmp_path):
    """The release and the host's name stand in `sysctl -a`."""
    text = "kernel.osrelease = 6.1.0-1\nkernel.hostname = box\n"
    evidence = read(tmp_path, {"sos_commands/kernel/sysctl_-a": text})

    assert evidence.read("proc/sys/kernel/osrelease") == "6.1.0-1\n"


# -- what failed, what was cut -------------------------------------------------------------------


@pytest.mark.parametrize(
    "text",
    [
        "error: failed to connect to the hypervisor\n",
        "bash: virsh: command not found\n",
        "/bin/sh: 1: virsh: not found\n",
        "timeout: failed to run command 'virsh': No such file or directory\n",
        "",
        "\n\n",
    ],
)
def test_an_output_that_is_an_error_failed(tmp_path, text):
    """What a shell or virsh says in place of an answer is no answer."""
    evidence = read(tmp_path, {LIST: text, f"{DUMP}a": text})

    assert evidence.item("virsh/list").status is Status.FAILED
    assert evidence.item("virsh/dumpxml").status is not Status.PRESENT
    assert evidence.item("virsh/dumpxml").data == b""


def test_a_warning_before_an_answer_is_no_error(tmp_path):
    """lspci complains about other things and prints its list all the same."""
    text = "lspci: Unable to load libkmod resources: error -2\n00:00.0 Host bridge [0600]: x\n"

    assert read(tmp_path, {"sos_commands/pci/lspci_-nnvv": text}).read("lspci") == text


@pytest.mark.parametrize(
    ("said", "status"),
    [
        ({"return_code": 0, "truncated": False}, Status.PRESENT),
        ({"return_code": 1}, Status.FAILED),
        ({"return_code": 124}, Status.TIMED_OUT),
        ({"return_code": 0, "truncated": True}, Status.TRUNCATED),
        ({}, Status.PRESENT),
    ],
)
def test_the_manifest_knows_how_a_command_ended(tmp_path, said, status):
    """sos 4 keeps each command's exit status."""
    files = {DMESG: LOG, "sos_reports/manifest.json": manifest({DMESG: said})}

    assert read(tmp_path, files).item("dmesg").status is status


def test_sos_log_knows_what_was_given_up(tmp_path):
    """sos 3 has no manifest; what ran out of time stands in its log."""
    log = "INFO: [plugin:kernel] command 'dmesg' timed out after 300s\n"
    item = read(tmp_path, {DMESG: LOG, "sos_logs/sos.log": log}).item("dmesg")

    assert (item.status, item.detail) == (Status.TIMED_OUT, "sos gave it up after 300 s")


def test_a_failed_output_does_not_hide_another(tmp_path):
    """dmesg failed and `dmesg -T` did not."""
    files = {DMESG: "dmesg: read kernel buffer failed\n", f"{DMESG}_-T": LOG}

    assert read(tmp_path, files).read("dmesg") == LOG


def test_of_a_long_file_sos_keeps_the_end(tmp_path):
    """A link into sos_strings means that the beginning is gone: the first line is in pieces."""
    tail = "sos_strings/libvirt/var.log.libvirt.qemu.win.log.tailed"
    evidence = read(
        tmp_path,
        {DMESG: LOG, tail: "ece of a line\nwhole\nhalf of"},
        {"var/log/libvirt/qemu/win.log": f"../../../../{tail}"},
    )
    item = evidence.item("var/log/libvirt/qemu/win.log")

    assert (item.status, item.text) == (Status.TRUNCATED, "whole\n")
    assert not item.whole


def test_an_acpi_table_that_was_cut_is_not_whole(tmp_path):
    """A table says how long it is."""
    table = b"DMAR" + struct.pack("<I", 100) + bytes(50)
    item = read(tmp_path, {"sys/firmware/acpi/tables/DMAR": table}).item(
        "sys/firmware/acpi/tables/DMAR"
    )

    assert item.status is Status.TRUNCATED


# -- what is whole -------------------------------------------------------------------------------


def test_a_folder_that_sos_takes_whole_has_a_whole_listing(tmp_path):
    """Where the manifest says that the folder was copied, no other file is in it."""
    files = {
        "etc/modprobe.d/vfio.conf": "options vfio-pci ids=8086:1572\n",
        "sos_reports/manifest.json": manifest(files={"/etc/modprobe.d": ["etc/modprobe.d"]}),
    }
    evidence = read(tmp_path, files)

    assert evidence.read("etc/modprobe.d/") == "vfio.conf"
    assert evidence.item("run/modprobe.d/").status is Status.NOT_COLLECTED


@pytest.mark.parametrize(
    "said",
    [
        manifest(),
        manifest(
            files={"/etc/modprobe.d": ["etc/modprobe.d"]}, cmdline="report --skip-files=/etc/x"
        ),
        "{}}",
        "[" * 100_000,
    ],
)
def test_a_folder_of_which_nobody_says_that_is_not_whole(tmp_path, said):
    """Not asked for, files skipped, or a manifest that nobody can read."""
    files = {
        "etc/modprobe.d/a.conf": "",
        "etc/default/grub.d/x": "",
        "sos_reports/manifest.json": said,
    }
    evidence = read(tmp_path, files)

    assert evidence.item("etc/default/grub.d/x").status is Status.PRESENT
    assert not evidence.item("etc/default/grub.d/").whole
    if said.startswith('{"'):
        assert not evidence.item("etc/modprobe.d/").whole


def test_no_table_for_an_iommu_is_known_where_all_tables_were_taken(tmp_path):
    """Of the whole of /sys/firmware/acpi, a table that is not there does not exist."""
    files = {
        "sys/firmware/acpi/tables/FACP": b"FACP",
        "sos_reports/manifest.json": manifest(files={"/sys/firmware/acpi/*": ["tables"]}),
    }
    (tmp_path / "a").mkdir()
    (tmp_path / "b").mkdir()
    whole = read(tmp_path / "a", files)
    part = read(tmp_path / "b", {**files, "sos_reports/manifest.json": "{}"})

    assert whole.item("sys/firmware/acpi/tables/DMAR").status is Status.ABSENT
    assert part.item("sys/firmware/acpi/tables/DMAR").status is Status.NOT_COLLECTED


def test_lib_is_usr_lib(tmp_path):
    """On a merged host one folder has both names."""
    files = {
        "usr/lib/modprobe.d/a.conf": "blacklist a\n",
        "sos_reports/manifest.json": manifest(files={"/lib/modprobe.d": ["lib/modprobe.d"]}),
    }
    evidence = read(tmp_path, files, {"lib": "usr/lib"})

    assert evidence.read("lib/modprobe.d/") == evidence.read("usr/lib/modprobe.d/") == "a.conf"
    assert evidence.read("lib/modprobe.d/a.conf") == "blacklist a\n"


# -- guests --------------------------------------------------------------------------------------


def test_all_guests_are_known_where_each_was_printed(tmp_path):
    """The table names every guest; running and stored ones have a document each."""
    files = {
        LIST: table(web="running", db="shut off"),
        f"{DUMP}web": domain("web", live=True),
        f"{DUMP}db": domain("db"),
        "sos_commands/virsh/virsh_-r_dominfo_web": "Name:           web\nAutostart:      enable\n",
        "sos_commands/virsh/virsh_-r_dominfo_db": "Name:           db\nAutostart:      disable\n",
    }
    guests = Hypervisor(read(tmp_path, files)).guests

    assert {guest.name: (guest.running, guest.autostart) for guest in guests.known} == {
        "web": (True, True),
        "db": (False, False),
    }


def test_a_guest_without_a_document_leaves_the_guests_unknown(tmp_path):
    """sos cuts names at blanks, and then virsh finds no such guest."""
    files = {
        LIST: table(**{"my box": "shut off", "db": "shut off"}),
        f"{DUMP}my": "error: failed to get domain 'my'\n",
        f"{DUMP}db": domain("db"),
    }
    evidence = read(tmp_path, files)
    item = evidence.item("virsh/dumpxml")

    assert (item.status, item.detail) == (Status.FAILED, "no document of my box")
    assert "<name>db</name>" in item.text
    assert evidence.item("virsh/list-autostart").extent is Extent.ELIDED


def test_no_guests_is_an_answer(tmp_path):
    """An empty table is whole, and so is the list of documents."""
    evidence = read(tmp_path, {LIST: table()})

    assert evidence.read("virsh/dumpxml") == ""
    assert evidence.read("virsh/list-autostart") == ""
    assert Hypervisor(evidence).guests.domains == ()


def test_documents_without_the_table_may_not_be_all(tmp_path):
    """Nobody says which guests there are."""
    assert read(tmp_path, {f"{DUMP}db": domain("db")}).item("virsh/dumpxml").extent is Extent.ELIDED


def test_every_node_device_of_the_tree_has_to_be_there(tmp_path):
    """`nodedev-list --tree` names all PCI devices."""
    tree = "computer\n  |\n  +- pci_0000_00_00_0\n  +- pci_0000_12_00_0\n      |\n      +- net_x\n"
    dump = "sos_commands/virsh/virsh_-r_nodedev-dumpxml_"
    xml = "<device><name>{}</name></device>\n"
    files = {
        "sos_commands/virsh/virsh_-r_nodedev-list_--tree": tree,
        f"{dump}pci_0000_00_00_0": xml.format("pci_0000_00_00_0"),
    }
    (tmp_path / "a").mkdir()
    (tmp_path / "b").mkdir()
    part = read(tmp_path / "a", files).item("virsh/nodedev-dumpxml")
    files[f"{dump}pci_0000_12_00_0"] = xml.format("pci_0000_12_00_0")
    whole = read(tmp_path / "b", files).item("virsh/nodedev-dumpxml")

    assert (part.status, part.detail) == (Status.FAILED, "no document of pci_0000_12_00_0")
    assert whole.whole


@pytest.mark.parametrize(
    ("files", "stamp"),
    [
        (
            {"sos_commands/date/date_--utc": "Sun Nov 22 13:44:25 UTC 2026\n"},
            "2026-11-22T13:44:25Z",
        ),
        (
            {"sos_commands/systemd/timedatectl": "  Universal time: Sun 2026-11-22 13:44:25 UTC\n"},
            "2026-11-22T13:44:25Z",
        ),
        (
            {"sos_reports/manifest.json": manifest({DMESG: {"end_time": 1795355065.5}})},
            "2026-11-22T13:44:25Z",
        ),
        ({}, None),
        ({"sos_commands/date/date_--utc": "yesterday"}, None),
    ],
)
def test_a_report_knows_when_it_was_made(tmp_path, files, stamp):
    """In UTC, by a clock that says so; else nobody knows."""
    assert read(tmp_path, {DMESG: LOG, **files}).collected == stamp


# -- archives ------------------------------------------------------------------------------------


def test_the_real_report_is_the_same_packed_and_unpacked(tmp_path):
    """Folder and archive of a real report are equal evidence."""
    with tarfile.open(FIXTURE) as packed:
        packed.extractall(tmp_path, filter="tar")
    (inner,) = tmp_path.iterdir()
    packed, unpacked = read_bundle(FIXTURE, "x"), read_bundle(inner, "x")

    assert packed == unpacked == read_bundle(tmp_path, "x")
    assert packed.source == "sosreport"
    assert len(packed.items) > 20


def test_the_real_report_tells_what_its_host_is():
    """Kernel, IOMMU and log of the lab host, from what sos kept of it; no guests."""
    host = Hypervisor(read_bundle(FIXTURE))

    assert host.kernel.version == (6, 12, 107)
    assert host.iommu.on
    assert host.iommu.interrupt_remapping
    assert host.klog.whole
    assert host.acpi.dmar is not None
    assert host.acpi.ivrs is None
    assert host.guests.domains == ()
    assert host.modules.available("vfio_pci")


@pytest.mark.parametrize("mode", ["w:xz", "w:gz", "w:bz2", "w"])
def test_archives_of_every_packing_are_read(tmp_path, mode):
    """xz, gzip, bzip2, and plain tar."""
    path = archive(tmp_path, member(f"{TOP}/{DMESG}", LOG.encode()), mode=mode)

    assert read_bundle(path).read("dmesg") == LOG


def test_no_member_reaches_out_of_the_report(tmp_path):
    """Absolute names, `..`, and links to the reader's own files are nothing."""
    secret = tmp_path / "secret"
    secret.write_text("mine")
    link = {"type": tarfile.SYMTYPE}
    path = archive(
        tmp_path,
        member("/etc/modprobe.d/evil.conf", b"options evil x=1"),
        member(f"{TOP}/../../etc/modprobe.d/evil.conf", b"options evil x=1"),
        member(f"{TOP}/proc/cmdline", linkname=str(secret), **link),
        member(f"{TOP}/proc/cpuinfo", linkname="../../../../../.." + str(secret), **link),
        member(f"{TOP}/proc/meminfo", linkname="meminfo", **link),
        member(f"{TOP}/proc/swaps", linkname=str(secret), type=tarfile.LNKTYPE),
        member(f"{TOP}/proc/version", type=tarfile.FIFOTYPE),
        member(f"{TOP}/proc/iomem", type=tarfile.CHRTYPE, devmajor=1, devminor=5),
    )

    assert set(read_bundle(path).items) == {"uname"}
    unpacked = folder(tmp_path, {UNAME: "Linux\n"}, {"proc/cmdline": str(secret)})
    assert set(read_bundle(unpacked).items) == {"uname"}


def test_a_folders_links_are_not_followed(tmp_path):
    """A link to a folder full of files is not walked into."""
    outside = tmp_path / "outside"
    outside.mkdir()
    (outside / "cmdline").write_text("mine")
    made = folder(tmp_path, {UNAME: "Linux\n"}, {"proc": str(outside)})

    assert set(read_bundle(made).items) == {"uname"}


def test_a_link_within_the_report_is_resolved_by_name(tmp_path):
    """grubenv is a link to the EFI partition's on some hosts; links may go over links."""
    made = folder(
        tmp_path,
        {"usr/lib/os-release": "ID=debian\n", UNAME: "Linux\n"},
        {"etc/os-release": "../usr/lib/os-release"},
    )

    assert read_bundle(made).read("etc/os-release") == "ID=debian\n"


def test_a_member_that_is_too_large_is_cut(tmp_path, monkeypatch):
    """More than the limit of one file is not read, and that is told."""
    monkeypatch.setattr(sosreport, "LIMIT", 1000)
    monkeypatch.setattr(sositems, "most_of", lambda _name: 1000)
    path = archive(tmp_path, member(f"{TOP}/{DMESG}", b"x\n" * 1000))
    item = read_bundle(path).item("dmesg")

    assert (item.status, len(item.data)) == (Status.TRUNCATED, 1000)


@pytest.mark.parametrize(
    ("limit", "words"), [("ALL", "bytes to read"), ("UNPACKED", "unpacked"), ("COUNT", "files")]
)
def test_a_bomb_is_refused(tmp_path, monkeypatch, limit, words):
    """Too many bytes, wanted or not, or too many files."""
    path = archive(
        tmp_path,
        member(f"{TOP}/{DMESG}", bytes(3000)),
        member(f"{TOP}/junk", bytes(3000)),
        member(f"{TOP}/more", b""),
    )
    monkeypatch.setattr(sosreport, limit, 2)

    with pytest.raises(BundleError, match=words):
        read_bundle(path)


def test_a_header_that_claims_gigabytes_is_not_believed(tmp_path):
    """A long name of 4 GiB would be read into memory by tarfile."""
    info = tarfile.TarInfo("././@LongLink")
    info.type, info.size = tarfile.GNUTYPE_LONGNAME, 4 << 30
    path = tmp_path / "bomb.tar.xz"
    path.write_bytes(lzma.compress(info.tobuf(tarfile.GNU_FORMAT) + bytes(1024)))

    with pytest.raises(BundleError, match=r"bomb\.tar\.xz: "):
        sosreport.read_archive(path, "x")


def test_another_archive_is_no_sosreport(tmp_path):
    """The message says what is missing."""
    path = tmp_path / "home.tar"
    with tarfile.open(path, "w") as made:
        info, content = member("home/x", b"1")
        made.addfile(info, io.BytesIO(content))

    with pytest.raises(BundleError, match=r"home\.tar: .*not a sosreport: it has no sos_commands"):
        read_bundle(path)


@settings(max_examples=60, deadline=None)
@given(st.integers(0, 2**32), st.sampled_from(["w:xz", "w:gz", "w"]))
def test_a_broken_archive_is_read_or_refused(tmp_path_factory, seed, mode):
    """Bytes turned over or cut off anywhere: evidence or a BundleError, nothing else."""
    chance = random.Random(seed)
    path = archive(
        tmp_path_factory.mktemp("sos"), member(f"{TOP}/{DMESG}", LOG.encode()), mode=mode
    )
    data = bytearray(path.read_bytes())
    for _ in range(chance.randrange(1, 20)):
        data[chance.randrange(len(data))] = chance.randrange(256)
    path.write_bytes(data[: chance.randrange(1, len(data) + 1)])
    try:
        evidence = sosreport.read_archive(path, "x")
    except BundleError as error:
        assert str(path) in str(error)
    else:
        assert evidence.host == "x"


_NAMES = st.sampled_from(
    [
        DMESG,
        LIST,
        UNAME,
        f"{DUMP}a",
        "sos_commands/virsh/virsh_-r_dominfo_a",
        "lib",
        "sos_reports/manifest.json",
        "sos_logs/sos.log",
        "sos_commands/kernel/sysctl_-a",
        "proc/bus/pci/00/00.0",
        "sys/module/vfio/parameters/x",
        "sos_commands/date/date_--utc",
        "sos_commands/logs/journalctl_--no-pager_--boot",
        "sos_commands/boot/lsinitrd",
        "sos_commands/virsh/virsh_-r_net-list_--all",
        "sos_commands/host/hostnamectl_status",
        "sos_commands/virsh/virsh_-r_nodedev-list_--tree",
        "sys/firmware/acpi/tables/DMAR",
        "boot/config-x",
    ]
)
_JSON = st.recursive(
    st.none() | st.floats() | st.text(max_size=3),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(
            st.sampled_from(
                ["components", "report", "plugins", "commands", "files", "filepath", "end_time"]
            ),
            inner,
            max_size=3,
        )
    ),
)


@given(
    st.dictionaries(_NAMES, st.binary(max_size=200)),
    _JSON.map(lambda made: json.dumps(made).encode()) | st.binary(max_size=20),
)
def test_any_content_is_evidence(files, said):
    """No content of a report makes its reading fail, and what comes out is named once."""
    report = sositems.Report({**files, "sos_reports/manifest.json": said})
    evidence = sositems.evidence(report, "x")

    assert all(name == item.name for name, item in evidence.items.items())


ENDS = {
    f"{TOP}/{UNAME}": b"Linux\n",
    f"{TOP}/etc/modprobe.d/a.conf": b"blacklist i40e\n",
    f"{TOP}/sys/firmware/acpi/tables/FACP": b"FACP" + bytes(60),
    f"{TOP}/{sosnames.MANIFEST}": json.dumps(
        {"components": {"report": {"plugins": {"kernel": {"files": [
            {"specification": "/etc/modprobe.d", "files_copied": ["x"]},
            {"specification": "/sys/firmware/acpi/*", "files_copied": ["x"]},
        ]}}}}}
    ).encode(),
}  # fmt: skip


def test_an_archive_that_ends_early(tmp_path):
    """Cut at a member's end it can be read: no folder of it is whole, and no table absent."""
    path = archive(tmp_path, *(member(name, data) for name, data in ENDS.items()))
    whole = read_bundle(path)
    assert whole.item("etc/modprobe.d/").whole
    assert whole.item("sys/firmware/acpi/tables/DMAR").status is Status.ABSENT
    data = path.read_bytes() if not path.name.endswith("xz") else lzma.decompress(path.read_bytes())
    members = data.rstrip(b"\0")
    for more in (b"", bytes(100), b"no header at all" * 32):
        cut = tmp_path / "cut.tar"
        cut.write_bytes(members + bytes(-len(members) % 512) + more)
        early = read_bundle(cut)
        folder = early.item("etc/modprobe.d/")
        assert (folder.extent, folder.detail) == (Extent.ELIDED, "the archive ends early")
        assert early.item("sys/firmware/acpi/tables/DMAR").status is Status.NOT_COLLECTED
        assert early.item("etc/modprobe.d/a.conf").text == "blacklist i40e\n"


@pytest.mark.parametrize("name", ["proc/cmdline", "proc/modules", "sys/kernel/security/lockdown"])
def test_a_file_of_the_kernel_without_its_last_line_feed(tmp_path, name):
    """Every one ends with one: without, something is missing, and nobody says so."""
    assert read(tmp_path / "a", {name: "quiet iommu=pt\n"}).item(name).whole
    assert read(tmp_path / "b", {name: ""}).item(name).whole
    cut = read(tmp_path / "c", {name: "quiet iommu=p"}).item(name)
    assert (cut.status, cut.detail) == (Status.TRUNCATED, "its last line has no end")


def test_a_parameter_without_its_line_feed(tmp_path):
    """Of a tree, the file that is cut is not known, and the others are."""
    tree = "sys/module/vfio_iommu_type1/parameters"
    files = {f"{tree}/allow_unsafe_interrupts": "", f"{tree}/dma_entry_limit": "655",
             f"{tree}/disable_hugepages": "N\n"}  # fmt: skip
    read_tree = Tree.of(read(tmp_path, files).item("sys/module"))
    below = "vfio_iommu_type1/parameters"
    assert read_tree.get(f"{below}/disable_hugepages") == "N"
    assert read_tree.unread[f"{below}/dma_entry_limit"] == "truncated"


def test_names_in_an_archive_may_be_any_bytes(tmp_path):
    """They are written out, and can be kept."""
    name = os.fsdecode(f"{TOP}/etc/modprobe.d/".encode() + b"\xff\x1b.conf")
    path = archive(tmp_path, member(f"{TOP}/{UNAME}", b"Linux\n"), member(name, b"blacklist x\n"))
    read_again = load_recording(dump_recording(read_bundle(path)), "h")
    assert read_again.text("etc/modprobe.d/\\xff\\x1b.conf") == "blacklist x\n"
