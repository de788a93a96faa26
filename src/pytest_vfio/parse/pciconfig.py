"""What a PCI function's configuration space says: header, capabilities, extended capabilities.

Follows the PCI Local Bus Specification 3.0 (chapter 6), the PCI Express Base Specification 6.0
(7.5 to 7.9) and, for names, Linux's `include/uapi/linux/pci_regs.h`. An ordinary user may read 64
bytes, root 256 or 4096; what was not read is None, never False.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from types import MappingProxyType

import msgspec

CAP_PM, CAP_MSI, CAP_EXPRESS, CAP_MSIX, CAP_AF = 0x01, 0x05, 0x10, 0x11, 0x13
EXT_AER, EXT_SERIAL, EXT_ACS, EXT_ARI, EXT_ATS, EXT_SRIOV = 0x01, 0x03, 0x0D, 0x0E, 0x0F, 0x10
EXT_PRI, EXT_REBAR, EXT_PASID = 0x13, 0x15, 0x1B

#: PCIe device/port types (7.5.3.2) in the words of lspci.
PORT_TYPES: Mapping[int, str] = MappingProxyType(
    {
        0x0: "Endpoint",
        0x1: "Legacy Endpoint",
        0x4: "Root Port",
        0x5: "Upstream Port",
        0x6: "Downstream Port",
        0x7: "PCI-Express to PCI/PCI-X Bridge",
        0x8: "PCI/PCI-X to PCI-Express Bridge",
        0x9: "Root Complex Integrated Endpoint",
        0xA: "Root Complex Event Collector",
    }
)

#: The ACS bits without which the kernel does not isolate what is below a port (S33, F95): source
#: validation, request redirect, completion redirect, upstream forwarding.
ACS_NAMES = ((0x01, "SrcValid"), (0x04, "ReqRedir"), (0x08, "CmpltRedir"), (0x10, "UpstreamFwd"))


class VirtualFunctions(msgspec.Struct, frozen=True):
    """The SR-IOV capability: what the adapter can do and where its VFs would appear."""

    total: int
    offset: int
    stride: int
    device: int | None = None
    enabled: bool | None = None


class ConfigSpace(msgspec.Struct, frozen=True):
    """One function's configuration space; None is *was not read*.

    `standard` are capability ids, `extended` extended ones. `dead` tells that the header read as
    ones only: the function is off or has fallen off the bus; a VF has ones in its ids alone. `bars`
    are the raw registers. `acs_able` and `acs` are the ACS capability and control bits, None where
    there is no such capability. `serial` is the device serial number, which many network adapters
    derive from their first MAC.
    """

    dead: bool = False
    vendor: int | None = None
    device: int | None = None
    subvendor: int | None = None
    subdevice: int | None = None
    class_code: int | None = None
    revision: int | None = None
    header_type: int | None = None
    multifunction: bool | None = None
    intx_pin: int | None = None
    bars: tuple[int, ...] | None = None
    standard: frozenset[int] | None = None
    extended: frozenset[int] | None = None
    port_type: int | None = None
    flr: bool | None = None
    af_flr: bool | None = None
    pm_reset: bool | None = None
    acs_able: int | None = None
    acs: int | None = None
    ats_enabled: bool | None = None
    ari_forwarding: bool | None = None
    virtual_functions: VirtualFunctions | None = None
    serial: str | None = None

    @property
    def express(self) -> bool | None:
        """It has the PCI Express capability."""
        return None if self.standard is None else CAP_EXPRESS in self.standard

    @property
    def message_interrupts(self) -> bool | None:
        """It can signal interrupts by MSI or MSI-X."""
        return None if self.standard is None else bool(self.standard & {CAP_MSI, CAP_MSIX})

    @property
    def reset_methods(self) -> tuple[str, ...] | None:
        """The function-level resets that the hardware offers, in the kernel's words and order."""
        if None in (self.flr, self.af_flr, self.pm_reset):
            return None
        offered = (("flr", self.flr), ("af_flr", self.af_flr), ("pm", self.pm_reset))
        return tuple(name for name, there in offered if there)

    @property
    def acs_lacks(self) -> tuple[str, ...] | None:
        """Isolating ACS controls that are switched off; None where there is no ACS capability.

        A control that the port does not implement is not lacking (`pci_acs_flags_enabled`).
        """
        if self.acs is None or self.acs_able is None:
            return None
        return tuple(name for bit, name in ACS_NAMES if self.acs_able & bit and not self.acs & bit)


def parse(text: str) -> ConfigSpace | None:
    """Bytes in hex, with or without blanks; None where the text is none or shorter than a header.

    >>> parse("86 80 72 15 " + "00 " * 60).device == 0x1572
    True
    """
    digits = re.sub(r"[^0-9a-fA-F]", "", text[:16384])
    space = bytes.fromhex(digits[: len(digits) // 2 * 2])
    return of_bytes(space) if len(space) >= 64 else None


def of_bytes(space: bytes) -> ConfigSpace:
    """Read 64, 256 or 4096 bytes of configuration space; others as far as they go."""
    if set(space[:64]) == {0xFF}:
        return ConfigSpace(dead=True)
    header = space[0x0E] & 0x7F
    subsystem = header == 0
    standard, at = _standard(space)
    extended, ext_at = _extended(space, standard)
    express = at.get(CAP_EXPRESS)
    return ConfigSpace(
        vendor=_id(space, 0),
        device=_id(space, 2),
        subvendor=_word(space, 0x2C) if subsystem else None,
        subdevice=_word(space, 0x2E) if subsystem else None,
        class_code=_long(space, 8) >> 8,
        revision=space[8],
        header_type=header,
        multifunction=bool(space[0x0E] & 0x80),
        intx_pin=space[0x3D],
        bars=tuple(_long(space, 0x10 + 4 * index) for index in range({0: 6, 1: 2}.get(header, 0))),
        standard=standard,
        extended=extended,
        port_type=None if express is None else (_word(space, express + 2) >> 4) & 0xF,
        flr=_offers(standard, CAP_EXPRESS, express, space, 4, 1 << 28),
        af_flr=_offers(standard, CAP_AF, at.get(CAP_AF), space, 3, 0x02),
        pm_reset=_pm_reset(standard, at, space),
        acs_able=None if EXT_ACS not in ext_at else _word(space, ext_at[EXT_ACS] + 4),
        acs=None if EXT_ACS not in ext_at else _word(space, ext_at[EXT_ACS] + 6),
        ats_enabled=_switch(extended, EXT_ATS, ext_at, space, 6, 0x8000),
        ari_forwarding=_ari_forwarding(express, space),
        virtual_functions=_virtual_functions(ext_at.get(EXT_SRIOV), space),
        serial=_serial(ext_at.get(EXT_SERIAL), space),
    )


def _word(space: bytes, at: int) -> int:
    return int.from_bytes(space[at : at + 2], "little")


def _id(space: bytes, at: int) -> int | None:
    """A VF has ones where its ids would be; sysfs has those of the PF (F139)."""
    found = _word(space, at)
    return None if found == 0xFFFF else found


def _long(space: bytes, at: int) -> int:
    return int.from_bytes(space[at : at + 4], "little")


def _standard(space: bytes) -> tuple[frozenset[int] | None, dict[int, int]]:
    """The capability list (6.7). Bounded: hostile lists point back at themselves."""
    if not _word(space, 6) & 0x10:
        return frozenset(), {}
    if len(space) < 256:
        return None, {}
    found: dict[int, int] = {}
    at = space[0x34] & 0xFC
    for _ in range(48):
        if at < 0x40 or space[at] == 0xFF:
            break
        found.setdefault(space[at], at)
        at = space[at + 1] & 0xFC
    return frozenset(found), found


def _extended(
    space: bytes, standard: frozenset[int] | None
) -> tuple[frozenset[int] | None, dict[int, int]]:
    """The extended capabilities (7.6.1), which only PCI Express functions have."""
    if standard is None:
        return None, {}
    if CAP_EXPRESS not in standard:
        return frozenset(), {}
    if len(space) < 4096:
        return None, {}
    found: dict[int, int] = {}
    at = 0x100
    for _ in range(960):
        head = _long(space, at)
        if at < 0x100 or head in {0, 0xFFFFFFFF}:
            break
        found.setdefault(head & 0xFFFF, at)
        at = (head >> 20) & 0xFFC
    return frozenset(found), found


def _offers(
    standard: frozenset[int] | None, cap: int, at: int | None, space: bytes, offset: int, bit: int
) -> bool | None:
    if standard is None:
        return None
    if cap not in standard or at is None:
        return False
    return bool(_long(space + bytes(4), at + offset) & bit)


def _pm_reset(standard: frozenset[int] | None, at: Mapping[int, int], space: bytes) -> bool | None:
    """D3hot to D0 resets the function: a PM capability without No_Soft_Reset."""
    if standard is None:
        return None
    pm = at.get(CAP_PM)
    return pm is not None and not _word(space, pm + 4) & 0x08


def _switch(
    extended: frozenset[int] | None,
    cap: int,
    at: Mapping[int, int],
    space: bytes,
    offset: int,
    bit: int,
) -> bool | None:
    if extended is None:
        return None
    return cap in at and bool(_word(space, at[cap] + offset) & bit)


def _ari_forwarding(express: int | None, space: bytes) -> bool | None:
    """A port forwards to functions beyond 7 (Device Control 2, bit 5)."""
    if express is None or len(space) < express + 0x2A:
        return None
    return bool(_word(space, express + 0x28) & 0x20)


def _virtual_functions(at: int | None, space: bytes) -> VirtualFunctions | None:
    if at is None or at + 0x1C > len(space):
        return None
    return VirtualFunctions(
        total=_word(space, at + 0x0E),
        offset=_word(space, at + 0x14),
        stride=_word(space, at + 0x16),
        device=_word(space, at + 0x1A),
        enabled=bool(_word(space, at + 8) & 0x01),
    )


def _serial(at: int | None, space: bytes) -> str | None:
    """The device serial number (7.9.3), an EUI-64 as lspci prints it, highest byte first."""
    if at is None or at + 12 > len(space):
        return None
    return space[at + 4 : at + 12][::-1].hex("-")
