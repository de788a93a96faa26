"""What the host lives on, put together; its console, its pins, what it merely has on a device."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pytest_vfio.declared import Declared
from pytest_vfio.evidence import Missing, Status
from pytest_vfio.facts.drivers.pins import Pins
from pytest_vfio.facts.iommu.remapping import Interrupts
from pytest_vfio.hypervisor.holding import held
from tests.hosts.in_use import (
    BLOCK,
    DISK,
    FUNCTIONS,
    GUEST,
    MOUNTS,
    NET,
    NIC,
    SPARE,
    addresses,
    function,
    host,
    routes,
)  # fmt: skip
from tests.hosts.plain import evidence, hypervisor


def test_all_that_the_host_lives_on_is_protected():
    """The card of the default route and the drive of the root, and nothing else."""
    protected = hypervisor(host()).protected

    assert {NIC, DISK} == set(protected.functions)
    assert protected.path(SPARE) is None


def test_the_inventory_protects_whatever_the_evidence_says():
    """A protected address needs no evidence."""
    host = hypervisor({}, Declared(protected=(SPARE,)))

    assert f"protected by the inventory -> {SPARE}" == host.protected.path(SPARE)


@pytest.mark.parametrize(
    "name", sorted({"sys/class/net", "ip/route6", "sockets/sshd", "proc/swaps"})
)
def test_what_cannot_be_resolved_is_not_free(name):
    """Without a part of either graph a function with a host driver is in doubt."""
    protected = hypervisor(host(**{name: Status.NOT_COLLECTED})).protected

    with pytest.raises(Missing):
        protected.path(SPARE)
    with pytest.raises(Missing):
        _ = protected.functions
    assert DISK in protected.known


def test_a_function_on_a_vfio_driver_carries_nothing():
    """State beats everything: no other evidence is needed."""
    bare = hypervisor({"sys/bus/pci/devices": FUNCTIONS[GUEST]})

    assert bare.protected.path(GUEST) is None


def test_a_virtual_function_protects_its_physical_one():
    """The VF that carries the session is gone with its PF."""
    virtual = function("0000:02:10.0", driver="igbvf", physfn="../0000:02:00.1")
    tree = NET.replace("0000:02:00.0", "0000:02:10.0")
    items = host(**{"sys/class/net": tree})
    items["sys/bus/pci/devices"] = "\n".join([*FUNCTIONS.values(), virtual])
    protected = hypervisor(items).protected

    assert "eth0 -> br0 -> default route -> VF 0000:02:10.0 -> 0000:02:00.1" == protected.path(
        SPARE
    )


GPU = function("0000:01:00.0", driver="nouveau", cls="0x030000", id="10de:1b80", boot_vga="1")
USB = function("0000:00:14.0", driver="xhci_hcd", cls="0x0c0330", id="8086:a12f")
KEYS = """\
I: Bus=0003 Vendor=046d Product=c31c Version=0110
N: Name="Logitech USB Keyboard"
S: Sysfs=/devices/pci0000:00/0000:00:14.0/usb1/1-1/1-1:1.0/0003:046D:C31C.0001/input/input3
H: Handlers=sysrq kbd leds event3
B: EV=120013

I: Bus=0019 Vendor=0000 Product=0001 Version=0000
N: Name="Power Button"
S: Sysfs=/devices/LNXSYSTM:00/LNXPWRBN:00/input/input0
H: Handlers=kbd event0
B: EV=3
"""


def desk(**changes):
    """The host with a screen and a keyboard, and nobody logged in from elsewhere."""
    items = host(**{"sockets/sshd": "", "proc/bus/input/devices": KEYS})
    items["sys/bus/pci/devices"] = "\n".join([*FUNCTIONS.values(), GPU, USB])
    return hypervisor(items | changes)


def test_the_only_screen_and_keyboard_are_protected_where_nobody_gets_in_otherwise():
    """Without SSH and serial console the host would be lost with them."""
    protected = desk().protected

    assert "only screen -> 0000:01:00.0" == protected.path("0000:01:00.0")
    assert "only keyboard -> 0000:00:14.0" == protected.path("0000:00:14.0")


@pytest.mark.parametrize(
    "change",
    [
        {"sockets/sshd": host()["sockets/sshd"]},
        {"proc/cmdline": "root=/dev/vda console=tty0 console=ttyS0,115200n8"},
    ],
)
def test_another_way_in_frees_screen_and_keyboard(change):
    """A session or a serial console is a way in."""
    protected = desk(**change).protected

    assert protected.path("0000:01:00.0") is None
    assert protected.path("0000:00:14.0") is None


def test_a_second_screen_or_keyboard_frees_the_first():
    """Only the last one is needed."""
    second = GPU.replace("0000:01:00.0", "0000:06:00.0")
    tree = "\n".join([*FUNCTIONS.values(), GPU, USB, second])
    other = KEYS + "\n" + KEYS.replace("pci0000:00/0000:00:14.0/usb1", "platform/i8042/serio0")
    protected = desk(**{"sys/bus/pci/devices": tree, "proc/bus/input/devices": other}).protected

    assert protected.path("0000:01:00.0") is None
    assert protected.path("0000:00:14.0") is None


def test_screens_and_keyboards_in_doubt_leave_network_cards_alone():
    """The list of input devices says nothing of a NIC."""
    protected = desk(**{"proc/bus/input/devices": Status.NOT_COLLECTED}).protected

    assert protected.path(SPARE) is None
    with pytest.raises(Missing):
        protected.path("0000:00:14.0")


TUNNEL = {
    "sys/class/net": f"{NET}\nwg0->../../devices/virtual/net/wg0",
    "ip/route4": routes("default dev wg0", "192.0.2.0/24 dev br0"),
    "sockets/sshd": "",
}


def test_a_tunnel_leaves_only_active_cards_in_doubt():
    """Its packets leave by a card with an address; a card without one, or a disk, is free."""
    protected = hypervisor(host(**TUNNEL)).protected

    with pytest.raises(Missing):
        protected.path(NIC)
    assert protected.path(SPARE) is None


def test_a_pool_of_unknown_disks_leaves_only_disks_in_doubt():
    """A network card holds no pool."""
    second = function("0000:05:00.0", driver="nvme", cls="0x010802")
    path = "../../devices/pci0000:00/0000:00:1d.0/0000:05:00.0/nvme/nvme1/nvme1n1"
    items = host(
        **{
            "sys/bus/pci/devices": "\n".join([*FUNCTIONS.values(), second]),
            "sys/class/block": f"{BLOCK}\nnvme1n1->{path}",
            "proc/self/mountinfo": f"{MOUNTS}\n40 1 0:44 / /tank rw - zfs tank rw",
        }
    )
    protected = hypervisor(items).protected

    assert protected.path(SPARE) is None
    with pytest.raises(Missing):
        protected.path("0000:05:00.0")


@given(st.text(max_size=300))
def test_no_input_list_breaks_the_console(text):
    """Whatever stands in the list, keyboards are found or not."""
    assert desk(**{"proc/bus/input/devices": text}).protected.console.keyboards is not None


def test_addresses_and_uppers_are_what_the_host_has_on_a_card():
    """A card that is no way in may still be used."""
    items = host(**{"ip/addr": addresses(br0="192.0.2.5/24", eth1="203.0.113.5/24")})
    found = held(hypervisor(items), SPARE)

    assert ["eth1 has 203.0.113.5/24"] == [one.what for one in found]
    assert ["eth0 belongs to br0"] == [one.what for one in held(hypervisor(host()), NIC)]
    assert ["nvme0n1p2 is held by LUKS nvme0n1p2_crypt"] == [
        one.what for one in held(hypervisor(host()), DISK)
    ]


def test_link_local_addresses_do_not_count():
    """Every interface that is up has one."""
    items = host(**{"ip/addr": addresses(eth1="169.254.3.3/16")})

    assert () == held(hypervisor(items), SPARE)


def test_nothing_held_needs_the_whole_graph():
    """Silence is no proof."""
    with pytest.raises(Missing):
        held(hypervisor(host(**{"ip/addr": Status.DENIED})), SPARE)


def pins(**items):
    base = {"etc/driverctl.d/": None, "etc/udev/rules.d/": None}
    return Pins(evidence(base | items))


def test_driverctl_pins_an_address_by_a_file():
    """The file's name is the address, its content the driver."""
    found = pins(**{"etc/driverctl.d/": GUEST, f"etc/driverctl.d/{GUEST}": "vfio-pci\n"})

    assert [(GUEST, "vfio-pci")] == [(pin.address, pin.driver) for pin in found.all]


def test_a_udev_rule_pins_an_address():
    """A rule that matches one kernel name and sets driver_override."""
    rule = f'ACTION=="add", SUBSYSTEM=="pci", KERNEL=="{GUEST}", ATTR{{driver_override}}="vfio-pci"'
    found = pins(**{"etc/udev/rules.d/": "10-vfio.rules", "etc/udev/rules.d/10-vfio.rules": rule})

    assert GUEST == found.all[0].address
    assert rule == found.all[0].quote.line


def test_a_rule_of_another_form_may_pin_anything():
    """A rule that matches by vendor names devices that we do not compute: unknown."""
    rule = 'SUBSYSTEM=="pci", ATTR{vendor}=="0x8086", ATTR{driver_override}="vfio-pci"'
    found = pins(
        **{"etc/udev/rules.d/": "1.rules", "etc/udev/rules.d/1.rules": f"# driver_override\n{rule}"}
    )

    assert () == found.known
    with pytest.raises(Missing):
        _ = found.all


@pytest.mark.parametrize("name", ["etc/driverctl.d/", "etc/udev/rules.d/"])
def test_pins_need_both_folders(name):
    """An unread folder may hold a pin."""
    with pytest.raises(Missing):
        _ = pins(**{name: Status.DENIED}).all


@given(st.text(max_size=200))
def test_no_rule_breaks_the_pins(text):
    """Whatever stands in a rule, it is a pin, a riddle or nothing."""
    found = pins(**{"etc/udev/rules.d/": "1.rules", "etc/udev/rules.d/1.rules": text})

    assert isinstance(found.known, tuple)


ROWS = f"""\
           CPU0       CPU1       CPU4
 30:        10          0          0   IR-PCI-MSI 1048576-edge      eth0
 55:         1          2         30   IR-PCI-MSI 2097152-edge      vfio-msix[0]({GUEST})
 56:         0          0          7   IR-PCI-MSI 2097153-edge      vfio-msix[1]({GUEST})
NMI:         0          0          0   Non-maskable interrupts
"""


def test_interrupts_of_a_function_are_added_up_by_cpu():
    """All vectors of the function count, and no other row."""
    found = Interrupts(evidence({"proc/interrupts": ROWS}))

    assert {0: 1, 1: 2, 4: 37} == dict(found.of(GUEST))
    assert {} == found.of(NIC)


def test_interrupts_that_were_not_read_are_unknown():
    """No row proves nothing in a list that was cut."""
    with pytest.raises(Missing):
        Interrupts(evidence({"proc/interrupts": Status.DENIED})).of(GUEST)


@given(st.text(max_size=300))
def test_no_list_breaks_the_interrupts(text):
    """Whatever stands in the list, rows are found or not."""
    assert {} == Interrupts(evidence({"proc/interrupts": text})).of(GUEST)


def test_routes_of_a_card_that_is_not_there_protect_nothing_of_the_others():
    """A default route by an interface that nobody saw leaves every card in doubt."""
    protected = hypervisor(host(**{"ip/route4": routes("default dev gone0")})).protected

    with pytest.raises(Missing):
        protected.path(SPARE)
