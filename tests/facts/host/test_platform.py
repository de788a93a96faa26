"""The processor and the machine."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pytest_vfio.evidence import Extent, Item, Missing, Status
from pytest_vfio.facts.host.cpu import Cpu
from pytest_vfio.facts.host.platform import Platform
from tests.hosts.plain import evidence

INTEL = (
    "processor\t: 0\nvendor_id\t: GenuineIntel\nmodel name\t: Xeon\nflags\t\t: fpu lm vmx\n"
    "address sizes\t: 46 bits physical, 48 bits virtual\n\nprocessor\t: 1\nvendor_id\t: X\n"
)


def cpu(text: object = INTEL, **more: object) -> Cpu:
    return Cpu(evidence({"proc/cpuinfo": text, **more}))


def test_each_cpu_has_its_socket():
    """By `physical id`, as far as the text goes; Arm has none."""
    text = "".join(f"processor\t: {n}\nphysical id\t: {n // 2}\n\n" for n in range(4))

    assert cpu(text).sockets == {0: 0, 1: 0, 2: 1, 3: 1}
    assert cpu(text[: text.rindex("physical")]).sockets == {0: 0, 1: 0, 2: 1}
    assert cpu("processor\t: 0\nCPU implementer\t: 0x41\n").sockets == {}


def test_the_first_processor_speaks_for_all():
    """Vendor, architecture, flags, width."""
    found = cpu()

    assert ("intel", "x86_64", True, 46) == (
        found.vendor,
        found.arch,
        found.has("vmx"),
        found.physical_bits,
    )
    assert not found.has("svm")


@pytest.mark.parametrize(
    ("word", "vendor"),
    [("AuthenticAMD", "amd"), ("HygonGenuine", "hygon"), ("  Shanghai  ", "zhaoxin")],
)
def test_vendors_have_short_names(word, vendor):
    """As the reports write them."""
    assert vendor == cpu(f"vendor_id\t: {word}\nflags\t: lm\n").vendor


def test_arm_has_no_vendor_id():
    """An implementer's number instead."""
    found = cpu("processor\t: 0\nCPU implementer\t: 0x41\nCPU architecture: 8\nFeatures: fp\n")

    assert ("arm", "aarch64", False) == (found.vendor, found.arch, found.is_x86)


@given(end=st.integers(0, len(INTEL)))
def test_a_cut_text_never_denies_a_flag(end):
    """What was cut off may be the very flag; what is shown is there."""
    found = cpu(Item("proc/cpuinfo", Status.TRUNCATED, INTEL[:end].encode()))
    try:
        assert found.has("vmx")
    except Missing:
        assert "flags\t\t: fpu lm vmx\n" not in INTEL[:end]


def test_an_elided_text_denies_nothing():
    """Somebody may have shortened the line."""
    with pytest.raises(Missing):
        cpu(Item("proc/cpuinfo", Status.PRESENT, INTEL.encode(), extent=Extent.ELIDED)).has("svm")


@given(st.text(max_size=300))
def test_garbage_is_no_processor(text):
    """Any text either answers or is missing."""
    found = cpu(text)
    for ask in ("vendor", "arch", "flags", "physical_bits", "is_x86"):
        try:
            getattr(found, ask)
        except Missing:
            continue


def machine(**items: object) -> Platform:
    names = {"virt": "systemd/detect-virt", "dmi": "sys/class/dmi/id", "xen": "sys/hypervisor",
             "cpu": "proc/cpuinfo", "tainted": "proc/sys/kernel/tainted",
             "lockdown": "sys/kernel/security/lockdown"}  # fmt: skip
    return Platform(evidence({names[name]: what for name, what in items.items()}))


def test_detect_virt_says_none_with_a_failure():
    """It exits 1 on bare metal."""
    none = Item("systemd/detect-virt", Status.FAILED, b"none\n", "exit status 1")

    assert "none" == machine(virt=none, xen=None).virtualization


def test_dom0_is_none_to_detect_virt():
    """/sys/hypervisor has to be seen, too."""
    with pytest.raises(Missing):
        _ = machine(virt="none\n").virtualization
    assert machine(virt="none\n", xen="type=xen\n").seen_xen_dom0
    assert not machine(virt="xen\n", xen="type=xen\n").seen_xen_dom0
    assert machine(xen="type=xen\nproperties/features=00002f75\n").seen_xen_dom0
    assert "xen" == machine(xen="type=xen\nproperties/features=00002705\n").virtualization
    with pytest.raises(Missing):
        _ = machine(xen="type=xen\n").virtualization


def test_bare_metal_without_detect_virt_needs_three_witnesses():
    """No hypervisor flag, a real vendor, no /sys/hypervisor."""
    all_three = {"cpu": INTEL, "dmi": "sys_vendor=HPE\n", "xen": None}

    assert "none" == machine(**all_three).virtualization
    for name in all_three:
        with pytest.raises(Missing):
            _ = machine(**{k: v for k, v in all_three.items() if k != name}).virtualization


def test_taint_bits_have_words():
    """Chosen bits only."""
    told = machine(tainted=f"{1 << 7 | 1 << 12}\n")

    assert ("kernel died recently, oops or BUG (D)",) == told.taint_words(1 << 7)
    assert 2 == len(told.taint_words())


@given(st.text(max_size=60))
def test_garbage_is_no_machine(text):
    """Any text either answers or is missing."""
    told = machine(virt=text, dmi=text, xen=text, cpu=text, tainted=text, lockdown=text)
    for ask in ("virtualization", "lockdown", "tainted", "seen_xen_dom0"):
        try:
            getattr(told, ask)
        except Missing:
            continue
