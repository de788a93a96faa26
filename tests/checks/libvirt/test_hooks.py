"""Checks of libvirt's hooks, and of who QEMU runs as."""

from __future__ import annotations

import pytest

from pytest_vfio.check import Outcome
from pytest_vfio.evidence import Status
from tests.ask import ask
from tests.hosts.plain import hypervisor

PASS, FAIL, SKIP, UNKNOWN = Outcome.PASS, Outcome.FAIL, Outcome.SKIP, Outcome.UNKNOWN
PATHS = "drwxr-xr-x 0 0 bin\n-rwxr-xr-x 0 0 bin/sh\nabsent usr/bin/gone\n"


def hook(text: str, mode: str = "-rwxr-xr-x", **changes):
    """A host with this hook for QEMU."""
    return hypervisor(
        {
            "etc/libvirt/hooks/": "qemu\n",
            "etc/libvirt/hooks/qemu": text,
            "paths": f"{PATHS}{mode} 0 0 etc/libvirt/hooks/qemu\n",
            **changes,
        }
    )


@pytest.mark.parametrize(
    "text",
    [
        "#!/bin/sh\nexit 1\n",
        "#!/bin/bash\n# not today\n\necho no >&2\nexit 3   # never\n",
        "#!/usr/bin/env bash\nif true; then\n echo x\nfi\nexit 127\n",
        "#!/usr/bin/gone\nprint()\n",
    ],
)
def test_LIB010_fails_where_the_hook_ends_with_an_error_whatever_it_is_asked(text):
    """Or where the program that is to run it does not exist."""
    assert FAIL == ask("LIB010", hook(text)).outcome


@pytest.mark.parametrize(
    "text",
    [
        "#!/bin/sh\nif [ $1 = a ]; then\n  exit 0\nfi\nexit 1\n",
        "#!/bin/sh\nexit 0\nexit 1\n",
        "#!/usr/bin/python3\nimport sys; sys.exit(1)\n",
        "#!/bin/sh\nmodprobe vfio-pci\n",
    ],
)
def test_LIB010_skips_a_hook_of_which_only_its_run_shows_what_it_does(text):
    """Many hosts have one that works."""
    assert SKIP == ask("LIB010", hook(text)).outcome


def test_LIB010_passes_without_a_hook_that_may_be_run():
    """libvirt leaves a file alone that is not executable."""
    assert PASS == ask("LIB010", hook("#!/bin/sh\nexit 1\n", "-rw-r--r--")).outcome
    assert PASS == ask("LIB010", hypervisor({"etc/libvirt/hooks/": None})).outcome


def test_LIB010_unknown_without_the_folder():
    """There may be one."""
    assert UNKNOWN == ask("LIB010", hypervisor({})).outcome
    assert UNKNOWN == ask("LIB010", hook("x", **{"etc/libvirt/hooks/qemu": Status.DENIED})).outcome


# -- LIB005

NOBODY = {"etc/libvirt/qemu.conf": 'user = "somebody"\n', "users/qemu": "uid=1(qemu) gid=1(qemu)"}


def test_LIB005_fails_where_the_user_does_not_exist():
    """libvirt cannot start QEMU as somebody that there is not."""
    found = ask("LIB005", hypervisor(NOBODY))

    assert FAIL == found.outcome
    assert "somebody" in found.message


def test_LIB005_fails_as_a_blocker_without_a_change_of_owner():
    """Seen: Permission denied on /dev/vfio/N."""
    found = ask("LIB005", hypervisor({"etc/libvirt/qemu.conf": "dynamic_ownership = 0\n"}))

    assert (FAIL, None) == (found.outcome, found.severity)


def test_LIB005_passes_where_a_udev_rule_sets_the_group():
    """SUBSYSTEM=="vfio", GROUP="kvm"."""
    rule = 'SUBSYSTEM=="vfio", OWNER="root", GROUP="kvm", MODE="0660"\n'
    found = hypervisor(
        {
            "etc/libvirt/qemu.conf": "dynamic_ownership = 0\n",
            "etc/udev/rules.d/": "10-vfio.rules",
            "etc/udev/rules.d/10-vfio.rules": rule,
        }
    )

    assert PASS == ask("LIB005", found).outcome


def test_LIB002_fails_where_the_node_is_gone_whatever_libvirt_remembers():
    """libvirt's capabilities only tell of groups."""
    items = {
        "virsh/capabilities": "<capabilities><host><iommu support='yes'/></host></capabilities>\n",
        "dev/vfio/vfio": None,
    }

    assert FAIL == ask("LIB002", hypervisor(items)).outcome
