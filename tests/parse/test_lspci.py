"""lspci's text in every form, and what is not concluded from it."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pytest_vfio.evidence import Extent, Item, Missing, Status
from pytest_vfio.facts.pci.functions import Pci
from pytest_vfio.parse import lspci
from tests.hosts.plain import evidence

VERBOSE = """\
12:00.0 Ethernet controller [0200]: Intel Corporation Ethernet Controller X710 [8086:1572] (rev 02)
\tSubsystem: Hewlett Packard Enterprise Ethernet 10Gb 2-port 562SFP+ Adapter [103c:22fc]
\tControl: I/O- Mem+ BusMaster+ SpecCycle- MemWINV- VGASnoop- ParErr+ Stepping- SERR+ DisINTx-
\tNUMA node: 0
\tIOMMU group: 38
\tCapabilities: [40] Power Management version 3
\t\tStatus: D3 NoSoftRst+ PME-Enable- DSel=0 DScale=1 PME-
\tCapabilities: [70] MSI-X: Enable- Count=129 Masked-
\tCapabilities: [a0] Express (v2) Endpoint, IntMsgNum 0
\t\tDevCap:\tMaxPayload 2048 bytes, PhantFunc 0, Latency L0s <512ns, L1 <64us
\t\t\tExtTag+ AttnBtn- AttnInd- PwrInd- RBE+ FLReset+ SlotPowerLimit 25W
\tCapabilities: [160 v1] Single Root I/O Virtualization (SR-IOV)
\t\tIOVCap:\tMigration- 10BitTagReq- IntMsgNum 0
\t\tIOVCtl:\tEnable- Migration- Interrupt- MSE- ARIHierarchy+ 10BitTagReq-
\t\tInitial VFs: 64, Total VFs: 64, Number of VFs: 0, Function Dependency Link: 00
\t\tVF offset: 16, stride: 1, Device ID: 154c
\tKernel driver in use: vfio-pci
\tKernel modules: i40e
"""

FORMS = {
    "-nn": "12:00.0 Ethernet controller [0200]: Intel Corporation X710 [8086:1572] (rev 02)",
    "-n": "12:00.0 0200: 8086:1572 (rev 02)",
    "-Dn": "0000:12:00.0 0200: 8086:1572 (rev 02)",
    "old -n": "12:00.0 Class 0200: 8086:1572 (rev 02)",
    "-mmnn": '12:00.0 "Ethernet controller [0200]" "Intel Corporation [8086]" "X710 [1572]" -r02 '
    '"Hewlett Packard Enterprise [103c]" "562SFP+ [22fc]"',
    "-mmn": '12:00.0 "0200" "8086" "1572" -r02 "103c" "22fc"',
    "-vmmnn": "Slot:\t12:00.0\nClass:\tEthernet controller [0200]\nVendor:\tIntel [8086]\n"
    "Device:\tX710 [1572]\nSVendor:\tHP [103c]\nSDevice:\t562SFP+ [22fc]\nRev:\t02\n"
    "IOMMUGroup:\t38",
}


def pci(text: str, extent: Extent = Extent.WHOLE) -> Pci:
    item = Item("lspci", Status.PRESENT, text.encode(), extent=extent)
    return Pci(evidence({"lspci": item}))


@pytest.mark.parametrize("form", FORMS)
def test_identity_in_every_form(form):
    """Vendor, device and class are read from any form with numbers."""
    (block,) = lspci.parse(FORMS[form])

    assert ("0000:12:00.0", 0x8086, 0x1572, 0x020000, 2) == (
        block.address, block.vendor, block.device, block.class_code, block.revision
    )  # fmt: skip


def test_a_name_is_no_identity():
    """The plain form has no numbers: identity is unknown, existence is known."""
    found = pci("12:00.0 Ethernet controller: Intel Corporation Ethernet Controller X710 (rev 02)")

    assert ["0000:12:00.0"] == list(found.functions)
    with pytest.raises(Missing):
        _ = found.known["0000:12:00.0"].id


def test_everything_that_vvv_prints():
    """Driver, modules, group, node, subsystem and capabilities."""
    function = pci(VERBOSE).known["0000:12:00.0"]

    assert "8086:1572" == function.id
    assert "103c:22fc" == function.subsystem
    assert ("vfio-pci", ("i40e",)) == (function.driver, function.kernel_modules)
    assert (38, 0) == (function.group, function.numa_node)
    assert ("flr",) == function.config.reset_methods
    assert 64 == function.config.virtual_functions.total


def test_blanks_may_be_lost():
    """A paste without its tabs reads the same."""
    pasted = "\n".join(line.strip() for line in VERBOSE.splitlines())

    assert "vfio-pci" == pci(pasted).known["0000:12:00.0"].driver


def test_what_was_left_out_is_not_glued_together():
    """A driver line behind an omission belongs to nobody."""
    found = pci("12:00.0 Ethernet controller: X\n... (left out) ...\nKernel driver in use: i40e")

    with pytest.raises(Missing):
        _ = found.known["0000:12:00.0"].driver


@pytest.mark.parametrize(("extent", "known"), [(Extent.WHOLE, True), (Extent.ELIDED, False)])
def test_no_driver_line(extent, known):
    """No driver in use is knowledge only where nothing was left out."""
    function = pci("12:00.0 VGA: X\n\tKernel modules: nouveau\n", extent).known["0000:12:00.0"]

    if known:
        assert function.driver is None
    else:
        with pytest.raises(Missing):
            _ = function.driver


def test_a_plain_listing_says_nothing_of_drivers():
    """Where no driver is ever printed, its absence means nothing."""
    with pytest.raises(Missing):
        _ = pci("12:00.0 Ethernet controller: X").known["0000:12:00.0"].driver


def test_denied_capabilities_are_unknown():
    """`<access denied>` is not a device without capabilities."""
    text = "12:00.0 Ethernet controller: X\n\tCapabilities: <access denied>\n"
    with pytest.raises(Missing):
        _ = pci(text).known["0000:12:00.0"].config


def test_a_dead_device():
    """`rev ff` and an unknown header are a device that does not answer."""
    text = "05:00.0 VGA: NVIDIA [10de:1b80] (rev ff) (prog-if ff)\n\t!!! Unknown header type 7f\n"
    assert pci(text).known["0000:05:00.0"].config.dead


def test_a_log_is_no_listing():
    """Kernel log lines that begin with an address are not lspci's."""
    assert () == lspci.parse("[    1.2] pci 0000:12:00.0: BAR 0: assigned\n0000:12:00.0: done")


@given(st.text(max_size=400))
def test_any_text_is_read_without_an_error(text):
    """Garbage is left out."""
    for block in lspci.parse(text):
        assert block.config is not None


@given(st.lists(st.sampled_from(VERBOSE.splitlines()), max_size=30))
def test_any_order_of_lines_is_read(lines):
    """Lines in any order, any number of times, come to no error."""
    for block in lspci.parse("\n".join(lines)):
        assert block.config.vendor in (None, 0x8086)
