"""`--bundle PATH`: what a path is, and clear words where it is nothing known."""

from __future__ import annotations

import bz2
import gzip
import lzma
import os
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pytest_vfio.evidence import Extent, Status
from pytest_vfio.sources import bundle_target
from pytest_vfio.sources.bundles import bundle
from pytest_vfio.sources.bundles.bundle import host_name, read_bundle
from pytest_vfio.sources.errors import BundleError
from tests.hosts.sosreports import TOP, UNAME, archive, folder

RECORDING = """%vfio-probe 1
%about name inside
%about collected 2026-01-31T12:00:00Z
%item proc/cmdline
|quiet intel_iommu=on
%end present
%item dmesg
%end denied run as root
%done 2
"""
PACKS = (lzma.compress, gzip.compress, bz2.compress)


@pytest.fixture
def file(tmp_path):
    def written(text: str | bytes, name: str = "bmt.vfio") -> Path:
        path = tmp_path / name
        path.write_bytes(text.encode() if isinstance(text, str) else text)
        return path

    return written


def test_a_recording_is_known_by_its_first_line(file):
    """Whatever the file is called; each item has its status."""
    evidence = read_bundle(file(RECORDING, "case.txt"))

    assert (evidence.host, evidence.source, evidence.live) == ("case", "recording", False)
    assert evidence.collected == "2026-01-31T12:00:00Z"
    assert evidence.read("proc/cmdline") == "quiet intel_iommu=on\n"
    assert evidence.item("dmesg").status is Status.DENIED


@pytest.mark.parametrize(
    "noise",
    [
        "Last login: today\n*** Authorised use only ***\n",
        "%vfio-probe 2\n",
        "\x1b[2J\x07motd\n",
        "\r\n" * 100,
        "[    0.000000] Linux version 6.1\n",
    ],
)
def test_what_a_login_prints_first_is_no_part_of_a_recording(file, noise):
    """A banner, a motd, escapes, even a line that another source would know."""
    assert read_bundle(file(noise + RECORDING)).items == read_bundle(file(RECORDING)).items


def test_a_recording_carried_through_windows_is_read(file):
    """Line ends of both kinds."""
    assert read_bundle(file(RECORDING.replace("\n", "\r\n"))).read("proc/cmdline") == (
        "quiet intel_iommu=on\n"
    )


@pytest.mark.parametrize("cut", range(30, len(RECORDING) - 1, 7))
def test_a_recording_cut_anywhere_says_so(file, cut):
    """No item that was cut off, or never came, is whole or absent."""
    evidence = read_bundle(file(RECORDING[:cut]))
    known = {item.name for item in evidence.items.values() if item.whole}

    assert known <= {"proc/cmdline"}
    assert evidence.item("dmesg").status in {
        Status.DENIED,
        Status.TRUNCATED,
        Status.NOT_COLLECTED,
    }


def test_an_archive_and_a_folder_of_sos_are_known(tmp_path):
    """By the folder `sos_commands`; also one level down, where people unpack it."""
    packed = read_bundle(archive(tmp_path))
    made = folder(tmp_path / "case", {UNAME: "Linux box 6.1.0-1 x\n"})

    assert packed.source == read_bundle(made).source == "sosreport"
    assert (packed.host, read_bundle(made).host) == ("box", TOP)
    assert read_bundle(tmp_path / "case").items == packed.items
    assert read_bundle(tmp_path / "case").host == "case"


def test_a_folder_of_loose_files_is_known(tmp_path):
    """By the names of its files."""
    (tmp_path / "cmdline").write_text("quiet\n")

    assert read_bundle(tmp_path, "box").source == "loose"
    assert read_bundle(tmp_path, "box").host == "box"


def test_any_other_text_is_looked_through(file):
    """A mail with a few lines of a kernel log, bytes that are no UTF-8 included."""
    text = b"Hi\xff\n[    1.000000] DMAR: IOMMU enabled\nthanks\n"
    evidence = read_bundle(file(text, "mail.txt"))

    assert (evidence.source, evidence.host) == ("paste", "mail")
    assert evidence.item("dmesg").extent is Extent.ELIDED


@pytest.mark.parametrize(
    ("content", "words"),
    [
        (b"", "empty"),
        (b" \n", "empty"),
        (bytes(5000), "not a sosreport"),
        (b"junk \0 junk", "not a text"),
        (b"\x28\xb5\x2f\xfd....", "packed by zstd"),
        (b"\x8c\x0d\x04\x09....", "encrypted by GnuPG"),
        (b"Salted__....", "encrypted by OpenSSL"),
        (b"PK\x03\x04....", "ZIP"),
        (b"%vfio-probe 2\n%done 0\n", "another version"),
    ],
)
def test_what_nobody_knows_is_refused_in_clear_words(file, content, words):
    """What was given, and what is wrong with it."""
    path = file(content, "case")

    with pytest.raises(BundleError) as caught:
        read_bundle(path)
    assert str(caught.value).startswith(f"{path}: ")
    assert words in str(caught.value)


def test_what_is_not_there_is_said_to_be(tmp_path):
    """A path that does not exist, and one that is neither file nor folder."""
    os.mkfifo(tmp_path / "pipe")

    for name in ("nowhere", "pipe"):
        with pytest.raises(BundleError, match=f"{name}: no such file or folder"):
            read_bundle(tmp_path / name)


def test_a_folder_with_nothing_known_names_what_is(tmp_path):
    """The names that would be read."""
    (tmp_path / "readme").write_text("x")

    with pytest.raises(BundleError, match=r"no file in it is known; known are .*dmesg\.txt"):
        read_bundle(tmp_path)


@pytest.mark.parametrize("pack", [bytes, *PACKS], ids=["plain", "xz", "gz", "bz2"])
def test_a_file_that_is_too_large_is_refused(file, monkeypatch, pack):
    """A text of 256 MiB is no text, packed or not."""
    monkeypatch.setattr(bundle, "LIMIT", 10)

    with pytest.raises(BundleError, match="more than 10"):
        read_bundle(file(pack(b"[    1.000000] DMAR: IOMMU enabled\n")))


@pytest.mark.parametrize("pack", PACKS, ids=["xz", "gz", "bz2"])
def test_a_recording_may_be_packed(file, pack):
    """As the lab's are."""
    packed = read_bundle(file(pack(RECORDING.encode()), "bmt.vfio.xz"), "case")

    assert read_bundle(file(RECORDING), "case") == packed


def test_half_of_a_packed_file_is_told(file):
    """It is not taken for a text in which nothing is known."""
    with pytest.raises(BundleError, match="cannot be unpacked"):
        read_bundle(file(lzma.compress(RECORDING.encode())[:50]))


@pytest.mark.skipif(os.geteuid() == 0, reason="root reads everything")
def test_a_file_that_may_not_be_read_is_said_to_be(file):
    """In the system's own words."""
    path = file(RECORDING)
    path.chmod(0)

    with pytest.raises(BundleError, match="Permission denied"):
        read_bundle(path)


@pytest.mark.parametrize(
    ("path", "name"),
    [
        ("/a/bmt.vfio", "bmt"),
        ("/a/bmt.example.org.vfio", "bmt.example.org"),
        ("/a/sosreport-x.tar.xz", "sosreport-x"),
        ("/a/mail.txt", "mail"),
        ("/a/case-123/", "case-123"),
        ("/", "bundle"),
    ],
)
def test_a_host_is_named_for_the_paths_last_part(path, name):
    """Without what only says which kind of file it is."""
    assert host_name(Path(path)) == name


def test_a_name_that_is_given_wins(file, tmp_path):
    """Over the path's, over the manifest's, over the recording's."""
    assert read_bundle(file(RECORDING), "other").host == "other"
    assert read_bundle(archive(tmp_path), "other").host == "other"


@given(st.binary(max_size=300), st.booleans())
def test_any_bytes_are_read_or_refused(tmp_path_factory, data, header):
    """No content makes reading fail in another way."""
    path = tmp_path_factory.mktemp("bundle") / "x"
    path.write_bytes(b"%vfio-probe 1\n" * header + data)
    try:
        evidence = read_bundle(path)
    except BundleError as error:
        assert str(path) in str(error)
        assert not header
    else:
        assert evidence.host == "x"


@pytest.mark.parametrize("pack", [gzip, lzma, bz2], ids=lambda kind: kind.__name__)
@pytest.mark.parametrize("part", [0.3, 0.6, 0.95])
def test_a_packed_file_that_is_cut(tmp_path, pack, part):
    """It is no archive, and cannot be unpacked: said in our words."""
    data = pack.compress(b"hello world, this is text\n" * 40)
    path = tmp_path / "cut.gz"
    path.write_bytes(data[: int(len(data) * part)])

    with pytest.raises(BundleError, match=r"cut\.gz: (cannot be unpacked|nothing|neither)"):
        read_bundle(path)


def test_a_pasted_text_is_not_endless(tmp_path, monkeypatch):
    """Nobody pastes so much: it is refused before it is looked at."""
    monkeypatch.setattr(bundle, "PASTED", 100)
    path = tmp_path / "paste.txt"
    path.write_text("[    0.1] Linux version 6.1\n" * 10)

    with pytest.raises(BundleError, match="more than 100 bytes of text"):
        read_bundle(path)


def test_a_bundle_may_have_any_name(tmp_path):
    """The host is called by what can be printed of it."""
    name = os.fsdecode(b"x\x9b31m\xff\xe2\x80\xaeevil.vfio")
    assert bundle_target(tmp_path / name).name == "x\\x9b31m\\xff\\x202eevil"
