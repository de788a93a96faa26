"""Boot stacks: words go into the source of the line, by the steps of the host's own loader.

The steps' own commands are run on the files that the facts were made of, and the facts are made
again: what was meant is then configured, and taken back it is as before.
"""

from __future__ import annotations

import subprocess
from collections.abc import Iterable
from pathlib import Path

import pytest

from pytest_vfio.boot.stacks import stack_of
from pytest_vfio.facts.boot.chain import Boot
from pytest_vfio.steps import Step
from tests.checks.cmdline.test_boot_chain import BLS, SYSTEMD_BOOT
from tests.hosts.booting import default_grub, host, told

PVE = "6.8.12-1-pve"
FILES = ("etc/default/grub", "etc/default/grub.d/", "etc/kernel/cmdline")
SUSE = {"etc/os-release": "ID=opensuse-leap\n"}
OSTREE = {"run/ostree-booted": ""}
UKI = {
    "sys/firmware/efi": "efivars/StubInfo-4a67b082=systemd-stub 254\n",
    "proc/cmdline": "root=LABEL=x ro\n",
    "etc/kernel/cmdline": "root=LABEL=x ro\n",
}


def boot(changes: dict[str, object]) -> Boot:
    return host(changes).boot


def words(chain: Boot) -> list[str]:
    """The configured line, without what GRUB and the root file system need."""
    line = chain.configured
    return [word.text for word in line.words] if line else []


def applied(changes: dict[str, object], steps: Iterable[Step], folder: Path) -> dict[str, object]:
    """The host after the steps that edit files, carried out by a real shell."""
    items = host(changes).evidence.items
    for name, item in items.items():
        if name.startswith(FILES) and item.data and not name.endswith("/"):
            (folder / name).parent.mkdir(parents=True, exist_ok=True)
            (folder / name).write_bytes(item.data)
    for step in steps:
        if not step.derived:
            lines = [*step.before, *step.commands, *step.after]
            script = "\n".join(lines).replace("/etc/", f"{folder}/etc/")
            subprocess.run(["sh", "-ec", script], check=True, capture_output=True)
    found = [path for path in folder.rglob("*") if path.is_file()]
    drop_ins = sorted(path.name for path in found if path.parent.name == "grub.d")
    read = {str(path.relative_to(folder)): path.read_text() for path in found}
    gone = {name: None for name in changes if name.startswith(FILES)}
    return {**changes, **gone, **read, "etc/default/grub.d/": "\n".join(drop_ins) or None}


def commands(steps: Iterable[Step]) -> list[str]:
    return [line for step in steps for line in step.commands]


HOSTS = {
    "grub": {},
    "grub with another's drop-in": {
        "etc/default/grub.d/": "zzz.cfg",
        "etc/default/grub.d/zzz.cfg": 'GRUB_CMDLINE_LINUX_DEFAULT="quiet"\n',
    },
    "grub whose line has a separator": {"etc/default/grub": default_grub("x -- y")},
    "grub, front separated": {"etc/default/grub": default_grub("x", always="-- y")},
    "grub without drop-ins": {**SUSE, "boot/grub2/grub.cfg": None},
    "systemd-boot": SYSTEMD_BOOT,
    "systemd-boot whose line has a separator": {
        **SYSTEMD_BOOT,
        "etc/kernel/cmdline": "# ours\nroot=ZFS=rpool -- ro\n",
    },
    "unified image": UKI,
}


@pytest.mark.parametrize("name", HOSTS)
def test_what_is_added_is_configured_before_any_separator(name, tmp_path):
    """Whatever the file looks like, the word counts, once; taken back, the words are as before."""
    changes = HOSTS[name]
    before = boot(changes)
    steps = stack_of(before).add(["pci=realloc"])
    now = applied(changes, steps, tmp_path)
    after = boot(now)
    (word,) = [word for word in after.configured.words if word.text == "pci=realloc"]

    assert not word.after_dashes
    assert sorted([*words(before), "pci=realloc"]) == sorted(words(after))
    back = [step for one in reversed(steps) for step in one.undo]
    assert words(before) == words(boot(applied(now, back, tmp_path)))


@pytest.mark.parametrize(
    "changes",
    [
        {"etc/default/grub": default_grub("iommu=off intel_iommu=on", always="iommu=off")},
        {
            "etc/default/grub.d/": "a.cfg",
            "etc/default/grub.d/a.cfg": 'GRUB_CMDLINE_LINUX="$GRUB_CMDLINE_LINUX iommu=off x"\n',
        },
        {**SUSE, "etc/default/grub": default_grub("iommu=off")},
        {**SYSTEMD_BOOT, "etc/kernel/cmdline": "root=ZFS=rpool iommu=off ro\n"},
    ],
)
def test_what_is_dropped_is_gone_from_every_place(changes, tmp_path):
    """In the file and the variable in which it was written; every other word stays."""
    before = boot(changes)
    steps = stack_of(before).drop(["iommu=off"])
    after = boot(applied(changes, steps, tmp_path))

    assert "iommu=off" in words(before)
    assert [word for word in words(before) if word != "iommu=off"] == words(after)


def test_a_word_that_no_longer_counts_is_left_alone():
    """An earlier assignment that a drop-in overrides is nobody's business."""
    changes = {
        "etc/default/grub": default_grub("iommu=off"),
        "etc/default/grub.d/": "a.cfg",
        "etc/default/grub.d/a.cfg": 'GRUB_CMDLINE_LINUX_DEFAULT="quiet"\n',
    }

    assert () == stack_of(boot(changes)).drop(["iommu=off"])


@pytest.mark.parametrize(
    "changes",
    [
        {"etc/default/grub": default_grub("intel_iommu=1 quiet")},
        {**SUSE, "etc/default/grub": default_grub("", always="intel_iommu=1")},
        {**SYSTEMD_BOOT, "etc/kernel/cmdline": "ro intel_iommu=1\n"},
    ],
)
def test_a_word_is_replaced_where_it_stands(changes, tmp_path):
    """One edit, and the order of the line stays."""
    before = boot(changes)
    (step,) = stack_of(before).replace("intel_iommu=1", "intel_iommu=on")
    after = boot(applied(changes, [step], tmp_path))

    expected = ["intel_iommu=on" if word == "intel_iommu=1" else word for word in words(before)]
    assert expected == words(after)


def test_the_new_word_is_not_written_twice(tmp_path):
    """Where the line has it already, the old one goes."""
    changes = {"etc/default/grub": default_grub("intel_iommu=1 intel_iommu=on")}
    steps = stack_of(boot(changes)).replace("intel_iommu=1", "intel_iommu=on")

    assert ["quiet", "intel_iommu=on"] == words(boot(applied(changes, steps, tmp_path)))


def test_words_that_a_shell_could_read_otherwise_are_for_a_person():
    """A name from a host is never written into a file that a shell sources."""
    changes = {"etc/default/grub": default_grub("x=$(reboot)")}
    stack = stack_of(boot(changes))

    for steps in (stack.add(["x=`id`"]), stack.add(['a"b']), stack.drop(["x=$(reboot)"])):
        assert [] == commands(steps)


@pytest.mark.parametrize(
    ("changes", "generate"),
    [
        ({}, ["update-grub"]),
        (SUSE, ["grub-mkconfig -o /boot/grub/grub.cfg"]),
        (BLS, []),
        (OSTREE, []),
        (SYSTEMD_BOOT, ["proxmox-boot-tool refresh"]),
        (
            {**SYSTEMD_BOOT, "etc/kernel/proxmox-boot-uuids": None},
            [f"kernel-install add {PVE} /boot/vmlinuz-{PVE} /boot/initrd.img-{PVE}"],
        ),
        ({**UKI, "etc/mkinitcpio.conf": "MODULES=()\n"}, ["mkinitcpio -P"]),
    ],
)
def test_files_are_generated_by_the_hosts_own_tool(changes, generate):
    """Each loader has its own."""
    assert generate == commands(stack_of(boot(changes)).generate())


@pytest.mark.parametrize(
    ("changes", "add", "replace"),
    [
        (
            BLS,
            "grubby --update-kernel=ALL --args=a=1",
            "grubby --update-kernel=ALL --remove-args=a=1 --args=b",
        ),
        (
            OSTREE,
            "rpm-ostree kargs --append-if-missing=a=1",
            "rpm-ostree kargs --delete-if-present=a=1 --append-if-missing=b",
        ),
    ],
)
def test_entries_that_are_the_source_are_changed_by_their_tool(changes, add, replace):
    """grubby and rpm-ostree, in one call, and back by the same."""
    stack = stack_of(boot(changes))

    assert [add] == commands(stack.add(["a=1"]))
    assert [replace] == commands(stack.replace("a=1", "b"))
    (step,) = stack.add(["a=1"])
    assert commands(stack.drop(["a=1"])) == commands(step.undo)


def test_nobody_guesses_an_unknown_loader():
    """Words for a person, and no command."""
    changes = {**told(""), "proc/cmdline": "root=/dev/sda1\n", "boot/grub/grub.cfg": None}
    stack = stack_of(boot(changes))

    assert [] == commands((*stack.add(["a"]), *stack.drop(["a"]), *stack.generate()))
