"""What the guest's state, its log and the guest itself report of its devices."""

from pytest_vfio.check import ADVICE, BLOCKER, DEGRADED, Verdict, check, fails, passes, skips
from pytest_vfio.cures import domain as domain_cures
from pytest_vfio.cures import libvirt as libvirt_cures
from pytest_vfio.cures import sriov as sriov_cures
from pytest_vfio.evidence import Item, Missing, Status
from pytest_vfio.facts.iommu import irqlines
from pytest_vfio.facts.libvirt.guests import Domain
from pytest_vfio.facts.tristate import require
from pytest_vfio.hypervisor import guestview
from pytest_vfio.hypervisor.hypervisor import Hypervisor
from pytest_vfio.parse import qemulog
from pytest_vfio.parse.hostdevs import Hostdev


@check(
    "GST011",
    severity=DEGRADED,
    needs=["IOM001", "IOM002", "LIB007"],
    refs=[known.ref for known in qemulog.QEMU],
)
def test_qemu_log_reports_no_vfio_failure(hypervisor: Hypervisor, guest: Domain) -> Verdict:
    """QEMU's log of the guest reports no VFIO failure

    Checks:
        That the guest's last start left none of the errors in QEMU's log that are known to come
        from VFIO. A blocker where that start is of this boot and the guest does not run.
    Why it matters:
        QEMU logs what the kernel refuses. The log is history: what it names may be fixed since,
        which is why the state of the host is judged by other checks.
    Evidence:
        /var/log/libvirt/qemu/NAME.log from its last "starting up" on.
    Fix:
        Fix what the line names, and start the guest again.
    Fix safety:
        Depends on what the line names.
    References:
        The entries of the failure catalogue that the line is an instance of.
    """
    if not guest.hostdevs:
        require(guest)
        return skips(f"{guest.name} has no host device")
    log = qemulog.last_start(hypervisor.libvirt.qemu_log(guest.name))
    signs = list(qemulog.signs(log, qemulog.QEMU))
    if not signs and log.status is not Status.ABSENT and not log.whole:
        loose = qemulog.last_start(hypervisor.libvirt.loose_qemu_log)
        signs = [sign for sign in qemulog.signs(loose, qemulog.QEMU) if _names(sign, guest)]
        if not signs:
            raise Missing(log)
    if not signs:
        return passes(f"QEMU's log of {guest.name} has no known error", evidence=log.quote())
    last = signs[-1]
    return fails(
        f"QEMU's log of {guest.name}: {last.known.meaning}: {last.quote.line}",
        actual=f"{len(signs)} known errors, the last: {last.known.meaning}",
        expected="no known error of VFIO",
        evidence=list({sign.known.ref: sign.quote for sign in signs}.values()),
        refs=dict.fromkeys(sign.known.ref for sign in signs),
        acts=last.known.acts,
        severity=BLOCKER if _holds_still(hypervisor, guest, log) else None,
        cure=libvirt_cures.look_into_log(),
    )


def _holds_still(hypervisor: Hypervisor, guest: Domain, log: Item) -> bool:
    """The last start failed in this boot of the host, and nothing has run since."""
    started, booted = qemulog.started(log), hypervisor.platform.boot_time
    if guest.running is not False or started is None or booted is None:
        return False
    return started >= booted


def _names(sign: qemulog.Sign, guest: Domain) -> bool:
    """Whether a line of a log of an unknown guest names a device of this one."""
    return any(hostdev.address and hostdev.address in sign.quote.line for hostdev in guest.hostdevs)


@check("GST021", severity=DEGRADED, refs=["F160"])
def test_shutdown_of_the_host_does_not_suspend_the_guest(
    hypervisor: Hypervisor, guest: Domain
) -> Verdict:
    """Shutdown of the host does not suspend the guest

    Checks:
        That libvirt-guests does not suspend running guests, where one of them has a host device
        that cannot leave it.
    Why it matters:
        A guest with a host device cannot be saved. It would be killed when the host goes down.
    Evidence:
        ON_SHUTDOWN of /etc/default/libvirt-guests or /etc/sysconfig/libvirt-guests; the hostdevs.
    Fix:
        ON_SHUTDOWN=shutdown.
    Fix safety:
        Safe: it acts when the host goes down. Can be undone.
    References:
        F160; libvirt tools/libvirt-guests.sh.in; src/qemu/qemu_migration.c.
    """
    staying = [hostdev for hostdev in guest.hostdevs if not hostdev.transient]
    if not staying:
        require(guest)
        return skips(f"{guest.name} has no host device that would stay")
    setting = hypervisor.libvirt.on_shutdown
    if setting is None:
        return skips("libvirt-guests has no settings on this host")
    word, quote = setting
    if word != "suspend":
        return passes(f"libvirt-guests has ON_SHUTDOWN={word}", evidence=quote)
    return fails(
        f"libvirt-guests would suspend {guest.name}, which has {staying[0].address}",
        actual="ON_SHUTDOWN=suspend",
        expected="ON_SHUTDOWN=shutdown",
        evidence=[quote, staying[0].quote],
        acts="os",
        cure=domain_cures.shut_down_instead(quote.source, quote.line),
    )


@check("GST026", severity=DEGRADED, refs=["F116"])
def test_guest_is_not_paused(hypervisor: Hypervisor, guest: Domain) -> Verdict:
    """Guest is not paused

    Checks:
        That a guest with host devices is not paused.
    Why it matters:
        After an unrecoverable error of an assigned device QEMU stops the guest, and only then. It
        may also have been paused by hand.
    Evidence:
        virsh list, or the status file of the running guest; QEMU's log.
    Fix:
        Look at the reason; after an unrecoverable error destroy the guest and reset the device.
    Fix safety:
        Manual.
    References:
        F116; QEMU hw/vfio/pci.c, vfio_err_notifier_handler.
    """
    if not guest.hostdevs:
        require(guest)
        return skips(f"{guest.name} has no host device")
    if guest.state == "paused":
        log = qemulog.last_start(hypervisor.libvirt.qemu_log(guest.name))
        error = [s.quote for s in qemulog.signs(log, qemulog.QEMU) if s.known.ref == "F116"]
        return fails(
            f"{guest.name} is paused{', after an unrecoverable device error' if error else ''}",
            actual="paused",
            expected="running, or shut off",
            evidence=[guest.quote, *error],
            acts="guest",
            severity=BLOCKER if error else None,
            cure=domain_cures.resume(guest.name),
        )
    require(*guest.lacks("running"))
    if guest.running and guest.state is None:
        raise Missing(hypervisor.evidence.item("virsh/list"))
    return passes(f"{guest.name} is {guest.state or 'not running'}", evidence=guest.quote)


@check("GST027", severity=DEGRADED, needs=["GST003"], refs=["F170", "F171", "F180"])
def test_guest_sees_its_device(hypervisor: Hypervisor, hostdev: Hostdev) -> Verdict:
    """Guest sees its device

    Checks:
        That inside the running guest there are as many functions with the device's vendor:device
        id as its live XML assigns. Without a view from inside, that the guest's driver has switched
        interrupts of the device on: advice where it has not, for it may still boot or poll.
    Why it matters:
        A hostdev in the XML does not prove that the guest found the device and has a driver for it.
    Evidence:
        lspci -nn from inside the guest, where it was recorded; else the lines vfio-msix[...] and
        their like of the device in /proc/interrupts of the host.
    Fix:
        Stop and start the guest; look into its kernel log.
    Fix safety:
        Manual.
    References:
        F170, F171, F180.
    """
    domain = hypervisor.guests.owner(hostdev)
    require(*domain.lacks("running", "live"))
    if not domain.running:
        return skips(f"{hostdev.guest} does not run")
    if not hostdev.live:
        return skips(f"{hostdev.guest} does not have {hostdev.address} now")
    item = guestview.item(hypervisor, hostdev.guest)
    wanted = hypervisor.pci.get(hostdev.address) if hostdev.address else None
    if wanted is None:
        return skips(f"{hostdev.address or hostdev.raw} does not exist on the host")
    if not item.data and hostdev.address:
        return _by_interrupts(hypervisor, hostdev.guest, hostdev.address)
    inside = guestview.ids(item)
    mates = guestview.alike(hypervisor, domain, wanted.id)
    if inside.count(wanted.id) >= mates:
        return passes(f"{hostdev.guest} sees {wanted.id}", evidence=item.quote(f"[{wanted.id}]"))
    require(item)
    return fails(
        f"{hostdev.guest} sees {inside.count(wanted.id)} of {mates} functions {wanted.id}",
        actual=f"{inside.count(wanted.id)} functions {wanted.id}",
        expected=mates,
        evidence=[hostdev.quote, item.quote(f"no [{wanted.id}]")],
        refs=["F171"],
        acts="guest",
        severity=BLOCKER,
        cure=domain_cures.look_inside(hostdev.guest),
    )


def _by_interrupts(hypervisor: Hypervisor, guest: str, address: str) -> Verdict:
    """What the host sees of a guest's driver: the interrupts that it has switched on."""
    lines = irqlines.of_guest(hypervisor.evidence, address)
    if lines:
        return passes(f"{guest} uses {len(lines)} interrupts of {address}", evidence=lines[:4])
    return fails(
        f"{guest} has switched no interrupt of {address} on",
        actual="no interrupt",
        expected="interrupts that the guest's driver uses",
        evidence=hypervisor.evidence.item(irqlines.ITEM).quote(f"(no vfio-*({address}))"),
        refs=["F170"],
        acts="guest",
        severity=ADVICE,
        cure=domain_cures.look_inside(guest),
    )


@check("GST028", severity=ADVICE, needs=["SRV001"], refs=["F159", "F129"])
def test_udev_creates_the_vf_of_the_autostart_guest(
    hypervisor: Hypervisor, hostdev: Hostdev
) -> Verdict:
    """udev creates the VF of the autostart guest

    Checks:
        For a guest that has autostart and a VF: that udev creates the VFs, as soon as the PF
        appears, and not something that may run after libvirt.
    Why it matters:
        Otherwise the guest fails at the host's boot, "Device ... not found", and starts by hand
        later.
    Evidence:
        Autostart; /etc/udev/rules.d; the VF's PF.
    Fix:
        Create the VFs by a udev rule, or order the unit that creates them before libvirt's.
    Fix safety:
        Safe: it acts at the next boot. Can be undone.
    References:
        F159, F129; systemd.link(5), SR-IOVVirtualFunctions.
    """
    domain = hypervisor.guests.owner(hostdev)
    require(*domain.lacks("autostart"))
    if not domain.autostart:
        return skips(f"{hostdev.guest} has no autostart")
    function = hypervisor.pci.get(hostdev.address) if hostdev.address else None
    if function is None or function.physfn is None:
        return skips(f"{hostdev.address or hostdev.raw} is no VF")
    found = guestview.makers(hypervisor.evidence)
    if found:
        return passes(f"udev creates VFs such as {hostdev.address}", evidence=found)
    return fails(
        f"{hostdev.guest} has autostart with VF {hostdev.address}, which no udev rule creates",
        actual="created by something else",
        expected="created by udev, or ordered before libvirt",
        evidence=[domain.autostart_quote, function.quote("physfn")],
        refs=["F159"],
        cure=sriov_cures.make_vfs_early(function.physfn, hypervisor.pci.known.get(function.physfn)),
    )
