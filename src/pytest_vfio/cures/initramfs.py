"""Cures in the initramfs: what it holds, in which order, and the tool that builds it."""

from __future__ import annotations

from pytest_vfio.evidence import Evidence, Status
from pytest_vfio.steps import ByHand, Cure, Reboot, Step
from pytest_vfio.steps.files import AddLine, WriteFile
from pytest_vfio.steps.host import Regenerate
from pytest_vfio.steps.words import AddWords

_TOOLS, _MKINITCPIO = "etc/initramfs-tools/modules", "etc/mkinitcpio.conf"


def rebuild(evidence: Evidence) -> tuple[Step, ...]:
    """Build the image of every kernel anew, by the tool that the host has."""
    if _has(evidence, _TOOLS):
        return (
            Regenerate("the initramfs of every kernel", ("update-initramfs", "-u", "-k", "all")),
        )
    if _has(evidence, _MKINITCPIO):
        return (Regenerate("the initramfs of every kernel", ("mkinitcpio", "-P")),)
    if _known(evidence):
        return (
            Regenerate("the initramfs of every kernel", ("dracut", "--force", "--regenerate-all")),
        )
    return (ByHand("build the initramfs of every kernel again with the distribution's own tool"),)


def again(evidence: Evidence) -> Cure:
    """The image is older than what it is made from."""
    return Cure("build the initramfs again, then reboot", (*rebuild(evidence), Reboot()))


def early(evidence: Evidence, driver: str) -> Cure:
    """Put vfio-pci into the initramfs, and have it loaded there before the device's own driver."""
    title = f"put vfio-pci into the initramfs, and load it there before {driver}"
    return Cure(title, (*_hold(evidence), *_order(evidence, driver), *rebuild(evidence), Reboot()))


def softdep(evidence: Evidence, driver: str) -> Cure:
    """Have modprobe load vfio-pci before a host driver."""
    title = f"load vfio-pci before {driver}"
    return Cure(title, (*_order(evidence, driver), *rebuild(evidence), Reboot()))


def _hold(evidence: Evidence) -> tuple[Step, ...]:
    """Where the tool that builds the image is told what it has to hold."""
    if _has(evidence, _TOOLS):
        lines = [line.split() for line in evidence.item(_TOOLS).lines]
        if any(words and words[0].replace("-", "_") == "vfio_pci" for words in lines):
            return ()
        return (AddLine(f"/{_TOOLS}", "vfio-pci"),)
    if _has(evidence, _MKINITCPIO):
        path = f"/{_MKINITCPIO}"
        return (
            AddWords(path, ("vfio_pci", "vfio", "vfio_iommu_type1"), "MODULES", "(", first=True),
        )
    path = "/etc/dracut.conf.d/pytest-vfio.conf"
    return (WriteFile(path, ('force_drivers+=" vfio_pci vfio vfio_iommu_type1 "',)),)


def _order(evidence: Evidence, driver: str) -> tuple[Step, ...]:
    """A soft dependency, which an image takes along with modprobe.d."""
    name = f"etc/modprobe.d/pytest-vfio-{driver}.conf"
    line = f"softdep {driver} pre: vfio-pci"
    if evidence.item(name).data:
        return ()
    return (WriteFile(f"/{name}", (line,)),)


def _known(evidence: Evidence) -> bool:
    """The lists of the two others were looked for, and are not there."""
    return all(evidence.item(name).status is Status.ABSENT for name in (_TOOLS, _MKINITCPIO))


def _has(evidence: Evidence, name: str) -> bool:
    return evidence.item(name).status is Status.PRESENT
