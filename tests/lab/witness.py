"""Proof that judging changes nothing: the host's state before and after, as text.

A libvirt daemon that ends by its own idle timer is its own affair; one that was started is ours.
"""

import difflib

from tests.lab.ssh import Shell

STATE = r"""
cat /proc/sys/kernel/random/boot_id
for d in /sys/bus/pci/devices/*; do
    echo "${d##*/} $(readlink $d/driver) $(cat $d/driver_override) $(cat $d/sriov_numvfs 2>&-)"
done
cut -d' ' -f1 /proc/modules | sort
ls /dev/vfio 2>&-
find /etc /boot /var/lib/libvirt /root /home /tmp -xdev -type f -printf '%p %T@ %s\n' | sort
for unit in libvirtd virtqemud virtnodedevd; do
    [ "$(systemctl is-active $unit)" = active ] && echo "$unit active"
done
true
"""


def state(shell: Shell) -> list[str]:
    """Bindings, modules, files, daemons and boot id."""
    return shell.must(STATE).splitlines()


def changes(before: list[str], after: list[str]) -> list[str]:
    """What differs, but for a daemon that went to sleep."""
    difference = difflib.ndiff(before, after)
    changed = [line for line in difference if line[0] in "+-"]
    return [line for line in changed if not (line[0] == "-" and line.endswith(" active"))]
