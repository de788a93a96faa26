"""Configuration bytes: what is read from them, and that lspci reads the same."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import tarfile
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pytest_vfio.parse import lspci, pciconfig
from tests.hosts import config_space as pcibytes
from tests.hosts.config_space import (
    AF_FLR,
    MSI,
    MSIX,
    PM_RESET,
    PM_SOFT,
    acs,
    ats,
    express,
    space,
    sriov,
)

#: The capabilities that both this parser and the parser of lspci's text know.
STANDARD = frozenset({1, 5, 0x10, 0x11, 0x13})
EXTENDED = frozenset({0x01, 0x03, 0x0D, 0x0E, 0x0F, 0x10, 0x13, 0x15, 0x1B})
COMPARED = (
    "vendor", "device", "class_code", "revision", "port_type", "flr", "af_flr", "pm_reset",
    "acs_able", "acs", "ats_enabled", "virtual_functions", "serial",
)  # fmt: skip


def test_an_endpoint_with_everything():
    """A network adapter's capabilities come out as they were written."""
    found = pciconfig.of_bytes(space(caps=[PM_SOFT, MSI, MSIX, express()], ext=[acs(), sriov()]))

    assert (0x8086, 0x1572, 0x103C, 0x22FC) == (
        found.vendor, found.device, found.subvendor, found.subdevice
    )  # fmt: skip
    assert 0x020000 == found.class_code
    assert ("flr",) == found.reset_methods
    assert found.express
    assert found.message_interrupts
    assert 0 == found.port_type
    assert pciconfig.VirtualFunctions(64, 16, 1, 0x154C, enabled=False) == found.virtual_functions


@pytest.mark.parametrize(
    ("caps", "methods"),
    [
        ([express(flr=False), PM_SOFT], ()),
        ([express(flr=False), PM_RESET], ("pm",)),
        ([express(), AF_FLR, PM_RESET], ("flr", "af_flr", "pm")),
        ([PM_SOFT, AF_FLR], ("af_flr",)),
    ],
)
def test_resets_of_the_hardware(caps, methods):
    """FLR, AF FLR and a power cycle by D3hot, in the kernel's order."""
    assert methods == pciconfig.of_bytes(space(caps=caps)).reset_methods


@pytest.mark.parametrize("size", [64, 128])
def test_an_ordinary_user_sees_a_header_only(size):
    """What lies behind the first 64 bytes is unknown, not absent."""
    found = pciconfig.of_bytes(space(caps=[express()], size=size))

    assert 0x8086 == found.vendor
    assert (None, None, None) == (found.standard, found.express, found.reset_methods)


def test_without_extended_space():
    """256 bytes tell the standard capabilities and not the extended ones."""
    found = pciconfig.of_bytes(space(caps=[express()], ext=[acs()], size=256))

    assert found.express
    assert (None, None) == (found.extended, found.acs)


def test_a_dead_device_reads_as_ones():
    """All ones is no configuration space."""
    assert pciconfig.of_bytes(b"\xff" * 256).dead


def test_a_vf_has_ones_in_its_ids_alone():
    """A VF's vendor and device read ffff, and it is alive."""
    found = pciconfig.of_bytes(space(0xFFFF, 0xFFFF, caps=[express()]))

    assert (False, None, None) == (found.dead, found.vendor, found.device)


def test_acs_controls_that_are_off():
    """A control is lacking only where the port has it."""
    port = pciconfig.of_bytes(space(header=1, caps=[express(4)], ext=[acs(0x1D, 0x01)]))
    less = pciconfig.of_bytes(space(header=1, caps=[express(4)], ext=[acs(0x01, 0x01)]))

    assert ("ReqRedir", "CmpltRedir", "UpstreamFwd") == port.acs_lacks
    assert () == less.acs_lacks


@given(st.binary(max_size=4200))
def test_any_bytes_are_read_without_an_error(data):
    """Hostile bytes, with lists that point back at themselves, end."""
    pciconfig.of_bytes(data.ljust(64, b"\0"))


@given(st.binary(min_size=256, max_size=256))
def test_any_capability_list_ends(body):
    """A capability list of any bytes is walked to an end."""
    data = bytearray(body)
    data[6] |= 0x10
    pciconfig.of_bytes(bytes(data) + bytes(4096 - 256))


@given(st.text(max_size=300))
def test_any_text_is_hex_or_none(text):
    """A text that is too short for a header is none."""
    pciconfig.parse(text)


def test_hex_with_and_without_blanks():
    """Both forms of a dump are the same."""
    data = space(caps=[express()])
    assert pciconfig.parse(data.hex()) == pciconfig.parse(data.hex(" ")) == pciconfig.of_bytes(data)


# -- lspci as the oracle


def printed(spaces: dict[str, bytes]) -> dict[str, lspci.Block]:
    """What lspci makes of the same bytes, parsed by our parser of its text."""
    if shutil.which("lspci") is None:
        pytest.skip("lspci is not installed")
    dump = "".join(
        f"{address} x\n"
        + "".join(f"{at:02x}: {data[at : at + 16].hex(' ')}\n" for at in range(0, len(data), 16))
        + "\n"
        for address, data in spaces.items()
    )
    command = ["lspci", "-F", "/dev/stdin", "-vvv", "-nn", "-D"]
    done = subprocess.run(command, input=dump, capture_output=True, text=True, check=True)
    return {block.address: block for block in lspci.parse(done.stdout)}


def agree(spaces: dict[str, bytes]) -> int:
    """Compare field by field what bytes and text say; how many fields were compared."""
    blocks, compared = printed(spaces), 0
    for address, data in spaces.items():
        ours, theirs = pciconfig.of_bytes(data), blocks[address].config
        for name in COMPARED:
            mine, other = getattr(ours, name), getattr(theirs, name)
            if mine is None or other is None:
                continue
            if name in ("acs_able", "acs"):
                mine &= 0x7F
            assert mine == other, (address, name)
            compared += 1
        if ours.standard is not None and theirs.standard is not None:
            assert ours.standard & STANDARD == theirs.standard, address
        if ours.extended is not None and theirs.extended is not None:
            assert ours.extended & EXTENDED == theirs.extended, address
    return compared


def test_lspci_reads_the_same():
    """lspci and this parser agree on every combination of capabilities."""
    kinds = (0, 1, 4, 5, 6, 9)
    standard = ([], [PM_SOFT], [PM_RESET, MSI], [AF_FLR, MSIX], [PM_RESET, AF_FLR, MSI, MSIX])
    extended = (
        [],
        [acs()],
        [acs(0x1D, 0x01), ats()],
        [sriov()],
        [ats(enabled=False), sriov(7)],
        [(0x13, bytes(12)), (0x1B, bytes(4))],
        [(0x0E, bytes(4)), (0x01, bytes(0x44))],
        [(0x03, bytes(range(1, 9)))],
    )
    spaces = {}
    for kind in kinds:
        for more in standard:
            for ext in extended:
                for flr in (False, True):
                    number = len(spaces)
                    where = f"0000:{number // 32:02x}:{number % 32:02x}.0"
                    header = 1 if kind in (4, 5, 6) else 0
                    caps = [*more, express(kind, flr=flr)]
                    spaces[where] = space(
                        cls=0x060400 if header else 0x020000, header=header, caps=caps, ext=ext
                    )

    assert agree(spaces) > 8 * len(spaces)


def test_conventional_functions_read_the_same():
    """Without PCI Express there are no extended capabilities."""
    spaces = {f"0000:00:{n:02x}.0": pcibytes.space(caps=caps, size=256)
              for n, caps in enumerate(([], [PM_SOFT], [MSI], [AF_FLR, PM_RESET]), 1)}  # fmt: skip

    assert agree(spaces)


def captures() -> list[Path]:
    folder = os.environ.get("VFIO_CAPTURES")
    return sorted(Path(folder, "sysfs").glob("*.tar.bz2")) if folder else []


@pytest.mark.parametrize("archive", captures(), ids=lambda path: path.name)
def test_captured_machines_read_the_same(archive):
    """Real machines' bytes, where `VFIO_CAPTURES` names a folder of them."""
    spaces = {}
    with tarfile.open(archive) as tar:
        for member in tar.getmembers():
            found = re.search(
                r"/([0-9a-f]{4,8}:[0-9a-f]{2}:[0-9a-f]{2}\.[0-7])/config$", member.name
            )
            if found and member.isfile() and (file := tar.extractfile(member)):
                spaces[found.group(1)] = file.read()

    assert spaces
    assert agree(spaces)
