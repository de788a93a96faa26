"""`schemas/results.json`: made from the classes that are written, and what no class can say."""

from __future__ import annotations

import json
from typing import Any

import msgspec

from pytest_vfio.judge.result import SCHEMA, RunResult


def _when(outcome: str | list[str], then: dict[str, Any]) -> dict[str, Any]:
    one = {"const": outcome} if isinstance(outcome, str) else {"enum": outcome}
    return {"if": {"properties": {"outcome": one}}, "then": {"properties": then}}


#: What holds between the fields of one object, by the name of its class.
_RULES: dict[str, list[dict[str, Any]]] = {
    "FindingResult": [
        _when("fail", {"evidence": {"minItems": 1}}),
        _when("unknown", {"missing": {"minItems": 1}}),
        _when("blocked", {"blocked_by": {"minItems": 1}}),
        _when(["pass", "fail", "skip", "unknown", "error"], {"blocked_by": {"maxItems": 0}}),
        {
            **_when("waived", {"waiver": {"type": "object", "required": ["reason"]}}),
            "else": {"properties": {"waiver": {"type": "null"}}},
        },
    ],
    "HostResult": [
        {
            "if": {"properties": {"reachable": {"const": False}}},
            "then": {
                "properties": {
                    "facts": {"type": "null"},
                    "verdict": {"const": "cannot tell"},
                    "reason": {"minLength": 1},
                }
            },
        }
    ],
}


def page() -> str:
    """The schema as it ships."""
    schema = msgspec.json.schema(RunResult)
    defs = {name.rpartition(".")[2]: one for name, one in schema.pop("$defs").items()}
    for name, rules in _RULES.items():
        defs[name]["allOf"] = rules
    document = {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "$id": f"urn:pytest-vfio:results:{SCHEMA}",
        "title": "What one run of pytest-vfio found",
        **schema,
        "$defs": dict(sorted(defs.items())),
    }
    return json.dumps(document, indent=2, ensure_ascii=False) + "\n"
