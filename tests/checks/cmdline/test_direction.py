"""Running, next boot and configured are compared with a direction: a worse one is never the cure."""

from __future__ import annotations

import pytest

from pytest_vfio.check import ADVICE, Outcome
from pytest_vfio.evidence import Status
from tests.ask import ask, what_to_do
from tests.hosts.booting import NIC, RELEASE, default_grub, grub_cfg, host, items, told

WITH = "intel_iommu=on iommu=pt"
ON = {
    "sys/class/iommu": "dmar0/intel-iommu/cap=d2008c40660462\ndmar0/intel-iommu/ecap=f050da",
    "sys/kernel/iommu_groups": f"0/devices/{NIC}->../../../../devices/{NIC}\n0/type=identity\n",
    "proc/interrupts": "  24:  1  IR-PCI-MSI 524288-edge  eth0\n",
}
HARM = ["intel_iommu=off", "iommu=off", "module_blacklist=vfio_pci", "intremap=off", "pci=nomsi",
        "modprobe.blacklist=vfio-pci", "acpi=off"]  # fmt: skip


def saved(words: str, env: str = "saved_entry=0\n", more: str = "") -> dict[str, object]:
    """A grub.cfg that boots the saved entry, with one of these words in front of the usual ones."""
    other = (
        "menuentry 'Other' --id other {\n"
        f"\tlinux /boot/vmlinuz-{RELEASE} root=UUID=1 ro quiet {words}\n}}\n"
    )
    text = grub_cfg(WITH).replace('default="0"', 'default="${saved_entry}"')
    return {"boot/grub/grub.cfg": text + other, "boot/grub/grubenv": env + more, **ON}


def says(id: str, changes: dict[str, object]):
    found = ask(id, host(changes))
    return found.outcome, found.severity


@pytest.mark.parametrize("word", [*HARM, "pcie_acs_override=downstream", "amd_iommu=off"])
def test_CMD005_passes_where_what_stands_behind_dashes_would_do_harm(word):
    """It has no effect there, and that is well."""
    found = ask("CMD005", host({**told(f"{WITH} -- {word}"), **ON}))

    assert Outcome.PASS == found.outcome
    assert found.cure is None


@pytest.mark.parametrize(
    ("words", "changes", "severity"),
    [
        ("intel_iommu=on -- iommu=pt", ON, ADVICE),
        ("-- intel_iommu=on", ON, ADVICE),
        ("-- intel_iommu=on", {}, None),
    ],
)
def test_CMD005_fails_by_what_is_lacking(words, changes, severity):
    """A word for speed, or one without which the IOMMU is on all the same, blocks nobody."""
    assert (Outcome.FAIL, severity) == says("CMD005", {**told(words), **changes})


@pytest.mark.parametrize("word", HARM)
def test_a_worse_next_boot_is_told_before_the_reboot(word):
    """CMD011 advises no reboot into it; CMD015 names the word and takes it out at its source."""
    changes = {"boot/grub/grub.cfg": grub_cfg(f"{WITH} {word}"), **ON}

    assert Outcome.PASS == says("CMD011", changes)[0]
    found = ask("CMD015", host(changes))
    assert (Outcome.FAIL, None) == (found.outcome, found.severity)
    assert word in found.message
    assert "update-grub" in what_to_do(found)  # the configuration is sound
    assert not any("reboot" in step for step in what_to_do(found))


@pytest.mark.parametrize("word", HARM)
def test_a_worse_configuration_is_not_generated(word):
    """CMD010 does not advise to generate harm; CMD015 takes it out of the file that has it."""
    changes = {"etc/default/grub": default_grub(f"{WITH} {word}"), **ON}

    assert Outcome.PASS == says("CMD010", changes)[0]
    found = ask("CMD015", host(changes))
    assert Outcome.FAIL == found.outcome
    (edit, *_) = found.cure.steps
    assert ("/etc/default/grub", (word,)) == (edit.path, edit.words)


def test_CMD011_fails_without_a_reboot_where_the_next_boot_brings_harm_too():
    """The word that waits is good, and reboot is bad as long as the other one waits with it."""
    changes = {
        **told(""),
        "etc/default/grub": default_grub(f"{WITH} intremap=off"),
        "boot/grub/grub.cfg": grub_cfg(f"{WITH} intremap=off"),
    }
    found = ask("CMD011", host(changes))

    assert (Outcome.FAIL, "remove intremap=off from the kernel command line") == (
        found.outcome,
        found.cure.title,
    )


@pytest.mark.parametrize(
    ("words", "severity"),
    [("intel_iommu=on", ADVICE), ("iommu=pt", ADVICE), ("iommu=pt intel_iommu=on", None)],
)
def test_CMD011_fails_by_what_waits(words, severity):
    """iommu=pt waits without hurting; with the IOMMU on, so does intel_iommu=on."""
    running = told("intel_iommu=on" if words == "iommu=pt" else "quiet")
    state = {} if severity is None else ON

    changes = {"boot/grub/grub.cfg": grub_cfg(words), **running, **state}
    assert (Outcome.FAIL, severity) == says("CMD011", changes)
    edited = {"etc/default/grub": default_grub(words), "boot/grub/grub.cfg": grub_cfg("quiet")}
    assert (Outcome.FAIL, severity) == says("CMD010", {**edited, **running, **state})


def test_a_saved_entry_that_does_harm_is_not_generated_away():
    """grubenv decides: CMD010 passes, CMD015 chooses another default."""
    changes = saved("intel_iommu=off", "saved_entry=other\n")
    changes["boot/grub/grub.cfg"] = changes["boot/grub/grub.cfg"].replace(
        "menuentry 'Other'", "### BEGIN /etc/grub.d/40_custom ###\nmenuentry 'Other'"
    )

    assert Outcome.PASS == says("CMD010", changes)[0]
    found = ask("CMD015", host(changes))
    assert Outcome.FAIL == found.outcome
    assert what_to_do(found)[0].startswith("grub-set-default")


def test_an_entry_of_custom_cfg_that_is_the_default_is_read():
    """The same harm, in the file beside grub.cfg."""
    text = grub_cfg(WITH).replace('default="0"', 'default="mine"')
    custom = (
        f"menuentry 'Mine' --id mine {{\nlinux /boot/vmlinuz-{RELEASE} root=UUID=1 ro iommu=off\n}}"
    )
    changes = {"boot/grub/grub.cfg": text, "boot/grub/custom.cfg": custom, **ON}

    assert Outcome.FAIL == says("CMD015", changes)[0]
    assert Outcome.PASS == says("CMD017", changes)[0]


# -- one boot only


def test_CMD016_fails_where_a_trial_is_selected():
    """It is told what it brings; the state after it is the default's, which nothing is wrong with."""
    changes = saved(f"{WITH} vfio-pci.ids=8086:1572", more="next_entry=other\n")
    found = ask("CMD016", host(changes))

    assert (Outcome.FAIL, ADVICE) == (found.outcome, found.severity)
    assert "vfio-pci.ids=8086:1572" in found.message
    assert "next_entry" in what_to_do(found)[0]
    for id in ("CMD010", "CMD011", "CMD014", "CMD015"):
        assert Outcome.PASS == says(id, changes)[0], id


def test_CMD016_fails_worse_where_the_trial_takes_passthrough_away():
    """One boot without the IOMMU is one boot without guests."""
    changes = saved("intel_iommu=off", more="next_entry=other\n")

    assert (Outcome.FAIL, None) == says("CMD016", changes)


def test_CMD016_passes_where_the_trial_is_spent():
    """GRUB empties the variable as it boots."""
    assert Outcome.PASS == says("CMD016", saved(WITH, more="next_entry=\n"))[0]


def test_CMD016_unknown_without_the_environment_block():
    """Nobody knows what is selected."""
    assert Outcome.UNKNOWN == says("CMD016", {"boot/grub/grubenv": Status.DENIED})[0]


def test_CMD015_fails_where_a_trial_runs():
    """What it brought is gone with the next boot."""
    words = f"{WITH} vfio-pci.ids=8086:1572"
    found = ask("CMD015", host({**saved(words), **told(words)}))

    assert (Outcome.FAIL, "vfio-pci.ids=8086:1572") == (found.outcome, found.expected)


# -- a default that is gone


@pytest.mark.parametrize("name", ["gnulinux-6.1.0-9-amd64-advanced-1", "Debian, gone", "7", "0>9"])
def test_CMD017_fails_where_the_default_names_no_entry(name):
    """By id, title, number or path; GRUB takes its first entry without a word."""
    text = grub_cfg(WITH).replace('default="0"', f'default="{name}"')
    found = ask("CMD017", host({"boot/grub/grub.cfg": text, "boot/grub/custom.cfg": None}))

    assert Outcome.FAIL == found.outcome
    assert name in found.message
    assert "'Debian GNU/Linux'" in found.message


def test_CMD017_passes_where_the_default_is_there():
    """Also where nothing is saved."""
    assert Outcome.PASS == says("CMD017", {})[0]
    assert Outcome.PASS == says("CMD017", saved(WITH, ""))[0]


def test_CMD017_unknown_where_the_entry_may_stand_in_a_file_that_was_not_read():
    """custom.cfg."""
    text = grub_cfg(WITH).replace('default="0"', 'default="mine"')

    assert Outcome.UNKNOWN == says("CMD017", {"boot/grub/grub.cfg": text})[0]


# -- harm stays where it does nothing


def test_CMD012_passes_where_another_loaders_file_has_harm():
    """What does no harm is not moved to where it would."""
    changes = {"etc/kernel/cmdline": "root=/dev/sda2 intel_iommu=off intremap=off\n", **ON}

    assert Outcome.PASS == says("CMD012", changes)[0]


def test_CMD013_passes_where_a_drop_in_throws_harm_away():
    """An `off` of the file that the drop-in overrides."""
    changes = {
        "etc/default/grub": default_grub("iommu=off"),
        "etc/default/grub.d/": "z.cfg",
        "etc/default/grub.d/z.cfg": f'GRUB_CMDLINE_LINUX_DEFAULT="{WITH}"\n',
    }

    assert Outcome.PASS == says("CMD013", changes)[0]


DISK = (
    "0000:03:00.0/vendor=0x144d\n0000:03:00.0/device=0xa808\n0000:03:00.0/class=0x010802\n"
    "0000:03:00.0->../../../devices/pci0000:00/0000:03:00.0\n"
    "0000:03:00.0/driver->../../../bus/pci/drivers/nvme\n"
)
ROOT = {
    "sys/class/block": "nvme0n1->../../devices/pci0000:00/0000:03:00.0/nvme/nvme0/nvme0n1\n"
    "nvme0n1/dev=259:0",
    "proc/self/mountinfo": "27 1 259:0 / / rw,relatime shared:1 - ext4 /dev/nvme0n1 rw",
}


def test_ids_of_the_hosts_own_disk_are_harm():
    """They wait for a reboot that nobody is told to make, and are taken out where they stand."""
    ids = "vfio-pci.ids=144d:a808"
    tree = {"sys/bus/pci/devices": items()["sys/bus/pci/devices"] + DISK, **ROOT, **ON}
    waits = {**tree, "boot/grub/grub.cfg": grub_cfg(f"{WITH} {ids}")}
    assert Outcome.PASS == says("CMD011", waits)[0]
    assert Outcome.FAIL == says("CMD015", waits)[0]

    words = f"{WITH} vfio-pci-ids=144d:a808"
    dashed = ask("CMD020", host({**tree, **told(words), "boot/grub/grub.cfg": grub_cfg(words)}))
    assert "remove vfio-pci-ids=144d:a808 from the kernel command line" == dashed.cure.title
    assert ADVICE == dashed.severity


# -- the kernel of the next boot


def test_CMD018_fails_where_the_next_boot_takes_a_newer_kernel():
    """Its initramfs and its modules were never read."""
    newer = grub_cfg(WITH, "6.12.0-1-amd64") + grub_cfg(WITH)
    found = ask("CMD018", host({"boot/grub/grub.cfg": newer, **ON}))

    assert (Outcome.FAIL, "6.12.0-1-amd64") == (found.outcome, found.actual)


def test_CMD018_passes_where_the_same_kernel_is_the_default():
    """An older one beside it changes nothing."""
    older = grub_cfg(WITH) + grub_cfg(WITH, "5.10.0-28-amd64")

    assert Outcome.PASS == says("CMD018", {"boot/grub/grub.cfg": older})[0]


def test_CMD018_unknown_without_the_entries():
    """Nobody knows what the next boot takes."""
    assert Outcome.UNKNOWN == says("CMD018", {"boot/grub/grub.cfg": Status.DENIED})[0]
