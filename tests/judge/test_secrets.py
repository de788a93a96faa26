"""No secret of a host leaves with what is reported of it."""

from __future__ import annotations

from types import MappingProxyType

import pytest
from msgspec.structs import replace

from pytest_vfio.judge.host_run import HostRun
from pytest_vfio.report.results import render
from tests.golden.matrix import POLICY
from tests.hosts.recorded import evidence, lab_bundles, whole_suite
from tests.lab.again import _run
from tests.test_redaction import CMDLINE, GRUB, LOG, PLANTED, XML, planted


def reported(name: str, changes: dict[str, str]) -> str:
    """What `results.json` says of a lab host with other texts."""
    before = evidence(name)
    items = dict(before.items)
    for item, text in changes.items():
        items[item] = replace(before.item(item), data=text.encode())
    run = HostRun(replace(before, items=MappingProxyType(items)), lab_bundles()[name][1], POLICY)
    run.judge(whole_suite())
    return render(_run(run.result(()))).decode()


@pytest.mark.parametrize("name", ["guest-running", "intremap-off"])
def test_secrets_of_a_command_line_are_in_no_report(name):
    """However it is quoted: as proof, in a message, in a step of a cure."""
    read = evidence(name)
    words = " ".join(planted(frame, secret) for item, frame, secret in PLANTED if item == CMDLINE)
    words += " intel_iommu=off iommu=off vfio-pci.ids=8086:10c9,zzzz"
    text = reported(
        name,
        {
            CMDLINE: read.text(CMDLINE).rstrip("\n") + f" {words}\n",
            GRUB: f"{read.text(GRUB)}GRUB_CMDLINE_LINUX='{words}'\n",
        },
    )
    assert "intel_iommu=off" in text
    assert [] == sorted({one for item, _, one in PLANTED if item == CMDLINE and one in text})


def test_secrets_of_a_guest_are_in_no_report():
    """Nor what a guest's description and QEMU's log hold."""
    read = evidence("guest-running")
    told = [planted(frame, secret) for item, frame, secret in PLANTED if item == XML]
    document = read.text(XML).replace("</domain>", "\n".join((*told, "</domain>")), 1)
    log = "var/log/libvirt/qemu/g1.log"
    lines = "\n".join(planted(frame, secret) for item, frame, secret in PLANTED if item == LOG)
    text = reported("guest-running", {XML: document, log: f"{read.item(log).text}\n{lines}\n"})
    assert [] == sorted({one for item, _, one in PLANTED if item in {XML, LOG} and one in text})
