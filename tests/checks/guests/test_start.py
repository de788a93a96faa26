"""Checks of what a guest's definition names: files, machine, placement, networks, permissions."""

from __future__ import annotations

import pytest

from pytest_vfio.check import Outcome
from pytest_vfio.declared import Declared, WantedDevice, WantedGuest
from pytest_vfio.evidence import Item, Status
from tests.ask import ask
from tests.hosts.guest_xml import domain, host, hostdev
from tests.hosts.plain import hypervisor

NIC = "0000:12:00.0"
PASS, FAIL, SKIP, UNKNOWN = Outcome.PASS, Outcome.FAIL, Outcome.SKIP, Outcome.UNKNOWN
DEVICE = hostdev(NIC)

CAPABILITIES = """\
<capabilities>
<host><cpu><arch>x86_64</arch></cpu>
<secmodel><model>apparmor</model></secmodel><secmodel><model>dac</model></secmodel></host>
<guest><os_type>hvm</os_type><arch name='x86_64'>
<emulator>/usr/bin/qemu-system-x86_64</emulator>
<machine maxCpus='288'>pc-q35-8.2</machine><machine maxCpus='255'>pc-i440fx-8.2</machine>
<domain type='qemu'/><domain type='kvm'/></arch></guest>
</capabilities>
"""
NODES = "online=0\nnode0/cpulist=0-7\nnode0/meminfo=Node 0 MemTotal: 65536000 kB\n"
THERE = """\
drwxr-xr-x 0 0 usr
drwxr-xr-x 0 0 usr/bin
-rwxr-xr-x 0 0 usr/bin/qemu-system-x86_64
drwxr-xr-x 0 0 usr/share
-rw-r--r-- 0 0 usr/share/OVMF.fd
drwxr-xr-x 0 0 var
drwxr-xr-x 0 0 var/lib
-rw------- 0 0 var/lib/disk.qcow2
-rw------- 0 0 var/lib/gpu.rom
-rw-r--r-- 0 0 var/lib/list
drwx------ 0 0 root
-rw-r--r-- 0 0 root/gpu.rom
drwxr-xr-x 0 0 dev
crw-rw-rw- 0 0 dev/hwrng
absent var/lib/gone
absent dev/ttyS9
absent usr/bin/swtpm
absent usr/bin/qemu-gone
"""
USER = "uid=64055(libvirt-qemu) gid=994(kvm) groups=994(kvm),64055(libvirt-qemu)\n"


def box(*devices: str, running: bool = False, without: str = "", **changes):
    """A host with one guest that has these devices beside the assigned one."""
    words = {k: changes.pop(k) for k in ("body", "os", "machine", "type") if k in changes}
    guest = domain("g", DEVICE, *devices, **words)
    live = (guest.replace("<domain ", "<domain id='1' ", 1),) if running else ()
    items = {
        **host(guest, live=live),
        "paths": THERE,
        "users/qemu": USER,
        "etc/libvirt/qemu.conf": None,
        "virsh/capabilities": CAPABILITIES,
        "dev/kvm": "crw-rw---- 1 0 993 10, 232 /dev/kvm\n",
        "sys/devices/system/node": NODES,
        "sys/class/net": "lo->../x/lo\nbr0->../x/br0\neth0->../x/eth0\n",
        "run/libvirt/network/": "default.xml\n",
        "virsh/pool-list": " Name     State      Autostart\n----\n images   active     yes\n"
        " slow     inactive   no\n\n",
        "virsh/net-dumpxml": "<network><name>default</name></network>\n"
        "<network><name>asleep</name></network>\n",
        **changes,
    }
    return hypervisor({name: what for name, what in items.items() if name != without})


def says(id: str, *devices: str, **changes):
    found = box(*devices, **changes)
    return ask(id, found, found.guests.known[0])


FILES = [
    "<emulator>/usr/bin/qemu-gone</emulator>",
    "<disk type='file' device='disk'><source file='/var/lib/gone'/></disk>",
    "<disk type='block'><source dev='/var/lib/gone'/></disk>",
    "<interface type='user'><rom file='/var/lib/gone'/></interface>",
    "<filesystem type='mount'><source dir='/var/lib/gone'/></filesystem>",
    "<serial type='dev'><source path='/dev/ttyS9'/></serial>",
    "<channel type='unix'><source mode='connect' path='/var/lib/gone'/></channel>",
    "<serial type='file'><source path='/var/lib/gone/log'/></serial>",
    "<rng model='virtio'><backend model='random'>/dev/ttyS9</backend></rng>",
    "<tpm model='tpm-crb'><backend type='emulator'/></tpm>",
    "<tpm model='tpm-tis'><backend type='passthrough'><device path='/dev/ttyS9'/></backend></tpm>",
    "<input type='evdev'><source dev='/dev/ttyS9'/></input>",
]


@pytest.mark.parametrize("device", FILES)
def test_GST030_fails_where_a_file_is_gone(device):
    """Whatever element names it; the message has the path, the evidence its line."""
    found = says("GST030", device)

    assert FAIL == found.outcome
    assert "does not exist" in found.message or "cannot be run" in found.message
    assert "g names" in found.message
    assert 2 == len(found.evidence)


@pytest.mark.parametrize(
    "words",
    [
        {"os": "<loader type='pflash'>/var/lib/gone</loader>"},
        {"os": "<nvram template='/var/lib/gone'>/var/lib/nvram</nvram>"},
        {"os": "<kernel>/var/lib/gone</kernel>"},
        {"os": "<acpi><table type='slic'>/var/lib/gone</table></acpi>"},
    ],
)
def test_GST030_fails_where_a_file_of_the_boot_is_gone(words):
    """Loader, template, kernel, table."""
    assert FAIL == says("GST030", **words).outcome


def test_GST030_fails_less_where_the_guest_runs():
    """It did start; the next start is another one."""
    assert "degraded" == says("GST030", FILES[1], running=True).severity


def test_GST030_passes_where_all_is_there():
    """What QEMU makes itself, what is optional and what it finds by itself is no claim."""
    devices = (
        "<emulator>/usr/bin/qemu-system-x86_64</emulator>",
        (
            "<disk type='file' device='cdrom'><source file='/var/lib/gone' startupPolicy='optional'/>"
            "</disk>"
        ),
        "<disk type='file'><source file='/var/lib/disk.qcow2'/></disk>",
        "<channel type='unix'><source mode='bind' path='/var/lib/sock'/></channel>",
        "<serial type='pty'/>",
        "<interface type='user'><rom file='pxe.rom'/></interface>",
    )
    os = "<loader>/usr/share/OVMF.fd</loader><nvram>/var/lib/new_VARS.fd</nvram>"

    assert PASS == says("GST030", *devices, os=os).outcome


def test_GST030_unknown_where_the_path_was_not_asked_for():
    """No stat, or one that ended early."""
    assert UNKNOWN == says("GST030", FILES[1], without="paths").outcome
    assert UNKNOWN == says("GST030", FILES[1], paths=Status.TIMED_OUT).outcome


def test_GST030_skips_a_guest_without_a_device_of_the_host():
    """Its start is not what the host is judged for."""
    found = hypervisor(host(domain("g", FILES[1])))

    assert SKIP == ask("GST030", found, found.guests.known[0]).outcome


# -- GST031


@pytest.mark.parametrize(
    "changes",
    [
        {"dev/kvm": None},
        {"machine": "pc-q35-99.0"},
        {"body": "<vcpu>289</vcpu>"},
        {"body": "<seclabel type='static' model='selinux'><label>x</label></seclabel>"},
    ],
)
def test_GST031_fails_where_qemu_or_the_host_lacks_it(changes):
    """No /dev/kvm beside a processor that has the flag; a machine of a newer QEMU."""
    assert FAIL == says("GST031", **changes).outcome


def test_GST031_passes_where_they_are_there():
    """Also without KVM for a guest that asks for none, and with a QEMU that libvirt has not asked."""
    assert PASS == says("GST031").outcome
    assert PASS == says("GST031", type="qemu", **{"dev/kvm": None}).outcome
    own = "<emulator>/opt/qemu/bin/qemu-system-x86_64</emulator>"
    assert PASS == says("GST031", own, machine="pc-q35-99.0").outcome


def test_GST031_unknown_without_the_capabilities():
    """A libvirt that sleeps is not woken to ask which machines there are: the rest is judged."""
    asleep = dict.fromkeys(("virsh/list", "virsh/dumpxml", "virsh/net-dumpxml")) | {
        "libvirt/daemons": "libvirtd socket only\n",
        "virsh/capabilities": Status.NOT_COLLECTED,
    }
    assert SKIP == says("GST031", **asleep).outcome
    assert FAIL == says("GST031", **asleep, **{"dev/kvm": None}).outcome
    assert UNKNOWN == says("GST031", without="virsh/capabilities").outcome
    assert UNKNOWN == says("GST031", **{"dev/kvm": Status.DENIED}).outcome


# -- GST032


@pytest.mark.parametrize(
    "body",
    [
        "<vcpu cpuset='0-8'>2</vcpu>",
        "<cputune><vcpupin vcpu='0' cpuset='64'/></cputune>",
        "<cputune><emulatorpin cpuset='0,9'/></cputune>",
        "<cputune><iothreadpin iothread='1' cpuset='12'/></cputune>",
        "<numatune><memory mode='strict' nodeset='1'/></numatune>",
        "<numatune><memnode cellid='0' mode='preferred' nodeset='0-1'/></numatune>",
    ],
)
def test_GST032_fails_where_a_cpu_or_node_is_not_there(body):
    """One of a set is enough: the kernel refuses the whole set."""
    assert FAIL == says("GST032", body=body).outcome


def test_GST032_passes_where_they_are_there():
    """Exclusions count."""
    body = "<vcpu cpuset='0-8,^8'>2</vcpu><numatune><memory mode='strict' nodeset='0'/></numatune>"

    assert PASS == says("GST032", body=body).outcome
    assert PASS == says("GST032").outcome


def test_GST032_unknown_without_the_nodes():
    """How many CPUs there are was not read."""
    body = "<vcpu cpuset='0-8'>2</vcpu>"

    assert UNKNOWN == says("GST032", body=body, without="sys/devices/system/node").outcome


# -- GST033


@pytest.mark.parametrize(
    "device",
    [
        "<interface type='network'><source network='asleep'/></interface>",
        "<interface type='network'><source network='nowhere'/></interface>",
        "<interface type='bridge'><source bridge='br9'/></interface>",
        "<interface type='direct'><source dev='eth9' mode='bridge'/></interface>",
        "<disk type='volume'><source pool='slow' volume='a'/></disk>",
        "<disk type='volume'><source pool='gone' volume='a'/></disk>",
    ],
)
def test_GST033_fails_where_it_is_not_there_or_asleep(device):
    """A network that exists and is not active is none."""
    assert FAIL == says("GST033", device).outcome


def test_GST033_passes_where_all_are_active():
    """One of each."""
    devices = (
        "<interface type='network'><source network='default'/></interface>",
        "<interface type='bridge'><source bridge='br0'/></interface>",
        "<interface type='direct'><source dev='eth0' mode='bridge'/></interface>",
        "<disk type='volume'><source pool='images' volume='a'/></disk>",
    )

    assert PASS == says("GST033", *devices).outcome


def test_GST033_unknown_where_what_is_active_was_not_read():
    """The network is known, its state is not."""
    device = "<interface type='network'><source network='asleep'/></interface>"

    assert UNKNOWN == says("GST033", device, **{"run/libvirt/network/": Status.DENIED}).outcome


# -- GST034

ROM = "<interface type='user'><rom file='{}'/></interface>"


@pytest.mark.parametrize("path", ["/var/lib/gpu.rom", "/root/gpu.rom"])
def test_GST034_fails_where_the_user_cannot_read_it(path):
    """By its own mode, or by a folder on the way."""
    assert FAIL == says("GST034", ROM.format(path)).outcome


@pytest.mark.parametrize(
    "changes",
    [
        {},
        {"etc/libvirt/qemu.conf": 'user = "root"\n', "users/qemu": "uid=0(root) gid=0(root)\n"},
    ],
)
def test_GST034_passes_where_the_owner_is_changed_or_root_reads(changes):
    """libvirt gives disks to QEMU's user."""
    disk = "<disk type='file'><source file='/var/lib/disk.qcow2'/></disk>"
    rom = ROM.format("/root/gpu.rom") if changes else ""

    assert PASS == says("GST034", disk, rom, **changes).outcome


def test_GST034_unknown_without_the_user():
    """Whose permissions count was not read."""
    rom = ROM.format("/var/lib/gpu.rom")

    assert UNKNOWN == says("GST034", rom, without="users/qemu").outcome


# -- GST035

MODELS = {"usr/share/libvirt/cpu_map/": "index.xml\nx86_Haswell.xml\nx86_qemu64.xml\n",
          "ip/addr": '[{"ifname":"eth0","addr_info":[{"local":"192.0.2.5"}]}]'}  # fmt: skip


@pytest.mark.parametrize(
    ("device", "words"),
    [
        ("<graphics type='vnc' port='22' autoport='no'/>", {}),
        ("<graphics type='vnc' port='5901' listen='192.0.2.7'/>", {}),
        ("<graphics type='spice'><listen type='address' address='198.51.100.1'/></graphics>", {}),
        ("", {"body": "<cpu mode='custom'><model fallback='forbid'>Haswel</model></cpu>"}),
        ("", {"body": "<cpu mode='host-passthrough'/>", "type": "qemu"}),
    ],
)
def test_GST035_fails_on_what_is_refused_only_at_the_start(device, words):
    """The definition is stored without a word."""
    assert FAIL == says("GST035", device, **words, **MODELS).outcome


@pytest.mark.parametrize(
    ("device", "words"),
    [
        ("<graphics type='vnc' port='-1' autoport='yes' listen='127.0.0.1'/>", {}),
        ("<graphics type='vnc' port='5901' listen='192.0.2.5'/>", {}),
        ("<graphics type='spice' port='22'/>", {}),
        ("", {"body": "<cpu mode='custom'><model fallback='forbid'>Haswell</model></cpu>"}),
        ("", {"body": "<cpu mode='host-passthrough'/>"}),
    ],
)
def test_GST035_passes_on_what_libvirt_accepts(device, words):
    """A port that libvirt chooses, an address of the host, a model that it knows."""
    assert PASS == says("GST035", device, **words, **MODELS).outcome


def test_GST035_unknown_without_the_models_or_the_addresses():
    """Each is a question of its own."""
    body = "<cpu mode='custom'><model fallback='forbid'>Haswell</model></cpu>"
    shown = "<graphics type='vnc' listen='192.0.2.5'/>"

    assert UNKNOWN == says("GST035", body=body).outcome
    assert UNKNOWN == says("GST035", shown).outcome


# -- what libvirt did not take

GOOD = domain("other", DEVICE)


@pytest.mark.parametrize(
    "text",
    [
        domain("g", DEVICE).replace("</os>", "</oss>"),
        domain("g", DEVICE).replace("<name>g</name>", "<name>g</name"),
        domain("g", DEVICE, type="lxc"),
        domain("other", DEVICE),
    ],
)
def test_GST001_fails_on_a_file_that_libvirt_did_not_take(text):
    """No XML, another type, another guest's name: the file is named, and no other guest suffers."""
    wanted = Declared(devices=(WantedDevice(address=NIC),), guests={"g": WantedGuest((NIC,))})
    items = {
        **host(GOOD),
        "etc/libvirt/qemu/": "g.xml\nother.xml\n",
        "etc/libvirt/qemu/g.xml": text,
        "etc/libvirt/qemu/other.xml": GOOD,
        "run/libvirt/qemu/": "",
        "sys/bus/pci/devices": f"{NIC}/vendor=0x8086\n{NIC}/device=0x1572\n",
    }
    found = hypervisor(items, wanted)
    said = ask("GST001", found, found.intent.known[0])

    assert FAIL == said.outcome
    assert "/etc/libvirt/qemu/g.xml" in said.message
    assert ["other"] == [guest.name for guest in found.guests.domains]


def test_what_the_recording_is_too_old_to_have_makes_nothing_unknown():
    """The engine leaves the check out."""
    found = box(FILES[1], paths=Item("paths", Status.NOT_ASKED))
    said = ask("GST030", found, found.guests.known[0])

    assert UNKNOWN == said.outcome
    assert all("not asked for" in str(lack) for lack in said.missing)
