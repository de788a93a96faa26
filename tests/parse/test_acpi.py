"""DMAR, IVRS and IORT against `iasl`, against garbage, and as facts."""

from __future__ import annotations

import os
import re
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pytest_vfio.evidence import Missing, Status
from pytest_vfio.facts.firmware.acpi import Acpi, dmar, iort, ivrs
from tests.hosts import acpi_tables as tables
from tests.hosts.plain import evidence
from tests.parse.dsl import Fields, cut, fields, needs_iasl, number, template

#: A folder of real tables (*.aml), for whoever has one.
FOLDER = os.environ.get("PYTEST_VFIO_ACPI_TABLES", "")
REAL = sorted(Path(FOLDER).glob("*.aml")) if FOLDER else []
PARSERS = {"DMAR": dmar.parse, "IVRS": ivrs.parse, "IORT": iort.parse}
TABLES = {
    "DMAR": tables.dmar(rmrr=[(0, [(0x14, 0)])]),
    "IVRS": tables.ivrs(),
    "IORT": tables.iort(),
}


# -- the oracle


def scopes(part: Fields) -> list[tuple[int, int, int, tuple[tuple[int, int], ...]]]:
    """The device scopes of a remapping structure, by iasl."""
    found = []
    for entry in cut(part, "Device Scope Type")[1]:
        hops = [value.split(",") for name, value in entry if name == "PCI Path"]
        path = tuple((int(device, 16), int(function, 16)) for device, function in hops)
        kind, enumeration = number(entry, "Device Scope Type"), number(entry, "Enumeration ID")
        found.append((kind, enumeration, number(entry, "PCI Bus Number"), path))
    return found


def ours(entries: tuple[dmar.Scope, ...]) -> list[tuple[int, int, int, object]]:
    """The same of our own."""
    return [(s.type, s.enumeration_id, s.start_bus, s.path) for s in entries]


def assert_dmar_agrees(all_fields: Fields, table: dmar.Dmar) -> None:
    """Every field that iasl shows is ours; it stops at a structure that it does not know."""
    head, parts = cut(all_fields, "Subtable Type")
    assert number(head, "Host Address Width") + 1 == table.host_address_width
    assert number(head, "Flags") == table.flags
    of: dict[int, list[Fields]] = {}
    for part in parts:
        of.setdefault(number(part, "Subtable Type"), []).append(part)
    for theirs, unit in zip(of.get(0, []), table.units, strict=True):
        assert number(theirs, "Register Base Address") == unit.base
        assert number(theirs, "PCI Segment Number") == unit.segment
        assert bool(number(theirs, "Flags") & 1) == unit.include_all
        assert scopes(theirs) == ours(unit.scopes)
    for theirs, region in zip(of.get(1, []), table.reserved, strict=True):
        assert number(theirs, "Base Address") == region.base
        assert number(theirs, "End Address (limit)") == region.limit
        assert number(theirs, "PCI Segment Number") == region.segment
        assert scopes(theirs) == ours(region.scopes)
    for theirs, ports in zip(of.get(2, []), table.atsr, strict=True):
        assert bool(number(theirs, "Flags") & 1) == ports.all_ports
        assert scopes(theirs) == ours(ports.scopes)
    for theirs, affinity in zip(of.get(3, []), table.rhsa, strict=True):
        assert number(theirs, "Base Address") == affinity.base
        assert number(theirs, "Proximity Domain") == affinity.proximity
    for theirs, device in zip(of.get(4, []), table.andd, strict=True):
        assert number(theirs, "Device Number") == device.number
        (name,) = (value for field, value in theirs if field == "Device Name")
        assert name.strip('"').replace("\\\\", "\\") == device.name.replace("\\\\", "\\")


def assert_ivrs_agrees(all_fields: Fields, table: ivrs.Ivrs) -> None:
    """Every block that iasl knows is ours; it does not know type 40h."""
    _, parts = cut(all_fields, "Subtable Type")
    units = [part for part in parts if number(part, "Subtable Type") in {0x10, 0x11}]
    known = [block for block in table.blocks if block.type != 0x40]
    for theirs, unit in zip(units, known, strict=True):
        assert number(theirs, "Subtable Type") == unit.type
        assert number(theirs, "Flags") == unit.flags
        segment = number(theirs, "PCI Segment Group")
        assert ivrs.device_id(number(theirs, "DeviceId"), segment) == unit.device
        assert number(theirs, "Base Address") == unit.base
        assert number(theirs, "Capability Offset") == unit.capability_offset
        every = cut(theirs, "Entry Type")[1]
        entries = [e for e in every if number(e, "Entry Type") not in {0, 64}]  # padding
        specials = [
            (number(e, "Variety"), number(e, "Handle"), number(e, "Source Used Device ID"))
            for e in entries
            if number(e, "Entry Type") == 72
        ]
        assert specials == [(s.variety, s.handle, s.device) for s in unit.specials]
        plain = [
            (number(e, "Entry Type"), number(e, "Device ID"))
            for e in entries
            if number(e, "Entry Type") != 72
        ]
        assert plain == [(e.type, e.device) for e in unit.entries]
    memory = [part for part in parts if number(part, "Subtable Type") in {0x20, 0x21, 0x22}]
    for theirs, block in zip(memory, table.memory, strict=True):
        assert number(theirs, "Flags") == block.flags
        assert number(theirs, "DeviceId") == block.device
        assert number(theirs, "Auxiliary Data") == block.last
        assert number(theirs, "Start Address") == block.start
        assert number(theirs, "Memory Length") == block.length


def assert_iort_agrees(all_fields: Fields, table: iort.Iort) -> None:
    """Every node that iasl shows is ours, with its mappings."""
    _, parts = cut(all_fields, "Type")
    for theirs, node in zip(parts, table.nodes, strict=True):
        assert number(theirs, "Type") == node.type
        assert number(theirs, "Revision") == node.revision
        mappings = [
            (
                number(m, "Input base"),
                number(m, "ID Count"),
                number(m, "Output Base"),
                number(m, "Output Reference"),
            )
            for m in cut(theirs, "Input base")[1]
        ]
        assert mappings == [(m.input_base, m.count, m.output_base, m.output) for m in node.mappings]
        if node.is_smmu:
            assert number(theirs, "Base Address") == node.base
            assert number(theirs, "Model") == node.model
            assert number(theirs, "Flags") == node.flags
        if node.type == 2:
            assert number(theirs, "PCI Segment Number") == node.segment
            assert bool(number(theirs, "ATS Attribute") & 1) == node.ats
        if node.type == 1:
            (name,) = (value for field, value in theirs if field == "Device Name")
            shown = re.sub(r"[\x00-\x1f]", lambda m: f"\\x{ord(m[0]):02x}", name.strip('"'))
            assert shown == node.name


AGREES = {"DMAR": assert_dmar_agrees, "IVRS": assert_ivrs_agrees, "IORT": assert_iort_agrees}


@needs_iasl
@pytest.mark.parametrize("start", [1, 77, 1234])
@pytest.mark.parametrize("signature", PARSERS)
def test_compiled_templates_read_as_iasl_reads_them(signature, start, tmp_path):
    """Each structure of iasl's own templates, filled with numbers, is read alike."""
    table = template(tmp_path, signature, start)

    AGREES[signature](fields(tmp_path, table), PARSERS[signature](table))


@needs_iasl
@pytest.mark.parametrize("signature", PARSERS)
def test_the_tests_own_tables_are_good_ones(signature, tmp_path):
    """What the other tests are built on is taken by iasl, and has no flaw for us."""
    table = TABLES[signature]
    parsed = PARSERS[signature](table)

    AGREES[signature](fields(tmp_path, table), parsed)
    assert () == parsed.flaws


@needs_iasl
@pytest.mark.skipif(not REAL, reason="PYTEST_VFIO_ACPI_TABLES names no folder of *.aml")
@pytest.mark.parametrize("path", REAL, ids=lambda path: path.stem[-24:])
def test_real_tables_read_as_iasl_reads_them(path, tmp_path):
    """Tables of real machines have no flaw and are read alike."""
    data = path.read_bytes()
    signature = data[:4].decode()
    table = PARSERS[signature](data)

    assert () == table.flaws
    AGREES[signature](known_to_iasl(fields(tmp_path, data), signature, table), table)


def known_to_iasl(all_fields: Fields, signature: str, table: object) -> Fields:
    """What iasl of 2020 shows; it stops at a structure that it does not know."""
    unknown = any(name == "Subtable Type" and "Unknown" in value for name, value in all_fields)
    beyond = isinstance(table, dmar.Dmar) and (table.satc or table.other)
    if beyond or (unknown and signature == "DMAR"):
        pytest.skip("iasl does not know a structure of this table")
    return [field for field in all_fields if "Unknown" not in field[1]] if unknown else all_fields


# -- garbage


@given(data=st.binary(max_size=400))
def test_no_bytes_make_a_parser_raise(data):
    """Whatever the bytes, the answer is a table, with flaws in words."""
    for parse in PARSERS.values():
        assert parse(data).flaws


@settings(max_examples=300)
@given(
    signature=st.sampled_from(sorted(PARSERS)),
    edits=st.lists(st.tuples(st.integers(0, 255), st.integers(0, 255)), min_size=1, max_size=8),
    end=st.integers(0, 255),
)
def test_no_edit_of_a_good_table_makes_a_parser_raise(signature, edits, end):
    """A table that was tampered with, cut or not, never stops a run; a wrong sum is noticed."""
    table = bytearray(TABLES[signature])
    for at, value in edits:
        table[at % len(table)] = value
    data = bytes(table[: len(table) - end % len(table)])
    parsed = PARSERS[signature](data)

    if len(data) < len(table) or sum(data) % 256:
        assert parsed.flaws


@pytest.mark.parametrize("signature", PARSERS)
def test_a_cut_table_says_so(signature):
    """The length in the header is not the table's."""
    parsed = PARSERS[signature](TABLES[signature][:-4])

    assert any("length field" in flaw for flaw in parsed.flaws)


def test_a_unit_at_zero_is_a_flaw():
    """The kernel refuses a DRHD at address 0 ("Your BIOS is broken")."""
    assert any("base 0x0" in flaw for flaw in dmar.parse(tables.dmar(base=0)).flaws)


def test_a_structure_of_no_length_ends_the_walk():
    """A length of 0 would be walked for ever."""
    body = bytes([45, 1]) + bytes(10) + bytes(40)

    assert any("length 0" in flaw for flaw in dmar.parse(tables.seal(b"DMAR", body)).flaws)


# -- facts


def test_dmar_says_what_it_is_asked():
    """Width in bits, flags by name, addresses of scopes."""
    table = dmar.parse(tables.dmar(flags=0b101, width=46, rmrr=[(0, [(0x14, 0)])]))

    assert 46 == table.host_address_width
    assert (True, False) == (table.interrupt_remapping, table.x2apic_opt_out)
    assert "0000:00:14.0" == table.reserved[0].scopes[0].address(0)


def test_a_path_of_two_hops_leads_over_its_bridge():
    """The first hop stands on the start bus, the others on whatever bus the bridge opens."""
    scope = dmar.Scope(1, 0, 0x11, ((0, 0), (0, 1)))

    assert scope.leads_to(("0000:11:00.0", "0000:12:00.1"), 0)
    assert not scope.leads_to(("0000:11:00.0", "0000:12:00.0"), 0)
    assert not scope.leads_to(("0000:11:00.0",), 0)
    assert scope.address(0) is None


def test_ivrs_uses_the_blocks_that_linux_uses():
    """Of blocks of several types for one unit, those of the highest type count."""
    table = ivrs.parse(tables.ivrs(ioapics=(32, 33)))

    assert [32, 33] == [special.handle for special in table.ioapics]
    assert "0000:00:00.2" == table.units[0].device


@pytest.mark.parametrize(
    ("kind", "device", "last", "covered"),
    [(0x20, 0, 0, True), (0x21, 0x1200, 0, True), (0x21, 0x1201, 0, False),
     (0x22, 0x1100, 0x12FF, True), (0x22, 0x1201, 0x12FF, False)],
)  # fmt: skip
def test_ivmd_covers_by_requester_id(kind, device, last, covered):
    """All, one, or a range of requester ids."""
    block = ivrs.Ivmd(kind, 1, device, last, 0, 0, 0)

    assert covered == block.covers("0000:12:00.0")
    assert not block.covers("not an address")


def test_iort_says_which_segment_is_translated():
    """Ids of a root complex that go to an SMMU are translated, those that go to the ITS are not."""
    assert iort.parse(tables.iort()).translated(0)
    assert not iort.parse(tables.iort()).translated(1)
    assert not iort.parse(tables.iort(smmu=False)).translated(0)


DMAR = "sys/firmware/acpi/tables/DMAR"


def test_denied_is_not_absent():
    """A table that may not be read is unknown, one that is looked for and not there is not."""
    with pytest.raises(Missing):
        _ = Acpi(evidence({DMAR: Status.DENIED})).dmar
    assert Acpi(evidence({DMAR: None})).dmar is None


def test_a_listing_names_what_may_not_be_read():
    """The names are open to everybody."""
    acpi = Acpi(evidence({DMAR: Status.DENIED, "sys/firmware/acpi/tables/": "APIC\nFACP\n"}))

    assert not acpi.exists("DMAR")
    assert acpi.dmar is None


def test_a_table_shorter_than_it_says_was_cut_by_the_reader():
    """The kernel shows every byte that a table claims: fewer say nothing about the firmware."""
    for data in (b"DMAR", b"DMAR" + (200).to_bytes(4, "little") + bytes(60)):
        with pytest.raises(Missing, match="DMAR: truncated"):
            _ = Acpi(evidence({DMAR: data})).dmar
