"""ACPI tables as `iasl` sees them: the outside oracle for our parsers."""

from __future__ import annotations

import itertools
import re
import shutil
import subprocess
from pathlib import Path

import pytest

IASL = shutil.which("iasl")
needs_iasl = pytest.mark.skipif(IASL is None, reason="iasl is not installed")

_FIELD = re.compile(r"^\[[0-9A-F]{3}h [0-9]{4} +[0-9A-F]+h?\] +(?P<name>[^:]+?) : (?P<value>.*)$")
_SOURCE = re.compile(r"^(?P<head>\[000[1248]\] +(?P<name>[^:]+?) : )(?P<value>[0-9A-F]+)$")
#: What a compiler may not be told anything else about.
_STRUCTURE = ("Type", "Length", "Count", "Offset", "Revision", "Signature", "Reference", "Variety",
              "Single", "Reserved", "Format", "CID")  # fmt: skip

Fields = list[tuple[str, str]]


def run(folder: Path, *words: str) -> None:
    """Run iasl in a folder."""
    subprocess.run([str(IASL), *words], cwd=folder, check=True, capture_output=True)


def template(folder: Path, signature: str, start: int) -> bytes:
    """iasl's own template of a table, each number in it replaced by one of its own, compiled."""
    run(folder, "-T", signature)
    source = folder / f"{signature.lower()}.asl"
    try:
        run(folder, source.name)
    except subprocess.CalledProcessError:  # that of 2025 does not know a device entry of IVRS
        pytest.skip(f"iasl does not compile its own template of {signature}")
    numbers = itertools.count(start)
    inside = False
    lines = []
    for line in source.read_text().splitlines():
        found = _SOURCE.match(line)
        inside = inside or "Subtable Type" in line or (signature == "IORT" and " Type :" in line)
        if inside and found and not any(word in found["name"] for word in _STRUCTURE):
            digits = len(found["value"])
            value = next(numbers) * 0x9E3779B97F4A7C15 % 16**digits
            line = f"{found['head']}{value:0{digits}X}"  # noqa: PLW2901 - the line as edited
        lines.append(line)
    source.write_text("\n".join(lines) + "\n")
    run(folder, source.name)
    return source.with_suffix(".aml").read_bytes()


def fields(folder: Path, table: bytes) -> Fields:
    """All fields of a table in their order, as iasl takes it apart."""
    (folder / "table.aml").write_bytes(table)
    run(folder, "-d", "table.aml")
    text = (folder / "table.dsl").read_text(errors="replace")
    found = (_FIELD.match(line) for line in text.splitlines())
    return [(_name(m["name"].strip(), m["value"]), m["value"].strip()) for m in found if m]


def _name(name: str, value: str) -> str:
    """A field as iasl of 2020 names it; that of 2025 names some otherwise."""
    if name == "Subtable Type" and "Device Entry" in value:
        return "Entry Type"
    return name.removesuffix(" (decoded below)")


def cut(all_fields: Fields, name: str) -> tuple[Fields, list[Fields]]:
    """The fields before the first of that name, and each stretch that begins with one."""
    head: Fields = []
    parts: list[Fields] = []
    for field in all_fields:
        if field[0] == name:
            parts.append([])
        (parts[-1] if parts else head).append(field)
    return head, parts


def number(part: Fields, name: str, nth: int = 0) -> int:
    """The nth field of that name as a number; decoded flags stand behind in words."""
    values = [value for field, value in part if field == name]
    return int(values[nth].split()[0], 16)
