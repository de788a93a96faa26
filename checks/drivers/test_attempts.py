"""What was tried to bind a device, and why it came to nothing."""

from pytest_vfio.check import BLOCKER, DEGRADED, Severity, Verdict, check, fails, passes, skips
from pytest_vfio.cures import by_hand as cures
from pytest_vfio.evidence import Quote
from pytest_vfio.facts.boot.grub import DROP_INS, FILE
from pytest_vfio.facts.pci.functions import is_vfio_driver
from pytest_vfio.facts.tristate import require
from pytest_vfio.hypervisor import attempts, handover, prospects
from pytest_vfio.hypervisor.hypervisor import Hypervisor
from pytest_vfio.hypervisor.intent import IntendedDevice
from pytest_vfio.parse import shellvars


@check("DRV012", severity=BLOCKER, needs=["DEV001", "DEV002"], refs=["F218"], since="0.2")
def test_every_setting_for_the_device_has_an_effect(
    hypervisor: Hypervisor, device: IntendedDevice
) -> Verdict:
    """Every setting for the device has an effect

    Checks:
        For a device that has to be on a VFIO driver and is not: that no setting which was made for
        it is without effect: an id that differs in a letter, a driver_override or pin that names no
        driver, a file that nothing reads, a line of modprobe.d that kmod does not know, a softdep
        that names no module.
    Why it matters:
        Nothing reports such a setting. The device stays on the host's driver, and what is seen is
        only that.
    Evidence:
        The driver and the id of the device; /etc/modprobe.d, /etc/default/grub.d, driver_override,
        /etc/driverctl.d, /etc/udev/rules.d.
    Fix:
        Correct the letter.
    Fix safety:
        The setting then takes effect, for all that it matches. Can be undone.
    References:
        F218; kmod libkmod-config.c, drivers/vfio/pci/vfio_pci.c, drivers/pci/pci-driver.c.
    """
    function = device.function
    if device.keeps_host_driver or is_vfio_driver(function.driver):
        return passes(f"{function.address} is bound to {function.driver}")
    if handover.of(hypervisor, device).now is not True:
        return skips(f"libvirt binds {function.address}, or nothing has to yet")
    attempt = next(attempts.of(hypervisor, function), None)
    if attempt is None:
        require(hypervisor.modules.modprobe)
        return passes(f"no setting for {function.address} is without effect")
    return fails(
        f"{function.address} is bound to {function.driver or 'no driver'}: {attempt.words}",
        actual=attempt.quote.line[:200],
        expected=attempt.expected,
        evidence=[attempt.quote, function.quote("driver")],
        cure=cures.correct_line(attempt.quote.source, attempt.quote.line, attempt.expected),
    )


@check("DRV013", severity=BLOCKER, refs=["F219"], since="0.2")
def test_grub_configuration_has_no_unclosed_quote(hypervisor: Hypervisor) -> Verdict:
    """GRUB configuration has no unclosed quote

    Checks:
        That no file which grub-mkconfig reads ends inside a quote. A blocker where parameters of
        it are missed.
    Why it matters:
        The files are shell: update-grub stops with an error, grub.cfg stays as it was, and no
        parameter arrives. A later update of the kernel stops there, too.
    Evidence:
        /etc/default/grub and /etc/default/grub.d.
    Fix:
        Close the quote, then run update-grub.
    Fix safety:
        Safe: what was generated stays until update-grub runs.
    References:
        F219; grub-mkconfig(8).
    """
    defaults = hypervisor.boot.grub_defaults
    if defaults.absent:
        return skips("there is no /etc/default/grub")
    for item in (hypervisor.evidence.item(FILE), *defaults.drop_ins):
        found = shellvars.unclosed(item.text) if not item.unread else None
        if found is not None:
            number, line = found
            return _unclosed(hypervisor, item.quote(line), f"/{item.name} line {number}")
    require(hypervisor.evidence.item(FILE), hypervisor.evidence.item(DROP_INS), *defaults.drop_ins)
    return passes("every quote is closed")


def _unclosed(hypervisor: Hypervisor, quote: Quote, where: str) -> Verdict:
    missed = prospects.binding_lacks(hypervisor) or not hypervisor.iommu.proven_on
    severity: Severity | None = None if missed else DEGRADED
    return fails(
        f"{where} opens a quote that is never closed, so that update-grub stops",
        actual=quote.line[:200],
        expected="a closing quote",
        evidence=quote,
        severity=severity,
        cure=cures.correct_line(quote.source, quote.line, "the closing quote, then update-grub"),
    )
