"""Which known messages logs and pasted texts have: about a device, and about the host as a whole."""

from pytest_vfio.check import (
    BLOCKER,
    DEGRADED,
    SECURITY,
    Severity,
    Verdict,
    check,
    fails,
    passes,
    skips,
)
from pytest_vfio.cures import by_hand as cures
from pytest_vfio.facts.host.messages import Said
from pytest_vfio.facts.tristate import require
from pytest_vfio.hypervisor import said
from pytest_vfio.hypervisor.hypervisor import Hypervisor
from pytest_vfio.hypervisor.intent import IntendedDevice
from pytest_vfio.parse.messages import ROWS, Weight

_SEVERITY = {Weight.STOPS: BLOCKER, Weight.EXPOSES: SECURITY, Weight.HURTS: DEGRADED}
_REFS = tuple(dict.fromkeys(ref for row in ROWS for ref in row.refs))


@check("MSG001", severity=BLOCKER, needs=["IOM001"], refs=_REFS, since="0.2")
def test_logs_have_no_known_error_about_the_device(
    hypervisor: Hypervisor, device: IntendedDevice
) -> Verdict:
    """Logs have no known error message about the device

    Checks:
        That there is no message of the kernel, VFIO, QEMU, libvirt or a container runtime about
        the device which is known to stop, hurt or expose it. One that a later line takes back does
        not count.
    Why it matters:
        The message is the reason why the device does not reach its guest.
    Evidence:
        A pasted text as a whole; else the logs of the kernel, QEMU and libvirt, where the state
        of the devices was not read. What the text shows of that state explains the message.
    Fix:
        What the message asks for; `pytest --explain 'TEXT OF THE MESSAGE'` prints its page.
    Fix safety:
        Depends on the message: a person decides.
    References:
        The entries of the failure catalogue that the message is a sign of.
    """
    return _judged(hypervisor, device.name)


@check("MSG002", severity=BLOCKER, refs=_REFS, since="0.2")
def test_logs_have_no_known_error_about_the_host(hypervisor: Hypervisor) -> Verdict:
    """Logs have no known error message about the host

    Checks:
        That there is no message which is known to stop, hurt or expose passthrough, and
        which names no device that is to be passed through.
    Why it matters:
        The message is the reason why passthrough fails, as reported by what refused it.
    Evidence:
        A pasted text as a whole; else the logs of the kernel, QEMU and libvirt, where the state
        of the devices was not read. What the text shows of that state explains the message.
    Fix:
        What the message asks for; `pytest --explain 'TEXT OF THE MESSAGE'` prints its page.
    Fix safety:
        Depends on the message: a person decides.
    References:
        The entries of the failure catalogue that the message is a sign of.
    """
    return _judged(hypervisor, None)


def _judged(hypervisor: Hypervisor, name: str | None) -> Verdict:
    messages = hypervisor.messages
    if not messages.are_all_there_is:
        return skips("the state of the devices was read, and is judged instead of what was logged")
    found = said.about(hypervisor, name)
    if found:
        return _fails(hypervisor, found, name)
    if not messages.items:
        require(messages)
    if messages.lacking:
        return skips("what was read of the logs has no known error message")
    return passes("the logs have no known error message", evidence=messages.items[0].quote())


def _fails(hypervisor: Hypervisor, found: tuple[Said, ...], name: str | None) -> Verdict:
    first = found[0]
    row = first.message.row
    subject = name or first.message.device or ""
    means = "".join([row.means.rstrip("."), *said.behind(hypervisor, first)])
    return fails(
        f"{subject}: {means}" if subject else means,
        actual=first.message.text[:400],
        expected="no such message",
        evidence=[one.quote for one in found],
        refs=row.refs,
        signs=row.refs,
        acts=row.acts,
        severity=_severity(first),
        cure=cures.of_message(row.cure, first.message.commands),
    )


def _severity(one: Said) -> Severity:
    """By what the message does; one about a device of the host does not stop a guest."""
    concerns = one.for_guests or one.message.device is None
    return _SEVERITY[one.message.row.weight] if concerns else DEGRADED
