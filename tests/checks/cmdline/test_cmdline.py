"""The checks of the kernel command line."""

from __future__ import annotations

import pytest

from pytest_vfio.check import Outcome, Severity, Verdict
from pytest_vfio.declared import Declared, WantedDevice
from pytest_vfio.evidence import Extent, Item, Status
from pytest_vfio.judge import suite
from tests.ask import ask, what_to_do
from tests.hosts import in_use as living
from tests.hosts import plain as build
from tests.hosts.booting import (
    BUILTIN,
    CONFIG,
    RELEASE,
    default_grub,
    grub_cfg,
    host,
    items,
    nobody,
    told,
)

ON = {"sys/class/iommu": "dmar0/intel-iommu/cap=d2008c40660462\n"}
DEFAULT_ON = {"kernel-config": CONFIG + "CONFIG_INTEL_IOMMU_DEFAULT_ON=y\n"}
IVRS = {"sys/firmware/acpi/tables/DMAR": None, "sys/firmware/acpi/tables/IVRS": b"IVRS" + bytes(60)}
AMD = {**IVRS, "proc/cpuinfo": "vendor_id\t: AuthenticAMD\nflags\t\t: lm svm\n"}
ARM = {
    "uname": f"Linux a {RELEASE} #1 SMP aarch64 GNU/Linux\n",
    "proc/cpuinfo": "CPU implementer\t: 0x41\nCPU architecture: 8\n",
    "kernel-config": "CONFIG_ARM64=y\n",
}


def verdict(id: str, words: str, *changes: dict[str, object]) -> Verdict:
    """What a check says of the sound host with other words on its running line."""
    merged = {name: what for change in changes for name, what in change.items()}
    return ask(id, host({**told(words), **merged}))


def old(version: str) -> dict[str, object]:
    return {
        "proc/sys/kernel/osrelease": f"{version}\n",
        "uname": f"Linux a {version} #1 x86_64 GNU/Linux\n",
    }


# -- CMD001


@pytest.mark.parametrize(
    "words",
    [
        "intel_iommu=1",
        "intel_iommu=ON",
        "intel_iommu=enable",
        "inteliommu=on",
        "intel_iommu:on",
        "intel_iommu on",
        "intel-iommu=true",
    ],
)
def test_CMD001_fails_where_the_only_word_is_misspelt(words):
    """What the kernel does not know does not switch the IOMMU on."""
    configured = {"boot/grub/grub.cfg": grub_cfg(words), "etc/default/grub": default_grub(words)}
    found = verdict("CMD001", words, configured)

    assert (Outcome.FAIL, "expected intel_iommu=on") == (found.outcome, found.message[-23:])
    assert found.evidence[0].source == "proc/cmdline"
    assert "intel_iommu=on" in " ".join(what_to_do(found))


@pytest.mark.parametrize(
    ("words", "changes"),
    [
        ("intel_iommu=on", {}),
        ("intel_iommu=only", {}),  # compared by prefix
        ("intel_iommu=on intel_iommu=igfx_off", {}),
        ("intel_iommu=enable intel_iommu=on", {}),  # another word decides
        ("intel_iommu=1", DEFAULT_ON),
        ("intel_iommu=1", ON),
        ("intel_iommu=1", AMD),
        ("intel_pstate=disable iomem=relaxed", {}),
    ],
)
def test_CMD001_passes_where_nothing_depends_on_a_misspelt_word(words, changes):
    """A word that nothing depends on is no cause."""
    assert Outcome.PASS == verdict("CMD001", words, changes).outcome


def test_CMD001_unknown_without_a_command_line():
    """Neither proc/cmdline nor a log was kept."""
    assert Outcome.UNKNOWN == ask("CMD001", nobody()).outcome
    lost = verdict("CMD001", "intel_iommu=1", {"proc/cmdline": Status.DENIED})
    assert Outcome.UNKNOWN == lost.outcome


# -- CMD002


@pytest.mark.parametrize(
    "words", ["iommu=pt", "intel_iommu=igfx_off", "intel_iommu=On", "quiet -- intel_iommu=on"]
)
def test_CMD002_fails_on_a_default_off_kernel_without_the_word(words):
    """`igfx_off` alone does not switch on, and a word behind `--` is init's."""
    found = verdict("CMD002", words)

    assert Outcome.FAIL == found.outcome
    assert {"proc/cmdline", "kernel-config"} == {quote.source for quote in found.evidence}


def test_CMD002_fails_where_the_iommu_is_off_and_no_configuration_was_read():
    """An IOMMU that is off tells that the kernel does not switch it on by itself."""
    lost = {"kernel-config": Status.NOT_COLLECTED}

    assert Outcome.FAIL == verdict("CMD002", "quiet", lost).outcome


@pytest.mark.parametrize(
    ("words", "changes", "outcome"),
    [
        ("intel_iommu=on", {}, Outcome.PASS),
        ("intel_iommu=on intel_iommu=igfx_off", {}, Outcome.PASS),
        ("intel_iommu=igfx_off,on", {}, Outcome.PASS),
        ('"intel_iommu=on"', {}, Outcome.PASS),
        ("intel-iommu=on", {}, Outcome.PASS),
        ("quiet", DEFAULT_ON, Outcome.PASS),
        ("quiet", ON, Outcome.PASS),
        ("quiet", AMD, Outcome.SKIP),
        ("quiet", {**ARM, **IVRS}, Outcome.SKIP),
        ("intel_iommu=off", {}, Outcome.SKIP),
    ],
)
def test_CMD002_passes_where_the_word_is_there_or_not_needed(words, changes, outcome):
    """The kernel's default, the state and the kind of IOMMU count."""
    assert outcome == verdict("CMD002", words, changes).outcome


def test_CMD002_passes_by_the_log_of_which_only_some_lines_were_kept():
    """A chosen line is a whole line; Debian's own default needs no word either."""
    line = "[    0.000000] Command line: BOOT_IMAGE=/vmlinuz-5.4.0-94-generic ro intel_iommu=on\n"
    kept = {"dmesg": build.grepped("dmesg", line)}

    assert Outcome.PASS == ask("CMD002", build.hypervisor(kept)).outcome


@pytest.mark.parametrize(
    "lost",
    [
        {"proc/cmdline": Status.NOT_COLLECTED},
        {
            "kernel-config": Status.DENIED,
            "sys/class/iommu": Status.DENIED,
            "sys/kernel/iommu_groups": Status.DENIED,
        },
        {"sys/firmware/acpi/tables/DMAR": Status.DENIED, "proc/cpuinfo": Status.DENIED},
    ],
)
def test_CMD002_unknown_where_line_default_or_kind_was_not_read(lost):
    """Each of the three is needed for a failure."""
    assert Outcome.UNKNOWN == verdict("CMD002", "quiet", lost).outcome


# -- CMD003


@pytest.mark.parametrize(
    ("words", "changes", "ref"),
    [
        ("amd_iommu=on", {}, "F26"),
        ("amd_iommu=pt", {}, "F26"),
        ("iommu=1 intel_iommu=on", {}, "F29"),
        ("iommu=pt,on", {}, "F29"),
        ("intel_iommu=on intel_iommu=1", {}, "F25"),
        ("iommu.passthrough=pt", {}, "F30"),
        ("iommu=pt", ARM, "F30"),
    ],
)
def test_CMD003_fails_on_words_that_do_nothing(words, changes, ref):
    """`amd_iommu=on`, `iommu=1` and their kin are no-ops."""
    found = verdict("CMD003", words, changes)

    assert (Outcome.FAIL, (ref,)) == (found.outcome, found.refs)


@pytest.mark.parametrize(
    "words",
    [
        "intel_iommu=on,sm_on iommu=pt",
        "amd_iommu=force_enable",
        "iommu.passthrough=1",
        "iommu=soft,merge",
        "amd_iommu=fullflush",
        "iommu.passthrough=t",
        "quiet",
    ],
)
def test_CMD003_passes_where_every_word_is_known(words):
    """Words that the kernel acts upon."""
    assert Outcome.PASS == verdict("CMD003", words).outcome


def test_CMD003_unknown_without_a_command_line():
    """Nothing is concluded from nothing."""
    assert Outcome.UNKNOWN == ask("CMD003", nobody()).outcome


def test_CMD003_fails_on_a_configured_word_where_no_running_line_was_kept():
    """A folder with nothing but /etc/default/grub still shows the mistake."""
    text = 'GRUB_CMDLINE_LINUX_DEFAULT="quiet amd_iommu=on"\n'
    found = ask(
        "CMD003", build.hypervisor({"etc/default/grub": build.grepped("etc/default/grub", text)})
    )

    assert (Outcome.FAIL, "etc/default/grub") == (found.outcome, found.evidence[0].source)


# -- CMD004


@pytest.mark.parametrize(
    ("words", "changes", "ref"),
    [
        ("intel_iommu=on intel_iommu=off", {}, "F22"),
        ("intel_iommu=on,off", {}, "F22"),
        ("intel_iommu=on iommu=off", {}, "F22"),
        ("iommu=pt,off", AMD, "F22"),
        ("amd_iommu=off", AMD, "F22"),
        ("amd_iommu=turnoff", {**AMD, **old("5.15.0-1-generic")}, "F27"),
        ("amd_iommu=fullflush,xoff", {**AMD, **old("5.10.0-1-amd64")}, "F27"),
    ],
)
def test_CMD004_fails_where_a_word_switches_it_off(words, changes, ref):
    """The last of Intel's, any of the others, and up to 6.0 in the middle of a word."""
    found = verdict("CMD004", words, changes)

    assert (Outcome.FAIL, (ref,)) == (found.outcome, found.refs)


@pytest.mark.parametrize(
    ("words", "changes"),
    [
        ("intel_iommu=off intel_iommu=on", {}),
        ("intel_iommu=igfx_off", {}),
        ("intel_iommu=sp_off", {}),
        ("amd_iommu=turnoff", AMD),  # 6.1 compares pieces by prefix
        ("amd_iommu=off", {}),  # the other vendor's
        ("intel_iommu=off", AMD),
        ("iommu=off", {**ARM, **IVRS}),  # x86 only
        ("intel_iommu=on -- iommu=off", {}),
        ("iommu=off", ON),  # state beats configuration (platform opt-in)
    ],
)
def test_CMD004_passes_where_no_word_switches_it_off(words, changes):
    """Order, vendor, architecture and state count."""
    assert Outcome.PASS == verdict("CMD004", words, changes).outcome


def test_CMD004_fails_by_a_log_that_names_the_tables():
    """Somebody kept a few lines of the log and nothing else."""
    lines = (
        "[    0.0] Command line: BOOT_IMAGE=/vmlinuz-5.15.0-91-generic ro intel_iommu=on,off\n"
        "[    0.1] ACPI: DMAR 0x000000006FFC0000 000098 (v01 INTEL  EDK2     00000002 ?    01)\n"
    )
    found = ask("CMD004", build.hypervisor({"dmesg": build.grepped("dmesg", lines)}))

    assert (Outcome.FAIL, "dmesg") == (found.outcome, found.evidence[0].source)


def test_CMD004_unknown_where_the_line_or_the_kind_was_not_read():
    """An off for Intel says nothing where nobody knows whose IOMMU it is."""
    lost = {"sys/firmware/acpi/tables/DMAR": Status.DENIED, "proc/cpuinfo": Status.DENIED}

    assert Outcome.UNKNOWN == verdict("CMD004", "intel_iommu=off", lost).outcome
    assert Outcome.UNKNOWN == ask("CMD004", nobody()).outcome


def test_CMD004_fails_on_a_pasted_line_that_nobody_called_whole():
    """Of two words that are seen the later one counts; of a cut line nobody knows."""
    line = b"ro intel_iommu=on intel_iommu=off\n"
    pasted = Item("proc/cmdline", Status.PRESENT, line, extent=Extent.ELIDED)
    assert Outcome.FAIL == ask("CMD004", host({"proc/cmdline": pasted})).outcome

    for item in (
        Item("proc/cmdline", Status.TRUNCATED, line),
        Item("proc/cmdline", Status.PRESENT, b"ro intel_iommu=off ...\n", extent=Extent.ELIDED),
    ):
        assert Outcome.UNKNOWN == ask("CMD004", host({"proc/cmdline": item})).outcome


# -- CMD005, CMD008


@pytest.mark.parametrize(
    ("words", "changes"),
    [
        ("quiet -- intel_iommu=on", {}),
        ("-- iommu.passthrough=1", {}),
        ("-- vfio-pci.ids=8086:1572", BUILTIN),
    ],
)
def test_CMD005_fails_on_words_behind_dashes(words, changes):
    """Kernel words and options of built-in drivers are lost there."""
    assert Outcome.FAIL == verdict("CMD005", words, changes).outcome


@pytest.mark.parametrize(
    "words",
    [
        "intel_iommu=on -- single",
        "-- vfio-pci.ids=8086:1572",
        'a="b -- c" intel_iommu=on',
        "-- modprobe.blacklist=i40e",
    ],
)
def test_CMD005_passes_on_options_of_modules(words):
    """modprobe reads the whole line (seen on 6.12)."""
    assert Outcome.PASS == verdict("CMD005", words).outcome


def test_CMD005_unknown_where_nobody_knows_whether_the_driver_is_a_module():
    """The option counts for a module only."""
    lost = dict.fromkeys(
        ("sys/module", "proc/modules", "modules.builtin", "modules.dep", "kernel-config"),
        Status.NOT_COLLECTED,
    )

    assert Outcome.UNKNOWN == verdict("CMD005", "-- vfio-pci.ids=8086:1572", lost).outcome
    assert Outcome.UNKNOWN == ask("CMD005", nobody()).outcome


def test_CMD008_fails_where_the_line_fills_the_buffer():
    """2,047 bytes and the closing NUL."""
    assert Outcome.FAIL == ask("CMD008", host({"proc/cmdline": "x" * 2047 + "\n"})).outcome


def test_CMD008_passes_on_a_shorter_line():
    """One byte less is not full."""
    assert Outcome.PASS == ask("CMD008", host({"proc/cmdline": "x" * 2046 + "\n"})).outcome


def test_CMD008_unknown_where_the_line_was_cut_in_transfer():
    """What is missing may have been long."""
    cut = Item("proc/cmdline", Status.TRUNCATED, b"BOOT_IMAGE=/x ro")
    assert Outcome.UNKNOWN == ask("CMD008", host({"proc/cmdline": cut})).outcome


# -- CMD006

IGPU = "0000:00:02.0"


def graphics(words: str, changes: dict[str, object] | None = None) -> Verdict:
    """What CMD006 says of an integrated GPU without a group."""
    tree = (
        f"{IGPU}/vendor=0x8086\n{IGPU}/device=0x3e92\n{IGPU}/class=0x030000\n{IGPU}->../x/{IGPU}\n"
    )
    found = build.hypervisor(
        items({"sys/bus/pci/devices": tree, **told(words), **(changes or {})}),
        Declared(devices=(WantedDevice(address=IGPU),)),
    )
    return ask("CMD006", found, found.intent.known[0])


@pytest.mark.parametrize(
    ("words", "changes", "ref"),
    [
        ("intel_iommu=on,igfx_off", {}, "F23"),
        (
            "quiet",
            {"kernel-config": CONFIG + "CONFIG_INTEL_IOMMU_DEFAULT_ON_INTGPU_OFF=y\n"},
            "F24",
        ),
    ],
)
def test_CMD006_fails_on_integrated_graphics(words, changes, ref):
    """igfx_off, or Debian's default."""
    found = graphics(words, changes)

    assert (Outcome.FAIL, (ref,)) == (found.outcome, found.refs)


def test_CMD006_skips_what_is_no_integrated_graphics():
    """igfx_off does not concern a NIC."""
    found = host(told("intel_iommu=on intel_iommu=igfx_off"))

    assert Outcome.SKIP == ask("CMD006", found, found.intent.known[0]).outcome


def test_CMD006_passes_with_nothing_that_leaves_graphics_out():
    """intel_iommu=on switches Debian's graphics on, too."""
    intgpu = {"kernel-config": CONFIG + "CONFIG_INTEL_IOMMU_DEFAULT_ON_INTGPU_OFF=y\n"}

    assert Outcome.PASS == graphics("intel_iommu=on").outcome
    assert Outcome.PASS == graphics("intel_iommu=on", intgpu).outcome
    assert Outcome.PASS == graphics("intel_iommu=intgpu_off,on", intgpu).outcome


def test_CMD006_unknown_without_a_command_line():
    """The device is graphics, the words were not read."""
    assert Outcome.UNKNOWN == graphics("", {"proc/cmdline": Status.DENIED}).outcome


# -- CMD007


def test_CMD007_fails_on_the_other_vendors_word():
    """`intel_iommu=on` on an AMD machine."""
    assert Outcome.FAIL == verdict("CMD007", "intel_iommu=on", AMD).outcome


def test_CMD007_passes_on_the_own_vendors_word():
    """And where there is none."""
    assert Outcome.PASS == verdict("CMD007", "intel_iommu=on").outcome
    assert Outcome.PASS == verdict("CMD007", "quiet", AMD).outcome


def test_CMD007_unknown_where_nobody_knows_the_kind():
    """The CPU's vendor does not tell: emulators mix them."""
    lost = {"sys/firmware/acpi/tables/DMAR": Status.DENIED}

    assert Outcome.UNKNOWN == verdict("CMD007", "intel_iommu=on", lost).outcome


# -- CMD020 to CMD022


def test_CMD020_fails_on_a_dash_for_the_dot():
    """Both spellings are unknown to the kernel."""
    for word in ("vfio-pci-ids=8086:1572", "vfio_pci_ids=8086:1572"):
        found = verdict("CMD020", word)
        assert (Outcome.FAIL, "vfio-pci.ids=8086:1572") == (found.outcome, found.expected)


def test_CMD020_passes_on_the_dot():
    """Dash and underscore are the same in it."""
    for word in ("vfio-pci.ids=8086:1572", "vfio_pci.ids=8086:1572"):
        assert Outcome.PASS == verdict("CMD020", word).outcome


def test_CMD020_unknown_without_a_command_line():
    """Nothing is concluded from nothing."""
    assert Outcome.UNKNOWN == ask("CMD020", nobody()).outcome


@pytest.mark.parametrize(
    "ids",
    [
        "10de",
        "10de.1b80",
        "8086:1572, 10de:1b80",
        "8086,1572",
        "8086:157x",
        "8086:1572;10de:1b80",
        "",
        "18086:1572",
        "vendor:device",
        ",".join(["8086:1572"] * 110),
        "8086:",
    ],
)
def test_CMD021_fails_on_a_list_that_the_driver_cannot_read(ids):
    """A blank ends the list, other things are passed over or dropped."""
    assert Outcome.FAIL == verdict("CMD021", f"vfio-pci.ids={ids}").outcome


def test_CMD021_fails_on_a_list_in_modprobe_d():
    """The same list in the other place."""
    conf = {
        "etc/modprobe.d/": "v.conf",
        "etc/modprobe.d/v.conf": "options vfio-pci ids=10de,1b80\n",
    }
    found = verdict("CMD021", "quiet", conf)

    assert (Outcome.FAIL, "etc/modprobe.d/v.conf") == (found.outcome, found.evidence[0].source)


@pytest.mark.parametrize(
    "ids",
    [
        "8086:1572",
        "8086:1572,10de:1B80",
        "0x8086:0x1572:103c:22fc",
        "8086:1572:ffffffff:ffffffff:20000:ffff00",
        ",8086:1572",
        '"8086:1572, 10de:1b80"',
        '"8086: 1572"',
        "8086:1572x",
        "8086:1572:",
    ],
)
def test_CMD021_passes_on_a_list_that_the_driver_reads(ids):
    """Hex, with or without 0x; an empty entry is passed over, as are blanks before a number.

    What stands behind an id that a device has changes nothing.
    """
    assert Outcome.PASS == verdict("CMD021", f"vfio-pci.ids={ids}").outcome


def test_CMD021_unknown_where_modprobe_d_was_not_read():
    """The list there may be malformed."""
    lost = {"etc/modprobe.d/": Status.DENIED}

    assert Outcome.UNKNOWN == verdict("CMD021", "vfio-pci.ids=8086:1572", lost).outcome


CONF = {"etc/modprobe.d/": "v.conf", "etc/modprobe.d/v.conf": "options vfio-pci ids=10de:1b80\n"}


@pytest.mark.parametrize(
    ("words", "changes"),
    [
        ("vfio-pci.ids=10de:1b80 vfio_pci.ids=8086:1572", {}),
        ("vfio-pci.ids=8086:1572", CONF),
        ("vfio-pci.ids=8086:1572 -- vfio-pci.ids=10de:1b80", {}),
    ],
)
def test_CMD022_fails_where_a_list_replaces_another(words, changes):
    """The last list counts; modprobe.d comes first, the command line after it."""
    assert Outcome.FAIL == verdict("CMD022", words, changes).outcome


@pytest.mark.parametrize(
    ("words", "changes"),
    [
        ("vfio-pci.ids=8086:1572,10de:1b80", CONF),
        ("vfio-pci.ids=8086:1572 vfio-pci.ids=8086:1572", {}),
        ("quiet", CONF),
        ("quiet", {}),
    ],
)
def test_CMD022_passes_where_no_id_is_lost(words, changes):
    """One list, or the last one has all."""
    assert Outcome.PASS == verdict("CMD022", words, changes).outcome


def test_CMD022_unknown_where_modprobe_d_was_not_read():
    """A list there would be replaced."""
    lost = {"usr/lib/modprobe.d/": Status.NOT_COLLECTED}

    assert Outcome.UNKNOWN == verdict("CMD022", "vfio-pci.ids=8086:1572", lost).outcome


# -- CMD023 to CMD028


@pytest.mark.parametrize(
    ("word", "right"),
    [
        ("disable_vga=1", "vfio-pci.disable_vga=1"),
        ("allow_unsafe_interrupts=1", "vfio_iommu_type1.allow_unsafe_interrupts=1"),
        (
            "vfio_iommu_type1,allow_unsafe_interrupts=1",
            "vfio_iommu_type1.allow_unsafe_interrupts=1",
        ),
        ("video=efifb:eek:ff", "video=efifb:off"),
        ("vfio\u2013pci.ids=8086:1572", "vfio-pci.ids=8086:1572"),
    ],
)
def test_CMD023_fails_on_mangled_words(word, right):
    """Bare options, a comma for the dot, a smiley, a typographic dash."""
    found = verdict("CMD023", word)

    assert (Outcome.FAIL, right) == (found.outcome, found.expected)


def test_CMD023_passes_on_sound_words():
    """Options with their module's name."""
    assert Outcome.PASS == verdict("CMD023", "vfio-pci.disable_vga=1 video=efifb:off").outcome


def test_CMD023_unknown_without_a_command_line():
    """Nothing is concluded from nothing."""
    assert Outcome.UNKNOWN == ask("CMD023", nobody()).outcome


@pytest.mark.parametrize(
    "words",
    [
        "intremap=off",
        "nointremap",
        "pci=nomsi",
        "pci=realloc,nomsi",
        "noapic",
        "nolapic",
        "acpi=off",
        "intremap=on,off",
    ],
)
def test_CMD024_fails_on_switches_that_break_assignment(words):
    """Each takes something from every device."""
    assert Outcome.FAIL == verdict("CMD024", words).outcome


@pytest.mark.parametrize(
    "words",
    ["intremap=off intremap=on", "pci=realloc", "quiet", "quiet -- nointremap", "acpi=force"],
)
def test_CMD024_passes_without_them(words):
    """The last word of intremap= counts."""
    assert Outcome.PASS == verdict("CMD024", words).outcome


def test_CMD024_unknown_without_a_command_line():
    """Nothing is concluded from nothing."""
    assert Outcome.UNKNOWN == ask("CMD024", nobody()).outcome


def test_CMD025_fails_on_words_that_weaken_isolation():
    """Interrupts without source ids, peers past the IOMMU."""
    for words, ref in (
        ("intremap=nosid", "F44"),
        ("pci=disable_acs_redir=pci:8086:1572", "F46"),
        ("pci=config_acs=10x@pci:0:0", "F46"),
    ):
        found = verdict("CMD025", words)
        assert (Outcome.FAIL, (ref,)) == (found.outcome, found.refs)


def test_CMD025_passes_without_them():
    """Other words of the same parameters do not weaken."""
    assert Outcome.PASS == verdict("CMD025", "intremap=on pci=realloc").outcome


def test_CMD025_unknown_without_a_command_line():
    """Nothing is concluded from nothing."""
    assert Outcome.UNKNOWN == ask("CMD025", nobody()).outcome


WARNING = (
    "[    0.000000] Linux version 6.1 (x@y)\n[    0.1] Warning: PCIe ACS overrides enabled; This"
)


def test_CMD026_fails_where_the_kernel_honours_the_word():
    """The patched kernel says so."""
    found = verdict("CMD026", "pcie_acs_override=downstream", {"dmesg": f"{WARNING}\n"})

    assert Outcome.FAIL == found.outcome
    assert {"dmesg", "proc/cmdline"} == {quote.source for quote in found.evidence}


def test_CMD026_passes_on_a_stock_kernel():
    """There the word is unknown and the groups are real."""
    assert Outcome.PASS == verdict("CMD026", "pcie_acs_override=downstream").outcome
    assert Outcome.PASS == verdict("CMD026", "quiet").outcome


def test_CMD026_unknown_where_the_log_is_not_whole():
    """The warning may have been in the part that was not kept."""
    kept = {"dmesg": build.grepped("dmesg", "[    1.0] vfio\n")}

    assert Outcome.UNKNOWN == verdict("CMD026", "pcie_acs_override=downstream", kept).outcome


UNSAFE = {
    "etc/modprobe.d/": "v.conf",
    "etc/modprobe.d/v.conf": "options vfio_iommu_type1 allow_unsafe_interrupts=1\n",
}


def test_CMD027_fails_where_unsafe_interrupts_are_configured():
    """On the command line or in modprobe.d, of either module."""
    assert Outcome.FAIL == verdict("CMD027", "vfio_iommu_type1.allow_unsafe_interrupts=1").outcome
    assert Outcome.FAIL == verdict("CMD027", "iommufd.allow_unsafe_interrupts").outcome
    assert Outcome.FAIL == verdict("CMD027", "quiet", UNSAFE).outcome


def test_CMD027_fails_as_degraded_where_interrupts_are_remapped():
    """The switch does nothing there."""
    remapped = {"proc/interrupts": "  24:  1  IR-PCI-MSI 524288-edge  eth0\n"}
    found = verdict("CMD027", "quiet", {**UNSAFE, **remapped})

    assert (Outcome.FAIL, "degraded") == (found.outcome, found.severity)


def test_CMD027_passes_where_they_are_not():
    """A later N takes it back."""
    off = "vfio_iommu_type1.allow_unsafe_interrupts=N"
    assert Outcome.PASS == verdict("CMD027", "quiet").outcome
    assert Outcome.PASS == verdict("CMD027", off, UNSAFE).outcome


def test_CMD027_unknown_where_modprobe_d_was_not_read():
    """It may stand there."""
    lost = {"etc/modprobe.d/": Status.DENIED}

    assert Outcome.UNKNOWN == verdict("CMD027", "quiet", lost).outcome


def test_CMD028_fails_on_noats_and_nobar():
    """Features of every device."""
    for words in ("pci=noats", "pci=realloc,nobar"):
        assert Outcome.FAIL == verdict("CMD028", words).outcome


def test_CMD028_passes_without_them():
    """Other words of pci= are let through."""
    assert Outcome.PASS == verdict("CMD028", "pci=realloc,assign-busses").outcome


def test_CMD028_unknown_without_a_command_line():
    """Nothing is concluded from nothing."""
    assert Outcome.UNKNOWN == ask("CMD028", nobody()).outcome


# -- CMD030 to CMD032


@pytest.mark.parametrize(
    "words", ["iommu.strict=1", "intel_iommu=on,strict", "amd_iommu=fullflush"]
)
def test_CMD030_fails_on_strict_mode(words):
    """Host devices pay for it."""
    found = verdict("CMD030", words)

    assert Outcome.FAIL == found.outcome


@pytest.mark.parametrize(
    "words",
    [
        "quiet",
        "iommu.strict=1 iommu.strict=0",
        "iommu.strict=1 iommu=pt",
        "panic=-1 rd.timeout=-5,-2 intel_iommu=on,sp_off console=-",
        "intel_iommu=on amd_iommu=strict",
    ],
)
def test_CMD030_passes_in_lazy_mode_or_without_translation(words):
    """The last iommu.strict= counts; passthrough needs no flush."""
    assert Outcome.PASS == verdict("CMD030", words).outcome


def test_CMD030_unknown_without_a_command_line():
    """Nothing is concluded from nothing."""
    assert Outcome.UNKNOWN == ask("CMD030", nobody()).outcome


def groups(kind: str) -> dict[str, object]:
    """The groups of the host's own devices, all of one type."""
    return {"sys/kernel/iommu_groups": living.groups(living.FUNCTIONS, kind)}


def own_devices(words: str, *changes: dict[str, object]) -> Verdict:
    """What CMD031 says of a host whose own devices have drivers and groups."""
    merged = {name: what for change in changes for name, what in change.items()}
    return ask("CMD031", build.hypervisor(living.host(**{"proc/cmdline": words, **merged})))


OLD = {
    "proc/sys/kernel/osrelease": "5.4.0-94-generic",
    "uname": "Linux h 5.4.0-94-generic #106-Ubuntu SMP x86_64 x86_64 GNU/Linux",
    "kernel-config": "CONFIG_INTEL_IOMMU=y\n",
}


def test_CMD031_fails_where_groups_have_dma_domains():
    """What the kernel reports counts, whatever it was asked for."""
    found = own_devices("iommu=pt", groups("DMA-FQ"))

    assert Outcome.FAIL == found.outcome
    assert "type DMA-FQ" in found.actual


def test_CMD031_passes_where_groups_have_identity_domains():
    """Also without iommu=pt: state beats configuration."""
    assert Outcome.PASS == own_devices("quiet", groups("identity")).outcome


@pytest.mark.parametrize("words", ["quiet", "iommu=pt iommu=nopt", "iommu=pt iommu.passthrough=0"])
def test_CMD031_fails_by_the_command_line_where_no_type_is_reported(words):
    """Before 5.11 a group reports no type; the last parameter counts."""
    assert Outcome.FAIL == own_devices(words, OLD).outcome


@pytest.mark.parametrize(
    ("words", "changes"),
    [
        ("iommu=pt", {}),
        ("iommu.passthrough=1", {}),
        ("iommu=nopt iommu=pt", {}),
        ("quiet", {"kernel-config": "CONFIG_IOMMU_DEFAULT_PASSTHROUGH=y\n"}),
    ],
)
def test_CMD031_passes_by_the_command_line_where_no_type_is_reported(words, changes):
    """By a parameter, or built that way."""
    assert Outcome.PASS == own_devices(words, OLD, changes).outcome


@pytest.mark.parametrize("name", ["sys/kernel/iommu_groups", "sys/bus/pci/devices"])
def test_CMD031_unknown_where_only_the_request_was_read(name):
    """The command line is no proof where the kernel reports the state."""
    assert Outcome.UNKNOWN == own_devices("iommu=pt", {name: Status.DENIED}).outcome


def test_CMD031_unknown_without_the_kernels_default():
    """Without a parameter the configuration decides."""
    found = own_devices("quiet", OLD, {"kernel-config": Status.DENIED})

    assert Outcome.UNKNOWN == found.outcome


def test_CMD031_skips_where_the_iommu_is_off():
    """Nothing is translated there."""
    off = {
        "sys/class/iommu": "",
        "sys/kernel/iommu_groups": "",
        "sys/bus/pci/devices": living.function(living.NIC, driver="igb"),
    }

    assert Outcome.SKIP == own_devices("quiet", off).outcome


def kdump(append: str) -> dict[str, object]:
    return {"etc/default/kdump-tools": f'USE_KDUMP=1\nKDUMP_CMDLINE_APPEND="irqpoll {append}"\n'}


def test_CMD032_fails_where_the_crash_kernel_differs():
    """iommu=off for the crash kernel alone."""
    assert Outcome.FAIL == verdict("CMD032", "intel_iommu=on", kdump("iommu=off")).outcome


def test_CMD032_passes_where_it_does_not():
    """The same words, or none."""
    assert Outcome.PASS == verdict("CMD032", "intel_iommu=on", kdump("nr_cpus=1")).outcome
    assert Outcome.PASS == verdict("CMD032", "iommu=pt", kdump("iommu=pt")).outcome
    assert Outcome.SKIP == verdict("CMD032", "iommu=pt").outcome


def test_CMD032_unknown_where_the_file_was_not_read_or_is_a_program():
    """A command substitution is not run."""
    program = {"etc/default/kdump-tools": 'KDUMP_CMDLINE_APPEND="$(cat /x)"\n'}
    assert Outcome.UNKNOWN == verdict("CMD032", "quiet", program).outcome
    denied = {"etc/default/kdump-tools": Status.DENIED}
    assert Outcome.UNKNOWN == verdict("CMD032", "quiet", denied).outcome


def test_severities_follow_the_catalogue():
    """Advice stays advice."""
    severity = {check.id: check.severity for check in suite.packaged()}
    assert Severity.ADVICE == severity["CMD003"] == severity["CMD031"] == severity["CMD030"]
    assert Severity.BLOCKER == severity["CMD002"] == severity["CMD004"] == severity["CMD010"]
    assert Severity.SECURITY == severity["CMD026"] == severity["CMD027"]


@pytest.mark.parametrize(
    ("id", "line"),
    [
        ("CMD003", "DMAR: Unknown option - '1'"),
        ("CMD003", "AMD-Vi: Unknown option - 'on'"),
        ("CMD020", 'Unknown kernel command line parameters "vfio-pci-ids=8086:1572", will be'),
        ("CMD021", 'vfio_pci: invalid id string "10de"'),
        ("CMD021", "vfio_pci: ids: string doesn't fit in 1023 chars."),
    ],
)
def test_the_kernels_own_complaint_is_proof_where_no_line_was_kept(id, line):
    """A log of which somebody kept one line."""
    found = ask(id, build.hypervisor({"dmesg": build.grepped("dmesg", f"[    0.1] {line}\n")}))

    assert (Outcome.FAIL, "dmesg") == (found.outcome, found.evidence[0].source)


def test_the_cure_is_a_reboot_where_the_next_boot_has_the_word_no_more():
    """grub.cfg is right already; elsewhere the word has to go from the configuration."""
    assert ("systemctl reboot",) == what_to_do(verdict("CMD024", "nointremap"))

    words = "intel_iommu=on iommu=pt nointremap"
    configured = {"boot/grub/grub.cfg": grub_cfg(words), "etc/default/grub": default_grub(words)}
    found = verdict("CMD024", words, configured)
    edit, *others = what_to_do(found)
    assert ["update-grub", "systemctl reboot"] == others
    assert edit.startswith("sed -i")
    assert edit.endswith("/etc/default/grub")
