"""Ids of vfio-pci name a model, not a device: every function that has the id is matched."""

import itertools

from pytest_vfio.check import ADVICE, DEGRADED, Verdict, check, fails, passes, skips
from pytest_vfio.cures import by_hand as by_hand_cures
from pytest_vfio.cures import override as override_cures
from pytest_vfio.facts.tristate import require, search
from pytest_vfio.hypervisor.hypervisor import Hypervisor
from pytest_vfio.hypervisor.intent import IntendedDevice


@check("DEV005", severity=DEGRADED, refs=["F77"])
def test_ids_match_only_devices_to_be_passed_through(hypervisor: Hypervisor) -> Verdict:
    """Ids for vfio-pci match only devices to be passed through

    Checks:
        That every function that an id of vfio-pci matches, in force or not, is on the inventory's
        list of devices. Where the inventory has no list, the ids themselves are the intent.
    Why it matters:
        Otherwise a second card of the same model goes to vfio-pci with the first: the host loses an
        interface or a controller that it should keep, at the latest with the next reboot.
    Evidence:
        /proc/cmdline, modprobe.d, the ids of all PCI functions.
    Fix:
        Bind by address instead, or narrow the id by subsystem.
    Fix safety:
        Unsafe: boot files or initramfs change. Can be undone.
    References:
        F77, S09; where the host depends on such a function, SAF004 reports it.
    """
    if hypervisor.declared.devices is None:
        return skips("the inventory has no list of devices; the ids themselves are the intent")
    meant = {device.address for device in hypervisor.intent.known}
    patterns = hypervisor.modules.configured_vfio_ids
    pairs = itertools.product(patterns, hypervisor.pci.known.values())
    caught = search(pairs, lambda pair: pair[0].catches(pair[1]) and not pair[1].is_bridge)
    extra = [(pattern, one.address) for pattern, one in caught.known if one.address not in meant]
    if extra and hypervisor.intent.whole:
        pattern, shown = extra[0][0], ", ".join(dict.fromkeys(address for _, address in extra))
        return fails(
            f"vfio-pci id {pattern.text} also matches {shown}, which the inventory does not name",
            actual=f"{pattern.text} matches {shown}",
            expected="ids that match only devices to be passed through",
            evidence=pattern.quote,
            cure=override_cures.narrow(hypervisor, pattern),
        )
    require(*hypervisor.modules.configured_ids_missing, caught, hypervisor.intent)
    if not patterns:
        return skips("no ids are configured for vfio-pci")
    require(hypervisor.pci)  # only a whole list shows that no other is caught
    return passes(
        f"the ids of vfio-pci match {len(caught.known)} functions, all of them to be passed through"
    )


@check("DEV006", severity=ADVICE, needs=["DEV001"], refs=["F77"])
def test_device_that_an_id_matches_is_for_a_guest(
    hypervisor: Hypervisor, device: IntendedDevice
) -> Verdict:
    """Device that a vfio-pci id matches is for a guest

    Checks:
        That a device which an id of vfio-pci takes from the host is for some guest, where another
        device that the same id matches is.
    Why it matters:
        Otherwise the id was written for another device and matches this one too, which then serves
        neither the host nor a guest, perhaps by mistake.
    Evidence:
        /proc/cmdline, modprobe.d, the functions' ids, the guests of inventory and libvirt.
    Fix:
        Name the device for a guest, or bind by address instead of the id.
    Fix safety:
        Manual: a decision of the owner.
    References:
        F77, S09.
    """
    function = device.function
    patterns = [p for p in hypervisor.modules.configured_vfio_ids if p.catches(function)]
    if device.guests:
        return passes(f"{function.address} is for {device.guest}")
    if not patterns:
        require(*hypervisor.modules.configured_ids_missing)
        return skips(f"no id of vfio-pci matches {function.address}")
    others = (one for one in hypervisor.intent.known if one.guests)
    found = search(others, lambda one: any(p.catches(one.function) for p in patterns))
    twins = found.known
    if not twins:
        require(found, hypervisor.intent, hypervisor.guests)  # an unread guest may have it
        return skips("no device that the id matches is for a guest yet")
    if not hypervisor.declared.guests:
        require(hypervisor.guests)  # an unread guest may have it
    shown = ", ".join(one.name for one in twins)
    verb = "are" if len(twins) > 1 else "is"
    return fails(
        f"vfio-pci id {patterns[0].text} also matches {function.address}, which no guest uses; only"
        f" {shown} {verb} for a guest",
        actual="no guest has it",
        expected="a guest, or left to the host",
        evidence=[patterns[0].quote, function.quote("device")],
        cure=by_hand_cures.give_or_release(function.address),
    )
