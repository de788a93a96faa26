"""The checks of the drivers."""

from __future__ import annotations

import pytest

from pytest_vfio.check import Outcome, Severity, Verdict
from pytest_vfio.evidence import Status
from tests.ask import ask, what_to_do
from tests.hosts import guest_xml as guestxml
from tests.hosts import plain as build
from tests.hosts.booting import BUILTIN, CONFIG, NIC, host, nobody, told

CONF = {"etc/modprobe.d/": "v.conf", "etc/modprobe.d/v.conf": "options vfio-pci ids=8086:1572\n"}
IDS = told("intel_iommu=on iommu=pt vfio-pci.ids=8086:1572")
NO_VFIO = {
    "sys/module": "i40e=\n",
    "proc/modules": "i40e 1 0\n",
    "sys/bus/pci/drivers": "i40e=\n",
    "modules.dep": "kernel/virt/kvm.ko\n",
}


def blacklist(text: str) -> dict[str, object]:
    return {"etc/modprobe.d/": "b.conf", "etc/modprobe.d/b.conf": text}


def device(id: str, *changes: dict[str, object], driver: str = "i40e") -> Verdict:
    """What a check says of the NIC, which is bound to its host driver."""
    merged = {name: what for change in changes for name, what in change.items()}
    found = host(merged, driver=driver)
    return ask(id, found, found.intent.known[0])


# -- DRV001


def test_DRV001_fails_where_there_is_no_vfio_pci():
    """Neither loaded, built in, bound nor a file."""
    assert Outcome.FAIL == ask("DRV001", host(NO_VFIO, driver="i40e")).outcome


def test_DRV001_fails_where_the_kernel_was_built_without():
    """The configuration proves it where modules.dep was not read."""
    config = CONFIG.replace("CONFIG_VFIO_PCI=m", "# CONFIG_VFIO_PCI is not set")
    changes = {**NO_VFIO, "modules.dep": Status.DENIED, "kernel-config": config}

    assert Outcome.FAIL == ask("DRV001", host(changes, driver="i40e")).outcome


@pytest.mark.parametrize(
    "changes",
    [
        {},
        {**NO_VFIO, "modules.dep": "kernel/vfio/vfio-pci.ko.zst: kernel/vfio/vfio.ko.zst\n"},
        {**NO_VFIO, "modules.builtin": "kernel/drivers/vfio/pci/vfio-pci.ko\n"},
        {**NO_VFIO, "sys/bus/pci/drivers": "vfio-pci=\n"},
        {**NO_VFIO, "dmesg": "[ 10.8] vfio_pci: add [8086:1572[ffffffff:ffffffff]] class 0x0\n"},
    ],
)
def test_DRV001_passes_where_vfio_pci_is_anywhere(changes):
    """lsmod does not list what is built in; the log's line proves presence."""
    assert Outcome.PASS == ask("DRV001", host(changes, driver="i40e")).outcome


def test_DRV001_unknown_where_the_module_files_were_not_listed():
    """A build option m does not prove that the package is installed."""
    changes = {**NO_VFIO, "modules.dep": Status.NOT_COLLECTED}

    assert Outcome.UNKNOWN == ask("DRV001", host(changes, driver="i40e")).outcome
    assert Outcome.UNKNOWN == ask("DRV001", nobody()).outcome


# -- DRV002


def test_DRV002_fails_where_a_built_in_driver_has_options_in_modprobe_d():
    """Ubuntu builds vfio-pci in."""
    found = ask("DRV002", host({**CONF, **BUILTIN}))

    assert (Outcome.FAIL, "vfio-pci.ids=8086:1572 on the kernel command line") == (
        found.outcome,
        found.expected,
    )


def test_DRV002_passes_for_a_module_or_with_the_word_on_the_line():
    """Where modprobe reads it, or where it stands in both places."""
    assert Outcome.PASS == ask("DRV002", host(CONF)).outcome
    assert Outcome.PASS == ask("DRV002", host({**CONF, **BUILTIN, **IDS})).outcome
    assert Outcome.PASS == ask("DRV002", host(BUILTIN)).outcome


def test_DRV002_unknown_where_modprobe_d_or_the_driver_is_not_known():
    """Both are needed."""
    lost = dict.fromkeys(
        ("sys/module", "proc/modules", "modules.builtin", "kernel-config", "modules.dep"),
        Status.DENIED,
    )
    assert Outcome.UNKNOWN == ask("DRV002", host({**CONF, **lost})).outcome
    assert Outcome.UNKNOWN == ask("DRV002", host({"etc/modprobe.d/": Status.DENIED})).outcome


# -- DRV003 to DRV005

IMAGE = "usr/lib/modules/x/kernel/drivers/net/ethernet/intel/i40e/i40e.ko.xz\n"
VFIO = "usr/lib/modules/x/kernel/drivers/vfio/pci/vfio-pci.ko.xz\n"


def test_DRV003_fails_where_only_the_host_driver_is_in_the_initramfs():
    """i40e binds there, vfio-pci comes too late."""
    found = device("DRV003", IDS, {"initramfs": IMAGE})

    assert (Outcome.FAIL, "vfio-pci in the initramfs") == (found.outcome, found.expected)
    assert "update-initramfs -u -k all" in what_to_do(found)


def test_DRV003_fails_but_stops_nobody_where_libvirt_binds():
    """managed='yes' and the guest off: the ids are idle, and the guest starts all the same."""
    found = device(
        "DRV003",
        IDS,
        {"initramfs": IMAGE, **guestxml.host(guestxml.domain("a", guestxml.hostdev(NIC)))},
    )

    assert (Outcome.FAIL, Severity.DEGRADED) == (found.outcome, found.severity)


def test_DRV003_fails_where_the_options_were_not_copied():
    """dracut copies modprobe.d into host-only images alone."""
    found = device("DRV003", CONF, {"initramfs": IMAGE + VFIO})

    assert (Outcome.FAIL, "/etc/modprobe.d/v.conf in the initramfs") == (
        found.outcome,
        found.expected,
    )


@pytest.mark.parametrize(
    ("changes", "driver"),
    [
        ({**IDS, "initramfs": IMAGE}, "vfio-pci"),
        ({**IDS, "initramfs": IMAGE + VFIO}, "i40e"),
        ({**CONF, "initramfs": IMAGE + VFIO + "etc/modprobe.d/v.conf\n"}, "i40e"),
        ({**IDS, "initramfs": "bin/busybox\n"}, "i40e"),
        ({**IDS, **BUILTIN, "initramfs": IMAGE}, "i40e"),
    ],
)
def test_DRV003_passes_where_the_initramfs_is_not_to_blame(changes, driver):
    """Bound, both in it, neither in it, or built in."""
    assert Outcome.PASS == device("DRV003", changes, driver=driver).outcome


def test_DRV003_skips_where_no_id_asks_for_it():
    """libvirt binds it later, or nobody does."""
    assert Outcome.SKIP == device("DRV003").outcome


def test_DRV003_unknown_without_a_listing_of_the_initramfs():
    """Nobody knows what it holds."""
    assert Outcome.UNKNOWN == device("DRV003", IDS, {"initramfs": Status.DENIED}).outcome


def test_DRV004_fails_where_nothing_loads_vfio_pci_first():
    """A softdep that names another module has no effect."""
    none = {"etc/initramfs-tools/modules": "# none\n"}
    assert Outcome.FAIL == device("DRV004", IDS, none).outcome

    wrong = blacklist("softdep ixgbe pre: vfio-pci\n")
    found = device("DRV004", IDS, none, wrong)
    assert (Outcome.FAIL, "softdep ixgbe pre: vfio-pci") == (found.outcome, found.actual)


@pytest.mark.parametrize(
    "changes",
    [
        {},  # /etc/initramfs-tools/modules has it
        {"etc/initramfs-tools/modules": None, **blacklist("softdep i40e pre: vfio vfio-pci\n")},
        {
            "etc/initramfs-tools/modules": None,
            "etc/dracut.conf.d/": "v.conf",
            "etc/dracut.conf.d/v.conf": 'force_drivers+=" vfio vfio_pci "\n',
        },
        {"etc/initramfs-tools/modules": None, "etc/mkinitcpio.conf": "MODULES=(vfio_pci i40e)\n"},
        {
            "etc/initramfs-tools/modules": None,
            **told("vfio-pci.ids=8086:1572 rd.driver.pre=vfio-pci"),
        },
    ],
)
def test_DRV004_passes_where_something_does(changes):
    """initramfs-tools, softdep, dracut, mkinitcpio, rd.driver.pre."""
    assert Outcome.PASS == device("DRV004", IDS, changes).outcome


def test_DRV004_unknown_where_lists_or_modprobe_d_were_not_read():
    """A list that was not read may have it."""
    none = {"etc/initramfs-tools/modules": "# none\n"}
    for name in ("etc/modprobe.d/", "etc/dracut.conf.d/", "etc/mkinitcpio.conf"):
        assert Outcome.UNKNOWN == device("DRV004", IDS, none, {name: Status.DENIED}).outcome


BUILT_NIC = {
    "modules.builtin": "kernel/drivers/net/i40e.ko\n",
    "sys/module": "i40e=\nvfio_pci=\nvfio_pci/initstate=live\n",
    "kernel-config": CONFIG.replace("CONFIG_I40E=m", "CONFIG_I40E=y"),
}


def test_DRV005_fails_where_the_host_driver_is_built_in():
    """It probes before any module."""
    found = device("DRV005", IDS, BUILT_NIC)

    assert (Outcome.FAIL, "i40e") == (found.outcome, found.actual)
    rule = what_to_do(found)[0]
    assert f'KERNEL=="{NIC}"' in rule
    assert 'ATTR{driver_override}="vfio-pci"' in rule


def test_DRV005_passes_where_it_is_a_module_or_vfio_pci_is_built_in():
    """Or where the device is on vfio-pci."""
    assert Outcome.PASS == device("DRV005", IDS).outcome
    assert Outcome.PASS == device("DRV005", IDS, BUILTIN).outcome
    assert Outcome.PASS == device("DRV005", IDS, BUILT_NIC, driver="vfio-pci").outcome


def test_DRV005_unknown_where_nobody_knows_the_driver_or_what_is_built_in():
    """The device's driver, and modules.builtin."""
    lost = dict.fromkeys(
        ("sys/module", "proc/modules", "modules.builtin", "kernel-config", "modules.dep"),
        Status.DENIED,
    )
    assert Outcome.UNKNOWN == device("DRV005", IDS, lost).outcome
    assert Outcome.UNKNOWN == device("DRV005", {"proc/cmdline": Status.DENIED}).outcome


# -- DRV006


@pytest.mark.parametrize(
    "changes",
    [
        blacklist("blacklist vfio-pci\n"),
        blacklist("blacklist vfio_pci # old\n"),
        blacklist("install vfio-pci /bin/false\n"),
        blacklist("install vfio_iommu_type1 /usr/bin/true\n"),
        told("module_blacklist=nouveau,vfio-pci"),
        told("modprobe.blacklist=vfio_pci"),
    ],
)
def test_DRV006_fails_where_a_driver_of_vfio_is_forbidden(changes):
    """A blocker, or degraded where it is loaded in spite of it."""
    assert Severity.DEGRADED == ask("DRV006", host(changes)).severity
    forbidden = ask("DRV006", host({**NO_VFIO, **changes}, driver="i40e"))
    assert (Outcome.FAIL, Severity.BLOCKER) == (forbidden.outcome, forbidden.severity)


def test_DRV006_passes_where_none_is():
    """Other modules may be; what is built in cannot be kept away."""
    assert Outcome.PASS == ask("DRV006", host(blacklist("blacklist nouveau\n"))).outcome
    built = {**BUILTIN, **blacklist("blacklist vfio-pci\n")}
    assert Outcome.PASS == ask("DRV006", host(built)).outcome
    hidden = {
        **blacklist("# blacklist vfio-pci\n"),
        "usr/lib/modprobe.d/": "b.conf",
        "usr/lib/modprobe.d/b.conf": "blacklist vfio-pci\n",
    }
    assert Outcome.PASS == ask("DRV006", host(hidden)).outcome


def test_DRV006_unknown_where_modprobe_d_was_not_read():
    """The line may stand there."""
    assert Outcome.UNKNOWN == ask("DRV006", host({"etc/modprobe.d/": Status.DENIED})).outcome


# -- DRV007


def test_DRV007_fails_where_a_blacklisted_driver_has_the_device():
    """blacklist only stops loading by alias."""
    found = device("DRV007", blacklist("blacklist i40e\n"))

    assert (Outcome.FAIL, "etc/modprobe.d/b.conf") == (found.outcome, found.evidence[1].source)
    assert Outcome.FAIL == device("DRV007", told("modprobe.blacklist=i40e")).outcome


def test_DRV007_passes_where_it_is_not_blacklisted_or_not_bound():
    """Another module's line does not count."""
    assert Outcome.PASS == device("DRV007", blacklist("blacklist i40evf\n")).outcome
    assert (
        Outcome.PASS == device("DRV007", blacklist("blacklist i40e\n"), driver="vfio-pci").outcome
    )


def test_DRV007_unknown_where_modprobe_d_was_not_read():
    """The line may stand there."""
    assert Outcome.UNKNOWN == device("DRV007", {"etc/modprobe.d/": Status.DENIED}).outcome


# -- DRV008, DRV010, DRV011

NEW = {
    "proc/sys/kernel/osrelease": "6.8.0-40-generic\n",
    "uname": "Linux a 6.8.0-40-generic x86_64\n",
}


@pytest.mark.parametrize(
    "changes",
    [
        {"etc/modules": "vfio\nvfio_virqfd\n"},
        {"etc/initramfs-tools/modules": "vfio_virqfd\n"},
        {"etc/modules-load.d/": "v.conf", "etc/modules-load.d/v.conf": "vfio_virqfd\n"},
        {"etc/mkinitcpio.conf": "MODULES=(vfio_pci vfio vfio_virqfd)\n"},
        {
            "etc/dracut.conf.d/": "v.conf",
            "etc/dracut.conf.d/v.conf": 'add_drivers+=" vfio_virqfd "\n',
        },
    ],
)
def test_DRV008_fails_where_a_list_names_vfio_virqfd(changes):
    """It is part of vfio since 6.2."""
    assert Outcome.FAIL == ask("DRV008", host({**NEW, **changes})).outcome


def test_DRV008_passes_where_no_list_does():
    """Comments do not count; older kernels have the module."""
    assert Outcome.PASS == ask("DRV008", host({**NEW, "etc/modules": "#vfio_virqfd\n"})).outcome
    assert Outcome.SKIP == ask("DRV008", host({"etc/modules": "vfio_virqfd\n"})).outcome


def test_DRV008_unknown_where_a_list_was_not_read():
    """It may be named there."""
    assert Outcome.UNKNOWN == ask("DRV008", host({**NEW, "etc/modules": Status.DENIED})).outcome


NO_TYPE1 = {
    "sys/module": "vfio=\nvfio/initstate=live\nvfio_pci=\nvfio_pci/initstate=live\n",
    "proc/modules": "vfio 1 0\nvfio_pci 1 0\n",
}


def test_DRV010_fails_where_vfio_is_loaded_without_a_backend():
    """Type 1 is a module and was not loaded."""
    assert Outcome.FAIL == ask("DRV010", host(NO_TYPE1)).outcome


def test_DRV010_fails_where_the_backend_does_not_exist():
    """Nor can it be loaded."""
    assert Outcome.FAIL == ask("DRV010", host(NO_VFIO, driver="i40e")).outcome


def test_DRV010_passes_where_the_backend_is_there_or_can_be_loaded():
    """VFIO itself is not loaded before it is needed; iommufd may stand in."""
    later = {**NO_VFIO, "modules.dep": "kernel/vfio/vfio.ko\nkernel/vfio/vfio_iommu_type1.ko\n"}
    instead = {**NEW, **NO_TYPE1, "kernel-config": CONFIG + "CONFIG_IOMMUFD_VFIO_CONTAINER=y\n"}

    assert Outcome.PASS == ask("DRV010", host()).outcome
    assert Outcome.PASS == ask("DRV010", host(later, driver="i40e")).outcome
    assert Outcome.PASS == ask("DRV010", host(instead)).outcome


def test_DRV010_unknown_where_nobody_listed_what_is_loaded():
    """Neither /sys/module nor proc/modules."""
    lost = dict.fromkeys(("sys/module", "proc/modules"), Status.NOT_COLLECTED)

    assert Outcome.UNKNOWN == ask("DRV010", host(lost)).outcome


def test_DRV011_fails_where_the_kernel_was_built_without_the_driver():
    """Debian's cloud kernel has no AMD IOMMU; remapping is needed, too."""
    amd = {"sys/firmware/acpi/tables/DMAR": None, "sys/firmware/acpi/tables/IVRS": b"IVRS"}
    config = CONFIG.replace("CONFIG_AMD_IOMMU=y", "# CONFIG_AMD_IOMMU is not set")
    assert Outcome.FAIL == ask("DRV011", host({**amd, "kernel-config": config})).outcome

    config = CONFIG.replace("CONFIG_IRQ_REMAP=y\n", "")
    assert Outcome.FAIL == ask("DRV011", host({"kernel-config": config})).outcome


def test_DRV011_passes_where_the_driver_of_this_machine_is_there():
    """The other vendor's may be left out."""
    config = CONFIG.replace("CONFIG_AMD_IOMMU=y", "# CONFIG_AMD_IOMMU is not set")

    assert Outcome.PASS == ask("DRV011", host({"kernel-config": config})).outcome


def test_DRV011_unknown_without_the_kernels_configuration():
    """Nor does the log tell."""
    lost = {"kernel-config": Status.NOT_COLLECTED}

    assert Outcome.UNKNOWN == ask("DRV011", host(lost)).outcome


def test_no_evidence_at_all_leaves_every_host_check_unknown():
    """Nothing passes on nothing."""
    for id in ("DRV001", "DRV002", "DRV006", "DRV008", "DRV010", "DRV011"):
        assert Outcome.UNKNOWN == ask(id, build.hypervisor({})).outcome
