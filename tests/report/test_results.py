"""results.json keeps the contract of its schema, whatever a host says."""

from __future__ import annotations

import json
from importlib.resources import files

import jsonschema

from pytest_vfio.report import results
from tests.report import sample


def document(*hosts):
    return json.loads(results.render(sample.run(*hosts)))


def findings(host):
    return {finding["id"]: finding for finding in host["findings"]}


def test_the_schema_takes_it():
    """Every outcome, an unreachable host and hostile text are valid."""
    schema = json.loads(files("pytest_vfio").joinpath("schemas/results.json").read_text())

    jsonschema.Draft202012Validator(schema).validate(document())


def test_outcomes_are_never_changed_by_what_gates():
    """A failure that does not gate is still a fail; a waived one says who waived it."""
    found = findings(document()["hosts"][0])

    assert {id: (f["outcome"], f["gates"]) for id, f in found.items()} == {
        "AAA001": ("pass", False),
        "AAA002": ("fail", True),
        "AAA003": ("blocked", False),
        "AAA004": ("skip", False),
        "AAA005": ("unknown", False),
        "AAA006": ("error", True),
        "AAA007": ("fail", False),
        "AAA008": ("waived", False),
    }
    assert found["AAA008"]["waiver"] == {"reason": "TICKET-7", "expires": "2027-01-31"}


def test_a_blocked_finding_names_its_root():
    """blocked_by and the diagnosis point at each other."""
    host = document()["hosts"][0]
    root = {"id": "AAA002", "subject": {"kind": "host", "name": "bmt.example.org"}}
    consequence = {"id": "AAA003", "subject": {"kind": "device", "name": sample.DEVICE}}

    assert findings(host)["AAA003"]["blocked_by"] == [root]
    assert host["diagnosis"][0]["id"] == "AAA002"
    assert host["diagnosis"][0]["refs"] == ["F22"]
    assert host["diagnosis"][0]["explains"] == [consequence]


def test_what_was_not_selected_is_still_judged():
    """All findings are told; `selected` says which were asked for."""
    healthy = document()["hosts"][1]

    assert {id for id, f in findings(healthy).items() if f["selected"]} == {"AAA001"}
    assert healthy["verdict"] == "not ready"


def test_an_unreachable_host_has_no_facts():
    """It is there, unreachable, with null for facts."""
    gone = document()["hosts"][2]

    assert (gone["reachable"], gone["facts"], gone["findings"]) == (False, None, [])
    assert gone["verdict"] == "cannot tell"


def test_every_known_function_is_listed():
    """Intended or not, with a sentence each."""
    (device,) = document()["hosts"][0]["facts"]["devices"]

    assert device["address"] == sample.DEVICE
    assert (device["intended"], device["intent_from"], device["assignable"]) == (
        True,
        "inventory",
        "no",
    )
    assert device["sentence"].startswith(f"{sample.DEVICE} cannot be assigned: it is ")
