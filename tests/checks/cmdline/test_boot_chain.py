"""The checks of configured, generated and running command lines."""

from __future__ import annotations

import pytest

from pytest_vfio.check import Outcome
from pytest_vfio.evidence import Status
from tests.ask import ask, what_to_do
from tests.hosts.booting import LINE, RELEASE, default_grub, grub_cfg, host, told

WITH = "intel_iommu=on iommu=pt"
WITHOUT = "splash"
APPENDS = 'GRUB_CMDLINE_LINUX_DEFAULT="$GRUB_CMDLINE_LINUX_DEFAULT {}"\n'
OLDER = "6.1.0-15-amd64"
#: What a Fedora host has in the place of GRUB's menu entries.
BLS = {
    "boot/grub/grub.cfg": None,
    "boot/grub2/grub.cfg": 'load_env\ninsmod blscfg\nblscfg\nset default="${saved_entry}"\n',
    "boot/grub2/grubenv": "saved_entry=abc-6.1\n",
    "boot/grub/grubenv": None,
    "boot/loader/entries/": "abc-6.1.conf",
    "boot/loader/entries/abc-6.1.conf": "title F\nversion 6.1\nlinux /vmlinuz-6.1\noptions ro\n",
    "boot/efi/loader/entries/": None,
    "efi/loader/entries/": None,
    "etc/os-release": "ID=fedora\n",
    "proc/cmdline": "BOOT_IMAGE=(hd0,gpt2)/vmlinuz-6.1 root=/dev/sda3 ro\n",
    "proc/sys/kernel/osrelease": "6.1\n",
}
#: What a Proxmox host on ZFS has.
SYSTEMD_BOOT = {
    "boot/grub/grub.cfg": None,
    "boot/loader/entries/": None,
    "efi/loader/entries/": None,
    "boot/efi/loader/entries/": "proxmox-6.8.conf",
    "boot/efi/loader/entries/proxmox-6.8.conf": "title Proxmox\nversion 6.8.12-1-pve\n"
    "options root=ZFS=rpool ro\n"
    "linux /EFI/vmlinuz-6.8.12-1-pve\n",
    "boot/efi/loader/loader.conf": "timeout 3\ndefault proxmox-*\n",
    "etc/kernel/cmdline": "root=ZFS=rpool ro\n",
    "etc/kernel/proxmox-boot-uuids": "1234-ABCD\n",
    "proc/cmdline": "initrd=\\EFI\\proxmox\\6.8.12-1-pve\\initrd.img root=ZFS=rpool ro\n",
    "proc/sys/kernel/osrelease": "6.8.12-1-pve\n",
}


def outcome(id: str, changes: dict[str, object]) -> Outcome:
    return ask(id, host(changes)).outcome


# -- CMD010


def test_CMD010_fails_where_grub_cfg_is_older_than_the_configuration():
    """The word stands in /etc/default/grub and not in grub.cfg."""
    found = ask("CMD010", host({"boot/grub/grub.cfg": grub_cfg(WITHOUT)}))

    assert (Outcome.FAIL, "intel_iommu=on, iommu=pt") == (found.outcome, found.expected)
    assert "update-grub" in what_to_do(found)
    assert ["etc/default/grub", "boot/grub/grub.cfg"] == [quote.source for quote in found.evidence]


def test_CMD010_fails_where_the_word_stands_in_a_drop_in():
    """Drop-ins are sourced after the file on Debian."""
    changes = {
        "etc/default/grub.d/": "vfio.cfg",
        "etc/default/grub.d/vfio.cfg": APPENDS.format("vfio-pci.ids=8086:1572"),
    }
    found = ask("CMD010", host(changes))

    assert (Outcome.FAIL, "vfio-pci.ids=8086:1572") == (found.outcome, found.expected)


def test_CMD010_fails_where_an_off_was_removed_and_not_generated():
    """The word that does harm is gone from the configuration only."""
    assert Outcome.FAIL == outcome("CMD010", {"boot/grub/grub.cfg": grub_cfg(WITH + " iommu=off")})


def test_CMD010_fails_on_proxmox_without_a_refresh():
    """/etc/kernel/cmdline is copied into the entries by proxmox-boot-tool."""
    edited = {"etc/kernel/cmdline": "root=ZFS=rpool ro intel_iommu=on\n"}
    found = ask("CMD010", host({**SYSTEMD_BOOT, **edited}))

    assert Outcome.FAIL == found.outcome
    assert ("proxmox-boot-tool refresh", "systemctl reboot") == what_to_do(found)


@pytest.mark.parametrize(
    "changes",
    [
        {},
        {"etc/default/grub": default_grub("splash loglevel=3 " + WITH)},  # not ours
        {"etc/default/grub": default_grub("iommu=pt", always="intel_iommu=on")},
        {"etc/default/grub": default_grub("") + f'GRUB_CMDLINE_LINUX_DEFAULT="{WITH}"\n'},
        SYSTEMD_BOOT,
    ],
)
def test_CMD010_passes_where_the_entry_has_what_is_configured(changes):
    """GRUB_CMDLINE_LINUX comes first, ..._DEFAULT after it; words of no concern may differ."""
    assert Outcome.PASS == outcome("CMD010", changes)


def test_CMD010_skips_where_entries_are_edited_themselves():
    """grubby edits the entries; /etc/default/grub is not their source."""
    assert Outcome.SKIP == outcome("CMD010", BLS)


@pytest.mark.parametrize(
    "lost",
    [
        {"etc/default/grub": Status.DENIED},
        {"etc/default/grub.d/": Status.NOT_COLLECTED},
        {"boot/grub/grub.cfg": Status.DENIED},
        {
            "boot/grub/grub.cfg": grub_cfg(WITHOUT),
            "etc/default/grub": 'GRUB_CMDLINE_LINUX_DEFAULT="$(cat /etc/x)"\n',
        },
        {"proc/cmdline": Status.DENIED},  # nobody knows the loader
    ],
)
def test_CMD010_unknown_where_one_of_both_is_not_known(lost):
    """What a command substitution gives is not known without running it."""
    assert Outcome.UNKNOWN == outcome("CMD010", lost)


# -- CMD011, CMD014


def test_CMD011_fails_where_a_reboot_is_pending():
    """The same kernel runs, without the words of its entry."""
    found = ask("CMD011", host(told(WITHOUT)))

    assert (Outcome.FAIL, "no intel_iommu, no iommu") == (found.outcome, found.actual)
    assert found.cure.reboot


def test_CMD011_fails_where_an_off_is_still_running():
    """The entry has dropped the word that does harm."""
    assert Outcome.FAIL == outcome("CMD011", told(WITH + " iommu=off"))


def test_CMD011_passes_where_the_words_run():
    """Other words may differ, and the order of different parameters."""
    assert Outcome.PASS == outcome("CMD011", told("iommu=pt splash intel_iommu=on"))


def test_CMD011_skips_where_another_entry_runs():
    """CMD014 tells that."""
    changes = {"proc/cmdline": f"BOOT_IMAGE=/boot/vmlinuz-{RELEASE} ro single\n"}

    assert Outcome.SKIP == outcome("CMD011", changes)
    assert Outcome.FAIL == outcome("CMD014", changes)


def test_CMD011_unknown_without_the_generated_file():
    """Nobody knows what the next boot takes."""
    assert Outcome.UNKNOWN == outcome("CMD011", {"boot/grub/grub.cfg": Status.DENIED})


def test_CMD014_fails_where_another_kernel_runs():
    """The default entry is of a newer kernel."""
    changes = {
        "proc/cmdline": f"BOOT_IMAGE=/boot/vmlinuz-{OLDER} ro quiet\n",
        "proc/sys/kernel/osrelease": f"{OLDER}\n",
    }
    found = ask("CMD014", host(changes))

    assert (Outcome.FAIL, f"kernel {OLDER}") == (found.outcome, found.actual)


def test_CMD014_fails_where_a_recovery_entry_runs():
    """Recovery leaves GRUB_CMDLINE_LINUX_DEFAULT out."""
    changes = {"proc/cmdline": f"BOOT_IMAGE=/boot/vmlinuz-{RELEASE} ro single\n"}

    assert "a recovery entry (single)" == ask("CMD014", host(changes)).actual


def test_CMD014_passes_where_the_words_are_there_or_a_reboot_is_pending():
    """An older kernel with the same words lacks nothing."""
    older = {
        "proc/cmdline": LINE.replace(RELEASE, OLDER) + "\n",
        "proc/sys/kernel/osrelease": f"{OLDER}\n",
    }
    assert Outcome.PASS == outcome("CMD014", older)
    assert Outcome.PASS == outcome("CMD014", told(WITHOUT))


def test_CMD014_unknown_where_the_saved_entry_decides_and_was_not_read():
    """grubenv says which entry is the default where entries differ."""
    text = grub_cfg(WITH).replace('default="0"', 'default="${saved_entry}"')
    other = grub_cfg(WITHOUT, OLDER)
    changes = {
        "boot/grub/grub.cfg": other + text,
        "boot/grub/grubenv": Status.DENIED,
        **told(WITHOUT),
    }
    assert Outcome.UNKNOWN == outcome("CMD014", changes)


# -- CMD012


def test_CMD012_fails_where_grub_is_edited_on_a_systemd_boot_host():
    """Proxmox on ZFS does not read /etc/default/grub."""
    found = ask("CMD012", host(SYSTEMD_BOOT))

    assert (Outcome.FAIL, ("F33",)) == (found.outcome, found.refs)
    assert "/etc/kernel/cmdline" in " ".join(what_to_do(found))


def test_CMD012_fails_where_grub_defaults_are_edited_on_a_bls_host():
    """Fedora's entries are files of their own."""
    found = ask("CMD012", host(BLS))

    assert (Outcome.FAIL, ("F34",)) == (found.outcome, found.refs)
    assert "grubby" in what_to_do(found)[0]


def test_CMD012_fails_where_grub_defaults_are_edited_on_an_ostree_host():
    """rpm-ostree keeps the words in its own entries."""
    changes = {**BLS, "run/ostree-booted": "", "proc/cmdline": "BOOT_IMAGE=(hd0)/x ostree=/o ro\n"}
    found = ask("CMD012", host(changes))

    assert (Outcome.FAIL, ("F35",)) == (found.outcome, found.refs)
    assert "rpm-ostree kargs" in what_to_do(found)[0]


def test_CMD012_fails_where_the_kernel_image_has_its_own_line():
    """A unified kernel image; the configuration of GRUB is not read."""
    stub = "efivars/StubInfo-4a67b082-0a4c-41cf-b6c7-440b29bb8c4f=systemd-stub 252\n"
    changes = {"proc/cmdline": "root=/dev/sda2 ro\n", "sys/firmware/efi": stub}
    found = ask("CMD012", host(changes))
    assert (Outcome.FAIL, ("F36",)) == (found.outcome, found.refs)

    edited = {**changes, "etc/default/grub": None, "etc/kernel/cmdline": "ro iommu=pt\n"}
    found = ask("CMD012", host(edited))
    assert (Outcome.FAIL, ("F36",)) == (found.outcome, found.refs)
    assert "etc/kernel/cmdline" == found.evidence[0].source


def test_CMD012_fails_where_the_kernel_file_is_edited_on_a_grub_host():
    """/etc/kernel/cmdline is not read by grub-mkconfig."""
    changes = {"etc/kernel/cmdline": "root=/dev/sda2 vfio-pci.ids=8086:1572\n"}

    assert Outcome.FAIL == outcome("CMD012", changes)


def test_CMD012_passes_where_nothing_lacks():
    """A word that arrived another way is no mistake."""
    assert Outcome.PASS == outcome("CMD012", {})
    assert Outcome.PASS == outcome("CMD012", {"etc/kernel/cmdline": f"ro {WITH}\n"})


def test_CMD012_passes_where_the_entry_has_the_words_already():
    """grubby was used too: only a reboot is pending."""
    entry = "version 6.1\nlinux /vmlinuz-6.1\noptions ro intel_iommu=on iommu=pt\n"
    changes = {**BLS, "boot/loader/entries/abc-6.1.conf": entry}

    assert Outcome.PASS == outcome("CMD012", changes)
    assert Outcome.FAIL == outcome("CMD011", changes)
    lost = {**changes, "boot/loader/entries/abc-6.1.conf": Status.DENIED}
    assert Outcome.UNKNOWN == outcome("CMD012", lost)


def test_CMD012_unknown_where_the_loader_is_not_known():
    """No mark of any loader."""
    changes = {"proc/cmdline": "root=/dev/sda2 ro\n"}

    assert Outcome.UNKNOWN == outcome("CMD012", changes)
    assert Outcome.UNKNOWN == outcome("CMD012", {"etc/kernel/cmdline": Status.DENIED})


# -- CMD013

CLOUD = {
    "etc/default/grub.d/": "50-cloudimg-settings.cfg",
    "etc/default/grub.d/50-cloudimg-settings.cfg": 'GRUB_CMDLINE_LINUX_DEFAULT="console=tty1"\n',
    "boot/grub/grub.cfg": grub_cfg("console=tty1"),
}


def test_CMD013_fails_where_a_drop_in_overrides():
    """Cloud images ship such a drop-in."""
    found = ask("CMD013", host(CLOUD))

    assert Outcome.FAIL == found.outcome
    assert "etc/default/grub.d/50-cloudimg-settings.cfg" == found.evidence[0].source
    assert "intel_iommu=on" in found.message


def test_CMD013_passes_where_a_drop_in_appends():
    """kdump-tools does it right."""
    changes = {
        "etc/default/grub.d/": "kdump-tools.cfg",
        "etc/default/grub.d/kdump-tools.cfg": APPENDS.format("crashkernel=512M"),
    }
    assert Outcome.PASS == outcome("CMD013", changes)
    assert Outcome.PASS == outcome("CMD013", {})


def test_CMD013_skips_where_the_loader_does_not_read_it():
    """systemd-boot."""
    assert Outcome.SKIP == outcome("CMD013", SYSTEMD_BOOT)


def test_CMD013_unknown_where_nobody_knows_whether_drop_ins_are_read():
    """Upstream's grub-mkconfig does not read them, Debian's does."""
    assert Outcome.UNKNOWN == outcome("CMD013", {**CLOUD, "etc/os-release": Status.DENIED})
    lost = {**CLOUD, "etc/default/grub.d/50-cloudimg-settings.cfg": Status.DENIED}
    assert Outcome.UNKNOWN == outcome("CMD013", lost)


# -- CMD015


def test_CMD015_fails_where_the_next_entry_lacks_a_running_word():
    """A word typed in the boot menu."""
    found = ask("CMD015", host(told(WITH + " vfio-pci.ids=8086:1572")))

    assert (Outcome.FAIL, "vfio-pci.ids=8086:1572") == (found.outcome, found.expected)


def test_CMD015_fails_where_a_generated_file_was_edited():
    """The next update-grub drops the word."""
    words = WITH + " vfio-pci.ids=8086:1572"

    assert Outcome.FAIL == outcome("CMD015", {**told(words), "boot/grub/grub.cfg": grub_cfg(words)})


def test_CMD015_passes_where_all_three_agree():
    """And where only a reboot or a generation is pending, which others tell."""
    assert Outcome.PASS == outcome("CMD015", {})
    assert Outcome.PASS == outcome("CMD015", told(WITHOUT))
    assert Outcome.PASS == outcome("CMD015", told(WITH + " iommu=off"))


def test_CMD015_unknown_without_one_of_the_three():
    """Each may lack the word."""
    for name in ("proc/cmdline", "boot/grub/grub.cfg", "etc/default/grub"):
        assert Outcome.UNKNOWN == outcome("CMD015", {name: Status.DENIED})
