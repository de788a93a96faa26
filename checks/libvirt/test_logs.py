"""What the logs of libvirt and the kernel's audit report of passthrough."""

from collections.abc import Iterable

from pytest_vfio.check import BLOCKER, DEGRADED, Verdict, check, fails, passes
from pytest_vfio.cures import libvirt as cures
from pytest_vfio.evidence import Missing, Quote, Status
from pytest_vfio.facts.kernel import devicelog
from pytest_vfio.facts.tristate import require
from pytest_vfio.hypervisor.hypervisor import Hypervisor
from pytest_vfio.parse import qemulog


@check(
    "LIB006",
    severity=DEGRADED,
    needs=["LIB001", "LIB002", "LIB007"],
    refs=[known.ref for known in qemulog.LIBVIRT],
)
def test_libvirt_log_reports_no_passthrough_failure(hypervisor: Hypervisor) -> Verdict:
    """libvirt's log reports no passthrough failure

    Checks:
        That libvirt's log has none of the errors that are known to come from passthrough. Lines
        about a device that no guest has any more are history.
    Why it matters:
        The log reports what was tried and refused. It is history: what it names may be fixed since,
        which is why the state of the host is judged by other checks.
    Evidence:
        The journal of libvirt's daemons since the host's boot.
    Fix:
        Fix what the line names, and start the guest again.
    Fix safety:
        Depends on what the line names.
    References:
        The entries of the failure catalogue that the line is an instance of.
    """
    libvirt = hypervisor.libvirt
    signs = [
        sign
        for item in libvirt.logs
        for sign in qemulog.signs(item, qemulog.LIBVIRT)
        if _concerns_somebody(hypervisor, sign)
    ]
    if signs:
        last = signs[-1]
        return fails(
            f"libvirt's log: {last.known.meaning}: {last.quote.line}",
            actual=f"{len(signs)} known errors, the last: {last.known.meaning}",
            expected="no known error of passthrough",
            evidence=_newest(signs),
            refs=dict.fromkeys(sign.known.ref for sign in signs),
            acts=last.known.acts,
            severity=BLOCKER if last.known.ref == "F148" else None,
            cure=cures.look_into_log(),
        )
    looked_for = [item for item in libvirt.log_items if item.status is not Status.NOT_COLLECTED]
    whole = [item for item in looked_for if not item.unread]
    if not whole:
        raise Missing(*libvirt.log_items[:1])
    require(*looked_for)
    return passes("libvirt's log has no known error of passthrough", evidence=whole[0].quote())


def _concerns_somebody(hypervisor: Hypervisor, sign: qemulog.Sign) -> bool:
    """A line about a PCI function concerns those that are for guests now, and no other."""
    named = devicelog.addresses(sign.quote.line)
    if not named or hypervisor.guests.lacking:
        return True  # a guest that was not read may have it
    meant = {device.address for device in hypervisor.intent.known}
    held = any(hypervisor.guests.holding(address) for address in named)
    return held or not meant.isdisjoint(named)


def _newest(signs: Iterable[qemulog.Sign]) -> tuple[Quote, ...]:
    """The last line of each kind."""
    return tuple({sign.known.ref: sign.quote for sign in signs}.values())


@check("LIB007", severity=DEGRADED, refs=["F150", "F151"])
def test_kernel_log_reports_no_denial_of_a_vfio_node(hypervisor: Hypervisor) -> Verdict:
    """Kernel log reports no AppArmor or SELinux denial of a VFIO node

    Checks:
        That the kernel log has no denial about /dev/vfio or /dev/iommu.
    Why it matters:
        A denial gives QEMU "Permission denied" although the node's owner and mode are right.
    Evidence:
        The kernel log and its journal; an audit daemon may keep denials elsewhere.
    Fix:
        Let libvirt create the rules, by a hostdev; else a local rule.
    Fix safety:
        Unsafe: the policy protects the host from its guests. Can be undone.
    References:
        F150, F151; libvirt src/security/virt-aa-helper.c.
    """
    for known in qemulog.AUDIT:
        line = hypervisor.klog.first(known.mark)
        if line is not None:
            return fails(
                f"{known.meaning}: {line.text[: qemulog.MAX_LINE]}",
                actual="a denial",
                expected="no denial of a VFIO node",
                evidence=line.quote,
                refs=[known.ref],
                acts="libvirt",
                severity=BLOCKER,
                cure=cures.allow_node(known.ref),
            )
    require(hypervisor.klog)
    return passes("the kernel log has no denial of a VFIO node")
