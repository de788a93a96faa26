"""Modules, modprobe.d, the initramfs and the ids of vfio-pci."""

from __future__ import annotations

import contextlib
from dataclasses import dataclass

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pytest_vfio.evidence import Item, Missing, Quote, Status
from pytest_vfio.facts.drivers.initramfs import module_name
from pytest_vfio.facts.drivers.modprobe import DIRECTORIES, Modprobe
from pytest_vfio.facts.drivers.modules import Modules
from pytest_vfio.facts.kernel.cmdline import Cmdline
from pytest_vfio.facts.kernel.release import Kernel
from pytest_vfio.parse import vfioids
from tests.hosts.plain import evidence, grepped

NOWHERE = Quote("", "")


def modules(items: dict[str, object]) -> Modules:
    read = evidence({"uname": "Linux a 6.1.0 x86_64\n", **items})
    kernel = Kernel(read)
    return Modules(read, kernel, Cmdline(read, kernel))


def conf(text: str, name: str = "v.conf") -> dict[str, object]:
    """A whole modprobe.d with one file."""
    return {**dict.fromkeys(DIRECTORIES), DIRECTORIES[0]: name, DIRECTORIES[0] + name: text}


# -- where a driver is


@pytest.mark.parametrize(
    ("items", "builtin"),
    [
        ({"sys/module": "vfio_pci=\nvfio_pci/initstate=live\n"}, False),
        ({"proc/modules": "vfio_pci 16384 0 - Live 0x0\n"}, False),
        ({"modules.builtin": "kernel/drivers/vfio/pci/vfio-pci.ko\n"}, True),
        ({"modules.builtin": "kernel/drivers/x.ko\n"}, False),
        ({"kernel-config": "CONFIG_VFIO_PCI=y\n"}, True),
        ({"kernel-config": "CONFIG_VFIO_PCI=m\n"}, False),
        ({"modules.dep": "kernel/vfio-pci.ko.zst: kernel/vfio.ko.zst\n"}, False),
        ({}, None),
        ({"modules.builtin": Status.DENIED}, None),
    ],
)
def test_a_driver_is_built_in_or_not(items, builtin):
    """By what is loaded, modules.builtin, the configuration, the module's file."""
    if builtin is None:
        with pytest.raises(Missing):
            modules(items).builtin("vfio-pci")
    else:
        assert builtin == modules(items).builtin("vfio-pci")


def test_built_in_code_is_loaded_although_lsmod_lacks_it():
    """S11."""
    found = modules({"proc/modules": "kvm 1 0\n", "modules.builtin": "kernel/vfio/vfio-pci.ko\n"})

    assert found.loaded("vfio_pci")
    assert not found.loaded("vfio_iommu_type1")
    assert found.available("vfio-pci")


def test_lsmods_own_heading_is_no_module():
    """A pasted lsmod has one."""
    found = modules({"proc/modules": "Module                  Size  Used by\nvfio 1 0\n"})

    assert found.loaded_quote("vfio") is not None
    assert found.loaded_quote("Module") is None


def test_the_drivers_own_log_line_proves_that_it_is_there():
    """Grepped or not."""
    log = "[   10.814142] vfio_pci: add [8086:1572[ffffffff:ffffffff]] class 0x000000/00000000\n"
    found = modules({"dmesg": grepped("dmesg", log)})

    assert found.loaded("vfio-pci")
    with pytest.raises(Missing):
        found.loaded("vfio_iommu_type1")


def test_only_what_the_list_is_about_is_absent_from_it():
    """modules.dep is cut down to a few families of modules."""
    found = modules({"modules.dep": "kernel/vfio.ko\n", "sys/module": "", "modules.builtin": "x\n"})

    assert not found.available("vfio-pci")
    with pytest.raises(Missing):
        found.available("i40e")


def test_a_cut_list_proves_no_absence_and_its_last_line_nothing():
    """`vfio` may be the head of `vfio_pci`."""
    cut = Item("modules.builtin", Status.TRUNCATED, b"kernel/a.ko\nkernel/vfio")
    found = modules({"modules.builtin": cut})

    assert found.builtin("a")
    for name in ("vfio", "vfio_pci"):
        with pytest.raises(Missing):
            found.builtin(name)


def test_parameters_are_read_from_sysfs():
    """Those that are readable."""
    tree = "vfio_pci=\nvfio_pci/parameters/disable_idle_d3=N\nvfio_pci/parameters/x=1\n"

    assert "N" == modules({"sys/module": tree}).parameter("vfio-pci", "disable_idle_d3")
    assert modules({"sys/module": tree}).parameter("vfio-pci", "nointxmask") is None


def test_a_parameter_that_a_cut_may_have_taken_is_missing():
    """Others of the same module do not prove that it is not there."""
    read = "vfio_pci/parameters/disable_idle_d3=N\nvfio_pci/parameters/x=1\n"
    cut = modules({"sys/module": Item("sys/module", Status.TRUNCATED, read.encode())})

    assert "N" == cut.parameter("vfio_pci", "disable_idle_d3")
    for found in (cut, modules({})):
        with pytest.raises(Missing):
            found.parameter("vfio_pci", "nointxmask")


# -- modprobe.d


def test_an_earlier_directory_hides_the_same_file_name_of_a_later_one():
    """/etc over /run over /usr/lib; what is left is read sorted by name."""
    found = Modprobe(
        evidence(
            {
                "etc/modprobe.d/": "b.conf\nz.conf\nnote.txt\n",
                "etc/modprobe.d/b.conf": "options a x=1\n",
                "etc/modprobe.d/z.conf": "options a x=3\n",
                "etc/modprobe.d/note.txt": "options a x=9\n",
                "run/modprobe.d/": None,
                "usr/local/lib/modprobe.d/": None,
                "lib/modprobe.d/": None,
                "usr/lib/modprobe.d/": "b.conf\nc.conf\n",
                "usr/lib/modprobe.d/b.conf": "options a x=0\n",
                "usr/lib/modprobe.d/c.conf": "options a x=2\n",
            }
        )
    )

    assert ["x=1", "x=2", "x=3"] == [line.rest for line in found.of("options", "a")]
    assert () == found.lacking


def test_statements_are_read_as_kmod_reads_them():
    """Comments, joined lines, folded names."""
    text = (
        "# options vfio-pci ids=1\noptions vfio-pci \\\n  ids=8086:1572\nblacklist  nouveau\n"
        "softdep i40e pre: vfio vfio-pci post: x\nalias pci:v00008086* vfio-pci\n"
        "install usb-storage /bin/true\noptions\n"
    )
    found = modules(conf(text))

    assert [("ids", "8086:1572")] == [(o.name, o.value) for o in found.known_options("vfio_pci")]
    assert {"nouveau"} == set(found.known_blacklist)
    assert ("vfio", "vfio_pci") == found.modprobe.softdeps[0].pre
    assert ("x",) == found.softdeps[0].post
    assert "pci:v00008086*" == found.modprobe.of("alias")[0].module
    assert "usb_storage" == found.modprobe.of("install")[0].module


def test_options_come_in_kmods_order():
    """Files first, then the command line, past a bare `--` too (F39)."""
    line = "ro vfio-pci.disable_vga=1 -- vfio-pci.ids=10de:1b80 modprobe.blacklist=a,b-c\n"
    found = modules({"proc/cmdline": line, **conf('options vfio-pci ids=8086:1572 x="a b"\n')})

    assert [("ids", "8086:1572"), ("x", "a b"), ("disable_vga", "1"), ("ids", "10de:1b80")] == [
        (o.name, o.value) for o in found.options("vfio-pci")
    ]
    assert {"a", "b_c"} == set(found.blacklisted)


def test_absence_needs_every_directory():
    """A file that was not read may say it."""
    for lost in (DIRECTORIES[0], DIRECTORIES[1], "etc/modprobe.d/v.conf"):
        found = modules({**conf("blacklist x\n"), lost: Status.DENIED, "proc/cmdline": "ro\n"})
        with pytest.raises(Missing):
            _ = found.blacklisted
        with pytest.raises(Missing):
            _ = found.softdeps


@given(st.binary(max_size=300))
def test_any_bytes_are_a_configuration(data):
    """Garbage is left out, never an error."""
    found = modules(
        {
            "etc/modprobe.d/v.conf": data,
            "etc/modules": data,
            "initramfs": data,
            "etc/dracut.conf": data,
            "modules.dep": data,
            "sys/module": data,
            "proc/modules": data,
            "modules.builtin": data,
            "proc/cmdline": data,
        }
    )

    assert all(statement.verb for statement in found.modprobe.known)
    assert all(entry.quote.source for entry in found.listed)
    for ask in (found.builtin, found.loaded, found.available, found.initramfs.holds):
        with contextlib.suppress(Missing):
            assert ask("vfio_pci") in {True, False}


# -- lists and the initramfs


def test_lists_of_modules_are_found_in_every_tools_form():
    """Plain, shell assignments, arrays; comments are none."""
    found = modules(
        {
            "etc/modules": "# c\nvfio\nkvm nested=1\n",
            "etc/initramfs-tools/modules": "vfio-pci ids=8086:1572\n",
            "etc/dracut.conf.d/x.conf": 'add_drivers+=" vfio_pci "\n#force_drivers+=" no "\n',
            "etc/mkinitcpio.conf": "MODULES=(vfio_pci vfio)\nHOOKS=(base)\n",
        }
    )

    assert {("vfio", False), ("kvm", False), ("vfio_pci", True), ("vfio", True)} == {
        (entry.module, entry.early) for entry in found.listed
    }


def test_the_initramfs_is_known_by_its_files():
    """lsinitramfs, lsinitrd -l, with and without a path."""
    text = (
        "usr/lib/modules/6.1/kernel/drivers/vfio/pci/vfio-pci.ko.xz\n"
        "-rw-r--r-- 1 root root 10 Jan 1 2020 usr/lib/modules/6.1/kernel/i40e.ko\n"
        "./etc/modprobe.d/v.conf\nlib -> usr/lib\n"
    )
    image = modules({"initramfs": text}).initramfs

    assert image.holds("vfio-pci")
    assert image.holds("i40e")
    assert not image.holds("nvme")
    assert image.holds_file("etc/modprobe.d/v.conf")
    for lost in (Status.DENIED, None, ""):
        with pytest.raises(Missing):
            modules({"initramfs": lost}).initramfs.holds("nvme")


@given(st.from_regex(r"[a-z0-9_-]{1,12}", fullmatch=True), st.sampled_from(["", ".xz", ".zst"]))
def test_a_modules_name_is_that_of_its_file(name, packed):
    """Folded, without folder and suffix."""
    assert name.replace("-", "_") == module_name(f"kernel/drivers/{name}.ko{packed}")


# -- ids


@dataclass(frozen=True)
class Function:
    """A PCI function as far as ids go."""

    vendor: int = 0x8086
    device: int = 0x1572
    subsystem: str | None = "103c:22fc"
    class_code: int = 0x020000


@pytest.mark.parametrize(
    ("text", "catches"),
    [
        ("8086:1572", True),
        ("0x8086:0X1572", True),
        ("8086:1573", False),
        ("8086:ffffffff", True),
        ("ffffffff:1572", True),
        ("18086:1572", False),
        ("8086:1572:103c:22fc", True),
        ("8086:1572:103c", True),
        ("8086:1572:1028:22fc", False),
        ("8086:1572:103c:ffffffff", True),
        ("8086:1572:ffffffff:ffffffff:20000:ffffff", True),
        ("8086:1572:ffffffff:ffffffff:30000:ff0000", False),
        ("8086:1572junk", True),  # sscanf passes over what follows
        (" 8086:1572", True),
    ],
)
def test_an_id_catches_as_the_kernel_matches(text, catches):
    """vfio_pci_fill_ids and pci_match_one_device."""
    (pattern,), bad = vfioids.parse(text, "cmdline", NOWHERE)

    assert catches == pattern.catches(Function())
    assert () == bad


def test_a_function_without_a_subsystem_has_zeros():
    """Bridges."""
    (pattern,), _ = vfioids.parse("8086:1572:0:0", "cmdline", NOWHERE)

    assert pattern.catches(Function(subsystem=None))
    assert not pattern.catches(Function())


@given(st.text(max_size=60))
def test_any_list_is_parsed(text):
    """Each entry that is not empty is good or bad."""
    good, bad = vfioids.parse(text, "cmdline", NOWHERE)

    assert sum(bool(entry) for entry in text.split(",")) == len(good) + len(bad)
    assert all(0 <= pattern.vendor <= vfioids.ANY for pattern in good)


IDS = st.integers(0, 0xFFFF)


@given(st.lists(st.tuples(IDS, IDS), min_size=1, max_size=8))
def test_a_written_list_is_read_back(pairs):
    """Hex with a colon, commas between."""
    good, bad = vfioids.parse(",".join(f"{v:04x}:{d:x}" for v, d in pairs), "cmdline", NOWHERE)

    assert pairs == [(pattern.vendor, pattern.device) for pattern in good]
    assert () == bad
    assert all(pattern.rest == "" for pattern in good)


BUILTIN = {"modules.builtin": "kernel/vfio-pci.ko\n"}
MODULE = {"proc/modules": "vfio_pci 1 0\n"}
TWO = conf("options vfio-pci ids=10de:1b80\n")


@pytest.mark.parametrize(
    ("line", "items", "ids"),
    [
        ("vfio-pci.ids=8086:1572", {}, ["8086:1572"]),  # whatever modprobe.d says
        ("vfio-pci.ids=8086:1 vfio_pci.ids=8086:2", {}, ["8086:2"]),
        ("vfio-pci.ids=8086:1572", {**TWO, **MODULE}, ["8086:1572"]),
        ("ro", {**TWO, **MODULE}, ["10de:1b80"]),
        ("ro", {**TWO, **BUILTIN}, []),
        ("vfio-pci.ids=8086:1 -- vfio-pci.ids=8086:2", MODULE, ["8086:2"]),
        ("vfio-pci.ids=8086:1 -- vfio-pci.ids=8086:2", BUILTIN, ["8086:1"]),
        ("-- vfio-pci.ids=8086:2", BUILTIN, []),
        ("vfio-pci-ids=8086:1572", conf(""), []),
        ("vfio-pci.ids=" + ",".join(["8086:1572"] * 110), {}, []),
        ("ro", {}, None),
        ("ro", TWO, None),  # nobody knows whether it is a module
        ("-- vfio-pci.ids=8086:2", {}, None),
    ],
)
def test_the_ids_in_force_depend_on_where_the_driver_is(line, items, ids):
    """S09: the last list counts, modprobe.d before the command line, for a module only."""
    found = modules({"proc/cmdline": line + "\n", **items})
    if ids is None:
        with pytest.raises(Missing):
            _ = found.vfio_ids
    else:
        assert ids == [pattern.text for pattern in found.vfio_ids]


def test_all_ids_that_stand_anywhere_are_known():
    """In force or not, and what else would have to be read."""
    found = modules({"proc/cmdline": "vfio-pci.ids=8086:1 -- vfio-pci.ids=8086:2\n", **TWO})

    assert [("10de:1b80", "modprobe"), ("8086:1", "cmdline"), ("8086:2", "cmdline")] == [
        (pattern.text, pattern.origin) for pattern in found.configured_vfio_ids
    ]
    assert () == found.configured_ids_missing
    assert modules({"proc/cmdline": "ro\n"}).configured_ids_missing
