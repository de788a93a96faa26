"""Cures for drivers: which module is there, how early it comes, what modprobe is told."""

from __future__ import annotations

from collections.abc import Iterable

from pytest_vfio.cures import MANUAL, SAFE, UNSAFE, cmdline, told
from pytest_vfio.evidence import Evidence, Status
from pytest_vfio.facts.boot.chain import Boot
from pytest_vfio.steps import Cure


def install_drivers(release: str) -> Cure:
    """The running kernel's flavour was built or installed without the drivers."""
    return told(
        MANUAL,
        "install the distribution's generic kernel with its modules and boot it",
        (f"the running kernel {release} has no vfio-pci: cloud and minimal flavours leave it out",),
        reboot=True,
    )


def install_iommu_driver(release: str, option: str) -> Cure:
    """The running kernel's flavour was built without the driver of the IOMMU."""
    return told(
        MANUAL,
        "install the distribution's generic kernel and boot it",
        (f"the running kernel {release} was built without CONFIG_{option}",),
        reboot=True,
    )


def move_to_cmdline(boot: Boot, word: str) -> Cure:
    """An option of a driver that is part of the kernel image."""
    return cmdline.add(boot, word)


def load(*modules: str) -> Cure:
    """Load modules now and at every boot."""
    names = " ".join(modules)
    lines = "\\n".join(modules)
    return told(
        SAFE,
        f"load {names} now and at every boot",
        (f"modprobe -a {names}", f"printf '{lines}\\n' > /etc/modules-load.d/vfio.conf"),
        undo=True,
    )


def remove_line(file: str, line: str) -> Cure:
    """Take one line out of a configuration file of modprobe or of a module list."""
    return told(
        UNSAFE, f"remove {line!r} from /{file}", (f"delete the line in /{file}",), undo=True
    )


def early(evidence: Evidence, module: str = "vfio_pci") -> Cure:
    """Put vfio-pci into the initramfs, ahead of the device's own driver."""
    return told(
        UNSAFE,
        f"put {module} into the initramfs of every kernel",
        _initramfs_steps(evidence, module),
        reboot=True,
        undo=True,
    )


def softdep(evidence: Evidence, module: str) -> Cure:
    """Have modprobe load vfio-pci before a host driver."""
    return told(
        UNSAFE,
        f"load vfio-pci before {module}",
        (
            f"echo 'softdep {module} pre: vfio-pci' >> /etc/modprobe.d/vfio.conf",
            *_rebuild(evidence),
        ),
        reboot=True,
        undo=True,
    )


def one_list(ids: Iterable[str]) -> Cure:
    """Several lists of ids, of which one counts."""
    text = ",".join(ids)
    steps = (f"write vfio-pci.ids={text} on the kernel command line and take the others out",)
    return told(UNSAFE, "write the ids of vfio-pci as one list", steps, reboot=True, undo=True)


def pin(address: str) -> Cure:
    """Give one device to vfio-pci by its address, which beats any other driver."""
    return told(
        UNSAFE,
        f"bind {address} to vfio-pci with driver_override, now and at boot",
        (f"driverctl set-override {address} vfio-pci",),
        undo=True,
    )


def sign(module: str) -> Cure:
    """A module that Secure Boot refuses."""
    return told(
        MANUAL,
        f"sign {module} with a key that the firmware trusts",
        (
            "sign the module with the machine owner key (DKMS does it where one is set up)",
            "mokutil --import the key's certificate, and enrol it at the next boot",
        ),
        reboot=True,
    )


def set_parameter(module: str, name: str, value: str) -> Cure:
    """Write a parameter of a loaded module; the configuration that set it has to go, too."""
    return told(
        UNSAFE,
        f"set {name} of {module} to {value}, now and at boot",
        (
            f"echo {value} > /sys/module/{module}/parameters/{name}",
            f"remove {module} {name} from /etc/modprobe.d and from the kernel command line",
        ),
        undo=True,
    )


def _initramfs_steps(evidence: Evidence, module: str) -> tuple[str, ...]:
    if _has(evidence, "etc/initramfs-tools/modules"):
        write = f"echo {module} >> /etc/initramfs-tools/modules"
    elif _has(evidence, "etc/mkinitcpio.conf"):
        write = f"put vfio_pci first into MODULES=(...) of /etc/mkinitcpio.conf ({module})"
    else:
        write = (
            "echo 'force_drivers+=\" vfio vfio_iommu_type1 vfio_pci \"' "
            "> /etc/dracut.conf.d/vfio.conf"
        )
    return (write, *_rebuild(evidence))


def _rebuild(evidence: Evidence) -> tuple[str, ...]:
    if _has(evidence, "etc/initramfs-tools/modules"):
        return ("update-initramfs -u -k all",)
    if _has(evidence, "etc/mkinitcpio.conf"):
        return ("mkinitcpio -P",)
    return ("dracut --force --regenerate-all",)


def _has(evidence: Evidence, name: str) -> bool:
    return evidence.item(name).status is Status.PRESENT
