"""What functions are called: by the host's own list, or by lspci."""

from __future__ import annotations

from tests.hosts.plain import hypervisor

ADDRESS = "0000:01:00.0"
SYSFS = f"{ADDRESS}/vendor=0x8086\n{ADDRESS}/device=0x1572\n{ADDRESS}/class=0x020000\n"
LIST = (
    "8086  Intel Corporation\n\t1572  Ethernet Controller X710\nC 02  Network controller\n"
    "\t00  Ethernet controller\n"
)


def name(**items):
    host = hypervisor(
        {"sys/bus/pci/devices": SYSFS, **{k.replace("_", "."): v for k, v in items.items()}}
    )
    return host.names.of(host.pci.known[ADDRESS])


def test_vendor_and_device_by_the_hosts_own_list():
    """As lspci would name it."""
    assert name(pci_ids=LIST) == "Intel Corporation Ethernet Controller X710"


def test_the_class_where_the_list_does_not_know_the_device():
    """A device that is younger than the list."""
    assert name(pci_ids=LIST.replace("1572", "1573")) == "Ethernet controller"


def test_lspci_names_it_without_id_and_revision():
    """What it prints behind the class."""
    line = "01:00.0 Ethernet controller [0200]: Intel X710: 10G [8086:1572] (rev 02)\n"

    assert name(lspci=line) == "Intel X710: 10G"


def test_nobody_knows():
    """Neither a list nor lspci."""
    assert name() is None
