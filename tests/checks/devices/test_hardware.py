"""The checks of a device's hardware: reset, memory space, interrupts, link."""

from __future__ import annotations

import pytest

from pytest_vfio.check import Outcome
from pytest_vfio.evidence import Item, Status
from tests.ask import ask
from tests.hosts.config_space import MSIX, ats, express, space
from tests.hosts.plain import grepped
from tests.hosts.with_card import (
    BAR,
    CARD,
    GPU,
    LINK,
    LOG,
    PORT,
    TWIN,
    UNUSED,
    box,
    card,
    config,
    lines,
    of_device,
    port,
    wanting,
)  # fmt: skip

FAIL, PASS, SKIP, UNKNOWN = Outcome.FAIL, Outcome.PASS, Outcome.SKIP, Outcome.UNKNOWN

SYSFS, CONFIG = "sys/bus/pci/devices", "sys/bus/pci/config"
SEEN = {SYSFS: Status.DENIED, "lspci": grepped("lspci", "12:00.0 Ethernet [0200]: X [8086:1572]")}
VF = card(TWIN, physfn=f"../{CARD}", group=39)


def said(text: str) -> dict[str, str]:
    """A whole kernel log with one line more."""
    return {"dmesg": f"{LOG}\n[   77.000000] {text}\n"}


#: Checks that only the kernel log answers: id, a line that fails it.
LOGGED = {
    "DEV015": f"vfio-pci {CARD}: not ready 65535ms after FLR; giving up",
    "DEV019": f"vfio-pci {CARD}: Invalid PCI ROM header signature: expecting 0xaa55, got 0xffff",
    "DEV021": f"vfio-pci {CARD}: Masking broken INTx support",
    "DEV028": f"vfio-pci {CARD}: vfio_bar_restore: reset recovery - restoring BARs",
    "DEV029": f"pcieport {PORT}: pciehp: Slot(4): Link Down",
}


def test_DEV015_fails_where_the_kernel_gave_up():
    """The last line of a reset that never ended."""
    assert FAIL == of_device("DEV015", box(**said(LOGGED["DEV015"]))).outcome


def test_DEV015_fails_for_a_vega_that_hangs():
    """vendor-reset's own words (F105)."""
    verdict = of_device(
        "DEV015", box(**said(f"vfio-pci {CARD}: AMD_VEGA10: failed to reset device"))
    )
    assert (FAIL, ("F105",)) == (verdict.outcome, verdict.refs)


def test_DEV015_passes_while_the_kernel_still_waits():
    """A slow device that came back."""
    waits = said(f"vfio-pci {CARD}: not ready 1023ms after FLR; waiting")
    assert PASS == of_device("DEV015", box(**waits)).outcome


def test_DEV019_fails_where_the_rom_is_broken():
    """The kernel looked for 55 aa."""
    assert FAIL == of_device("DEV019", box(**said(LOGGED["DEV019"]))).outcome


def test_DEV021_fails_where_intx_is_broken():
    """vfio-pci hides it."""
    assert FAIL == of_device("DEV021", box(**said(LOGGED["DEV021"]))).outcome


@pytest.mark.parametrize(
    "line", [LOGGED["DEV028"], f"vfio_bar_restore: {CARD} reset recovery - restoring bars"]
)
def test_DEV028_fails_where_bars_were_restored(line):
    """The form of 4.15 and that of later kernels."""
    assert FAIL == of_device("DEV028", box(**said(line))).outcome


def test_DEV029_fails_where_the_slot_lost_its_link():
    """Hot-plug speaks of the port, not of the card."""
    assert FAIL == of_device("DEV029", box(**said(LOGGED["DEV029"]))).outcome


def test_DEV029_fails_as_a_blocker_where_the_link_did_not_come_back():
    """A later Link Up of the same slot makes it history."""
    back = LOGGED["DEV029"].replace("Link Down", "Link Up")

    gone = of_device("DEV029", box(**said(LOGGED["DEV029"])))
    assert "blocker" == gone.severity
    again = box(dmesg=f"{LOG}\n[   50.000000] {LOGGED['DEV029']}\n[   51.000000] {back}")
    assert None is of_device("DEV029", again).severity


def quiet(id: str) -> None:
    """A whole log without such a line, or with one about another device."""
    assert PASS == of_device(id, box()).outcome
    other = LOGGED[id].replace(CARD, TWIN).replace(PORT, "0000:00:1c.5")
    assert PASS == of_device(id, box(**said(other))).outcome


def deaf(id: str) -> None:
    """Without the log, with part of it, and with a ring that lost its beginning."""
    parts = (Status.DENIED, grepped("dmesg", "nothing"), "[  99.0] later\n")
    for log in parts:
        assert UNKNOWN == of_device(id, box(dmesg=log)).outcome


def test_DEV015_passes_in_a_quiet_log():
    """Silence of a whole log proves it."""
    quiet("DEV015")


def test_DEV019_passes_in_a_quiet_log():
    """Silence of a whole log proves it."""
    quiet("DEV019")


def test_DEV021_passes_in_a_quiet_log():
    """Silence of a whole log proves it."""
    quiet("DEV021")


def test_DEV028_passes_in_a_quiet_log():
    """Silence of a whole log proves it."""
    quiet("DEV028")


def test_DEV029_passes_in_a_quiet_log():
    """Silence of a whole log proves it."""
    quiet("DEV029")


def test_DEV015_unknown_without_the_log():
    """Silence of part of a log proves nothing."""
    deaf("DEV015")


def test_DEV019_unknown_without_the_log():
    """Silence of part of a log proves nothing."""
    deaf("DEV019")


def test_DEV021_unknown_without_the_log():
    """Silence of part of a log proves nothing."""
    deaf("DEV021")


def test_DEV028_unknown_without_the_log():
    """Silence of part of a log proves nothing."""
    deaf("DEV028")


def test_DEV029_unknown_without_the_log():
    """Silence of part of a log proves nothing."""
    deaf("DEV029")


# -- DEV012, DEV013: reset


def test_DEV012_fails_without_a_reset():
    """No reset file: no method for this function alone."""
    verdict = of_device("DEV012", box(**{CONFIG: config({CARD: space(caps=[express(flr=False)])})}))
    assert (FAIL, ("F103",)) == (verdict.outcome, verdict.refs)


def test_DEV012_fails_where_a_quirk_forbids_it():
    """The hardware offers FLR, the kernel does not use it (F107)."""
    verdict = of_device("DEV012", box())
    assert (FAIL, ("F107",)) == (verdict.outcome, verdict.refs)


def test_DEV012_fails_where_somebody_switched_it_off():
    """An empty reset_method is a user's doing (S23)."""
    verdict = of_device("DEV012", box(card(reset="", reset_method="")))
    assert (FAIL, ("F103",)) == (verdict.outcome, verdict.refs)


@pytest.mark.parametrize("files", [{"reset": ""}, {"reset": "", "reset_method": "flr bus"}])
def test_DEV012_passes_with_a_reset(files):
    """Before 5.15 only the file is there, later the methods too."""
    assert PASS == of_device("DEV012", box(card(**files))).outcome


def test_DEV012_unknown_without_sysfs():
    """FLReset+ in lspci is no answer: a quirk may forbid it."""
    text = "12:00.0 X: Y\n\tCapabilities: [a0] Express (v2) Endpoint\n\t\tDevCap: FLReset+\n"
    assert UNKNOWN == of_device("DEV012", box(**{SYSFS: Status.DENIED, "lspci": text})).outcome


def test_DEV013_fails_where_others_share_the_bus():
    """A bus reset would hit a function of another group."""
    verdict = of_device("DEV013", box(card(), card(TWIN, group=39), port()))
    assert FAIL == verdict.outcome
    assert TWIN in verdict.message


def test_DEV013_passes_where_the_whole_bus_is_one_group():
    """What is in the group goes with it."""
    assert PASS == of_device("DEV013", box(card(), card(TWIN, group=38), port())).outcome


def test_DEV013_skips_what_resets_itself():
    """FLR needs nobody else."""
    assert SKIP == of_device("DEV013", box(card(reset=""))).outcome


def test_DEV013_skips_a_root_bus():
    """There is no bridge above that could reset it."""
    text = card("0000:00:19.0").replace(f"{PORT}/", "").replace("pci0000:00//", "pci0000:00/")
    found = box(text, declared=wanting("0000:00:19.0"))
    assert SKIP == of_device("DEV013", found, "0000:00:19.0").outcome


def test_DEV013_unknown_without_sysfs():
    """Neither reset nor neighbours."""
    assert UNKNOWN == of_device("DEV013", box(**SEEN)).outcome


# -- DEV014: AMD

VEGA = {"id": "1002:687f", "cls": "0x030000"}


def test_DEV014_fails_without_a_reset_of_its_own():
    """Vega 10 with the kernel's usual methods."""
    assert FAIL == of_device("DEV014", box(card(reset="", reset_method="bus", **VEGA))).outcome


def test_DEV014_passes_with_vendor_reset():
    """device_specific comes first."""
    found = box(card(reset="", reset_method="device_specific bus", **VEGA))
    assert PASS == of_device("DEV014", found).outcome


def test_DEV014_skips_other_models():
    """An Intel NIC is none of them."""
    assert SKIP == of_device("DEV014", box()).outcome


def test_DEV014_unknown_without_sysfs():
    """The model is known and what the kernel would do is not."""
    seen = grepped("lspci", "12:00.0 VGA [0300]: AMD [1002:687f]")
    found = box(**{SYSFS: Status.DENIED, CONFIG: Status.DENIED, "lspci": seen})
    assert UNKNOWN == of_device("DEV014", found).outcome


# -- DEV016, DEV017: the boot display

IOMEM = "c0000000-cfffffff : PCI Bus 0000:12\n  c6000000-c62fffff : efifb\n"
OLD = {"proc/sys/kernel/osrelease": "5.15.0-91-generic"}


def gpu(**files: str) -> str:
    return "\n".join([card(**GPU, **files), lines(CARD, "resource", BAR, UNUSED)])


def test_DEV016_fails_for_the_boot_display():
    """The firmware booted on it."""
    assert FAIL == of_device("DEV016", box(gpu(boot_vga="1"))).outcome


def test_DEV016_passes_for_a_second_display():
    """The host has another one."""
    assert PASS == of_device("DEV016", box(gpu(boot_vga="0"))).outcome


def test_DEV016_skips_what_is_no_display():
    """A NIC."""
    assert SKIP == of_device("DEV016", box()).outcome


def test_DEV016_unknown_without_sysfs():
    """lspci shows the class and not the boot display."""
    seen = grepped("lspci", "12:00.0 VGA [0300]: NVIDIA [10de:1b80]")
    found = box(**{SYSFS: Status.DENIED, CONFIG: Status.DENIED, "lspci": seen})
    assert UNKNOWN == of_device("DEV016", found).outcome


@pytest.mark.parametrize("name", ["efifb", "simplefb", "BOOTFB", "vesafb", "simple-framebuffer.0"])
def test_DEV017_fails_where_a_framebuffer_lies_in_a_bar(name):
    """Kernels before 6.1 leave it there."""
    found = box(gpu(), **{"proc/iomem": IOMEM.replace("efifb", name), **OLD})
    assert FAIL == of_device("DEV017", found).outcome


def test_DEV017_passes_where_vfio_will_evict_it():
    """6.1 takes it away when it binds."""
    text = gpu().replace("vfio-pci", "nouveau")
    assert PASS == of_device("DEV017", box(text, **{"proc/iomem": IOMEM})).outcome


def test_DEV017_passes_where_it_lies_elsewhere():
    """Another adapter's memory."""
    found = box(gpu(), **{"proc/iomem": IOMEM.replace("c6", "c8"), **OLD})
    assert PASS == of_device("DEV017", found).outcome


@pytest.mark.parametrize("iomem", [Status.DENIED, "00000000-00000000 : PCI Bus 0000:12\n"])
def test_DEV017_unknown_without_root(iomem):
    """Zeros are what an ordinary user gets (S34)."""
    assert UNKNOWN == of_device("DEV017", box(gpu(), **{"proc/iomem": iomem})).outcome


# -- DEV018: BARs


def bars(*found: str) -> str:
    return f"{card()}\n{lines(CARD, 'resource', *found)}"


def test_DEV018_fails_where_a_register_has_no_place():
    """The BAR is implemented, the kernel has none for it."""
    spaces = {CONFIG: config({CARD: space(bars=[0xC, 0, 0xC000000C])})}
    verdict = of_device("DEV018", box(bars(UNUSED, UNUSED, BAR), **spaces))

    assert (FAIL, f"BAR 0 of {CARD} has no address") == (verdict.outcome, verdict.message)


def test_DEV018_fails_where_the_kernel_marks_it_unset():
    """IORESOURCE_UNSET in the flags."""
    unset = "0x0000000000000000 0x0000000000ffffff 0x0000000020140204"
    assert FAIL == of_device("DEV018", box(bars(BAR, UNUSED, unset))).outcome


def test_DEV018_passes_where_all_have_places():
    """The upper half of a 64-bit BAR is no BAR, and I/O ports are not needed."""
    spaces = {CONFIG: config({CARD: space(bars=[0xC600000C, 0x20, 0xE001])})}
    assert PASS == of_device("DEV018", box(bars(BAR, UNUSED, UNUSED), **spaces)).outcome


def test_DEV018_passes_asleep_in_a_quiet_log():
    """A sleeping device's registers are not read; the kernel would have complained."""
    text = f"{bars(BAR)}\n{CARD}/power/runtime_status=suspended"
    found = box(text, **{CONFIG: config({CARD: "not collected"})})
    assert PASS == of_device("DEV018", found).outcome


def test_DEV018_skips_a_vf():
    """Its BARs are the PF's (F139)."""
    found = box(card(), VF, declared=wanting(TWIN))
    assert SKIP == of_device("DEV018", found, TWIN).outcome


@pytest.mark.parametrize("lost", [SYSFS, CONFIG])
def test_DEV018_unknown_without_bytes(lost):
    """Neither source alone tells."""
    assert UNKNOWN == of_device("DEV018", box(bars(BAR), **{lost: Status.DENIED})).outcome


# -- DEV032: Resizable BAR

LARGE = "0x0000004000000000 0x00000043ffffffff 0x000000000014220c"
REBAR = (0x15, bytes(8))


def wide(*ext: tuple[int, bytes]) -> dict[str, str]:
    return {CONFIG: config({CARD: space(cls=0x030000, caps=[express()], ext=ext)})}


def large() -> str:
    return "\n".join([card(**GPU), lines(CARD, "resource", BAR, LARGE)])


def test_DEV032_fails_for_an_enlarged_bar():
    """16 GiB by Resizable BAR."""
    verdict = of_device("DEV032", box(large(), **wide(REBAR)))
    assert FAIL == verdict.outcome
    assert "16384 MiB" in verdict.message


@pytest.mark.parametrize(("text", "ext"), [(gpu(), (REBAR,)), (large(), ())])
def test_DEV032_passes_for_a_small_or_native_bar(text, ext):
    """256 MiB, or large without Resizable BAR."""
    assert PASS == of_device("DEV032", box(text, **wide(*ext))).outcome


def test_DEV032_skips_what_is_no_display():
    """A NIC."""
    assert SKIP == of_device("DEV032", box()).outcome


def test_DEV032_unknown_without_bytes():
    """Whether the size is native stands in the extended capabilities."""
    assert UNKNOWN == of_device("DEV032", box(large(), **{CONFIG: Status.DENIED})).outcome


# -- DEV020, DEV022: interrupts

SHARED = (
    "            CPU0\n"
    "  16:         12   IR-IO-APIC   16-fasteoi   ehci_hcd:usb1, vfio-intx(0000:12:00.0)\n"
)
NO_MSI = {CONFIG: config({CARD: space(caps=[express()])})}
QUIET = {"sys/module": "vfio_pci=\nvfio_pci/parameters/nointxmask=N"}


def test_DEV020_fails_where_masking_is_broken():
    """INTx only, shared, and it cannot be masked."""
    found = box(card(irq="16"), **NO_MSI, **QUIET, **said(LOGGED["DEV021"]),
                **{"proc/interrupts": SHARED})  # fmt: skip
    assert FAIL == of_device("DEV020", found).outcome


def test_DEV020_fails_where_masking_is_switched_off():
    """nointxmask=Y."""
    found = box(card(irq="16"), **NO_MSI, **{
        "sys/module": "vfio_pci=\nvfio_pci/parameters/nointxmask=Y", "proc/interrupts": SHARED,
    })  # fmt: skip
    assert FAIL == of_device("DEV020", found).outcome


def test_DEV020_passes_with_message_interrupts():
    """MSI-X has no line."""
    assert PASS == of_device("DEV020", box()).outcome


def test_DEV020_passes_asleep():
    """A PCI Express function has MSI or MSI-X; reading it would have woken it."""
    text = f"{card(power__runtime_status='suspended')}\n{CARD}/max_link_width!not collected"
    found = box(text, **{CONFIG: config({CARD: "not collected"})})
    assert PASS == of_device("DEV020", found).outcome


def test_DEV020_passes_where_express_can_mask():
    """Every PCI Express function can mask INTx."""
    found = box(card(irq="16"), **NO_MSI, **QUIET, **{"proc/interrupts": SHARED})
    assert PASS == of_device("DEV020", found).outcome


def test_DEV020_passes_alone_on_its_line():
    """Nobody shares it."""
    alone = SHARED.replace("ehci_hcd:usb1, ", "")
    found = box(card(irq="16"), **NO_MSI, **QUIET, **{"proc/interrupts": alone})
    assert PASS == of_device("DEV020", found).outcome


@pytest.mark.parametrize("lost", [CONFIG, "proc/interrupts", "dmesg", "sys/module"])
def test_DEV020_unknown_without_its_evidence(lost):
    """Each may hide the fault."""
    items = {**NO_MSI, **QUIET, "proc/interrupts": SHARED, lost: Status.DENIED}
    assert UNKNOWN == of_device("DEV020", box(card(irq="16"), **items)).outcome


def test_DEV020_unknown_for_a_conventional_device():
    """Nobody tells whether it has PCI 2.3's switch."""
    items = {**QUIET, "proc/interrupts": SHARED, CONFIG: config({CARD: space(size=256)})}
    assert UNKNOWN == of_device("DEV020", box(card(irq="16"), **items)).outcome


def test_DEV022_fails_where_a_line_was_shut_down():
    """Nobody cared."""
    line = 'irq 16: nobody cared (try booting with the "irqpoll" option)'
    assert FAIL == ask("DEV022", box(**said(line))).outcome


def test_DEV022_passes_in_a_quiet_log():
    """All lines work."""
    assert PASS == ask("DEV022", box()).outcome


def test_DEV022_unknown_without_the_log():
    """A grepped log may have left it out."""
    assert UNKNOWN == ask("DEV022", box(dmesg=grepped("dmesg", LOG))).outcome


# -- DEV023: link


def linked(port_width: str = "16", port_speed: str = "8.0 GT/s PCIe", **files: str):
    above = port(max_link_width=port_width, max_link_speed=port_speed)
    return box(card(**{**LINK, **files}), above)


@pytest.mark.parametrize("files", [{"current_link_width": "4"}, {"current_link_speed": "2.5 GT/s"}])
def test_DEV023_fails_below_what_both_ends_can(files):
    """x4 instead of x8, or 2.5 instead of 8 GT/s."""
    assert FAIL == of_device("DEV023", linked(**files)).outcome


def test_DEV023_passes_at_full_speed():
    """Speed and width are those of the device."""
    assert PASS == of_device("DEV023", linked()).outcome


def test_DEV023_passes_where_the_port_has_no_more():
    """An x8 card in an x4 slot is not degraded."""
    assert PASS == of_device("DEV023", linked(port_width="4", current_link_width="4")).outcome


def test_DEV023_passes_for_an_idle_display():
    """GPUs slow their link down while idle (S24)."""
    files = {**LINK, "current_link_speed": "2.5 GT/s PCIe", **GPU}
    above = port(max_link_width="16", max_link_speed="8.0 GT/s PCIe")
    assert PASS == of_device("DEV023", box(card(**files), above)).outcome


@pytest.mark.parametrize(
    "files", [{}, {"current_link_speed": "Unknown", "current_link_width": "0"},
              {**LINK, "current_link_width": "1", "power_state": "D3cold"}],
)  # fmt: skip
def test_DEV023_skips_what_has_no_link(files):
    """No PCI Express, a root complex device, a device without power."""
    assert SKIP == of_device("DEV023", box(card(**files), port())).outcome


def test_DEV023_skips_a_vf():
    """A VF has no link of its own."""
    assert SKIP == of_device("DEV023", box(card(), VF, declared=wanting(TWIN)), TWIN).outcome


def test_DEV023_unknown_without_sysfs():
    """lspci without -vv has no link."""
    assert UNKNOWN == of_device("DEV023", box(**SEEN)).outcome


# -- DEV024: errors


def counted(corrected: int = 0, fatal: int = 0) -> str:
    return "\n".join(
        [
            card(),
            lines(CARD, "aer_dev_correctable", "RxErr 0", f"TOTAL_ERR_COR {corrected}"),
            lines(CARD, "aer_dev_fatal", "Undefined 0", f"TOTAL_ERR_FATAL {fatal}"),
        ]
    )


@pytest.mark.parametrize("counts", [{"fatal": 1}, {"corrected": 5000}])
def test_DEV024_fails_for_fatal_or_many(counts):
    """One fatal error, or more than a hundred corrected ones an hour."""
    found = box(counted(**counts), **{"proc/uptime": "36000.00 1.0"})
    assert FAIL == of_device("DEV024", found).outcome


def test_DEV024_passes_for_a_few():
    """The rate counts, not the presence."""
    found = box(counted(corrected=500), **{"proc/uptime": "36000.00 1.0"})
    assert PASS == of_device("DEV024", found).outcome


def test_DEV024_skips_what_is_not_counted():
    """Before 4.19, and without AER."""
    assert SKIP == of_device("DEV024", box()).outcome


@pytest.mark.parametrize("items", [SEEN, {"proc/uptime": Status.DENIED}])
def test_DEV024_unknown_without_counters_or_clock(items):
    """A count is no rate."""
    assert UNKNOWN == of_device("DEV024", box(counted(corrected=500), **items)).outcome


# -- DEV025, DEV027: capabilities

HARVEST = {"id": "1002:731f", "cls": "0x030000"}


def capable(*ext) -> dict[str, str]:
    return {CONFIG: config({CARD: space(caps=[MSIX, express()], ext=ext)})}


def test_DEV025_fails_where_broken_ats_is_on():
    """A Navi with ATS enabled."""
    assert FAIL == of_device("DEV025", box(card(**HARVEST), **capable(ats()))).outcome


def test_DEV025_passes_where_it_is_off():
    """The kernel's quirk did it."""
    found = box(card(**HARVEST), **capable(ats(enabled=False)))
    assert PASS == of_device("DEV025", found).outcome


def test_DEV025_skips_other_models():
    """Nothing is known against it."""
    assert SKIP == of_device("DEV025", box(**capable(ats()))).outcome


def test_DEV025_unknown_without_extended_bytes():
    """256 bytes do not show ATS."""
    short = {CONFIG: config({CARD: space(caps=[express()], size=256)})}
    assert UNKNOWN == of_device("DEV025", box(card(**HARVEST), **short)).outcome


def test_DEV027_fails_for_pasid():
    """Shared virtual addressing ends at the guest."""
    verdict = of_device("DEV027", box(**capable((0x1B, bytes(4)))))
    assert FAIL == verdict.outcome
    assert "PASID" in verdict.message


def test_DEV027_passes_without():
    """Nothing that a guest would miss."""
    assert PASS == of_device("DEV027", box(**capable(ats()))).outcome


def test_DEV027_unknown_without_bytes():
    """An ordinary user sees a header only."""
    short = {CONFIG: config({CARD: space(caps=[express()], size=64)})}
    assert UNKNOWN == of_device("DEV027", box(**short)).outcome
    assert UNKNOWN == of_device("DEV027", box(**{CONFIG: Item(CONFIG, Status.DENIED)})).outcome
