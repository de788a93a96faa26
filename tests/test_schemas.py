"""The JSON Schemas that ship with the package describe what the package reads and writes."""

from __future__ import annotations

import json
import tomllib
from importlib.resources import files
from pathlib import Path

import jsonschema
import pytest

from pytest_vfio.inventory import InventoryError, load
from pytest_vfio.sources import BundleError, read_bundle


def schema(name: str) -> dict[str, object]:
    return json.loads((files("pytest_vfio") / "schemas" / f"{name}.json").read_text())


def plain(value: object) -> object:
    """TOML's dates as JSON has them."""
    return json.loads(json.dumps(value, default=lambda date: date.isoformat()))


def fits(name: str, value: object) -> bool:
    return jsonschema.Draft202012Validator(schema(name)).is_valid(plain(value))


@pytest.mark.parametrize("name", ["bundle", "inventory", "results"])
def test_each_schema_is_one(name):
    """A shipped schema is valid by the draft that it names."""
    jsonschema.Draft202012Validator.check_schema(schema(name))


VALID = """
[hosts.a]
connection = "ssh://root@a"
devices = [
  "8086:1572", "12:00.0", "eth2",
  {id = "8086:1572", serial = "x", vfs = 2, managed = false},
]
protected = ["0000:00:1f.2"]
[hosts.a.guests.nfv1]
hostdevs = ["0000:12:00.0"]
[hosts."b.example"]
bundle = "b"
devices = []
[groups.nfv]
hosts = ["a"]
devices = ["8086:1572"]
[[waivers]]
check = "DEV012"
reason = "TICKET-7"
expires = 2027-01-31
"""


def test_a_full_inventory_is_valid_for_both(tmp_path):
    """The schema and the reader take every key that there is."""
    file = tmp_path / "inventory.toml"
    file.write_text(VALID)

    load(file)
    assert fits("inventory", tomllib.loads(VALID))


def test_the_shipped_inventory_fits():
    """The inventory that names bmt is valid."""
    shipped = Path(__file__).parents[1] / "fixtures" / "inventory.toml"

    assert fits("inventory", tomllib.loads(shipped.read_text()))


@pytest.mark.parametrize(
    "text",
    [
        "[host.a]",
        "[hosts.a]\ndevice = []",
        "[hosts.a]\nconnection = 'a'\nbundle = 'b'",
        "[hosts.a]\ndevices = [7]",
        "[hosts.a]\ndevices = [{vfs = 2}]",
        "[hosts.a]\ndevices = [{id = '8086'}]",
        "[hosts.a]\ndevices = [{id = '8086:1572', vfs = -1}]",
        "[hosts.a]\nprotected = ['eth0']",
        "[hosts.a.guests.g]\nhostdev = []",
        "[hosts.-a]",
        "[groups.g]\nhost = []",
        "[[waivers]]\ncheck = 'DEV001'\nreason = ''",
        "[[waivers]]\ncheck = 'DEV001'\nreason = ''\nexpires = 3",
    ],
)
def test_what_the_reader_refuses_does_not_fit(text, tmp_path):
    """The schema and the reader refuse the same mistakes."""
    file = tmp_path / "inventory.toml"
    file.write_text(text)

    with pytest.raises(InventoryError):
        load(file)
    assert not fits("inventory", tomllib.loads(text))


@pytest.mark.parametrize(
    ("text", "right"),
    [
        ('name = "a"\ncollected = 2026-01-31T10:00:00Z\n[items]\ncmdline = "whole"', True),
        ("", True),
        ('host = "a"', False),
        ('[items]\ncmdline = "most of it"', False),
        ('items = "whole"', False),
        ('collected = "yesterday"', False),
    ],
)
def test_bundle_toml_is_read_as_its_schema_says(text, right, tmp_path):
    """The schema and the reader take and refuse the same."""
    (tmp_path / "cmdline").write_text("ro\n")
    (tmp_path / "bundle.toml").write_text(text)

    assert right == fits("bundle", tomllib.loads(text))
    if right:
        read_bundle(tmp_path)
    else:
        with pytest.raises(BundleError):
            read_bundle(tmp_path)


def test_bmt_fits():
    """The shipped bundle is valid."""
    bundle = Path(__file__).parents[1] / "fixtures" / "hosts" / "bmt" / "bundle.toml"

    assert fits("bundle", tomllib.loads(bundle.read_text()))
