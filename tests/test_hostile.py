"""Host data is hostile: whatever a bundle holds, the run ends well and the reports are valid."""

from __future__ import annotations

import html
import json
import re
from importlib import resources
from pathlib import Path

import jsonschema
import junitparser
import pytest

from tests.plugin.test_session import CHECKS

ESCAPE = "\x1b[31mred\x1b]0;owned\x07\x9b2J"
#: Names that a shell, a terminal, a markup, a path, XML or pytest might act on.
NAMES = (
    "$(reboot)",
    "`id`",
    "<b>&amp;]]>",
    "[red]x[/red]",
    "../../etc/passwd",
    "a::b[c]",
    "x" * 5000,
    "-rf",
    "\u202egnp",
    "a b",
    "é",
    "%s%n",
    "{0}",
    "[link=http://evil]x[/link]",
    "o'brien\"",
    "\\x1b[2J",
)
#: Ten to the ninth times `lol`.
BOMB = (
    "<?xml version='1.0'?><!DOCTYPE l [<!ENTITY a 'lol'>"
    + "".join(f"<!ENTITY {chr(98 + i)} '{f'&{chr(97 + i)};' * 10}'>" for i in range(9))
    + "]><domain><name>&j;</name></domain>"
)


def item(name: str, body: str | bytes, ending: str = "present") -> bytes:
    """An item of a recording."""
    data = body.encode("utf-8", "surrogatepass") if isinstance(body, str) else body
    lines = b"".join(b"|" + line + b"\n" for line in data.split(b"\n"))
    return b"%item " + name.encode() + b"\n" + lines + b"%end " + ending.encode() + b"\n"


def domain(name: str, number: int) -> str:
    """A guest with a hostdev; every other one runs."""
    bus, slot, function = number >> 8, number >> 3 & 31, number & 7
    running = f" id='{number}'" if number % 2 else ""
    return (
        f"<domain type='kvm'{running}>"
        f"<name>{html.escape(name)}</name><uuid>{number}</uuid><devices>"
        "<hostdev mode='subsystem' type='pci' managed='yes'><source><address domain='0x0000' "
        f"bus='0x{bus:02x}' slot='0x{slot:02x}' function='0x{function}'/></source></hostdev>"
        "</devices></domain>"
    )


def functions(count: int) -> str:
    """A tree of PCI functions whose files hold rubbish."""
    rubbish = {
        "vendor": "0x8086",
        "device": "0x1572",
        "class": "0x020000",
        "numa_node": "-9" * 30,
        "driver->../../../bus/pci/drivers/": ESCAPE,
        "sriov_totalvfs": "9" * 5000,
        "irq": "x",
        "resource": ESCAPE,
        "reset_method": "[red]",
        "driver_override": "<b>",
    }
    return "\n".join(
        f"0000:00:{number >> 3:02x}.{number & 7}/{key}{'' if '->' in key else '='}{value}"
        for number in range(count)
        for key, value in rubbish.items()
    )


#: Each item holds what its parser must survive.
ITEMS = {
    "proc/cmdline": f'a={ESCAPE} intel_iommu=on vfio-pci.ids=8086:1572,\0 iommu={ESCAPE} "',
    "proc/cpuinfo": f"vendor_id : GenuineIntel\nflags : vmx\n{ESCAPE}",
    "dmesg": f"[    0.000000] Linux version 6.1{ESCAPE}\n[    1.0] DMAR: {ESCAPE}\n",
    "virsh/list": "Id Name State\n--\n" + "\n".join(f" -  {name}  shut off" for name in NAMES),
    "virsh/dumpxml": "\n".join(domain(name, number) for number, name in enumerate(NAMES)),
    "virsh/dumpxml-inactive": BOMB,
    "virsh/nodedev-dumpxml": BOMB + "<device>" * 100_000,
    "virsh/list-autostart": "\n".join(NAMES),
    "etc/modprobe.d/": f"../../x\n{ESCAPE}\n\n.\n..\na.conf",
    "etc/modprobe.d/a.conf": f"options vfio-pci ids={ESCAPE}\nblacklist {ESCAPE}\n"
    + "\\\n" * 10_000,
    "etc/default/grub": f'GRUB_CMDLINE_LINUX="$(reboot) `id` {ESCAPE}\n' + "'" * 1001,
    "sys/class/iommu": "dmar0/intel-iommu/cap=zz\ndmar0/intel-iommu/ecap="
    + "f" * 10_000
    + "\n=\n->\n!",
    "sys/kernel/iommu_groups": (
        "9" * 400 + f"/type=DMA\n-1/type=x\n0/devices/0000:00:00.0->x\n0/type={ESCAPE}"
    ),
    "sys/bus/pci/devices": functions(16) + "\n0000:ff:ff.f/vendor=\nzzzz/vendor=0x1",
    "sys/bus/pci/config": "0000:00:00.0=" + "ff" * 5000 + "\n0000:00:01.0=" + "00" * 4096,
    "proc/interrupts": "x" * 100_000,
    "ip/addr": "[" * 100_000,
    "ip/link": '{"a":' * 50_000,
    "ip/route4": '[{"dst":1}]',
    "ip/route6": "null",
    "lsblk": "[]",
    "proc/self/mountinfo": "\\777\\000 " * 1000,
    "lspci": "00:00.0 " + "Host " * 20_000 + f"\n\t{ESCAPE}",
}
RECORDING = b"".join(
    [
        b"\x1b[2Jbanner\xff\n%vfio-probe 1\n%about host \x1b[31mevil\n",
        *(item(name, body) for name, body in ITEMS.items()),
        item("virsh/dumpxml", "the second of that name"),
        *(
            item(name, "x")
            for name in ("a" * 6000, "../../etc/passwd", "/etc/shadow", "x%1by", "<b>")
        ),
        b"%item sys/firmware/acpi/tables/DMAR base64\n|RE1BUv////////////////////////\n%end present\n",
        b"%end present\n%item dangling\n|x\n%item run/libvirt/qemu/\n|a.xml\n%end present \x1b[31m\n",
        item(
            "run/libvirt/qemu/a.xml",
            b"<domstatus><domain><name>\xff\xfe</name></domain>",
            "exploded",
        ),
        b"%done 3\n",
    ]
)


@pytest.fixture
def run(pytester, monkeypatch):
    """Judge a bundle in a folder of its own; returns pytest's result, reports checked."""
    monkeypatch.delenv("PYTEST_ADDOPTS", raising=False)
    pytester.path.joinpath("pyproject.toml").write_text("[tool.pytest]\nstrict = true\n")

    def run(*arguments: str):
        result = pytester.runpytest_subprocess(
            *("-c", "pyproject.toml", "-p", "no:randomly", "--import-mode=importlib", "-q"),
            *(str(CHECKS), *arguments),
        )
        valid(pytester.path / "reports", result)
        return result

    return run


def valid(reports: Path, result) -> None:
    """The reports are what their schemas say, agree with the exit code, and hide no escape."""
    text = (reports / "results.json").read_text()
    document = json.loads(text)
    schema = resources.files("pytest_vfio") / "schemas/results.json"
    jsonschema.Draft202012Validator(json.loads(schema.read_text())).validate(document)
    junit = junitparser.JUnitXml.fromfile(str(reports / "junit.xml"))
    findings = [f for host in document["hosts"] for f in host["findings"] if f["selected"]]
    gated = [f for f in findings if f["gates"]]
    shown = result.stdout.str() + result.stderr.str()

    hosts = document["hosts"]  # each has its verdict as a case
    sick = [host for host in hosts if host["verdict"] == "not ready" and "reason" not in host]

    assert junit.tests == len(findings) + len(hosts) > len(hosts)
    assert junit.failures == len(gated) + len(sick)
    assert result.ret == bool(gated)
    assert not [f for f in findings if f["outcome"] == "error"]
    assert not re.search("[\x00-\x08\x0b-\x1f\x7f-\x9f\u202a-\u202e]", shown)
    assert "Traceback" not in shown
    assert "INTERNALERROR" not in shown


def test_a_recording_of_rubbish_is_judged(run, pytester):
    """Escapes, bombs, absurd numbers and names: no crash, no error, and the host's name is kept."""
    pytester.path.joinpath("evil.vfio").write_bytes(RECORDING)
    result = run("--bundle", "a::b[c]<i>=evil.vfio")
    (host,) = json.loads(pytester.path.joinpath("reports/results.json").read_text())["hosts"]

    assert host["name"] == "a::b[c]<i>"
    assert host["verdict"] != "ready"
    assert {"$(reboot)", "<b>&amp;]]>", "a::b[c]"} <= {
        finding["subject"]["name"] for finding in host["findings"]
    }
    assert max(map(len, result.outlines)) < 4000


def test_workers_read_the_same_rubbish(run, pytester):
    """Hostile names come through xdist's serialisation."""
    pytester.path.joinpath("evil.vfio").write_bytes(RECORDING)
    run("--bundle", "evil.vfio", "-n", "2", "-k", "GST or IOM")


def test_a_folder_of_rubbish_is_judged(run, pytester):
    """The same texts as loose files, and as one pasted text."""
    folder = pytester.mkdir("case")
    names = {
        "cmdline": "proc/cmdline",
        "dmesg.txt": "dmesg",
        "lspci.txt": "lspci",
        "interrupts": "proc/interrupts",
        "default-grub": "etc/default/grub",
    }
    for file, name in names.items():
        folder.joinpath(file).write_text(ITEMS[name])
    folder.joinpath("nodedev").mkdir()
    folder.joinpath("nodedev/x.xml").write_text(BOMB)
    pytester.path.joinpath("all.txt").write_text("\n".join(ITEMS.values()))
    run("--bundle", "case", "--bundle", "all.txt")


def test_a_huge_log_is_read_up_to_its_limit(run, pytester):
    """50 MB of kernel log: cut, said to be cut, and judged in seconds."""
    line = b"|[    2.000000] vfio-pci 0000:00:00.0: junk \x1b[31m " + b"y" * 400 + b"\n"
    body = b"|[    0.000000] Linux version 6.1.0\n" + line * (52_000_000 // len(line))
    pytester.path.joinpath("big.vfio").write_bytes(
        b"%vfio-probe 1\n%item dmesg\n" + body + b"%end present\n%done 1\n"
    )
    result = run("--bundle", "big.vfio")

    assert result.duration < 120


def test_many_guests_are_judged(run, pytester):
    """5,000 guests, one selection of checks; time grows with their number and no faster."""
    guests = "\n".join(
        f"<domain type='kvm'><name>vm{number}</name><uuid>{number}</uuid></domain>"
        for number in range(5000)
    )
    table = "\n".join(f" -  vm{number}  shut off" for number in range(5000))
    pytester.path.joinpath("farm.vfio").write_bytes(
        b"%vfio-probe 1\n"
        + item("virsh/list", table)
        + item("virsh/dumpxml", guests)
        + b"%done 2\n"
    )
    result = run("--bundle", "farm.vfio", "-k", "GST001 or IOM001")

    assert result.duration < 180
