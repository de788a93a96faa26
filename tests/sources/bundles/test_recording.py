"""Our own recording: what is written is read back, and what is cut is noticed."""

from __future__ import annotations

import base64
from types import MappingProxyType

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pytest_vfio.evidence import Evidence, Extent, Item, Status
from pytest_vfio.sources import (
    BundleError,
    dump_recording,
    load_recording,
    recording_path,
    write_recording,
)
from pytest_vfio.sources.bundles.recording import is_recording, load_bundle, parse
from pytest_vfio.sources.bundles.redact import redacted
from pytest_vfio.sources.row import FIRST
from pytest_vfio.sources.table import BY_NAME, PLAIN_NAMES

STREAM = b"""Last login: yesterday
%vfio-probe 1
%about collected 2026-01-31T12:00:00Z
%item proc/cmdline
|BOOT_IMAGE=/vmlinuz quiet
%end present
%item sys/firmware/acpi/tables/DMAR base64
|RE1BUg==
%end present
%item etc/default/grub
%end denied Permission denied
%item dmesg
|[0.0] Linux
%end timed out after 10 s
%item virsh/nodedev-dumpxml
|<device/>
%end present grepped devices that sleep are left alone
%item etc/modprobe.d/my%20own.conf unended
|options vfio
%end present
%done 6
"""


def make(*items: Item, **more) -> Evidence:
    """Evidence of these items."""
    return Evidence("h", "ssh", MappingProxyType({item.name: item for item in items}), **more)


def test_a_stream_is_read():
    """Every form of item, after the noise of a login."""
    read = load_recording(STREAM, "h")
    assert dict(read.items) == {
        item.name: item
        for item in (
            Item("proc/cmdline", Status.PRESENT, b"BOOT_IMAGE=/vmlinuz quiet\n"),
            Item("sys/firmware/acpi/tables/DMAR", Status.PRESENT, b"DMAR"),
            Item("etc/default/grub", Status.DENIED, detail="Permission denied"),
            Item("dmesg", Status.TIMED_OUT, b"[0.0] Linux\n", "after 10 s"),
            Item(
                "virsh/nodedev-dumpxml",
                Status.PRESENT,
                b"<device/>\n",
                "devices that sleep are left alone",
                Extent.GREPPED,
            ),
            Item("etc/modprobe.d/my own.conf", Status.PRESENT, b"options vfio"),
        )
    }
    assert read.collected == "2026-01-31T12:00:00Z"
    assert not read.live


@pytest.mark.parametrize("end", range(STREAM.index(b"%vfio"), len(STREAM)))
def test_a_cut_at_any_byte_is_noticed(end):
    """No item of a cut stream is better than in the whole one, and what came later is not there."""
    whole, cut = parse(STREAM), parse(STREAM[:end])
    assert not cut.done or STREAM[end:] == b"\n"
    for name, item in cut.items.items():
        if item != whole.items[name]:
            assert item.status is Status.TRUNCATED
            assert whole.items[name].data.startswith(item.data)
            assert not item.whole
    if not cut.done and is_recording(STREAM[:end]):
        read = load_bundle(STREAM[:end], "h")
        for name in PLAIN_NAMES:
            if name not in cut.items and BY_NAME[name].since == FIRST:
                assert read.item(name).status is Status.NOT_COLLECTED
                assert "cut" in read.item(name).detail


_SIGNS = st.characters(codec="utf-8", exclude_categories=["C", "Z"])
NAMES = st.text(_SIGNS, min_size=1, max_size=20)
ITEMS = st.builds(
    Item,
    name=NAMES.filter(lambda name: not name.startswith("/") and ".." not in name),
    status=st.sampled_from(Status),
    data=st.binary(max_size=60) | st.text(max_size=60).map(str.encode),
    detail=st.sampled_from(["", "after 3 s", "exit 1: no"]),
)


@given(st.lists(ITEMS, max_size=6, unique_by=lambda item: item.name), st.booleans())
def test_what_is_written_is_read_back(items, live):
    """Names, bytes, statuses and details, whatever they are."""
    before = make(*items, live=live, collected="2026-01-31T12:00:00Z")
    after = load_recording(dump_recording(before, redact=False), "h")
    assert (dict(after.items), after.source, after.live, after.collected) == (
        dict(before.items),
        before.source,
        before.live,
        before.collected,
    )


@given(st.sampled_from(list(Extent)), st.binary(max_size=20))
def test_the_extent_is_kept(extent, data):
    """Grepped and elided items stay so."""
    item = Item("dmesg", Status.PRESENT, data, "", extent)
    assert load_recording(dump_recording(make(item), redact=False), "h").items["dmesg"] == item


@given(st.binary(max_size=400))
def test_garbage_is_no_error(data):
    """Whatever stands in a stream, reading it ends, and gives items that have a name."""
    stream = parse(b"%vfio-probe 1\n" + data)
    assert all(name and name == item.name for name, item in stream.items.items())


@given(st.lists(st.sampled_from(STREAM.splitlines(keepends=True)), max_size=20))
def test_shuffled_lines_are_no_error(lines):
    """Lines of a stream in any order; a body never passes for another item's."""
    stream = parse(b"%vfio-probe 1\n" + b"".join(lines))
    for item in stream.items.values():
        assert b"%end" not in item.data


@pytest.mark.parametrize("name", [b"/etc/passwd", b"../x", b"a/../../b", b"a\x1b[31m", b"%00", b""])
def test_hostile_names_are_left_out(name):
    """No absolute path, no way up, nothing that a terminal would obey."""
    stream = parse(b"%vfio-probe 1\n%item " + name + b"\n|x\n%end present\n%done 1\n")
    assert not stream.items
    assert stream.done


def test_the_first_of_two_items_counts():
    """A second item of the same name has no business there."""
    text = b"%vfio-probe 1\n%item a\n|1\n%end present\n%item a\n|2\n%end present\n%done 2\n"
    assert parse(text).items["a"].data == b"1\n"


def test_a_line_that_is_none_of_a_body_ends_nothing():
    """A warning that a login program prints into an item is left out, the item goes on."""
    stream = parse(b"%vfio-probe 1\n%item a\n|1\nlast login: today\n|2\n%end present\n%done 1\n")

    assert b"1\n2\n" == stream.items["a"].data
    assert stream.done


def test_a_body_is_cut_after_the_last_line_that_fits(monkeypatch):
    """Whole lines only."""
    monkeypatch.setattr("pytest_vfio.sources.bundles.recording.most_of", lambda _name: 5)
    stream = parse(b"%vfio-probe 1\n%item a\n|1\n|2\n|345\n|6\n%end present\n%done 1\n")

    assert (Status.TRUNCATED, b"1\n2\n") == (stream.items["a"].status, stream.items["a"].data)


def test_giant_items_are_cut(monkeypatch):
    """More than the limit of one item is truncated, not kept."""
    monkeypatch.setattr("pytest_vfio.sources.bundles.recording.most_of", lambda _name: 10)
    body = b"|1234567\n" * 5
    item = parse(b"%vfio-probe 1\n%item a\n" + body + b"%end present\n%done 1\n").items["a"]
    assert item.status is Status.TRUNCATED
    assert item.data == b"1234567\n"


def test_a_terminal_that_adds_carriage_returns():
    """A stream that was carried by hand through a terminal with CRLF."""
    assert parse(STREAM.replace(b"\n", b"\r\n")) == parse(STREAM)


def test_no_recording_is_an_error_with_words():
    """Text without the first line is somebody else's."""
    assert not is_recording(b"proc/cmdline: quiet\n")
    with pytest.raises(BundleError, match="not a recording"):
        load_recording(b"quiet\n", "h")


def test_a_bundle_never_claims_to_be_live():
    """Only what this run wrote itself is believed."""
    text = dump_recording(make(Item("a", Status.ABSENT), live=True), redact=False)
    assert load_recording(text, "h").live
    assert not load_bundle(text, "h").live
    assert load_bundle(text, "h").source == "recording"


def test_a_kept_recording_is_not_live():
    """`--record` writes what will be a recording from then on."""
    text = dump_recording(make(Item("a", Status.ABSENT), live=True))
    assert not load_recording(text, "h").live
    assert load_recording(text, "h").source == "recording"


def test_it_is_written_whole_or_not_at_all(tmp_path, monkeypatch):
    """A disk that fills up leaves the old file, and no other."""
    path = recording_path(tmp_path / "new", "h")
    write_recording(make(Item("a", Status.PRESENT, b"1\n")), path)
    before = path.read_bytes()

    def full(_file):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("os.fsync", full)
    with pytest.raises(OSError, match="No space"):
        write_recording(make(Item("a", Status.PRESENT, b"2\n")), path)
    assert path.read_bytes() == before
    assert [one.name for one in path.parent.iterdir()] == [path.name]
    assert path.stat().st_mode & 0o077 == 0


@pytest.mark.parametrize(
    "host",
    ["bmt", "root@h:22", "a/b", "..", ".hidden", "../../etc", "ü", "docker://x", "", "x" * 999],
)
def test_a_recording_stays_in_its_folder(tmp_path, host):
    """Whatever a host is called."""
    path = recording_path(tmp_path, host)
    assert path.parent == tmp_path
    assert not path.name.startswith(".")
    path.write_text("x")


def test_hosts_have_files_of_their_own(tmp_path):
    """Names that differ in a sign that no file may bear."""
    hosts = ["a/b", "a%2Fb", "a b", "A/B"]
    assert len({recording_path(tmp_path, host).name for host in hosts}) == len(hosts)


SECRETS = [
    ("virsh/dumpxml", "<graphics type='vnc' port='5900' passwd='{}'/>", "s3cr&amp;t"),
    ("run/libvirt/qemu/g.xml", "<masterKey>{}</masterKey>", "Zm9vYmFy"),
    ("boot/grub/grub.cfg", "password_pbkdf2 root {}", "grub.pbkdf2.sha512.10000.AB.CD"),
    ("boot/grub/grub.cfg", "password root {}", "hunter2"),
    ("proc/cmdline", "quiet foo.password={} intel_iommu=on", "hunter2"),
    ("proc/cmdline", 'x.token="{}" intel_iommu=on', "two words"),
    ("proc/cmdline", "netroot=iscsi:user:{}@10.0.0.1::::t intel_iommu=on", "chap"),
    ("dmesg", "[0.1] Command line: ro api-key={} quiet", "abcdef"),
    ("proc/cmdline", "ds=nocloud;s=http://admin:{}@meta/ quiet", "pw"),
    ("journal/libvirt", "Authorization: Bearer {}", "eyJhbGciOiJIUzI1NiJ9"),
    ("etc/fstab", "//nas/x /mnt cifs username=u,password={} 0 0", "hunter2"),
    ("etc/default/grub", 'GRUB_CMDLINE_LINUX="root_password={} quiet"', "hunter2"),
]


@pytest.mark.parametrize(("name", "frame", "secret"), SECRETS)
def test_secrets_are_blackened(name, frame, secret):
    """The value goes, what stands around it stays."""
    before = Item(name, Status.PRESENT, f"first\n{frame.format(secret)}\nlast\n".encode())
    after = redacted(before).text
    assert secret not in after
    assert "REDACTED" in after
    head, _, tail = frame.partition("{}")
    assert head.split("=")[0] in after
    assert after.endswith(f"{tail.lstrip()}\nlast\n") or tail in after
    assert redacted(redacted(before)).text == after


def test_what_is_no_secret_is_kept():
    """Words of a command line, XML and listings stay as they are."""
    for text in (
        "BOOT_IMAGE=/vmlinuz root=UUID=1-2 ro rd.luks.uuid=luks-3 intel_iommu=on\n",
        "<graphics type='vnc' port='-1' autoport='yes'/>\n<secret type='iscsi' usage='x'/>\n",
        "0000:00:1f.0/vendor=0x8086\n",
        "[    0.0] DMAR: dmar0: reg_base_addr fed90000 ver 1:0 cap 8c0000c40660462 ecap f050da\n",
        "menuentry 'Debian' --class gnu { password_required }\n",
    ):
        item = Item("dmesg", Status.PRESENT, text.encode())
        assert redacted(item) == item


def test_bytes_of_hardware_are_not_touched():
    """A match in them would be an accident."""
    item = Item("sys/bus/pci/config", Status.PRESENT, b"password=1\n")
    assert redacted(item) == item


def test_binary_items_are_base64():
    """A table with zero bytes stays greppable text in the stream."""
    table = bytes(range(256))
    item = Item("sys/firmware/acpi/tables/DMAR", Status.PRESENT, table)
    text = dump_recording(make(item))
    assert b"|" + base64.b64encode(table)[:76] in text
    assert load_recording(text, "h").items[item.name] == item


def test_a_stream_with_endless_items_is_read_to_a_bound(monkeypatch):
    """What comes after is not looked at, and the stream is not whole."""
    monkeypatch.setattr("pytest_vfio.sources.bundles.recording.COUNT_LIMIT", 3)
    text = b"%vfio-probe 1\n" + b"".join(b"%%item a%d\n%%end absent\n" % n for n in range(9))
    stream = parse(text + b"%done 9\n")
    assert list(stream.items) == ["a0", "a1", "a2"]
    assert not stream.done


def test_a_command_line_is_not_endless():
    """Of what no kernel takes, 64 KiB are kept at most; of a log 8 MiB."""
    for name, most in (("proc/cmdline", 64 << 10), ("dmesg", 8 << 20)):
        body = b"|" + b"x " * 50 + b"\n"
        text = b"%vfio-probe 1\n%item " + name.encode() + b"\n" + body * (most // 100 + 9)
        item = parse(text + b"%end present\n%done 1\n").items[name]
        assert item.status is Status.TRUNCATED
        assert most - 200 < len(item.data) <= most


def test_an_item_may_go_on_at_the_end():
    """A tree of which the probe reads last what may hang: whole with it, cut without."""
    first = (
        b"%vfio-probe 1\n%item sys/bus/pci/devices\n|a/vendor=1\n"
        b"%end truncated what may wait for a device comes last\n%item b\n%end absent\n"
    )
    more = b"%item sys/bus/pci/devices more\n|a/driver_override=x\n%end present\n%done 3\n"
    whole = parse(first + more).items["sys/bus/pci/devices"]
    assert whole == Item(whole.name, Status.PRESENT, b"a/vendor=1\na/driver_override=x\n")
    cut = parse(first).items["sys/bus/pci/devices"]
    assert (cut.status, cut.data) == (Status.TRUNCATED, b"a/vendor=1\n")
    assert parse(b"%vfio-probe 1\n" + more).items == {}
    ended = first.replace(b"truncated what may wait for a device comes last", b"truncated 8000001")
    assert parse(ended + more).items[whole.name].status is Status.TRUNCATED


@pytest.mark.parametrize(
    ("name", "status"),
    [
        ("proc/cmdline", Status.TRUNCATED),
        ("sys/module", Status.TRUNCATED),
        ("sys/firmware/acpi/tables/DMAR", Status.PRESENT),
        ("etc/fstab", Status.PRESENT),
    ],
)
def test_a_file_of_the_kernel_without_its_last_line_feed_was_cut(name, status):
    """The kernel ends every line; what others write need not end."""
    stream = parse(
        b"%%vfio-probe 1\n%%item %s unended\n|a b\n%%end present\n%%done 1\n" % name.encode()
    )

    assert (status, b"a b") == (stream.items[name].status, stream.items[name].data)
