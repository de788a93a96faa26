"""The kernel command line, by the kernel's rules."""

from __future__ import annotations

import contextlib

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pytest_vfio.evidence import Extent, Item, Missing, Status
from pytest_vfio.facts.kernel.cmdline import Cmdline
from pytest_vfio.facts.kernel.release import Kernel, version
from pytest_vfio.parse import switches
from pytest_vfio.parse.words import SPACE, parse
from tests.hosts.plain import evidence, grepped

NEW, OLD = (6, 1, 0), (5, 15, 0)
#: What a word may be made of without quotes.
plain = st.text(
    st.characters(min_codepoint=33, max_codepoint=126, exclude_characters='"'), min_size=1
).filter(lambda text: text != "--")


def cmdline(items: dict[str, object]) -> Cmdline:
    read = evidence(items)
    return Cmdline(read, Kernel(read))


def line(text: str) -> Cmdline:
    return cmdline({"proc/cmdline": text + "\n", "uname": "Linux a 6.1.0 x86_64\n"})


# -- words


@pytest.mark.parametrize(
    ("text", "pairs"),
    [
        ("ro quiet", [("ro", None), ("quiet", None)]),
        ("a=b=c", [("a", "b=c")]),
        ("a= b", [("a", ""), ("b", None)]),
        ('a="b c"', [("a", "b c")]),
        ('"a=b c"', [("a", "b c")]),
        ('a=b" c"', [("a", 'b" c"')]),
        ("=x", [("=x", None)]),
        ("==x", [("=", "x")]),
        ("vfio-pci.ids=8086:1572", [("vfio_pci.ids", "8086:1572")]),
        ("a-b=c-d", [("a_b", "c-d")]),
        ("a\tb\vc\xa0", [("a", None), ("b", None), ("c\\xc2", None)]),
        ('a="b', [("a", "b")]),
        ('"', [("", None)]),
    ],
)
def test_a_line_is_cut_as_the_kernel_cuts_it(text, pairs):
    """`next_arg` of lib/cmdline.c."""
    assert pairs == [(word.name, word.value) for word in parse(text.encode())]


def test_a_bare_dash_dash_ends_the_parameters():
    """Only the first, only bare, also in quotes."""
    words = parse(b"--x a --=1 -- b -- c")

    assert [
        ("--x", False),
        ("a", False),
        ("--=1", False),
        ("b", True),
        ("--", True),
        ("c", True),
    ] == [(word.text, word.after_dashes) for word in words]
    assert parse(b'"--" b')[0].after_dashes


@given(st.binary(max_size=300))
def test_any_bytes_are_cut_without_failing(line):
    """All bytes of a line are hostile; without quotes, white space and one `--` cut them."""
    words = parse(line)
    assert list(range(len(words))) == [word.position for word in words]

    unquoted = parse(line.replace(b'"', b""))
    spaced = bytes(0x20 if byte in SPACE else byte for byte in line.replace(b'"', b""))
    pieces = [piece for piece in spaced.split(b" ") if piece]
    assert len(pieces) - (b"--" in pieces) == len(unquoted)


@given(st.lists(st.tuples(plain.filter(lambda name: "=" not in name), plain), max_size=12))
def test_written_words_are_read_back(pairs):
    """A line made of names and values gives them back, quoted or not."""
    text = " ".join(f'{name}="{value} x"' for name, value in pairs)

    assert [(name.replace("-", "_"), f"{value} x") for name, value in pairs] == [
        (word.name, word.value) for word in parse(text.encode())
    ]


# -- switches


@pytest.mark.parametrize(
    ("text", "on"),
    [
        ("quiet", None),
        ("intel_iommu=on", True),
        ("intel_iommu=on intel_iommu=igfx_off", True),
        ("intel_iommu=igfx_off", None),
        ("intel_iommu=on,off", False),
        ("intel_iommu=off intel_iommu=on", True),
        ("intel_iommu=only", True),
        ("intel_iommu=On", None),
        ("intel_iommu=,,on", True),
        ("intel-iommu=on", True),
        ("intel_iommu", None),
        ("xintel_iommu=on", None),
    ],
)
def test_every_intel_word_counts(text, on):
    """Every occurrence is parsed, the last on or off wins (S02, S03)."""
    assert on == switches.intel(parse(text.encode())).on


def test_graphics_words_accumulate():
    """`on` takes intgpu_off back, and leaves igfx_off (S02)."""
    words = parse(b"intel_iommu=intgpu_off,igfx_off intel_iommu=on")
    assert ["igfx_off"] == [switch.piece for switch in switches.intel(words).graphics_off]

    words = parse(b"intel_iommu=on,intgpu_off")
    assert ["intgpu_off"] == [switch.piece for switch in switches.intel(words).graphics_off]


@pytest.mark.parametrize(
    ("value", "version", "off"),
    [
        ("off", NEW, True),
        ("off", OLD, True),
        ("fullflush,off", NEW, True),
        ("turnoff", OLD, True),
        ("turnoff", NEW, False),
        ("on", OLD, False),
        ("official", NEW, True),
    ],
)
def test_an_amd_off_counts_by_version(value, version, off):
    """Up to 6.0 every character starts a comparison (F27)."""
    words = parse(f"amd_iommu={value}".encode())

    assert off == (switches.amd(words, version).off is not None)


def test_amd_and_x86_words_that_do_nothing_are_told():
    """`amd_iommu=on`, `iommu=1` (F26, F29)."""
    assert ["on"] == [s.piece for s in switches.amd(parse(b"amd_iommu=on"), NEW).unknown]
    assert ["1", "on"] == [s.piece for s in switches.x86(parse(b"iommu=1 iommu=pt,on")).unknown]
    assert () == switches.x86(parse(b"iommu=pt,memaper=3,noagp,soft")).unknown


@pytest.mark.parametrize(
    ("text", "x86", "through"),
    [
        ("iommu=pt", True, True),
        ("iommu=pt", False, None),
        ("iommu=pt iommu=nopt", True, False),
        ("iommu.passthrough=1", False, True),
        ("iommu=pt iommu.passthrough=0", True, False),
        ("iommu.passthrough=pt", True, None),
    ],
)
def test_the_last_word_about_host_devices_counts(text, x86, through):
    """S07: both words set the same flag."""
    said = switches.passthrough(parse(text.encode()), x86=x86)

    assert through == (said[0] if said else None)


@given(st.text(max_size=40))
def test_any_name_is_compared(name):
    """A near miss is never the name itself."""
    assert switches.meant(name) != name


@given(st.text(st.sampled_from("onf,_igx"), max_size=20))
def test_any_value_is_walked(value):
    """The walk agrees with a character-by-character model of intel_iommu_setup."""
    on, at = None, 0
    while at < len(value):
        if value.startswith("on", at):
            on = True
        elif value.startswith("off", at):
            on = False
        while at < len(value) and value[at] != ",":
            at += 1
        while at < len(value) and value[at] == ",":
            at += 1

    assert on == switches.intel(parse(f"intel_iommu={value}".encode())).on


# -- the running line

LOG = (
    "[    0.000000] Command line: BOOT_IMAGE=/vmlinuz-5.4.0-94-generic ro iommu=pt\n",
    "[    4.136218] Kernel command line: BOOT_IMAGE=/vmlinuz-5.4.0-94-generic ro iommu=pt\n",
)


def test_proc_cmdline_comes_first():
    """State beats log."""
    found = cmdline({"proc/cmdline": "ro\n", "dmesg": LOG[0]})

    assert ("proc/cmdline", ("ro",)) == (found.quote.source, tuple(w.text for w in found.words))


def test_a_chosen_log_line_is_a_whole_line():
    """What a grepped log's line does not have is absent."""
    found = cmdline({"dmesg": grepped("dmesg", LOG[0])})

    assert found.whole
    assert () == found.param("intel_iommu")
    assert "iommu=pt" == found.param("iommu")[0].text
    assert (5, 4, 0) == found.kernel.version
    assert "x86_64" == found.kernel.arch


def test_of_a_log_of_unknown_extent_two_lines_have_to_agree():
    """A mail program may have wrapped one."""
    one = Item("dmesg", Status.PRESENT, LOG[0].encode(), extent=Extent.ELIDED)
    both = Item("dmesg", Status.PRESENT, "".join(LOG).encode(), extent=Extent.ELIDED)

    assert not cmdline({"dmesg": one}).whole
    assert cmdline({"dmesg": both}).whole
    with pytest.raises(Missing):
        cmdline({"dmesg": one}).param("intel_iommu")
    assert cmdline({"dmesg": one}).param("iommu")


@pytest.mark.parametrize(
    "item",
    [
        Item("proc/cmdline", Status.PRESENT, b"ro iommu=pt\nquiet\n", extent=Extent.ELIDED),
        Item("proc/cmdline", Status.TRUNCATED, b"ro iommu=pt intel_io"),
        Item("proc/cmdline", Status.PRESENT, b"ro iommu=pt ... quiet\n"),
    ],
)
def test_a_line_that_is_not_whole_proves_presence_only(item):
    """The word that a cut went through proves nothing."""
    found = cmdline({"proc/cmdline": item})

    assert found.param("iommu")
    assert "intel_io" not in [word.name for word in found.words]
    with pytest.raises(Missing):
        found.param("intel_iommu")
    with pytest.raises(Missing):
        _ = found.host_passthrough


def test_a_line_that_somebody_pasted_is_a_whole_line():
    """The file has but one line; a wrapped one would be two, and a shortened one has dots."""
    pasted = Item("proc/cmdline", Status.PRESENT, b"ro iommu=pt\n", extent=Extent.ELIDED)

    assert cmdline({"proc/cmdline": pasted}).whole


def test_a_log_line_that_fills_its_record_is_not_whole():
    """printk cuts records at about 1,000 bytes."""
    text = f"[    0.0] Command line: ro {'x' * 950}\n"

    assert not cmdline({"dmesg": grepped("dmesg", text)}).whole


def test_nothing_read_is_missing():
    """Neither a line nor a log."""
    found = cmdline({})

    for ask in ("words", "intel_off", "amd_off", "host_passthrough"):
        with pytest.raises(Missing):
            getattr(found, ask)
    assert () == found.seen("iommu")


@pytest.mark.parametrize(
    ("text", "intel", "amd"),
    [
        ("intel_iommu=on", None, None),
        ("intel_iommu=off", "off", None),
        ("iommu=off intel_iommu=on", "off", "off"),
        ("amd_iommu=off", None, "off"),
        ("ro -- iommu=off", None, None),
    ],
)
def test_what_switches_off_depends_on_whose_it_is(text, intel, amd):
    """`iommu=off` beats everything on x86 (S06)."""
    found = line(text)

    assert intel == (found.intel_off.piece if found.intel_off else None)
    assert amd == (found.amd_off.piece if found.amd_off else None)


def test_a_bootconfigs_words_come_too_late_for_early_parameters():
    """They stand first in /proc/cmdline; `iommu=` was parsed before."""
    items = {
        "proc/cmdline": "iommu=off intel_iommu=on BOOT_IMAGE=/x bootconfig iommu=pt\n",
        "proc/bootconfig": 'kernel.iommu = "off"\nkernel.intel_iommu = "on"\ninit.x = "1"\n',
    }
    found = cmdline(items)

    assert ["iommu=pt"] == [word.text for word in found.param("iommu")]
    assert found.intel.on
    assert not cmdline({**items, "proc/bootconfig": Status.DENIED}).whole


# -- the kernel


@pytest.mark.parametrize(
    ("items", "release"),
    [
        ({"proc/sys/kernel/osrelease": "6.1.0-18-amd64\n"}, "6.1.0-18-amd64"),
        ({"uname": "Linux h 5.15.0-91-generic #101 SMP x86_64 GNU/Linux\n"}, "5.15.0-91-generic"),
        ({"proc/version": "Linux version 6.8.12-5-pve (build@x) #1\n"}, "6.8.12-5-pve"),
        ({"dmesg": "[    0.000000] Linux version 5.10.0-28-amd64 (x) #1\n"}, "5.10.0-28-amd64"),
        (
            {"proc/cmdline": "BOOT_IMAGE=(hd0,gpt2)/vmlinuz-4.18.0-1.el8.x86_64 ro\n"},
            "4.18.0-1.el8.x86_64",
        ),
    ],
)
def test_the_release_is_read_from_what_there_is(items, release):
    """Best source first."""
    assert release == Kernel(evidence(items)).release


def test_a_release_that_was_cut_is_no_release():
    """`5.1` of `5.15` would be another kernel."""
    cut = Item("proc/sys/kernel/osrelease", Status.TRUNCATED, b"5.1")

    with pytest.raises(Missing):
        _ = Kernel(evidence({"proc/sys/kernel/osrelease": cut})).release


@given(st.text(max_size=60))
def test_any_release_has_a_version(text):
    """Three numbers, whatever it says."""
    assert 3 == len(version(text))


@given(st.binary(max_size=200))
def test_any_bytes_are_a_kernel(data):
    """Garbage has no release, or one; it never fails otherwise."""
    names = ("proc/sys/kernel/osrelease", "uname", "proc/version", "kernel-config", "proc/cpuinfo")
    kernel = Kernel(evidence(dict.fromkeys(names, data)))

    for ask in (lambda: kernel.release, lambda: kernel.arch, lambda: kernel.config("VFIO_PCI")):
        with contextlib.suppress(Missing):
            assert ask() in {None, "x86_64", "aarch64"} or isinstance(ask(), str)


def test_an_option_that_the_whole_configuration_lacks_is_not_set():
    """`None` is knowledge, a configuration that was not read is not."""
    config = 'CONFIG_VFIO_PCI=m\n# CONFIG_VFIO_NOIOMMU is not set\nCONFIG_X="a b"\n'
    kernel = Kernel(evidence({"kernel-config": config}))

    assert ("m", None, None, "a b") == tuple(
        kernel.config(name) for name in ("CONFIG_VFIO_PCI", "VFIO_NOIOMMU", "VFIO_PC", "X")
    )
    assert "# CONFIG_VFIO_PC is not set" == kernel.config_quote("VFIO_PC").line
    part = Kernel(evidence({"kernel-config": grepped("kernel-config", config)}))
    assert "m" == part.config("VFIO_PCI")
    with pytest.raises(Missing):
        part.config("VFIO_PC")
