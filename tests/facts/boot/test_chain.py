"""The boot chain: configured, generated, running."""

from __future__ import annotations

import subprocess

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from pytest_vfio.evidence import Extent, Item, Missing, Status
from pytest_vfio.facts.boot import kdump
from pytest_vfio.facts.boot.chain import Boot
from pytest_vfio.facts.boot.grub import GrubDefaults
from pytest_vfio.facts.kernel.release import Kernel
from pytest_vfio.parse import entries, shellvars
from pytest_vfio.parse.effects import compare
from tests.hosts import booting as bootchain
from tests.hosts.plain import evidence, grepped


def boot(changes: dict[str, object] | None = None) -> Boot:
    read = evidence(bootchain.items(changes))
    return Boot(read, Kernel(read))


def shell(text: str) -> shellvars.Shell:
    return shellvars.evaluate([Item("etc/default/grub", Status.PRESENT, text.encode())])


# -- shell assignments


@pytest.mark.parametrize(
    ("text", "value", "certain"),
    [
        ('A="x y"', "x y", True),
        ("A='x $B'", "x $B", True),
        ("A=x\\ y", "x y", True),
        ('A="x \\"y\\""', 'x "y"', True),
        ("A=x\nA=$A\\ y", "x y", True),
        ('A=x; A="${A} y"', "x y", True),
        ("A=x # A=y\n#A=z", "x", True),
        ('export A="x"', "x", True),
        ('A="x \\\n y"', "x  y", True),
        ('A="${B:-x}"', "x", True),
        ("B=y A=x true\nA=z", "z", True),
        ("A=x\nunset A", None, True),
        ("A=x\r\n", "x", True),
        ("if true; then\nA=x\nfi", "", False),
        ('A="a b"\nif true; then A="$A c"; fi', "a b", False),
        ("[ -f /x ] && A=x", "", False),
        ('A="x $(id) y"', "x \ue000 y", False),
        ("A=x`id`", "x\ue000", False),
        ("A=$HOME", "\ue000", False),
        ("A=x\n. /etc/other", "x", False),
        ("A=x\n. /etc/os-release", "x", True),
        ("A=x\neval $B", "x", False),
        ("A+=x", "x", False),  # dash takes it for a command
        ("f() {\nA=x\n}\nf", "", False),
        ('A="x', "x\ue000", False),
        ("case $x in\na) A=x ;;\nesac\nA=y", "y", True),
    ],
)
def test_an_assignment_is_evaluated_or_unknown(text, value, certain):
    """What cannot be evaluated without running it says so."""
    found = shell(text)

    assert value == (found.values["A"].text if "A" in found.values else None)
    assert certain == found.certain("A")


WORDS = st.text(st.sampled_from("ab=. ,\"'$\\{}"), max_size=12)


@given(st.lists(WORDS, min_size=1, max_size=4))
@example(['"a', "$A", "'"])
@example(["", "= ."])
@example(["$\\", ""])
def test_certain_values_are_what_a_shell_makes_of_them(lines):
    """dash itself is the oracle: whatever we are certain of, it says too."""
    text = "".join(f"A={line}\n" for line in lines)
    found = shell(text)
    if "A" not in found.values or not found.certain("A"):
        return
    done = subprocess.run(
        ["/bin/sh", "-c", f'unset a b\n{text}\nprintf %s "$A"'],
        capture_output=True,
        text=True,
        check=False,
        env={"PATH": "/nowhere"},
    )

    if done.returncode == 0 and not done.stderr:
        assert done.stdout == found.values["A"].text


@given(st.binary(max_size=300))
def test_any_bytes_are_a_shell_file(data):
    """Garbage never fails, and nothing is run."""
    item = Item("f", Status.PRESENT, data)
    found = shellvars.evaluate([item, item])

    assert all(isinstance(value.text, str) for value in found.values.values())


def test_long_files_are_read_in_no_time():
    """No backtracking, no recursion."""
    for text in ("(" * 60000, "${" * 30000, '"' + "$(" * 30000, "a\\" * 30000, "A=$A$A\n" * 3000):
        assert shell(text).values.keys() <= {"A"}


def test_a_cut_file_is_never_certain():
    """The rest may say something else."""
    cut = Item("f", Status.TRUNCATED, b"A=x\nB=y")
    found = shellvars.evaluate([cut])

    assert not found.certain("A")
    assert "B" not in found.values


# -- GRUB's configuration


def grub(changes: dict[str, object]) -> GrubDefaults:
    return GrubDefaults(
        evidence({"etc/os-release": "ID=ubuntu\n", "etc/default/grub.d/": None, **changes})
    )


def test_the_default_line_comes_after_the_one_for_all_entries():
    """So ..._DEFAULT wins where the last word counts (S17)."""
    text = 'GRUB_CMDLINE_LINUX_DEFAULT="quiet a=2"\nGRUB_CMDLINE_LINUX="a=1"\n'
    found = grub({"etc/default/grub": text})

    assert ["a=1", "quiet", "a=2"] == [word.text for word in found.words]
    assert () == found.missing


def test_drop_ins_are_sourced_in_the_order_of_their_names():
    """On Debian and its kin; elsewhere they are not read."""
    items = {
        "etc/default/grub": "GRUB_CMDLINE_LINUX=a\n",
        "etc/default/grub.d/": "20.cfg\n10.cfg\nREADME\n",
        "etc/default/grub.d/10.cfg": 'GRUB_CMDLINE_LINUX="$GRUB_CMDLINE_LINUX b"\n',
        "etc/default/grub.d/20.cfg": "GRUB_CMDLINE_LINUX=c\n",
    }
    assert ["c"] == [word.text for word in grub(items).words]
    assert ["etc/default/grub.d/20.cfg"] == [a.quote.source for a in grub(items).overridden]
    assert ["a"] == [w.text for w in grub({**items, "etc/os-release": "ID=fedora\n"}).words]
    assert grub({**items, "etc/os-release": Status.DENIED}).missing


@pytest.mark.parametrize(
    "changes",
    [
        {"etc/default/grub": Status.DENIED},
        {"etc/default/grub": "GRUB_CMDLINE_LINUX=$(id)\n"},
        {"etc/default/grub": grepped("etc/default/grub", "GRUB_CMDLINE_LINUX=a\n")},
        {"etc/default/grub": "GRUB_CMDLINE_LINUX=a\n", "etc/default/grub.d/": Status.DENIED},
        {"etc/default/grub": "a\n", "etc/default/grub.d/": "x.cfg"},
    ],
)
def test_a_configuration_that_is_not_all_known_says_what_is_missing(changes):
    """Known words still prove presence."""
    assert grub(changes).missing


# -- generated entries


def cfg(text: str, **environment: str) -> entries.GrubCfg:
    return entries.grub_cfg(Item("boot/grub/grub.cfg", Status.PRESENT, text.encode()), environment)


def test_the_entries_of_a_grub_cfg_are_found():
    """Submenus, ids, kernels, recovery."""
    found = cfg(bootchain.grub_cfg("iommu=pt"))

    assert "0" == found.default
    assert [False, False, True] == [entry.recovery for entry in found.entries]
    assert {bootchain.RELEASE} == {entry.release for entry in found.entries}
    assert ["ro", "quiet", "iommu=pt"] == [word.text for word in found.entries[0].words[1:]]
    assert "gnulinux-advanced-1" == found.entries[1].path[0][1]


@pytest.mark.parametrize(
    ("wanted", "title"),
    [
        ("0", "Debian GNU/Linux"),
        ("1", f"Debian, with Linux {bootchain.RELEASE}"),
        ("1>1", f"Debian, with Linux {bootchain.RELEASE} (recovery)"),
        ("gnulinux-advanced-1>rec-1", f"Debian, with Linux {bootchain.RELEASE} (recovery)"),
        ("Debian GNU/Linux", "Debian GNU/Linux"),
        ("no such entry", "Debian GNU/Linux"),
    ],
)
def test_a_default_is_an_index_an_id_or_a_title(wanted, title):
    """By level; what fits nothing is the first."""
    found = entries.pick(cfg(bootchain.grub_cfg("")).entries, wanted)

    assert title == found.title


def test_variables_of_an_entry_are_looked_up():
    """In grub.cfg and grubenv; one that is nowhere makes the entry uncertain."""
    text = "set x=a=1\nmenuentry 'm' {{\nlinux /vmlinuz-6.1 ro ${0}\n}}\n"

    assert ["ro", "a=1"] == [w.text for w in cfg(text.format("x")).entries[0].words]
    assert ["ro", "b"] == [w.text for w in cfg(text.format("y"), y="b").entries[0].words]
    assert not cfg(text.format("z")).entries[0].certain
    assert cfg(text.format("vt_handoff")).entries[0].certain


@given(st.text(max_size=300))
@example("}\n}\nmenuentry {\nlinux x\nset default=${\nsubmenu {")
def test_any_text_is_a_grub_cfg(text):
    """Garbage has no entries, or some; it never fails."""
    found = cfg(text)
    item = Item("boot/loader/entries/x.conf", Status.PRESENT, text.encode("utf-8", "replace"))

    assert all(entry.path for entry in found.entries)
    assert entries.pick(found.entries, text) is None or found.entries
    assert isinstance(entries.grubenv(item), dict)
    entry = entries.loader_entry(item, {})
    assert entry is None or entry.id == "x"
    assert entries.newest(found.entries, text[:20]) is None or found.entries


def test_a_loader_entry_is_read():
    """Options add up, variables come from grubenv, the version names the kernel."""
    text = (
        "title Fedora\nversion 6.1.0-1.fc37\nlinux /vmlinuz-6.1.0-1.fc37\n"
        "options root=x $kernelopts\noptions iommu=pt\n"
    )
    item = Item("boot/loader/entries/abc-6.1.conf", Status.PRESENT, text.encode())
    found = entries.loader_entry(item, {"kernelopts": "ro intel_iommu=on"})

    assert ["root=x", "ro", "intel_iommu=on", "iommu=pt"] == [word.text for word in found.words]
    assert ("abc-6.1", "6.1.0-1.fc37", True) == (found.id, found.release, found.certain)
    assert not entries.loader_entry(item, {}).certain


def test_versions_sort_as_numbers():
    """6.10 is newer than 6.9; rescue entries come last."""

    def entry(release: str) -> entries.Entry:
        text = f"linux /vmlinuz-{release}\noptions ro\n"
        item = Item(f"e/m-{release}.conf", Status.PRESENT, text.encode())
        return entries.loader_entry(item, {})

    some = [entry(release) for release in ("6.9.1-2", "6.10.0-1", "0-rescue-99", "6.2.9")]
    assert "6.10.0-1" == entries.newest(some).release
    assert "6.2.9" == entries.newest(some, "m-6.2*").release


# -- the chain


@pytest.mark.parametrize(
    ("changes", "kind"),
    [
        ({}, "grub"),
        ({"boot/grub/grub.cfg": "insmod blscfg\nblscfg\n"}, "grub-bls"),
        ({"run/ostree-booted": ""}, "ostree"),
        ({"proc/cmdline": "BOOT_IMAGE=/x ostree=/ostree/boot.1 ro\n"}, "ostree"),
        ({"proc/cmdline": "initrd=\\EFI\\x\\initrd.img ro\n"}, "systemd-boot"),
        (
            {
                "proc/cmdline": "ro\n",
                "sys/firmware/efi": "efivars/LoaderInfo-4a67b082=systemd-boot 252\n",
            },
            "systemd-boot",
        ),
        (
            {"proc/cmdline": "ro\n", "sys/firmware/efi": "efivars/LoaderInfo-4a67b082=GRUB 2.12\n"},
            "grub",
        ),
        (
            {
                "proc/cmdline": "ro\n",
                "sys/firmware/efi": "efivars/StubInfo-4a67b082=systemd-stub 252\n",
            },
            "uki",
        ),
        (
            {
                "proc/cmdline": "ro\n",
                "bootctl": "Current Boot Loader:\n      Product: systemd-boot 252\n",
            },
            "systemd-boot",
        ),
        ({"proc/cmdline": "ro\n"}, None),
        ({"boot/grub/grub.cfg": Status.DENIED}, None),
    ],
)
def test_the_loader_is_known_by_what_it_left(changes, kind):
    """State first; where nothing tells, nobody knows."""
    found = boot(changes)
    if kind is None:
        with pytest.raises(Missing):
            _ = found.loader
    else:
        assert kind == found.loader.kind
        assert found.loader.quote.source


def test_a_sound_host_agrees_in_all_three():
    """Configured, generated, running."""
    found = boot()

    for here, there in (
        (found.configured.words, found.next_entry.words),
        (found.next_entry.words, found.running.words),
    ):
        change = compare(here, there)
        assert ((), ()) == (change.arriving, change.leaving)
    assert found.by_grub


def test_the_saved_entry_is_the_next_one():
    """GRUB_DEFAULT=saved, where entries differ."""
    text = (
        bootchain.grub_cfg("iommu=pt")
        .replace('"0"', '"${saved_entry}"')
        .replace("ro single", "ro 3")
    )
    changes = {"boot/grub/grub.cfg": text, "boot/grub/grubenv": "saved_entry=1>1\n"}

    assert "rec-1" == boot(changes).next_entry.id
    with pytest.raises(Missing):
        _ = boot({**changes, "boot/grub/grubenv": Status.DENIED}).next_entry


def test_a_one_time_entry_is_not_the_default():
    """grub-reboot: the boot after it takes the saved one again."""
    text = bootchain.grub_cfg("iommu=pt").replace('"0"', '"${saved_entry}"')
    changes = {"boot/grub/grub.cfg": text, "boot/grub/grubenv": "saved_entry=0\nnext_entry=1>1\n"}
    found = boot(changes)

    assert "gnulinux-simple-1" == found.next_entry.id
    assert "rec-1" == found.selection.once.id
    assert "next_entry=1>1" == found.selection.once_quote.line
    assert boot().selection.once is None


CUSTOM = """\
menuentry 'mine' --id mine {
	linux /boot/vmlinuz-6.1.0-18-amd64 root=UUID=1 ro intel_iommu=off
}
"""


@pytest.mark.parametrize("saved", ["mine", "2"])
def test_entries_of_custom_cfg_are_entries(saved):
    """They follow those of grub.cfg, and GRUB goes on counting."""
    text = bootchain.grub_cfg("iommu=pt").replace('"0"', '"${saved_entry}"')
    changes = {"boot/grub/grub.cfg": text, "boot/grub/grubenv": f"saved_entry={saved}\n"}
    found = boot({**changes, "boot/grub/custom.cfg": CUSTOM})

    assert "mine" == found.next_entry.id
    assert found.next_entry.by_hand
    assert "gnulinux-simple-1" == found.generated.id
    assert found.selection.unfit is None


def test_a_default_that_names_nothing_is_told_and_the_first_entry_is_taken():
    """Where custom.cfg was not read it may stand there."""
    text = bootchain.grub_cfg("iommu=pt").replace('"0"', '"${saved_entry}"').replace("single", "3")
    changes = {"boot/grub/grub.cfg": text, "boot/grub/grubenv": "saved_entry=gone\n"}

    assert "gone" == boot({**changes, "boot/grub/custom.cfg": None}).selection.unfit
    assert "gnulinux-simple-1" == boot(changes).next_entry.id
    with pytest.raises(Missing):
        _ = boot(changes).selection.unfit


def test_the_words_to_look_at_are_the_running_ones_else_the_configured():
    """A folder with nothing but /etc/default/grub."""
    kept = Item(
        "etc/default/grub",
        Status.PRESENT,
        b'... left out ...\nGRUB_CMDLINE_LINUX_DEFAULT="quiet iommu=pt"\n...\n',
        extent=Extent.ELIDED,
    )
    read = evidence({"etc/default/grub": kept})
    found = Boot(read, Kernel(read))

    assert ["quiet", "iommu=pt"] == [word.text for word in found.spoken]
    assert found.grub_line.missing
    assert "etc/default/grub" == found.spoken[0].quote.source
    assert ["BOOT_IMAGE"] == [word.name for word in boot().spoken[:1]]


def test_the_crash_kernels_words_are_read():
    """Debian's kdump-tools."""
    text = "USE_KDUMP=1\n#KDUMP_CMDLINE=x\nKDUMP_CMDLINE_APPEND='reset_devices iommu=off'\n"
    found = kdump.read(evidence({"etc/default/kdump-tools": text}))

    assert ["reset_devices", "iommu=off"] == [word.text for word in found.words]
    assert () == found.missing
    assert kdump.read(evidence({"etc/default/kdump-tools": None})).quote is None
