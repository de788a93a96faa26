"""The drivers of VFIO: available, allowed to load, and configured."""

from collections.abc import Iterator

from pytest_vfio.check import ADVICE, BLOCKER, DEGRADED, Verdict, check, fails, passes, skips
from pytest_vfio.cures import by_hand as by_hand_cures
from pytest_vfio.cures import modprobe as modprobe_cures
from pytest_vfio.evidence import Missing, Quote
from pytest_vfio.facts.pci.functions import is_vfio_driver
from pytest_vfio.facts.tristate import ask, known, require
from pytest_vfio.hypervisor.hypervisor import Hypervisor

#: What an install line runs in order to do nothing.
NOTHING = ("false", "true", ":")
OURS = ("vfio_pci", "vfio", "vfio_iommu_type1", "vfio_pci_core")


@check("DRV001", severity=BLOCKER, needs=["DRV006"], refs=["F72", "F51", "S11"])
def test_running_kernel_has_vfio_pci(hypervisor: Hypervisor) -> Verdict:
    """Running kernel has vfio-pci or a variant of it

    Checks:
        That vfio-pci is loaded, built in, or a module file of the running kernel. What is built in
        is not listed by lsmod.
    Why it matters:
        Without it no PCI device can be assigned to a guest. Cloud and minimal kernel flavours leave
        it out, or ship it in a package of extra modules.
    Evidence:
        /sys/module, /sys/bus/pci/drivers, modules.builtin, modules.dep, the kernel's configuration,
        the driver's own lines in the kernel log.
    Fix:
        Install the generic kernel, or the package with its extra modules, and boot it.
    Fix safety:
        Another kernel boots; the old one stays in the boot menu.
    References:
        F72, F51, S11; drivers/vfio/pci/vfio_pci.c.
    """
    modules = hypervisor.modules
    proof = modules.loaded_quote("vfio_pci")
    if proof is not None:
        return passes("vfio-pci is in the running kernel", evidence=proof)
    for function in hypervisor.pci.known.values():
        if function.knows("driver") and is_vfio_driver(function.driver):
            quote = function.quote("driver")
            return passes(f"{function.driver} drives {function.address}", evidence=quote)
    if modules.available("vfio_pci"):
        return passes("vfio-pci is a module of the running kernel")
    release = hypervisor.kernel.release
    return fails(
        f"kernel {release} has no vfio-pci, neither built in nor as a module",
        actual="no vfio-pci",
        expected="vfio-pci",
        evidence=[_not_there(hypervisor), hypervisor.kernel.quote],
        cure=by_hand_cures.install_drivers(release),
    )


def _not_there(hypervisor: Hypervisor) -> Quote:
    """What proves that there is no vfio-pci: the list of module files, else the configuration."""
    if hypervisor.evidence.item("modules.dep").data:
        return _item(hypervisor, "modules.dep")
    return hypervisor.kernel.config_quote("VFIO_PCI")


def _item(hypervisor: Hypervisor, name: str, line: str = "(no vfio-pci)") -> Quote:
    return hypervisor.evidence.item(name).quote(line)


@check("DRV002", severity=BLOCKER, needs=["DRV001"], refs=["F73", "S09"])
def test_every_vfio_pci_option_takes_effect(hypervisor: Hypervisor) -> Verdict:
    """Every vfio-pci option in modprobe.d takes effect

    Checks:
        Where vfio-pci is part of the kernel image, that modprobe.d gives it no option which the
        command line lacks.
    Why it matters:
        Only modprobe reads modprobe.d, and it does not load what is built in (Ubuntu since 20.04).
        The ids have no effect and the devices stay on their host drivers.
    Evidence:
        modprobe.d, modules.builtin, /proc/cmdline.
    Fix:
        Move the options to the kernel command line: vfio-pci.ids=...
    Fix safety:
        The ids then take effect at the next boot: look first what else they match. Can be undone.
    References:
        F73, S09; vfio_pci_fill_ids runs when the driver starts.
    """
    modules = hypervisor.modules
    options = [o for o in modules.known_options("vfio_pci") if o.origin == "modprobe"]
    if not options:
        require(modules.modprobe)
        return passes("modprobe.d has no options for vfio-pci")
    if not modules.builtin("vfio_pci"):
        return passes("vfio-pci is a module and gets its options from modprobe.d")
    require(hypervisor.cmdline)
    given = {(word.name, word.value) for word in hypervisor.cmdline.words}
    for option in options:
        if (f"vfio_pci.{option.name}", option.value) not in given:
            text = option.name if option.value is None else f"{option.name}={option.value}"
            return fails(
                f"vfio-pci is built in, so {text} of modprobe.d has no effect",
                actual=f"options vfio-pci {text}",
                expected=f"vfio-pci.{text} on the kernel command line",
                evidence=[option.quote, _item(hypervisor, "modules.builtin", "vfio-pci")],
                cure=modprobe_cures.to_cmdline(hypervisor, f"vfio-pci.{text}"),
            )
    require(modules.modprobe)
    return passes("every option of modprobe.d for vfio-pci is on the command line, too")


@check("DRV006", severity=BLOCKER, refs=["F72"])
def test_no_configuration_keeps_a_vfio_driver_from_loading(hypervisor: Hypervisor) -> Verdict:
    """No configuration keeps a VFIO driver from loading

    Checks:
        That no `blacklist vfio-pci`, no `install vfio... /bin/false` and no `module_blacklist=`
        keeps a driver of VFIO away. Degraded where the driver is in the kernel all the same.
    Why it matters:
        libvirt asks modprobe's configuration first and refuses: administratively prohibited.
    Evidence:
        modprobe.d, /proc/cmdline, modules.builtin.
    Fix:
        Remove the line.
    Fix safety:
        The initramfs may hold a copy of the line: rebuild it. Can be undone.
    References:
        F72; libvirt's virpci.c, modprobe.d(5).
    """
    modules = hypervisor.modules
    for name, text, quote in _forbidden(hypervisor):
        if known(modules.builtin, name):
            continue  # else a module, as far as anybody knows
        loaded = modules.loaded_quote(name) is not None
        return fails(
            f"{name} is kept from loading: {text}",
            actual=text[:200],
            expected=f"{name} allowed",
            evidence=quote,
            severity=DEGRADED if loaded else BLOCKER,
            cure=modprobe_cures.allow(hypervisor, name, quote),
        )
    require(modules.modprobe, hypervisor.cmdline)
    return passes("nothing keeps the drivers of VFIO from loading")


def _forbidden(hypervisor: Hypervisor) -> Iterator[tuple[str, str, Quote]]:
    """Drivers of VFIO, each with the setting that keeps it away and its line."""
    modules = hypervisor.modules
    for line in modules.modprobe.of("blacklist", "vfio_pci"):
        yield "vfio_pci", line.quote.line, line.quote
    for name in OURS:
        for line in modules.modprobe.of("install", name):
            if line.rest.strip().endswith(("/false", "/true")) or line.rest.strip() in NOTHING:
                yield name, line.quote.line, line.quote
        for word in hypervisor.cmdline.seen("module_blacklist"):
            if name in [piece.replace("-", "_") for piece in word.pieces]:
                yield name, word.text, word.quote
    for word in hypervisor.cmdline.seen("modprobe.blacklist"):
        if "vfio_pci" in [piece.replace("-", "_") for piece in word.pieces]:
            yield "vfio_pci", word.text, word.quote


@check("DRV010", severity=BLOCKER, needs=["DRV001", "DRV006"], refs=["F63"])
def test_vfio_has_an_iommu_backend(hypervisor: Hypervisor) -> Verdict:
    """VFIO has an IOMMU backend

    Checks:
        That vfio_iommu_type1 is loaded or built in where VFIO is, and can be loaded where it is
        not yet; or that iommufd takes its place.
    Why it matters:
        Without a backend QEMU cannot set up a guest's memory: `No available IOMMU models`.
    Evidence:
        /sys/module, /proc/modules, modules.builtin, modules.dep, CONFIG_IOMMUFD_VFIO_CONTAINER.
    Fix:
        Load vfio_iommu_type1, now and at boot.
    Fix safety:
        Safe: no device changes its driver. Can be undone.
    References:
        F63; hw/vfio/container.c, drivers/vfio/Kconfig.
    """
    modules = hypervisor.modules
    proof = modules.loaded_quote("vfio_iommu_type1")
    if proof is not None:
        return passes("vfio_iommu_type1 is in the running kernel", evidence=proof)
    vfio = modules.loaded("vfio")
    if (modules.loaded if vfio else modules.available)("vfio_iommu_type1"):
        return passes("vfio_iommu_type1 is available")
    if _iommufd_instead(hypervisor):
        return passes("iommufd takes the place of vfio_iommu_type1")
    state = "vfio is loaded, vfio_iommu_type1 is not" if vfio else "there is no vfio_iommu_type1"
    return fails(
        state,
        actual="no vfio_iommu_type1",
        expected="vfio_iommu_type1",
        evidence=hypervisor.evidence.item("sys/module").quote("(no vfio_iommu_type1)"),
        cure=modprobe_cures.load(hypervisor.evidence, "vfio_iommu_type1", "vfio_pci"),
    )


def _iommufd_instead(hypervisor: Hypervisor) -> bool:
    """From 6.2 on a kernel may be built with iommufd in the place of the container."""
    kernel = hypervisor.kernel
    option, lacking = ask(kernel.config, "IOMMUFD_VFIO_CONTAINER")
    if lacking and kernel.version >= (6, 2, 0):
        raise Missing(*lacking)
    return option == "y"


@check("DRV008", severity=ADVICE, refs=["F86", "S11"])
def test_no_module_list_names_vfio_virqfd(hypervisor: Hypervisor) -> Verdict:
    """No module list names vfio_virqfd

    Checks:
        From kernel 6.2 on, that no list of modules to load or to put into an initramfs names
        vfio_virqfd: it became part of vfio.
    Why it matters:
        Loading it fails at each boot; some tools then fail to build the initramfs.
    Evidence:
        /etc/modules, modules-load.d, initramfs-tools, dracut and mkinitcpio configuration.
    Fix:
        Delete the name.
    Fix safety:
        A host that also boots a kernel older than 6.2 still loads it by itself. Can be undone.
    References:
        F86, S11; kernel commit e2d55709398e (vfio: Fold vfio_virqfd.ko into vfio.ko).
    """
    modules = hypervisor.modules
    if hypervisor.kernel.version < (6, 2, 0):
        return skips(f"vfio_virqfd is a module of kernel {hypervisor.kernel.release}")
    for entry in modules.listed:
        if entry.module == "vfio_virqfd":
            return fails(
                f"vfio_virqfd is listed in /{entry.quote.source}, kernel "
                f"{hypervisor.kernel.release} has it inside vfio",
                actual=entry.quote.line,
                expected="no vfio_virqfd",
                evidence=entry.quote,
                cure=modprobe_cures.unlist(hypervisor.evidence, entry.quote, "vfio_virqfd"),
            )
    require(*modules.lists_missing)
    return passes("no list names vfio_virqfd")
