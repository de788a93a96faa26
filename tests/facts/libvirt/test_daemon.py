"""libvirt itself: daemons, versions, settings, networks, logs."""

from __future__ import annotations

import shutil
import subprocess
from contextlib import suppress

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pytest_vfio.evidence import Item, Missing, Status
from pytest_vfio.facts.libvirt.daemon import Libvirt, settings
from pytest_vfio.facts.libvirt.guests import Guests
from tests.hosts.plain import evidence, grepped


def libvirt(items) -> Libvirt:
    return Libvirt(evidence(items))


def test_daemons_that_run_and_sockets_that_wait_are_told_apart():
    """A line about a socket is no daemon; one that runs is not waiting as well."""
    text = "714 virtqemud running\nvirtnodedevd socket only\nvirtqemud socket only\n"
    found = libvirt({"libvirt/daemons": text})

    assert ["virtqemud"] == list(found.running_daemons)
    assert ["virtnodedevd"] == list(found.waiting_daemons)


def test_versions_are_read_from_virsh():
    """`virsh version --daemon` names library, hypervisor and daemon."""
    text = (
        "Compiled against library: libvirt 11.3.0\nUsing library: libvirt 11.3.0\n"
        "Using API: QEMU 11.3.0\nRunning hypervisor: QEMU 10.0.2\nRunning against daemon: 11.3.0\n"
    )

    assert {"library": (11, 3, 0), "hypervisor": (10, 0, 2), "daemon": (11, 3, 0)} == dict(
        libvirt({"virsh/version": text}).versions
    )


@pytest.mark.parametrize(("word", "said"), [("yes", True), ("no", False)])
def test_the_capabilities_say_whether_there_is_an_iommu(word, said):
    """By an element that older libvirt does not print."""
    text = f"<capabilities>\n<host>\n<iommu support='{word}'/>\n</host>\n</capabilities>"
    found = libvirt({"virsh/capabilities": text}).iommu_support

    assert (said, f"<iommu support='{word}'/>") == (found[0], found[1].line)
    assert None is libvirt({"virsh/capabilities": "<capabilities/>"}).iommu_support


@pytest.mark.parametrize("text", ["", "<capabilities>", "error: x"])
def test_no_capabilities_are_no_answer(text):
    """What is no such document says nothing of the host."""
    with pytest.raises(Missing):
        _ = libvirt({"virsh/capabilities": text}).iommu_support


def test_settings_are_read_with_lists_and_comments():
    """Values may be strings, numbers, or lists over several lines with comments in them."""
    text = (
        '#user = "x"\nuser = "qemu"  # y\n  dynamic_ownership=0 # z\n'
        'cgroup_device_acl = [\n  "/dev/null", # ] not yet\n  "/dev/vfio/vfio"\n]\n'
        "namespaces = [ ]\n"
    )
    found = libvirt({"etc/libvirt/qemu.conf": text}).qemu_conf

    assert {
        "user": ("qemu",),
        "dynamic_ownership": ("0",),
        "cgroup_device_acl": ("/dev/null", "/dev/vfio/vfio"),
        "namespaces": (),
    } == {name: setting.values for name, setting in found.items()}
    assert "dynamic_ownership=0 # z" == found["dynamic_ownership"].quote.line


@given(
    st.dictionaries(
        st.from_regex(r"[a-z_]{1,9}", fullmatch=True),
        st.from_regex(r"[ -!#-~]{0,9}", fullmatch=True),
    )
)
def test_settings_survive_being_written(values):
    """What is written as a string comes back."""
    text = "".join(f'{name} = "{value}"\n' for name, value in values.items())
    found = {one.name: one.values for one in settings(Item("x", Status.PRESENT, text.encode()))}

    assert {name: (value,) for name, value in values.items()} == found


NAMES = st.sampled_from(
    ["libvirt/daemons", "etc/libvirt/qemu.conf", "etc/default/libvirt-guests"]
    + [f"virsh/{name}" for name in ("version", "capabilities", "net-dumpxml", "nodedev-dumpxml")]
)
PIECES = ("a = [", "]", '"', "# x", "\n", "libvirtd socket", "ON_SHUTDOWN=", "<network>")


@given(NAMES, st.lists(st.sampled_from(PIECES), max_size=12).map("".join) | st.text(max_size=60))
def test_garbage_is_an_answer_or_missing(name, text):
    """Nothing but Missing is ever raised."""
    found = libvirt({name: text, "etc/sysconfig/libvirt-guests": None})
    doors = "running_daemons waiting_daemons versions iommu_support nodedevs qemu_conf on_shutdown"
    for door in [*doors.split(), "networks", "answered"]:
        with suppress(Missing):
            getattr(found, door)


def test_networks_come_from_virsh_or_from_files():
    """A pool of VFs says whose they are."""
    pool = (
        "<network><name>p</name>\n<forward mode='hostdev' managed='yes'><pf dev='eth4'/>"
        "<address type='pci' domain='0' bus='0x12' slot='0x2' function='0x1'/></forward></network>"
    )
    folder = {
        "etc/libvirt/qemu/networks/": "autostart\np.xml\n",
        "etc/libvirt/qemu/networks/p.xml": pool,
    }
    for items in ({"virsh/net-dumpxml": pool}, folder):
        (found,) = libvirt(items).networks
        assert ("p", True, True, "eth4", ("0000:12:02.1",)) == (
            found.name, found.is_pool, found.managed, found.pf, found.addresses,
        )  # fmt: skip


@pytest.mark.parametrize(
    "items",
    [
        {},
        {"virsh/net-dumpxml": grepped("virsh/net-dumpxml", "<network><name>p</name></network>")},
        {"etc/libvirt/qemu/networks/": "p.xml\n"},
        {"virsh/net-dumpxml": "<network><name>"},
    ],
)
def test_networks_that_were_not_read_may_exist(items):
    """No conclusive source, no list of networks."""
    with pytest.raises(Missing):
        _ = libvirt(items).networks


def test_what_the_shutdown_does_is_the_setting_before_the_comment():
    """Distributions ship their default as a comment."""
    conf = {
        "etc/default/libvirt-guests": "#ON_SHUTDOWN=shutdown\n",
        "etc/sysconfig/libvirt-guests": None,
    }
    said = {**conf, "etc/sysconfig/libvirt-guests": "ON_SHUTDOWN='suspend'\n"}

    assert "shutdown" == libvirt(conf).on_shutdown[0]
    assert "suspend" == libvirt(said).on_shutdown[0]


def test_a_guests_log_that_is_not_listed_does_not_exist():
    """The folder's listing knows all logs; a listed one that was not read is not absent."""
    found = libvirt({"var/log/libvirt/qemu/": "a.log\n"})

    assert Status.NOT_COLLECTED is found.qemu_log("a").status
    assert Status.ABSENT is found.qemu_log("b").status


def test_virsh_itself_is_understood():
    """The real program, on libvirt's test driver, prints what we read."""
    virsh = shutil.which("virsh")
    if virsh is None:
        pytest.skip("virsh is not installed")

    def say(*words):
        command = [virsh, "-r", "-c", "test:///default", *words]
        return subprocess.run(command, capture_output=True, text=True, check=True).stdout

    items = {
        "virsh/list": say("list", "--all"),
        "virsh/list-autostart": say("list", "--all", "--autostart"),
        "virsh/dumpxml": say("dumpxml test; dumpxml test"),
        "virsh/dumpxml-inactive": say("dumpxml test --inactive"),
        "virsh/net-dumpxml": say("net-dumpxml default"),
        "virsh/capabilities": say("capabilities"),
        "virsh/version": say("version"),
    }
    (guest,) = Guests(evidence(items)).domains
    host = libvirt(items)

    assert ("test", True, False, "running") == (
        guest.name, guest.running, guest.autostart, guest.state,
    )  # fmt: skip
    assert guest.stored is not None
    assert guest.live.memory == 8388608
    assert ["default"] == [network.name for network in host.networks]
    assert ("<iommu support='yes'/>" in items["virsh/capabilities"]) is host.iommu_support[0]
    assert host.versions["library"]
