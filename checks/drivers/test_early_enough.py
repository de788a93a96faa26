"""Whether vfio-pci comes before the driver that would take the device at boot."""

from pytest_vfio.check import BLOCKER, DEGRADED, Severity, Verdict, check, fails, passes, skips
from pytest_vfio.cures import initramfs as initramfs_cures
from pytest_vfio.cures import override as override_cures
from pytest_vfio.evidence import Missing, Quote
from pytest_vfio.facts.host.paths import Node
from pytest_vfio.facts.pci.functions import is_vfio_driver
from pytest_vfio.facts.tristate import known, require
from pytest_vfio.hypervisor import handover
from pytest_vfio.hypervisor.hypervisor import Hypervisor
from pytest_vfio.hypervisor.intent import IntendedDevice

BEFORE = ["DRV001", "DRV002", "CMD010", "CMD011", "CMD014", "CMD020", "CMD021", "CMD022", "DEV001"]


@check("DRV005", severity=BLOCKER, needs=BEFORE, refs=["F76"])
def test_no_built_in_host_driver_takes_the_device_ahead(
    hypervisor: Hypervisor, device: IntendedDevice
) -> Verdict:
    """No built-in host driver takes the device ahead of vfio-pci

    Checks:
        For a device that an id of vfio-pci matches and that is not on a VFIO driver: that its host
        driver is not part of the kernel image while vfio-pci is a module.
    Why it matters:
        What is built in probes before any module is loaded. Ids and soft dependencies cannot help.
    Evidence:
        The device's driver; the ids in force; modules.builtin.
    Fix:
        Give the device to vfio-pci by its address with driver_override (driverctl or udev).
    Fix safety:
        The host loses the device at once: never do it to one that carries the host. Can be undone.
    References:
        F76; driverctl(8).
    """
    driver, modules = _taker(hypervisor, device), hypervisor.modules
    if isinstance(driver, Verdict):
        return driver
    if modules.builtin("vfio_pci") or not modules.builtin(_module(driver)):
        return passes(f"{driver} is not built in ahead of vfio-pci")
    return fails(
        f"{device.name} is bound to {driver}, which is built in while vfio-pci is a module",
        actual=driver,
        expected="vfio-pci",
        evidence=[
            device.function.quote("driver"),
            hypervisor.evidence.item("modules.builtin").quote(_module(driver)),
        ],
        severity=_severity(hypervisor, device),
        cure=override_cures.pin(hypervisor, device.function),
    )


@check("DRV003", severity=BLOCKER, needs=[*BEFORE, "DRV005"], refs=["F74", "S18"])
def test_initramfs_does_not_put_the_host_driver_ahead(
    hypervisor: Hypervisor, device: IntendedDevice
) -> Verdict:
    """Initramfs does not put the host driver ahead of vfio-pci

    Checks:
        For a device that an id of vfio-pci matches and that is not on a VFIO driver: where the
        initramfs holds the host driver, that it holds vfio-pci too, and the file of modprobe.d that
        has the ids.
    Why it matters:
        Otherwise the host driver binds within the initramfs; vfio-pci comes seconds later and finds
        the device taken. dracut copies /etc/modprobe.d into host-only images alone.
    Evidence:
        The device's driver; the ids in force; the names of the files in the initramfs.
    Fix:
        Put vfio-pci into the initramfs (initramfs-tools, dracut, mkinitcpio) and rebuild it.
    Fix safety:
        A broken initramfs keeps the host from booting: keep the old one as an entry. Can be undone.
    References:
        F74, S18; dracut's 90kernel-modules, initramfs-tools' mkinitramfs.
    """
    driver, modules = _taker(hypervisor, device), hypervisor.modules
    if isinstance(driver, Verdict):
        return driver
    if modules.builtin("vfio_pci"):
        return passes("vfio-pci is built in and needs no initramfs")
    image = modules.initramfs
    if not image.holds(_module(driver)):
        return passes(f"the initramfs holds no {driver} either", evidence=image.quote(driver))
    file = _file(hypervisor, device)
    if image.holds("vfio_pci") and (file is None or image.holds_file(file)):
        return passes("the initramfs holds vfio-pci and its ids", evidence=image.quote("vfio_pci"))
    lacking = "vfio-pci" if not image.holds("vfio_pci") else f"/{file}"
    return fails(
        f"{device.name} is bound to {driver}: the initramfs holds {driver} and not {lacking}",
        actual=f"{driver} without {lacking}",
        expected=f"{lacking} in the initramfs",
        evidence=[device.function.quote("driver"), image.quote(_module(driver))],
        severity=_severity(hypervisor, device),
        cure=initramfs_cures.early(hypervisor.evidence, _module(driver)),
    )


@check("DRV014", severity=BLOCKER, needs=[*BEFORE, "DRV003"], refs=["F228"], since="0.2")
def test_initramfs_is_newer_than_the_files_it_is_made_from(
    hypervisor: Hypervisor, device: IntendedDevice
) -> Verdict:
    """Initramfs is newer than the files that it is made from

    Checks:
        For a device that an id of vfio-pci matches and that is not on a VFIO driver, where the
        initramfs holds the host driver: that no file with a setting of VFIO which belongs into the
        image was written after the image.
    Why it matters:
        The host driver binds within the initramfs, by the settings of the day when it was built.
    Evidence:
        The times when the image and the files of /etc/modprobe.d, /etc/initramfs-tools, /etc/dracut
        were written; the names of the files in the image.
    Fix:
        Build the initramfs again and reboot.
    Fix safety:
        A broken initramfs keeps the host from booting: keep the old one as an entry. Can be undone.
    References:
        F228; update-initramfs(8), dracut(8), mkinitcpio(8).
    """
    driver, modules = _taker(hypervisor, device), hypervisor.modules
    if isinstance(driver, Verdict):
        return driver
    if not modules.initramfs.holds(_module(driver)):
        return passes(f"the initramfs holds no {driver}")
    image = _image(hypervisor)
    for item in hypervisor.evidence.seen(*sorted(hypervisor.evidence.items)):
        ours = item.name.startswith(_SOURCES) and not item.name.endswith("/")
        if ours and "vfio" in item.text:
            node = hypervisor.paths.node(item.name)
            if node is not None and (node.written or 0) > (image.written or 0):
                return fails(
                    f"{device.name} is bound to {driver}: /{node.path} was written after the"
                    f" initramfs /{image.path}, which does not have it",
                    actual=f"/{image.path} is older than /{node.path}",
                    expected="an initramfs built from what is configured",
                    evidence=[node.quote, image.quote, device.function.quote("driver")],
                    severity=_severity(hypervisor, device),
                    cure=initramfs_cures.again(hypervisor.evidence),
                )
    return passes(f"/{image.path} is newer than what it is made from", evidence=image.quote)


#: What a setting has to be written into the image from.
_SOURCES = ("etc/modprobe.d/", "etc/initramfs-tools/modules", "etc/dracut.conf", "etc/mkinitcpio.conf",
            "etc/modules")  # fmt: skip


def _image(hypervisor: Hypervisor) -> Node:
    """The initramfs of the running kernel. Raises Missing where its age is not known."""
    release = hypervisor.kernel.release
    for path in (f"boot/initrd.img-{release}", f"boot/initramfs-{release}.img"):
        node = hypervisor.paths.node(path)
        if node is not None and node.written is not None:
            return node
    raise Missing(hypervisor.evidence.item("paths"))


@check("DRV004", severity=DEGRADED, needs=[*BEFORE, "DRV003", "DRV005"], refs=["F75"])
def test_load_order_does_not_put_the_host_driver_ahead(
    hypervisor: Hypervisor, device: IntendedDevice
) -> Verdict:
    """Load order does not put the host driver ahead of vfio-pci

    Checks:
        For a device that an id of vfio-pci matches and that is not on a VFIO driver: that a list
        loads vfio-pci in the initramfs, or that a soft dependency of the real module of the host
        driver does. An alias in its place has no effect.
    Why it matters:
        Otherwise which driver comes first is a race that may go either way at each boot.
    Evidence:
        The device's driver; softdep lines of modprobe.d; lists of modules for the initramfs;
        rd.driver.pre= on the command line.
    Fix:
        softdep <module> pre: vfio-pci for each module that could drive the device, or a
        driver_override by address.
    Fix safety:
        Other devices of the host driver get it a little later. Can be undone.
    References:
        F75; modprobe.d(5), Proxmox VE's PCI passthrough chapter.
    """
    driver, modules = _taker(hypervisor, device), hypervisor.modules
    if isinstance(driver, Verdict):
        return driver
    if modules.builtin("vfio_pci"):
        return passes("vfio-pci is built in and comes before modules")
    first = _loads_first(hypervisor, _module(driver))
    if first is not None:
        return passes(f"vfio-pci is loaded before {driver}", evidence=first)
    softdeps = modules.softdeps
    require(hypervisor.cmdline)
    require(*modules.early_lists_missing)
    others = [dep for dep in softdeps if "vfio_pci" in dep.pre]
    named = f", softdep names {others[0].module}" if others else ""
    return fails(
        f"{device.name} is bound to {driver} and nothing loads vfio-pci before it{named}",
        actual=others[0].quote.line if others else "no softdep",
        expected=f"softdep {_module(driver)} pre: vfio-pci",
        evidence=[device.function.quote("driver"), *(dep.quote for dep in others[:1])],
        cure=initramfs_cures.softdep(hypervisor.evidence, _module(driver)),
    )


def _loads_first(hypervisor: Hypervisor, module: str) -> Quote | None:
    """What makes vfio-pci load before a module, as far as it was read; None for nothing."""
    modules = hypervisor.modules
    for dep in modules.modprobe.softdeps:
        if dep.module == module and "vfio_pci" in dep.pre:
            return dep.quote
    for entry in modules.listed:
        if entry.early and entry.module == "vfio_pci":
            return entry.quote
    for word in hypervisor.cmdline.seen("rd.driver.pre"):
        if "vfio_pci" in [piece.replace("-", "_") for piece in word.pieces]:
            return word.quote
    return None


def _taker(hypervisor: Hypervisor, device: IntendedDevice) -> str | Verdict:
    """The host driver that has the device, or a verdict where the question does not arise."""
    function = device.function
    driver = function.driver
    if is_vfio_driver(driver):
        return passes(f"{device.name} is on {driver}", evidence=function.quote("driver"))
    if driver is None:
        return skips(f"no driver has {device.name}", evidence=function.quote("driver"))
    patterns = hypervisor.modules.vfio_ids
    if not any(pattern.catches(function) for pattern in patterns):
        return skips(f"no id of vfio-pci in force matches {device.name}: nothing has to load early")
    return driver


def _severity(hypervisor: Hypervisor, device: IntendedDevice) -> Severity | None:
    """Ids without effect stop no guest where libvirt binds the device at its start (S21)."""
    when = known(handover.of, hypervisor, device)
    return DEGRADED if when is not None and when.now is False else None


def _module(driver: str) -> str:
    """The module of a driver: xhci_hcd is the name that xhci_pci registers."""
    name = driver.replace("-", "_")
    return "xhci_pci" if name == "xhci_hcd" else name


def _file(hypervisor: Hypervisor, device: IntendedDevice) -> str | None:
    """The file of modprobe.d that has the device's id; None where the command line has it."""
    for pattern in hypervisor.modules.vfio_ids:
        if pattern.origin == "modprobe" and pattern.catches(device.function):
            return pattern.quote.source
    return None
