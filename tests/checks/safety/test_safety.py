"""The checks of safety: nobody gives away what the host lives on."""

from __future__ import annotations

import pytest

from pytest_vfio.check import Outcome, Verdict
from pytest_vfio.declared import Declared, WantedDevice
from pytest_vfio.evidence import Status
from pytest_vfio.hypervisor.hypervisor import Hypervisor
from pytest_vfio.judge.judgement import Judgement
from tests.ask import ask
from tests.hosts import booting as bootchain
from tests.hosts.in_use import (
    DISK,
    FUNCTIONS,
    GUEST,
    NET,
    NIC,
    SPARE,
    addresses,
    function,
    groups,
    host,
)  # fmt: skip
from tests.hosts.plain import hypervisor
from tests.hosts.recorded import whole_suite

FAIL, PASS, SKIP, UNKNOWN = Outcome.FAIL, Outcome.PASS, Outcome.SKIP, Outcome.UNKNOWN


def of_host(id: str, **changes: object) -> Verdict:
    return ask(id, hypervisor(host(**changes)))


def of_device(id: str, address: str, *, vfs: int | None = None, **changes: object) -> Verdict:
    wanted = WantedDevice(address=address, vfs=vfs)
    found = hypervisor(host(**changes), Declared(devices=(wanted,)))
    return ask(id, found, found.intent.known[0])


def of_group(id: str, number: int, *devices: str, **changes: object) -> Verdict:
    wanted = tuple(WantedDevice(address=address) for address in devices)
    found = hypervisor(host(**changes), Declared(devices=wanted))
    return ask(id, found, found.groups.known[number])


def tree(*functions: str) -> dict[str, str]:
    """The host's functions and some more, with their groups."""
    more = {text.partition("->")[0]: text for text in functions}
    all_of_them = {**FUNCTIONS, **more}
    return {
        "sys/bus/pci/devices": "\n".join(all_of_them.values()),
        "sys/kernel/iommu_groups": groups(all_of_them),
    }


def xml(name: str, address: str, managed: str = "yes", id: str = "") -> str:
    """A guest with one hostdev."""
    domain, bus, rest = address.split(":")
    slot, _, fn = rest.partition(".")
    return (
        f"<domain type='kvm'{id}><name>{name}</name><memory unit='GiB'>4</memory><devices>"
        f"<hostdev mode='subsystem' type='pci' managed='{managed}'><source>"
        f"<address domain='0x{domain}' bus='0x{bus}' slot='0x{slot}' function='0x{fn}'/>"
        f"</source></hostdev></devices></domain>"
    )


def guests(
    name: str, address: str, *, managed: str = "yes", auto: bool = False, runs: bool = False
):
    """The items of one guest that names an address."""
    live = xml(name, address, managed, " id='1'") if runs else xml(name, address, managed)
    return {
        "virsh/list": f" {'1' if runs else '-'}   {name}   {'running' if runs else 'shut off'}\n",
        "virsh/dumpxml": live,
        "virsh/dumpxml-inactive": xml(name, address, managed),
        "virsh/list-autostart": name if auto else "",
    }


def of_guest(id: str, found: Hypervisor) -> Verdict:
    return ask(id, found, found.guests.known[0])


# -- SAF001


@pytest.mark.parametrize(
    ("address", "path", "ref"),
    [
        (NIC, "eth0 -> br0 -> default route -> 0000:02:00.0", "F190"),
        (DISK, "nvme0n1p2 -> LUKS -> LVM -> / -> 0000:03:00.0", "F191"),
    ],
)
def test_SAF001_fails_on_what_the_host_lives_on(address, path, ref):
    """The refusal names the way from the device to what would be lost."""
    verdict = of_device("SAF001", address)

    assert FAIL == verdict.outcome
    assert path == verdict.actual
    assert (ref,) == verdict.refs
    assert verdict.evidence


def test_SAF001_fails_although_the_rest_was_not_read():
    """What was read and proves it is enough."""
    unread = {
        "proc/swaps": Status.DENIED,
        "sockets/sshd": Status.FAILED,
        "ip/route6": Status.DENIED,
    }

    assert FAIL == of_device("SAF001", NIC, **unread).outcome


def test_SAF001_fails_on_what_the_inventory_protects():
    """The inventory needs no evidence, and beats a VFIO driver."""
    declared = Declared(devices=(WantedDevice(address=GUEST),), protected=(GUEST,))
    found = hypervisor(host(), declared)

    assert FAIL == ask("SAF001", found, found.intent.known[0]).outcome


def test_SAF001_passes_on_a_card_without_a_purpose():
    """A second port without address and route is free."""
    assert PASS == of_device("SAF001", SPARE).outcome


def test_SAF001_passes_on_a_vfio_driver_without_other_evidence():
    """Nothing of the host can run on what vfio-pci has."""
    found = hypervisor(
        {"sys/bus/pci/devices": FUNCTIONS[GUEST]}, Declared(devices=(WantedDevice(address=GUEST),))
    )
    verdict = ask("SAF001", found, found.intent.known[0])

    assert PASS == verdict.outcome
    assert "vfio-pci" in verdict.message


def test_SAF001_skips_the_adapter_of_wanted_vfs():
    """A PF that stays with the host may carry the host."""
    assert SKIP == of_device("SAF001", NIC, vfs=4).outcome


@pytest.mark.parametrize("name", ["sys/class/net", "sockets/sshd", "proc/self/mountinfo"])
def test_SAF001_unknown_without_a_part_of_the_graphs(name):
    """What cannot be resolved is never free."""
    assert UNKNOWN == of_device("SAF001", SPARE, **{name: Status.NOT_COLLECTED}).outcome


# -- SAF002 and SAF003


def test_SAF002_fails_on_a_protected_sibling():
    """The management port in the group of the intended one."""
    verdict = of_group("SAF002", 20, GUEST, **tree(
        function(NIC, driver="igb", group=20), function(GUEST, driver="vfio-pci", group=20)
    ))  # fmt: skip

    assert FAIL == verdict.outcome
    assert NIC in verdict.message


def test_SAF002_passes_on_a_group_of_its_own_without_other_evidence():
    """A group with one member holds nothing else."""
    items = {"sys/class/net": Status.DENIED, "proc/swaps": Status.DENIED}

    assert PASS == of_group("SAF002", 13, GUEST, **items).outcome


def test_SAF002_passes_on_siblings_of_no_use():
    """A sibling that carries nothing is another check's business."""
    more = tree(
        function(SPARE, driver="igb", group=20), function(GUEST, driver="vfio-pci", group=20)
    )

    assert PASS == of_group("SAF002", 20, GUEST, **more).outcome


def test_SAF002_unknown_where_a_sibling_may_be_needed():
    """A sibling with a host driver is not free for want of evidence."""
    more = tree(
        function(SPARE, driver="igb", group=20), function(GUEST, driver="vfio-pci", group=20)
    )

    assert (
        UNKNOWN == of_group("SAF002", 20, GUEST, **more, **{"sys/class/net": Status.DENIED}).outcome
    )


LPC = "0000:00:1f.0"


def test_SAF003_fails_beside_the_isa_bridge():
    """Audio of the chipset in one group with LPC."""
    more = tree(
        function(LPC, driver=None, cls="0x060100", group=20),
        function(GUEST, driver="vfio-pci", group=20),
    )
    verdict = of_group("SAF003", 20, GUEST, **more)

    assert FAIL == verdict.outcome
    assert LPC in verdict.message


def test_SAF003_passes_on_a_card_of_its_own():
    """No chipset function in the group."""
    assert PASS == of_group("SAF003", 13, GUEST).outcome


def test_SAF003_unknown_where_members_are_not_known():
    """A group that is known in part may hold the ISA bridge."""
    assert UNKNOWN == of_group("SAF003", 13, GUEST, **{
        "sys/bus/pci/devices": Status.TRUNCATED,
        "sys/kernel/iommu_groups": f"13/devices/{GUEST}->x\n13/devices/{LPC}->x",
    }).outcome  # fmt: skip


# -- SAF004


def line(words: str) -> dict[str, str]:
    return {"proc/cmdline": f"root=/dev/vda {words}"}


def test_SAF004_fails_on_a_twin_that_carries_the_host():
    """The id of the second port is that of the first, which carries the default route."""
    verdict = of_host("SAF004", **line("vfio-pci.ids=8086:1521"))

    assert FAIL == verdict.outcome
    assert NIC in verdict.message
    assert ["proc/cmdline"] == [quote.source for quote in verdict.evidence[:1]]


def test_SAF004_fails_on_ids_that_are_not_in_force_yet():
    """modprobe.d counts, whatever the running kernel made of it."""
    verdict = of_host("SAF004", **{
        "etc/modprobe.d/": "vfio.conf",
        "etc/modprobe.d/vfio.conf": "options vfio-pci ids=144d:a808\n",
    })  # fmt: skip

    assert FAIL == verdict.outcome
    assert DISK in verdict.message


def test_SAF004_passes_on_ids_of_devices_for_guests():
    """The id catches what vfio-pci has already."""
    assert PASS == of_host("SAF004", **line("vfio-pci.ids=8086:1572")).outcome


def test_SAF004_skips_without_ids():
    """Nothing is caught where nothing is named."""
    assert SKIP == of_host("SAF004").outcome


@pytest.mark.parametrize("name", ["proc/cmdline", "etc/modprobe.d/", "sys/class/net"])
def test_SAF004_unknown_without_a_part(name):
    """Ids that were not read may catch anything, and so may a graph that was not."""
    items = {"ip/route4": "[]", "sockets/sshd": "", **line("vfio-pci.ids=8086:1521,8086:1572")}

    assert UNKNOWN == of_host("SAF004", **items | {name: Status.DENIED}).outcome


# -- SAF015


def boots(words: str) -> dict[str, object]:
    """A host by GRUB whose next boot has these words."""
    return {
        **line("BOOT_IMAGE=/boot/vmlinuz-6.1.0-18-amd64"),
        "etc/default/grub": "GRUB_DEFAULT=0\n",
        "boot/grub/grub.cfg": bootchain.grub_cfg(words),
        "boot/grub/grubenv": "# GRUB Environment Block\n",
    }


def test_SAF015_fails_where_the_next_boot_takes_the_host_away():
    """The running line is harmless: the reboot that it waits for is not."""
    verdict = of_host("SAF015", **boots("vfio-pci.ids=8086:1521"))

    assert FAIL == verdict.outcome
    assert NIC in verdict.message
    assert "boot/grub/grub.cfg" == verdict.evidence[0].source


def test_SAF015_passes_on_ids_of_devices_for_guests():
    """The id catches what is for guests."""
    assert PASS == of_host("SAF015", **boots("vfio-pci.ids=8086:1572")).outcome


def test_SAF015_passes_on_a_list_that_a_later_one_replaces():
    """Of two lists the kernel keeps the last, so what only the first names is not caught."""
    words = "vfio-pci.ids=8086:1521 vfio-pci.ids=8086:1572"

    assert PASS == of_host("SAF015", **boots(words)).outcome


@pytest.mark.parametrize(
    "words",
    [
        "vfio-pci.ids=8086:1521 -- vfio-pci.ids=8086:1572",
        "vfio-pci.ids=8086:1572 -- vfio-pci.ids=8086:1521",
    ],
    ids=["a built-in driver takes the first", "a module takes the second"],
)
def test_SAF015_fails_on_either_side_of_the_dashes(words: str):
    """Which list counts depends on the kernel that boots: neither replaces the other."""
    assert FAIL == of_host("SAF015", **boots(words)).outcome


def test_SAF015_skips_without_ids():
    """Nothing waits for the next boot."""
    assert SKIP == of_host("SAF015", **boots("intel_iommu=on")).outcome


def test_SAF015_unknown_without_the_entry():
    """What the next boot takes was not read."""
    items = boots("") | {"boot/grub/grub.cfg": Status.DENIED}
    assert UNKNOWN == of_host("SAF015", **items).outcome


def test_a_reboot_is_not_asked_for_where_it_would_cut_the_host_off():
    """Nothing good waits, and that the id arrives is a consequence of what SAF015 says."""
    found = hypervisor(host(**boots("vfio-pci.ids=8086:1521")))
    said = {f.id: f for f in Judgement(whole_suite(), found) if f.id in ("CMD011", "CMD015")}

    assert PASS == said["CMD011"].outcome
    assert ["SAF015"] == [id for id, _, _ in said["CMD015"].blocked_by]


# -- SAF005


@pytest.mark.parametrize(
    "items",
    [
        {"etc/modprobe.d/": "b.conf", "etc/modprobe.d/b.conf": "blacklist igb\n"},
        {"etc/modprobe.d/": "b.conf", "etc/modprobe.d/b.conf": "install nvme /bin/false\n"},
        line("modprobe.blacklist=nouveau,igb"),
    ],
)
def test_SAF005_fails_on_a_driver_that_the_host_needs(items):
    """A blacklist, an install line to nothing, a word on the command line."""
    assert FAIL == of_host("SAF005", **items).outcome


def test_SAF005_passes_on_drivers_of_others():
    """nouveau carries nothing here."""
    items = {"etc/modprobe.d/": "b.conf", "etc/modprobe.d/b.conf": "blacklist nouveau\n"}

    assert PASS == of_host("SAF005", **items).outcome
    assert PASS == of_host("SAF005").outcome


def test_SAF005_passes_on_drivers_that_are_built_in():
    """modprobe has no say over them."""
    items = {
        "etc/modprobe.d/": "b.conf",
        "etc/modprobe.d/b.conf": "blacklist nvme\n",
        "modules.builtin": "kernel/drivers/nvme/host/nvme.ko\n",
    }

    assert PASS == of_host("SAF005", **items).outcome


def test_SAF005_unknown_without_modprobe():
    """A blacklist that was not read may name any driver."""
    assert UNKNOWN == of_host("SAF005", **{"etc/modprobe.d/": Status.DENIED}).outcome


# -- SAF006 and SAF007


def test_SAF006_fails_on_a_guest_that_starts_by_itself():
    """libvirt detaches a managed device without asking."""
    verdict = of_guest("SAF006", hypervisor(host(**guests("thief", NIC, auto=True))))

    assert FAIL == verdict.outcome
    assert "thief has autostart and takes 0000:02:00.0" in verdict.message


def test_SAF006_passes_on_a_guest_that_takes_what_is_free():
    """Autostart with a device of its own is how it should be."""
    found = hypervisor(host(**guests("nfv1", GUEST, auto=True)))

    assert PASS == of_guest("SAF006", found).outcome


def test_SAF006_skips_a_guest_that_somebody_has_to_start():
    """Without autostart nothing happens at boot."""
    assert SKIP == of_guest("SAF006", hypervisor(host(**guests("thief", NIC)))).outcome


@pytest.mark.parametrize("name", ["virsh/list-autostart", "virsh/dumpxml-inactive"])
def test_SAF006_unknown_without_autostart_or_definition(name):
    """Nobody knows whether it starts by itself, or with what."""
    items = {**guests("thief", NIC, auto=True, runs=True), name: Status.NOT_COLLECTED}
    found = hypervisor(host(**items))

    assert UNKNOWN == of_guest("SAF006", found).outcome


def test_SAF007_fails_on_a_stored_guest():
    """The first start would take the device away."""
    found = hypervisor(host(**guests("thief", NIC)))

    assert FAIL == ask("SAF007", found, found.guests.known[0].hostdevs[0]).outcome


def test_SAF007_passes_on_a_device_that_is_free():
    """The guest's own device."""
    found = hypervisor(host(**guests("nfv1", GUEST)))

    assert PASS == ask("SAF007", found, found.guests.known[0].hostdevs[0]).outcome


def test_SAF007_unknown_without_the_graphs():
    """A device with a host driver may carry anything."""
    found = hypervisor(host(**guests("nfv1", SPARE), **{"sys/class/net": Status.DENIED}))

    assert UNKNOWN == ask("SAF007", found, found.guests.known[0].hostdevs[0]).outcome


# -- SAF008


VF = "0000:02:10.0"
VIRTUAL = function(VF, driver="vfio-pci", physfn="../0000:02:00.0", id="8086:1520")


def test_SAF008_fails_where_the_physical_function_carries_the_host():
    """Giving the VF away is fine, changing their number is not."""
    verdict = of_device("SAF008", VF, **tree(VIRTUAL))

    assert FAIL == verdict.outcome
    assert NIC in verdict.message
    assert FAIL == of_device("SAF008", NIC, vfs=4).outcome


def test_SAF008_passes_where_the_adapter_is_free():
    """The other port carries nothing."""
    other = VIRTUAL.replace("../0000:02:00.0", f"../{SPARE}")

    assert PASS == of_device("SAF008", VF, **tree(other)).outcome


def test_SAF008_skips_what_is_no_vf():
    """An ordinary function has no adapter below."""
    assert SKIP == of_device("SAF008", GUEST).outcome


def test_SAF008_unknown_without_the_graphs():
    """An adapter with a host driver is not free for want of evidence."""
    other = VIRTUAL.replace("../0000:02:00.0", f"../{SPARE}")

    assert UNKNOWN == of_device("SAF008", VF, **tree(other), **{"ip/route4": Status.DENIED}).outcome


# -- SAF009 and SAF010


def pin(address: str, driver: str = "vfio-pci") -> dict[str, str]:
    return {"etc/driverctl.d/": address, f"etc/driverctl.d/{address}": f"{driver}\n"}


def test_SAF009_fails_on_a_pin_that_hits_the_root_disk():
    """The card moved, and the pin stayed."""
    verdict = of_host("SAF009", **pin(DISK))

    assert FAIL == verdict.outcome
    assert f"etc/driverctl.d/{DISK}" == verdict.evidence[0].source


def test_SAF009_passes_on_a_pin_of_a_device_for_guests():
    """vfio-pci has it already."""
    assert PASS == of_host("SAF009", **pin(GUEST)).outcome
    assert PASS == of_host("SAF009", **pin(NIC, "igb")).outcome


def test_SAF009_skips_without_pins():
    """Nothing is pinned."""
    assert SKIP == of_host("SAF009").outcome


def test_SAF009_unknown_without_the_folder():
    """A pin that was not read may hit anything."""
    assert UNKNOWN == of_host("SAF009", **{"etc/driverctl.d/": Status.DENIED}).outcome


def test_SAF010_fails_on_a_pin_of_nothing():
    """The card is gone."""
    verdict = of_host("SAF010", **pin("0000:09:00.0"))

    assert FAIL == verdict.outcome
    assert "no device is there" == verdict.actual


def test_SAF010_fails_on_a_pin_of_what_nobody_wants():
    """The inventory knows nothing of it."""
    found = hypervisor(host(**pin(SPARE)), Declared(devices=(WantedDevice(address=GUEST),)))

    assert "it is not to be passed through" == ask("SAF010", found).actual


def test_SAF010_passes_on_pins_of_intended_devices():
    """The device that is meant for guests."""
    found = hypervisor(host(**pin(GUEST)), Declared(devices=(WantedDevice(address=GUEST),)))

    assert PASS == ask("SAF010", found).outcome


@pytest.mark.parametrize("name", ["etc/driverctl.d/", "sys/bus/pci/devices"])
def test_SAF010_unknown_without_pins_or_devices(name):
    """Nobody knows what is pinned, or what is there."""
    found = hypervisor(
        host(**{**pin(GUEST), name: Status.DENIED}),
        Declared(devices=(WantedDevice(address=GUEST),)),
    )

    assert UNKNOWN == ask("SAF010", found).outcome


# -- SAF012


SLEEP = "systemd/sleep-targets"
RUNS = guests("nfv1", GUEST, runs=True)


def test_SAF012_fails_where_a_target_is_not_masked():
    """One target is enough to sleep."""
    assert FAIL == of_host("SAF012", **RUNS, **{SLEEP: "masked\nstatic\nmasked\nmasked\n"}).outcome


def test_SAF012_passes_where_all_are_masked():
    """Nothing can put the host to sleep."""
    assert PASS == of_host("SAF012", **RUNS, **{SLEEP: "masked\nmasked\n"}).outcome


def test_SAF012_skips_without_a_running_guest():
    """An idle host may sleep."""
    assert SKIP == of_host("SAF012", **{SLEEP: "static\n"}).outcome


def test_SAF012_unknown_without_the_targets():
    """Nobody asked systemd."""
    assert UNKNOWN == of_host("SAF012", **RUNS).outcome

    assert UNKNOWN == of_host("SAF012", **{SLEEP: "static\n", "virsh/list": Status.DENIED,
                         "virsh/dumpxml": Status.DENIED}).outcome  # fmt: skip


# -- SAF013


def test_SAF013_fails_on_a_binding_by_hand():
    """nodedev-detach, and a guest with managed='no'."""
    assert FAIL == of_device("SAF013", GUEST).outcome
    assert FAIL == of_device("SAF013", GUEST, **guests("nfv1", GUEST, managed="no")).outcome


@pytest.mark.parametrize(
    "items",
    [line("vfio-pci.ids=8086:1572"), pin(GUEST), guests("nfv1", GUEST, runs=True)],
    ids=["id", "pin", "managed"],
)
def test_SAF013_passes_on_what_lasts(items):
    """An id, a pin, a managed hostdev."""
    assert PASS == of_device("SAF013", GUEST, **items).outcome


def test_SAF013_skips_what_is_not_bound():
    """There is no binding to lose."""
    assert SKIP == of_device("SAF013", SPARE).outcome


@pytest.mark.parametrize(
    "name",
    ["proc/cmdline", "etc/modprobe.d/", "etc/driverctl.d/", "etc/udev/rules.d/", "virsh/list"],
)
def test_SAF013_unknown_where_something_may_bind_it(name):
    """To say that nothing binds it, every place has to be read."""
    items = {name: Status.NOT_COLLECTED}
    if name == "virsh/list":
        items |= {
            "virsh/dumpxml": Status.NOT_COLLECTED,
            "virsh/dumpxml-inactive": Status.NOT_COLLECTED,
        }

    assert UNKNOWN == of_device("SAF013", GUEST, **items).outcome


def test_SAF013_unknown_where_a_command_loads_vfio():
    """An install line of modprobe may bind anything."""
    items = {
        "etc/modprobe.d/": "v.conf",
        "etc/modprobe.d/v.conf": "install vfio-pci /sbin/bind.sh\n",
    }

    assert UNKNOWN == of_device("SAF013", GUEST, **items).outcome


# -- SAF014


def test_SAF014_fails_on_an_option_that_hides():
    """In the running kernel, and in what the next load reads."""
    running = {"sys/module": "vfio_pci=\nvfio_pci/parameters/disable_denylist=Y"}
    stored = {
        "etc/modprobe.d/": "v.conf",
        "etc/modprobe.d/v.conf": "options vfio-pci disable_denylist\n",
    }

    assert FAIL == of_host("SAF014", **running).outcome
    assert FAIL == of_host("SAF014", **stored).outcome


def test_SAF014_passes_on_the_defaults():
    """State beats configuration; a module that is not loaded has its settings only."""
    running = {"sys/module": "vfio_pci=\nvfio_pci/parameters/disable_denylist=N"}

    assert PASS == of_host("SAF014", **running).outcome
    assert PASS == of_host("SAF014", **{"sys/module": "kvm="}).outcome


@pytest.mark.parametrize("name", ["sys/module", "etc/modprobe.d/"])
def test_SAF014_unknown_without_state_and_settings(name):
    """An option that was not read may be set."""
    assert UNKNOWN == of_host("SAF014", **{"sys/module": "kvm=", name: Status.DENIED}).outcome


# -- SAF016


@pytest.mark.parametrize(
    "items",
    [
        {"ip/addr": addresses(br0="192.0.2.5/24", eth1="203.0.113.5/24")},
        {"sys/class/net": f"{NET}\nbr1->../../devices/virtual/net/br1\nbr1/lower_eth1="},
    ],
)
def test_SAF016_fails_on_what_the_host_still_has_there(items):
    """An address, a bridge port."""
    assert FAIL == of_device("SAF016", SPARE, **items).outcome


def test_SAF016_fails_on_held_volumes():
    """LUKS holds a partition of the drive."""
    assert "nvme0n1p2 is held by" in of_device("SAF016", DISK).actual


def test_SAF016_passes_on_a_card_without_settings():
    """Nothing but a name."""
    assert PASS == of_device("SAF016", SPARE).outcome
    assert PASS == of_device("SAF016", GUEST, **{"sys/class/net": Status.DENIED}).outcome


def test_SAF016_unknown_without_the_graphs():
    """Silence is no proof."""
    assert UNKNOWN == of_device("SAF016", SPARE, **{"ip/addr": Status.DENIED}).outcome


# -- all of them


@pytest.mark.parametrize("id", ["SAF004", "SAF005", "SAF009", "SAF010", "SAF012", "SAF014"])
def test_nothing_is_concluded_from_nothing(id):
    """Without any evidence no check of the host passes or does not apply."""
    assert UNKNOWN == ask(id, hypervisor({})).outcome


HOSTILE = "eth0\x1b[31m;rm -rf /\u202e"


def test_hostile_names_stay_in_one_line():
    """Names come from the host: the message may show them, and stays one line."""
    net = NET.replace("eth0", HOSTILE)
    verdict = of_device("SAF001", NIC, **{"sys/class/net": net})

    assert FAIL == verdict.outcome
    assert "\n" not in verdict.message
