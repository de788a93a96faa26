"""A folder of loose files is evidence of what it shows, and of nothing that it does not show."""

from __future__ import annotations

import os
import struct
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pytest_vfio.evidence import Extent, Missing, Status
from pytest_vfio.sources import dump_recording, load_recording
from pytest_vfio.sources.bundles.loose import FILES, FOLDERS, read_loose
from pytest_vfio.sources.errors import BundleError
from pytest_vfio.sources.table import most_of


@pytest.fixture
def folder(tmp_path):
    made = tmp_path / "case-123"
    made.mkdir()
    return made


def test_nobody_says_that_a_loose_text_is_whole(folder):
    """Without bundle.toml a text proves what it shows; that something is absent it cannot prove."""
    (folder / "dmesg.txt").write_text("[    0.000000] Linux version 6.1\n")
    evidence = read_loose(folder)

    assert (evidence.host, evidence.source, evidence.collected) == ("case-123", "loose", None)
    assert evidence.item("dmesg").extent is Extent.ELIDED
    with pytest.raises(Missing, match="dmesg: only elided"):
        evidence.read("dmesg")


def test_bundle_toml_says_what_is_whole(folder):
    """Name, time and extent come from the manifest."""
    (folder / "cmdline").write_text("quiet\n")
    (folder / "bundle.toml").write_text(
        'name = "bmt"\ncollected = 2026-01-02T03:04:05+01:00\n[items]\ncmdline = "whole"\n'
    )
    evidence = read_loose(folder)

    assert (evidence.host, evidence.collected) == ("bmt", "2026-01-02T02:04:05Z")
    assert evidence.read("proc/cmdline") == "quiet\n"
    assert read_loose(folder, "other").host == "other"


@pytest.mark.parametrize("file", [*FILES, *FOLDERS])
def test_every_known_name_is_read(folder, file):
    """Each file and folder of the contract becomes its item."""
    inside = f"{file}x.xml" if file.endswith("/") else file
    (folder / inside).parent.mkdir(exist_ok=True)
    (folder / inside).write_text("<x/>")

    assert read_loose(folder).item({**FILES, **FOLDERS}[file]).data


def test_an_acpi_table_knows_its_own_length(folder):
    """A table that is as long as it says is whole; a cut one is truncated."""
    table = b"DMAR" + struct.pack("<I", 40) + bytes(32)
    (folder / "acpi").mkdir()
    (folder / "acpi/DMAR").write_bytes(table)
    whole = read_loose(folder).item("sys/firmware/acpi/tables/DMAR")
    (folder / "acpi/DMAR").write_bytes(table[:38])
    cut = read_loose(folder).item("sys/firmware/acpi/tables/DMAR")

    assert (whole.whole, cut.status) == (True, Status.TRUNCATED)


def test_a_folder_of_documents_is_one_item(folder):
    """nodedev/*.xml come together, other files in the folder do not count."""
    (folder / "nodedev").mkdir()
    for name in ("b.xml", "a.xml", "notes.txt"):
        (folder / "nodedev" / name).write_text(f"<{name[0]}/>")

    assert read_loose(folder).item("virsh/nodedev-dumpxml").text == "<a/>\n<b/>"


def test_a_folder_of_files_has_a_listing(folder):
    """modprobe.d/* become a listing and an item each."""
    (folder / "modprobe.d").mkdir()
    (folder / "modprobe.d/vfio.conf").write_text("options vfio-pci ids=8086:1572")
    evidence = read_loose(folder)

    assert evidence.item("etc/modprobe.d/").text == "vfio.conf"
    assert evidence.item("etc/modprobe.d/vfio.conf").text.startswith("options")


@pytest.mark.parametrize(
    ("manifest", "words"),
    [
        ("[item]\n", "'item'; did you mean 'items'?"),
        ('[items]\n"dmesg" = "whole"\n', "no 'dmesg' here; did you mean 'dmesg.txt'?"),
        ('[items]\n"dmesg.txt" = "hole"\n', "'hole' is none of whole, grepped, elided"),
        ('collected = "yesterday"\n', "'yesterday' is not a time"),
        ("[items\n", "not a readable TOML file"),
    ],
)
def test_a_mistake_in_the_manifest_is_named(folder, manifest, words):
    """The key, what is wrong, and what would be right."""
    (folder / "dmesg.txt").write_text("x")
    (folder / "bundle.toml").write_text(manifest)

    with pytest.raises(BundleError) as caught:
        read_loose(folder)
    assert words in str(caught.value)


def test_a_folder_with_nothing_known_says_what_is_known(folder):
    """An empty folder is an error with the names that would be read."""
    with pytest.raises(
        BundleError, match=r"no file in it is known; known are dmesg.txt, cmdline, .*domain/"
    ):
        read_loose(folder)


@pytest.mark.parametrize(("file", "item"), [("dmesg.txt", "dmesg"), ("cmdline", "proc/cmdline")])
def test_a_huge_file_is_cut(folder, file, item):
    """What lies beyond the limit of an item is not read, and that is told."""
    with (folder / file).open("wb") as made:
        made.truncate(most_of(item) + 10)
    read = read_loose(folder).item(item)

    assert (read.status, len(read.data)) == (Status.TRUNCATED, most_of(item))


@pytest.mark.parametrize(
    "name", [b"\xff.conf", b"a\x1b[31m.conf", "a\u202eb.conf".encode(), b"a\nb.conf"]
)
def test_a_file_may_have_any_name(folder, name):
    """What is no text, or would act on a terminal, is written out; it can be kept, and read again."""
    (folder / "modprobe.d").mkdir()
    Path(os.fsdecode(bytes(folder / "modprobe.d") + b"/" + name)).write_bytes(b"blacklist i40e\n")
    read = read_loose(folder)
    (inside,) = read.item("etc/modprobe.d/").text.splitlines()
    assert inside.isprintable()
    assert inside.encode("utf-8")
    assert read.item(f"etc/modprobe.d/{inside}").text == "blacklist i40e\n"
    kept = load_recording(dump_recording(read), "h")
    assert {name: item.data for name, item in kept.items.items()} == {
        name: item.data for name, item in read.items.items()
    }


@given(st.binary(max_size=300))
def test_any_manifest_is_understood_or_refused(tmp_path_factory, data):
    """No content of bundle.toml makes reading fail in another way."""
    folder = tmp_path_factory.mktemp("loose")
    (folder / "cmdline").write_bytes(data)
    (folder / "bundle.toml").write_bytes(data)
    try:
        assert read_loose(folder).item("proc/cmdline").data == data
    except BundleError as error:
        assert "bundle.toml" in str(error)
