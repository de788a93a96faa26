"""The inventory says what a host is for, or says what is wrong with it."""

from __future__ import annotations

import datetime
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pytest_vfio import inventory
from pytest_vfio.declared import Declared, WantedDevice
from pytest_vfio.inventory import InventoryError, Waiver

FILE = """
[hosts.bmt]
connection = "ssh://root@bmt"
devices = ["8086:1572", "12:00.0", "eth2", {address = "0000:AF:00.0", serial = "AB", vfs = 4}]
protected = ["00:1f.2"]
[hosts.bmt.guests.nfv1]
hostdevs = ["0000:12:00.0"]
[hosts.old]
bundle = "old"
devices = []
[hosts.plain]
[groups.nfv]
hosts = ["plain"]
devices = ["10de:2204"]
[[waivers]]
check = "DEV012"
host = "bmt"
reason = "TICKET-7"
expires = 2027-01-31
"""


def load(tmp_path: Path, text: str) -> inventory.Inventory:
    file = tmp_path / "inventory.toml"
    file.write_text(text)
    return inventory.load(file)


def test_every_form_of_a_device_is_understood(tmp_path):
    """A device is an id, an address with or without its domain, a netdev name, or a table."""
    devices = load(tmp_path, FILE).hosts["bmt"].declared.devices

    assert devices == (
        WantedDevice(id="8086:1572"),
        WantedDevice(address="0000:12:00.0"),
        WantedDevice(netdev="eth2"),
        WantedDevice(address="0000:af:00.0", serial="ab", vfs=4),
    )


def test_absent_devices_mean_infer_and_empty_ones_none(tmp_path):
    """`devices` left out is None, `[]` is empty."""
    text = "[hosts.a]\n[hosts.b]\ndevices = []\n"
    hosts = load(tmp_path, text).hosts

    assert hosts["a"].declared.devices is None
    assert hosts["b"].declared.devices == ()


def test_a_group_gives_defaults(tmp_path):
    """What a host does not say itself, its group says."""
    plain = load(tmp_path, FILE).hosts["plain"]

    assert plain.declared.devices == (WantedDevice(id="10de:2204"),)


def test_a_bundle_is_relative_to_the_inventory(tmp_path):
    """Paths are relative to the file that names them."""
    assert load(tmp_path, FILE).hosts["old"].bundle == tmp_path / "old"


def test_guests_and_protected_addresses_are_normalised(tmp_path):
    """Addresses come out with their domain, in lower case."""
    declared = load(tmp_path, FILE).hosts["bmt"].declared

    assert declared.guests["nfv1"].hostdevs == ("0000:12:00.0",)
    assert declared.protected == ("0000:00:1f.2",)


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("[hosts.a]\nconection = 'x'", ["hosts.a", "'conection'", "'connection'"]),
        ("[host.a]\n", ["unknown key 'host'", "'hosts'"]),
        ("[hosts.a]\ndevices = [{adress = '12:00.0'}]", ["devices[0]", "'adress'", "'address'"]),
        ("[hosts.a.guests.g]\nhostdev = []", ["hosts.a.guests.g", "'hostdev'", "'hostdevs'"]),
        ("[groups.g]\nhost = []", ["groups.g", "'host'", "'hosts'"]),
        ("[[waivers]]\ncheck='A'\nreason='r'\nexpire=2027-01-01", ["waivers[0]", "'expires'"]),
        ("[hosts.a]\ndevices = ['12:00.8']", ["hosts.a.devices", "'12:00.8'", "0000:12:00.0"]),
        ("[hosts.a]\ndevices = [{vfs = 2}]", ["needs an address, an id or a netdev"]),
        ("[hosts.a]\ndevices = [{id = '8086'}]", ["'8086'", "8086:1572"]),
        ("[hosts.a]\nprotected = ['sda']", ["hosts.a.protected", "'sda'"]),
        ("[hosts.a]\nconnection='x'\nbundle='y'", ["exclude each other"]),
        ("[groups.g]\nhosts=['b']\n[hosts.a]", ["groups.g.hosts", "'b'"]),
        ("[hosts.a]\ndevices = 3", ["devices", "int"]),
        ("[hosts.'-oProxyCommand=x']\n", ["leading dash"]),
        ("[hosts.a\n", ["not TOML"]),
    ],
)
def test_a_mistake_names_the_key_and_the_nearest_valid_one(tmp_path, text, words):
    """What was given, what is wrong, and what would be right stand in one message."""
    with pytest.raises(InventoryError) as caught:
        load(tmp_path, text)

    assert [word for word in words if word not in str(caught.value)] == []


def test_an_unreadable_file_is_an_error(tmp_path):
    """A file that is not there, or not text, is told by its name."""
    with pytest.raises(InventoryError, match="nothing.toml"):
        inventory.load(tmp_path / "nothing.toml")
    (tmp_path / "bad.toml").write_bytes(b"\xff\xfe")
    with pytest.raises(InventoryError, match="not UTF-8"):
        inventory.load(tmp_path / "bad.toml")


def test_ones_own_inventory_does_not_hide_the_shipped_hosts(tmp_path):
    """A shipped host stays known; one's own entry of the same name wins."""
    own = load(tmp_path, "[hosts.mine]\n[hosts.both]\ndevices=[]")
    (tmp_path / "shipped.toml").write_text("[hosts.bmt]\n[hosts.both]\n")
    both = own.over(inventory.load(tmp_path / "shipped.toml"))

    assert set(both.hosts) == {"mine", "both", "bmt"}
    assert both.declared("both").devices == ()
    assert both.declared("nobody") == Declared()


def test_a_waiver_holds_through_its_last_day(tmp_path):
    """`expires` is the last day on which the waiver holds."""
    waiver = load(tmp_path, FILE).waivers[0]

    assert waiver == Waiver("DEV012", "TICKET-7", datetime.date(2027, 1, 31), "bmt", None)
    assert waiver.covers("DEV012", "bmt", "x", datetime.date(2027, 1, 31))
    assert not waiver.covers("DEV012", "bmt", "x", datetime.date(2027, 2, 1))
    assert not waiver.covers("DEV012", "other", "x", datetime.date(2027, 1, 1))
    assert not waiver.covers("DEV011", "bmt", "x", datetime.date(2027, 1, 1))


def test_a_waiver_of_an_unknown_check_is_an_error(tmp_path):
    """A typo in a waiver's check would waive nothing, in silence."""
    with pytest.raises(InventoryError, match="'DEV012'; did you mean 'DEV002'"):
        inventory.must_know_checks(load(tmp_path, FILE), ["DEV002"])


@given(st.text(max_size=200))
def test_any_text_is_an_inventory_or_an_error(tmp_path_factory, text):
    """Nothing that stands in the file makes it fail in another way."""
    file = tmp_path_factory.mktemp("inventory") / "inventory.toml"
    file.write_text(text, errors="replace")
    try:
        inventory.load(file)
    except InventoryError as error:
        assert str(file) in str(error)
