"""The attempt that failed is the cause, with the letter that is wrong."""

from __future__ import annotations

import pytest

from pytest_vfio.check import Outcome
from pytest_vfio.declared import Declared, WantedDevice
from pytest_vfio.evidence import Status
from pytest_vfio.judge.judgement import Judgement
from tests.ask import ask
from tests.hosts import plain
from tests.hosts.booting import NIC, default_grub, items
from tests.hosts.recorded import whole_suite

PASS, FAIL, SKIP, UNKNOWN = Outcome.PASS, Outcome.FAIL, Outcome.SKIP, Outcome.UNKNOWN
GUESTS = {"virsh/list": "", "virsh/dumpxml": "", "virsh/dumpxml-inactive": "",
          "virsh/list-autostart": "", "etc/driverctl.d/": None, "etc/udev/rules.d/": ""}  # fmt: skip


def box(changes: dict[str, object], driver: str = "i40e"):
    """The sound host with its NIC on its own driver, and what somebody had tried."""
    base = {**GUESTS, **override("(null)", driver)}
    declared = Declared(devices=(WantedDevice(address=NIC),))
    return plain.hypervisor({**items(driver=driver), **base, **changes}, declared)


def says(id: str, changes: dict[str, object], driver: str = "i40e"):
    found = box(changes, driver)
    return ask(id, found, found.intent.known[0])


def conf(text: str, name: str = "vfio.conf") -> dict[str, object]:
    return {"etc/modprobe.d/": f"{name}\n", f"etc/modprobe.d/{name}": f"{text}\n"}


def override(name: str, driver: str = "i40e") -> dict[str, object]:
    tree = items(driver=driver)["sys/bus/pci/devices"]
    ours = ("subsystem_vendor=0x8086", "subsystem_device=0x0006", f"driver_override={name}")
    return {"sys/bus/pci/devices": tree + "".join(f"{NIC}/{one}\n" for one in ours)}


@pytest.mark.parametrize(
    ("changes", "letter"),
    [
        (conf("options vfio-pci ids=8086:1573"), "8086:1572"),
        (conf("options vfio-pci ids=8086:1527"), "8086:1572"),
        (conf("options vfio-pci ids=8086:157"), "8086:1572"),
        (conf("options vfio-pci ids=8086:15722"), "8086:1572"),
        (conf("options vfio-pci ids=80861572"), "8086:1572"),
        (conf("options vfio-pci ids=8086:1572:1234:5678"), "8086:1572"),
        (conf("options vfio-pci id=8086:1572"), "ids"),
        (conf("options vfoi-pci ids=8086:1572"), "vfio-pci"),
        (conf("options vfio ids=8086:1572"), "options vfio-pci"),
        (conf("optoins vfio-pci ids=8086:1572"), "options"),
        (conf("option vfio_pci ids=8086:1572"), "options"),
        (conf("softdep i40ee pre: vfio-pci"), "softdep i40e pre: vfio-pci"),
        (conf("softdep i40e pre vfio-pci"), "softdep i40e pre: vfio-pci"),
        (conf("softdep i40e post: vfio-pci"), "softdep i40e pre: vfio-pci"),
        (conf("options vfio-pci ids=8086:1572", "vfio"), ".conf"),
        (conf("softdep i40e pre: vfio-pci", "10-vfio.config"), ".conf"),
        (override("vfio_pci"), "vfio-pci"),
        ({"etc/driverctl.d/": NIC, f"etc/driverctl.d/{NIC}": "vfio_pci\n"}, "vfio-pci"),
        (
            {
                "etc/udev/rules.d/": "9.rules",
                "etc/udev/rules.d/9.rules": f'KERNEL=="{NIC}", ATTR{{driver_override}}="vfo-pci"\n',
            },
            "vfio-pci",
        ),
    ],
)
def test_DRV012_fails_with_the_letter_that_is_wrong(changes, letter):
    """And the bare symptom is its consequence."""
    found = says("DRV012", changes)

    assert FAIL == found.outcome
    assert letter in found.expected
    judged = {f.id: f for f in Judgement(whole_suite(), box(changes)) if f.id == "DEV003"}
    assert Outcome.BLOCKED == judged["DEV003"].outcome
    assert "DRV012" in [id for id, _, _ in judged["DEV003"].blocked_by]


@pytest.mark.parametrize(
    "changes",
    [
        conf("options kvm_intel nested=1\nblacklist pcspkr"),
        conf("options vfio-pci disable_vga=1"),
        conf("softdep nvme pre: vfio-pci"),
        conf("options vfio-pci ids=10de:1b80"),
        conf("options vfio-pci ids=8086:1572", "vfio.conf.bak"),
        conf("# vfio notes", "README"),
        override("none"),
    ],
)
def test_DRV012_passes_on_what_was_not_meant_for_it(changes):
    """Another device's id, a file that was put away, other modules."""
    assert PASS == says("DRV012", changes).outcome


def test_DRV012_passes_where_the_device_is_bound():
    """A stray line does no harm then."""
    assert PASS == says("DRV012", conf("option vfio-pci ids=8086:1572"), driver="vfio-pci").outcome


def test_DRV012_unknown_where_modprobe_d_was_not_read():
    """It may hold the attempt."""
    assert UNKNOWN == says("DRV012", {"etc/modprobe.d/": Status.DENIED}).outcome


# -- DRV013


@pytest.mark.parametrize(
    ("text", "line"),
    [
        ('GRUB_TIMEOUT=5\nGRUB_CMDLINE_LINUX="quiet intel_iommu=on\nGRUB_DEFAULT=0\n', 2),
        ("GRUB_CMDLINE_LINUX='iommu=pt\n", 1),
        ('A="x"\nGRUB_CMDLINE_LINUX="a\nB="c d"\n', 2),
    ],
)
def test_DRV013_fails_where_a_quote_stays_open(text, line):
    """The line where it opens is told, also where a later quote closes it by accident."""
    found = ask("DRV013", box({"etc/default/grub": text}))

    assert FAIL == found.outcome
    assert f"line {line}" in found.message


def test_DRV013_fails_on_a_drop_in():
    """It is sourced by the same shell."""
    drop_in = {"etc/default/grub.d/": "60-vfio.cfg", "etc/default/grub.d/60-vfio.cfg": 'A="b\n'}

    assert "60-vfio.cfg" in ask("DRV013", box(drop_in)).message


def test_DRV013_passes_where_all_are_closed():
    """Comments, escapes and quotes within quotes; a value over two lines."""
    text = default_grub("a") + '# don\'t\nA="it\'s"\nB=\'"\'\nC=\\"\nD="x\\"y"\nE="1\n2"\n'

    assert PASS == ask("DRV013", box({"etc/default/grub": text})).outcome


def test_DRV013_unknown_without_the_file():
    """Nothing is concluded from nothing."""
    assert UNKNOWN == ask("DRV013", box({"etc/default/grub": Status.DENIED})).outcome


# -- DRV014

AGES = """\
-rw-r--r-- 0 0 1767000000 boot/initrd.img-6.1.0-18-amd64
-rw-r--r-- 0 0 {} etc/modprobe.d/vfio.conf
-rw-r--r-- 0 0 1600000000 etc/initramfs-tools/modules
"""


def aged(written: int, **changes: object) -> dict[str, object]:
    """The ids in modprobe.d, written then; the host driver in the image."""
    return {
        **conf("options vfio-pci ids=8086:1572"),
        "initramfs": "usr/lib/modules/x/i40e.ko\nusr/lib/modules/x/vfio-pci.ko\n"
        "etc/modprobe.d/vfio.conf\n",
        "paths": AGES.format(written),
        **changes,
    }


def test_DRV014_fails_where_the_setting_is_younger_than_the_image():
    """The names in the image are right, and what stands in them is of an earlier day."""
    found = says("DRV014", aged(1767000001))

    assert FAIL == found.outcome
    assert "/etc/modprobe.d/vfio.conf" in found.message


def test_DRV014_passes_where_the_image_was_built_after_it():
    """Then another reason is to be looked for."""
    assert PASS == says("DRV014", aged(1766999999)).outcome


def test_DRV014_unknown_where_the_age_was_not_read():
    """A probe that did not look, or no image of a known name."""
    assert UNKNOWN == says("DRV014", aged(1, paths=Status.DENIED)).outcome
    assert (
        UNKNOWN == says("DRV014", aged(1, paths="absent boot/initrd.img-6.1.0-18-amd64\n")).outcome
    )


def test_DRV006_fails_with_the_parameter_and_not_the_whole_line():
    """What is to be removed is one parameter of many."""
    line = (
        "BOOT_IMAGE=/vmlinuz-6.1.0-18-amd64 ro quiet modprobe.blacklist=vfio-pci intel_iommu=on\n"
    )
    found = ask("DRV006", box({"proc/cmdline": line}))

    assert (FAIL, "modprobe.blacklist=vfio-pci") == (found.outcome, found.actual)
