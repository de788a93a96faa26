"""Proof that judging changes nothing: the host's state before and after, as text.

A libvirt daemon that ends by its own idle timer is its own affair; one that was started is ours.
"""

import difflib

from tests.lab.ssh import Shell

ASLEEP = ("- ActiveState=active", "+ ActiveState=inactive")
STATE = r"""
cat /proc/sys/kernel/random/boot_id
cd /sys/bus/pci/devices
stat -c %N */driver
grep -H . */driver_override */sriov_numvfs
cut -d' ' -f1 /proc/modules | sort
ls /dev/vfio 2>&-
find /etc /boot /var/lib/libvirt /root /home /tmp -xdev -type f -printf '%p %T@ %s\n' | sort
systemctl show -p Id,ActiveState libvirtd virtqemud virtnodedevd
true
"""


def state(shell: Shell) -> list[str]:
    """Bindings, modules, files, daemons and boot id."""
    return shell.must(STATE).splitlines()


def changes(before: list[str], after: list[str]) -> list[str]:
    """What differs, but for a daemon that went to sleep."""
    difference = difflib.ndiff(before, after)
    changed = [line for line in difference if line[0] in "+-"]
    return [line for line in changed if line not in ASLEEP]
