"""What waits for the next boot, and would cut the host off."""

from __future__ import annotations

import pytest

from pytest_vfio.check import Outcome, Verdict
from pytest_vfio.evidence import Status
from tests.ask import ask
from tests.bootchain import RELEASE, grub_cfg
from tests.build import hypervisor
from tests.living import DISK, host

FAIL, PASS, SKIP, UNKNOWN = Outcome.FAIL, Outcome.PASS, Outcome.SKIP, Outcome.UNKNOWN
ROOT_ID, NIC_ID, GUEST_ID = "144d:a808", "8086:1521", "8086:1572"


def next_boot(words: str, now: str = "", **changes: object) -> Verdict:
    """SAF017 of a host that runs with the words `now` and will boot with the others."""
    items = {
        "proc/cmdline": f"BOOT_IMAGE=/boot/vmlinuz-{RELEASE} root=UUID=1 ro quiet {now}\n",
        "proc/sys/kernel/osrelease": f"{RELEASE}\n",
        "boot/grub/grub.cfg": grub_cfg(words),
        "boot/grub2/grub.cfg": None,
        "boot/grub/grubenv": "# GRUB Environment Block\n",
        "run/ostree-booted": None,
        "ip/route4": "[]",
        "sockets/sshd": "",
    }
    return ask("SAF017", hypervisor(host(**items | changes)))


def test_SAF017_fails_on_the_root_disk():
    """An id that was generated and not booted catches the NVMe that has the root."""
    verdict = next_boot(f"vfio-pci.ids={ROOT_ID}")

    assert FAIL == verdict.outcome
    assert f"the next boot gives {DISK} to vfio-pci by its id {ROOT_ID}" in verdict.message
    assert "LUKS" in verdict.message or "luks" in verdict.message
    assert "boot/grub/grub.cfg" == verdict.evidence[0].source


def test_SAF017_passes_on_ids_of_devices_for_guests():
    """The id catches a NIC on which the host has nothing."""
    assert PASS == next_boot(f"vfio-pci.ids={GUEST_ID}").outcome


@pytest.mark.parametrize(("words", "now"), [("", ""), (f"vfio-pci.ids={ROOT_ID}",) * 2])
def test_SAF017_skips_without_new_ids(words, now):
    """What the running line names already is SAF004's to say."""
    assert SKIP == next_boot(words, now).outcome


@pytest.mark.parametrize("name", ["boot/grub/grub.cfg", "sys/class/net"])
def test_SAF017_unknown_without_a_part(name):
    """An entry that was not read may name anything, and a NIC may carry the host."""
    assert UNKNOWN == next_boot(f"vfio-pci.ids={NIC_ID}", **{name: Status.DENIED}).outcome
