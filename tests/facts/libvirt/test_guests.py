"""Guests: what runs, what is stored, what starts by itself."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pytest_vfio.evidence import Item, Missing, Status
from pytest_vfio.facts.libvirt.guests import Domain, Guests
from pytest_vfio.parse import domainxml, xmltext
from tests.hosts.guest_xml import domain, host, hostdev
from tests.hosts.plain import evidence, grepped

NIC, OTHER = "0000:12:00.0", "0000:12:00.1"
COUNTED = "<address domain='0' bus='18' slot='0' function='0'/>"


def guests(items) -> Guests:
    return Guests(evidence(items))


def only(items) -> Domain:
    (found,) = guests(items).known
    return found


def parsed(xml: str) -> domainxml.DomainXml:
    found = domainxml.parse(xmltext.document(xml), Item("x", Status.PRESENT))
    assert found is not None
    return found


def test_live_and_stored_are_put_together():
    """A device that stands in both is one hostdev; what stands in one says in which."""
    guest = only(
        host(
            domain("nfv1", hostdev(NIC), hostdev(OTHER)),
            live=(domain("nfv1", hostdev(NIC), id=3),),
            autostart="nfv1",
        )
    )

    assert (True, True, "running") == (guest.running, guest.autostart, guest.state)
    assert [(NIC, True, True), (OTHER, False, True)] == [
        (h.address, h.live, h.stored) for h in guest.hostdevs
    ]
    assert not guest.lacking


def test_what_virsh_shows_without_an_id_is_stored():
    """`virsh dumpxml` of a guest that is off prints its stored definition."""
    items = host(domain("nfv1", hostdev(NIC)))
    del items["virsh/dumpxml-inactive"]
    guest = only(items)

    assert (False, None) == (guest.running, guest.live)
    assert [(NIC, False, True)] == [(h.address, h.live, h.stored) for h in guest.hostdevs]
    assert not guest.lacking


def test_libvirts_own_files_serve_where_no_daemon_runs():
    """Stored, running and autostart are all in files: nobody has to be woken."""
    running = domain("nfv1", hostdev(NIC), id=1)
    status = f"<domstatus state='paused' reason='user' pid='7'>{running}</domstatus>"
    found = guests(
        {
            "etc/libvirt/qemu/": "autostart\nnetworks\nnfv1.xml\noff.xml\n",
            "etc/libvirt/qemu/nfv1.xml": "<!--\nWARNING\n-->\n\n" + domain("nfv1"),
            "etc/libvirt/qemu/off.xml": domain("off", hostdev(OTHER)),
            "etc/libvirt/qemu/autostart/": "off.xml\n",
            "run/libvirt/qemu/": "nfv1.pid\nnfv1.xml\ndriver.pid\n",
            "run/libvirt/qemu/nfv1.xml": status,
        }
    ).domains

    assert [("nfv1", True, False, "paused"), ("off", False, True, None)] == [
        (d.name, d.running, d.autostart, d.state) for d in found
    ]
    assert [(NIC, True, False)] == [(h.address, h.live, h.stored) for h in found[0].hostdevs]


def test_no_folders_is_no_guests():
    """Where libvirt's folders do not exist there is no guest: that is known."""
    assert () == guests({"etc/libvirt/qemu/": None, "run/libvirt/qemu/": None}).domains


@pytest.mark.parametrize(
    "items",
    [
        {},
        {"virsh/dumpxml": None, "virsh/list": None, "virsh/dumpxml-inactive": None},
        {"virsh/dumpxml": Status.NOT_COLLECTED, "etc/libvirt/qemu/": None},
        {"run/libvirt/qemu/": None},
        {"virsh/dumpxml": domain("a", hostdev(NIC), id=1)},
        {"etc/libvirt/qemu/": Status.DENIED, "run/libvirt/qemu/": ""},
        {"virsh/dumpxml": grepped("virsh/dumpxml", domain("a", hostdev(NIC)))},
        {"domain/xml": domain("a", hostdev(NIC))},
        {"virsh/dumpxml": domain("a", hostdev(NIC)) + "<domain><name>b</name>"},
    ],
)
def test_others_may_hide_in_what_was_not_read(items):
    """That there are no other guests needs one conclusive source, whole."""
    with pytest.raises(Missing):
        _ = guests(items).domains


def test_a_guest_that_is_only_listed_is_known_by_name():
    """Its devices are unknown, its existence is not."""
    found = guests({"virsh/list": host(domain("nfv1"))["virsh/list"]})

    assert ["nfv1"] == [d.name for d in found.named]
    with pytest.raises(Missing):
        _ = found.domains
    assert found.known[0].lacks("stored")


def test_a_listed_file_that_could_not_be_read_leaves_its_guest_open():
    """Denied is not absent."""
    guest = only(
        {
            "etc/libvirt/qemu/": "a.xml\n",
            "etc/libvirt/qemu/a.xml": Status.DENIED,
            "run/libvirt/qemu/": "",
        }
    )

    assert "a" == guest.name
    assert guest.lacking


def test_a_loose_file_says_nothing_of_running():
    """Nobody knows whether a pasted XML is the live one, unless it has an id."""
    off = only({"domain/xml": domain("a", hostdev(NIC))})
    on = only({"domain/xml": domain("a", hostdev(NIC), id=4)})

    assert (None, None) == (off.running, off.autostart)
    assert [(False, False, True)] == [(h.live, h.stored, h.loose) for h in off.hostdevs]
    assert (True, True) == (on.running, on.hostdevs[0].live)


def test_names_with_blanks_and_states_of_two_words_are_read():
    """`virsh list` is a table of words; the last ones are the state."""
    text = " Id   Name      State\n-------\n 3    my guest  in shutdown\n -    b c   shut off\n"
    found = guests({"virsh/list": text}).named

    assert [("b c", "shut off", False), ("my guest", "in shutdown", True)] == [
        (d.name, d.state, d.running) for d in found
    ]


@pytest.mark.parametrize(
    ("written", "address", "meant"),
    [
        ("domain='0x0000' bus='0x12' slot='0x00' function='0x0'", NIC, None),
        ("domain='0' bus='18' slot='0' function='0'", NIC, "0000:18:00.0"),
        ("domain='0' bus='12' slot='0' function='0'", "0000:0c:00.0", NIC),
        ("bus='0x12' slot='0x00'", NIC, None),
        ("domain='0' bus='0x12' slot='0x20' function='0'", None, None),
        ("domain='0' bus='zz' slot='0' function='0'", None, None),
        ("domain='0' bus='af' slot='0' function='0'", None, "0000:af:00.0"),
    ],
)
def test_source_addresses_are_read_as_libvirt_reads_them(written, address, meant):
    """Without 0x a number is decimal; what it would be in hexadecimal is kept for the message."""
    xml = domain("a", f"<hostdev type='pci'><source><address {written}/></source></hostdev>")
    (found,) = parsed(xml).hostdevs

    assert (address, meant) == (found.address, found.as_hex)
    assert found.managed is False


def test_every_kind_of_assignment_is_seen():
    """Interfaces, VFs that a network handed out, and raw QEMU arguments take devices too."""
    xml = domain(
        "a",
        f"<interface type='hostdev' managed='yes'><mac address='52:54:00:AA:BB:CC'/>"
        f"<source>{COUNTED}</source></interface>",
        "<interface type='network'><source network='pool'/><actual type='hostdev' managed='yes'>"
        "<source><address type='pci' domain='0x0' bus='0x13' slot='0x1' function='0x0'/></source>"
        "</actual></interface>",
        "<interface type='network'><source network='default'/></interface>",
        "<hostdev type='usb'><source><address bus='1' device='2'/></source></hostdev>",
        "<hostdev type='mdev'><source><address uuid='c2177883-f1bb-47f0-914d-32a22e3a8804'/>"
        "</source></hostdev>",
        body="<q:commandline xmlns:q='http://libvirt.org/schemas/domain/qemu/1.0'>"
        "<q:arg value='-device'/><q:arg value='vfio-pci,host=14:00.0,id=x'/>"
        "<q:arg value='vfio-pci,sysfsdev=/sys/bus/pci/devices/0000:15:00.0'/>"
        '<q:arg value=\'{"driver":"vfio-pci","host":"0000:16:00.1"}\'/>'
        "<q:arg value='vfio-pci'/></q:commandline>",
    )
    found = parsed(xml)

    assert [
        ("interface", NIC),
        ("network", "0000:13:01.0"),
        ("commandline", "0000:14:00.0"),
        ("commandline", "0000:15:00.0"),
        ("commandline", "0000:16:00.1"),
        ("commandline", None),
    ] == [(h.kind, h.address) for h in found.hostdevs]
    assert "52:54:00:aa:bb:cc" == found.hostdevs[0].mac
    assert ["pool", "default"] == [name for name, _ in found.networks]


def test_the_machine_is_read():
    """What passthrough depends on, with its units."""
    found = parsed(
        domain(
            "a",
            hostdev(NIC, inside="05:00.1+", extra="<boot order='1'/><rom file='/r'/>"),
            "<controller type='pci' index='5' model='pcie-root-port'/>",
            "<iommu model='intel'><driver intremap='on' caching_mode='on'/></iommu>",
            memory="<memory unit='MB'>1024</memory><currentMemory>5</currentMemory>",
            os="<loader type='pflash'>/x</loader><boot dev='hd'/>",
            body="<memtune><hard_limit unit='GiB'>2</hard_limit></memtune><vcpu>8</vcpu>"
            "<memoryBacking><hugepages><page size='1' unit='GiB' nodeset='0'/></hugepages>"
            "<locked/></memoryBacking><features><ioapic driver='qemu'/></features>"
            "<cpu mode='host-passthrough'><maxphysaddr mode='emulate' bits='39'/></cpu>"
            "<cputune><vcpupin vcpu='0' cpuset='2-3'/></cputune>"
            "<numatune><memory mode='strict' nodeset='0'/></numatune>",
        )
    )

    assert (1000000, 5, 2097152) == (found.memory, found.current_memory, found.hard_limit)
    assert (True, True, True, True) == (found.locked, found.efi, found.os_boot, found.q35)
    assert [1048576] == [page.size for page in found.hugepages]
    assert (("strict", "0"),) == found.numatune
    assert ({0: "2-3"}, 8, "qemu") == (found.vcpupin, found.vcpus, found.ioapic)
    assert ("host-passthrough", ("emulate", 39)) == (found.cpu_mode, found.maxphysaddr)
    assert "intel" == found.viommu.model
    (device,) = found.hostdevs
    assert ("05:00.1", True) == (str(device.guest_address), device.guest_address.multifunction)
    assert (1, "/r") == (device.boot_order, device.rom_file)


FOLDERS = ("etc/libvirt/qemu/", "run/libvirt/qemu/")
ITEMS = st.sampled_from(
    ["domain/xml", *FOLDERS, *(f"{folder}a.xml" for folder in FOLDERS)]
    + [f"virsh/{name}" for name in ("list", "dumpxml", "dumpxml-inactive", "list-autostart")]
)
MARKS = "<domain id='1'>;<domain>;<name>a</name>;</domain>;<devices>;</devices>;<source>;</source>"
MORE = (
    "<hostdev type='pci'>;</hostdev>;<!--;</domstatus>;\0;<domstatus>;<address bus='1' slot='1'/>"
)
PIECES = st.sampled_from([*MARKS.split(";"), *MORE.split(";"), "a.xml\n", " - a shut off\n"])


@given(st.dictionaries(ITEMS, st.lists(PIECES, max_size=14).map("".join) | st.text(max_size=40)))
def test_garbage_never_raises(items):
    """Whatever was read, the known guests are known and nothing else is raised."""
    for guest in guests(items).known:
        assert guest.name
        assert all(h.name.startswith(guest.name) for h in guest.hostdevs)


RUNNING = domain("a", hostdev(NIC), id=1)
WHOLE = {
    **host(
        domain("a", hostdev(NIC)),
        domain("b", hostdev(OTHER)),
        live=(RUNNING,),
        autostart="b",
    ),
    "etc/libvirt/qemu/": "a.xml\nb.xml\n",
    "etc/libvirt/qemu/a.xml": domain("a", hostdev(NIC)),
    "etc/libvirt/qemu/b.xml": domain("b", hostdev(OTHER)),
    "etc/libvirt/qemu/autostart/": "b.xml\n",
    "run/libvirt/qemu/": "a.xml\n",
    "run/libvirt/qemu/a.xml": f"<domstatus state='running'>{RUNNING}</domstatus>",
}


@given(st.sets(st.sampled_from(sorted(WHOLE))))
def test_less_evidence_says_less_and_never_otherwise(gone):
    """What remains after a loss is true of the whole host, or says that it is not known."""
    left = Guests(evidence(WHOLE).without(gone))
    whole = {guest.name: guest for guest in Guests(evidence(WHOLE)).domains}

    for guest in left.known:
        true = whole[guest.name]
        assert guest.running in (true.running, None)
        assert guest.autostart in (true.autostart, None)
        for hostdev_ in guest.hostdevs:
            there = true.hostdev(hostdev_.address)
            assert there is not None
            assert there.live >= hostdev_.live
            assert there.stored >= hostdev_.stored
        if not guest.lacking:
            assert {h.address for h in true.hostdevs} == {h.address for h in guest.hostdevs}
    try:
        assert set(whole) == {guest.name for guest in left.domains}
    except Missing:
        assert gone


def test_the_test_driver_reads_the_same(tmp_path: Path):
    """libvirt itself, given our guests, prints what we read back alike."""
    libvirt = pytest.importorskip("libvirt")
    xml = domain("a", hostdev(NIC, inside="05:00.0"), type="test", id=None).replace(
        "pc-q35-8.2", "pc"
    )
    file = tmp_path / "node.xml"
    file.write_text(f"<node>\n{xml}</node>\n")
    connection = libvirt.openReadOnly(f"test://{file}")
    try:
        (one,) = connection.listAllDomains()
        active, live = bool(one.isActive()), one.XMLDesc()
        stored = one.XMLDesc(libvirt.VIR_DOMAIN_XML_INACTIVE)
    finally:
        connection.close()
    (found,) = guests({"virsh/dumpxml": live, "virsh/dumpxml-inactive": stored}).domains

    assert ("a", [NIC], [True]) == (
        found.name,
        [h.address for h in found.hostdevs],
        [h.managed for h in found.hostdevs],
    )
    assert (active, active) == (found.running, found.live is not None)
    assert 4 << 20 == found.documents[0].memory
